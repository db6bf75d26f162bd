"""The sender: answers first, then what is live, then what gathered while the link was down, at a bounded rate.

Invariant: what it took from the buffer it gives back or has acknowledged; nothing is forgotten because a link broke.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from vpp.core.errors import ClosedError, StoreError
from vpp.edge.buffer import Buffer
from vpp.edge.buffer_rows import Outgoing
from vpp.edge.head_end import HeadEnd, NodeFacts
from vpp.edge.steady import steady_s

log = logging.getLogger(__name__)
_MOST_AT_ONCE = 128
_FEWEST_AT_ONCE = 16
_BACKLOG_ROWS = 2_000
_SHORTEST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0


class Sender:
    """Carries what is in the buffer to the head-end, on a thread of its own.

    Parameters
    ----------
    buffer : Buffer
        Where things wait.
    head_end : HeadEnd
        Where they go.
    statuses : callable
        Returns the status of every node, given whether it is to be online.
    status_every_s : float
        Time between two status messages [s], above 0.
    backfill_rows_per_s : float
        Most readings a second of what gathered while the link was down, above 0.
    recall_s : int
        After a break what was acknowledged in the last so many seconds is sent again [s], 0 or more.
    on_link : callable
        Told when the link goes up or down, with the reason.
    """

    def __init__(
        self,
        buffer: Buffer,
        head_end: HeadEnd,
        *,
        statuses: Callable[[bool], list[NodeFacts]],
        status_every_s: float,
        backfill_rows_per_s: float,
        recall_s: int,
        on_link: Callable[[bool, str], None],
    ) -> None:
        self._buffer = buffer
        self._head_end = head_end
        self._statuses = statuses
        self._status_every_s = status_every_s
        self._rows_per_s = backfill_rows_per_s
        self._recall_s = recall_s
        self._on_link = on_link
        self._stopping = threading.Event()
        self._connections = 0
        self._at_once = _MOST_AT_ONCE
        self._status_at_s = 0.0
        self._allowance = 0.0
        self._allowed_s = steady_s()
        self.is_up = self._told_down = False
        self.sent_messages = self.sent_rows = self.sent_answers = 0
        self._thread = threading.Thread(target=self._work, name="vpp-edge-sender", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, *, wait_s: float) -> None:
        """Send what is at hand and that the nodes go offline, then let go of the head-end and end."""
        self._stopping.set()
        if not self.is_up:  # nobody would hear it, and a send that waits is cut short
            self._head_end.close()
        self._thread.join(wait_s)
        self._head_end.close()

    def _work(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                if self.is_up:
                    self._send_some()
                    failures = 0
                else:
                    self._connect()
            except StoreError as fault:
                self._down(str(fault))
                failures += 1
                wait_s = min(_SHORTEST_WAIT_S * 2.0 ** (failures - 1), _LONGEST_WAIT_S)
                self._stopping.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311, jitter
            except ClosedError:
                break
        if self.is_up:
            self._say_goodbye()
        self._buffer.go_live(False)

    def _connect(self) -> None:
        """Find out by the statuses, and a first message if one waits, whether the other end takes what is sent."""
        probe = self._buffer.backlog(most_rows=1, most_messages=1) if self._buffer.has_backlog else []
        try:
            self._head_end.send(answers=(), messages=probe, statuses=self._statuses(True))
        except (StoreError, ClosedError):
            self._buffer.release(probe)
            raise
        self._recall_after_a_break()
        if probe:
            self._buffer.acknowledge(probe)
        self._status_at_s = steady_s() + self._status_every_s
        self.is_up, self._told_down = True, False
        self._buffer.go_live(True)
        self._on_link(True, "")

    def _send_some(self) -> None:
        self._recall_after_a_break()
        wait_s = 0.0 if self._may_backfill() else 0.1
        answers, messages = self._buffer.fresh(most=self._at_once, wait_s=wait_s)
        statuses: list[NodeFacts] = []
        if steady_s() >= self._status_at_s:
            statuses = self._statuses(True)
            self._status_at_s = steady_s() + self._status_every_s
        try:
            if not answers and len(messages) < self._at_once and self._may_backfill():
                messages += self._backlog()
            if not (answers or messages or statuses):
                return
            self._head_end.send(answers=answers, messages=messages, statuses=statuses)
        except (StoreError, ClosedError):
            self._buffer.release(messages)
            self._buffer.answer_again(answers)
            self._at_once = max(self._at_once // 2, _FEWEST_AT_ONCE)
            raise
        self._at_once = min(self._at_once * 2, _MOST_AT_ONCE)
        self._recall_after_a_break()
        if messages:
            self._buffer.acknowledge(messages)
        if answers:
            self._buffer.answers_sent(answers)
        self.sent_answers += len(answers)
        self.sent_messages += len(messages)
        self.sent_rows += sum(len(message.readings) for message in messages)

    def _recall_after_a_break(self) -> None:
        """Let the last of what was sent be sent again on a new connection: a broker that crashed may have lost it.

        The first connection counts too. A link that is only slow gets nothing twice: that would make it slower.
        It comes before the first acknowledgement of the new connection, for it counts back from the newest one.
        """
        connections = self._head_end.connections()
        if connections != self._connections:
            self._connections = connections
            self._buffer.recall(self._recall_s)

    def _backlog(self) -> list[Outgoing]:
        most_rows = int(min(self._allowance, _BACKLOG_ROWS))
        backlog = self._buffer.backlog(most_rows=most_rows, most_messages=self._at_once)
        self._allowance -= sum(len(message.readings) for message in backlog)
        return backlog

    def _may_backfill(self) -> bool:
        """Tell whether there is something to back-fill, and whether its rate allows some now."""
        now_s = steady_s()
        earned = (now_s - self._allowed_s) * self._rows_per_s
        self._allowed_s = now_s
        self._allowance = min(self._allowance + earned, max(self._rows_per_s, 1.0))
        return self._allowance >= 1.0 and self._buffer.has_backlog

    def _down(self, why: str) -> None:
        self._buffer.go_live(False)
        self.is_up = False
        if not self._told_down:
            self._on_link(False, why)
            self._told_down = True

    def _say_goodbye(self) -> None:
        try:
            self._send_some()
            self._head_end.send(answers=(), messages=(), statuses=self._statuses(False))
        except (StoreError, ClosedError) as fault:
            log.warning("the head-end was not told that this gateway stops: %s", fault)
