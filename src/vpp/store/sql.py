"""The store on a SQL database: the port's methods, the same on SQLite and PostgreSQL.

Invariant: a write that returns is on the disk, whole; one that raises left nothing. Reads see only such writes.
All revisions of a reading are kept; which one counts is decided when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert

from vpp.core.assets import Plant
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
from vpp.core.time import TimeGrid, epoch_s, from_epoch_s
from vpp.store import rows, statements
from vpp.store.buckets import check_buckets, fill_buckets
from vpp.store.codec import check_ack, check_command, check_score, decode_schedule, encode_schedule, to_us
from vpp.store.dialect import Answer, Database, SqlDialect
from vpp.store.intake import take
from vpp.store.orders import keep_acks, keep_commands
from vpp.store.placing import Rows, covering, gather, place, winners
from vpp.store.plant_tables import describe
from vpp.store.rollup_refresh import HOURS_AT_ONCE, refresh
from vpp.store.rollups import aggregates
from vpp.store.series_ids import Known, WritingSeries, find_series
from vpp.store.statements import LAST_S, LAST_US, Query
from vpp.store.tables import AWARDS, CHAMPIONS, EVENTS, FORECASTS, HEARTBEATS, SCHEDULES, SCORES

_ROW = np.dtype([(name, np.float64 if name == "value" else np.int64) for name in Rows._fields])
Points = tuple[NDArray[np.int64], NDArray[np.float64]]
_NO_POINTS: Points = (np.empty(0, dtype=np.int64), np.empty(0))
_POINT = np.dtype([("time_s", np.int64), ("value", np.float64)])


class SqlStore:
    """Keeps everything in a SQL database; safe to share between threads.

    Parameters
    ----------
    database : Database
        Its connections: transactions that write, and snapshots to read.
    dialect : SqlDialect
        What is said in another way on each database.
    """

    def __init__(self, database: Database, dialect: SqlDialect) -> None:
        self._database = database
        self._dialect = dialect
        self._known: Known = {}

    def write_readings(self, readings: Readings) -> int:
        """Keep readings and return how many were new."""
        if not len(readings):
            return 0
        return self._write(lambda series: series.keep(readings))

    def take(self, delivery: Delivery) -> Intake:
        """Keep a delivery, whole or not at all: each message once, however often and in whatever order it comes."""
        return self._write(lambda series: take(series, delivery))

    def refusals(self, *, plant: str | None = None, most: int = 100) -> list[Refusal]:
        """Return the newest refusals, newest first, of one plant or of all."""
        of_all = statements.NEWEST_REFUSALS, {"most": max(0, most)}
        of_one = statements.NEWEST_REFUSALS_OF_PLANT, {"most": max(0, most), "plant": plant}
        return [rows.refusal_of(row) for row in self._found(*(of_all if plant is None else of_one))]

    def refusal_count(self, *, plant: str | None = None) -> int:
        """Return how many refusals are kept, of one plant or of all."""
        of_one = statements.REFUSAL_COUNT_OF_PLANT, {"plant": plant}
        found = self._found(*((statements.REFUSAL_COUNT, {}) if plant is None else of_one))
        return int(found[0][0])

    def aggregates(
        self, plant: str, keys: Sequence[SeriesKey], start: datetime, end: datetime, *, bucket_s: int
    ) -> list[Aggregates]:
        """Return series in buckets of time, one answer for each key, from the winning readings that start in the span.

        Where roll-ups are up to date they answer, elsewhere the readings.
        """
        span = check_buckets(start, end, bucket_s)
        with self._database.read() as connection:
            numbers = [find_series(connection, self._dialect, self._known, plant, key) for key in keys]
            distinct = sorted({number for number in numbers if number is not None})

            def points(number: int, start_s: int, end_s: int) -> Points:
                return self._points(connection, number, _bounds(start_s, end_s, None))

            found = aggregates(connection, distinct, *span, bucket_s=bucket_s, points=points)
        of_number = dict(zip(distinct, found, strict=True))
        return [
            Aggregates(key, bucket_s, *of_number[number])
            if number is not None
            else fill_buckets(key, *_NO_POINTS, bucket_s=bucket_s)
            for key, number in zip(keys, numbers, strict=True)
        ]

    def refresh_rollups(self, *, most: int = HOURS_AT_ONCE, before_s: int | None = None) -> int:
        """Bring roll-ups up to date and return how many hours of series were; answers only come faster by it.

        Parameters
        ----------
        most : int
            How many hours of series at most.
        before_s : int, optional
            Leave hours that end after this time [epoch s] for later.
        """
        return self._database.run(lambda connection: refresh(connection, most=most, before_s=before_s).hours)

    def write_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Keep what a service counted; it replaces what the same service told before."""
        row = rows.heartbeat_row(heartbeat)
        self._database.run(lambda connection: connection.execute(self._dialect.replacing(HEARTBEATS), row))

    def heartbeats(self) -> list[Heartbeat]:
        """Return what every service told last, by name."""
        found = map(rows.heartbeat_of, self._found(statements.ALL_HEARTBEATS, {}))
        return sorted(found, key=lambda heartbeat: heartbeat.service)

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
        bounds = _bounds(*covering(grid, reading_s), known_at)
        value = np.full((len(keys), grid.count), np.nan)
        with self._database.read() as connection:
            for i, key in enumerate(keys):
                number = find_series(connection, self._dialect, self._known, plant, key)
                if number is None:
                    continue
                value[i] = place(*self._points(connection, number, bounds), grid, reading_s=reading_s)
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
        bounds = {**_bounds(epoch_s(start), epoch_s(end), known_at), "most": max(0, most)}
        found: list[Rows] = []
        with self._database.read() as connection:
            for key in keys:
                number = find_series(connection, self._dialect, self._known, plant, key)
                asked = {"series_id": number, **bounds}
                answer = () if number is None else self._dialect.fetch(connection, statements.WINNERS, asked)
                found.append(_rows(answer))
        return gather(plant, keys, found, most=max(0, most))

    def latest(self, plant: str, *, known_at: datetime | None = None) -> Readings | None:
        """Return the newest value of every series of a plant; None when there is none."""
        asked = {"plant": plant, "known_s": _known_s(known_at)}
        with self._database.read() as connection:
            found = list(self._dialect.fetch(connection, self._dialect.newest, asked))
        if not found:
            return None
        # Of one series and time, the last row is the winner.
        newest = {SeriesKey(source, metric): tuple(row) for source, metric, *row in found}
        keys = sorted(newest, key=_name)
        columns = _rows(newest[key] for key in keys)
        # By time, then by name: the sort keeps the order of names within a time.
        order = np.argsort(columns.time_s, kind="stable")
        return Readings(plant, tuple(keys), order, *columns.take(order))

    def span(self, plant: str) -> tuple[datetime, datetime] | None:
        """Return the first and last step start of a plant's readings; None when there is none."""
        ((first_s, last_s),) = self._found(statements.SPAN, {"plant": plant})
        return None if first_s is None else (from_epoch_s(first_s), from_epoch_s(last_s))

    def write_forecasts(self, forecasts: Sequence[Forecast], *, product: str = ROLLING) -> None:
        """Keep forecasts with their quantiles."""
        found = [(forecast.plant, forecast.key, rows.forecast_row(forecast, product)) for forecast in forecasts]
        self._insert_of_series(insert(FORECASTS), found)

    def forecasts(self, plant: str, *, issued_by: datetime | None = None, product: str = ROLLING) -> list[Forecast]:
        """Return the newest forecast of every series that was issued no later than ``issued_by``."""
        asked = {"plant": plant, "product": product, "by_us": _by_us(issued_by, field="issued_by")}
        found = [rows.forecast_of(plant, row) for row in self._found(statements.NEWEST_FORECASTS, asked)]
        return sorted(found, key=lambda forecast: _name(forecast.key))

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
        of_model = {"any_model": model is None, "model": model or ""}
        found = self._found_of_series(statements.ISSUED_FORECASTS, plant, key, start, end, product=product, **of_model)
        return [rows.forecast_of(plant, row) for row in found]

    def write_scores(self, scores: Sequence[ForecastScore]) -> None:
        """Keep scores; another of the same series, model, product and issue replaces the one before."""
        for score in scores:
            check_score(score)
        found = [(score.plant, score.key, rows.score_row(score)) for score in scores]
        self._insert_of_series(self._dialect.replacing(SCORES), found)

    def scores(
        self, plant: str, key: SeriesKey, start: datetime, end: datetime, *, product: str = ROLLING
    ) -> list[ForecastScore]:
        """Return the scores of one series' forecasts issued in ``[start, end)``, by issue then model."""
        found = self._found_of_series(statements.SCORES_ISSUED, plant, key, start, end, product=product)
        scores = [rows.score_of(plant, key, product, row) for row in found]
        return sorted(scores, key=lambda score: (score.issued_at, score.model))

    def write_champions(self, champions: Sequence[Champion]) -> None:
        """Keep which model serves each series."""
        found = [(champion.plant, champion.key, rows.champion_row(champion)) for champion in champions]
        self._insert_of_series(insert(CHAMPIONS), found)

    def champions(self, plant: str, *, decided_by: datetime | None = None) -> list[Champion]:
        """Return the newest champion of every series decided no later than ``decided_by``."""
        asked = {"plant": plant, "by_us": _by_us(decided_by, field="decided_by")}
        found = [rows.champion_of(plant, row) for row in self._found(statements.NEWEST_CHAMPIONS, asked)]
        return sorted(found, key=lambda champion: _name(champion.key))

    def write_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule with its reasons."""
        row = {
            "plant": schedule.plant,
            "issued_us": to_us(schedule.issued_at, field="schedule.issued_at"),
            "status": str(schedule.status),
            "payload": encode_schedule(schedule),
        }
        self._database.run(lambda connection: connection.execute(insert(SCHEDULES), row))

    def schedule(self, plant: str, *, issued_by: datetime | None = None) -> Schedule | None:
        """Return the newest schedule issued no later than ``issued_by``."""
        asked = {"plant": plant, "by_us": _by_us(issued_by, field="issued_by")}
        found = self._found(statements.NEWEST_SCHEDULE, asked)
        return decode_schedule(found[0][0]) if found else None

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Keep commands; one that is kept already is not kept twice."""
        for command in commands:
            check_command(command)
        if commands:
            self._database.run(lambda connection: keep_commands(connection, commands))

    def commands(self, plant: str, start: datetime, end: datetime) -> list[Command]:
        """Return the commands whose step starts in ``[start, end)``."""
        return [rows.command_of(row) for row in self._found_in(statements.COMMANDS_IN_SPAN, plant, start, end)]

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Keep the answers of devices; one that is kept already is not kept twice."""
        for ack in acks:
            check_ack(ack)
        if acks:
            self._database.run(lambda connection: keep_acks(connection, self._dialect, acks))

    def acks(self, plant: str, start: datetime, end: datetime) -> list[Ack]:
        """Return the answers given in ``[start, end)``."""
        return [rows.ack_of(row) for row in self._found_in(statements.ACKS_IN_SPAN, plant, start, end)]

    def write_award(self, award: Award) -> None:
        """Keep what a market took."""
        row = rows.award_row(award)
        self._database.run(lambda connection: connection.execute(insert(AWARDS), row))

    def awards(self, plant: str, start: datetime, end: datetime) -> list[Award]:
        """Return the awards whose delivery begins in ``[start, end)``."""
        return [rows.award_of(row) for row in self._found_in(statements.AWARDS_IN_SPAN, plant, start, end)]

    def write_events(self, events: Sequence[Event]) -> None:
        """Keep events; their facts must be JSON values."""
        found = [rows.event_row(event) for event in events]
        if found:
            self._database.run(lambda connection: connection.execute(insert(EVENTS), found))

    def events(self, plant: str, *, most: int = 100) -> list[Event]:
        """Return the newest events, newest first."""
        found = self._found(statements.NEWEST_EVENTS, {"plant": plant, "most": max(0, most)})
        return [rows.event_of(row) for row in found]

    def describe(self, plant: Plant) -> None:
        """Keep what the plant file says, in the tables ``sources`` and ``batteries``, for people who ask by SQL."""
        self._database.run(lambda connection: describe(connection, plant))

    def close(self) -> None:
        """Release files and connections."""
        self._database.close()

    def _points(self, connection: Connection, number: int, bounds: dict[str, int]) -> Points:
        """Return the times and values of the winning readings of a series."""
        found = self._dialect.fetch(connection, statements.POINTS, {"series_id": number, **bounds})
        points = np.fromiter(found, dtype=_POINT)
        points = points[winners(points["time_s"])]
        return points["time_s"], points["value"]

    def _found(self, query: Query, asked: dict[str, Any]) -> list[rows.Row]:
        with self._database.read() as connection:
            return list(self._dialect.fetch(connection, query, asked))

    def _found_in(self, query: Query, plant: str, start: datetime, end: datetime) -> list[rows.Row]:
        bounds = {"from_us": to_us(start, field="start"), "before_us": to_us(end, field="end")}
        return self._found(query, {"plant": plant, **bounds})

    def _found_of_series(
        self, query: Query, plant: str, key: SeriesKey, start: datetime, end: datetime, **more: Any
    ) -> list[rows.Row]:
        bounds = {"start_us": to_us(start, field="start"), "end_us": to_us(end, field="end")}
        with self._database.read() as connection:
            number = find_series(connection, self._dialect, self._known, plant, key)
            if number is None:
                return []
            return list(self._dialect.fetch(connection, query, {"series_id": number, **bounds, **more}))

    def _insert_of_series(self, statement: Any, found: Sequence[tuple[str, SeriesKey, rows.Columns]]) -> None:
        """Insert rows of series, all or none."""
        if not found:
            return

        def keep(series: WritingSeries) -> None:
            numbers = [int(series.numbers(plant, (key,))[0]) for plant, key, _ in found]
            named = [{"series_id": number, **row} for number, (_, _, row) in zip(numbers, found, strict=True)]
            series.connection.execute(statement, named)

        self._write(keep)

    def _write(self, action: Callable[[WritingSeries], Answer]) -> Answer:
        """Return what an action returns that was run in a transaction of its own."""

        def within(connection: Connection) -> tuple[Answer, Known]:
            series = WritingSeries(connection, self._dialect, self._known)
            return action(series), series.new

        answer, new = self._database.run(within)
        # Only what was committed may be remembered.
        self._known.update(new)
        return answer


def _name(key: SeriesKey) -> tuple[str, str]:
    return key.source, key.metric


def _rows(found: Iterable[rows.Row]) -> Rows:
    table = np.fromiter(found, dtype=_ROW)
    return Rows(*(table[name] for name in Rows._fields))


def _known_s(known_at: datetime | None) -> int:
    return LAST_S if known_at is None else epoch_s(known_at)


def _bounds(start_s: int, end_s: int, known_at: datetime | None) -> dict[str, int]:
    return {"start_s": start_s, "end_s": end_s, "known_s": _known_s(known_at)}


def _by_us(moment: datetime | None, *, field: str) -> int:
    return LAST_US if moment is None else to_us(moment, field=field)
