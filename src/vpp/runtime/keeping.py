"""The care of a store: upgrade, check, copy, restore, drop what is old, roll up, and readings to and from files.

What ``vpp db`` does, as functions of the store's URL. Each opens the store, does one thing, and closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.core.time import epoch_s, from_epoch_s
from vpp.store import retention, timescale, versions
from vpp.store.backup import Note, back_up_sqlite, restore_sqlite
from vpp.store.connection import SqliteDatabase
from vpp.store.dialect import Database
from vpp.store.integrity import Finding, check_store
from vpp.store.open import open_store
from vpp.store.rollup_refresh import mark_everything
from vpp.store.rollup_refresh import refresh as refresh_rollups
from vpp.store.rollups import dropped_before_s
from vpp.store.row_blocks import Defaults
from vpp.store.row_files import check_suffix, write_rows
from vpp.store.sql import SqlStore
from vpp.store.statements import LAST_S
from vpp.store.transfer import Choice, check_rows, count_rows, keep_rows, stored_rows
from vpp.store.upgrading import version_of
from vpp.store.urls import sqlite_path, store_scheme
from vpp.store.versions import current_version

Progress = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and of how much; 0 when that is not known."""

ROLL_UP_EVERY_ROWS = 500_000
_WITH_READINGS = "0004"
"""The step that makes the readings; nothing is built on them yet."""


