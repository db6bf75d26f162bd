"""The schema version of a store, by its URL: asked for, and brought up; for who looks after stores."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.extras import require
from vpp.store.connection import SqliteDatabase
from vpp.store.schema import NEWEST, Progress, check_owner, schema_version
from vpp.store.urls import sqlite_path, store_scheme

STEP_TIMEOUT_S = 3600.0
"""How long one statement of a step may take where somebody watches [s]; a store that is opened has less patience."""


def current_version(url: str) -> str | None:
    """Return the schema version of a store as it is; None where there is no store yet.

    Raises
    ------
    InvalidInputError
        When the URL names a store in memory, which has no version.
    StoreError
        When the file or the database cannot be read, or holds something else.
    """
    if store_scheme(url) == "postgresql":
        require("psycopg", extra="postgres")
        database = import_module("vpp.store.postgres_connection").PostgresDatabase(url)
        with closing(database), database.read() as connection:
            version: str | None = import_module("vpp.store.upgrading").version_of(connection)
        return version
    path = _file_of(url)
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            check_owner(connection, str(path))
            number = schema_version(connection)
    except sqlite3.Error as fault:
        raise StoreError(f"{path}: {fault}; is it a vpp store?") from fault
    return f"{number:04d}" if number else None


def upgrade(url: str, *, to: str = NEWEST, progress: Progress | None = None) -> str | None:
    """Bring a store to a schema version, step by step, and return the version it has then.

    Parameters
    ----------
    to : str
        Version to stop at; the newest by default. One that is behind the store changes nothing.
    progress : callable, optional
        See ``vpp.store.schema.Progress``.

    Raises
    ------
    UnknownNameError
        When no version is called ``to``.
    StoreError
        When a step could not be done; those before it stand.
    """
    if store_scheme(url) == "postgresql":
        require("psycopg", extra="postgres")
        database = import_module("vpp.store.postgres_connection").PostgresDatabase(url, answer_timeout_s=STEP_TIMEOUT_S)
        with closing(database), database.faults():
            import_module("vpp.store.upgrading").upgrade_engine(
                database.engine, name=database.name, to=to, progress=progress
            )
    else:
        SqliteDatabase(_file_of(url), to=to, progress=progress).close()
    return current_version(url)


def _file_of(url: str) -> Path:
    if store_scheme(url) == "memory":
        raise InvalidInputError("store", url, "a store that outlives its process: sqlite:///plant.db or postgresql://")
    return sqlite_path(url)
