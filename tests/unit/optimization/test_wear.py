"""Wear by depth: the linear program fills the cheap segments itself, and the replay says the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.linear import METHOD, LinearPlanner
from vpp.optimization.wear import WearCurve, cycle_wear_curve, initial_segments_kwh, replayed_wear_cost

CURVE = WearCurve(cost_per_kwh=(0.04, 0.12, 0.2, 0.3))


def unit(problems, **facts):
    return problems.battery(charge_efficiency=1.0, discharge_efficiency=1.0, capacity_kwh=8.0, **facts)


def test_a_discharge_goes_as_deep_as_it_pays(problems):
    # segments of 2 kWh at 0.04, 0.12, 0.2, 0.3: at a spread of 0.15 two of them pay
    problem = problems.problem(
        2,
        batteries=(unit(problems, soc_initial=1.0),),
        fixed_kw=-9.0,
        import_price_per_kwh=0.35,
        terminal_value_per_kwh=0.2,
        wear_curves=(CURVE,),
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.power_kw.sum() == pytest.approx(4.0)
    assert schedule.parts["wear_cost"] == pytest.approx(2.0 * 0.04 + 2.0 * 0.12)
    assert schedule.method == METHOD
    assert schedule.objective == pytest.approx(schedule.bound)


def test_shallow_cycles_wear_less_than_a_deep_one(problems):
    # twice 2 kWh with a refill between, against 4 kWh at once
    facts = {"batteries": (unit(problems, soc_initial=1.0),), "fixed_kw": -4.0, "wear_curves": (CURVE,)}
    shallow = problems.problem(
        3, import_price_per_kwh=[0.5, 0.1, 0.5], terminal_value_per_kwh=0.4, import_max_kw=6.0, **facts
    )
    schedule = LinearPlanner().plan(shallow)
    assert schedule.power_kw[:, 0] == pytest.approx([2.0, -2.0, 2.0])
    assert schedule.parts["wear_cost"] == pytest.approx(4.0 * 0.04)


def test_a_curve_of_one_price_is_flat_wear(problems):
    prices = np.array([0.1, 0.5, 0.2, 0.6])
    base = problems.problem(4, fixed_kw=-2.0, import_price_per_kwh=prices)
    flat = replace(base, batteries=(problems.battery("battery0", wear_cost_per_kwh=0.05),))
    for segments in (1, 3):
        curved = replace(base, wear_curves=(WearCurve(cost_per_kwh=(0.05,) * segments),))
        schedule = LinearPlanner().plan(curved)
        assert schedule.objective == pytest.approx(LinearPlanner().plan(flat).objective)
        assert schedule.parts["wear_cost"] == pytest.approx(LinearPlanner().plan(flat).parts["wear_cost"])


def test_a_kwh_more_is_worth_what_it_saves_in_the_best_segment(problems):
    problem = problems.problem(
        2,
        batteries=(unit(problems, soc_initial=0.375),),
        fixed_kw=[-1.0, -9.0],
        import_price_per_kwh=[0.3, 0.5],
        terminal_value_per_kwh=0.1,
        wear_curves=(CURVE,),
    )
    schedule = LinearPlanner().plan(problem)
    more = replace(problem, initial_soc=problem.initial_soc + 0.001 / 8.0)
    saved = (schedule.objective - LinearPlanner().plan(more).objective) / 0.001
    assert schedule.marginal_value_per_kwh[0, 0] == pytest.approx(saved, rel=1e-6)


def test_the_start_fills_the_shallow_segments():
    assert initial_segments_kwh(5.0, 8.0, 4).tolist() == [2.0, 2.0, 1.0, 0.0]


def test_the_replay_by_hand():
    # from 8 kWh: 3 kWh out cost 2 at 0.04 and 1 at 0.12; 2 back; 2 out again at 0.04
    cost = replayed_wear_cost(
        CURVE, capacity_kwh=8.0, energy_kwh=np.array([5.0, 7.0, 5.0]), discharge_efficiency=1.0, before_kwh=8.0
    )
    assert cost == pytest.approx(2 * 0.04 + 0.12 + 2 * 0.04)


@settings(max_examples=50)
@given(seed=st.integers(0, 100_000))
def test_the_replay_costs_what_the_program_found(mixtures, seed):
    rng = np.random.default_rng(seed)
    base = mixtures.problems.random_problem(seed)
    curves = tuple(WearCurve(cost_per_kwh=tuple(np.sort(rng.uniform(0.0, 0.2, 3)).tolist())) for _ in base.batteries)
    schedule = LinearPlanner().plan(replace(base, wear_curves=curves))
    if schedule.status is PlanStatus.INFEASIBLE or schedule.method != METHOD:
        return
    assert schedule.objective == pytest.approx(schedule.bound, rel=1e-6, abs=1e-6)


def test_the_published_curve():
    curve = cycle_wear_curve(cell_cost_per_kwh=300.0, discharge_efficiency=0.95, segments=4)
    assert curve.cost_per_kwh == pytest.approx((0.039683, 0.122385, 0.207048, 0.292778), abs=5e-7)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"segments": 0}, "wear_curve.segments"),
        ({"exponent": 0.5}, "wear_curve.exponent"),
        ({"cell_cost_per_kwh": -1.0}, "wear_curve.cell_cost_per_kwh"),
        ({"discharge_efficiency": 1.5}, "wear_curve.discharge_efficiency"),
    ],
)
def test_bad_curves_are_named(facts, field):
    with pytest.raises(InvalidInputError, match=field):
        cycle_wear_curve(**({"cell_cost_per_kwh": 300.0, "discharge_efficiency": 0.95} | facts))