@dataclass(frozen=True, slots=True)
class Health:
    """What ``check`` found.

    Parameters
    ----------
    version : str
        Of the schema.
    database : str
        Name and version of the database.
    findings : tuple of Finding
        One for each check.
    timescale : Capabilities
        What TimescaleDB allows here, as it was tried.
    dropped_before : datetime or None
        Readings of the time before were dropped; None when none were.
    """

    version: str
    database: str
    findings: tuple[Finding, ...]
    timescale: timescale.Capabilities
    dropped_before: datetime | None

    @property
    def ok(self) -> bool:
        """Whether every check found all well."""
        return all(finding.ok for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What ``upgrade`` came to.

    Parameters
    ----------
    before, version : str or None, str
        Version of the schema before and after; None where there was no store.
    compression : bool
        Whether old readings are compressed from now on.
    timescale : Capabilities
        What TimescaleDB allows here, as it was tried.
    """

    before: str | None
    version: str
    compression: bool
    timescale: timescale.Capabilities


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file.

    Parameters
    ----------
    rows : int
        Rows in it.
    new : int
        Rows that were not there before.
    """

    rows: int
    new: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What ``retain`` would drop.

    Parameters
    ----------
    before : datetime
        Start of the first day that stays.
    rows : int
        Readings before it.
    """

    before: datetime
    rows: int


@contextmanager
def database_of(url: str) -> Iterator[Database]:
    """Open the database of a store that is there, bring it to the newest schema, and close it after the block.

    Raises
    ------
    InvalidInputError
        When there is no store, or one in memory, which nobody can look after from outside.
    """
    if current_version(url) is None:
        raise InvalidInputError("store", url, "a store that is there; vpp db upgrade makes one")
    versions.upgrade(url)
    database: Any = _postgres(url) if _is_postgres(url) else SqliteDatabase(sqlite_path(url))
    try:
        yield database
    finally:
        database.close()


def upgrade(url: str, *, with_timescale: bool, progress: Progress) -> Upgraded:
    """Make a store, or bring it to the newest schema step by step; a step that was broken off is done again.

    Parameters
    ----------
    with_timescale : bool
        Install TimescaleDB first and keep the readings in a hypertable: in a new database only.

    Raises
    ------
    InvalidInputError
        When TimescaleDB is wanted on another database, or where the readings stand in partitions already.
    StoreError
        When the store cannot be opened or a step fails; those before it stand.
    """
    before = current_version(url)
    if with_timescale:
        _install_timescale(url)
    versions.upgrade(url, progress=progress)
    with database_of(url) as database:
        compressed = database.run(timescale.compress)
        return Upgraded(before, _version(database), compressed, database.run(timescale.capabilities))


def check(url: str, *, sample: int, seed: int, progress: Progress) -> Health:
    """Return what every check of a store found; nothing is changed."""
    with database_of(url) as database:
        with database.read() as connection:
            findings = check_store(connection, sample=sample, seed=seed, progress=progress)
            dropped_s = dropped_before_s(connection)
            dialect = connection.dialect
            server = f"{dialect.name} {'.'.join(map(str, dialect.server_version_info or ()))}"
        dropped = from_epoch_s(dropped_s) if dropped_s >= -LAST_S else None
        capabilities = database.run(timescale.capabilities)
        return Health(_version(database), server, tuple(findings), capabilities, dropped)


def back_up(url: str, copy: Path, *, now: datetime, progress: Progress) -> Note:
    """Copy a store as it is at one moment, while others write, and return the note that stands beside the copy."""
    if _is_postgres(url):
        note: Note = _postgres_backup().back_up_postgres(url, copy, made_at=now, progress=progress)
        return note
    return back_up_sqlite(sqlite_path(url), copy, made_at=now, progress=progress)


def restore(copy: Path, url: str, *, progress: Progress) -> Note:
    """Make a store of a copy where there is none, bring it to the newest schema, and return the copy's note."""
    if _is_postgres(url):
        note: Note = _postgres_backup().restore_postgres(copy, url, progress=progress)
    else:
        note = restore_sqlite(copy, sqlite_path(url), progress=progress)
    with database_of(url):
        return note


def what_is_old(url: str, days: int, *, now: datetime) -> Cut:
    """Return what ``retain`` would drop, without dropping it."""
    before_s = retention.cut_s(epoch_s(now), days)
    with database_of(url) as database, database.read() as connection:
        return Cut(from_epoch_s(before_s), count_rows(connection, Choice(end_s=before_s)))


def retain(url: str, cut: Cut, *, progress: Progress) -> retention.Retained:
    """Drop the readings before a cut, after they were rolled up; the roll-ups stay."""
    with database_of(url) as database:
        return retention.retain(database, epoch_s(cut.before), progress=progress)


def refresh(url: str, *, everything: bool, progress: Progress) -> int:
    """Bring the roll-ups up to date, or make all of them anew, and return how many hours of series that were."""
    with database_of(url) as database:
        if everything:
            progress("marking", 0, 0)
            database.run(mark_everything)
        done = 0
        while True:
            step = database.run(refresh_rollups)
            done += step.hours
            progress("rolling up", done, 0)
            if not step.more:
                return done


def choice_of(plant: str | None, start: datetime | None, end: datetime | None) -> Choice:
    """Return which readings to write out: of one plant or all, between two times or ever."""
    bounds = {"start_s": None if start is None else epoch_s(start), "end_s": None if end is None else epoch_s(end)}
    return Choice(plant, **{name: value for name, value in bounds.items() if value is not None})


def export_rows(url: str, path: Path, choice: Choice, *, progress: Progress) -> int:
    """Write readings, all revisions with their times and flags, to a file and return how many there were."""
    check_suffix(path)
    with database_of(url) as database, database.read() as connection:
        total = count_rows(connection, choice)
        blocks = stored_rows(connection, choice)
        return write_rows(blocks, path, progress=lambda done: progress("writing", done, total))


def import_file(url: str, path: Path, *, plant: str | None, now: datetime, progress: Progress) -> Imported:
    """Keep the readings of a file, after all of it was checked, and bring the roll-ups up to date.

    Raises
    ------
    InvalidInputError
        For the first row that cannot be taken: nothing was kept, and no store was made.
    """
    defaults = Defaults(plant, epoch_s(now))
    rows = check_rows(path, defaults, progress=lambda done: progress("checking", done, 0))
    store = open_store(url)
    try:
        if not isinstance(store, SqlStore):
            expected = "a store that outlives this command, sqlite:///plant.db or postgresql://"
            raise InvalidInputError("store", url, expected)
        new = _keep(store, path, defaults, rows=rows, progress=progress)
    finally:
        store.close()
    return Imported(rows, new)


def _keep(store: SqlStore, path: Path, defaults: Defaults, *, rows: int, progress: Progress) -> int:
    """Keep the rows of a file and roll them up as they come, so that no long backlog builds up."""
    rolled_up = 0

    def kept(done: int) -> None:
        nonlocal rolled_up
        progress("keeping", done, rows)
        if done - rolled_up >= ROLL_UP_EVERY_ROWS:
            _roll_up(store, progress)
            rolled_up = done

    new = keep_rows(store, path, defaults, progress=kept)
    _roll_up(store, progress)
    return new


def _roll_up(store: SqlStore, progress: Progress) -> None:
    done = 0
    while hours := store.refresh_rollups():
        done += hours
        progress("rolling up", done, 0)


def _version(database: Database) -> str:
    with database.read() as connection:
        return version_of(connection) or "none"


def _is_postgres(url: str) -> bool:
    return store_scheme(url) == "postgresql"


def _postgres(url: str) -> Any:
    # Its driver is an extra; asking for the version has said so where it is missing.
    return import_module("vpp.store.postgres_connection").PostgresDatabase(url)


def _postgres_backup() -> Any:
    require("psycopg", extra="postgres")
    return import_module("vpp.store.backup_postgres")


def _install_timescale(url: str) -> None:
    if not _is_postgres(url):
        raise InvalidInputError("store", url, "a PostgreSQL database, to have TimescaleDB in it")
    if current_version(url) in (None, _WITH_READINGS):
        versions.upgrade(url, to=_WITH_READINGS)
    database = _postgres(url)
    try:
        database.run(timescale.install)
        made = current_version(url) == _WITH_READINGS and database.run(timescale.make_hypertable)
        if not made and not database.run(timescale.is_hypertable):
            raise InvalidInputError("store", url, "a new database: here the readings stand in partitions already")
    finally:
        database.close()
