"""Readings into PostgreSQL by binary COPY.

The bytes of the COPY are the bytes of one numpy array: PostgreSQL's binary row format is a fixed layout when every
column is as wide in every row, so no row passes through Python. Rows that are all new, as those of new messages mostly
are, go straight into the table. When one of them is there already, PostgreSQL refuses them together; then they go
through a staging table of the session, and one statement sorts out what is new.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Double, Integer, MetaData, Table, and_, exists, func, not_, select
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert

from vpp.core.messages import Readings
from vpp.store.tables import READINGS

Block = NDArray[np.void]

MAKE_STAGING = """
CREATE TEMPORARY TABLE incoming (
    series_id integer NOT NULL, time_s timestamptz NOT NULL, arrived_s timestamptz NOT NULL, revision integer NOT NULL,
    issued_s timestamptz NOT NULL, value double precision NOT NULL, quality integer NOT NULL
) ON COMMIT DELETE ROWS
"""
"""A table that only its session sees and no log is written for; empty at the beginning of every transaction."""

STAGED_AFTER_CONFLICT = 16
"""Batches that go through the staging table at once after one in which a row was there already."""

_STRAIGHT = (
    "COPY readings (series_id, time_s, arrived_s, revision, issued_s, value, quality) FROM STDIN (FORMAT BINARY)"
)
_STAGE = "COPY incoming (series_id, time_s, arrived_s, revision, issued_s, value, quality) FROM STDIN (FORMAT BINARY)"
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_FIELDS = (
    ("series_id", ">i4"),
    ("time_s", ">i8"),
    ("arrived_s", ">i8"),
    ("revision", ">i4"),
    ("issued_s", ">i8"),
    ("value", ">f8"),
    ("quality", ">i4"),
)
# Every field stands behind its length in bytes, every row behind the number of its fields.
_ROW = np.dtype(
    [("fields", ">i2"), *(part for name, kind in _FIELDS for part in ((f"{name}_bytes", ">i4"), (name, kind)))]
)
_EMPTY_ROW = np.zeros((), dtype=_ROW)
_EMPTY_ROW["fields"] = len(_FIELDS)
for _name, _kind in _FIELDS:
    _EMPTY_ROW[f"{_name}_bytes"] = np.dtype(_kind).itemsize

# PostgreSQL counts microseconds from the beginning of the year 2000.
_EPOCH_S = 946_684_800
_MICROSECONDS = 1_000_000

_STAGED = Table(
    "incoming",
    MetaData(),
    Column("series_id", Integer),
    Column("time_s", TIMESTAMP(timezone=True)),
    Column("arrived_s", TIMESTAMP(timezone=True)),
    Column("revision", Integer),
    Column("issued_s", TIMESTAMP(timezone=True)),
    Column("value", Double),
    Column("quality", Integer),
)
_KEY = ("series_id", "time_s", "arrived_s")
_INTO = [column.name for column in _STAGED.c]

_same_arrival = and_(*(READINGS.c[name] == _STAGED.c[name] for name in _KEY))
_same_row = and_(_same_arrival, *(READINGS.c[name] == _STAGED.c[name] for name in ("issued_s", "value", "quality")))
_next = select(func.coalesce(func.max(READINGS.c.revision) + 1, 0)).where(_same_arrival).correlate(_STAGED)

_INSERT_FIRST = insert(READINGS).from_select(_INTO, select(*_STAGED.c)).on_conflict_do_nothing()
# The next revision of a time and arrival, unless this very row is there.
_INSERT_REVISION = insert(READINGS).from_select(
    _INTO,
    select(*(_next.scalar_subquery() if column.name == "revision" else column for column in _STAGED.c)).where(
        not_(exists(select(READINGS.c.value).where(_same_row).correlate(_STAGED)))
    ),
)
_COUNTED = {"preserve_rowcount": True}


class Copier:
    """Copies readings, and remembers whether lately some were there already."""

    def __init__(self) -> None:
        self._staged_left = 0

    def write(self, connection: Connection, series_id: NDArray[np.int64], readings: Readings) -> int:
        """Keep readings, within an open transaction, and return how many rows were new.

        Parameters
        ----------
        series_id : int array, shape (n,)
            Number of the series of each row.
        """
        waves = list(_waves(_block(series_id, readings)))
        # A refused COPY is work for nothing, so that what was delivered once more is not tried each time.
        self._staged_left = max(0, self._staged_left - 1)
        if len(waves) == 1 and not self._staged_left:
            try:
                with connection.begin_nested():
                    _copy(connection, _STRAIGHT, waves[0])
            except psycopg.errors.UniqueViolation:
                self._staged_left = STAGED_AFTER_CONFLICT
            else:
                return len(readings)
        return sum(_stage(connection, wave) for wave in waves)


def _stage(connection: Connection, rows: Block) -> int:
    """Keep rows of which some may be there, no two with the same key, and return how many were new."""
    _copy(connection, _STAGE, rows)
    new = connection.execute(_INSERT_FIRST, execution_options=_COUNTED).rowcount
    if new < rows.size:
        # Some were there: again, or as a further revision. Rows just inserted are recognised and left alone.
        new += connection.execute(_INSERT_REVISION, execution_options=_COUNTED).rowcount
    connection.execute(_STAGED.delete())
    return new


def _copy(connection: Connection, statement: str, rows: Block) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(b"".join((_HEADER, rows.tobytes(), _TRAILER)))


def _block(series_id: NDArray[np.int64], readings: Readings) -> Block:
    """Return the rows in the order of the table, so that they fall on neighbouring pages."""
    order = np.lexsort((readings.arrived_s, readings.time_s, series_id))
    rows = np.full(len(readings), _EMPTY_ROW)
    rows["series_id"] = series_id[order]
    for name in ("time_s", "arrived_s", "issued_s"):
        rows[name] = (getattr(readings, name)[order] - _EPOCH_S) * _MICROSECONDS
    # Adding zero turns a negative zero into zero, as it comes back from every store.
    rows["value"] = readings.value[order] + 0.0
    rows["quality"] = readings.quality[order]
    return rows


def _waves(rows: Block) -> Iterator[Block]:
    """Yield ordered rows so that no two of one wave have the same key, each wave behind the one that it revises.

    That a key stands twice in a batch is rare: mostly there is one wave.
    """
    while rows.size:
        again = np.zeros(rows.size, dtype=bool)
        again[1:] = np.logical_and.reduce([rows[name][1:] == rows[name][:-1] for name in _KEY])
        if not again.any():
            yield rows
            return
        yield rows[~again]
        rows = rows[again]
