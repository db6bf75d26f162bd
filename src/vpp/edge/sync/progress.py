"""Progress: how far each target has come, and what it would not take; durable before anything counts as sent.

Invariant: a position moves only after the target said yes to everything up to it, or what it would not take was set
aside in the same transaction. A position never moves back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from vpp.core.errors import StoreError
from vpp.core.time import epoch_s, from_epoch_s

_TABLES = """
CREATE TABLE IF NOT EXISTS progress (
    target TEXT NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL, rows INTEGER NOT NULL,
    moved_s INTEGER NOT NULL, PRIMARY KEY (target, source)
);
CREATE TABLE IF NOT EXISTS aside (
    target TEXT NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL, item INTEGER NOT NULL,
    reason TEXT NOT NULL, row TEXT NOT NULL, aside_s INTEGER NOT NULL, PRIMARY KEY (target, source, position, item)
);
"""
WHOLE_MESSAGE = -1
"""Item of something set aside that is a message, or that was not named by its number; further ones of it count down."""


class Aside(NamedTuple):
    """Something that a target would not take.

    Parameters
    ----------
    position, item : int
        Which message, and which of its rows; ``WHOLE_MESSAGE`` and below for no certain one.
    reason : str
        What the target said.
    row : str
        What was sent, as JSON.
    """

    position: int
    item: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one target has come.

    Parameters
    ----------
    position : int
        Everything up to it was taken or set aside; 0 before the first.
    rows : int
        Rows that were taken since the beginning.
    aside : int
        Rows and messages that were set aside.
    moved_at : datetime or None
        When it last moved; None before the first time.
    """

    position: int = 0
    rows: int = 0
    aside: int = 0
    moved_at: datetime | None = None


class Progress:
    """The progress of every target, in a file of its own beside the buffer.

    Parameters
    ----------
    path : Path
        A SQLite file, made when missing.

    Raises
    ------
    StoreError
        When the file cannot be opened or is not a progress file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_TABLES)
        except sqlite3.Error as fault:
            raise StoreError(f"{path}: the progress of the sync cannot be kept here ({fault})") from fault

    def standing(self, target: str, source: str) -> Standing:
        """Return how far a target has come with a source."""
        row = self._execute(
            "SELECT position, rows, moved_s FROM progress WHERE target = ? AND source = ?", (target, source)
        ).fetchone()
        if row is None:
            return Standing()
        (aside,) = self._execute(
            "SELECT count(*) FROM aside WHERE target = ? AND source = ?", (target, source)
        ).fetchone()
        return Standing(int(row[0]), int(row[1]), int(aside), from_epoch_s(int(row[2])))

    def advance(
        self, target: str, source: str, position: int, *, rows: int, aside: Sequence[Aside], now: datetime
    ) -> None:
        """Move a target on, and keep what it would not take; durable when it returns.

        Parameters
        ----------
        position : int
            Of the last message that was dealt with.
        rows : int
            How many rows the target took.
        aside : sequence of Aside
            What it would not take.
        now : datetime
            The present; aware.

        Raises
        ------
        StoreError
            When it could not be written; the target is then sent the same again, which changes nothing there.
        """
        now_s = epoch_s(now)
        self._execute("BEGIN IMMEDIATE", ())
        try:
            # A second sync of the same target may have come further; what both took was counted by the first.
            self._connection.execute(
                "INSERT INTO progress (target, source, position, rows, moved_s) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (target, source) DO UPDATE SET position = excluded.position, "
                "rows = progress.rows + excluded.rows, moved_s = excluded.moved_s "
                "WHERE excluded.position > progress.position",
                (target, source, position, rows, now_s),
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO aside (target, source, position, item, reason, row, aside_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(target, source, *one, now_s) for one in aside],
            )
            self._connection.execute("COMMIT")
        except sqlite3.Error as fault:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise StoreError(f"{self._path}: the progress of the sync could not be kept ({fault})") from fault

    def aside(self, target: str, source: str, *, most: int = 100) -> list[Aside]:
        """Return what a target would not take, the newest first."""
        rows = self._execute(
            "SELECT position, item, reason, row FROM aside WHERE target = ? AND source = ? "
            "ORDER BY position DESC, item DESC LIMIT ?",
            (target, source, most),
        )
        return [Aside(int(position), int(item), str(reason), str(row)) for position, item, reason, row in rows]

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _execute(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as fault:
            raise StoreError(f"{self._path}: the progress of the sync cannot be read ({fault})") from fault
