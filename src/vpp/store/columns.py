"""One series in memory: growing columns, sorted by time, then arrival, then revision.

Invariant: the columns are always in that order and hold no row twice; what is known about their shape
(``step_s``, ``unique``, ``in_arrival_order``) never claims more than is true, so that reads may trust it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.time import TimeGrid
from vpp.store.placing import FOREVER_S, Rows, place, winners

Floats = NDArray[np.float64]

IRREGULAR = -1
FIRST_CAPACITY = 64


class SeriesColumns:
    """All revisions of one series.

    Attributes
    ----------
    count : int
        Rows held.
    step_s : int
        Spacing [s] when all rows stand equally apart; 0 with fewer than two rows, ``IRREGULAR`` otherwise.
    unique : bool
        True when no time has a second revision.
    in_arrival_order : bool
        True when no row arrived before the one ahead of it.
    """

    __slots__ = ("_columns", "_last_arrived_s", "_last_s", "count", "in_arrival_order", "step_s", "unique")

    def __init__(self) -> None:
        self._columns = _allocate(FIRST_CAPACITY)
        self._last_s = -FOREVER_S
        self._last_arrived_s = -FOREVER_S
        self.count = 0
        self.step_s = 0
        self.unique = True
        self.in_arrival_order = True

    @property
    def rows(self) -> Rows:
        """All rows, as views."""
        return self._columns.take(slice(0, self.count))

    def append(self, row: tuple[int, int, int, float, int]) -> int:
        """Take one row (time, issue, arrival, value, quality) and return 1 when it was new."""
        time_s, issued_s, arrived_s, value, quality = row
        if time_s <= self._last_s:
            return self._merge(Rows(*(np.array([field]) for field in row)))
        count = self.count
        columns = self._columns
        if count == columns.time_s.size:
            columns = self._grow(count + 1)
        columns.time_s[count] = time_s
        columns.issued_s[count] = issued_s
        columns.arrived_s[count] = arrived_s
        # Adding zero turns a negative zero into zero, as it comes back from a SQL store.
        columns.value[count] = value + 0.0
        columns.quality[count] = quality
        if count:
            gap_s = time_s - self._last_s
            if gap_s != self.step_s:
                self.step_s = gap_s if count == 1 else IRREGULAR
            if arrived_s < self._last_arrived_s:
                self.in_arrival_order = False
        self._last_s = time_s
        self._last_arrived_s = arrived_s
        self.count = count + 1
        return 1

    def extend(self, rows: Rows) -> int:
        """Take many rows in the order they were written and return how many were new."""
        size = rows.time_s.size
        if not size:
            return 0
        if rows.time_s[0] <= self._last_s or (size > 1 and (np.diff(rows.time_s) <= 0).any()):
            return self._merge(rows)
        if self.count + size > self._columns.time_s.size:
            self._grow(self.count + size)
        for column, added in zip(self._columns, rows, strict=True):
            column[self.count : self.count + size] = added
        self._columns.value[self.count : self.count + size] += 0.0
        self.count += size
        self._describe()
        return int(size)

    def read(self, start_s: int, end_s: int, known_s: int) -> Rows:
        """Return the winning rows from ``start_s`` to before ``end_s`` that had arrived by ``known_s`` [epoch s]."""
        first, last = np.searchsorted(self._columns.time_s[: self.count], (start_s, end_s))
        rows = self._columns.take(slice(int(first), int(last)))
        if known_s < FOREVER_S:
            rows = rows.take(rows.arrived_s <= known_s)
        return rows if self.unique else rows.take(winners(rows.time_s))

    def newest(self, known_s: int) -> tuple[int, int, int, float, int] | None:
        """Return the newest row that had arrived by ``known_s`` [epoch s]; None when there is none."""
        if self.count and self._last_arrived_s <= known_s:
            last = self.count - 1
        else:
            known = np.flatnonzero(self.rows.arrived_s <= known_s)
            if not known.size:
                return None
            last = int(known[-1])
        time_s, issued_s, arrived_s, value, quality = self._columns
        return (
            int(time_s[last]),
            int(issued_s[last]),
            int(arrived_s[last]),
            float(value[last]),
            int(quality[last]),
        )

    def fill(self, out: Floats, grid: TimeGrid, *, known_s: int) -> None:
        """Write the means over the steps of a grid into ``out``, shape (grid.count,), which holds NaN."""
        if self.step_s != grid.resolution_s or not (self.unique and self.in_arrival_order):
            rows = self.read(grid.start_s, grid.end_s, known_s)
            out[:] = place(rows.time_s, rows.value, grid)
            return
        columns, res_s = self._columns, grid.resolution_s
        origin, rest_s = divmod(int(columns.time_s[0]) - grid.start_s, res_s)
        if rest_s:
            rows = self.read(grid.start_s, grid.end_s, known_s)
            out[:] = place(rows.time_s, rows.value, grid)
            return
        # Rows and steps run in parallel: row i stands on step origin + i.
        first, last = max(0, -origin), min(self.count, grid.count - origin)
        if last > first and columns.arrived_s[last - 1] > known_s:
            last = first + int(np.searchsorted(columns.arrived_s[first:last], known_s, side="right"))
        if last > first:
            out[origin + first : origin + last] = columns.value[first:last]

    def _merge(self, added: Rows) -> int:
        """Sort rows in among those held, leaving out what is there already."""
        start = int(np.searchsorted(self._columns.time_s[: self.count], added.time_s.min()))
        tail = self._columns.take(slice(start, self.count))
        both = Rows.joined((tail, added))
        both.value[:] += 0.0
        # Equal rows become neighbours, the one written first ahead (lexsort is stable).
        order = np.lexsort((both.quality, both.value, both.issued_s, both.arrived_s, both.time_s))
        alike = np.ones(order.size, dtype=bool)
        alike[0] = False
        for name in Rows._fields:
            column = getattr(both, name)[order]
            alike[1:] &= column[1:] == column[:-1]
        kept = both.take(np.sort(order[~alike]))
        kept = kept.take(np.lexsort((kept.arrived_s, kept.time_s)))
        size = kept.time_s.size
        if start + size > self._columns.time_s.size:
            self._grow(start + size)
        for column, sorted_in in zip(self._columns, kept, strict=True):
            column[start : start + size] = sorted_in
        new = start + size - self.count
        self.count = start + size
        self._describe()
        return new

    def _describe(self) -> None:
        """Take stock of the shape of the columns."""
        rows = self.rows
        gaps_s = np.diff(rows.time_s)
        self._last_s = int(rows.time_s[-1])
        self._last_arrived_s = int(rows.arrived_s[-1])
        self.unique = bool((gaps_s > 0).all())
        self.in_arrival_order = bool((np.diff(rows.arrived_s) >= 0).all())
        self.step_s = 0
        if gaps_s.size:
            self.step_s = int(gaps_s[0]) if gaps_s[0] > 0 and (gaps_s == gaps_s[0]).all() else IRREGULAR

    def _grow(self, needed: int) -> Rows:
        """Double the room until ``needed`` rows fit."""
        grown = _allocate(max(needed, 2 * self._columns.time_s.size))
        for new, old in zip(grown, self._columns, strict=True):
            new[: self.count] = old[: self.count]
        self._columns = grown
        return grown


def _allocate(capacity: int) -> Rows:
    integers = (np.empty(capacity, dtype=np.int64) for _ in range(4))
    return Rows(next(integers), next(integers), next(integers), np.empty(capacity), next(integers))
