"""Readings that have had their time: rolled up, then dropped; the roll-ups stay.

Invariant: nothing is dropped before the roll-ups of its time were brought up to date and declared final, in one
transaction that no writer comes between. Broken off at any moment, the next run drops what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, MetaData, Table, cast, column, delete, func, insert, select, table
from sqlalchemy.dialects.postgresql import OID, REGCLASS
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import DDLElement, DropTable

from vpp.core.time import epoch_s, parse_time
from vpp.store import timescale
from vpp.store.dialect import Database
from vpp.store.rollup_refresh import refresh
from vpp.store.rollup_tables import DAY_S, RETENTION
from vpp.store.rollups import dropped_before_s
from vpp.store.tables import READINGS, SERIES

Progress = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and of how much; 0 of 0 when that is not known."""

_INHERITED = table("pg_inherits", column("inhrelid"), column("inhparent"))
_CLASSES = table("pg_class", column("oid"), column("relname"), column("relpartbound"))
_UPPER_BOUND = re.compile(r"TO \('([^']+)'\)")


@dataclass(frozen=True, slots=True)
class Retained:
    """What a run of retention did.

    Parameters
    ----------
    before_s : int
        Readings of the time before are gone [epoch s].
    parts : int
        Whole partitions or chunks that were dropped.
    rows : int
        Rows that were deleted one by one.
    """

    before_s: int
    parts: int
    rows: int


class _HoldWriters(DDLElement):
    """Has writers of readings wait until the transaction ends; readers go on."""


@compiles(_HoldWriters)
def _hold_writers(_element: _HoldWriters, compiler: Any, **_settings: Any) -> str:
    return f"LOCK TABLE {compiler.preparer.format_table(READINGS)} IN SHARE ROW EXCLUSIVE MODE"


def cut_s(now_s: int, days: int) -> int:
    """Return the start of the UTC day that lies ``days`` days before now [epoch s]: what is older has had its time."""
    return now_s - now_s % DAY_S - days * DAY_S


def retain(database: Database, before_s: int, *, progress: Progress) -> Retained:
    """Drop the readings of the time before, after their roll-ups were brought up to date.

    Parameters
    ----------
    database : Database
        Of a SQL store.
    before_s : int
        Start of a UTC day [epoch s]. A day that was dropped before stays dropped.
    progress : callable
        Told what is under way.
    """
    done = 0
    while (step := database.run(lambda connection: refresh(connection, before_s=before_s))).more:
        done += step.hours
        progress("rolling up", done, 0)
    before_s = database.run(lambda connection: _declare_final(connection, before_s))
    parts = database.run(lambda connection: _drop_parts(connection, before_s))
    with database.read() as connection:
        numbers = connection.execute(select(SERIES.c.id)).scalars().all()
    rows = 0
    for place, number in enumerate(numbers):
        progress("dropping", place, len(numbers))
        rows += database.run(partial(_delete, number=number, before_s=before_s))
    progress("dropping", len(numbers), len(numbers))
    return Retained(before_s, parts, rows)


def _declare_final(connection: Connection, before_s: int) -> int:
    """Roll up what came last and note the time; return it, or the later one that was noted before."""
    if connection.dialect.name == "postgresql":
        connection.execute(_HoldWriters())
    before_s = max(before_s, dropped_before_s(connection))
    while refresh(connection, before_s=before_s).more:
        pass
    connection.execute(delete(RETENTION))
    connection.execute(insert(RETENTION), {"id": 1, "dropped_before_s": before_s})
    return before_s


def _drop_parts(connection: Connection, before_s: int) -> int:
    """Drop what lies wholly before a time without reading it, where the readings stand in parts."""
    if connection.dialect.name != "postgresql":
        return 0
    if timescale.is_hypertable(connection):
        return timescale.drop_chunks(connection, before_s)
    connection.execute(select(func.set_config("timezone", "UTC", True)))
    bound = func.pg_get_expr(_CLASSES.c.relpartbound, cast(_CLASSES.c.oid, OID))
    found = connection.execute(
        select(_CLASSES.c.relname, bound)
        .join_from(_INHERITED, _CLASSES, _INHERITED.c.inhrelid == _CLASSES.c.oid)
        .where(_INHERITED.c.inhparent == cast(READINGS.name, REGCLASS))
    ).all()
    dropped = 0
    for name, words in found:
        upper = _UPPER_BOUND.search(words)
        if upper is not None and epoch_s(parse_time(upper.group(1))) <= before_s:
            connection.execute(DropTable(Table(name, MetaData())))
            dropped += 1
    return dropped


def _delete(connection: Connection, *, number: int, before_s: int) -> int:
    gone = delete(READINGS).where(READINGS.c.series_id == number, READINGS.c.time_s < before_s)
    return connection.execute(gone).rowcount
