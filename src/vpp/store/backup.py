"""Copies of a whole store, made while others write, and a store made of a copy.

A SQLite store is copied page by page as it was at one moment (PostgreSQL: ``vpp.store.backup_postgres``). Invariant: a
copy has its name only when it is whole and on the disk, with a note beside it that holds its checksum and how many rows
each table had at that moment; what does not match its note is never made a store.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

from sqlalchemy import Connection, create_engine, func, inspect, select, table

from vpp.core.errors import InvalidInputError, StoreError, UnreadableFileError
from vpp.store.row_files import appearing, flush_folder

PAGES_AT_ONCE = 2_000
NOTE_SUFFIX = ".json"

Progress = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and of how much; 0 of 0 when that is not known."""


@dataclass(frozen=True, slots=True)
class Note:
    """What stands beside a copy.

    Parameters
    ----------
    kind : str
        ``sqlite`` or ``postgresql``.
    made_at : str
        When it was made, ISO 8601.
    sha256 : str
        Checksum of the copy.
    rows : mapping of str to int
        Rows of each table at the moment of the copy.
    """

    kind: str
    made_at: str
    sha256: str
    rows: Mapping[str, int]


def note_path(copy: Path) -> Path:
    """Return where the note of a copy is."""
    return copy.with_name(copy.name + NOTE_SUFFIX)


def read_note(copy: Path) -> Note:
    """Return the note of a copy, which is compared with its checksum.

    Raises
    ------
    UnreadableFileError
        When the copy or its note is missing or damaged, or they do not match.
    """
    path = note_path(copy)
    try:
        note = Note(**json.loads(path.read_text(encoding="utf-8")))
        found = checksum(copy)
    except OSError as fault:
        raise UnreadableFileError(str(fault.filename), str(fault.strerror)) from fault
    except (TypeError, ValueError) as fault:
        raise UnreadableFileError(str(path), f"no note of a backup ({fault})") from fault
    if found != note.sha256:
        raise UnreadableFileError(str(copy), f"its checksum is {found}, its note says {note.sha256}; it was altered")
    return note


def back_up_sqlite(store: Path, copy: Path, *, made_at: datetime, progress: Progress) -> Note:
    """Copy a SQLite store as it is at one moment, while others read and write.

    Raises
    ------
    StoreError
        When the store cannot be read, or the copy is not whole.
    """
    refuse_existing(copy)
    new = copy.with_name(f".{copy.name}.{os.getpid()}.part")

    def tell(_status: int, remaining: int, total: int) -> None:
        progress("copying", total - remaining, total)

    try:
        with closing(_opened(store)) as source, closing(sqlite3.connect(new)) as target:
            # A transaction holds the moment: without it, every write of others would start the copy over.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(target, pages=PAGES_AT_ONCE, progress=tell)
            source.execute("ROLLBACK")
            # One file, so that its checksum is all there is to compare.
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
            whole = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        if whole != "ok":
            raise StoreError(f"{store}: its copy is not whole ({whole}); run vpp db check")
        rows = _rows_of_file(new)
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        note = write_note(copy, Note("sqlite", made_at.isoformat(), checksum(new), rows))
        new.replace(copy)
        flush_folder(copy.parent)
    except sqlite3.Error as fault:
        raise StoreError(f"{store}: {fault}; no copy was made") from fault
    finally:
        new.unlink(missing_ok=True)
    return note


def restore_sqlite(copy: Path, store: Path, *, progress: Progress) -> Note:
    """Make a SQLite store of a copy, where there is none yet.

    Raises
    ------
    InvalidInputError
        When there is a file already, or the copy is of another database.
    UnreadableFileError
        When the copy does not match its note.
    """
    for path in (store, store.with_name(store.name + "-wal")):
        refuse_existing(path)
    progress("checking", 0, 0)
    note = note_of_kind(copy, "sqlite")
    total = copy.stat().st_size
    with copy.open("rb") as source, appearing(store) as target:
        while part := source.read(1 << 22):
            target.write(part)
            progress("restoring", target.tell(), total)
    compare(note, _rows_of_file(store))
    return note


def refuse_existing(path: Path) -> None:
    """Refuse a name that is taken: no copy and no store is ever overwritten."""
    if path.exists():
        raise InvalidInputError("file", str(path), "a name that is not taken: nothing is overwritten")


def note_of_kind(copy: Path, kind: str) -> Note:
    """Return the note of a copy of one kind of store, after the checksum was compared."""
    note = read_note(copy)
    if note.kind != kind:
        raise InvalidInputError("backup", str(copy), f"a copy of a {kind} store; this one is of {note.kind}")
    return note


def write_note(copy: Path, note: Note) -> Note:
    """Put a note beside a copy and return it."""
    with appearing(note_path(copy)) as file:
        file.write((json.dumps(asdict(note), indent=2) + "\n").encode())
    return note


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _opened(store: Path) -> sqlite3.Connection:
    if not store.is_file():
        raise InvalidInputError("store", str(store), "a SQLite store that is there")
    return sqlite3.connect(store, isolation_level=None)


def _rows_of_file(path: Path) -> dict[str, int]:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            return rows_of(connection)
    finally:
        engine.dispose()


def rows_of(connection: Connection) -> dict[str, int]:
    """Return how many rows each table holds; partitions count as the table they are of."""
    names = sorted(name for name in inspect(connection).get_table_names() if not name.startswith("readings_"))
    return {name: connection.execute(select(func.count()).select_from(table(name))).scalar_one() for name in names}


def compare(note: Note, found: Mapping[str, int]) -> None:
    """Refuse what was restored when a table does not hold as many rows as the note says."""
    wrong = [name for name in note.rows if found.get(name) != note.rows[name]]
    if wrong:
        told = ", ".join(f"{name} has {found.get(name)} rows instead of {note.rows[name]}" for name in wrong[:5])
        raise StoreError(f"what was restored is not what was copied: {told}")
