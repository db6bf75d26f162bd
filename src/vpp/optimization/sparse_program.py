"""Programs that are not a plan of the linear planner: free-form sparse columns, rows that grow, any HiGHS algorithm.

Cuts add rows to a hot simplex; large programs that are solved once go to the interior point.
Invariant: a program is data; only ``ProgramSolver`` knows HiGHS, through the solver it extends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import highspy
import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.optimization.matrix import Integers
from vpp.optimization.problem import Floats
from vpp.optimization.solver import Solver

_BY_COLUMN, _MINIMISE = 1, 1
INTERIOR_TOLERANCE = 1e-8
Entries: TypeAlias = tuple[NDArray[np.integer], NDArray[np.integer], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class SparseProgram:
    """Minimise ``cost @ x`` with bounded columns and rows; the matrix in compressed columns.

    Parameters
    ----------
    cost, lower, upper : float arrays, shape (columns,)
        Of each column; infinite for no limit.
    row_lower, row_upper : float arrays, shape (rows,)
        Of each row; infinite for no limit.
    start, index, value : arrays
        Compressed sparse columns.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    start: Integers
    index: Integers
    value: Floats


def compress(entries: Sequence[Entries], columns: int) -> tuple[Integers, Integers, Floats]:
    """Return compressed sparse columns from blocks of (row, column, value); each pair of row and column once.

    >>> start, index, value = compress([(np.array([0, 1]), np.array([1, 0]), np.array([5.0, 7.0]))], 2)
    >>> start.tolist(), index.tolist(), value.tolist()
    ([0, 1, 2], [1, 0], [7.0, 5.0])
    """
    row = np.concatenate([block[0].ravel() for block in entries])
    column = np.concatenate([block[1].ravel() for block in entries])
    value = np.concatenate([block[2].ravel() for block in entries])
    order = np.argsort(column, kind="stable")
    start = np.zeros(columns + 1, dtype=np.int32)
    np.cumsum(np.bincount(column, minlength=columns), out=start[1:])
    return start, row[order].astype(np.int32), value[order].astype(np.float64)


class ProgramSolver(Solver):
    """HiGHS for a ``SparseProgram``: hot simplex to which rows are added, or the interior point.

    Parameters
    ----------
    interior : bool
        Use the interior point without crossover: for one large program; its answer is inside the optimal face.
    """

    def __init__(self, *, interior: bool = False) -> None:
        super().__init__()
        if interior:
            for name, value in {
                "solver": "ipx",
                "run_crossover": "off",
                "presolve": "choose",
                "ipm_optimality_tolerance": INTERIOR_TOLERANCE,
            }.items():
                self._highs.setOptionValue(name, value)

    def load_program(self, program: SparseProgram) -> None:
        """Take a program, forgetting the one held."""
        count, rows = program.cost.size, program.row_lower.size
        status = self._highs.passModel(
            count,
            rows,
            program.value.size,
            _BY_COLUMN,
            _MINIMISE,
            0.0,
            program.cost,
            program.lower,
            program.upper,
            program.row_lower,
            program.row_upper,
            program.start,
            program.index,
            program.value,
            np.zeros(count, dtype=np.int32),
        )
        if status == highspy.HighsStatus.kError:
            raise InvalidInputError("program", f"{rows} rows, {count} columns", "finite coefficients, each once")

    def add_columns(self, lower: Floats, upper: Floats) -> None:
        """Add columns without cost that stand in no row yet; the basis stays."""
        none = np.zeros(0, dtype=np.int32)
        starts = np.zeros(lower.size, dtype=np.int32)
        self._highs.addCols(lower.size, np.zeros(lower.size), lower, upper, 0, starts, none, np.zeros(0))

    def add_rows(self, lower: Floats, start: Integers, index: Integers, value: Floats) -> None:
        """Add rows ``row @ x >= lower`` in compressed form; the basis stays."""
        none = np.full(lower.size, np.inf)
        status = self._highs.addRows(lower.size, lower, none, value.size, start, index, value)
        if status == highspy.HighsStatus.kError:
            raise InvalidInputError("rows", f"{lower.size} rows", "finite coefficients of the columns held")
