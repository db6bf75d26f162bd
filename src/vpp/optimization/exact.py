"""Directions and starts by a mixed-integer program, under a time limit: on request, or where nothing else serves."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from vpp.optimization.layout import Integers, Matrix
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.solver import Solver

RELATIVE_GAP = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found.

    Parameters
    ----------
    value : float array or None
        Of every column of the program; None without a plan.
    bound : float
        Proven lower bound of any plan with one direction at a time and whole runs [currency]; -inf when none is.
    finished : bool
        True when the search ended by itself: the plan is the best, or there is none.
    closed : int array
        Columns to close so that a linear program gives this plan.
    """

    value: Floats | None
    bound: float
    finished: bool
    closed: Integers


class IntegerSolver(Solver):
    """HiGHS for a program with yes-or-no columns."""

    def whole(self, columns: NDArray[np.int32]) -> None:
        """Let some columns take whole numbers only."""
        if columns.size:
            self._highs.changeColsIntegrality(columns.size, columns, np.ones(columns.size, dtype=np.uint8))
        for name, value in {"solver": "choose", "presolve": "choose", "mip_rel_gap": RELATIVE_GAP}.items():
            self._highs.setOptionValue(name, value)

    def incumbent(self) -> tuple[bool, float]:
        """Return whether the last run has a plan, and the bound that it proved."""
        info = self._highs.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        return feasible, float(info.mip_dual_bound)


def direction_pairs(problem: PlanProblem, matrix: Matrix) -> tuple[Integers, Integers]:
    """Return the columns of which at most one may be above 0: charge or discharge; where it pays, import or export."""
    layout, pays = matrix.layout, (problem.export_price_per_kwh.T > problem.import_cost_per_kwh.T).ravel()
    pairs = []
    for one, other, chosen in (("charge", "discharge", slice(None)), ("imports", "exports", pays)):
        sides = [np.arange(layout.columns[name].start, layout.columns[name].stop)[chosen] for name in (one, other)]
        pairs.append(np.stack(sides))
    first, second = np.concatenate(pairs, axis=1).astype(np.int32)
    return first, second


def search(problem: PlanProblem, matrix: Matrix, *, time_limit_s: float) -> Found:
    """Search the cheapest directions and starts within a time limit."""
    first, second = direction_pairs(problem, matrix)
    runs = matrix.layout.columns.get("run", slice(0, 0))
    starts = np.arange(runs.start, runs.stop, dtype=np.int32)
    solver = IntegerSolver()
    solver.load(matrix)
    if first.size:
        solver.choose_one(first, second, matrix)
    solver.whole(starts)
    solution = solver.run(time_limit_s=time_limit_s)
    feasible, bound = solver.incumbent()
    finished = solution.status.value in ("optimal", "infeasible")
    if not feasible:
        return Found(None, bound if np.isfinite(bound) else -np.inf, finished, np.zeros(0, dtype=np.int32))
    value = solution.value[: matrix.layout.column_count]
    closed = np.where(value[first] > value[second], second, first)
    idle = starts[(matrix.upper[starts] > 0.0) & (value[starts] < 0.5)]
    return Found(value, bound, finished, np.sort(np.concatenate([closed, idle])).astype(np.int32))
