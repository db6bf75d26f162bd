"""The partitions of the readings on PostgreSQL: one for each week, made in the transaction that first needs it.

Invariant: a partition's name says the day on which it begins, and its bounds are whole weeks since 1970 (UTC). There
is no default partition: with one, PostgreSQL could no longer walk the partitions in order of time, and the newest
reading of a series would cost a look into each of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, column, func, select, table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import DDLElement

from vpp.core.time import from_epoch_s
from vpp.core.units import SECONDS_PER_DAY

SPAN_S = 7 * SECONDS_PER_DAY
"""Length of a partition [s]."""
LOCK = 0x76707061
"""What transactions that make a partition agree to wait for."""

_CLASSES = table("pg_class", column("oid"), column("relname"), column("relkind"))
_KIND = select(_CLASSES.c.relkind).where(_CLASSES.c.oid == func.to_regclass("readings"))


class MakePartition(DDLElement):
    """Make the partition that begins at a time, beside the readings."""

    def __init__(self, start_s: int) -> None:
        self.start_s = start_s


class AttachPartition(MakePartition):
    """Put a partition in its place; unlike making it there, this waits for no reader and no writer."""


@compiles(MakePartition, "postgresql")
def _make(element: MakePartition, _compiler: Any, **_settings: Any) -> str:
    return f"CREATE TABLE IF NOT EXISTS {partition_name(element.start_s)} (LIKE readings INCLUDING ALL)"


@compiles(AttachPartition, "postgresql")
def _attach(element: AttachPartition, _compiler: Any, **_settings: Any) -> str:
    start, end = (from_epoch_s(at_s).isoformat() for at_s in (element.start_s, element.start_s + SPAN_S))
    name = partition_name(element.start_s)
    return f"ALTER TABLE readings ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"


def partition_name(start_s: int) -> str:
    """Return the name of the partition that begins at a time.

    >>> partition_name(2952 * SPAN_S)
    'readings_20260730'
    """
    return f"readings_{from_epoch_s(start_s):%Y%m%d}"


class Partitions:
    """Makes partitions as they are needed, and remembers which are there."""

    def __init__(self) -> None:
        self._there: set[int] = set()
        self._wanted: bool | None = None

    def forget(self) -> None:
        """Look again which are there: one may have been dropped, or the transaction that made it failed."""
        self._there.clear()
        self._wanted = None

    def make(self, connection: Connection, time_s: NDArray[np.int64]) -> None:
        """Make the partitions of readings that hold at some times, within their transaction."""
        starts_s = {int(start) * SPAN_S for start in np.unique(time_s // SPAN_S)}
        if starts_s <= self._there or not self._are_wanted(connection):
            return
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        for start_s in sorted(starts_s - self._there):
            there = connection.execute(select(func.to_regclass(partition_name(start_s)))).scalar()
            if there is None:
                connection.execute(MakePartition(start_s))
                connection.execute(AttachPartition(start_s))
        self._there |= starts_s

    def _are_wanted(self, connection: Connection) -> bool:
        """Return False where the readings are no partitioned table, but one that divides itself."""
        if self._wanted is None:
            self._wanted = connection.execute(_KIND).scalar() == "p"
        return self._wanted
