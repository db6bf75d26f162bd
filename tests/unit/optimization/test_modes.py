"""One direction at a time, also where burning energy would pay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.linear import METHOD_CLOSED, LinearPlanner
from vpp.optimization.matrix import build
from vpp.optimization.modes import solve_exclusive, wrong_directions
from vpp.optimization.solver import Solver, SolveStatus


@pytest.mark.parametrize(
    ("prices", "closed"),
    [
        ([-1.0, -1.0, 0.5], True),
        ([0.1, 0.2, 0.5], False),
        ([0.0, 0.0, 0.5], False),
    ],
    ids=["paid to burn", "ordinary", "free energy"],
)
def test_directions_are_closed_only_where_burning_pays(problems, prices, closed):
    problem = problems.problem(3, import_price_per_kwh=prices, export_price_per_kwh=prices)
    matrix = build(problem)
    answer = solve_exclusive(Solver(), problem, matrix, time_limit_s=10.0)
    assert answer.solution.status is SolveStatus.OPTIMAL
    assert not wrong_directions(problem, matrix, answer.solution.value).size
    assert bool(answer.closed.size) == closed
    assert answer.bound <= answer.solution.objective + 1e-9
    schedule = LinearPlanner().plan(problem)
    assert (schedule.method == METHOD_CLOSED) == closed
    assert bool(schedule.message) == closed


def test_where_the_sign_leads_nowhere_directions_are_chosen(problems):
    # paid to draw at first, so the relaxation burns and stays full; the surplus after it needs room
    unit = problems.battery(soc_initial=1.0)
    problem = problems.problem(
        2,
        batteries=(unit,),
        fixed_kw=[-5.0, 4.0],
        import_price_per_kwh=[-1.0, 0.2],
        export_price_per_kwh=[-1.0, 0.2],
        export_max_kw=0.0,
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.method == METHOD_CLOSED
    assert schedule.power_kw[:, 0] == pytest.approx([3.24, -4.0])
    assert schedule.objective == pytest.approx(-1.76)


def test_a_surplus_that_only_burning_could_take_is_infeasible(problems):
    unit = problems.battery(soc_initial=1.0)
    problem = problems.problem(1, batteries=(unit,), fixed_kw=0.5, export_max_kw=0.0)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert [conflict.name for conflict in schedule.conflicts] == ["export_max_kw at site0"]
    assert schedule.conflicts[0].violation_kw == pytest.approx(0.5)


def test_a_meter_does_not_trade_with_itself(problems):
    problem = problems.problem(
        2,
        fixed_kw=[2.0, -2.0],
        import_price_per_kwh=0.1,
        export_price_per_kwh=0.4,
        import_max_kw=9.0,
        export_max_kw=9.0,
    )
    schedule = LinearPlanner().plan(problem)
    assert (np.minimum(schedule.import_kw, schedule.export_kw) == 0.0).all()
    assert schedule.bound < schedule.objective


def test_a_direction_wrong_for_two_reasons_is_closed_once(problems):
    # from outside the band, at prices that pay for burning
    problem = problems.random_problem(1424)
    assert LinearPlanner().plan(problem).status in (PlanStatus.OPTIMAL, PlanStatus.INFEASIBLE)


def test_directions_closed_once_are_open_again_in_the_next_plan(problems):
    planner = LinearPlanner()
    burning = problems.problem(3, import_price_per_kwh=[-1.0, -1.0, 0.5], export_price_per_kwh=[-1.0, -1.0, 0.5])
    ordinary = replace(burning, import_price_per_kwh=burning.import_price_per_kwh + 2.0)
    expected = LinearPlanner().plan(ordinary).objective
    planner.plan(burning)
    assert planner.plan(ordinary).objective == pytest.approx(expected, rel=1e-9)
