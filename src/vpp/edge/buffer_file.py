"""The file of a gateway's buffer: one SQLite database, one writer, and what happens when its disk fills up or fails.

Invariants: a transaction that ends without an error is on the disk (WAL, ``synchronous=FULL``); one that fails leaves
nothing that anybody was told of. After a failed fsync the file is opened anew before anything else is written, for the
kernel may have dropped the pages and would report success the next time. A ballast file beside it is given up when the
disk is full, so that commands and their answers still find room.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vpp.core.errors import StoreError

if sys.platform != "win32":
    import fcntl

BALLAST_BYTES = 2 * 1024 * 1024
"""Room kept for commands and answers on a disk that is full."""
_LONGEST_LOG_BYTES = 512 * 1024
_APPLICATION_ID = 0x56505042
_VERSION = 1
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE series (id INTEGER PRIMARY KEY, asset TEXT NOT NULL, metric TEXT NOT NULL, UNIQUE (asset, metric));
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, boot TEXT NOT NULL, sequence INTEGER NOT NULL, rows INTEGER NOT NULL,
    opened_s INTEGER NOT NULL, position INTEGER UNIQUE, attempted INTEGER NOT NULL, acknowledged_s INTEGER,
    UNIQUE (node, boot, sequence)
);
CREATE INDEX messages_waiting ON messages (attempted, id) WHERE acknowledged_s IS NULL;
CREATE INDEX messages_kept ON messages (acknowledged_s) WHERE acknowledged_s IS NOT NULL;
CREATE TABLE readings (
    message_id INTEGER NOT NULL, item INTEGER NOT NULL, series_id INTEGER NOT NULL, time_s INTEGER NOT NULL,
    issued_s INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (message_id, item)
) WITHOUT ROWID;
CREATE TABLE commands (
    id TEXT PRIMARY KEY, node TEXT NOT NULL, asset TEXT NOT NULL, taken_s INTEGER NOT NULL, end_s INTEGER NOT NULL,
    body TEXT NOT NULL, answer TEXT, answered_s INTEGER, sent_s INTEGER
);
CREATE INDEX commands_unsent ON commands (answered_s) WHERE sent_s IS NULL;
CREATE INDEX commands_end ON commands (end_s);
CREATE INDEX commands_sent ON commands (sent_s) WHERE sent_s IS NOT NULL;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, kind TEXT NOT NULL, severity TEXT NOT NULL, message TEXT NOT NULL,
    fields TEXT NOT NULL
);
"""


COUNTERS = ("batch", "next_message", "next_position", "dropped_rows", "shed_rows")


class FullDiskError(StoreError):
    """There is no room; nothing of the transaction was kept."""


class HaltedError(StoreError):
    """The disk failed; nothing more is written until the file was opened anew."""


