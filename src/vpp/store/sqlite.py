"""The store on one SQLite file: nothing to install, nothing lost by ``kill -9`` or a power cut.

Invariant: a write that returns is on the disk, whole; one that raises left nothing. Reads see only such writes.
All revisions of a reading are kept; which one counts is decided when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.messages import (
    ROLLING,
    Ack,
    Award,
    Champion,
    Command,
    Event,
    Forecast,
    ForecastScore,
    Readings,
    Schedule,
    SeriesKey,
)
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid, epoch_s, from_epoch_s
from vpp.store import rows as columns
from vpp.store.codec import check_ack, check_command, check_score, decode_schedule, encode_schedule, to_us
from vpp.store.connection import DEFAULT_CHECKPOINT_BYTES, Database
from vpp.store.placing import FOREVER_S, Rows, covering, gather, known_by_s, place, winners

_ROW = np.dtype([(name, np.float64 if name == "value" else np.int64) for name in Rows._fields])
_POINT = np.dtype([("time_s", np.int64), ("value", np.float64)])

_INSERT_FIRST = """
INSERT INTO readings (series_id, time_s, arrived_s, revision, issued_s, value, quality)
VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6) ON CONFLICT DO NOTHING
"""
# The next revision of a time and arrival, unless this very row is there.
_INSERT_REVISION = """
INSERT INTO readings (series_id, time_s, arrived_s, revision, issued_s, value, quality)
SELECT ?1, ?2, ?3, (SELECT coalesce(max(revision) + 1, 0) FROM readings
                    WHERE series_id = ?1 AND time_s = ?2 AND arrived_s = ?3), ?4, ?5, ?6
WHERE NOT EXISTS (SELECT 1 FROM readings WHERE series_id = ?1 AND time_s = ?2 AND arrived_s = ?3
                  AND issued_s = ?4 AND value = ?5 AND quality = ?6)
"""
_POINTS = """
SELECT time_s, value FROM readings WHERE series_id = ? AND time_s >= ? AND time_s < ? AND arrived_s <= ?
ORDER BY time_s, arrived_s, revision
"""
_WINNERS = """
SELECT time_s, issued_s, arrived_s, value, quality FROM readings AS kept
WHERE series_id = ?1 AND time_s >= ?2 AND time_s < ?3 AND arrived_s <= ?4
  AND NOT EXISTS (SELECT 1 FROM readings AS later WHERE later.series_id = kept.series_id
                  AND later.time_s = kept.time_s AND later.arrived_s <= ?4
                  AND (later.arrived_s, later.revision) > (kept.arrived_s, kept.revision))
