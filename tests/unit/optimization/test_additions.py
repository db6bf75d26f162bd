"""What sites share or are billed for: portfolio limits, demand charge, carbon; bad input is named before any solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.assets import HeatPump
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import linear
from vpp.optimization.explain import alternatives
from vpp.optimization.flexible import EvSession, HeatedHouse
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.reserve import Reserve
from vpp.optimization.rules import RulePlanner
from vpp.optimization.wear import WearCurve


def car(name="car", **given):
    facts = {"arrival_step": 0, "departure_step": 2, "energy_needed_kwh": 4.0, "charge_max_kw": 4.0}
    return EvSession(asset_id=name, charge_efficiency=1.0, **(facts | given))


def test_a_portfolio_limit_spreads_what_sites_draw_together(problems, monkeypatch):
    cars = (car("one"), car("two", site=1))
    problem = problems.problem(2, 2, batteries=(), import_price_per_kwh=[[0.1, 0.1], [0.3, 0.3]], ev_sessions=cars)
    assert LinearPlanner().plan(problem).import_kw.sum(axis=1) == pytest.approx([8.0, 0.0])
    limited = replace(problem, portfolio_import_max_kw=5.0)
    monkeypatch.setattr(linear, "TOGETHER_COLUMNS", 0)
    schedule = LinearPlanner().plan(limited)
    assert schedule.import_kw.sum(axis=1) == pytest.approx([5.0, 3.0])
    assert schedule.objective == pytest.approx(0.5 + 0.9)
    with pytest.raises(InvalidInputError, match="share no portfolio limit"):
        limited.at_site(0)
    # waiting with all of one car in the first hour makes room for the other, which costs nothing
    columns = [column for column in range(2) if schedule.power_kw[0, column] != 0.0]
    _, cost = alternatives(limited, schedule, pairs=[(0, column) for column in columns])
    assert cost[0, columns[0]] == pytest.approx(0.2 * 1.0)


def test_what_one_site_feeds_in_serves_the_other_within_the_portfolio(problems):
    problem = problems.problem(
        1, 2, batteries=(), fixed_kw=[[6.0, -5.0]], portfolio_import_max_kw=0.5, portfolio_export_max_kw=1.0
    )
    assert LinearPlanner().plan(problem).status is PlanStatus.OPTIMAL


@pytest.mark.parametrize(
    ("fixed_kw", "facts", "name", "missed_kw", "words"),
    [
        ([[-3.0, -4.0]], {"portfolio_import_max_kw": 5.0}, "portfolio_import_max_kw", 2.0, "need 7 kW from the grid"),
        ([[3.0, 4.0]], {"portfolio_export_max_kw": 5.0}, "portfolio_export_max_kw", 2.0, "must feed in 7 kW"),
        (
            [[0.0, 0.0]],
            {"reserve": Reserve(sustain_h=1.0, up_required_kw=np.array([2.0]))},
            "reserve.up_required_kw",
            2.0,
            "can hold 0 kW of upward reserve",
        ),
    ],
    ids=["import", "export", "reserve"],
)
def test_a_shared_limit_that_clashes_is_named(problems, fixed_kw, facts, name, missed_kw, words):
    problem = problems.problem(1, 2, batteries=(), fixed_kw=fixed_kw, **facts)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert [conflict.name for conflict in schedule.conflicts] == [name]
    assert schedule.conflicts[0].violation_kw == pytest.approx(missed_kw)
    assert words in schedule.message
    assert schedule.least_violation is not None
    rule = RulePlanner().plan(problem)
    assert rule.status is PlanStatus.FAILED
    assert name in rule.message


def test_the_nearest_plan_gives_flexible_demand_up_before_a_limit(problems):
    problem = problems.problem(2, batteries=(), fixed_kw=[-5.0, -2.0], import_max_kw=3.0, ev_sessions=(car(),))
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert schedule.conflicts[0].violation_kw == pytest.approx(2.0)
    nearest = schedule.least_violation
    assert nearest.power_kw[:, 0] == pytest.approx([0.0, -1.0])
    assert nearest.goals_missed["car.energy_kwh"] == pytest.approx(3.0)


def test_a_demand_charge_is_paid_above_the_peak_so_far(problems):
    problem = problems.problem(
        4,
        batteries=(),
        fixed_kw=-2.0,
        import_price_per_kwh=[0.1, 0.1, 0.3, 0.3],
        ev_sessions=(car(departure_step=4, energy_needed_kwh=8.0, charge_max_kw=8.0),),
        demand_charge_per_kw=np.array([1.0]),
        peak_so_far_kw=np.array([3.0]),
    )
    schedule = LinearPlanner().plan(problem)
    # a kW more of peak moves 2 kWh to hours 0.2 cheaper: worth 0.4, not 1; the peak is as low as 16 kWh in 4 h allow
    assert schedule.import_kw[:, 0] == pytest.approx([4.0] * 4)
    assert schedule.parts["demand_charge_cost"] == pytest.approx(1.0)
    assert schedule.objective == pytest.approx(2.0 * 4.0 * 0.1 + 2.0 * 4.0 * 0.3 + 1.0)
    reached = replace(problem, peak_so_far_kw=np.array([5.0]))
    schedule = LinearPlanner().plan(reached)
    assert schedule.import_kw[:2, 0] == pytest.approx([5.0, 5.0])
    assert schedule.parts["demand_charge_cost"] == 0.0
    cheap = replace(problem, demand_charge_per_kw=np.array([0.3]))
    # now the two cheap hours take all: 2 + 4 kW
    assert LinearPlanner().plan(cheap).parts["demand_charge_cost"] == pytest.approx(0.3 * 3.0)


def test_each_meter_pays_its_own_peak(problems):
    problem = problems.problem(1, 2, batteries=(), fixed_kw=[[-2.0, -3.0]], demand_charge_per_kw=np.array([1.0, 10.0]))
    assert LinearPlanner().plan(problem).parts["demand_charge_cost"] == pytest.approx(2.0 + 30.0)


def test_a_carbon_price_moves_demand_to_clean_hours(problems):
    problem = problems.problem(
        2,
        batteries=(),
        import_price_per_kwh=[0.10, 0.12],
        ev_sessions=(car(),),
        carbon_price_per_kg=0.1,
        carbon_kg_per_kwh=np.array([[0.8], [0.1]]),
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.power_kw[:, 0] == pytest.approx([0.0, -4.0])
    assert schedule.parts["carbon_cost"] == pytest.approx(0.04)
    assert schedule.parts["energy_cost"] == pytest.approx(0.48)
    assert LinearPlanner().plan(replace(problem, carbon_price_per_kg=0.0)).power_kw[0, 0] == pytest.approx(-4.0)


def test_a_demand_charge_does_not_empty_the_reserve_for_outages(problems):
    unit = problems.battery(backup_soc=0.5, soc_initial=0.5)
    problem = problems.problem(
        4, batteries=(unit,), fixed_kw=[-1.0, -8.0, -1.0, -1.0], demand_charge_per_kw=np.array([100.0])
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.parts["penalty_cost"] == 0.0
    assert schedule.soc.min() >= 0.5 - 1e-9


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"portfolio_import_max_kw": -1.0}, r"portfolio_import_max_kw: got -1.0, expected 0 or more \[kW\]"),
        ({"portfolio_export_max_kw": np.nan}, "portfolio_export_max_kw: got nan"),
        ({"carbon_price_per_kg": np.nan}, "carbon_price_per_kg: got nan"),
        ({"carbon_kg_per_kwh": np.full((2, 1), -0.1)}, r"carbon_kg_per_kwh\[0, 0\]: got -0.1"),
        ({"demand_charge_per_kw": np.array([np.inf])}, r"demand_charge_per_kw\[0\]: got inf"),
        ({"peak_so_far_kw": np.array([-2.0])}, r"peak_so_far_kw\[0\]: got -2.0"),
        ({"ev_sessions": (car(site=3),)}, "car.site: got 3, expected an index of 1 sites"),
        ({"ev_sessions": (car(departure_step=9),)}, r"car.window: got \(0, 9\), expected within the horizon, 0 to 2"),
        ({"ev_sessions": (car(), car(arrival_step=1))}, "sessions of one point that do not overlap"),
        ({"ev_sessions": (car("battery0"),)}, "an id used once"),
        ({"wear_curves": (None, None)}, "wear_curves: got 2, expected 1 curves"),
        (
            {"reserve": Reserve(sustain_h=1.0, up_price_per_kwh=np.array([0.1, np.nan]))},
            r"up_price_per_kwh\[1\]: got nan",
        ),
        (
            {"reserve": Reserve(sustain_h=1.0, up_required_kw=np.full(2, 3.0), up_max_kw=np.full(2, 2.0))},
            r"reserve.up_max_kw\[0\]: got 2.0, expected at least up_required_kw \(3 kW\)",
        ),
    ],
)
def test_a_value_outside_its_range_is_named(problems, facts, words):
    with pytest.raises(InvalidInputError, match=words):
        problems.problem(2, **facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"demand_charge_per_kw": np.zeros(3)},
        {"carbon_kg_per_kwh": np.zeros(2)},
        {"reserve": Reserve(sustain_h=1.0, down_price_per_kwh=np.zeros(5))},
    ],
    ids=["charge", "carbon", "reserve"],
)
def test_a_wrong_shape_is_named(problems, facts):
    with pytest.raises(SeriesMismatchError, match="shape"):
        problems.problem(2, **facts)


def test_weather_of_another_length_is_named(problems):
    short = HeatedHouse(
        heat_pump=HeatPump(id="heat", rated_kw=3.0), initial_temperature_c=20.0, outdoor_temperature_c=np.zeros(3)
    )
    with pytest.raises(SeriesMismatchError, match=r"heat\.outdoor_temperature_c"):
        problems.problem(2, heated_houses=(short,))


@pytest.mark.parametrize("costs", [(), (0.2, 0.1), (-0.1,), (np.nan,)])
def test_a_wear_curve_never_falls(costs):
    with pytest.raises(InvalidInputError, match=r"wear_curve\.cost_per_kwh"):
        WearCurve(cost_per_kwh=costs)
