"""Roll-ups brought up to date: the hours that writes marked are computed anew from the winning readings.

Invariant: an hour's mark and its buckets change in one transaction, and only one refresh is under way at a time. So
an hour without a mark is right, whatever was written, in whatever order, while others wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    FromClause,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from vpp.store.marks import mark, mark_row, series_and_start, unpack
from vpp.store.rollup_tables import DAY_S, HOUR_S, LEVELS, MARKS, MINUTE_S, QUARTER_S, WORK
from vpp.store.rollups import bucket_start, dropped_before_s
from vpp.store.tables import READINGS, SERIES, seconds_of, stamp_of

Codes = NDArray[np.int64]

HOURS_AT_ONCE = 1_024
"""Few enough that a writer who has to wait for a refresh hardly notices, at one reading a second too."""
CODES_AT_ONCE = 100_000
"""Hours of series that a refresh unpacks at most, and that one mark holds when marks are put together."""
MARKS_AT_ONCE = 4096
MARKS_LEFT_ALONE = 64
"""Marks of hours that still fill are put together when there are more; every read looks through them."""
_LAST_HOUR = 2**40
_ONE_AT_A_TIME = 0x76707072
"""Number of the advisory lock on PostgreSQL; the letters ``vppr``."""
_MISLED_BY_GUESSES = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit")


class Refreshed(NamedTuple):
    """What a refresh did.

    Parameters
    ----------
    hours : int
        Hours of series computed anew.
    more : bool
        Whether there is, or may be, something left to do now.
    """

    hours: int
    more: bool


def refresh(connection: Connection, *, most: int = HOURS_AT_ONCE, before_s: int | None = None) -> Refreshed:
    """Compute marked hours anew, within the transaction that is open; the caller commits it.

    Parameters
    ----------
    connection : Connection
        In a transaction of its own (on PostgreSQL: read committed), which may write.
    most : int
        How many hours of series at most.
    before_s : int, optional
        Leave hours that end after this time [epoch s] for later: an hour that still fills would be computed again
        and again. Reads are right all the same.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        # Nothing is known of a work list just written, and a guess would have all readings walked for a few hours.
        connection.execute(select(*(func.set_config(name, "off", True) for name in _MISLED_BY_GUESSES)))
    found = connection.execute(_OLDEST).all()
    ripe_hour = _LAST_HOUR if before_s is None else before_s // HOUR_S
    ripening = [row for row in found if row.first_hour < ripe_hour]
    taken = _as_many_as_go(ripening)
    filling = [row for row in found if row.first_hour >= ripe_hour]
    together = taken + (filling if len(filling) > MARKS_LEFT_ALONE else [])
    if not together:
        return Refreshed(0, False)
    codes = np.unique(np.concatenate([unpack(row.hours) for row in together]))
    start_s = series_and_start(codes)[1]
    # What is said of a time whose readings were dropped is final: they cannot be counted again.
    final = start_s < dropped_before_s(connection)
    ripe = ~final & (start_s < ripe_hour * HOUR_S)
    chosen, later = codes[ripe][:most], codes[ripe][most:]
    # By number, not by range: a mark with a lower number may be committed after one with a higher.
    connection.execute(_FORGET, [{"mark": row.id} for row in together])
    for rest in (later, codes[~final & ~ripe]):
        for first in range(0, rest.size, CODES_AT_ONCE):
            connection.execute(insert(MARKS), mark_row(rest[first : first + CODES_AT_ONCE]))
    if chosen.size:
        _note_work(connection, chosen)
        _recompute(connection)
        connection.execute(delete(WORK))
    more = bool(later.size) or len(taken) < len(ripening) or len(found) == MARKS_AT_ONCE
    return Refreshed(int(chosen.size), more)


def _as_many_as_go(rows: Sequence[Any]) -> list[Any]:
    """Return the first marks, as many as hold about ``CODES_AT_ONCE`` hours together."""
    taken, codes = [], 0
    for row in rows:
        if codes >= CODES_AT_ONCE:
            break
        taken.append(row)
        codes += unpack(row.hours).size
    return taken


def mark_everything(connection: Connection) -> int:
    """Mark every hour of every reading that is kept and return how many there are: for roll-ups that are in doubt."""
    hour_s = bucket_start(seconds_of(READINGS.c.time_s), literal(HOUR_S, BigInteger)).label("hour_s")
    hours = 0
    for number in connection.execute(select(SERIES.c.id)).scalars().all():
        found = connection.execute(select(hour_s).where(READINGS.c.series_id == number).distinct()).scalars().all()
        mark(connection, np.full(len(found), number, dtype=np.int64), np.array(found, dtype=np.int64))
        hours += len(found)
    return hours


def _note_work(connection: Connection, codes: Codes) -> None:
    series, start_s = series_and_start(codes)
    if connection.dialect.name == "postgresql":
        connection.execute(_WORK_FROM_ARRAYS, {"series": series.tolist(), "starts": start_s.tolist()})
        return
    rows = zip(series.tolist(), start_s.tolist(), strict=True)
    connection.execute(insert(WORK), [{"series_id": number, "start_s": start} for number, start in rows])


