"""Reserve: worth what it earns, owed or sold, and never more than what is there at any moment of the step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core import storage
from vpp.core.messages.planned import PlanStatus, ReasonCode
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.outcome import Choice, outcome_of
from vpp.optimization.penalties import penalty_per_kwh
from vpp.optimization.reserve import Reserve


def lossless(problems, **facts):
    return problems.battery(charge_efficiency=1.0, discharge_efficiency=1.0, **facts)


def test_an_idle_battery_sells_its_rating_where_energy_lasts(problems):
    unit = lossless(problems, soc_initial=0.3)
    for sustain_h, up_kw, down_kw in ((0.5, 5.0, 5.0), (1.0, 3.0, 5.0), (2.0, 1.5, 3.5)):
        terms = Reserve(sustain_h=sustain_h, up_price_per_kwh=np.full(2, 0.01), down_price_per_kwh=np.full(2, 0.02))
        problem = problems.problem(2, batteries=(unit,), reserve=terms, terminal_value_per_kwh=0.2)
        schedule = LinearPlanner().plan(problem)
        assert schedule.power_kw[:, 0] == pytest.approx([0.0, 0.0])
        # 3 kWh held and 7 kWh of room
        assert schedule.reserve_up_kw[:, 0] == pytest.approx([up_kw] * 2)
        assert schedule.reserve_down_kw[:, 0] == pytest.approx([down_kw] * 2)
        assert schedule.parts["reserve_revenue"] == pytest.approx(2.0 * (0.01 * up_kw + 0.02 * down_kw))
        assert schedule.objective == pytest.approx(-schedule.parts["reserve_revenue"] - 0.2 * 3.0)
        assert (schedule.code == int(ReasonCode.RESERVE)).all()
        assert (schedule.limit == "reserve").all()


def test_a_charging_battery_can_stop_and_turn(problems):
    unit = lossless(problems, capacity_kwh=100.0, soc_initial=0.5)
    terms = Reserve(sustain_h=1.0, up_price_per_kwh=np.array([0.01]))
    problem = problems.problem(
        1, batteries=(unit,), reserve=terms, import_price_per_kwh=0.1, terminal_value_per_kwh=0.2
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.power_kw[0, 0] == pytest.approx(-5.0)
    assert schedule.reserve_up_kw[0, 0] == pytest.approx(10.0)


def test_reserve_is_held_back_from_the_market_when_it_pays_more(problems):
    unit = lossless(problems, soc_initial=1.0, capacity_kwh=5.0)
    for price, discharged in ((0.05, 5.0), (0.5, 0.0)):
        terms = Reserve(sustain_h=1.0, up_price_per_kwh=np.array([price]))
        problem = problems.problem(1, batteries=(unit,), reserve=terms, fixed_kw=-9.0)
        schedule = LinearPlanner().plan(problem)
        # a kWh covers load worth 0.3, or is held as a kW for the hour
        assert schedule.power_kw[0, 0] == pytest.approx(discharged)
        assert schedule.reserve_up_kw[0, 0] == pytest.approx(5.0 - discharged)


def test_what_is_owed_is_held_at_the_least_cost(problems):
    units = (lossless(problems), lossless(problems, soc_initial=0.0))
    units = (units[0], replace(units[1], id="other"))
    terms = Reserve(sustain_h=1.0, up_required_kw=np.array([0.0, 4.0]))
    problem = problems.problem(
        2, batteries=units, battery_site=(0, 0), fixed_kw=[-3.0, -3.0], import_price_per_kwh=[0.2, 0.5], reserve=terms
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.reserve_up_kw[1].sum() >= 4.0 - 1e-9
    assert schedule.parts["reserve_revenue"] == 0.0
    # without the duty nothing is bought ahead beyond the dear hour's load
    free = LinearPlanner().plan(replace(problem, reserve=None))
    assert schedule.objective > free.objective + 1e-6


def test_the_most_that_can_be_sold_is_kept(problems):
    terms = Reserve(sustain_h=0.25, down_price_per_kwh=np.full(2, 0.1), down_max_kw=np.array([2.0, np.inf]))
    # a store worth keeping, and not worth filling
    schedule = LinearPlanner().plan(problems.problem(2, reserve=terms, terminal_value_per_kwh=0.32))
    assert schedule.reserve_down_kw.sum(axis=1) == pytest.approx([2.0, 5.0])


def test_the_connection_limits_reserve(problems):
    terms = Reserve(sustain_h=0.25, up_price_per_kwh=np.full(1, 0.01), down_price_per_kwh=np.full(1, 0.01))
    problem = problems.problem(1, fixed_kw=-2.0, export_max_kw=1.0, import_max_kw=4.0, reserve=terms)
    schedule = LinearPlanner().plan(replace(problem, terminal_value_per_kwh=np.array([0.3])))
    assert schedule.power_kw[0, 0] == 0.0
    assert schedule.reserve_up_kw[0, 0] == pytest.approx(3.0)
    assert schedule.reserve_down_kw[0, 0] == pytest.approx(2.0)


def test_the_reserve_for_outages_is_not_sold(problems):
    unit = lossless(problems, soc_initial=0.6, backup_soc=0.5)
    terms = Reserve(sustain_h=1.0, up_price_per_kwh=np.full(2, 5.0))
    schedule = LinearPlanner().plan(
        problems.problem(2, batteries=(unit,), reserve=terms, terminal_value_per_kwh=0.2, import_max_kw=0.0)
    )
    assert schedule.reserve_up_kw[:, 0] == pytest.approx([1.0, 1.0])
    assert schedule.parts["penalty_cost"] == 0.0


def test_a_duty_reaches_into_the_reserve_for_outages_only_at_its_price(problems):
    unit = lossless(problems, soc_initial=0.6, soc_min=0.2, backup_soc=0.5)
    terms = Reserve(sustain_h=1.0, up_required_kw=np.full(2, 3.0))
    problem = problems.problem(2, batteries=(unit,), reserve=terms, import_max_kw=0.0)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.reserve_up_kw[:, 0] == pytest.approx([3.0, 3.0])
    # after a call 2 kWh of the 5 are missing, in each step
    assert schedule.parts["penalty_cost"] == pytest.approx(2.0 * 2.0 * penalty_per_kwh(problem)[0])
    assert schedule.objective == pytest.approx(schedule.bound)
    # at most down to soc_min: 4 kWh
    beyond = replace(problem, reserve=replace(terms, up_required_kw=np.full(2, 4.5)))
    assert LinearPlanner().plan(beyond).conflicts[0].violation_kw == pytest.approx(0.5)


@pytest.mark.parametrize(("start", "way"), [(0.05, "up"), (0.98, "down")])
def test_a_battery_outside_its_band_promises_nothing(problems, start, way):
    unit = lossless(problems, soc_min=0.2, soc_max=0.8, capacity_kwh=30.0)
    price = {f"{way}_price_per_kwh": np.full(3, 1.0)}
    problem = problems.problem(3, batteries=(unit,), initial_soc=[start], reserve=Reserve(sustain_h=0.25, **price))
    schedule = LinearPlanner().plan(problem)
    assert getattr(schedule, f"reserve_{way}_kw").sum() == 0.0
    assert schedule.objective == pytest.approx(schedule.bound)


def test_a_duty_beyond_what_there_is_is_named_with_what_there_is(problems):
    terms = Reserve(sustain_h=2.0, up_required_kw=np.array([2.0, 4.0]))
    unit = lossless(problems, soc_initial=0.3)
    problem = problems.problem(2, batteries=(unit,), reserve=terms, import_max_kw=0.0)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert {conflict.name for conflict in schedule.conflicts} == {"reserve.up_required_kw"}
    assert [conflict.violation_kw for conflict in schedule.conflicts] == pytest.approx([0.5, 2.5])
    assert schedule.least_violation.reserve_up_kw[:, 0] == pytest.approx([1.5, 1.5])


def test_a_promise_beyond_what_there_is_is_cut(problems):
    terms = Reserve(sustain_h=1.0, up_price_per_kwh=np.full(2, 1.0), up_max_kw=np.array([9.0, 1.0]))
    problem = problems.problem(2, reserve=terms, batteries=(lossless(problems, soc_initial=0.2),))
    nothing = np.zeros((2, 1))
    outcome = outcome_of(problem, Choice(nothing, nothing.copy(), reserve_kw={"up": np.full((2, 1), 50.0)}))
    assert outcome.reserve_kw["up"][:, 0] == pytest.approx([2.0, 1.0])
    assert outcome.reserve_kw["down"].sum() == 0.0
    assert outcome.parts["reserve_revenue"] == pytest.approx(3.0)


def called(problem, schedule, column, step, *, way, at_h):
    """Return by how much a battery cuts a call that starts within a step and lasts until it must end [kW]."""
    unit, hours = problem.batteries[column], problem.grid.duration_h
    promised = (schedule.reserve_up_kw if way == "up" else -schedule.reserve_down_kw)[step, column]
    energy = problem.initial_soc[column] if step == 0 else schedule.soc[step - 1, column]
    energy, planned = energy * unit.capacity_kwh, schedule.power_kw[step, column]
    if at_h > 0.0:
        energy = float(storage.execute(energy, planned, unit.limits, duration_h=at_h).energy_kwh)
    lasts_h = min(problem.reserve.sustain_h, hours - at_h)
    done = storage.execute(energy, planned + promised, unit.limits, duration_h=lasts_h)
    return abs(float(done.power_kw) - planned - promised)


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000), share=st.sampled_from([0.0, 0.3, 0.7, 0.95]))
def test_a_call_at_any_moment_is_answered_in_full_beside_the_plan(mixtures, seed, share):
    rng = np.random.default_rng(seed)
    problem = mixtures.random_mixture(seed, feed_in_above=seed % 3 == 0)
    problem = replace(problem, reserve=mixtures.random_reserve(rng, problem.grid.count))
    schedule = LinearPlanner().plan(problem)
    if schedule.status is PlanStatus.INFEASIBLE:
        return
    for column in range(len(problem.batteries)):
        for step in range(problem.grid.count):
            for way, held in (("up", schedule.reserve_up_kw), ("down", schedule.reserve_down_kw)):
                if held[step, column] > 0.0:
                    cut = called(problem, schedule, column, step, way=way, at_h=share * problem.grid.duration_h)
                    assert cut <= 1e-6, (way, step, column)
    net = schedule.export_kw - schedule.import_kw
    site = np.array(problem.battery_site)
    for one in range(len(problem.site_ids)):
        mine = np.flatnonzero(site == one)
        assert (net[:, one] + schedule.reserve_up_kw[:, mine].sum(axis=1) <= problem.export_max_kw[one] + 1e-6).all()
        assert (schedule.reserve_down_kw[:, mine].sum(axis=1) - net[:, one] <= problem.import_max_kw[one] + 1e-6).all()
    for way, held in (("up", schedule.reserve_up_kw), ("down", schedule.reserve_down_kw)):
        owed = problem.reserve.series(way, "required_kw", problem.grid.count)
        assert (held.sum(axis=1) >= owed - 1e-6).all()


@pytest.mark.parametrize("seed", range(30))
def test_one_direction_at_a_time_with_negative_prices_and_reserve(mixtures, seed):
    rng = np.random.default_rng(seed)
    problem = mixtures.random_mixture(seed)
    low = problem.import_price_per_kwh - 0.5
    problem = replace(
        problem,
        import_price_per_kwh=low,
        export_price_per_kwh=low,
        reserve=mixtures.random_reserve(rng, problem.grid.count),
    )
    schedule = LinearPlanner().plan(problem)
    if schedule.status is PlanStatus.INFEASIBLE:
        return
    assert schedule.bound <= schedule.objective + 1e-7
    # the replay moves what is planned: nothing was burnt on the way
    before = problem.initial_soc
    for step in range(problem.grid.count):
        for column, unit in enumerate(problem.batteries):
            change = storage.energy_change_kwh(
                schedule.power_kw[step, column],
                duration_h=problem.grid.duration_h,
                charge_efficiency=unit.charge_efficiency,
                discharge_efficiency=unit.discharge_efficiency,
            )
            assert schedule.soc[step, column] - before[column] == pytest.approx(
                float(change) / unit.capacity_kwh, abs=1e-7
            )
        before = schedule.soc[step]
