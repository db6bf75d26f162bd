"""Cars, houses and machines: small cases by hand, and any mixture replayed by its own physics."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.assets import HeatPump
from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import linear
from vpp.optimization.flexible import DeferrableLoad, DeferrableRun, EvSession, HeatedHouse, house_temperature_c
from vpp.optimization.flexible_outcome import flexible_assets, uncontrolled_kw
from vpp.optimization.linear import METHOD, METHOD_STARTED, LinearPlanner
from vpp.optimization.rules import IdlePlanner, RulePlanner


def session(name="car", **given_facts):
    facts = {"arrival_step": 0, "departure_step": 4, "energy_needed_kwh": 9.0, "charge_max_kw": 5.0}
    return EvSession(asset_id=name, **(facts | given_facts))


def house(steps, **given_facts):
    facts = {"initial_temperature_c": 20.0, "outdoor_temperature_c": np.zeros(steps)}
    return HeatedHouse(heat_pump=HeatPump(id="heat", rated_kw=5.0), **(facts | given_facts))


def empty(problems, steps, **facts):
    return problems.problem(steps, batteries=(), **facts)


def test_a_car_charges_in_the_cheapest_hours_before_it_leaves(problems):
    car = session(arrival_step=1, departure_step=4)
    problem = empty(problems, 6, import_price_per_kwh=[0.1, 0.5, 0.2, 0.4, 0.1, 0.1], ev_sessions=(car,))
    schedule = LinearPlanner().plan(problem)
    # 9 kWh at 0.9 are 10 kWh at the charging point: 5 in each of the two cheapest hours while it is there
    assert schedule.asset_ids == ("car",)
    assert schedule.power_kw[:, 0] == pytest.approx([0.0, 0.0, -5.0, -5.0, 0.0, 0.0])
    assert schedule.objective == pytest.approx(5.0 * 0.2 + 5.0 * 0.4)
    assert np.isnan(schedule.soc).all()
    assert schedule.message == ""
    assert dict(schedule.goals_missed) == {}
    # a kWh more in the car saves what its last kWh costs
    assert np.isnan(schedule.marginal_value_per_kwh[[0, 4, 5], 0]).all()
    less = replace(problem, ev_sessions=(replace(car, energy_needed_kwh=8.99),))
    saved = (schedule.objective - LinearPlanner().plan(less).objective) / 0.01
    assert schedule.marginal_value_per_kwh[2, 0] == pytest.approx(saved)


@pytest.mark.parametrize(("hours", "delivered_kwh"), [(2, 12.96), (4, 25.92), (5, 30.0)])
def test_a_session_that_is_too_short_says_what_is_missing(problems, hours, delivered_kwh):
    car = session(departure_step=hours, energy_needed_kwh=30.0, charge_max_kw=7.2)
    schedule = LinearPlanner().plan(empty(problems, hours, ev_sessions=(car,)))
    assert schedule.status is PlanStatus.OPTIMAL
    assert -schedule.power_kw.sum() * 0.9 == pytest.approx(delivered_kwh)
    missing = 30.0 - delivered_kwh
    if missing:
        assert schedule.goals_missed["car.energy_kwh"] == pytest.approx(missing)
        assert (
            f"car has {delivered_kwh:.4g} of 30 kWh when its car leaves at 2016-08-01 0{hours}:00" in schedule.message
        )
        assert schedule.parts["shortfall_cost"] > 0.3 / 0.9 * missing
    else:
        assert schedule.message == ""
        assert schedule.parts["shortfall_cost"] == 0.0


def test_a_stated_price_of_shortfall_is_weighed_against_energy(problems):
    for price, charged in ((0.2, 0.0), (0.4, 9.0)):
        problem = empty(problems, 4, ev_sessions=(session(shortfall_cost_per_kwh=price),))
        schedule = LinearPlanner().plan(problem)
        # a kWh in the car costs 0.3 / 0.9
        assert -schedule.power_kw.sum() * 0.9 == pytest.approx(charged)
        assert schedule.objective == pytest.approx(9.0 * min(price, 0.3 / 0.9))


def test_two_cars_share_a_charging_point_one_after_the_other(problems):
    cars = (session(departure_step=2, energy_needed_kwh=4.5), session(arrival_step=2, energy_needed_kwh=9.0))
    schedule = LinearPlanner().plan(empty(problems, 4, ev_sessions=cars))
    assert schedule.power_kw.shape == (4, 1)
    assert schedule.power_kw[:2].sum() == pytest.approx(-5.0)
    assert schedule.power_kw[2:].sum() == pytest.approx(-10.0)


def test_a_car_never_takes_more_than_it_needs_even_when_paid_to(problems):
    problem = empty(problems, 4, import_price_per_kwh=-0.5, export_price_per_kwh=-0.5, ev_sessions=(session(),))
    assert LinearPlanner().plan(problem).power_kw.sum() == pytest.approx(-10.0)


def test_an_interruptible_load_runs_in_its_window(problems):
    load = DeferrableLoad(asset_id="pool", earliest_step=1, end_step=4, energy_needed_kwh=3.0, power_max_kw=2.0)
    problem = empty(problems, 5, import_price_per_kwh=[0.1, 0.3, 0.9, 0.2, 0.1], deferrable_loads=(load,))
    schedule = LinearPlanner().plan(problem)
    assert schedule.power_kw[:, 0] == pytest.approx([0.0, -1.0, 0.0, -2.0, 0.0])
    short = replace(load, energy_needed_kwh=7.0)
    missed = LinearPlanner().plan(replace(problem, deferrable_loads=(short,)))
    assert missed.goals_missed["pool.energy_kwh"] == pytest.approx(1.0)
    assert "pool has 6 of 7 kWh when its window ends" in missed.message


def test_a_house_at_the_edge_of_its_band_is_held_there(problems):
    schedule = LinearPlanner().plan(empty(problems, 4, heated_houses=(house(4),)))
    # 20 K above outdoors through 2 K/kW are 10 kW of heat, a third of it electricity
    assert schedule.power_kw[:, 0] == pytest.approx(-10.0 / 3.0)
    assert schedule.temperature_c is not None
    assert schedule.temperature_c[:, 0] == pytest.approx(20.0)


def test_a_house_is_heated_ahead_of_a_dear_hour(problems):
    problem = empty(problems, 3, import_price_per_kwh=[0.1, 0.9, 0.1], heated_houses=(house(3),))
    schedule = LinearPlanner().plan(problem)
    # the hour without heat loses a factor exp(-1/20); what is missing before it comes from the cheap hour
    kept = np.exp(-1.0 / 20.0)
    # 5 kW warm the house to 20.49 degC, not to the 20.0 / kept = 21.03 it would need: the rest comes in the dear hour
    assert schedule.power_kw[0, 0] == pytest.approx(-5.0)
    reached = 20.0 * kept + (1.0 - kept) * 30.0
    assert schedule.power_kw[1, 0] == pytest.approx(-(20.0 - reached * kept) / (1.0 - kept) / 6.0)
    power = -schedule.power_kw[:, 0]
    assert schedule.temperature_c[:, 0] == pytest.approx(
        house_temperature_c(problem.heated_houses[0], power, duration_h=1.0)
    )
    # heat at the end of a step is worth what it saves: one more kWh of it there, by difference
    more = problem.heated_houses[0]
    warmer = replace(more, initial_temperature_c=more.initial_temperature_c + 0.01)
    saved = schedule.objective - LinearPlanner().plan(replace(problem, heated_houses=(warmer,))).objective
    # 0.1 kWh of heat at the start; its worth at the end of the first step is that over what the step keeps
    assert schedule.marginal_value_per_kwh[0, 0] == pytest.approx(saved / 0.1 / kept, rel=1e-6)


def test_a_house_that_cannot_be_kept_warm_says_so(problems):
    cold = house(3, initial_temperature_c=18.0, outdoor_temperature_c=np.full(3, -10.0))
    schedule = LinearPlanner().plan(empty(problems, 3, heated_houses=(cold,)))
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.power_kw[:, 0] == pytest.approx(-5.0)
    assert schedule.goals_missed["heat.comfort_kh"] == pytest.approx(float((20.0 - schedule.temperature_c[:, 0]).sum()))
    assert "the house of heat leaves 20 to 22 degC" in schedule.message


def test_a_stated_price_of_comfort_is_weighed_against_energy(problems):
    cheap, dear = (house(4, discomfort_cost_per_kh=price) for price in (0.0, 50.0))
    assert LinearPlanner().plan(empty(problems, 4, heated_houses=(cheap,))).power_kw.sum() == 0.0
    assert LinearPlanner().plan(empty(problems, 4, heated_houses=(dear,))).goals_missed == {}


def test_a_run_starts_where_its_profile_costs_least(problems):
    run = DeferrableRun(asset_id="washer", earliest_step=1, end_step=6, profile_kw=(2.0, 0.5))
    prices = np.array([0.0, 0.5, 0.3, 0.35, 0.32, 0.9])
    problem = empty(problems, 6, import_price_per_kwh=prices, export_price_per_kwh=0.0, deferrable_runs=(run,))
    schedule = LinearPlanner().plan(problem)
    costs = [2.0 * prices[start] + 0.5 * prices[start + 1] for start in run.starts]
    best = run.starts[int(np.argmin(costs))]
    assert schedule.objective == pytest.approx(min(costs))
    assert np.flatnonzero(schedule.power_kw[:, 0]).tolist() == [best, best + 1]
    assert np.isnan(schedule.marginal_value_per_kwh).all()


@pytest.mark.parametrize("seed", range(6))
def test_runs_under_a_shared_peak_are_placed_as_well_as_by_trying_all(problems, seed):
    rng = np.random.default_rng(seed)
    runs = tuple(
        DeferrableRun(asset_id=f"run{i}", earliest_step=0, end_step=6, profile_kw=tuple(rng.uniform(0.5, 3.0, 2)))
        for i in range(2)
    )
    facts = {
        "fixed_kw": -rng.uniform(0.0, 3.0, 6),
        "import_price_per_kwh": rng.uniform(0.1, 0.5, 6),
        "export_price_per_kwh": 0.0,
        "demand_charge_per_kw": np.array([2.0]),
    }
    schedule = LinearPlanner().plan(empty(problems, 6, deferrable_runs=runs, **facts))
    exact = LinearPlanner(exact_directions=True).plan(empty(problems, 6, deferrable_runs=runs, **facts))
    costs = []
    for starts in product(*(run.starts for run in runs)):
        fixed = facts["fixed_kw"].copy()
        for start, run in zip(starts, runs, strict=True):
            fixed[start : start + 2] -= run.profile_kw
        costs.append(LinearPlanner().plan(empty(problems, 6, **(facts | {"fixed_kw": fixed}))).objective)
    assert exact.objective == pytest.approx(min(costs))
    # moved one at a time: near the best, and honest about what is not proved
    assert min(costs) - 1e-9 <= schedule.objective <= sorted(costs)[2] + 1e-9
    assert schedule.bound <= min(costs) + 1e-9
    if schedule.objective > schedule.bound + 1e-6:
        assert schedule.method == METHOD_STARTED
        assert "starts were chosen after the relaxation: at most" in schedule.message


def replayed_cost(problem, schedule):
    """Return what the flexible assets cost in missed goals, by loops of their own."""
    assets, hours, cost = flexible_assets(problem), problem.grid.duration_h, 0.0
    used = -schedule.power_kw[:, len(problem.batteries) :]
    assert (used >= 0.0).all()
    for column, asset_id in enumerate(assets.ids):
        allowed = np.zeros(problem.grid.count, dtype=bool)
        for goal in problem.goals:
            if goal.asset_id == asset_id:
                here = slice(*goal.window)
                allowed[here] = True
                got = used[here, column].sum() * hours * goal.charge_efficiency
                assert got <= goal.energy_needed_kwh + 1e-8
                assert used[here, column].max() <= goal.charge_max_kw + 1e-9
                if goal.shortfall_cost_per_kwh is not None:
                    cost += goal.shortfall_cost_per_kwh * (goal.energy_needed_kwh - got)
        for run in problem.deferrable_runs:
            if run.asset_id == asset_id:
                allowed[slice(*run.window)] = True
                courses = [np.convolve(np.eye(problem.grid.count)[start], run.profile_kw) for start in run.starts]
                nearest = min(np.abs(used[:, column] - c[: problem.grid.count]).max() for c in courses)
                assert nearest == 0.0
        for one in problem.heated_houses:
            if one.asset_id == asset_id:
                allowed[:] = True
        assert not used[~allowed, column].any()
    return cost


@settings(max_examples=50)
@given(seed=st.integers(0, 100_000))
def test_any_mixture_is_what_its_assets_do_and_sums_to_its_claim(mixtures, seed):
    problem = mixtures.random_mixture(seed)
    schedule = LinearPlanner().plan(problem)
    if schedule.status is PlanStatus.INFEASIBLE:
        assert schedule.least_violation is None or not schedule.least_violation.usable
        return
    stated = replayed_cost(problem, schedule)
    if all(goal.shortfall_cost_per_kwh is not None for goal in problem.goals):
        assert schedule.parts.get("shortfall_cost", 0.0) == pytest.approx(stated, abs=1e-7)
    earned = ("terminal_value", "reserve_revenue")
    total = sum(-value if name in earned else value for name, value in schedule.parts.items())
    assert total == pytest.approx(schedule.objective, abs=1e-9)
    if schedule.method == METHOD:
        assert schedule.objective == pytest.approx(schedule.bound, rel=1e-6, abs=1e-6)
    exchange = problem.fixed_kw + problem.curtailable_kw - schedule.curtailed_kw
    for column, site in enumerate(schedule.asset_site):
        exchange[:, site] += schedule.power_kw[:, column]
    np.testing.assert_allclose(schedule.export_kw - schedule.import_kw, exchange, atol=1e-8)
    assert (np.minimum(schedule.import_kw, schedule.export_kw) == 0.0).all()
    net = (schedule.export_kw - schedule.import_kw).sum(axis=1)
    assert (net <= problem.portfolio_export_max_kw + 1e-7).all()
    assert (-net <= problem.portfolio_import_max_kw + 1e-7).all()


def test_hot_costs_what_cold_costs_when_windows_and_weather_move(problems):
    hot = LinearPlanner()
    for turn in range(12):
        rng = np.random.default_rng(turn)
        cars = (
            session(arrival_step=int(rng.integers(0, 3)), departure_step=6, energy_needed_kwh=rng.uniform(1.0, 12.0)),
        )
        houses = (
            house(8, outdoor_temperature_c=rng.uniform(-5.0, 15.0, 8), initial_temperature_c=rng.uniform(19, 22)),
        )
        problem = problems.problem(
            8, import_price_per_kwh=rng.uniform(0.1, 0.5, 8), ev_sessions=cars, heated_houses=houses
        )
        assert hot.plan(problem).objective == pytest.approx(LinearPlanner().plan(problem).objective, rel=1e-8)
    assert len(hot._solvers) == 1


def test_when_nobody_plans_cars_charge_at_once_and_houses_stay_just_warm(problems):
    problem = empty(
        problems,
        4,
        ev_sessions=(session(arrival_step=1),),
        heated_houses=(house(4),),
        deferrable_runs=(DeferrableRun(asset_id="washer", earliest_step=1, end_step=4, profile_kw=(2.0, 1.0)),),
    )
    drawn = uncontrolled_kw(problem)
    assert drawn[:, 0] == pytest.approx([0.0, 5.0, 5.0, 0.0])
    assert drawn[:, 1] == pytest.approx(10.0 / 3.0)
    assert drawn[:, 2] == pytest.approx([0.0, 2.0, 1.0, 0.0])
    for planner in (RulePlanner(), IdlePlanner()):
        schedule = planner.plan(problem)
        assert schedule.status is PlanStatus.FEASIBLE
        assert -schedule.power_kw == pytest.approx(drawn)
        assert schedule.objective >= LinearPlanner().plan(problem).objective - 1e-9


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: session(energy_needed_kwh=np.nan), r"car.energy_needed_kwh: got nan, expected 0 or more \[kWh\]"),
        (lambda: session(charge_max_kw=-1.0), "car.charge_max_kw: got -1.0"),
        (lambda: session(charge_efficiency=1.2), "0.001 to 1"),
        (lambda: session(departure_step=0), "a step after arrival_step"),
        (lambda: session(arrival_step=-1), "0 or more"),
        (lambda: session(shortfall_cost_per_kwh=-1.0), "car.shortfall_cost_per_kwh"),
        (lambda: session("Car"), "lower-case slug"),
        (lambda: house(2, initial_temperature_c=99.0), "heat.initial_temperature_c: got 99.0, expected -50 to 60"),
        (
            lambda: DeferrableRun(asset_id="run", earliest_step=0, end_step=2, profile_kw=(1.0, 1.0, 1.0)),
            "run.profile_kw: got 3, expected 1 to 2 steps long",
        ),
        (
            lambda: DeferrableRun(asset_id="run", earliest_step=0, end_step=2, profile_kw=(1.0, -1.0)),
            r"run.profile_kw\[1\]",
        ),
        (
            lambda: DeferrableLoad(
                asset_id="pool", earliest_step=0, end_step=2, energy_needed_kwh=1.0, power_max_kw=np.inf
            ),
            "pool.power_max_kw: got inf",
        ),
    ],
)
def test_a_consumer_outside_its_range_is_named(make, words):
    with pytest.raises(InvalidInputError, match=words):
        make()


@pytest.mark.parametrize("seed", range(24))
def test_sites_apart_cost_what_they_cost_together(mixtures, seed, monkeypatch):
    problem = replace(mixtures.random_mixture(seed, runs=False), reserve=None, portfolio_import_max_kw=np.inf)
    problem = replace(problem, portfolio_export_max_kw=np.inf)
    together = LinearPlanner().plan(problem)
    monkeypatch.setattr(linear, "TOGETHER_COLUMNS", 0)
    apart = LinearPlanner().plan(problem)
    assert apart.status is together.status
    assert apart.asset_ids == together.asset_ids
    if together.objective is not None:
        assert apart.objective == pytest.approx(together.objective, rel=1e-7, abs=1e-7)
        assert dict(apart.goals_missed).keys() == dict(together.goals_missed).keys()
