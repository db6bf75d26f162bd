"""A store in memory: the same answers as on disk, at the pace of a back-test. It keeps nothing beyond its process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from vpp.core.errors import ClosedError, InvalidInputError
from vpp.core.messages import (
    ROLLING,
    Ack,
    Award,
    Champion,
    Command,
    Delivery,
    Event,
    Forecast,
    ForecastScore,
    Heartbeat,
    Intake,
    Readings,
    Refusal,
    Schedule,
    SeriesKey,
)
from vpp.core.ports import Aggregates, SeriesTable
from vpp.core.time import TimeGrid, epoch_s, from_epoch_s, require_aware
from vpp.store.buckets import check_buckets, fill_buckets
from vpp.store.codec import check_ack, check_command, check_score, decode_fields, encode_fields
from vpp.store.columns import SeriesColumns
from vpp.store.memory_intake import MemoryIntake
from vpp.store.memory_record import PlantRecord
from vpp.store.placing import FOREVER_S, Rows, covering, gather, known_by_s, place
from vpp.store.timeline import Timeline

# Up to so many values per series a loop over rows is faster than sorting them by series.
FEW_ROWS_PER_SERIES = 4


class MemoryStore:
    """Keeps everything in the memory of this process; safe to share between threads.

    Parameters
    ----------
    keep : int, optional
        How many schedules, and forecasts of each series, to keep (the newest); all by default. 1 or more.

    Raises
    ------
    InvalidInputError
        When ``keep`` is less than 1.

    Notes
    -----
    Messages are values and are kept as they are: who writes into the arrays of a schedule after having stored it
    changes what is stored.

    Examples
    --------
    >>> store = MemoryStore()
    >>> keys = (SeriesKey("home01", "power_kw"),)
    >>> store.write_readings(
    ...     Readings.from_table("homes", keys, np.array([0, 900]), np.array([[-1.0], [-3.0]]), arrived_s=1800)
    ... )
    2
    >>> store.series("homes", keys, TimeGrid(from_epoch_s(0), 3600, 1)).value.tolist()
    [[-2.0]]
    """

    def __init__(self, *, keep: int | None = None) -> None:
        if keep is not None and keep < 1:
            raise InvalidInputError("keep", keep, "1 or more, or None to keep all")
        self._keep = keep
        self._lock = threading.RLock()
        self._plants: dict[str, PlantRecord] = {}
        self._intake = MemoryIntake()
        self._closed = False

    def write_readings(self, readings: Readings) -> int:
        """Keep readings and return how many were new."""
        with self._lock:
            record = self._record(readings.plant)
            columns = Rows(readings.time_s, readings.issued_s, readings.arrived_s, readings.value, readings.quality)
            if not len(readings):
                return 0
            series = record.columns_of(readings.keys)
            if len(readings) <= FEW_ROWS_PER_SERIES * len(series):
                rows = zip(*(column.tolist() for column in columns), strict=True)
                return sum(series[i].append(row) for i, row in zip(readings.series.tolist(), rows, strict=True))
            order = np.argsort(readings.series, kind="stable")
            bounds = np.searchsorted(readings.series[order], np.arange(len(series) + 1))
            ordered = columns.take(order)
            return sum(
                of_one.extend(ordered.take(slice(int(bounds[i]), int(bounds[i + 1]))))
                for i, of_one in enumerate(series)
            )

    def take(self, delivery: Delivery) -> Intake:
        """Keep a delivery, whole or not at all: each message once."""
        with self._lock:
            self._refuse_closed()
            sorted_out = self._intake.sort_out(delivery)
            rows = sum(self.write_readings(readings) for readings in sorted_out.readings)
            return self._intake.keep(sorted_out, rows=rows)

    def refusals(self, *, plant: str | None = None, most: int = 100) -> list[Refusal]:
        """Return the newest refusals, newest first, of one plant or of all."""
        with self._lock:
            self._refuse_closed()
            return self._intake.refusals(plant)[: max(0, most)]

    def refusal_count(self, *, plant: str | None = None) -> int:
        """Return how many refusals are kept, of one plant or of all."""
        with self._lock:
            self._refuse_closed()
            return len(self._intake.refusals(plant))

    def aggregates(
        self, plant: str, keys: Sequence[SeriesKey], start: datetime, end: datetime, *, bucket_s: int
    ) -> list[Aggregates]:
        """Return series in buckets of time, straight from the winning readings that start in the span."""
        span = check_buckets(start, end, bucket_s)
        with self._lock:
            of_plant = self._seen(plant).series
            nothing = SeriesColumns()
            rows = [of_plant.get(key, nothing).read(*span, FOREVER_S) for key in keys]
        return [fill_buckets(key, of.time_s, of.value, bucket_s=bucket_s) for key, of in zip(keys, rows, strict=True)]

    def write_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Keep what a service counted; it replaces what the same service told before."""
        with self._lock:
            self._refuse_closed()
            self._intake.note(heartbeat)

    def heartbeats(self) -> list[Heartbeat]:
        """Return what every service told last, by name."""
        with self._lock:
            self._refuse_closed()
            return self._intake.heartbeats()

    def series(
        self,
        plant: str,
        keys: Sequence[SeriesKey],
        grid: TimeGrid,
        *,
        known_at: datetime | None = None,
        reading_s: int | None = None,
    ) -> SeriesTable:
        """Return series as means over the steps of a grid, as known at ``known_at``."""
        known_s = known_by_s(known_at)
        span = covering(grid, reading_s)
        # A column per row of memory, so that each series is one run.
        value = np.full((len(keys), grid.count), np.nan)
        with self._lock:
            of_plant = self._seen(plant).series
            for i, key in enumerate(keys):
                columns = of_plant.get(key)
                if columns is None or not columns.count:
                    continue
                if reading_s is None or reading_s == grid.resolution_s:
                    columns.fill(value[i], grid, known_s=known_s)
                else:
                    rows = columns.read(*span, known_s)
                    value[i] = place(rows.time_s, rows.value, grid, reading_s=reading_s)
        return SeriesTable(grid, tuple(keys), value.T)

    def readings(
        self,
        plant: str,
        keys: Sequence[SeriesKey],
        start: datetime,
        end: datetime,
        *,
        known_at: datetime | None = None,
        most: int = 10_000,
    ) -> Readings:
        """Return readings whose step starts in ``[start, end)``, oldest first, at most ``most``."""
        start_s, end_s, known_s = epoch_s(start), epoch_s(end), known_by_s(known_at)
        with self._lock:
            of_plant = self._seen(plant).series
            nothing = SeriesColumns()
            rows = [of_plant.get(key, nothing).read(start_s, end_s, known_s) for key in keys]
            return gather(plant, keys, rows, most=max(0, most))

    def latest(self, plant: str, *, known_at: datetime | None = None) -> Readings | None:
        """Return the newest value of every series of a plant; None when there is none."""
        known_s = known_by_s(known_at)
        with self._lock:
            of_plant = self._seen(plant).series
            newest = [(key, of_plant[key].newest(known_s)) for key in sorted(of_plant, key=_name)]
        found = [(row, key) for key, row in newest if row is not None]
        if not found:
            return None
        # By time, then by name: the sort keeps the order of names within a time.
        found.sort(key=lambda one: one[0][0])
        columns = zip(*(row for row, _ in found), strict=True)
        time_s, issued_s, arrived_s, value, quality = (np.array(column) for column in columns)
        keys = tuple(key for _, key in found)
        return Readings(plant, keys, np.arange(len(keys)), time_s, issued_s, arrived_s, value, quality)

    def span(self, plant: str) -> tuple[datetime, datetime] | None:
        """Return the first and last step start of a plant's readings; None when there is none."""
        with self._lock:
            times = [columns.rows.time_s for columns in self._seen(plant).series.values() if columns.count]
            if not times:
                return None
            first, last = min(int(time_s[0]) for time_s in times), max(int(time_s[-1]) for time_s in times)
        return from_epoch_s(first), from_epoch_s(last)

    def write_forecasts(self, forecasts: Sequence[Forecast], *, product: str = ROLLING) -> None:
        """Keep forecasts with their quantiles."""
        stamped = [(require_aware(forecast.issued_at, field="forecast.issued_at"), forecast) for forecast in forecasts]
        with self._lock:
            self._refuse_closed()
            for issued_at, forecast in stamped:
                record = self._record(forecast.plant)
                line = record.forecasts.setdefault((product, forecast.key), Timeline(keep=self._keep))
                line.add(issued_at, forecast)

    def forecasts(self, plant: str, *, issued_by: datetime | None = None, product: str = ROLLING) -> list[Forecast]:
        """Return the newest forecast of every series that was issued no later than ``issued_by``."""
        by = None if issued_by is None else require_aware(issued_by, field="issued_by")
        with self._lock:
            of_plant = self._seen(plant).forecasts
            keys = sorted((key for kept, key in of_plant if kept == product), key=_name)
            newest = [of_plant[product, key].newest(by=by) for key in keys]
        return [forecast for forecast in newest if forecast is not None]

    def issued(
        self,
        plant: str,
        key: SeriesKey,
        start: datetime,
        end: datetime,
        *,
        product: str = ROLLING,
        model: str | None = None,
    ) -> list[Forecast]:
        """Return the forecasts of one series issued in ``[start, end)``, oldest first."""
        span = _aware(start, end)
        with self._lock:
            line = self._seen(plant).forecasts.get((product, key))
            found = [] if line is None else line.between(*span)
        return [forecast for forecast in found if model is None or forecast.model == model]

    def write_scores(self, scores: Sequence[ForecastScore]) -> None:
        """Keep scores; another of the same series, model, product and issue replaces the one before."""
        for score in scores:
            check_score(score)
        with self._lock:
            self._refuse_closed()
            for score in scores:
                kept = self._record(score.plant).scores.setdefault((score.product, score.key), {})
                kept[require_aware(score.issued_at), score.model] = score

    def scores(
        self, plant: str, key: SeriesKey, start: datetime, end: datetime, *, product: str = ROLLING
    ) -> list[ForecastScore]:
        """Return the scores of one series' forecasts issued in ``[start, end)``, by issue then model."""
        first, stop = _aware(start, end)
        with self._lock:
            kept = self._seen(plant).scores.get((product, key), {})
            return [kept[name] for name in sorted(kept) if first <= name[0] < stop]

    def write_champions(self, champions: Sequence[Champion]) -> None:
        """Keep which model serves each series."""
        stamped = [
            (require_aware(champion.decided_at, field="champion.decided_at"), champion) for champion in champions
        ]
        with self._lock:
            self._refuse_closed()
            for decided_at, champion in stamped:
                record = self._record(champion.plant)
                record.champions.setdefault(champion.key, Timeline(keep=self._keep)).add(decided_at, champion)

    def champions(self, plant: str, *, decided_by: datetime | None = None) -> list[Champion]:
        """Return the newest champion of every series decided no later than ``decided_by``."""
        by = None if decided_by is None else require_aware(decided_by, field="decided_by")
        with self._lock:
            of_plant = self._seen(plant).champions
            newest = [of_plant[key].newest(by=by) for key in sorted(of_plant, key=_name)]
        return [champion for champion in newest if champion is not None]

    def write_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule with its reasons."""
        issued_at = require_aware(schedule.issued_at, field="schedule.issued_at")
        with self._lock:
            self._record(schedule.plant).schedules.add(issued_at, schedule)

    def schedule(self, plant: str, *, issued_by: datetime | None = None) -> Schedule | None:
        """Return the newest schedule issued no later than ``issued_by``."""
        by = None if issued_by is None else require_aware(issued_by, field="issued_by")
        with self._lock:
            return self._seen(plant).schedules.newest(by=by)

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Keep commands; one that is kept already is not kept twice."""
        for command in commands:
            check_command(command)
        with self._lock:
            new: dict[tuple[str, str], Command] = {}
            for command in commands:
                name = (command.plant, command.id)
                kept = new.get(name) or self._record(command.plant).command_ids.get(command.id)
                if kept is None:
                    new[name] = command
                elif kept != command:
                    raise InvalidInputError("command.id", command.id, "an id not yet used, or the same command again")
            for command in new.values():
                record = self._record(command.plant)
                record.command_ids[command.id] = command
                record.commands.add(command.start, command)

    def commands(self, plant: str, start: datetime, end: datetime) -> list[Command]:
        """Return the commands whose step starts in ``[start, end)``."""
        with self._lock:
            return self._seen(plant).commands.between(*_aware(start, end))

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Keep the answers of devices; one that is kept already is not kept twice."""
        for ack in acks:
            check_ack(ack)
        with self._lock:
            self._refuse_closed()
            for ack in acks:
                record = self._record(ack.plant)
                if ack not in record.known_acks:
                    record.known_acks.add(ack)
                    record.acks.add(ack.at, ack)

    def acks(self, plant: str, start: datetime, end: datetime) -> list[Ack]:
        """Return the answers given in ``[start, end)``."""
        with self._lock:
            return self._seen(plant).acks.between(*_aware(start, end))

    def write_award(self, award: Award) -> None:
        """Keep what a market took."""
        with self._lock:
            self._record(award.plant).awards.add(award.grid.start, award)

    def awards(self, plant: str, start: datetime, end: datetime) -> list[Award]:
        """Return the awards whose delivery begins in ``[start, end)``."""
        with self._lock:
            return self._seen(plant).awards.between(*_aware(start, end))

    def write_events(self, events: Sequence[Event]) -> None:
        """Keep events; their facts must be JSON values."""
        stamped = [
            (
                require_aware(event.at, field="event.at"),
                replace(event, fields=decode_fields(encode_fields(event.fields))),
            )
            for event in events
        ]
        with self._lock:
            self._refuse_closed()
            for at, event in stamped:
                self._record(event.plant).events.add(at, event)

    def events(self, plant: str, *, most: int = 100) -> list[Event]:
        """Return the newest events, newest first."""
        with self._lock:
            return self._seen(plant).events.last(most)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            self._plants.clear()

    def _record(self, plant: str) -> PlantRecord:
        self._refuse_closed()
        record = self._plants.get(plant)
        if record is None:
            record = self._plants[plant] = PlantRecord(self._keep)
        return record

    def _seen(self, plant: str) -> PlantRecord:
        """Return what there is of a plant; to ask for an unknown one leaves no trace."""
        self._refuse_closed()
        return self._plants.get(plant) or PlantRecord(None)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError("the memory store is closed; make a new one")


def _name(key: SeriesKey) -> tuple[str, str]:
    return key.source, key.metric


def _aware(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    return require_aware(start, field="start"), require_aware(end, field="end")
