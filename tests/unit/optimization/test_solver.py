"""The solver's verdicts as values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.optimization.matrix import build
from vpp.optimization.solver import Solver, SolveStatus


def solved(matrix, *, time_limit_s=10.0, solver=None):
    solver = solver or Solver()
    solver.load(matrix)
    return solver.run(time_limit_s=time_limit_s)


def test_optimal_with_duals(problems):
    solution = solved(build(problems.problem(2, fixed_kw=-1.0, initial_soc=[0.0])))
    assert solution.status is SolveStatus.OPTIMAL
    assert solution.objective == pytest.approx(0.6)
    assert solution.row_dual.shape == (4,)


def test_infeasible_hot_and_cold(problems):
    solver, good = Solver(), problems.problem(2, fixed_kw=-1.0, import_max_kw=4.0)
    assert solved(build(good), solver=solver).status is SolveStatus.OPTIMAL
    clash = replace(good, fixed_kw=np.full((2, 1), -40.0))
    assert solved(build(clash), solver=solver).status is SolveStatus.INFEASIBLE
    assert solved(build(clash)).status is SolveStatus.INFEASIBLE
    assert solved(build(good), solver=solver).status is SolveStatus.OPTIMAL


def test_unbounded_is_said(problems):
    matrix = build(problems.problem(1, import_price_per_kwh=0.1, export_price_per_kwh=0.3))
    endless = replace(matrix, upper=np.full_like(matrix.upper, np.inf))
    assert solved(endless).status is SolveStatus.UNBOUNDED


def test_a_column_named_twice_is_refused(problems):
    solver = Solver()
    solver.load(build(problems.problem(2)))
    with pytest.raises(InvalidInputError, match="each once"):
        solver.bound(np.array([1, 1], dtype=np.int32), np.zeros(2), np.zeros(2))


def test_time_limits_count_from_each_run(problems):
    solver, matrix = Solver(), build(problems.problem(24, fixed_kw=-1.0))
    for _ in range(50):
        assert solved(matrix, solver=solver, time_limit_s=0.5).status is SolveStatus.OPTIMAL
    assert solved(build(problems.problem(24)), time_limit_s=0.0).status is SolveStatus.TIME_LIMIT
