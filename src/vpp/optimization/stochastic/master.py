"""The first stage with the second known by its cuts: a hot linear program whose optimum is a lower bound.

Columns: those of ``schedule_part``, then the expected cost of each step (T,) and the CVaR of the exchange (1).
Invariant: a cut is a tangent of a convex function, so it never cuts off anything that can be had.
"""

from __future__ import annotations

import numpy as np

from vpp.optimization.matrix import Integers
from vpp.optimization.solver import Solution
from vpp.optimization.sparse_program import ProgramSolver, SparseProgram, compress
from vpp.optimization.stochastic.problem import Risk, StochasticProblem
from vpp.optimization.stochastic.recourse import Evaluation, Recourse
from vpp.optimization.stochastic.schedule_part import SchedulePart, schedule_part
from vpp.optimization.stochastic.tails import Tails

# from this weight of the CVaR times steps its cut alone takes too many rounds (measured, 24 and 96 steps)
TAILS_FROM = 20.0


class Master:
    """The program of the first stage; grows by ``add`` and is solved hot by ``run``."""

    def __init__(self, problem: StochasticProblem, risk: Risk, recourse: Recourse) -> None:
        self.part: SchedulePart = schedule_part(problem)
        self._risk = risk
        part, steps = self.part, problem.steps
        cost = np.concatenate([part.cost, np.full(steps, 1.0 - risk.weight), [risk.weight]])
        # what does not count is held at 0, what counts is bounded by its cuts alone
        free = np.where(cost[part.columns :] > 0.0, np.inf, 0.0)
        start, index, value = compress(part.entries, cost.size)
        self._solver = ProgramSolver()
        self._solver.load_program(
            SparseProgram(
                cost,
                np.concatenate([part.lower, -free]),
                np.concatenate([part.upper, free]),
                part.right,
                part.right,
                start,
                index,
                value,
            )
        )
        injection = np.arange(part.injection.start, part.injection.stop)
        expected = part.columns + np.arange(steps)
        self._cut_index = np.concatenate(
            [np.stack([expected, injection], axis=1).ravel(), [part.columns + steps], injection]
        ).astype(np.int32)
        self._cut_start = 2 * np.arange(steps + 1, dtype=np.int32)
        self._tails = None
        if risk.weight * steps >= TAILS_FROM:
            self._tails = Tails(self._solver, self.part, recourse, first=cost.size)

    def add(self, evaluation: Evaluation) -> None:
        """Add the tangents at an evaluation: one for the expectation of each step, one for the CVaR."""
        steps, at = self.part.steps, evaluation.injection_kw
        value = np.ones(3 * steps + 1)
        value[1 : 2 * steps : 2] = -evaluation.expected_slope
        value[2 * steps + 1 :] = -evaluation.tail_slope
        right = np.empty(steps + 1)
        right[:steps] = evaluation.expected - evaluation.expected_slope * at
        right[steps] = evaluation.tail - evaluation.tail_slope @ at
        first = 0 if self._risk.weight < 1.0 else steps
        last = steps + 1 if self._risk.weight > 0.0 else steps
        entries = slice(2 * first, 3 * steps + 1 if last > steps else 2 * steps)
        self._solver.add_rows(
            right[first:last],
            self._cut_start[first:last] - self._cut_start[first],
            self._cut_index[entries],
            value[entries],
        )
        if self._tails is not None:
            self._tails.add(evaluation)

    def close(self, columns: Integers) -> None:
        """Hold some columns at 0."""
        self._solver.bound(columns, np.zeros(columns.size), np.zeros(columns.size))

    def run(self, *, time_limit_s: float) -> Solution:
        """Return the best first stage by what the cuts know; its objective is a lower bound."""
        return self._solver.run(time_limit_s=time_limit_s)
