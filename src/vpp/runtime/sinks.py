"""Sinks: second homes of what was kept. They run behind their own queue and never hold up what feeds them.

Invariant: giving never waits. What a sink has no room for is dropped and counted, by the row; what it holds is tried
again while its server is away. The store has it all: a sink is filled after the commit and promises nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError
from vpp.core.messages import Ack, Command, Readings
from vpp.runtime.sink_mongo import SCHEMES, open_mongo
from vpp.streams.wire import NodeStatus

log = logging.getLogger(__name__)
MOST_ROWS = 200_000
FAREWELL_S = 5.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 30.0


@runtime_checkable
class Sink(Protocol):
    """Takes copies of what was kept; the same again changes nothing where its server can tell."""

    def write(self, readings: Readings) -> None:
        """Write readings.

        Raises
        ------
        StoreError
            When its server cannot take them now; they may be written again.
        InvalidInputError
            When it never will.
        """
        ...

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Write commands; raises as ``write``."""
        ...

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Write answers of devices; raises as ``write``."""
        ...

    def write_nodes(self, statuses: Sequence[NodeStatus]) -> None:
        """Write how nodes are; of one node the newest is kept. Raises as ``write``."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What a queued sink did so far, in rows: readings, commands, answers and statuses alike.

    Parameters
    ----------
    written, dropped : int
        Handed to the sink and kept there, and lost.
    waiting : int
        In the queue, or on their way.
    retries : int
        How often something was tried again.
    """

    written: int
    dropped: int
    waiting: int
    retries: int


_Work: TypeAlias = tuple[int, Callable[[], None]]


class QueuedSink:
    """A sink behind a bounded queue and a thread of its own.

    Parameters
    ----------
    sink : Sink
        Where it goes.
    most_rows : int
        Rows held at most, 1 or more; beyond, what comes is dropped and counted.
    farewell_s : float
        How long ``close`` waits for what is held [s].
    seed : int, optional
        Of the jitter between tries.
    """

    def __init__(
        self, sink: Sink, *, most_rows: int = MOST_ROWS, farewell_s: float = FAREWELL_S, seed: int | None = None
    ) -> None:
        if most_rows < 1:
            raise InvalidInputError("most_rows", most_rows, "1 or more rows")
        self._sink = sink
        self._most_rows = most_rows
        self._farewell_s = farewell_s
        self._random = np.random.default_rng(seed)
        self._changed = threading.Condition()
        self._queue: deque[_Work] = deque()
        self._written = self._dropped = self._waiting = self._retries = 0
        self._told = False
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def write(self, readings: Readings) -> None:
        """Hand over readings; returns at once."""
        self._put(len(readings), lambda: self._sink.write(readings))

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Hand over commands; returns at once."""
        kept = tuple(commands)
        self._put(len(kept), lambda: self._sink.write_commands(kept))

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Hand over answers; returns at once."""
        kept = tuple(acks)
        self._put(len(kept), lambda: self._sink.write_acks(kept))

    def write_nodes(self, statuses: Sequence[NodeStatus]) -> None:
        """Hand over how nodes are; returns at once."""
        kept = tuple(statuses)
        self._put(len(kept), lambda: self._sink.write_nodes(kept))

    def counts(self) -> SinkCounts:
        """Return what it did so far; after ``close``, nothing waits: it was written or dropped."""
        with self._changed:
            return SinkCounts(self._written, self._dropped, self._waiting, self._retries)

    def close(self) -> None:
        """Write what is held, for a while, and release the sink; what is left then is dropped and counted."""
        if self._closing.is_set():
            return
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(self._farewell_s)
        self._abandoned.set()
        self._thread.join()
        self._sink.close()

    def _put(self, rows: int, work: Callable[[], None]) -> None:
        if not rows:
            return
        with self._changed:
            if self._closing.is_set() or self._waiting + rows > self._most_rows:
                self._dropped += rows
                return
            self._waiting += rows
            self._queue.append((rows, work))
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing.is_set())
                if not self._queue:
                    return
                rows, work = self._queue.popleft()
            written = self._until_done(work)
            with self._changed:
                self._waiting -= rows
                if written:
                    self._written += rows
                else:
                    self._dropped += rows

    def _until_done(self, work: Callable[[], None]) -> bool:
        failures = 0
        while not self._abandoned.is_set():
            try:
                work()
            except InvalidInputError as fault:
                log.warning("a sink will not take what it was given, it is dropped: %s", fault)
                return False
            except StoreError as fault:
                failures += 1
                self._tell_away(fault)
                bound_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures, 20))
                if self._abandoned.wait(float(self._random.uniform(0.0, bound_s))):
                    return False
                with self._changed:
                    self._retries += 1
            else:
                self._tell_back()
                return True
        return False

    def _tell_away(self, fault: StoreError) -> None:
        if not self._told:
            self._told = True
            log.warning("a sink is away (%s); up to %d rows wait for it, more are dropped", fault, self._most_rows)

    def _tell_back(self) -> None:
        if self._told:
            self._told = False
            log.warning("the sink is back; %d rows were dropped so far", self.counts().dropped)


def open_sink(url: str) -> QueuedSink:
    """Open the sink that a URL names, behind its queue.

    Parameters
    ----------
    url : str
        ``mongodb://host:27017/database`` or ``mongodb+srv://...``; secrets in it are not repeated.

    Raises
    ------
    UnknownNameError
        When no sink has that scheme.
    InvalidInputError
        When the URL cannot be read or names no database.
    MissingExtraError
        When ``pymongo`` is not installed.
    """
    scheme, mark, _ = url.partition("://")
    if not mark or scheme not in SCHEMES:
        raise UnknownNameError("sink URL scheme", scheme[:40], [f"{name}://" for name in SCHEMES])
    return QueuedSink(open_mongo(url))
