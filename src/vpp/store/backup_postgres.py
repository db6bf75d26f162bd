"""Copies of a PostgreSQL store by ``pg_dump``, and a store made of a copy by ``pg_restore``.

Those programs know every table, index and view, while a file of readings would know only those. Invariant: as in
``vpp.store.backup``; the rows noted are those of the very snapshot that was copied.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import func, inspect, select

from vpp.core.errors import InvalidInputError, StoreError
from vpp.store import timescale
from vpp.store.backup import Note, Progress, checksum, compare, note_of_kind, refuse_existing, rows_of, write_note
from vpp.store.postgres_connection import PostgresDatabase
from vpp.store.row_files import flush_folder

_NO_HYPERTABLES = (
    "its readings are a hypertable, which pg_restore cannot make anew by itself; copy the server as its handbook says, "
    "or write the readings out by vpp db export"
)


def back_up_postgres(url: str, copy: Path, *, made_at: datetime, progress: Progress) -> Note:
    """Copy a PostgreSQL store by ``pg_dump`` as it is at one moment, while others read and write.

    Raises
    ------
    StoreError
        When the program is missing, older than the server, or fails; or the readings are a hypertable.
    """
    refuse_existing(copy)
    progress("copying", 0, 0)
    database = PostgresDatabase(url)
    new = copy.with_name(f".{copy.name}.{os.getpid()}.part")
    try:
        with database.read() as connection:
            if timescale.is_hypertable(connection):
                raise StoreError(f"{database.name}: {_NO_HYPERTABLES}")
            snapshot = connection.execute(select(func.pg_export_snapshot())).scalar_one()
            rows = rows_of(connection)
            _call(url, "pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={new}")
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        note = write_note(copy, Note("postgresql", made_at.isoformat(), checksum(new), rows))
        new.replace(copy)
        flush_folder(copy.parent)
    finally:
        database.close()
        new.unlink(missing_ok=True)
    return note


def restore_postgres(copy: Path, url: str, *, progress: Progress) -> Note:
    """Make a PostgreSQL store of a copy, in a database without tables, in one transaction.

    Raises
    ------
    InvalidInputError
        When the database holds tables, or the copy is of another database.
    UnreadableFileError
        When the copy does not match its note.
    StoreError
        When ``pg_restore`` is missing or fails; then the database is as it was.
    """
    progress("checking", 0, 0)
    note = note_of_kind(copy, "postgresql")
    database = PostgresDatabase(url)
    try:
        with database.read() as connection:
            tables = inspect(connection).get_table_names()
        if tables:
            held = ", ".join(tables[:5])
            raise InvalidInputError("store", database.name, f"a database without tables; this one holds {held}")
        progress("restoring", 0, 0)
        _call(url, "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", str(copy))
        with database.read() as connection:
            compare(note, rows_of(connection))
    finally:
        database.close()
    return note


def _call(url: str, program: str, *arguments: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise StoreError(f"{program} is not installed; it comes with PostgreSQL's client programs")
    given = conninfo_to_dict(url)
    # A password among the arguments could be read by everybody on the machine.
    password = given.pop("password", None)
    environment = os.environ | ({} if password is None else {"PGPASSWORD": str(password)})
    command = [
        path,
        f"--dbname={make_conninfo(**{name: str(value) for name, value in given.items() if value is not None})}",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603, no shell
    if done.returncode:
        raise StoreError(f"{program}: {' '.join(done.stderr.split())[:500]}")
