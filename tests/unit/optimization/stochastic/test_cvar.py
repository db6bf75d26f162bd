"""Planning under risk: cuts against the extensive form, replay, proof, and every status."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core import storage
from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.stochastic.cvar import plan_under_risk
from vpp.optimization.stochastic.measures import conditional_value_at_risk, value_at_risk
from vpp.optimization.stochastic.problem import Risk

RISKS = [Risk(weight=0.0), Risk(weight=0.5, level=0.8), Risk(weight=1.0, level=0.9), Risk(weight=1.0, level=0.0)]


def check_replay(problem, plan):
    """The store itself does the plan, in one direction at a time, and it costs what it claims."""
    energy = problem.initial_energy_kwh
    for column, battery in enumerate(problem.batteries):
        held = energy[column]
        for step in range(problem.steps):
            done = storage.execute(held, plan.power_kw[step, column], battery.limits, duration_h=problem.duration_h)
            assert float(done.power_kw) == pytest.approx(plan.power_kw[step, column], abs=1e-7)
            assert float(done.energy_kwh) == pytest.approx(plan.energy_kwh[step, column], abs=1e-7)
            held = done.energy_kwh
    assert (problem.energy_floor_kwh() - 1e-7 <= plan.energy_kwh.T).all()
    level, weights = plan.risk.level, problem.weights
    assert plan.expected_cost == pytest.approx(float(weights @ plan.scenario_costs))
    assert plan.var == pytest.approx(value_at_risk(plan.scenario_costs, level, probability=weights))
    assert plan.cvar == pytest.approx(conditional_value_at_risk(plan.scenario_costs, level, probability=weights))
    blend = (1.0 - plan.risk.weight) * plan.expected_cost + plan.risk.weight * plan.cvar
    assert plan.objective == pytest.approx(blend)
    assert plan.bound <= plan.objective
    low, high = problem.injection_band_kw
    injection = plan.power_kw.sum(axis=1)
    assert (injection >= low - 1e-7).all()
    assert (injection <= high + 1e-7).all()


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: f"{risk.weight:g}-{risk.level:g}")
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_cuts_equal_the_extensive_form(make_random, first, risk):
    solved = 0
    for seed in range(first, first + 20):
        problem = make_random(seed)
        plan = plan_under_risk(problem, risk, gap=1e-7)
        oracle = plan_under_risk(problem, risk, gap=1e-7, method="extensive form")
        if not plan.usable:
            assert plan.status is oracle.status, seed
            assert plan.message
            continue
        solved += 1
        check_replay(problem, plan)
        room = 2e-7 * max(1.0, abs(oracle.bound), abs(np.nan_to_num(plan.cost_of_doing_nothing)))
        assert plan.bound == pytest.approx(oracle.bound, abs=room), seed
        if plan.status is PlanStatus.OPTIMAL and oracle.status is PlanStatus.OPTIMAL:
            assert plan.objective == pytest.approx(oracle.objective, abs=2 * room), seed
        assert plan.objective <= oracle.objective + room or oracle.status is PlanStatus.FAILED, seed
    assert solved > 5


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_tails_step_by_step_change_the_rounds_and_not_the_answer(make_random, monkeypatch, first):
    monkeypatch.setattr("vpp.optimization.stochastic.master.TAILS_FROM", 0.0)
    for seed in range(first, first + 20):
        problem = make_random(seed)
        for risk in RISKS:
            plan = plan_under_risk(problem, risk, gap=1e-7)
            oracle = plan_under_risk(problem, risk, gap=1e-7, method="extensive form")
            if not plan.usable:
                assert plan.status is oracle.status, seed
                continue
            check_replay(problem, plan)
            room = 2e-7 * max(1.0, abs(oracle.bound), abs(np.nan_to_num(plan.cost_of_doing_nothing)))
            assert plan.bound == pytest.approx(oracle.bound, abs=room), seed


def test_the_tail_alone_over_many_steps_is_proven_in_few_rounds(make):
    rng = np.random.default_rng(4)
    price = np.abs(rng.normal(0.4, 0.2, (50, 48)))
    problem = make(48, 50, import_price_per_kwh=price + 0.02, export_price_per_kwh=price - 0.02)
    plan = plan_under_risk(problem, Risk(weight=1.0, level=0.8))
    assert plan.status is PlanStatus.OPTIMAL
    assert plan.iterations < 60


def test_a_gap_is_what_it_says(make):
    price = np.random.default_rng(2).uniform(0.1, 0.9, (20, 8))
    problem = make(8, 20, import_price_per_kwh=price, export_price_per_kwh=price - 0.05)
    exact = plan_under_risk(problem, gap=1e-9)
    for gap in (1e-1, 1e-2, 1e-4):
        plan = plan_under_risk(problem, gap=gap)
        assert plan.status is PlanStatus.OPTIMAL
        assert plan.gap <= gap
        assert plan.bound <= exact.objective + 1e-9
        assert plan.objective - exact.objective <= gap * abs(plan.cost_of_doing_nothing) + 1e-9


def test_more_weight_on_the_tail_costs_on_average_and_helps_in_the_tail(make):
    price = np.random.default_rng(0).uniform(0.1, 0.9, (40, 6))
    problem = make(6, 40, import_price_per_kwh=price, export_price_per_kwh=price - 0.05)
    plans = [plan_under_risk(problem, Risk(weight=weight, level=0.9), gap=1e-8) for weight in (0.0, 0.5, 1.0)]
    assert plans[0].expected_cost < plans[1].expected_cost < plans[2].expected_cost
    assert plans[0].cvar > plans[1].cvar > plans[2].cvar


def test_a_battery_that_may_not_help_stays_still(make):
    plan = plan_under_risk(make(), Risk(weight=0.5))
    assert plan.status is PlanStatus.OPTIMAL
    # a full battery would be emptied: nothing is said about the end, and drawing costs 0.3
    assert plan.power_kw.sum() > 0.0
    kept = plan_under_risk(make(final_soc_min=np.array([0.5])), Risk(weight=0.5))
    assert (kept.power_kw == 0.0).all()
    assert kept.objective == pytest.approx(kept.cost_of_doing_nothing)
    assert kept.gap == pytest.approx(0.0, abs=1e-9)


def test_burning_energy_is_not_a_plan(make):
    unit = Battery(
        id="battery",
        capacity_kwh=1.0,
        charge_max_kw=1.0,
        discharge_max_kw=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        soc_min=0.0,
        soc_max=1.0,
        soc_initial=0.0,
    )
    price = [[-10.0, -10.0, 50.0]]
    problem = make(3, 1, batteries=(unit,), fixed_kw=0.0, import_price_per_kwh=price, export_price_per_kwh=price)
    plan = plan_under_risk(problem)
    assert plan.status is PlanStatus.FEASIBLE
    assert plan.bound == pytest.approx(-58.95, abs=1e-6)
    assert plan.objective == pytest.approx(-58.026316, abs=1e-6)
    assert "directions" in plan.message


def test_limits_that_clash_between_scenarios_are_infeasible(make):
    problem = make(1, 2, fixed_kw=[[-9.0], [6.0]], import_max_kw=5.0, export_max_kw=5.0)
    for method in ("cuts", "extensive form"):
        plan = plan_under_risk(problem, method=method)
        assert plan.status is PlanStatus.INFEASIBLE
        assert "clash" in plan.message
        assert np.isnan(plan.objective)
        assert np.isnan(plan.power_kw).all()


def test_energy_that_runs_out_is_infeasible(make):
    problem = make(8, 2, fixed_kw=-6.0, import_max_kw=5.0, final_soc_min=np.array([0.5]))
    for method in ("cuts", "extensive form"):
        assert plan_under_risk(problem, method=method).status is PlanStatus.INFEASIBLE


def test_time_that_is_over_is_said(make_random):
    problem = make_random(5)
    plan = plan_under_risk(problem, time_limit_s=1e-9)
    assert plan.status in (PlanStatus.TIMEOUT, PlanStatus.FEASIBLE)
    assert plan.message


def test_one_problem_one_answer(make_random):
    problem = make_random(9)
    first, second = plan_under_risk(problem), plan_under_risk(problem)
    np.testing.assert_array_equal(first.power_kw, second.power_kw)
    assert (first.bound, first.iterations) == (second.bound, second.iterations)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"gap": -1.0}, InvalidInputError),
        ({"gap": float("nan")}, InvalidInputError),
        ({"time_limit_s": 0.0}, InvalidInputError),
        ({"method": "cutz"}, UnknownNameError),
    ],
)
def test_bad_options_are_errors(make, given, error):
    with pytest.raises(error):
        plan_under_risk(make(), **given)
