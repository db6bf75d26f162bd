"""When to start machines that run once without a pause.

The relaxation may start half a run twice. A run that it starts whole is fixed there. The others are placed one by one,
each at the best of the starts the relaxation likes, and then moved, one at a time and over all their starts, while that
pays: exact for a single run, else a good plan whose distance to the relaxation is stated. Exact for several only by
``exact.search``, on request.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from vpp.optimization.layout import Integers, Matrix
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.solver import LinearSolver, Solution, SolveStatus

WHOLE = 1.0 - 1e-7
LIKED = 1e-6
MOST_LIKED = 8
MOST_SOLVES = 400
GAIN = 1e-9


def choose_starts(
    solver: LinearSolver, problem: PlanProblem, matrix: Matrix, *, solution: Solution, end_s: float
) -> tuple[Solution, Integers]:
    """Fix one start for every run; return the last solution and the columns closed.

    Parameters
    ----------
    solver : LinearSolver
        Holds the program; afterwards with the starts fixed.
    problem, matrix : PlanProblem, Matrix
        With runs.
    solution : Solution
        The relaxation's, OPTIMAL.
    end_s : float
        When to stop, by ``perf_counter``; half of what is left is spent on moving.
    """
    search = _Search(solver, problem, matrix, end_s)
    shares = matrix.layout.block(solution.value, "run")
    for run in np.flatnonzero(shares.max(axis=1) >= WHOLE).tolist():
        search.fix(run, int(np.argmax(shares[run])))
    open_runs = [run for run in range(len(shares)) if run not in search.chosen]
    if not open_runs:
        return solution, search.closed()
    middle_s = (perf_counter() + end_s) / 2.0
    energy = [sum(run.profile_kw) for run in problem.deferrable_runs]
    for run in sorted(open_runs, key=lambda one: -energy[one]):
        liked = np.argsort(-shares[run], kind="stable")[:MOST_LIKED]
        found = search.best(run, [int(start) for start in liked if shares[run, start] > LIKED])
        search.fix(run, found)
    search.improve(middle_s)
    final = solver.run(time_limit_s=end_s - perf_counter())
    return final, search.closed()


class _Search:
    """The starts chosen so far, and the program held with them."""

    def __init__(self, solver: LinearSolver, problem: PlanProblem, matrix: Matrix, end_s: float) -> None:
        self._solver, self._problem, self._end_s = solver, problem, end_s
        first, steps = matrix.layout.columns["run"].start, problem.grid.count
        self._steps, self._first = steps, first
        self._open = matrix.layout.block(matrix.upper, "run").copy()
        self.chosen: dict[int, int] = {}
        self._cost = np.inf
        self._solves = 0

    def _columns(self, run: int) -> Integers:
        at = self._first + run * self._steps
        return np.arange(at, at + self._steps, dtype=np.int32)

    def _hold(self, run: int, start: int) -> None:
        only: Floats = np.zeros(self._steps)
        only[start] = 1.0
        self._solver.bound(self._columns(run), np.zeros(self._steps), only)

    def fix(self, run: int, start: int) -> None:
        """Let a run start here and nowhere else."""
        self._hold(run, start)
        self.chosen[run] = start

    def _cost_of(self, run: int, start: int) -> float:
        self._hold(run, start)
        self._solves += 1
        solution = self._solver.run(time_limit_s=self._end_s - perf_counter())
        return solution.objective if solution.status is SolveStatus.OPTIMAL else np.inf

    def best(self, run: int, starts: list[int]) -> int:
        """Return the cheapest of some starts, the others as they are now."""
        costs = [self._cost_of(run, start) for start in starts]
        self._cost = min(costs)
        return starts[int(np.argmin(costs))]

    def improve(self, until_s: float) -> None:
        """Move one run at a time while that pays, time is left and the solves are not spent."""
        moved = True
        while moved:
            moved = False
            for run, one in enumerate(self._problem.deferrable_runs):
                for start in one.starts:
                    if perf_counter() > until_s or self._solves >= MOST_SOLVES:
                        self._hold(run, self.chosen[run])
                        return
                    if start == self.chosen[run]:
                        continue
                    cost = self._cost_of(run, start)
                    gain = self._cost - cost if np.isfinite(self._cost) else float(np.isfinite(cost))
                    if gain > GAIN * max(1.0, abs(cost)):
                        self.chosen[run], self._cost, moved = start, cost, True
                self._hold(run, self.chosen[run])

    def closed(self) -> Integers:
        """Return the columns of the starts that were not chosen, and close them."""
        left = self._open.copy()
        for run, start in self.chosen.items():
            left[run, start] = 0.0
            self._hold(run, start)
        columns: Integers = (self._first + np.flatnonzero(left)).astype(np.int32)
        return columns
