"""The CVaR cut step by step: what makes cuts converge where the tail counts much and the steps are many.

One tangent of the CVaR says little about T injections. But the CVaR is the greatest mean over all weights that the tail
may have, and under fixed weights the cost is again a sum over steps. So each tail that is met becomes a lower bound of
its own, ``CVaR >= sum of its steps``, and each of its steps is known by tangents at several points at once.
Source: the dual form of the CVaR, Shapiro, Dentcheva and Ruszczynski, Lectures on Stochastic Programming, SIAM (2009),
section 6.2, doi:10.1137/1.9780898718751.
Invariant: every row holds for every injection, whatever tails and points were kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpp.optimization.problem import Floats
from vpp.optimization.sparse_program import ProgramSolver
from vpp.optimization.stochastic.recourse import Evaluation, Recourse
from vpp.optimization.stochastic.schedule_part import SchedulePart

# measured: more of either makes fewer rounds of a larger program
POINTS_KEPT = 3
TAILS_KEPT = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Tail:
    """One tail: its weights, the second stage under them, and the first of its T columns."""

    weight: Floats
    recourse: Recourse
    first: int


class Tails:
    """The tails met so far, as columns and rows of a master program.

    Parameters
    ----------
    solver : ProgramSolver
        Holds the master program; the column before ``first`` is its CVaR.
    part : SchedulePart
        The first stage in it.
    recourse : Recourse
        The second stage.
    first : int
        Number of columns held, where the tails' columns begin.
    """

    def __init__(self, solver: ProgramSolver, part: SchedulePart, recourse: Recourse, *, first: int) -> None:
        self._solver, self._recourse, self._steps = solver, recourse, part.steps
        self._risk_column, self._next = first - 1, first
        self._injection = np.arange(part.injection.start, part.injection.stop)
        self._tails: list[_Tail] = []
        self._points: list[Floats] = []

    def add(self, evaluation: Evaluation) -> None:
        """Add the tail of an evaluation, and the tangents of the latest tails at its injection."""
        self._points.append(evaluation.injection_kw)
        for tail in self._tails[-TAILS_KEPT:]:
            self._add_tangents(tail, evaluation.injection_kw)
        if any(np.array_equal(tail.weight, evaluation.tail_weight) for tail in self._tails):
            return
        tail = _Tail(evaluation.tail_weight, self._recourse.under(evaluation.tail_weight), self._next)
        self._tails.append(tail)
        self._next += self._steps
        free = np.full(self._steps, np.inf)
        self._solver.add_columns(-free, free)
        columns = np.concatenate([[self._risk_column], tail.first + np.arange(self._steps)]).astype(np.int32)
        signs = np.concatenate([[1.0], np.full(self._steps, -1.0)])
        self._solver.add_rows(np.zeros(1), np.zeros(1, dtype=np.int32), columns, signs)
        # the first points span the band, the latest are near the optimum
        for point in self._points[:POINTS_KEPT] + self._points[POINTS_KEPT:][-POINTS_KEPT:]:
            self._add_tangents(tail, point)

    def _add_tangents(self, tail: _Tail, injection_kw: Floats) -> None:
        """Add the tangent of every step of a tail at an injection."""
        seen = tail.recourse.evaluate(injection_kw)
        columns = np.stack([tail.first + np.arange(self._steps), self._injection], axis=1).ravel().astype(np.int32)
        value = np.ones(2 * self._steps)
        value[1::2] = -seen.expected_slope
        right = seen.expected - seen.expected_slope * injection_kw
        self._solver.add_rows(right, 2 * np.arange(self._steps, dtype=np.int32), columns, value)
