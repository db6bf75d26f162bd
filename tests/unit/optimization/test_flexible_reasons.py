"""Why cars, houses and machines do what they do: each motive, its words, and what the alternative costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.assets import HeatPump
from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.optimization.explain import alternatives, explanations, sentence
from vpp.optimization.flexible import DeferrableLoad, DeferrableRun, EvSession, HeatedHouse
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.matrix import build
from vpp.optimization.reasons import LIMITS
from vpp.optimization.rules import RulePlanner
from vpp.optimization.solver import Solver, SolveStatus


def plan(problems, prices, *, steps=4, **facts):
    problem = problems.problem(steps, batteries=(), import_price_per_kwh=prices, **facts)
    return problem, LinearPlanner().plan(problem)


def reasons(schedule):
    pairs = zip(schedule.code[:, 0], schedule.limit[:, 0], strict=True)
    return [(ReasonCode(int(code)), str(limit)) for code, limit in pairs]


def car(**given_facts):
    facts = {"arrival_step": 1, "departure_step": 4, "energy_needed_kwh": 6.0, "charge_max_kw": 4.0}
    return EvSession(asset_id="car", charge_efficiency=1.0, **(facts | given_facts))


def test_a_car_that_may_wait(problems):
    problem, schedule = plan(problems, [0.1, 0.3, 0.5, 0.2], ev_sessions=(car(departure_step=4),))
    assert reasons(schedule) == [
        (ReasonCode.NOT_AVAILABLE, "window"),
        (ReasonCode.CHARGE_CHEAP, "none"),
        (ReasonCode.DEFERRED, "none"),
        (ReasonCode.EV_DEPARTURE, "charge_max_kw"),
    ]
    power, cost = alternatives(problem, schedule)
    # without the middling hour 2 kWh move to the dear one; filling the dear one takes them from the middling hour
    assert np.isnan(cost[0, 0])
    assert cost[1:, 0] == pytest.approx([2.0 * 0.2, 2.0 * 0.2 + 2.0 * 0.3, 2.0 * 0.1 + 2.0 * 0.3], abs=1e-9)
    assert power[1:, 0].tolist() == [0.0, -4.0, 0.0]
    said = sentence(problem, schedule, "car", 3, currency="EUR", alternative_power_kw=0.0, alternative_cost=0.8)
    assert said == (
        "Drawing 4 kW without pause, because the car leaves at 04:00 UTC and needs it all. It cannot charge faster. "
        "Holding instead would cost 0.80 EUR more."
    )
    assert sentence(problem, schedule, "car", 0, currency="EUR") == "Waiting: no car is there."


def test_a_car_that_has_it_all(problems):
    _, schedule = plan(problems, [0.1, 0.1, 0.5, 0.6], ev_sessions=(car(arrival_step=0, energy_needed_kwh=8.0),))
    assert [code for code, _ in reasons(schedule)][2:] == [ReasonCode.HOLD_FULL, ReasonCode.HOLD_FULL]
    surplus = LinearPlanner().plan(
        problems.problem(2, batteries=(), fixed_kw=[5.0, -1.0], ev_sessions=(car(arrival_step=0, departure_step=2),))
    )
    assert reasons(surplus)[0][0] is ReasonCode.CHARGE_SURPLUS


def test_a_load_at_its_deadline_and_a_run(problems):
    load = DeferrableLoad(asset_id="pool", earliest_step=0, end_step=2, energy_needed_kwh=4.0, power_max_kw=2.0)
    _, schedule = plan(problems, [0.1, 0.2, 0.3, 0.4], deferrable_loads=(load,))
    assert reasons(schedule)[:3] == [
        (ReasonCode.DEADLINE, "charge_max_kw"),
        (ReasonCode.DEADLINE, "charge_max_kw"),
        (ReasonCode.NOT_AVAILABLE, "window"),
    ]
    run = DeferrableRun(asset_id="washer", earliest_step=0, end_step=3, profile_kw=(1.0,))
    problem, schedule = plan(problems, [0.3, 0.1, 0.2, 0.4], deferrable_runs=(run,))
    assert [code for code, _ in reasons(schedule)] == [
        ReasonCode.DEFERRED,
        ReasonCode.RUN,
        ReasonCode.NOT_AVAILABLE,
        ReasonCode.NOT_AVAILABLE,
    ]
    # a run has no alternative of its own
    assert np.isnan(alternatives(problem, schedule)[1]).all()


def test_a_house_kept_warm_and_heated_ahead(problems):
    house = HeatedHouse(
        heat_pump=HeatPump(id="heat", rated_kw=8.0), initial_temperature_c=20.0, outdoor_temperature_c=np.zeros(4)
    )
    problem, schedule = plan(problems, [0.1, 0.9, 0.1, 0.1], heated_houses=(house,))
    assert reasons(schedule) == [
        (ReasonCode.PREHEAT, "none"),
        (ReasonCode.DEFERRED, "temperature_min_c"),
        (ReasonCode.COMFORT, "temperature_min_c"),
        (ReasonCode.COMFORT, "temperature_min_c"),
    ]
    said = sentence(problem, schedule, "heat", 0, currency="EUR")
    assert said.startswith("Drawing 6.84 kW to heat ahead while energy is cheap at 0.1 EUR a kWh (21 degC).")
    warm = replace(house, initial_temperature_c=25.0)
    _, schedule = plan(problems, [0.1, 0.9, 0.1, 0.1], heated_houses=(warm,))
    assert reasons(schedule)[0][0] is ReasonCode.HOLD_FULL


def test_what_nobody_plans_carries_the_rule(problems):
    problem = problems.problem(4, ev_sessions=(car(),))
    schedule = RulePlanner().plan(problem)
    assert (schedule.code == int(ReasonCode.RULE)).all()
    assert sentence(problem, schedule, "car", 1, currency="EUR").startswith("Drawing 4 kW as it does when nobody plans")


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000))
def test_reasons_agree_with_what_is_done_and_have_words(mixtures, seed):
    problem = mixtures.random_mixture(seed)
    schedule = LinearPlanner().plan(problem)
    if schedule.status is PlanStatus.INFEASIBLE:
        return
    assert set(schedule.limit.ravel()) <= set(LIMITS)
    batteries = len(problem.batteries)
    for step, column in np.ndindex(*schedule.power_kw.shape):
        code, power = ReasonCode(int(schedule.code[step, column])), schedule.power_kw[step, column]
        if column >= batteries:
            rest = code in (ReasonCode.DEFERRED, ReasonCode.HOLD_FULL, ReasonCode.NOT_AVAILABLE)
            assert rest == (power == 0.0) or code is ReasonCode.RUN
        else:
            assert code <= ReasonCode.RULE or code is ReasonCode.RESERVE
    pairs = [(0, column) for column in range(schedule.power_kw.shape[1])]
    for one in explanations(problem, schedule, "EUR", pairs=pairs, most=0):
        assert one.words.endswith(".")
        assert "nan" not in one.words


@pytest.mark.parametrize("seed", range(16))
def test_prices_are_slopes_of_the_cost(mixtures, seed):
    problem = mixtures.random_mixture(seed, runs=False)
    schedule = LinearPlanner().plan(problem)
    if schedule.method != "linear":
        return
    matrix, hours, small = build(problem), problem.grid.duration_h, 1e-3
    layout = matrix.layout

    def cost_with(changes):
        lower, upper = matrix.row_lower.copy(), matrix.row_upper.copy()
        for row, amount in changes.items():
            lower[row] += amount
            upper[row] += 0.0 if matrix.row_upper is matrix.row_lower else amount
        if matrix.row_upper is matrix.row_lower:
            upper = lower
        solver = Solver()
        solver.load(replace(matrix, row_lower=lower, row_upper=upper))
        solution = solver.run(time_limit_s=10.0)
        return solution.objective if solution.status is SolveStatus.OPTIMAL else np.inf

    # the cost is convex: a price is right when no small step beats its slope
    for step, prices in enumerate(schedule.energy_price_per_kwh):
        for site, price in enumerate(prices):
            row = layout.rows["bus"].start + site * problem.grid.count + step
            for amount in (small, -small):
                assert cost_with({row: amount}) >= schedule.bound - price * hours * amount - 1e-8
    for index, goal in enumerate(problem.goals):
        worth = schedule.marginal_value_per_kwh[goal.window[0], schedule.column(goal.asset_id)]
        for amount in (small, -small):
            assert cost_with({layout.rows["goal"].start + index: amount}) >= schedule.bound + worth * amount - 1e-8
    for index, house in enumerate(problem.heated_houses):
        for step, worth in enumerate(schedule.marginal_value_per_kwh[:, schedule.column(house.asset_id)]):
            row = layout.rows["house"].start + index * problem.grid.count + step
            for amount in (small, -small):
                saved = worth * amount * house.heat_pump.thermal_capacity_kwh_per_k
                assert cost_with({row: amount}) >= schedule.bound - saved - 1e-8
