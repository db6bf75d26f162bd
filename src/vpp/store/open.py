"""One URL chooses the store."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from vpp.core.extras import require
from vpp.core.ports import Store
from vpp.store.memory import MemoryStore
from vpp.store.sqlite import SqliteStore
from vpp.store.urls import sqlite_path, store_scheme


def open_store(url: str) -> Store:
    """Open the store that a URL names.

    Parameters
    ----------
    url : str
        ``memory://`` keeps everything in this process. ``sqlite:///plant.db`` is a file beside the working
        directory, ``sqlite:////var/lib/vpp/plant.db`` one with an absolute path.
        ``postgresql://user:password@host:5432/database`` is a database on a server; it takes the extra ``postgres``.

    Raises
    ------
    UnknownNameError
        When no store has that scheme; ``known`` lists the valid ones.
    InvalidInputError
        When the rest of the URL does not fit the scheme.
    StoreError
        When the file cannot be opened, or the server cannot be reached.
    MissingExtraError
        When the driver for the database is not installed.

    Examples
    --------
    >>> type(open_store("memory://")).__name__
    'MemoryStore'
    """
    scheme = store_scheme(url)
    if scheme == "memory":
        return MemoryStore()
    if scheme == "postgresql":
        require("psycopg", extra="postgres")
        # The driver takes its time to load, and only this store needs it.
        return cast(Store, import_module("vpp.store.postgres").PostgresStore(url))
    return SqliteStore(sqlite_path(url))
