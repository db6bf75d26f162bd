"""Where everything stands in a plan's linear program: the structure that fixes the matrix, and the matrix.

Invariant: what depends on the plant alone (pattern, coefficients, ratings) is made once per ``Structure`` and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery, HeatPump
from vpp.optimization.battery_table import BatteryTable
from vpp.optimization.problem import Floats

Integers = NDArray[np.int32]


class Additions(NamedTuple):
    """What a problem has besides batteries and meters, as far as it shapes the matrix.

    Windows, needs, prices and weather are bounds, costs and right-hand sides: they change without a new matrix.
    """

    goals: tuple[tuple[int, float], ...]
    """Site and efficiency of each car and interruptible load."""
    houses: tuple[tuple[int, HeatPump], ...]
    """Site and heat pump of each house."""
    runs: tuple[tuple[int, tuple[float, ...]], ...]
    """Site and profile of each run."""
    portfolio: bool
    peaks: tuple[int, ...]
    """Sites with a demand charge."""
    reserve: tuple[str, ...]
    """Directions of reserve."""
    sustain_h: float
    limited: tuple[tuple[int, ...], tuple[int, ...]]
    """Sites whose connection limits what reserve they can give up (by export), and down (by import)."""
    wear: tuple[tuple[int, int], ...]
    """Battery and number of segments."""


class Structure(NamedTuple):
    """What fixes the matrix: two problems of one structure differ in costs, bounds and right-hand sides only."""

    steps: int
    resolution_s: int
    batteries: tuple[Battery, ...]
    battery_site: tuple[int, ...]
    sites: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    curtail: tuple[int, ...]
    sold: tuple[int, ...]
    elastic: bool
    additions: Additions | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where everything stands in the arrays of one structure, and the matrix itself (compressed columns)."""

    structure: Structure
    table: BatteryTable
    site_of: NDArray[np.intp]
    columns: dict[str, slice]
    rows: dict[str, slice]
    column_count: int
    row_count: int
    start: Integers
    index: Integers
    value: Floats

    def block(self, values: Floats, name: str) -> Floats:
        """Return a block of column values as a view of shape (owners, steps)."""
        return values[self.columns[name]].reshape(-1, self.structure.steps)

    def row_block(self, values: Floats, name: str) -> Floats:
        """Return a block of row values as a view of shape (owners, steps)."""
        return values[self.rows[name]].reshape(-1, self.structure.steps)


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A linear program: minimise ``cost @ x`` with bounded columns and rows."""

    layout: Layout
    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats


Places = NDArray[np.int64]


class Entries:
    """The non-zeros of a matrix while it is put together; blocks are named as in the layout.

    Parameters
    ----------
    structure : Structure
        What is put together.
    columns, rows : dict of slice
        Where the blocks stand.
    """

    def __init__(self, structure: Structure, columns: dict[str, slice], rows: dict[str, slice]) -> None:
        self.structure = structure
        self._columns, self._rows = columns, rows
        self._found: list[tuple[Places, Places, Floats]] = []

    def column(self, name: str) -> Places:
        """Return the places of a block of columns, shape (owners, steps)."""
        where = self._columns[name]
        return np.arange(where.start, where.stop).reshape(-1, self.structure.steps)

    def row(self, name: str) -> Places:
        """Return the places of a block of rows, shape (owners, steps)."""
        where = self._rows[name]
        return np.arange(where.start, where.stop).reshape(-1, self.structure.steps)

    def single_columns(self, name: str) -> Places:
        """Return the places of a block that has one column for each owner."""
        return np.arange(self._columns[name].start, self._columns[name].stop)

    def single_rows(self, name: str) -> Places:
        """Return the places of a block that has one row for each owner."""
        return np.arange(self._rows[name].start, self._rows[name].stop)

    def put(self, column: Places, row: Places, value: float | Floats) -> None:
        """Add coefficients; the three broadcast together."""
        places, rows = np.broadcast_arrays(column, row)
        self._found.append((places.ravel(), rows.ravel(), np.broadcast_to(value, places.shape).ravel()))

    def compressed(self, column_count: int) -> tuple[Integers, Integers, Floats]:
        """Return compressed sparse columns."""
        column = np.concatenate([entry[0] for entry in self._found])
        row = np.concatenate([entry[1] for entry in self._found])
        value = np.concatenate([entry[2] for entry in self._found])
        # zeros of a profile would be stored as if they were there
        column, row, value = column[value != 0.0], row[value != 0.0], value[value != 0.0]
        order = np.argsort(column, kind="stable")
        start = np.zeros(column_count + 1, dtype=np.int32)
        np.cumsum(np.bincount(column, minlength=column_count), out=start[1:])
        return start, row[order].astype(np.int32), value[order].astype(np.float64)
