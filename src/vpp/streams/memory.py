"""The bus in memory: a bounded first-in-first-out queue between threads of one process.

Invariant: batches leave in the order in which they were published, each stays until it was acknowledged, and
never more than ``capacity`` are held. A producer that is too fast waits; it is refused, and nothing is dropped
in silence, when the consumer made no room in time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from threading import Condition

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import Readings


@dataclass(frozen=True, slots=True)
class BusCounts:
    """What a bus has done so far, in batches.

    Parameters
    ----------
    published, acknowledged : int
        Batches taken from producers and let go by the consumer.
    refused : int
        Batches not taken because the bus stayed full.
    held : int
        Batches held now: published less acknowledged.
    """

    published: int
    acknowledged: int
    refused: int
    held: int


class MemoryBus:
    """Carries readings from any number of threads to one consumer, in order.

    Parameters
    ----------
    capacity : int
        Most batches held, 1 or more.
    publish_timeout_s : float
        How long ``publish`` waits for room before it refuses [s], 0 or more.

    Examples
    --------
    >>> bus = MemoryBus(capacity=2)
    >>> bus.consume(), bus.counts().held
    ([], 0)
    """

    def __init__(self, *, capacity: int = 10_000, publish_timeout_s: float = 5.0) -> None:
        if capacity < 1:
            raise InvalidInputError("capacity", capacity, "1 or more batches")
        if not publish_timeout_s >= 0.0:
            raise InvalidInputError("publish_timeout_s", publish_timeout_s, "0 or more [s]")
        self._capacity = capacity
        self._publish_timeout_s = publish_timeout_s
        self._changed = Condition()
        self._queue: deque[Readings] = deque()
        self._delivered = 0
        self._published = 0
        self._acknowledged = 0
        self._refused = 0
        self._closed = False

    def publish(self, readings: Readings) -> None:
        """Hand over readings; returns when the bus holds them.

        Raises
        ------
        StoreError
            When the bus stayed full for ``publish_timeout_s``; the readings were not taken.
        ClosedError
            When the bus is or becomes closed.
        """
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: self._closed or len(self._queue) < self._capacity, self._publish_timeout_s
            )
            self._require_open()
            if not has_room:
                self._refused += 1
                raise StoreError(
                    f"the bus holds {self._capacity} batches and none was acknowledged within "
                    f"{self._publish_timeout_s:g} s; publish again later, or raise its capacity"
                )
            self._queue.append(readings)
            self._published += 1
            self._changed.notify_all()

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[Readings]:
        """Return the oldest batches that were not yet acknowledged, at most ``most``.

        Without an ``acknowledge`` between, the next call returns the same batches again.

        Parameters
        ----------
        most : int
            Largest number of batches, 1 or more.
        wait_s : float
            How long to wait for the first batch when there is none [s].
        """
        if most < 1:
            raise InvalidInputError("most", most, "1 or more batches")
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._queue), wait_s)
            self._require_open()
            batches = list(islice(self._queue, most))
            self._delivered = len(batches)
            return batches

    def acknowledge(self) -> None:
        """Forget what the last ``consume`` returned, because it is safely stored; again is harmless."""
        with self._changed:
            self._require_open()
            for _ in range(self._delivered):
                self._queue.popleft()
            self._acknowledged += self._delivered
            self._delivered = 0
            self._changed.notify_all()

    def counts(self) -> BusCounts:
        """Return what the bus has done so far; answers after ``close`` too."""
        with self._changed:
            return BusCounts(self._published, self._acknowledged, self._refused, len(self._queue))

    def close(self) -> None:
        """Refuse everything from now on and wake who waits; what was not acknowledged stays in ``counts().held``."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the bus was closed; make a new one")
