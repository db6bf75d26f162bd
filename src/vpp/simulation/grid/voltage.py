"""Voltage: what a site measures at its feeder, second by second.

It sags with the load of the feeder, wanders slowly, flickers, and is brought back by the steps of a tap changer.
Invariant: the tap changer moves only after the voltage it sees stayed outside its band for its delay, one step at a
time and never beyond its range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

_MORNING_H, _EVENING_H = 8.0, 19.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeder:
    """The feeder that sites hang on.

    Parameters
    ----------
    set_point_pu : float
        Voltage that the tap changer holds, 0.9 to 1.1.
    load_drop_pu : float
        How far the voltage falls from no load to full load, 0 to 0.3.
    drift_pu, drift_time_s : float
        Standard deviation and time constant of its slow wander; 0 to 0.1, above 0.
    flicker_pu : float
        Standard deviation of its noise from second to second, 0 to 0.1.
    tap_step_pu : float
        Change by one tap, 0 (no tap changer) to 0.05.
    tap_most : int
        Taps to either side, 0 or more.
    band_pu : float
        Half the band in which the tap changer rests; at least 0.6 of a step, or it would hunt.
    tap_delay_s : float
        How long the voltage must be outside before a tap moves [s], 0 or more.

    Notes
    -----
    The defaults give a standard deviation of about 0.011 pu with an autocorrelation of about 0.88 at 5 minutes and 0.69
    at 15; a measured day has 0.0116, 0.92 and 0.78. They are not fitted to one feeder.
    """

    set_point_pu: float = 1.0
    load_drop_pu: float = 0.03
    drift_pu: float = 0.013
    drift_time_s: float = 3600.0
    flicker_pu: float = 0.0003
    tap_step_pu: float = 0.0125
    tap_most: int = 8
    band_pu: float = 0.025
    tap_delay_s: float = 60.0

    def __post_init__(self) -> None:
        """Check every range."""
        ranges = (("set_point_pu", 0.9, 1.1), ("load_drop_pu", 0.0, 0.3), ("drift_pu", 0.0, 0.1),
                  ("flicker_pu", 0.0, 0.1), ("tap_step_pu", 0.0, 0.05), ("tap_delay_s", 0.0, 3600.0))  # fmt: skip
        for name, low, high in ranges:
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(name, getattr(self, name), f"{low:g} to {high:g}")
        if not 0.0 < self.drift_time_s < np.inf:
            raise InvalidInputError("drift_time_s", self.drift_time_s, "above 0 [s]")
        if self.tap_most < 0:
            raise InvalidInputError("tap_most", self.tap_most, "0 or more taps")
        if not 0.6 * self.tap_step_pu <= self.band_pu <= 0.2:
            raise InvalidInputError("band_pu", self.band_pu, f"{0.6 * self.tap_step_pu:g} (0.6 of a step) to 0.2 [pu]")


@dataclass(frozen=True, slots=True, eq=False)
class VoltageTrace:
    """What a voltage simulation gives.

    Parameters
    ----------
    voltage_pu : float array, shape (T, S)
        Voltage, 1 at nominal.
    tap : int array, shape (T, S)
        Position of the tap changer, positive raises the voltage.
    """

    voltage_pu: Floats
    tap: Steps


def daily_load(grid: TimeGrid, timezone: ZoneInfo) -> Floats:
    """Return the load of a feeder by the local clock, 0 to 1, shape (T,): a morning and a higher evening peak."""
    local_s = grid.times_s + utc_offsets_s(grid.times_s, timezone) + grid.resolution_s / 2.0
    hour = local_s % SECONDS_PER_DAY / SECONDS_PER_HOUR
    morning, evening = (
        np.exp(-0.5 * (((hour - peak + 12.0) % 24.0 - 12.0) / width) ** 2)
        for peak, width in ((_MORNING_H, 1.5), (_EVENING_H, 2.5))
    )
    return np.asarray(0.25 + 0.35 * morning + 0.7 * evening, dtype=np.float64)


def simulate_voltage(
    grid: TimeGrid,
    names: Sequence[str | int],
    *,
    seed: int,
    timezone: ZoneInfo,
    feeder: Feeder | None = None,
    load_pu: ArrayLike | None = None,
) -> VoltageTrace:
    """Return the voltage at sites over time.

    Parameters
    ----------
    grid : TimeGrid
        The steps, T of them.
    names : sequence of str or int, length S
        Names of the feeders that the sites hang on: each has its own random numbers and tap changer, and sites with
        the same name see the same voltage.
    seed : int
        Seed of the simulation.
    timezone : ZoneInfo
        The local clock of the load.
    feeder : Feeder or None
        What the sites hang on; ``Feeder()`` when None.
    load_pu : float array, shape (T,) or (T, S), or None
        Load of the feeder per unit of its full load; negative where it feeds back. ``daily_load`` when None.

    Returns
    -------
    VoltageTrace
        Voltage and tap positions.

    Raises
    ------
    SeriesMismatchError
        When the load does not have one row per step and one column per site.

    Examples
    --------
    >>> from vpp.core.time import parse_time, zone
    >>> hour = TimeGrid(parse_time("2024-01-01T18:00Z"), 1, 3600)
    >>> trace = simulate_voltage(hour, ["north", "south"], seed=1, timezone=zone("Europe/Berlin"))
    >>> trace.voltage_pu.shape, bool((abs(trace.voltage_pu - 1.0) < 0.06).all())
    ((3600, 2), True)
    """
    feeder = feeder or Feeder()
    load = daily_load(grid, timezone) if load_pu is None else np.asarray(load_pu, dtype=np.float64)
    load = load[:, None] if load.ndim == 1 else load
    if load.ndim != 2 or load.shape[0] != grid.count or load.shape[1] not in (1, len(names)):
        raise SeriesMismatchError("load_pu", load.shape, f"shape ({grid.count},) or ({grid.count}, {len(names)})")
    load = np.broadcast_to(load, (grid.count, len(names)))
    voltage = np.empty((grid.count, len(names)))
    taps = np.empty((grid.count, len(names)), dtype=np.int64)
    kept = float(np.exp(-grid.resolution_s / feeder.drift_time_s))
    for column, name in enumerate(names):
        noise = generator(seed, "voltage", name).standard_normal((grid.count, 2))
        noise[1:, 0] *= np.sqrt(1.0 - kept**2)
        drift = lfilter([1.0], [1.0, -kept], noise[:, 0])
        # half the drop is in the set-point, so that the tap changer is in its middle at half load
        sag = feeder.load_drop_pu * (load[:, column] - 0.5)
        calm = feeder.set_point_pu - sag + feeder.drift_pu * drift
        taps[:, column] = tap_positions(calm, feeder, step_s=float(grid.resolution_s))
        voltage[:, column] = calm + feeder.tap_step_pu * taps[:, column] + feeder.flicker_pu * noise[:, 1]
    return VoltageTrace(voltage, taps)


def tap_positions(voltage_pu: ArrayLike, feeder: Feeder, *, step_s: float = 1.0) -> Steps:
    """Return the tap position of each step for a voltage without taps.

    A tap moves at the end of the step in which the voltage has been on the same side outside the band for the delay,
    and the wait begins anew.

    Parameters
    ----------
    voltage_pu : float array, shape (T,)
        Voltage with the tap changer in the middle.
    feeder : Feeder
        The tap changer.
    step_s : float
        Length of a step [s].

    Returns
    -------
    int array, shape (T,)
        Positions, ``-tap_most`` to ``tap_most``.

    Examples
    --------
    >>> feeder = Feeder(tap_step_pu=0.01, band_pu=0.01, tap_delay_s=3.0)
    >>> tap_positions([1.0, 0.98, 0.98, 0.98, 0.98, 0.98], feeder).tolist()
    [0, 0, 0, 0, 1, 1]
    """
    error = np.asarray(voltage_pu, dtype=np.float64) - feeder.set_point_pu
    positions = np.zeros(error.size, dtype=np.int64)
    wait = max(1, int(np.ceil(feeder.tap_delay_s / step_s)))
    tap, begin = 0, 0
    while feeder.tap_step_pu > 0.0 and begin < error.size:
        seen = error[begin:] + feeder.tap_step_pu * tap
        low = _first_run((seen < -feeder.band_pu) & (tap < feeder.tap_most), wait)
        high = _first_run((seen > feeder.band_pu) & (tap > -feeder.tap_most), wait)
        first = min(low, high)
        if begin + first >= error.size:
            break
        tap += 1 if low < high else -1
        begin += first
        positions[begin:] = tap
    return positions


def _first_run(outside: NDArray[np.bool_], wait: int) -> int:
    """Return the first index after ``wait`` steps outside in a row, the size and more when there is none."""
    steps = np.arange(1, outside.size + 1)
    since = steps - np.maximum.accumulate(np.where(outside, 0, steps))
    at = np.flatnonzero(since >= wait)
    return int(at[0]) + 1 if at.size else outside.size + 1
