"""What TimescaleDB can do here, tried out rather than read off its name; and its hypertable of readings.

The same version of the extension comes in builds that allow different things. So each capability is used on a scratch
table inside a savepoint, which is rolled back whatever came of it. Roll-ups are never continuous aggregates: those
cannot say that of several revisions the last wins, and the answers are to be the same on every database.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Executable, cast, column, func, literal, select, table, text
from sqlalchemy.dialects.postgresql import INTERVAL, REGCLASS
from sqlalchemy.exc import DBAPIError

from vpp.store.tables import READINGS

EXTENSION = "timescaledb"
CHUNK = "1 day"
"""Span of a chunk of readings: what ``vpp db retain`` can drop without reading it."""
COMPRESS_AFTER = "7 days"

_EXTENSIONS = table("pg_extension", column("extname"), column("extversion"))
_AVAILABLE = table("pg_available_extensions", column("name"), column("default_version"))
_HYPERTABLES = table("hypertables", column("hypertable_name"), schema="timescaledb_information")
_SCRATCH = "vpp_try_timescale"

# The names are constants: nothing from outside gets into these words.
_MAKE_SCRATCH = text("CREATE TABLE vpp_try_timescale (number INTEGER, time_s TIMESTAMPTZ NOT NULL, value FLOAT8)")
_COMPRESS_SCRATCH = text(
    "ALTER TABLE vpp_try_timescale SET (timescaledb.compress, timescaledb.compress_segmentby = 'number')"
)
_AGGREGATE_SCRATCH = text(
    "CREATE MATERIALIZED VIEW vpp_try_aggregate WITH (timescaledb.continuous) AS "
    "SELECT number, time_bucket('1 hour', time_s) AS hour, avg(value) AS mean FROM vpp_try_timescale "
    "GROUP BY 1, 2 WITH NO DATA"
)
_CREATE_EXTENSION = text("CREATE EXTENSION IF NOT EXISTS timescaledb")
_PLAIN_COPY = text("CREATE TABLE readings_plain (LIKE readings INCLUDING ALL)")
_DROP_PARTITIONED = text("DROP TABLE readings")
_TAKE_PLACE = text("ALTER TABLE readings_plain RENAME TO readings")
_COMPRESS_READINGS = text(
    "ALTER TABLE readings SET (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', "
    "timescaledb.compress_orderby = 'time_s, arrived_s, revision')"
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the extension allows in one database.

    Parameters
    ----------
    version : str or None
        Version of the extension in this database; None where it is not installed in it.
    available : str or None
        Version that could be installed; None where the server has none.
    in_use : bool
        Whether the readings are a hypertable.
    hypertables, compression, retention_policies, continuous_aggregates : bool
        What a scratch table could be made to do.
    """

    version: str | None = None
    available: str | None = None
    in_use: bool = False
    hypertables: bool = False
    compression: bool = False
    retention_policies: bool = False
    continuous_aggregates: bool = False


def installed(connection: Connection) -> str | None:
    """Return the version of the extension in this database; None without one, and on any other database."""
    if connection.dialect.name != "postgresql":
        return None
    wanted = select(_EXTENSIONS.c.extversion).where(_EXTENSIONS.c.extname == EXTENSION)
    version: str | None = connection.execute(wanted).scalar_one_or_none()
    return version


def install(connection: Connection) -> str:
    """Install the extension in this database and return its version.

    Raises
    ------
    DBAPIError
        When the server has no such extension, or the user may not install it.
    """
    connection.execute(_CREATE_EXTENSION)
    version = installed(connection)
    assert version is not None
    return version


def capabilities(connection: Connection) -> Capabilities:
    """Return what the extension allows in this database, by trying; nothing is left behind."""
    if connection.dialect.name != "postgresql":
        return Capabilities()
    wanted = select(_AVAILABLE.c.default_version).where(_AVAILABLE.c.name == EXTENSION)
    available: str | None = connection.execute(wanted).scalar_one_or_none()
    version = installed(connection)
    if version is None:
        return Capabilities(available=available)
    with connection.begin_nested() as scratch:
        can = _can_make_hypertable(connection)
        found = Capabilities(
            version=version,
            available=available,
            in_use=is_hypertable(connection),
            hypertables=can,
            compression=can and _allowed(connection, _COMPRESS_SCRATCH),
            retention_policies=can and _allowed(connection, _policy("add_retention_policy", _SCRATCH)),
            continuous_aggregates=can and _allowed(connection, _AGGREGATE_SCRATCH),
        )
        scratch.rollback()
    return found


def is_hypertable(connection: Connection) -> bool:
    """Return whether the readings are a hypertable."""
    if installed(connection) is None:
        return False
    wanted = select(literal(True)).where(_HYPERTABLES.c.hypertable_name == READINGS.name).limit(1)
    return connection.execute(wanted).scalar_one_or_none() is not None


def make_hypertable(connection: Connection) -> bool:
    """Turn the table of readings into a hypertable while it is empty and has no partitions; return whether it is one.

    PostgreSQL's own partitioned table cannot become a hypertable, so a plain one of the same columns takes its place.
    This belongs between the step that makes the readings and those that build on them.
    """
    if is_hypertable(connection):
        return True
    if connection.execute(select(READINGS.c.series_id).limit(1)).first() is not None:
        return False
    for statement in (_PLAIN_COPY, _DROP_PARTITIONED, _TAKE_PLACE):
        connection.execute(statement)
    connection.execute(_hypertable(READINGS.name))
    return True


def compress(connection: Connection) -> bool:
    """Have chunks of readings compressed after a week, where the build allows it; return whether it does."""
    if not is_hypertable(connection):
        return False
    with connection.begin_nested() as attempt:
        if _allowed(connection, _COMPRESS_READINGS) and _allowed(
            connection, _policy("add_compression_policy", READINGS.name, COMPRESS_AFTER)
        ):
            return True
        attempt.rollback()
    return False


def drop_chunks(connection: Connection, before_s: int) -> int:
    """Drop the chunks of readings that lie wholly before a time [epoch s], and return how many there were."""
    bound = func.to_timestamp(before_s)
    return len(connection.execute(select(func.drop_chunks(cast(READINGS.name, REGCLASS), bound))).all())


def _can_make_hypertable(connection: Connection) -> bool:
    return _allowed(connection, _MAKE_SCRATCH) and _allowed(connection, _hypertable(_SCRATCH))


def _hypertable(name: str) -> Executable:
    span = func.by_range("time_s", cast(CHUNK, INTERVAL))
    return select(func.create_hypertable(cast(name, REGCLASS), span))


def _policy(function: str, name: str, age: str = "1 year") -> Executable:
    return select(getattr(func, function)(cast(name, REGCLASS), cast(age, INTERVAL)))


def _allowed(connection: Connection, statement: Executable) -> bool:
    """Return whether a statement is carried out; what it did stays, what it could not do leaves nothing."""
    try:
        with connection.begin_nested():
            connection.execute(statement)
    except DBAPIError:
        return False
    return True
