"""Reading a gateway's buffer from outside, while the gateway writes it: what ``vpp edge sync`` goes by."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vpp.core.errors import StoreError
from vpp.core.messages import Origin
from vpp.edge.buffer_rows import read_readings
from vpp.edge.sync.source import Buffered


class BufferReader:
    """A buffer as a ``RowSource``: its messages, acknowledged or not, in the order in which they were closed.

    Parameters
    ----------
    path : Path
        The file; it must exist.

    Raises
    ------
    StoreError
        When it is not there or no buffer. Every method raises it when the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise StoreError(f"{path}: there is no buffer; `vpp edge run` makes it")
        self._path = path
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=5.0,
                isolation_level=None,
                check_same_thread=False,
            )
            facts = dict(self._connection.execute("SELECT name, value FROM facts"))
            self._identity, self.plant = str(facts["identity"]), str(facts["plant"])
        except (sqlite3.Error, KeyError) as fault:
            raise StoreError(f"{path}: this is no gateway's buffer ({fault})") from fault

    @property
    def identity(self) -> str:
        """Drawn when the file was made."""
        return self._identity

    def after(self, position: int, *, most: int) -> list[Buffered]:
        """Return the messages behind ``position``, ascending: about ``most`` readings in all, one message at least."""
        try:
            self._connection.execute("BEGIN")  # one moment's view: the gateway deletes as it goes
            heads = self._connection.execute(
                "SELECT position, id, node, boot, sequence, rows FROM messages WHERE position > ? ORDER BY position",
                (position,),
            )
            found: list[Buffered] = []
            total = 0
            for place, key, node, boot, sequence, count in heads:
                if found and total + count > most:
                    break
                readings = read_readings(self._connection, key, self.plant)
                found.append(Buffered(place, Origin(self.plant, node, boot, sequence), readings))
                total += count
        except sqlite3.Error as fault:
            raise StoreError(f"{self._path}: {fault}") from fault
        finally:
            if self._connection.in_transaction:
                self._connection.rollback()
        return found

    def span(self) -> tuple[int, int] | None:
        """Return the lowest and the highest position held; None when nothing is."""
        try:
            low, high = self._connection.execute("SELECT min(position), max(position) FROM messages").fetchone()
        except sqlite3.Error as fault:
            raise StoreError(f"{self._path}: {fault}") from fault
        return None if low is None else (int(low), int(high))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
