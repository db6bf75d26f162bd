"""The buffer: every reading is on the gateway's own disk before it counts, and stays until it was acknowledged.

While the link is up each polling of a node is a message of its own, sent at once. While it is down readings gather in
longer messages, which are sent afterwards beside the live ones. A message never changes once it may have been sent,
so that a copy of it is known by (node, boot, sequence).

Over capacity readings are dropped from the oldest message on that was never sent, and counted. Commands, answers and
events are not.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Ack, Command, Event, Readings
from vpp.core.ports import Clock
from vpp.core.time import epoch_s
from vpp.core.units import SECONDS_PER_DAY
from vpp.edge import buffer_rows as rows
from vpp.edge.buffer_file import BALLAST_BYTES, BufferFile
from vpp.edge.buffer_rows import Outgoing, Taken
from vpp.edge.buffer_shelf import MOST_ROWS_OF_A_MESSAGE, Shelf
from vpp.edge.buffer_writer import Request, Writer

_MOST_FRESH = 2_000
_FEWEST_ROWS = 1_000  # house: allow-1000, a count of rows


@dataclass(frozen=True, slots=True)
class BufferCounts:
    """How full a buffer is.

    Parameters
    ----------
    waiting_rows : int
        Readings that were not acknowledged yet.
    kept_rows : int
        Readings that were, and are kept for a while.
    oldest_s : int or None
        When the oldest waiting message was begun [epoch s]; None when nothing waits.
    dropped_rows : int
        Readings dropped since the file was made, because the buffer was over its capacity.
    shed_rows : int
        Readings that never got in since the file was made, because the disk was full or too slow.
    unsent_answers : int
        Answers to commands that were not acknowledged yet.
    halted : str
        Why nothing can be written now; empty while all is well.
    shedding : bool
        True while the disk is full and readings are not taken.
    """

    waiting_rows: int
    kept_rows: int
    oldest_s: int | None
    dropped_rows: int
    shed_rows: int
    unsent_answers: int
    halted: str
    shedding: bool


class Buffer:
    """Keeps what a gateway measured and was told; safe to share between threads.

    Parameters
    ----------
    path : Path
        The file; made when missing, its folder must exist.
    plant : str
        Plant id.
    boot : str
        Drawn anew at every start of the gateway.
    clock : Clock
        Tells when.
    capacity_rows : int
        Most readings held, acknowledged ones included, 1,000 or more.
    keep_s : int
        How long readings are kept after their acknowledgement [s], 0 or more; ``vpp edge sync`` reads them.
    ballast_bytes : int
        Room kept for commands on a full disk [bytes].

    Raises
    ------
    StoreError
        When the file cannot be opened, or another gateway uses it.
    """

    def __init__(
        self,
        path: Path,
        *,
        plant: str,
        boot: str,
        clock: Clock,
        capacity_rows: int = 5_000_000,
        keep_s: int = SECONDS_PER_DAY,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        if capacity_rows < _FEWEST_ROWS:
            raise InvalidInputError("capacity_rows", capacity_rows, f"{_FEWEST_ROWS} or more readings")
        if keep_s < 0:
            raise InvalidInputError("keep_s", keep_s, "0 or more [s]")
        self.plant = plant
        self.boot = boot
        self._clock = clock
        self._shelf = Shelf(plant=plant, boot=boot, capacity_rows=capacity_rows, keep_s=keep_s)
        self._lock = threading.Condition()
        self._live = False
        self._fresh: deque[Outgoing] = deque()
        self._handed: dict[int, int] = {}
        file = BufferFile(path, plant=plant, ballast_bytes=ballast_bytes)
        self._writer = Writer(file, reload=self._shelf.load, room=self._make_room)
        self._answers: deque[tuple[str, Ack]] = deque(self._writer.ask(rows.unsent_answers, wait_s=30.0))

    def record(self, node: str, readings: Readings) -> None:
        """Take the readings of one polling of a node; they count when they are on the disk.

        Returns at once. On a full or failed disk they are shed when too many wait, and counted.
        """
        for first in range(0, len(readings), MOST_ROWS_OF_A_MESSAGE):
            self._record(node, _part(readings, first))

    def go_live(self, live: bool) -> None:
        """Say whether the link is up: then every polling becomes a message that is sent at once."""
        with self._lock:
            self._live = live
            if not live:
                self._let_go(self._fresh)
                self._fresh.clear()
            self._lock.notify_all()

    def fresh(self, *, most: int, wait_s: float) -> tuple[list[tuple[str, Ack]], list[Outgoing]]:
        """Return the answers and the live messages that are to be sent; wait up to ``wait_s`` for the first."""
        with self._lock:
            self._lock.wait_for(lambda: self._answers or self._fresh, wait_s)
            answers = [self._answers.popleft() for _ in range(min(len(self._answers), most))]
            messages = [self._fresh.popleft() for _ in range(min(len(self._fresh), most))]
            return answers, messages

    def backlog(self, *, most_rows: int, most_messages: int = 500, wait_s: float = 30.0) -> list[Outgoing]:
        """Return messages that were not acknowledged and are not being sent: about ``most_rows`` readings of them.

        Those that may have been sent before come first, then the oldest.

        Raises
        ------
        StoreError
            When the disk failed.
        """

        def run(connection: Connection) -> list[Outgoing]:
            return self._shelf.backlog(connection, most_rows=most_rows, most_messages=most_messages, but=self._handed)

        found: list[Outgoing] = self._writer.ask(run, after=self._hand_out, wait_s=wait_s)
        return found

    def acknowledge(self, messages: Sequence[Outgoing]) -> None:
        """Forget that messages wait: the bus holds them. Returns at once."""

        def run(connection: Connection) -> None:
            self._shelf.acknowledge(connection, messages, now_s=self._now_s())

        self._writer.submit(Request(run, lambda _: self.release(messages)))

    def release(self, messages: Sequence[Outgoing]) -> None:
        """Say that messages could not be sent; they come again from ``backlog``."""
        with self._lock:
            self._let_go(messages)

    def recall(self, last_s: int) -> None:
        """Let be sent again what was acknowledged in the last seconds before the newest acknowledgement.

        A broker that crashed may have forgotten it. How long ago that was does not matter: nothing came in between.
        """

        def run(connection: Connection) -> list[tuple[str, Ack]]:
            newest_s = rows.newest_acknowledgement_s(connection)
            if newest_s is None:
                return []
            self._shelf.recall(connection, since_s=newest_s - last_s)
            return rows.answers_since(connection, since_s=newest_s - last_s)

        self._writer.submit(Request(run, self.answer_again))

    def take(self, commands: Sequence[tuple[str, Command]], *, wait_s: float = 10.0) -> list[Taken]:
        """Remember commands, each with its node, for ever; return what was known of them.

        Raises
        ------
        StoreError
            When they were not kept; then nothing may be executed.
        """
        now_s = self._now_s()
        taken: list[Taken] = self._writer.ask(
            lambda connection: [rows.take_command(connection, node, one, now_s=now_s) for node, one in commands],
            wait_s=wait_s,
        )
        return taken

    def answer(self, answers: Sequence[tuple[str, Ack]]) -> None:
        """Take answers to commands; they are sent once they are on the disk. Returns at once."""
        now_s = self._now_s()

        def run(connection: Connection) -> None:
            for _, ack in answers:
                rows.write_answer(connection, ack, now_s=now_s)

        # when not even the ballast made room for it, an answer that is not kept is better than none
        send = partial(self.answer_again, answers)
        self._writer.submit(Request(run, lambda _: send(), refused=send))

    def answer_again(self, answers: Sequence[tuple[str, Ack]]) -> None:
        """Send answers that are kept already."""
        with self._lock:
            self._answers.extend(answers)
            self._lock.notify_all()

    def answers_sent(self, answers: Sequence[tuple[str, Ack]]) -> None:
        """Say that the bus holds answers. Returns at once."""
        keys = [(self._now_s(), ack.command_id) for _, ack in answers]
        self._writer.submit(
            Request(lambda connection: connection.executemany("UPDATE commands SET sent_s = ? WHERE id = ?", keys))
        )

    def unanswered(self) -> list[tuple[str, Command]]:
        """Return the commands that have no answer, each with its node: after a start, those it was torn from."""
        found: list[tuple[str, Command]] = self._writer.ask(rows.unanswered, wait_s=30.0)
        return found

    def in_force(self) -> list[tuple[str, Command, Ack]]:
        """Return the commands that were answered and end later than now."""
        now_s = self._now_s()
        found: list[tuple[str, Command, Ack]] = self._writer.ask(
            lambda connection: rows.in_force(connection, now_s=now_s), wait_s=30.0
        )
        return found

    def note(self, event: Event) -> None:
        """Keep an event. Returns at once."""
        self._writer.submit(Request(lambda connection: rows.write_event(connection, event)))

    def latest_orders(self, *, most: int = 20) -> list[tuple[str, Command, Ack | None]]:
        """Return the newest commands with their answers, newest first."""
        found: list[tuple[str, Command, Ack | None]] = self._writer.ask(
            lambda connection: rows.latest_orders(connection, most=most), wait_s=2.0
        )
        return found

    def latest_events(self, *, most: int = 20) -> list[Event]:
        """Return the newest events, newest first."""
        found: list[Event] = self._writer.ask(
            lambda connection: rows.latest_events(connection, self.plant, most=most), wait_s=2.0
        )
        return found

    def counts(self) -> BufferCounts:
        """Return how full it is, without touching the disk."""
        return BufferCounts(
            self._shelf.waiting_rows,
            self._shelf.kept_rows,
            self._shelf.oldest_s if self._shelf.waiting_rows else None,
            self._shelf.dropped_rows,
            self._writer.shed_rows,
            len(self._answers),
            self._writer.halted or "",
            self._writer.shedding,
        )

    @property
    def has_backlog(self) -> bool:
        """True when something waits that is not being sent."""
        with self._lock:
            return self._shelf.waiting_rows > sum(self._handed.values())

    def settle(self, *, wait_s: float = 30.0) -> None:
        """Return when everything asked for so far is on the disk.

        Raises
        ------
        StoreError
            When it was not, in time.
        """
        self._writer.ask(lambda _: None, wait_s=wait_s)

    def close(self) -> None:
        """Write what was asked for and close the file."""
        self._writer.close()

    def _record(self, node: str, readings: Readings) -> None:

        def run(connection: Connection) -> Outgoing | None:
            live = self._live and len(self._fresh) < _MOST_FRESH
            return self._shelf.record(connection, node, readings, live=live, now_s=self._now_s())

        self._writer.submit(Request(run, self._recorded, len(readings)))

    def _recorded(self, message: Outgoing | None) -> None:
        if message is None:
            return
        with self._lock:
            if self._live:
                self._fresh.append(message)
                self._handed[message.id] = len(message.readings)
                self._lock.notify_all()

    def _hand_out(self, messages: list[Outgoing]) -> None:
        with self._lock:
            self._handed.update((message.id, len(message.readings)) for message in messages)

    def _let_go(self, messages: Iterable[Outgoing]) -> None:
        for message in messages:
            self._handed.pop(message.id, None)

    def _make_room(self, connection: Connection) -> None:
        self._shelf.forget_kept(connection, before_s=self._now_s() + 1)

    def _now_s(self) -> int:
        return epoch_s(self._clock.now())


def _part(readings: Readings, first: int) -> Readings:
    """Return the readings of one message, from a place on."""
    if len(readings) <= MOST_ROWS_OF_A_MESSAGE:
        return readings
    rows_of = slice(first, first + MOST_ROWS_OF_A_MESSAGE)
    names = ("series", "time_s", "issued_s", "arrived_s", "value", "quality")
    return replace(readings, **{name: getattr(readings, name)[rows_of] for name in names})
