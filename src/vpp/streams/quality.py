"""Quality: which values and which channels of a table cannot be what they are called.

Every rule is a statement about devices and the sun, not about a data set; its reason stands at its number. A clean
channel may be noisy, idle, curtailed or gappy: what remains possible for a sound device is not flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Plant
from vpp.core.errors import UnknownNameError
from vpp.core.messages import POWER_KW, SOC, Quality, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.streams.channel import Flags, channel_of
from vpp.streams.levels import gaps, is_reversed, out_of_range, spikes, stuck, too_small, unit_slips
from vpp.streams.shape import dead, night_power, shifted, solar_load, undersized
from vpp.streams.sun import place_of, sky_at


class FaultKind(StrEnum):
    """What is wrong with a channel."""

    RANGE = "range"
    UNIT = "unit"
    SPIKE = "spike"
    NEGATIVE = "negative"
    STUCK = "stuck"
    DEAD = "dead"
    GAPS = "gaps"
    SOLAR_LOAD = "solar_load"
    NIGHT_POWER = "night_power"
    SHIFTED = "shifted"
    SIZE = "size"

    @property
    def quality(self) -> Quality:
        """The flag that the values concerned carry."""
        return _FLAG[self]


_FLAG = {
    FaultKind.RANGE: Quality.OUT_OF_RANGE,
    FaultKind.UNIT: Quality.UNIT_SUSPECT,
    FaultKind.SPIKE: Quality.OUT_OF_RANGE,
    FaultKind.NEGATIVE: Quality.OUT_OF_RANGE,
    FaultKind.STUCK: Quality.FLAT,
    FaultKind.DEAD: Quality.FLAT,
    FaultKind.GAPS: Quality.GOOD,
    FaultKind.SOLAR_LOAD: Quality.WRONG_SHAPE,
    FaultKind.NIGHT_POWER: Quality.WRONG_SHAPE,
    FaultKind.SHIFTED: Quality.WRONG_SHAPE,
    FaultKind.SIZE: Quality.UNIT_SUSPECT,
}
_CHECKS = (
    (FaultKind.RANGE, out_of_range, "above 1.2 times its rating"),
    (FaultKind.SPIKE, spikes, "a lone value far above everything else the channel reaches"),
    (FaultKind.UNIT, unit_slips, "about 1000 times too large: W for kW?"),
    (FaultKind.UNIT, too_small, "never reaches 1/200 of its rating: MW for kW?"),
    (FaultKind.NEGATIVE, is_reversed, "of the wrong sign: is the channel reversed, or is it a net power?"),
    (FaultKind.STUCK, stuck, "the same value for six hours or more"),
    (FaultKind.DEAD, dead, "no power for longer than a sound device can rest"),
    (FaultKind.GAPS, gaps, "missing between its first and last value"),
    (FaultKind.SOLAR_LOAD, solar_load, "follows the sun and is nothing at night: a PV channel under another name?"),
    (FaultKind.NIGHT_POWER, night_power, "PV power in the dark: another channel, or stamps far off?"),
    (FaultKind.SHIFTED, shifted, "PV centred hours off solar noon: stamps in another time zone?"),
    (FaultKind.SIZE, undersized, "never half of what its rating gives under a clear sky: rating or unit wrong?"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a channel.

    Parameters
    ----------
    key : SeriesKey
        The channel.
    kind : FaultKind
        What is wrong.
    share : float
        Share of the channel's steps concerned, above 0 to 1.
    message : str
        In words, with its share.
    """

    key: SeriesKey
    kind: FaultKind
    share: float
    message: str


def find_faults(table: SeriesTable, plant: Plant) -> tuple[Fault, ...]:
    """Return what is wrong with the channels of a table, in the table's order; none is the usual answer.

    Only what belongs to an asset is judged (power and state of charge), not prices. Rules about the sun need to know
    where the plant stands: its latitude and longitude, or a time zone of the IANA table; without both they are
    silent. Rules about shape need 7 days, about death and size 28.

    Parameters
    ----------
    table : SeriesTable
        In the house's sign: consumption is negative.
    plant : Plant
        Whose assets they are.

    Returns
    -------
    tuple of Fault

    Raises
    ------
    UnknownNameError
        For a series of power whose source the plant does not have.
    """
    found = []
    for index, kind, cells, words in _judge(table, plant):
        share = float(cells.mean())
        key = table.keys[index]
        found.append(Fault(key, kind, share, f"{key}: {words} ({100.0 * share:.3g} % of the steps)"))
    return tuple(found)


def flag(table: SeriesTable, plant: Plant) -> NDArray[np.int64]:
    """Return the ``Quality`` flags of every value, shape of ``table.value``; see ``find_faults`` for the rules."""
    flags = np.zeros(table.value.shape, dtype=np.int64)
    for index, kind, cells, _ in _judge(table, plant):
        flags[cells, index] |= int(kind.quality)
    return flags


def _judge(table: SeriesTable, plant: Plant) -> list[tuple[int, FaultKind, Flags, str]]:
    place = place_of(plant)
    sky = None if place is None else sky_at(place, table.grid.times_s, table.grid.resolution_s)
    found: list[tuple[int, FaultKind, Flags, str]] = []
    for index, key in enumerate(table.keys):
        if key.metric == SOC:
            values = table.value[:, index]
            outside: Flags = (values < 0.0) | (values > 1.0)
            if outside.any():
                found.append((index, FaultKind.RANGE, outside, "a state of charge outside 0 to 1"))
        elif key.metric == POWER_KW and _is_asset(plant, key.source):
            channel = channel_of(table, index, plant, sky, place)
            results = ((kind, check(channel), words) for kind, check, words in _CHECKS)
            found.extend((index, kind, cells, words) for kind, cells, words in results if cells.any())
    return found


def _is_asset(plant: Plant, source: str) -> bool:
    """Tell assets from sites, whose net power has no rating and no shape; anything else is an error."""
    if any(site.id == source for site in plant.sites):
        return False
    known = {asset.id for asset in plant.assets}
    if source not in known:
        raise UnknownNameError("asset", source, known)
    return True
