"""Brings a SQL store to the newest schema, one transaction per step.

Invariant: the version and the tables change together, so that a process killed at any moment leaves a whole step or
none, and the next start goes on from there. The version is read under a lock that only one process can hold.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Select, column, func, inspect, select, table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import DDLElement

from vpp.core.errors import StoreError, UnknownNameError
from vpp.store.schema import NEWEST, Progress

LOCK = 0x76707073
"""What processes that upgrade a PostgreSQL database agree to wait for."""

_VERSION: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))


class _UserVersion(DDLElement):
    """SQLite's own note of a file's version, which is read without this module."""

    def __init__(self, number: int) -> None:
        self.number = number


@compiles(_UserVersion, "sqlite")
def _user_version(element: _UserVersion, _compiler: Any, **_settings: Any) -> str:
    return f"PRAGMA user_version = {element.number:d}"


def version_of(connection: Connection) -> str | None:
    """Return the version of a database; None before its first step."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(_VERSION).scalar()
    return version


def upgrade_engine(engine: Engine, *, name: str, to: str = NEWEST, progress: Progress | None = None) -> str:
    """Run the steps that a database has not had and return its version.

    Parameters
    ----------
    engine : Engine
        The database. On SQLite every transaction begins with ``BEGIN IMMEDIATE``.
    name : str
        The database, for messages.
    to : str
        Version to stop at; the newest by default.
    progress : callable, optional
        See ``vpp.store.schema.Progress``.

    Raises
    ------
    StoreError
        When the database is newer than the steps known here.
    UnknownNameError
        When no step is called ``to``.
    """
    with as_file(files("vpp.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        steps = _steps(scripts, to)
        done = 0
        while True:
            with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                version = version_of(connection)
                left = _steps_after(version, steps, scripts, name)
                if not left:
                    return version or "none"
                if progress is not None:
                    progress(left[0], done + 1, done + len(left))
                _run(connection, config, scripts, left[0])
                if connection.dialect.name == "sqlite":
                    connection.execute(_UserVersion(int(left[0])))
                done += 1


def _run(connection: Connection, config: Config, scripts: ScriptDirectory, step: str) -> None:
    """Run one step in the open transaction."""

    def steps_to(versions: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs(step, versions)  # noqa: SLF001, what Alembic's own documentation does here

    with EnvironmentContext(config, scripts, fn=steps_to, destination_rev=step) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


def _steps(scripts: ScriptDirectory, to: str) -> list[str]:
    """Return the versions up to one, oldest first."""
    every = [step.revision for step in scripts.walk_revisions()][::-1]
    if to == NEWEST:
        return every
    if to not in every:
        raise UnknownNameError("schema version", to, every)
    return every[: every.index(to) + 1]


def _steps_after(version: str | None, steps: list[str], scripts: ScriptDirectory, name: str) -> list[str]:
    if version is None:
        return steps
    every = _steps(scripts, NEWEST)
    if version not in every:
        raise StoreError(
            f"{name}: schema version {version} is newer than this program knows ({every[-1]}); "
            "upgrade vpp, or open another database"
        )
    return [step for step in steps if every.index(step) > every.index(version)]
