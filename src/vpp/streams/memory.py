"""The bus in memory: a bounded first-in-first-out queue between threads of one process.

Invariant: items leave in the order in which they were published, each stays until it was acknowledged, and
never more than ``capacity`` are held. A producer that is too fast waits; it is refused, and nothing is dropped
in silence, when the consumer made no room in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from math import nan
from threading import Condition
from typing import Generic, TypeVar

from vpp.core.errors import ClosedError, InvalidInputError, StoreError

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class BusCounts:
    """What a bus has done so far, in items.

    Parameters
    ----------
    published, acknowledged : int
        Items taken from producers and let go by the consumer.
    refused : int
        Items not taken because the bus stayed full.
    held : int
        Items held now and not acknowledged.
    dropped : int
        Items that came without the promise of coming again and found no room.
    connections : int
        How often a broker took the connection; more than one tells of breaks.
    newest_s : float
        When the newest item handed out was put on the bus [epoch s], where the bus knows; else NaN.
    """

    published: int
    acknowledged: int
    refused: int
    held: int
    dropped: int = 0
    connections: int = 0
    newest_s: float = nan


class MemoryBus(Generic[ItemT]):
    """Carries items from any number of threads to one consumer, in order.

    Parameters
    ----------
    capacity : int
        Most items held, 1 or more.
    publish_timeout_s : float
        How long ``publish`` waits for room before it refuses [s], 0 or more.

    Examples
    --------
    >>> bus = MemoryBus[str](capacity=2)
    >>> bus.publish(["a"])
    >>> bus.consume(), bus.counts().held
    (['a'], 1)
    """

    def __init__(self, *, capacity: int = 10_000, publish_timeout_s: float = 5.0) -> None:
        if capacity < 1:
            raise InvalidInputError("capacity", capacity, "1 or more items")
        if not publish_timeout_s >= 0.0:
            raise InvalidInputError("publish_timeout_s", publish_timeout_s, "0 or more [s]")
        self._capacity = capacity
        self._publish_timeout_s = publish_timeout_s
        self._changed = Condition()
        self._queue: deque[ItemT] = deque()
        self._delivered = 0
        self._published = 0
        self._acknowledged = 0
        self._refused = 0
        self._closed = False

    def publish(self, items: Sequence[ItemT]) -> None:
        """Hand over items, one after the other; returns when the bus holds them all.

        Raises
        ------
        StoreError
            When the bus stayed full for ``publish_timeout_s``; it says how many of the items were taken.
        ClosedError
            When the bus is or becomes closed.
        """
        with self._changed:
            self._require_open()
            for taken, item in enumerate(items):
                has_room = self._changed.wait_for(
                    lambda: self._closed or len(self._queue) < self._capacity, self._publish_timeout_s
                )
                self._require_open()
                if not has_room:
                    self._refused += len(items) - taken
                    raise StoreError(
                        f"the bus holds {self._capacity} items and none was acknowledged within "
                        f"{self._publish_timeout_s:g} s ({taken} of {len(items)} were taken); publish the others "
                        "later, or raise its capacity"
                    )
                self._queue.append(item)
                self._published += 1
                self._changed.notify_all()

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[ItemT]:
        """Return the oldest items that were not yet acknowledged, at most ``most``.

        Without an ``acknowledge`` between, the next call returns the same items again.

        Parameters
        ----------
        most : int
            Largest number of items, 1 or more.
        wait_s : float
            How long to wait for the first when there is none [s].
        """
        if most < 1:
            raise InvalidInputError("most", most, "1 or more items")
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._queue), wait_s)
            self._require_open()
            items = list(islice(self._queue, most))
            self._delivered = len(items)
            return items

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