def _recompute(connection: Connection) -> None:
    """Fill the buckets of the hours noted, each level from the one below it, minutes from the readings."""
    kind = connection.dialect.name
    won = _winning_on_postgres() if kind == "postgresql" else _winning()
    start_s = bucket_start(won.c.time_s, literal(MINUTE_S, BigInteger)).label("start_s")
    value = won.c.value
    minutes = select(
        won.c.series_id, start_s, func.count(), func.sum(value), func.min(value), func.max(value)
    ).group_by(won.c.series_id, start_s)
    connection.execute(_upsert(LEVELS[MINUTE_S], minutes, kind))
    for length_s, part_s in ((QUARTER_S, MINUTE_S), (HOUR_S, QUARTER_S), (DAY_S, HOUR_S)):
        connection.execute(_upsert(LEVELS[length_s], _from_level(part_s, length_s), kind))


def _winning() -> FromClause:
    """Return the winning readings of the hours noted: those that no other of the same time came after."""
    later = READINGS.alias("later")
    came_after = (
        select(literal(1))
        .where(
            later.c.series_id == READINGS.c.series_id,
            later.c.time_s == READINGS.c.time_s,
            later.c.arrived_s >= READINGS.c.arrived_s,
            or_(later.c.arrived_s > READINGS.c.arrived_s, later.c.revision > READINGS.c.revision),
        )
        .exists()
    )
    return (
        select(READINGS.c.series_id, READINGS.c.time_s, READINGS.c.value)
        .join_from(WORK, READINGS, _within_work(READINGS.c.time_s))
        .where(~came_after)
        .subquery("won")
    )


def _winning_on_postgres() -> FromClause:
    """Return the same, in the words that keep PostgreSQL from walking all readings: hour by hour, by the index."""
    newest_first = (READINGS.c.arrived_s.desc(), READINGS.c.revision.desc())
    place = func.row_number().over(partition_by=READINGS.c.time_s, order_by=newest_first).label("place")
    of_hour = (
        select(seconds_of(READINGS.c.time_s).label("time_s"), READINGS.c.value, place)
        .where(_within_work(READINGS.c.time_s))
        .lateral("of_hour")
    )
    return (
        select(WORK.c.series_id, of_hour.c.time_s, of_hour.c.value)
        .join_from(WORK, of_hour, of_hour.c.place == 1)
        .subquery("won")
    )


def _within_work(time_s: ColumnElement[int]) -> ColumnElement[bool]:
    # A sum is no column, so SQLite cannot look the work up for each reading: it walks the work and looks readings up.
    return (
        (READINGS.c.series_id == WORK.c.series_id + 0)
        & (time_s >= stamp_of(WORK.c.start_s + 0))
        & (time_s < stamp_of(WORK.c.start_s + HOUR_S))
    )


def _from_level(part_s: int, length_s: int) -> Select[Any]:
    """Return the buckets that the hours noted fall in, added up from those of the level below."""
    part = LEVELS[part_s].c
    span_s = max(length_s, HOUR_S)
    noted = select(
        WORK.c.series_id,
        bucket_start(WORK.c.start_s, literal(span_s, BigInteger)).label("start_s"),
    )
    wanted = noted.distinct().subquery("wanted")
    start_s = bucket_start(part.start_s, literal(length_s, BigInteger)).label("start_s")
    return (
        select(
            part.series_id, start_s, func.sum(part.count), func.sum(part.total), func.min(part.low), func.max(part.high)
        )
        .join_from(
            wanted,
            LEVELS[part_s],
            (part.series_id == wanted.c.series_id + 0)
            & (part.start_s >= wanted.c.start_s + 0)
            & (part.start_s < wanted.c.start_s + span_s),
        )
        .group_by(part.series_id, start_s)
    )


def _upsert(table: Table, rows: Select[Any], kind: str) -> postgresql.Insert | sqlite.Insert:
    """Return the statement that puts rows in the place of those with their key."""
    add = postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)
    names = [column.name for column in table.columns]
    written = add.from_select(names, rows)
    changed = {name: written.excluded[name] for name in names if name not in ("series_id", "start_s")}
    return written.on_conflict_do_update(index_elements=["series_id", "start_s"], set_=changed)


_OLDEST = select(MARKS.c.id, MARKS.c.first_hour, MARKS.c.hours).order_by(MARKS.c.id).limit(MARKS_AT_ONCE)
_FORGET = delete(MARKS).where(MARKS.c.id == bindparam("mark"))
_WORK_FROM_ARRAYS = insert(WORK).from_select(
    ["series_id", "start_s"],
    select(
        func.unnest(bindparam("series", type_=ARRAY(BigInteger))),
        func.unnest(bindparam("starts", type_=ARRAY(BigInteger))),
    ),
)
