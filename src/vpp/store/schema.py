"""The version of a SQLite file, and its first steps, one transaction each; ``vpp.store.upgrading`` runs the others.

Invariant: ``PRAGMA user_version`` is the number of steps applied and changes in the same transaction as the
tables, so that a process killed at any moment leaves a whole step or none and the next start goes on from there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files

from vpp.core.errors import StoreError

APPLICATION_ID = 0x76707073
"""The letters ``vpps``, kept in the file's header."""


HEAD = max(
    int(entry.name[:4])
    for entry in (files("vpp.store") / "migrations" / "versions").iterdir()
    if entry.name[:4].isdigit()
)
"""Number of the newest step. Its file's name says it, so that to know it nothing is loaded."""
NEWEST = "head"
"""Names the newest version, whatever its number."""

Progress = Callable[[str, int, int], None]
"""Is told of each step, before it runs: its version, its number among those to do, and how many there are."""


@cache
def migrations() -> tuple[str, ...]:
    """Return the scripts of the first steps, oldest first.

    >>> len(migrations())
    4
    """
    folder = files("vpp.store") / "migrations"
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(script.read_text(encoding="utf-8") for script in scripts)


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; ``executescript`` would commit before the first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending


def schema_version(connection: sqlite3.Connection) -> int:
    """Return how many steps a database has behind it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_owner(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a database that something else made.

    Raises
    ------
    StoreError
        When the file holds tables that are not ours.
    """
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if owner == APPLICATION_ID:
        return
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(f"{path}: a SQLite database of another program; give the path of a vpp store or a new file")


def check_version(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a database that has had steps not known here.

    Raises
    ------
    StoreError
        When it is newer than this program.
    """
    version = schema_version(connection)
    if version > HEAD:
        raise StoreError(
            f"{path}: schema version {version} is newer than this program knows ({HEAD}); "
            "upgrade vpp, or open another file"
        )


def upgrade(connection: sqlite3.Connection, *, steps: Sequence[str] | None = None) -> int:
    """Run the first steps that a database has not had and return its version.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode (``isolation_level=None``), with foreign keys off.
    steps : sequence of str, optional
        Scripts of the steps, each of which ends by setting ``user_version``; those of this package by default.
    """
    scripts = migrations() if steps is None else steps
    while True:
        # The version is read under the write lock: two processes that start together do not repeat a step.
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = schema_version(connection)
            if version >= len(scripts):
                return version
            for statement in statements(scripts[version]):
                connection.execute(statement)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
