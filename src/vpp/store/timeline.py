"""A run of items in order of time, for what a memory store keeps whole."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Timeline(Generic[ItemT]):
    """Items ordered by time, those of the same time in the order they came.

    Parameters
    ----------
    keep : int, optional
        How many of the newest to keep; all by default.

    Examples
    --------
    >>> from vpp.core.time import from_epoch_s
    >>> line = Timeline[str](keep=2)
    >>> for second, item in enumerate("abc"):
    ...     line.add(from_epoch_s(second), item)
    >>> line.newest(by=from_epoch_s(1)), len(line)
    ('b', 2)
    """

    __slots__ = ("_items", "_keep", "_times")

    def __init__(self, *, keep: int | None = None) -> None:
        self._keep = keep
        self._times: list[datetime] = []
        self._items: list[ItemT] = []

    def __len__(self) -> int:
        """Return the number of items kept."""
        return len(self._items)

    def add(self, at: datetime, item: ItemT) -> None:
        """Take an item at an aware time."""
        if not self._times or at >= self._times[-1]:
            self._times.append(at)
            self._items.append(item)
        else:
            place = bisect_right(self._times, at)
            self._times.insert(place, at)
            self._items.insert(place, item)
        if self._keep is not None and len(self._items) > self._keep:
            del self._times[0], self._items[0]

    def between(self, start: datetime, end: datetime) -> list[ItemT]:
        """Return the items from ``start`` to before ``end``."""
        return self._items[bisect_left(self._times, start) : bisect_left(self._times, end)]

    def newest(self, *, by: datetime | None = None) -> ItemT | None:
        """Return the newest item that is not after ``by``; None when there is none."""
        place = len(self._items) if by is None else bisect_right(self._times, by)
        return self._items[place - 1] if place else None

    def last(self, most: int) -> list[ItemT]:
        """Return up to ``most`` newest items, newest first."""
        return self._items[: -most - 1 : -1] if most > 0 else []
