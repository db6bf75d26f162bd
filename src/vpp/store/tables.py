"""The tables of the SQL store, the same on every database.

A time whose name ends in ``_s`` counts whole seconds since 1970 on this side; of readings it is an INTEGER column on
SQLite and TIMESTAMPTZ on PostgreSQL, which ``EpochSeconds`` translates. A time that ends in ``_us`` counts
microseconds, the finest a ``datetime`` knows, and is an integer everywhere. The tables come into being by the steps in
``migrations``; a test compares what those make with what stands here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

METADATA = MetaData()

NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""A key that numbers itself; SQLite does so only where it is called INTEGER."""


class seconds_of(FunctionElement[int]):  # noqa: N801, reads as the SQL function it is
    """The seconds since 1970 of a time of readings, for arithmetic on either database."""

    type = BigInteger()
    inherit_cache = True


class stamp_of(FunctionElement[Any]):  # noqa: N801, reads as the SQL function it is
    """The time of readings that lies so many seconds after 1970."""

    inherit_cache = True


@compiles(seconds_of)
@compiles(stamp_of)
def _as_it_is(element: FunctionElement[Any], compiler: Any, **settings: Any) -> str:
    return str(compiler.process(element.clauses, **settings))


@compiles(seconds_of, "postgresql")
def _seconds(element: seconds_of, compiler: Any, **settings: Any) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **settings)}) AS BIGINT)"


@compiles(stamp_of, "postgresql")
def _stamp(element: stamp_of, compiler: Any, **settings: Any) -> str:
    return f"to_timestamp(CAST({compiler.process(element.clauses, **settings)} AS DOUBLE PRECISION))"


class EpochSeconds(TypeDecorator[int]):
    """Whole seconds since 1970, kept as TIMESTAMPTZ on PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the column."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Integer())

    def bind_expression(self, bindparam: BindParameter[int]) -> ColumnElement[int]:
        """Return a number of seconds as a time of the database."""
        # The parameter itself is a plain number; the function makes the time of it.
        return stamp_of(type_coerce(bindparam, BigInteger()))

    def column_expression(self, column: ColumnElement[int]) -> ColumnElement[int]:
        """Return a time of the database as a number of seconds."""
        return seconds_of(column)


SERIES = Table(
    "series",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("metric", Text, nullable=False),
    UniqueConstraint("plant", "source", "metric"),
)

READINGS = Table(
    "readings",
    METADATA,
    # No foreign key: PostgreSQL would look every row's series up, and this program alone gives out the numbers.
    Column("series_id", Integer, primary_key=True),
    Column("time_s", EpochSeconds, primary_key=True),
    Column("arrived_s", EpochSeconds, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("issued_s", EpochSeconds, nullable=False),
    Column("value", Double, nullable=False),
    Column("quality", Integer, nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (time_s)",
)
"""Clustered by series and time, so that a range is one walk; later arrivals and revisions follow their first."""

SEQUENCES = Table(
    "sequences",
    METADATA,
    Column("plant", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("runs", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 50},
)
"""Which messages were taken, packed by ``vpp.store.sequences``; the row is what two writers of one source wait for.

Each delivery writes the rows of its sources anew; half-empty pages take the new version beside the old one.
"""

EXTRAS = Table(
    "extras",
    METADATA,
    Column("plant", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("extra", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Fields of messages that no schema known here names, as JSON."""

REFUSALS = Table(
    "refusals",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("plant", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("arrived_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("refusals_by_arrival", "arrived_us", "number"),
    Index("refusals_by_plant", "plant", "arrived_us", "number"),
)

HEARTBEATS = Table(
    "heartbeats",
    METADATA,
    Column("service", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),
)

SOURCES = Table(
    "sources",
    METADATA,
    Column("plant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("facts", Text, nullable=False),
)
"""What the plant file says of every asset: its kind, its site, and its ratings as JSON, units in their names."""

BATTERIES = Table(
    "batteries",
    METADATA,
    Column("plant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("capacity_kwh", Double, nullable=False),
    Column("charge_max_kw", Double, nullable=False),
    Column("discharge_max_kw", Double, nullable=False),
    Column("soc_min", Double, nullable=False),
    Column("soc_max", Double, nullable=False),
)

FORECASTS = Table(
    "forecasts",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("series_id", Integer, ForeignKey("series.id"), nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("start_us", BigInteger, nullable=False),
    Column("resolution_s", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("levels", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    Column("product", Text, nullable=False, server_default="rolling"),
    Index("forecasts_by_issue", "series_id", "product", "issued_us", "id"),
)

SCORES = Table(
    "scores",
    METADATA,
    Column("series_id", Integer, ForeignKey("series.id"), primary_key=True),
    Column("product", Text, primary_key=True),
    Column("issued_us", BigInteger, primary_key=True, autoincrement=False),
    Column("model", Text, primary_key=True),
    Column("hours", Integer, nullable=False),
    Column("mae", Double, nullable=False),
    Column("pinball", Double),
    Column("coverage_80", Double),
    sqlite_with_rowid=False,
)

CHAMPIONS = Table(
    "champions",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("series_id", Integer, ForeignKey("series.id"), nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("trained_us", BigInteger, nullable=False),
    Column("run", Text, nullable=False),
    Column("artefact", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("champions_by_decision", "series_id", "decided_us", "id"),
)

SCHEDULES = Table(
    "schedules",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("schedules_by_issue", "plant", "issued_us", "id"),
)

COMMANDS = Table(
    "commands",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("asset_id", Text, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("power_kw", Double, nullable=False),
    Column("grid_floor_kw", Double),
    Column("grid_ceiling_kw", Double),
    Column("may_reverse", Boolean, nullable=False),
    UniqueConstraint("plant", "id"),
    Index("commands_by_start", "plant", "start_us", "number"),
)

ACKS = Table(
    "acks",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("asset_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("power_kw", Double),
    Column("message", Text, nullable=False),
    Index("acks_by_time", "plant", "at_us", "number"),
    Index("acks_by_command", "plant", "command_id"),
)

AWARDS = Table(
    "awards",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("offer_id", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("start_us", BigInteger, nullable=False),
    Column("resolution_s", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    Index("awards_by_start", "plant", "start_us", "number"),
    Index("awards_by_offer", "plant", "offer_id"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("plant", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Index("events_by_time", "plant", "at_us", "number"),
)
