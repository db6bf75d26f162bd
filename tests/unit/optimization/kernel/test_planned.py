"""Schedules by the kernel beside those of the linear planner."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.kernel.planned import METHOD, METHOD_SEARCHED, plan_site, why_not
from vpp.optimization.linear import LinearPlanner

SPEC = importlib.util.spec_from_file_location("planning_problems", Path(__file__).parents[1] / "problems.py")
assert SPEC is not None
assert SPEC.loader is not None
problems = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(problems)


def single(seed):
    """Return a random problem cut to its first battery and that battery's site."""
    problem = problems.random_problem(seed)
    site = problem.battery_site[0]
    alone = problem.at_site(site)
    from dataclasses import replace

    if alone.final_soc_min is not None:
        return None
    return replace(
        alone,
        batteries=alone.batteries[:1],
        battery_site=(0,),
        initial_soc=alone.initial_soc[:1],
        terminal_value_per_kwh=alone.terminal_value_per_kwh[:1],
    )


@pytest.mark.parametrize("first", range(0, 160, 40))
def test_the_kernel_plans_what_the_linear_planner_plans(first):
    planner, planned = LinearPlanner(), 0
    for seed in range(first, first + 40):
        problem = single(seed)
        if problem is None or why_not(problem):
            continue
        schedule, expected = plan_site(problem, backend="python"), planner.plan(problem)
        assert schedule is not None
        assert schedule.status is expected.status, seed
        if schedule.objective is None:
            assert schedule.conflicts, seed
            continue
        tolerance = 1e-7 * max(1.0, abs(expected.objective))
        assert schedule.bound == pytest.approx(expected.bound, abs=tolerance), seed
        assert schedule.objective <= expected.objective + tolerance, seed
        if schedule.method == METHOD:
            assert schedule.objective == pytest.approx(schedule.bound, abs=tolerance), seed
        planned += 1
    assert planned > 10


def test_reasons_are_those_of_the_linear_plan():
    price = [0.1, 0.1, 0.4, 0.4, 0.2]
    problem = problems.problem(
        5, fixed_kw=-1.0, import_price_per_kwh=price, export_price_per_kwh=0.05, terminal_value_per_kwh=0.12
    )
    schedule, expected = plan_site(problem, backend="python"), LinearPlanner().plan(problem)
    assert schedule is not None
    assert schedule.objective == pytest.approx(expected.objective)
    assert schedule.code.tolist() == expected.code.tolist()
    np.testing.assert_allclose(schedule.power_kw, expected.power_kw, atol=1e-9)


def test_burning_energy_is_searched_and_said():
    unit = problems.battery(
        capacity_kwh=1.0, charge_max_kw=1.0, discharge_max_kw=1.0, charge_efficiency=0.95, discharge_efficiency=0.95
    )
    prices = [-10.0, -10.0, 50.0]
    problem = problems.problem(
        3, batteries=(unit,), initial_soc=[0.0], import_price_per_kwh=prices, export_price_per_kwh=prices
    )
    schedule = plan_site(problem, backend="python")
    assert schedule is not None
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.method == METHOD_SEARCHED
    assert schedule.bound == pytest.approx(-58.950, abs=5e-4)
    assert schedule.objective == pytest.approx(-58.026, abs=5e-4)
    assert "0.9237" in schedule.message


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sites": 2}, "one at one"),
        ({"initial_soc": [1.0], "batteries": (problems.battery(soc_max=0.9),)}, "outside its band"),
        ({"import_price_per_kwh": 0.1, "export_price_per_kwh": 0.2}, "feeding in pays more"),
        ({"demand_charge_per_kw": np.array([5.0])}, "a demand charge"),
    ],
)
def test_what_the_kernel_does_not_plan_is_said(facts, words):
    problem = problems.problem(3, **facts)
    assert words in why_not(problem)
    assert plan_site(problem) is None
