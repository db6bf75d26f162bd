"""Producing: a table or a simulated world told on a bus as if its sources spoke, at any speed.

Invariant: every source has an identity of its own, counts its messages from 0 since its boot, and says each reading
once, in order of time. Signs are the house's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite

from vpp.core.assets import Asset, EvCharger, FlexibleLoad, HeatPump, Load, Plant, SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import GENERAL, KINDS, MARKET, POWER_FORECAST_KW, Channel, Parcel, SeriesKey
from vpp.core.ports import Bus, SeriesTable
from vpp.core.time import TimeGrid, floor_time
from vpp.runtime.clock import ReplayClock
from vpp.streams.wire import encode_rows

AT_ONCE = 2000
"""Messages handed to the bus together when nothing paces them."""
_KINDS: Mapping[type, str] = {
    SolarArray: "solar",
    WindTurbine: "wind",
    Load: "load",
    EvCharger: "load",
    HeatPump: "load",
    FlexibleLoad: "load",
}
Row = tuple[str, str, int, float]


@dataclass(slots=True)
class Speaker:
    """A source that counts its messages.

    Parameters
    ----------
    plant, source : str
        Whose telemetry it is.
    kind : str
        One of ``KINDS``.
    boot : str
        Drawn anew for every speaker.
    sequence : int
        Number of the next message.
    """

    plant: str
    source: str
    kind: str = GENERAL
    boot: str = field(default_factory=lambda: secrets.token_hex(8))
    sequence: int = 0

    def say(self, rows: Sequence[Row], *, issued_s: int) -> Parcel:
        """Return readings, as (asset, metric, time_s, value), as the next message."""
        payload = encode_rows(rows, boot=self.boot, sequence=self.sequence, issued_s=issued_s)
        self.sequence += 1
        return Parcel(self.plant, self.source, Channel.TELEMETRY, payload, self.kind)


@dataclass(slots=True)
class Produced:
    """What was published so far.

    Parameters
    ----------
    messages, readings : int
        Totals.
    until : datetime or None
        End of the last step that was told; None before the first.
    """

    messages: int = 0
    readings: int = 0
    until: datetime | None = None


def kind_of(asset: Asset) -> str:
    """Return the kind of source an asset is: solar, wind, load or, for what stores, general."""
    return _KINDS.get(type(asset), GENERAL)


def speakers_of(plant: Plant, keys: Sequence[SeriesKey], kinds: Sequence[str] = KINDS) -> dict[str, Speaker]:
    """Return one speaker for each source among some series, by its id: an asset, a site's meter, or the market.

    Raises
    ------
    MissingDataError
        When there is no source of these kinds.
    """
    assets = {asset.id: kind_of(asset) for asset in plant.assets}
    found = {key.source: MARKET if key.source == MARKET else assets.get(key.source, GENERAL) for key in keys}
    speakers = {source: Speaker(plant.id, source, kind) for source, kind in found.items() if kind in kinds}
    if not speakers:
        raise MissingDataError(
            f"the data of {plant.id!r} hold no source of kind {', '.join(kinds)}; there are: "
            f"{', '.join(sorted(set(found.values()))) or 'none at all'}"
        )
    return speakers


def produce(
    table: SeriesTable,
    plant: Plant,
    bus: Bus[Parcel],
    *,
    speed: float = 0.0,
    steps: int = 1,
    kinds: Sequence[str] = KINDS,
    count: int | None = None,
    starting: datetime | None = None,
    on_progress: Callable[[Produced], None] = lambda _produced: None,
) -> Produced:
    """Publish a table, source by source and step by step, each step once it has ended.

    Parameters
    ----------
    table : SeriesTable
        What is told; NaN and forecasts are left out.
    plant : Plant
        Whose it is.
    bus : Bus of Parcel
        Where it goes.
    speed : float
        Seconds of data per second of wall; 0 for as fast as the bus takes it.
    steps : int
        Steps in one message, 1 or more.
    kinds : sequence of str
        Which kinds of source speak.
    count : int, optional
        Stop after so many messages.
    starting : datetime, optional
        Tell the table as if it began there; aware. By default its own times stand.
    on_progress : callable
        Told after every batch.

    Raises
    ------
    InvalidInputError
        When the speed is negative or there are no steps in a message.
    MissingDataError
        When there is nothing to tell.
    StoreError
        When the bus did not take it.
    """
    if not (isfinite(speed) and speed >= 0.0):
        raise InvalidInputError("--speed", speed, "0 for as fast as it goes, or seconds of data per second of wall")
    if steps < 1:
        raise InvalidInputError("--steps", steps, "1 or more steps in a message")
    grid = table.grid if starting is None else TimeGrid(starting, table.grid.resolution_s, table.grid.count)
    speakers = speakers_of(plant, [key for key in table.keys if key.metric != POWER_FORECAST_KW], kinds)
    clock = ReplayClock(grid.start, speed) if speed > 0.0 else None
    produced, waiting = Produced(), Waiting()
    for end, rows in _spoken(table, grid, steps, speakers):
        if clock is not None:
            clock.sleep_until(end)
        for source, told in rows.items():
            if count is not None and produced.messages + len(waiting.parcels) >= count:
                break
            waiting.parcels.append(speakers[source].say(told, issued_s=int(end.timestamp())))
            waiting.readings += len(told)
        waiting.until = end
        if clock is not None or len(waiting.parcels) >= AT_ONCE:
            waiting.go(bus, produced, on_progress)
        if count is not None and produced.messages + len(waiting.parcels) >= count:
            break
    waiting.go(bus, produced, on_progress)
    return produced


@dataclass(slots=True)
class Waiting:
    """Messages that were made and not yet published."""

    parcels: list[Parcel] = field(default_factory=list)
    readings: int = 0
    until: datetime | None = None

    def go(self, bus: Bus[Parcel], produced: Produced, on_progress: Callable[[Produced], None]) -> None:
        """Publish them."""
        if self.parcels:
            bus.publish(self.parcels)
        produced.messages += len(self.parcels)
        produced.readings += self.readings
        produced.until = self.until
        self.parcels, self.readings = [], 0
        on_progress(produced)


def present_for(table: SeriesTable, now: datetime, *, speed: float) -> datetime:
    """Return where a table begins when it is told as if in the present.

    Told as fast as it goes, it ends now: nothing of it lies in the future. Told at a pace, it begins now.
    """
    step_s = table.grid.resolution_s
    begin = floor_time(now, step_s)
    return begin if speed > 0.0 else begin - timedelta(seconds=step_s * table.grid.count)


def _spoken(
    table: SeriesTable, grid: TimeGrid, steps: int, speakers: Mapping[str, Speaker]
) -> Iterator[tuple[datetime, dict[str, list[Row]]]]:
    """Yield the end of every message's steps, and what each source says in them."""
    columns = [
        (key.source, key.metric, table.value[:, index].tolist())
        for index, key in enumerate(table.keys)
        if key.source in speakers and key.metric != POWER_FORECAST_KW
    ]
    times_s = grid.times_s.tolist()
    for first in range(0, grid.count, steps):
        after = min(first + steps, grid.count)
        rows: dict[str, list[Row]] = {}
        for source, metric, values in columns:
            told = [
                (source, metric, time_s, value)
                for time_s, value in zip(times_s[first:after], values[first:after], strict=True)
                if isfinite(value)
            ]
            if told:
                rows.setdefault(source, []).extend(told)
        if rows:
            yield grid.time(after), rows