ORDER BY time_s LIMIT ?5
"""
_NEWEST = """
SELECT time_s, issued_s, arrived_s, value, quality FROM readings WHERE series_id = ? AND arrived_s <= ?
ORDER BY time_s DESC, arrived_s DESC, revision DESC LIMIT 1
"""


class SqliteStore:
    """Keeps everything in one SQLite file; safe to share between threads, readable by other processes.

    Parameters
    ----------
    path : Path or str
        The file; made when missing, its folder must exist.
    busy_timeout_s : float
        How long to wait for another process that writes [s].
    checkpoint_bytes : int
        Length of the write-ahead log from which it is folded into the file [bytes].

    Raises
    ------
    StoreError
        When the file cannot be opened, belongs to another program, or is newer than this one. Every method raises it
        when the disk fails; after a failed fsync all writes do, until the file is opened anew.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SqliteStore(Path(folder) / "plant.db")
    ...     print(store.latest("homes"))
    ...     store.close()
    None
    """

    def __init__(
        self, path: Path | str, *, busy_timeout_s: float = 5.0, checkpoint_bytes: int = DEFAULT_CHECKPOINT_BYTES
    ) -> None:
        self._database = Database(Path(path), busy_timeout_s=busy_timeout_s, checkpoint_bytes=checkpoint_bytes)
        self._series_ids: dict[tuple[str, SeriesKey], int] = {}

    @property
    def halted(self) -> str | None:
        """Why no write is taken any more; None while all is well."""
        return self._database.halted

    def write_readings(self, readings: Readings) -> int:
        """Keep readings and return how many were new."""
        if not len(readings):
            return 0
        with self._database.write() as connection:
            ids = self._new_series_ids(connection, readings.plant, readings.keys)
            of_row = np.array([ids[key] for key in readings.keys], dtype=np.int64)[readings.series]
            fields = (of_row, readings.time_s, readings.arrived_s, readings.issued_s, readings.value, readings.quality)
            rows = list(zip(*(field.tolist() for field in fields), strict=True))
            before = connection.total_changes
            connection.executemany(_INSERT_FIRST, rows)
            if connection.total_changes - before < len(rows):
                # Some were there: again, or as a further revision. Rows just inserted are recognised and left alone.
                connection.executemany(_INSERT_REVISION, rows)
            new = connection.total_changes - before
        # Only what was committed may be remembered.
        self._series_ids.update({(readings.plant, key): number for key, number in ids.items()})
        return new

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
        span, known_s = covering(grid, reading_s), known_by_s(known_at)
        value = np.full((len(keys), grid.count), np.nan)
        with self._database.read() as connection:
            for i, key in enumerate(keys):
                number = self._series_id(connection, plant, key)
                if number is None:
                    continue
                points = np.fromiter(connection.execute(_POINTS, (number, *span, known_s)), dtype=_POINT)
                points = points[winners(points["time_s"])]
                value[i] = place(points["time_s"], points["value"], grid, reading_s=reading_s)
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
        bounds = (epoch_s(start), epoch_s(end), known_by_s(known_at), max(0, most))
        found: list[Rows] = []
        with self._database.read() as connection:
            for key in keys:
                number = self._series_id(connection, plant, key)
                found.append(_rows(() if number is None else connection.execute(_WINNERS, (number, *bounds))))
        return gather(plant, keys, found, most=max(0, most))

    def latest(self, plant: str, *, known_at: datetime | None = None) -> Readings | None:
        """Return the newest value of every series of a plant; None when there is none."""
        known_s = known_by_s(known_at)
        keys: list[SeriesKey] = []
        newest: list[Rows] = []
        with self._database.read() as connection:
            for number, key in _series_of(connection, plant):
                rows = _rows(connection.execute(_NEWEST, (number, known_s)))
                if rows.time_s.size:
                    keys.append(key)
                    newest.append(rows)
        return gather(plant, keys, newest, most=len(keys)) if keys else None

    def span(self, plant: str) -> tuple[datetime, datetime] | None:
        """Return the first and last step start of a plant's readings; None when there is none."""
        first_s, last_s = FOREVER_S, -FOREVER_S
        with self._database.read() as connection:
            for number, _ in _series_of(connection, plant):
                # One end at a time: each is a seek, both in one statement would be a walk.
                first = connection.execute("SELECT min(time_s) FROM readings WHERE series_id = ?", (number,)).fetchone()
                last = connection.execute("SELECT max(time_s) FROM readings WHERE series_id = ?", (number,)).fetchone()
                if first[0] is not None:
                    first_s, last_s = min(first_s, first[0]), max(last_s, last[0])
        return None if first_s == FOREVER_S else (from_epoch_s(first_s), from_epoch_s(last_s))

    def write_forecasts(self, forecasts: Sequence[Forecast], *, product: str = ROLLING) -> None:
        """Keep forecasts with their quantiles."""
        rows = [(f.plant, f.key, (product, *columns.forecast_row(f))) for f in forecasts]
        self._insert_of_series(columns.INSERT_FORECAST, rows)

    def forecasts(self, plant: str, *, issued_by: datetime | None = None, product: str = ROLLING) -> list[Forecast]:
        """Return the newest forecast of every series that was issued no later than ``issued_by``."""
        found: list[Forecast] = []
        with self._database.read() as connection:
            for number, key in _series_of(connection, plant):
                row = connection.execute(columns.NEWEST_FORECAST, (number, product, _by_us(issued_by))).fetchone()
                if row is not None:
                    found.append(columns.forecast_of(plant, key, row))
        return found

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
        span_us = (to_us(start, field="start"), to_us(end, field="end"))
        with self._database.read() as connection:
            number = self._series_id(connection, plant, key)
            rows = connection.execute(columns.ISSUED_FORECASTS, (number, product, *span_us, model)).fetchall()
        return [columns.forecast_of(plant, key, row) for row in rows]

    def write_scores(self, scores: Sequence[ForecastScore]) -> None:
        """Keep scores; another of the same series, model, product and issue replaces the one before."""
        for score in scores:
            check_score(score)
        rows = [(score.plant, score.key, columns.score_row(score)) for score in scores]
        self._insert_of_series(columns.INSERT_SCORE, rows)

    def scores(
        self, plant: str, key: SeriesKey, start: datetime, end: datetime, *, product: str = ROLLING
    ) -> list[ForecastScore]:
        """Return the scores of one series' forecasts issued in ``[start, end)``, by issue then model."""
        span_us = (to_us(start, field="start"), to_us(end, field="end"))
        with self._database.read() as connection:
            number = self._series_id(connection, plant, key)
            rows = connection.execute(columns.SCORES, (number, product, *span_us)).fetchall()
        return [columns.score_of(plant, key, product, row) for row in rows]

    def write_champions(self, champions: Sequence[Champion]) -> None:
        """Keep which model serves each series."""
        rows = [(champion.plant, champion.key, columns.champion_row(champion)) for champion in champions]
        self._insert_of_series(columns.INSERT_CHAMPION, rows)

    def champions(self, plant: str, *, decided_by: datetime | None = None) -> list[Champion]:
        """Return the newest champion of every series decided no later than ``decided_by``."""
        found: list[Champion] = []
        with self._database.read() as connection:
            for number, key in _series_of(connection, plant):
                by_us = FOREVER_S if decided_by is None else to_us(decided_by, field="decided_by")
                row = connection.execute(columns.NEWEST_CHAMPION, (number, by_us)).fetchone()
                if row is not None:
                    found.append(columns.champion_of(plant, key, row))
        return found

    def write_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule with its reasons."""
        issued_us = to_us(schedule.issued_at, field="schedule.issued_at")
        row = (schedule.plant, issued_us, str(schedule.status), encode_schedule(schedule))
        with self._database.write() as connection:
            connection.execute("INSERT INTO schedules (plant, issued_us, status, payload) VALUES (?, ?, ?, ?)", row)

    def schedule(self, plant: str, *, issued_by: datetime | None = None) -> Schedule | None:
        """Return the newest schedule issued no later than ``issued_by``."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT payload FROM schedules WHERE plant = ? AND issued_us <= ? "
                "ORDER BY issued_us DESC, id DESC LIMIT 1",
                (plant, _by_us(issued_by)),
            ).fetchone()
        return None if row is None else decode_schedule(row[0])

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Keep commands; one that is kept already is not kept twice."""
        for command in commands:
            check_command(command)
        if not commands:
            return
        with self._database.write() as connection:
            for command in commands:
                kept = connection.execute(columns.COMMAND_BY_ID, (command.plant, command.id)).fetchone()
                if kept is None:
                    connection.execute(columns.INSERT_COMMAND, columns.command_row(command))
                elif columns.command_of(command.plant, kept) != command:
                    raise InvalidInputError("command.id", command.id, "an id not yet used, or the same command again")

    def commands(self, plant: str, start: datetime, end: datetime) -> list[Command]:
        """Return the commands whose step starts in ``[start, end)``."""
        with self._database.read() as connection:
            rows = connection.execute(columns.COMMANDS, (plant, to_us(start), to_us(end))).fetchall()
        return [columns.command_of(plant, row) for row in rows]

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Keep the answers of devices; one that is kept already is not kept twice."""
        for ack in acks:
            check_ack(ack)
        if not acks:
            return
        with self._database.write() as connection:
            connection.executemany(columns.INSERT_ACK, [columns.ack_row(ack) for ack in acks])

    def acks(self, plant: str, start: datetime, end: datetime) -> list[Ack]:
        """Return the answers given in ``[start, end)``."""
        with self._database.read() as connection:
            rows = connection.execute(columns.ACKS, (plant, to_us(start), to_us(end))).fetchall()
        return [columns.ack_of(plant, row) for row in rows]

    def write_award(self, award: Award) -> None:
        """Keep what a market took."""
        row = columns.award_row(award)
        with self._database.write() as connection:
            connection.execute(columns.INSERT_AWARD, row)

    def awards(self, plant: str, start: datetime, end: datetime) -> list[Award]:
        """Return the awards whose delivery begins in ``[start, end)``."""
        with self._database.read() as connection:
            rows = connection.execute(columns.AWARDS, (plant, to_us(start), to_us(end))).fetchall()
        return [columns.award_of(plant, row) for row in rows]

    def write_events(self, events: Sequence[Event]) -> None:
        """Keep events; their facts must be JSON values."""
        rows = [columns.event_row(event) for event in events]
        if not rows:
            return
        with self._database.write() as connection:
            connection.executemany(columns.INSERT_EVENT, rows)

    def events(self, plant: str, *, most: int = 100) -> list[Event]:
        """Return the newest events, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(columns.EVENTS, (plant, max(0, most))).fetchall()
        return [columns.event_of(plant, row) for row in rows]

    def close(self) -> None:
        """Fold the log into the file and release it."""
        self._database.close()

    def _insert_of_series(self, statement: str, rows: Sequence[tuple[str, SeriesKey, columns.Row]]) -> None:
        """Insert rows that begin with the number of their series, all or none."""
        if not rows:
            return
        known: dict[tuple[str, SeriesKey], int] = {}
        with self._database.write() as connection:
            for plant, key, row in rows:
                if (plant, key) not in known:
                    known[plant, key] = self._new_series_ids(connection, plant, (key,))[key]
                connection.execute(statement, (known[plant, key], *row))
        # Only what was committed may be remembered.
        self._series_ids.update(known)

    def _series_id(self, connection: Connection, plant: str, key: SeriesKey) -> int | None:
        """Return the number of a series; None when nothing of it was ever kept."""
        number = self._series_ids.get((plant, key))
        if number is not None:
            return number
        row = connection.execute(
            "SELECT id FROM series WHERE plant = ? AND source = ? AND metric = ?", (plant, key.source, key.metric)
        ).fetchone()
        return None if row is None else int(row[0])

    def _new_series_ids(self, connection: Connection, plant: str, keys: Iterable[SeriesKey]) -> dict[SeriesKey, int]:
        """Return the numbers of series, making those that are new within the open transaction."""
        ids: dict[SeriesKey, int] = {}
        for key in keys:
            number = self._series_id(connection, plant, key)
            if number is None:
                cursor = connection.execute(
                    "INSERT INTO series (plant, source, metric) VALUES (?, ?, ?)", (plant, key.source, key.metric)
                )
                number = cursor.lastrowid
            assert number is not None
            ids[key] = number
        return ids


def _series_of(connection: Connection, plant: str) -> list[tuple[int, SeriesKey]]:
    rows = connection.execute(
        "SELECT id, source, metric FROM series WHERE plant = ? ORDER BY source, metric", (plant,)
    ).fetchall()
    return [(number, SeriesKey(source, metric)) for number, source, metric in rows]


def _rows(found: Iterable[tuple[int, int, int, float, int]]) -> Rows:
    table = np.fromiter(found, dtype=_ROW)
    return Rows(*(table[name] for name in Rows._fields))


def _by_us(issued_by: datetime | None) -> int:
    return FOREVER_S if issued_by is None else to_us(issued_by, field="issued_by")
