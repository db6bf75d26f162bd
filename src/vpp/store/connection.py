"""One SQLite file: one writer, many readers, and what happens when the disk fails.

Invariants: a ``write`` block that ends without an error is on the disk (WAL, ``synchronous=FULL``);
one that fails leaves nothing behind; after a failed fsync no further write is taken until the file is opened anew,
because the kernel may have dropped the pages and would report success the next time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Pool, QueuePool, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.store.schema import HEAD, NEWEST, Progress, check_owner, check_version, schema_version, upgrade

DEFAULT_CHECKPOINT_BYTES = 4 * 1024 * 1024
MOST_IDLE_READERS = 8

Answer = TypeVar("Answer")


class SqliteDatabase:
    """The connections to one store file.

    Parameters
    ----------
    path : Path
        The file; made when missing, its folder must exist.
    busy_timeout_s : float
        How long to wait for another process that writes [s].
    checkpoint_bytes : int
        Length of the write-ahead log from which it is folded into the file [bytes].
    to : str
        Schema version up to which a file that is behind is brought.
    progress : callable, optional
        See ``vpp.store.upgrading.upgrade_engine``.

    Raises
    ------
    StoreError
        When the file cannot be opened, is not ours, or is newer than this program.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float = 5.0,
        checkpoint_bytes: int = DEFAULT_CHECKPOINT_BYTES,
        to: str = NEWEST,
        progress: Progress | None = None,
    ) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._log_path = path.with_name(path.name + "-wal")
        self._checkpoint_bytes = checkpoint_bytes
        self._checkpoint_at_bytes = checkpoint_bytes
        self._write_lock = threading.Lock()
        self._halted: str | None = None
        self._closed = False
        if not path.parent.is_dir():
            raise StoreError(f"{path}: the folder {path.parent} does not exist; make it first")
        try:
            driver = self._connect()
        except sqlite3.Error as fault:
            raise self._fault(fault) from fault
        try:
            writer = _engine(lambda: driver, "BEGIN IMMEDIATE", StaticPool)
            self._prepare(driver, writer, to, progress)
            self._driver = driver
            self._writer = writer.connect()
        except (sqlite3.Error, DBAPIError) as fault:
            driver.close()
            raise self._fault(fault) from fault
        except StoreError:
            driver.close()
            raise
        # As many readers as ask; those beyond a few are closed when they are done.
        self._readers = _engine(self._connect_reader, "BEGIN", QueuePool, pool_size=MOST_IDLE_READERS, max_overflow=-1)

    @property
    def halted(self) -> str | None:
        """Why no write is taken any more; None while all is well."""
        return self._halted

    def run(self, action: Callable[[Connection], Answer]) -> Answer:
        """Return what an action in a transaction of its own returns; see ``write``."""
        with self.write() as connection:
            return action(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a block as one transaction; when the block has ended it is on the disk.

        Raises
        ------
        StoreError
            When it could not be kept; then nothing of it was.
        ClosedError
            After ``close``.
        """
        with self._write_lock:
            self._refuse_closed()
            if self._halted is not None:
                raise StoreError(f"{self.path}: halted after: {self._halted}; check the disk, then open the store anew")
            try:
                with self._writer.begin():
                    yield self._writer
            except (sqlite3.Error, DBAPIError) as fault:
                raise self._fault(fault) from fault
            except UnicodeEncodeError as fault:
                raise _bad_text(fault) from fault
            self._fold_long_log()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a block of reads on one snapshot, beside the writer and other readers.

        Raises
        ------
        StoreError
            When the file cannot be read.
        ClosedError
            After ``close``.
        """
        self._refuse_closed()
        try:
            with self._readers.begin() as connection:
                yield connection
        except (sqlite3.Error, DBAPIError) as fault:
            raise self._fault(fault) from fault
        except UnicodeEncodeError as fault:
            raise _bad_text(fault) from fault

    def close(self) -> None:
        """Close all connections; the last one folds the log into the file."""
        with self._write_lock:
            if self._closed:
                return
            self._closed = True
            self._readers.dispose()
            self._writer.close()
            self._driver.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            str(self.path), timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _prepare(self, connection: sqlite3.Connection, engine: Engine, to: str, progress: Progress | None) -> None:
        name = str(self.path)
        check_owner(connection, name)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"{self.path}: this file system cannot hold a write-ahead log (journal mode {mode!r})")
        for pragma in (
            "PRAGMA synchronous = FULL",
            "PRAGMA fullfsync = ON",
            "PRAGMA checkpoint_fullfsync = ON",
            # Lets the log shrink after it was folded, so that its length on disk says how much is in it.
            "PRAGMA journal_size_limit = 0",
            # A log left by a process whose fsync failed may rest on pages that never reach the disk. Folded into the
            # file under a new fsync, nothing that is written from now on stands behind such pages.
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            connection.execute(pragma).fetchall()
        check_version(connection, name)
        upgrade(connection)
        if schema_version(connection) < HEAD:
            # Alembic takes its time to load, and only a file that is behind needs it.
            import_module("vpp.store.upgrading").upgrade_engine(engine, name=name, to=to, progress=progress)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute("PRAGMA foreign_keys = ON")
        self._flush_folder()

    def _flush_folder(self) -> None:
        """Make the names of the file and its log durable; SQLite tries too, but passes over a failure."""
        if os.name != "posix":
            return
        try:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as fault:
            raise StoreError(f"{self.path.parent}: the folder cannot be flushed ({fault}); check the disk") from fault

    def _fold_long_log(self) -> None:
        """Fold a long log into the file. SQLite's own way hides a failed fsync, so it is switched off.

        What was written stays safe in the log whether or not this succeeds, so the write itself is not failed.
        """
        try:
            length = self._log_path.stat().st_size
        except FileNotFoundError:
            return
        if length < self._checkpoint_bytes:
            self._checkpoint_at_bytes = self._checkpoint_bytes
        if length < self._checkpoint_at_bytes:
            return
        # A reader may hold the log open; then try again only after as much again was written.
        self._checkpoint_at_bytes = length + self._checkpoint_bytes
        try:
            self._driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as fault:
            self._fault(fault)

    def _fault(self, fault: sqlite3.Error | DBAPIError) -> StoreError:
        """Return the error to raise, and halt when the disk or the file can no longer be trusted."""
        if isinstance(fault, DBAPIError):
            return self._fault(fault.orig) if isinstance(fault.orig, sqlite3.Error) else StoreError(str(fault))
        name = getattr(fault, "sqlite_errorname", type(fault).__name__)
        if name == "SQLITE_FULL":
            return StoreError(f"{self.path}: the disk is full; nothing was kept, free some space and write again")
        if name.startswith("SQLITE_BUSY"):
            return StoreError(f"{self.path}: another process holds the file for more than {self._busy_timeout_s} s")
        # The index beside the log is rebuilt at will; a fault there (it cannot grow on a full disk) loses nothing.
        disk = name.startswith("SQLITE_IOERR") and not name.startswith("SQLITE_IOERR_SHM")
        if disk or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            self._halted = f"{fault} ({name})"
        return StoreError(f"{self.path}: {fault} ({name}); nothing of it was kept")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.path}: the store is closed; open it anew")


def _engine(creator: Callable[[], sqlite3.Connection], begin: str, pool: type[Pool], **settings: Any) -> Engine:
    """Return an engine over connections of which each transaction begins in one way."""
    engine = create_engine("sqlite://", creator=creator, poolclass=pool, **settings)

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _bad_text(fault: UnicodeEncodeError) -> InvalidInputError:
    return InvalidInputError("text", fault.object, "words without lone surrogates, which no encoding can hold")
