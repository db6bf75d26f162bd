"""The linear planner: replay, hot against cold, determinism, prices, statuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core import storage
from vpp.core.messages.planned import PlanStatus
from vpp.optimization import linear
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.matrix import build
from vpp.optimization.rules import RulePlanner
from vpp.optimization.solver import Solution, Solver, SolveStatus


def replayed_cost(problem, schedule):
    """Return the cost of a schedule as the storage balance and the meter earn it, and the largest cut in kW."""
    cost, cut, hours = 0.0, 0.0, problem.grid.duration_h
    energy = [float(problem.initial_soc[i]) * unit.capacity_kwh for i, unit in enumerate(problem.batteries)]
    for t in range(problem.grid.count):
        exchange = problem.fixed_kw[t] + problem.curtailable_kw[t] - schedule.curtailed_kw[t]
        for i, unit in enumerate(problem.batteries):
            asked = float(schedule.power_kw[t, i])
            done = storage.execute(energy[i], asked, unit.limits, duration_h=hours)
            cut = max(cut, abs(asked - float(done.power_kw)))
            energy[i] = float(done.energy_kwh)
            assert schedule.soc[t, i] * unit.capacity_kwh == pytest.approx(energy[i], abs=1e-8)
            exchange[problem.battery_site[i]] += float(done.power_kw)
            cost += hours * max(float(done.power_kw), 0.0) * unit.wear_cost_per_kwh
        for s, power in enumerate(exchange):
            price = problem.import_price_per_kwh if power < 0.0 else problem.export_price_per_kwh
            cost -= hours * price[t, s] * power
            if np.isfinite(problem.committed_kw[t, s]):
                cost += hours * problem.imbalance_spread_per_kwh * abs(power - problem.committed_kw[t, s])
    left = sum(value * content for value, content in zip(problem.terminal_value_per_kwh, energy, strict=True))
    return cost - left, cut


@given(seed=st.integers(0, 100_000), feed_in_above=st.booleans())
def test_a_replay_earns_what_the_plan_claims(problems, seed, feed_in_above):
    problem = problems.random_problem(seed, feed_in_above=feed_in_above)
    schedule = LinearPlanner().plan(problem)
    if schedule.status is PlanStatus.INFEASIBLE:
        return
    cost, cut = replayed_cost(problem, schedule)
    assert cut <= 1e-9
    assert cost + schedule.parts["penalty_cost"] == pytest.approx(schedule.objective, rel=1e-9, abs=1e-9)
    # one direction at a meter, and its exchange is the sum behind it
    assert (np.minimum(schedule.import_kw, schedule.export_kw) == 0.0).all()
    total = problem.fixed_kw + problem.curtailable_kw - schedule.curtailed_kw
    for i, site in enumerate(problem.battery_site):
        total[:, site] += schedule.power_kw[:, i]
    np.testing.assert_allclose(schedule.export_kw - schedule.import_kw, total, atol=2e-9)
    assert (schedule.import_kw <= problem.import_max_kw + 1e-8).all()
    assert (schedule.export_kw <= problem.export_max_kw + 1e-8).all()


@given(seed=st.integers(0, 100_000))
def test_parts_sum_to_the_objective_and_the_bound_lies_below(problems, seed):
    schedule = LinearPlanner().plan(problems.random_problem(seed))
    if schedule.status is PlanStatus.INFEASIBLE:
        return
    parts = dict(schedule.parts)
    assert sum(parts.values()) - 2.0 * parts["terminal_value"] == pytest.approx(schedule.objective, abs=1e-12)
    assert schedule.bound <= schedule.objective + 1e-7


def moving_problem(problems, turn):
    """Return one of a series of problems of the same structure."""
    rng = np.random.default_rng(turn)
    unit = problems.battery(wear_cost_per_kwh=0.02)
    return problems.problem(
        24,
        batteries=(unit,),
        fixed_kw=rng.uniform(-3.0, 3.0, 24),
        import_price_per_kwh=rng.uniform(0.1, 0.5, 24),
        export_price_per_kwh=0.05,
        initial_soc=[rng.uniform(0.0, 1.0)],
        import_max_kw=8.0,
        export_max_kw=8.0,
        terminal_value_per_kwh=0.2,
    )


def test_hot_costs_what_cold_costs(problems):
    hot = LinearPlanner()
    for turn in range(40):
        problem = moving_problem(problems, turn)
        cold = LinearPlanner().plan(problem)
        assert hot.plan(problem).objective == pytest.approx(cold.objective, rel=1e-9)


def test_the_same_sequence_gives_the_same_schedules(problems):
    first, second = LinearPlanner(), LinearPlanner()
    for turn in range(10):
        problem = moving_problem(problems, turn)
        one, two = first.plan(problem), second.plan(problem)
        np.testing.assert_array_equal(one.power_kw, two.power_kw)
        np.testing.assert_array_equal(one.marginal_value_per_kwh, two.marginal_value_per_kwh)
        assert one.objective == two.objective


def test_an_infeasible_problem_between_leaves_no_trace(problems):
    planner, problem = LinearPlanner(), moving_problem(problems, 1)
    clashing = replace(problem, fixed_kw=problem.fixed_kw - 20.0)
    before = planner.plan(problem).objective
    assert planner.plan(clashing).status is PlanStatus.INFEASIBLE
    assert planner.plan(problem).objective == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_sites_apart_cost_what_they_cost_together(problems, seed, monkeypatch):
    problem = problems.random_problem(seed)
    together = LinearPlanner().plan(problem)
    monkeypatch.setattr(linear, "TOGETHER_COLUMNS", 0)
    apart = LinearPlanner().plan(problem)
    assert apart.status is together.status
    if together.objective is not None:
        assert apart.objective == pytest.approx(together.objective, rel=1e-8, abs=1e-8)
        assert apart.bound == pytest.approx(together.bound, rel=1e-8, abs=1e-8)


def test_more_structures_than_models_are_kept(problems):
    planner = LinearPlanner()
    costs = [planner.plan(problems.problem(steps, fixed_kw=-1.0)).objective for steps in range(1, 12)]
    again = [planner.plan(problems.problem(steps, fixed_kw=-1.0)).objective for steps in range(1, 12)]
    np.testing.assert_allclose(costs, again, rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_prices_are_slopes_of_the_cost(problems, seed):
    problem = problems.random_problem(seed)
    schedule = LinearPlanner().plan(problem)
    if schedule.method != "linear":
        return
    small, hours = 1e-3, problem.grid.duration_h
    matrix = build(problem)

    def cost_with_more(row, amount):
        lower, upper = matrix.row_lower.copy(), matrix.row_upper.copy()
        lower[row] += amount
        upper[row] += 0.0 if upper is lower else amount
        solver = Solver()
        solver.load(replace(matrix, row_lower=lower, row_upper=upper))
        solution = solver.run(time_limit_s=10.0)
        return solution.objective if solution.status is SolveStatus.OPTIMAL else np.inf

    for step in range(problem.grid.count):
        for column, worth in enumerate(schedule.marginal_value_per_kwh[step]):
            row = matrix.layout.rows["balance"].start + column * problem.grid.count + step
            # the cost is convex: a price is right when no small step beats its slope
            for amount in (small, -small):
                assert cost_with_more(row, amount) >= schedule.bound - worth * amount - 1e-8
        for site, price in enumerate(schedule.energy_price_per_kwh[step]):
            row = matrix.layout.rows["bus"].start + site * problem.grid.count + step
            for amount in (small, -small):
                assert cost_with_more(row, amount) >= schedule.bound - price * hours * amount - 1e-8


def test_prices_by_hand(problems):
    unit = problems.battery(soc_initial=0.5, wear_cost_per_kwh=0.01)
    problem = problems.problem(2, batteries=(unit,), fixed_kw=[-1.0, -8.0], import_price_per_kwh=[0.2, 0.5])
    schedule = LinearPlanner().plan(problem)
    # 5 kWh at 0.9 give 4.5 kW in the dear hour; what is charged before is worth 0.9 * (0.5 - 0.01) a kWh
    assert schedule.marginal_value_per_kwh[0, 0] == pytest.approx(0.2 / 0.9)
    assert schedule.energy_price_per_kwh[:, 0] == pytest.approx([0.2, 0.5])
    more = replace(problem, initial_soc=problem.initial_soc + 0.01)
    gained = schedule.objective - LinearPlanner().plan(more).objective
    assert gained == pytest.approx(0.1 * 0.2 / 0.9)
    fed = replace(problem, fixed_kw=problem.fixed_kw + np.array([[0.0], [0.1]]))
    assert schedule.objective - LinearPlanner().plan(fed).objective == pytest.approx(0.1 * 0.5)


def test_without_batteries_the_site_is_still_planned(problems):
    problem = problems.problem(
        2, batteries=(), fixed_kw=-1.0, curtailable_kw=4.0, export_max_kw=1.0, export_price_per_kwh=[0.1, -0.1]
    )
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.export_kw[:, 0] == pytest.approx([1.0, 0.0])
    assert schedule.curtailed_kw[:, 0] == pytest.approx([2.0, 3.0])
    assert schedule.objective == pytest.approx(-0.1)


@pytest.mark.parametrize(("start", "first_power"), [(0.0, -5.0), (1.0, 5.0)])
def test_a_battery_outside_its_band_returns_at_once(problems, start, first_power):
    unit = problems.battery(soc_min=0.2, soc_max=0.8, capacity_kwh=30.0)
    problem = problems.problem(4, batteries=(unit,), fixed_kw=0.0, initial_soc=[start])
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.power_kw[0, 0] == pytest.approx(first_power)
    assert 0.2 - 1e-12 <= schedule.soc[-1, 0] <= 0.8 + 1e-12
    assert schedule.parts["penalty_cost"] > 0.0


def test_the_reserve_is_left_only_when_nothing_else_is_feasible(problems):
    unit = problems.battery(backup_soc=0.4, soc_initial=0.5)
    free = problems.problem(3, batteries=(unit,), fixed_kw=-4.0, import_price_per_kwh=[0.1, 9.0, 0.1])
    kept = LinearPlanner().plan(free)
    assert kept.soc.min() == pytest.approx(0.4)
    assert kept.parts["penalty_cost"] == 0.0
    tight = replace(free, import_max_kw=np.array([3.0]))
    used = LinearPlanner().plan(tight)
    assert used.status is PlanStatus.OPTIMAL
    assert used.soc.min() < 0.4
    assert used.import_kw.max() <= 3.0 + 1e-9


def test_what_was_sold_is_delivered_when_the_spread_pays(problems):
    for spread, delivered in ((0.01, False), (2.0, True)):
        unit = problems.battery(charge_efficiency=1.0, discharge_efficiency=1.0)
        problem = problems.problem(
            3,
            batteries=(unit,),
            import_price_per_kwh=[0.2, 0.2, 0.2],
            export_price_per_kwh=[0.1, 0.1, 0.1],
            terminal_value_per_kwh=0.19,
            committed_kw=[np.nan, 3.0, np.nan],
            imbalance_spread_per_kwh=spread,
        )
        schedule = LinearPlanner().plan(problem)
        assert np.isclose(schedule.export_kw[1, 0], 3.0) == delivered


def test_past_the_time_limit_the_rule_answers(problems):
    problem = problems.problem(4, fixed_kw=-1.0)
    schedule = LinearPlanner(time_limit_s=0.0).plan(problem)
    assert schedule.status is PlanStatus.FALLBACK_USED
    assert "linear: no plan within 0 s" in schedule.message
    assert schedule.objective == RulePlanner().plan(problem).objective
    assert schedule.bound is None


def test_without_a_fallback_a_timeout_says_so(problems):
    schedule = LinearPlanner(time_limit_s=0.0, fallback=None).plan(problems.problem(4))
    assert schedule.status is PlanStatus.TIMEOUT
    assert not schedule.usable
    assert schedule.objective is None
    assert np.isnan(schedule.power_kw).all()


@pytest.mark.parametrize("with_fallback", [True, False])
def test_a_solver_error_is_named(problems, monkeypatch, with_fallback):
    broken = Solution(SolveStatus.ERROR, "Solve error", np.nan, np.zeros(0), np.zeros(0))
    monkeypatch.setattr(Solver, "run", lambda self, *, time_limit_s: broken)
    planner = LinearPlanner() if with_fallback else LinearPlanner(fallback=None)
    schedule = planner.plan(problems.problem(4))
    assert schedule.status is (PlanStatus.FALLBACK_USED if with_fallback else PlanStatus.FAILED)
    assert "the solver stopped: Solve error" in schedule.message


def test_a_fallback_that_fails_too_is_failed(problems):
    # the rule empties the battery early and overruns the import limit later
    problem = problems.problem(2, fixed_kw=-50.0, import_max_kw=10.0)
    schedule = LinearPlanner(time_limit_s=0.0).plan(problem)
    assert schedule.status is PlanStatus.FAILED
    assert "linear: no plan within" in schedule.message
    assert "rule: " in schedule.message


def test_feeding_in_above_the_import_price_without_limits_stays_bounded(problems):
    problem = problems.problem(4, import_price_per_kwh=0.1, export_price_per_kwh=0.3)
    schedule = LinearPlanner().plan(problem)
    assert schedule.status is PlanStatus.OPTIMAL
    assert (np.minimum(schedule.import_kw, schedule.export_kw) == 0.0).all()
    assert schedule.power_kw.max() <= 5.0


def test_the_package_imports_without_the_solver():
    code = "import sys, vpp.optimization; sys.exit('highspy' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
