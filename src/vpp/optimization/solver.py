"""HiGHS, held hot: one model object whose costs, bounds and right-hand sides change between runs.

The only module that knows the solver. Statuses come back as values; nothing is retried silently except that
a verdict other than optimal from a hot start is checked by a cold one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self

import highspy
import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.optimization.matrix import Matrix
from vpp.optimization.problem import Floats

FEASIBILITY_TOLERANCE = 1e-9
_BY_COLUMN, _MINIMISE = 1, 1


class SolveStatus(StrEnum):
    """What the solver found."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    TIME_LIMIT = "time limit"
    ERROR = "error"


_STATUS = {
    highspy.HighsModelStatus.kOptimal: SolveStatus.OPTIMAL,
    highspy.HighsModelStatus.kModelEmpty: SolveStatus.OPTIMAL,
    highspy.HighsModelStatus.kInfeasible: SolveStatus.INFEASIBLE,
    # every column that earns has a finite bound, so presolve's doubt can only mean infeasible
    highspy.HighsModelStatus.kUnboundedOrInfeasible: SolveStatus.INFEASIBLE,
    highspy.HighsModelStatus.kUnbounded: SolveStatus.UNBOUNDED,
    highspy.HighsModelStatus.kTimeLimit: SolveStatus.TIME_LIMIT,
}


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What a run returned.

    Parameters
    ----------
    status : SolveStatus
        Verdict; the arrays mean something only when it is OPTIMAL.
    detail : str
        The solver's own word for it.
    objective : float
        Cost of the program [currency].
    value, row_dual : float arrays
        Of every column; of every row [currency per unit of the right-hand side].
    """

    status: SolveStatus
    detail: str
    objective: float
    value: Floats
    row_dual: Floats


_NONE: NDArray[np.int32] = np.zeros(0, dtype=np.int32)


class LinearSolver(Protocol):
    """What planning needs of a solver: it holds one program, whose bounds change between runs."""

    def another(self) -> LinearSolver:
        """Return an empty solver of the same kind."""
        ...

    def load(self, matrix: Matrix) -> None:
        """Take a program."""
        ...

    def bound(self, columns: NDArray[np.int32], lower: Floats, upper: Floats) -> None:
        """Change the bounds of some columns of the program held; each column once, in rising order."""
        ...

    def choose_one(self, first: NDArray[np.int32], second: NDArray[np.int32], matrix: Matrix) -> None:
        """Let at most one column of each pair of the program held be above 0, by a yes-or-no variable."""
        ...

    def run(self, *, time_limit_s: float) -> Solution:
        """Solve what is held within a time limit."""
        ...


def _where(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.flatnonzero(mask).astype(np.int32)


class Solver:
    """One HiGHS object; not for use by two threads at once."""

    algorithm: ClassVar[str] = "simplex"

    def __init__(self) -> None:
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        self._loaded: Matrix | None = None
        # columns whose bounds differ from those of the program held
        self._touched = _NONE
        options: dict[str, bool | int | float | str] = {
            "output_flag": False,
            "threads": 1,
            "parallel": "off",
            "solver": self.algorithm,
            # measured from 36 steps to 8,760: presolve costs more than it saves on this matrix
            "presolve": "off",
            "primal_feasibility_tolerance": FEASIBILITY_TOLERANCE,
            "dual_feasibility_tolerance": FEASIBILITY_TOLERANCE,
        }
        for name, value in options.items():
            self._highs.setOptionValue(name, value)

    def another(self) -> Self:
        """Return an empty solver of the same kind."""
        return type(self)()

    def load(self, matrix: Matrix) -> None:
        """Take a program; hot when its structure is the one held, else anew."""
        held = self._loaded
        if held is not None and held.layout is matrix.layout:
            self._update(held, matrix)
        else:
            self._pass(matrix)
        self._loaded = matrix
        self._touched = _NONE

    def _update(self, held: Matrix, matrix: Matrix) -> None:
        """Change what differs between two programs of one structure; to hand over all of it takes longer."""
        costs = _where(held.cost != matrix.cost)
        if costs.size:
            self._highs.changeColsCost(costs.size, costs, matrix.cost[costs])
        bounds = _where((held.lower != matrix.lower) | (held.upper != matrix.upper))
        if self._touched.size:
            bounds = np.union1d(bounds, self._touched).astype(np.int32)
        if bounds.size:
            self._highs.changeColsBounds(bounds.size, bounds, matrix.lower[bounds], matrix.upper[bounds])
        rows = _where((held.row_lower != matrix.row_lower) | (held.row_upper != matrix.row_upper))
        if rows.size:
            self._highs.changeRowsBounds(rows.size, rows, matrix.row_lower[rows], matrix.row_upper[rows])

    def _pass(self, matrix: Matrix) -> None:
        layout = matrix.layout
        count, rows = layout.column_count, layout.row_count
        self._highs.passModel(
            count,
            rows,
            layout.value.size,
            _BY_COLUMN,
            _MINIMISE,
            0.0,
            matrix.cost,
            matrix.lower,
            matrix.upper,
            matrix.row_lower,
            matrix.row_upper,
            layout.start,
            layout.index,
            layout.value,
            np.zeros(count, dtype=np.int32),
        )

    def bound(self, columns: NDArray[np.int32], lower: Floats, upper: Floats) -> None:
        """Change the bounds of some columns of the program held; each column once, in rising order."""
        if self._highs.changeColsBounds(columns.size, columns, lower, upper) == highspy.HighsStatus.kError:
            raise InvalidInputError("columns", columns.tolist(), "columns of the program, each once, in rising order")
        self._touched = columns if not self._touched.size else np.union1d(self._touched, columns).astype(np.int32)

    def choose_one(self, first: NDArray[np.int32], second: NDArray[np.int32], matrix: Matrix) -> None:
        """Let at most one column of each pair be above 0, by a yes-or-no variable; the model is not hot afterwards."""
        count, none = first.size, np.zeros(0, dtype=np.int32)
        base = matrix.layout.column_count
        zeros, choice = np.zeros(count), base + np.arange(count, dtype=np.int32)
        self._highs.addCols(count, zeros, zeros, np.ones(count), 0, np.zeros(count, np.int32), none, np.empty(0))
        self._highs.changeColsIntegrality(count, choice, np.ones(count, dtype=np.uint8))
        starts, infinite = 2 * np.arange(count, dtype=np.int32), np.full(count, -np.inf)
        largest, other = matrix.upper[first], matrix.upper[second]
        for column, factor, right in ((first, -largest, zeros), (second, other, other)):
            index = np.stack([column, choice], axis=1).ravel().astype(np.int32)
            value = np.stack([np.ones(count), factor], axis=1).ravel()
            self._highs.addRows(count, infinite, right, 2 * count, starts, index, value)
        self._highs.setOptionValue("solver", "choose")
        self._loaded = None

    def run(self, *, time_limit_s: float) -> Solution:
        """Solve what is held within a time limit."""
        solution = self._run(time_limit_s)
        if solution.status in (SolveStatus.INFEASIBLE, SolveStatus.UNBOUNDED, SolveStatus.ERROR):
            self._highs.clearSolver()
            solution = self._run(time_limit_s)
        return solution

    def _run(self, time_limit_s: float) -> Solution:
        # HiGHS counts its limit over the life of the object
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + max(time_limit_s, 0.0))
        self._highs.run()
        code = self._highs.getModelStatus()
        status = _STATUS.get(code, SolveStatus.ERROR)
        found = self._highs.getSolution()
        return Solution(
            status,
            self._highs.modelStatusToString(code),
            float(self._highs.getInfo().objective_function_value),
            np.array(found.col_value),
            np.array(found.row_dual),
        )