class BufferFile:
    """The one connection that writes; used by one thread.

    Parameters
    ----------
    path : Path
        The file; made when missing, its folder must exist.
    plant : str
        Whose buffer it is; a file of another plant is refused.
    ballast_bytes : int
        Size of the file kept beside it for a full disk, 0 or more [bytes].

    Raises
    ------
    StoreError
        When the file cannot be opened, belongs to another program or plant, or is newer than this one.
    """

    def __init__(self, path: Path, *, plant: str, ballast_bytes: int = BALLAST_BYTES) -> None:
        self.path = path
        self.plant = plant
        self._ballast = path.with_name(path.name + ".ballast")
        self._ballast_bytes = ballast_bytes
        self._log = path.with_name(path.name + "-wal")
        self._failed: str | None = None
        if not path.parent.is_dir():
            raise StoreError(f"{path}: the folder {path.parent} does not exist; make it first")
        self._take_lock()
        try:
            self._connection = self._open()
        except StoreError:
            self._lock.close()
            raise
        with suppress(FullDiskError):
            self.take_ballast()

    def reopen(self) -> None:
        """Open the file anew after the disk failed.

        Raises
        ------
        StoreError
            When it still fails.
        """
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection = self._open()
        self._failed = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction; when it has ended it is on the disk.

        Raises
        ------
        FullDiskError
            When there was no room; nothing of it was kept.
        HaltedError
            When the disk failed; whether it was kept shows after ``reopen``.
        """
        if self._failed is not None:
            raise HaltedError(self._failed)
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as fault:
            raise self._fault(fault) from fault
        finally:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
        self._fold_log()

    def take_ballast(self) -> None:
        """Make the ballast file when it is not there.

        Raises
        ------
        FullDiskError
            When there is no room for it.
        """
        if self._ballast.exists() or not self._ballast_bytes:
            return
        try:
            with self._ballast.open("wb") as file:
                file.write(b"\0" * self._ballast_bytes)
                file.flush()
                os.fsync(file.fileno())
        except OSError as fault:
            self._ballast.unlink(missing_ok=True)
            raise FullDiskError(f"{self.path}: no room for {self._ballast_bytes} bytes of ballast ({fault})") from fault

    def has_room(self) -> bool:
        """Tell whether there is room for the ballast and as much again, so that it is not given up at once."""
        disk = shutil.disk_usage(self.path.parent)
        return disk.free >= 2 * self._ballast_bytes + 2 * _LONGEST_LOG_BYTES

    def give_ballast(self) -> bool:
        """Give the ballast up for room; False when there was none any more."""
        if not self._ballast.exists():
            return False
        self._ballast.unlink()
        return True

    def shrink(self) -> None:
        """Give room that the file no longer needs back to the disk."""
        try:
            self._connection.execute("PRAGMA incremental_vacuum").fetchall()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as fault:
            raise self._fault(fault) from fault

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._connection.close()
        self._lock.close()

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as fault:
            raise StoreError(f"{self.path}: {fault}; check the path and its rights") from fault
        try:
            self._prepare(connection)
        except sqlite3.Error as fault:
            connection.close()
            raise self._fault(fault) from fault
        except StoreError:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not empty and owner != _APPLICATION_ID:
            raise StoreError(f"{self.path}: this is no gateway's buffer; name another file")
        if version > _VERSION:
            raise StoreError(f"{self.path}: written by a newer version ({version}, this one knows {_VERSION}); upgrade")
        for pragma in (
            "PRAGMA auto_vacuum = INCREMENTAL",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA fullfsync = ON",
            # SQLite's own fold of the log hides a failed fsync; it is done in the open, below
            "PRAGMA wal_autocheckpoint = 0",
            "PRAGMA journal_size_limit = 0",
            # a log left by a failed fsync may rest on pages that never reach the disk
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            connection.execute(pragma).fetchall()
        if empty:
            self._make(connection)
        plant = connection.execute("SELECT value FROM facts WHERE name = 'plant'").fetchone()
        if plant is not None and plant[0] != self.plant:
            raise StoreError(f"{self.path}: the buffer of plant {plant[0]!r}, not of {self.plant!r}; name another file")
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as fault:
            raise HaltedError(f"{self.path.parent}: the folder cannot be flushed ({fault}); check the disk") from fault
        finally:
            os.close(folder)

    def _make(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";")[:-1]:
            connection.execute(statement)
        facts = (("identity", secrets.token_hex(8)), ("plant", self.plant))
        connection.executemany("INSERT INTO facts VALUES (?, ?)", facts)
        counters = [(name, 0) for name in COUNTERS]
        connection.executemany("INSERT INTO counters VALUES (?, ?)", counters)
        # a pragma takes no parameters
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")

    def _take_lock(self) -> None:
        """Hold a lock for the life of the process: two gateways on one buffer would send everything twice."""
        self._lock = self.path.with_name(self.path.name + ".lock").open("wb")
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            self._lock.close()
            raise StoreError(f"{self.path}: another gateway uses this buffer; name another file") from fault

    def _fold_log(self) -> None:
        """Fold a long log into the file; what was written stays safe in the log when that fails."""
        try:
            if self._log.stat().st_size < _LONGEST_LOG_BYTES:
                return
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except FileNotFoundError:
            return
        except sqlite3.Error as fault:
            self._fault(fault)

    def _fault(self, fault: sqlite3.Error) -> StoreError:
        name = getattr(fault, "sqlite_errorname", type(fault).__name__)
        if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR_SHM"):
            return FullDiskError(f"{self.path}: the disk is full; free some space")
        if name.startswith("SQLITE_BUSY"):
            return StoreError(f"{self.path}: another process holds the file")
        self._failed = f"{self.path}: {fault} ({name}); check the disk"
        return HaltedError(self._failed)
