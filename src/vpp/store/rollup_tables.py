"""The tables of the roll-ups: what each bucket of time holds of each series, and which hours are out of date.

Times are whole seconds since 1970 on every database, so that one arithmetic serves them all. The tables hold no
foreign keys: a roll-up is derived, and ``vpp.store.integrity`` checks it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, SmallInteger, Table

from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

MINUTE_S = 60
QUARTER_S = 900
HOUR_S = SECONDS_PER_HOUR
DAY_S = SECONDS_PER_DAY

METADATA = MetaData()

# SQLite numbers rows by itself only where the key is called INTEGER.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _level(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("start_s", BigInteger, primary_key=True, autoincrement=False),
        Column("count", BigInteger, nullable=False),
        Column("total", Double, nullable=False),
        Column("low", Double, nullable=False),
        Column("high", Double, nullable=False),
        sqlite_with_rowid=False,
    )


LEVELS = {
    MINUTE_S: _level("rollup_1min"),
    QUARTER_S: _level("rollup_15min"),
    HOUR_S: _level("rollup_1h"),
    DAY_S: _level("rollup_1d"),
}
"""Table of each length of bucket [s], shortest first; every length divides the next."""

MARKS = Table(
    "rollup_marks",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("first_hour", BigInteger, nullable=False),
    Column("last_hour", BigInteger, nullable=False),
    Column("hours", LargeBinary, nullable=False),
)
"""What writes left out of date, one row per write: the hours of every series, packed by ``vpp.store.marks``."""

Index("rollup_marks_by_hour", MARKS.c.last_hour)

WORK = Table(
    "rollup_work",
    METADATA,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""The hours that a refresh is about; empty whenever none is under way."""

RETENTION = Table(
    "retention",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("dropped_before_s", BigInteger, nullable=False),
)
"""One row, where readings were dropped: up to when. What the roll-ups say of the time before is final."""
