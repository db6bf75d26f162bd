"""The shelf: which message a reading goes into, which messages wait, and which are dropped. Used by one thread.

Invariant: a message that may have been sent is never changed and never dropped. Positions rise in the order in which
messages are closed, and none is used twice, not even after a crash.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from vpp.core.messages import Readings, SeriesKey
from vpp.edge import buffer_rows as rows
from vpp.edge.buffer_rows import Outgoing
from vpp.edge.buffer_writer import read_counter, write_counter

MOST_ROWS_OF_A_MESSAGE = 500
_LONGEST_OPEN_S = 300
_MOST_FORGOTTEN = 500
_TIDY_EVERY_S = 30


@dataclass(slots=True)
class _Open:
    """A message that readings are still added to; ``rows`` numbers the next of them."""

    id: int
    rows: int
    opened_s: int


class Shelf:
    """Arranges readings into messages.

    Parameters
    ----------
    plant : str
        Plant id.
    boot : str
        Boot id of the gateway; the sequence of every node begins at 0.
    capacity_rows : int
        Most readings held.
    keep_s : int
        How long readings are kept after their acknowledgement [s].
    """

    def __init__(self, *, plant: str, boot: str, capacity_rows: int, keep_s: int) -> None:
        self._plant = plant
        self._boot = boot
        self._capacity_rows = capacity_rows
        self._keep_s = keep_s
        self._series: dict[SeriesKey, int] = {}
        self._sequences: dict[str, int] = {}
        self._open: dict[str, _Open] = {}
        self._next_message = self._next_position = 1
        self._tidy_at_s = self._looked_s = 0
        self.waiting_rows = self.kept_rows = self.dropped_rows = 0
        self.oldest_s: int | None = None

    def load(self, connection: Connection) -> None:
        """Bring memory to what is on the disk; numbers that were drawn are not drawn again."""
        self._series.clear()
        self._open.clear()
        self._next_message = max(self._next_message, read_counter(connection, "next_message"))
        self._next_position = max(self._next_position, read_counter(connection, "next_position"))
        self.dropped_rows = read_counter(connection, "dropped_rows")
        self.waiting_rows = rows.waiting_rows(connection)
        self.kept_rows = rows.kept_rows(connection)
        self.oldest_s = rows.oldest_waiting_s(connection)

    def record(
        self, connection: Connection, node: str, readings: Readings, *, live: bool, now_s: int
    ) -> Outgoing | None:
        """Keep readings; return the message they became when the link is up, None when they wait for it."""
        ids = [self._series_id(connection, key) for key in readings.keys]
        message = None
        if live:
            key, sequence = self._begin(connection, node, now_s=now_s, position=self._position(connection))
            rows.append_readings(connection, key, 0, ids, readings)
            message = Outgoing(key, node, self._boot, sequence, readings)
        else:
            target = self._open_for(connection, node, now_s)
            rows.append_readings(connection, target.id, target.rows, ids, readings)
            target.rows += len(readings)
        self.waiting_rows += len(readings)
        self._tidy(connection, now_s)
        return message

    def backlog(
        self, connection: Connection, *, most_rows: int, most_messages: int, but: Container[int]
    ) -> list[Outgoing]:
        """Return messages that wait, those first that may have been sent, then the oldest; they are closed now."""
        chosen: list[tuple[int, str, str, int]] = []
        total = 0
        for attempted in (1, 0):
            waiting = connection.execute(
                "SELECT id, node, boot, sequence, rows FROM messages "
                "WHERE acknowledged_s IS NULL AND attempted = ? ORDER BY id",
                (attempted,),
            )
            for key, node, boot, sequence, count in waiting:
                if total >= most_rows or len(chosen) >= most_messages:
                    break
                if key not in but:
                    chosen.append((key, node, boot, sequence))
                    total += count
        for key, node, _, _ in chosen:
            self._close(connection, key, node)
        return [Outgoing(*head, rows.read_readings(connection, head[0], self._plant)) for head in chosen]

    def acknowledge(self, connection: Connection, messages: Sequence[Outgoing], *, now_s: int) -> None:
        """Remember that the bus holds messages."""
        keys = [(now_s, message.id) for message in messages]
        connection.executemany("UPDATE messages SET acknowledged_s = ? WHERE id = ?", keys)
        total = sum(len(message.readings) for message in messages)
        self.waiting_rows -= total
        self.kept_rows += total
        self._tidy(connection, now_s)

    def recall(self, connection: Connection, *, since_s: int) -> None:
        """Let what was acknowledged since a moment wait again."""
        connection.execute("UPDATE messages SET acknowledged_s = NULL WHERE acknowledged_s >= ?", (since_s,))
        self.waiting_rows, self.kept_rows = rows.waiting_rows(connection), rows.kept_rows(connection)

    def forget_kept(self, connection: Connection, *, before_s: int) -> None:
        """Delete what was acknowledged before a moment, some of it at a time."""
        self.kept_rows -= rows.forget_kept(connection, before_s=before_s, most=_MOST_FORGOTTEN)

    def _series_id(self, connection: Connection, key: SeriesKey) -> int:
        number = self._series.get(key)
        if number is None:
            number = self._series[key] = rows.series_id(connection, key)
        return number

    def _open_for(self, connection: Connection, node: str, now_s: int) -> _Open:
        found = self._open.get(node)
        if found is not None and found.rows < MOST_ROWS_OF_A_MESSAGE and now_s - found.opened_s < _LONGEST_OPEN_S:
            return found
        if found is not None:
            self._place(connection, found.id)
        key, _ = self._begin(connection, node, now_s=now_s, position=None)
        self._open[node] = _Open(key, 0, now_s)
        return self._open[node]

    def _begin(self, connection: Connection, node: str, *, now_s: int, position: int | None) -> tuple[int, int]:
        key = self._next_message
        self._next_message += 1
        sequence = self._sequences.get(node, 0)
        self._sequences[node] = sequence + 1
        write_counter(connection, "next_message", self._next_message)
        rows.insert_message(connection, key, node, self._boot, sequence, opened_s=now_s, position=position)
        return key, sequence

    def _close(self, connection: Connection, key: int, node: str) -> None:
        """Mark a message as one that may have been sent; nothing is added to it any more."""
        if node in self._open and self._open[node].id == key:
            del self._open[node]
        self._place(connection, key)
        connection.execute("UPDATE messages SET attempted = 1 WHERE id = ?", (key,))

    def _place(self, connection: Connection, key: int) -> None:
        placed = connection.execute(
            "UPDATE messages SET position = ? WHERE id = ? AND position IS NULL", (self._next_position, key)
        ).rowcount
        if placed:
            self._position(connection)

    def _position(self, connection: Connection) -> int:
        position = self._next_position
        self._next_position += 1
        write_counter(connection, "next_position", self._next_position)
        return position

    def _tidy(self, connection: Connection, now_s: int) -> None:
        """Forget what was kept long enough, and drop the oldest when there is too much."""
        if now_s != self._looked_s:
            self._looked_s = now_s
            self.oldest_s = rows.oldest_waiting_s(connection)
        if now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + _TIDY_EVERY_S
            self.forget_kept(connection, before_s=now_s - self._keep_s)
        while self.kept_rows and self.waiting_rows + self.kept_rows > self._capacity_rows:
            before = self.kept_rows
            self.forget_kept(connection, before_s=now_s + 1)
            if self.kept_rows == before:
                break
        if self.waiting_rows > self._capacity_rows:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        """Drop what is too much, from the oldest message on that was never sent, reading by reading."""
        excess = self.waiting_rows - self._capacity_rows
        found = connection.execute(
            "SELECT id, node, rows FROM messages WHERE acknowledged_s IS NULL AND attempted = 0 ORDER BY id LIMIT ?",
            (excess,),
        ).fetchall()
        for key, node, count in found:
            dropped = min(count, excess)
            if dropped == count:
                rows.forget(connection, [(key, count)])
            else:
                rows.forget_first(connection, key, dropped)
            # what comes from its node is newer and goes to the end of the queue
            if node in self._open and self._open[node].id == key:
                del self._open[node]
                self._place(connection, key)
            excess -= dropped
            self.waiting_rows -= dropped
            self.dropped_rows += dropped
            if not excess:
                break
        write_counter(connection, "dropped_rows", self.dropped_rows)
