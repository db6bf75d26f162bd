"""The linear planner against a dense program in scipy and against published answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.explain import alternatives
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.matrix import penalty_per_kwh

HERE = Path(__file__).parent


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


problems = _load(HERE.parent / "unit" / "optimization" / "problems.py")
dense = _load(HERE / "dense_plan.py")


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_least_cost_equals_the_dense_program(first):
    planner = LinearPlanner()
    for seed in range(first, first + 20):
        problem = problems.random_problem(seed)
        expected = dense.dense_objective(problem, penalty=penalty_per_kwh(problem), exclusive=False)
        schedule = planner.plan(problem)
        if expected is None:
            assert schedule.status is PlanStatus.INFEASIBLE, seed
            assert schedule.conflicts, seed
            continue
        if schedule.status is PlanStatus.INFEASIBLE:
            # feasible only by burning energy in a battery
            assert dense.dense_objective(problem, penalty=penalty_per_kwh(problem), exclusive=True) is None, seed
            continue
        assert schedule.status is PlanStatus.OPTIMAL, (seed, schedule.message)
        assert schedule.bound == pytest.approx(expected, rel=1e-8, abs=1e-8), seed
        if schedule.method == "linear":
            assert schedule.objective == pytest.approx(expected, rel=1e-8, abs=1e-8), seed


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_fixed_directions_lie_between_bound_and_the_exclusive_optimum_plus_the_stated_gap(first):
    planner, gaps = LinearPlanner(), []
    for seed in range(first, first + 10):
        problem = problems.random_problem(seed, feed_in_above=True)
        exact = dense.dense_objective(problem, penalty=penalty_per_kwh(problem), exclusive=True)
        schedule = planner.plan(problem)
        assert (schedule.status is PlanStatus.INFEASIBLE) == (exact is None), seed
        if exact is None:
            continue
        tolerance = 1e-6 * max(1.0, abs(exact))
        assert schedule.bound <= exact + tolerance, seed
        assert schedule.objective >= exact - tolerance, seed
        gaps.append(schedule.objective - exact)
        if schedule.objective - schedule.bound > tolerance:
            assert "at most" in schedule.message
    assert np.mean(gaps) < 0.1


@pytest.mark.parametrize(
    ("days", "start_soc", "end_soc", "profit"),
    [(1, 0.5, 0.5, 230.13), (7, 0.5, 0.5, 1675.76), (1, 0.0, 0.0, 239.24)],
)
def test_price_arbitrage_earns_the_published_profit(days, start_soc, end_soc, profit):
    efficiency = 0.92**0.5
    unit = problems.battery(
        capacity_kwh=1000.0,
        charge_max_kw=250.0,
        discharge_max_kw=250.0,
        charge_efficiency=efficiency,
        discharge_efficiency=efficiency,
        soc_initial=start_soc,
    )
    prices = problems.DAY_PRICES * days
    problem = problems.problem(
        len(prices),
        batteries=(unit,),
        import_price_per_kwh=prices,
        export_price_per_kwh=prices,
        final_soc_min=np.array([end_soc]),
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.objective == pytest.approx(-profit, abs=0.005)
    assert schedule.soc[-1, 0] >= end_soc - 1e-12


def test_exclusive_optimum_beside_the_relaxed_bound():
    unit = problems.battery(
        capacity_kwh=1.0,
        charge_max_kw=1.0,
        discharge_max_kw=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        soc_initial=0.0,
    )
    prices = [-10.0, -10.0, 50.0]
    problem = problems.problem(3, batteries=(unit,), import_price_per_kwh=prices, export_price_per_kwh=prices)
    schedule = LinearPlanner().plan(problem)
    assert schedule.bound == pytest.approx(-58.950, abs=5e-4)
    assert schedule.objective == pytest.approx(-58.026, abs=5e-4)
    assert "0.9237" in schedule.message


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_alternatives_cost_what_an_independent_solve_says(first):
    planner, compared = LinearPlanner(), 0
    for seed in range(first, first + 10):
        problem = problems.random_problem(seed)
        schedule = planner.plan(problem)
        if schedule.method != "linear" or schedule.status is not PlanStatus.OPTIMAL:
            continue
        power, cost = alternatives(problem, schedule)
        for step, column in np.argwhere(np.isfinite(cost)).tolist()[:12]:
            forced = (column, step, float(power[step, column]))
            penalty = penalty_per_kwh(problem)
            expected = dense.dense_objective(problem, penalty=penalty, exclusive=False, forced=forced)
            if expected is None or expected < schedule.objective + cost[step, column] - 1e-7:
                # forcing made burning energy pay: the exclusive program is the one to compare with
                expected = dense.dense_objective(problem, penalty=penalty, exclusive=True, forced=forced)
            assert cost[step, column] >= 0.0
            assert schedule.objective + cost[step, column] == pytest.approx(expected, rel=1e-7, abs=1e-7), seed
            compared += 1
    assert compared > 30
