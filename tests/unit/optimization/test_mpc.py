"""Receding horizon: the ring plans what the linear planner plans, and its matrix never changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.mpc import RecedingHorizon


def at(problem, step, **given):
    """The problem ``step`` steps later."""
    grid = replace(problem.grid, start=problem.grid.start + timedelta(seconds=step * problem.grid.resolution_s))
    return replace(problem, grid=grid, **given)


def must_agree(schedule, problem):
    cold = LinearPlanner().plan(problem)
    assert schedule.status is cold.status
    if cold.objective is None:
        return False
    assert schedule.bound == pytest.approx(cold.bound, rel=1e-9, abs=1e-9)
    if "fixed" in cold.method:
        assert schedule.objective >= cold.bound - 1e-9
    else:
        assert schedule.objective == pytest.approx(cold.objective, rel=1e-9, abs=1e-9)
    return True


@pytest.mark.parametrize("first", range(0, 40, 5))
def test_every_window_costs_what_a_cold_solve_costs(problems, first):
    for seed in range(first, first + 5):
        base, rng, horizon = problems.random_problem(seed), np.random.default_rng(seed), RecedingHorizon()
        soc = base.initial_soc
        for step in range(2 * base.grid.count + 3):
            noise = rng.uniform(0.8, 1.2, base.fixed_kw.shape)
            problem = at(
                base,
                step,
                initial_soc=soc,
                fixed_kw=base.fixed_kw * noise,
                curtailable_kw=np.roll(base.curtailable_kw, -step, axis=0),
                committed_kw=np.roll(base.committed_kw, -step, axis=0),
            )
            done = horizon.step(problem)
            if must_agree(done.schedule, problem):
                soc = np.clip(done.schedule.soc[0], 0.0, 1.0)
                np.testing.assert_array_equal(done.power_kw, done.schedule.power_kw[0])


def test_the_matrix_is_passed_once(problems, monkeypatch):
    base = problems.problem(6, sites=2, import_price_per_kwh=np.linspace(0.1, 0.5, 6), curtailable_kw=1.0)
    horizon, passed = RecedingHorizon(), []
    monkeypatch.setattr(
        "vpp.optimization.solver.Solver._pass",
        lambda self, matrix, keep=horizon._solver._pass.__func__: (passed.append(matrix), keep(self, matrix)),
    )
    hot = [horizon.step(at(base, step)).hot for step in range(10)]
    assert hot == [False, *[True] * 9]
    assert len(passed) == 1


def test_a_jump_in_time_stays_hot_and_right(problems):
    base = problems.problem(5, import_price_per_kwh=[0.1, 0.5, 0.2, 0.6, 0.3])
    horizon = RecedingHorizon()
    for step in (0, 1, 4, 11, 3, 12_345):
        problem = at(base, step)
        done = horizon.step(problem)
        assert must_agree(done.schedule, problem)
        assert done.hot == (step > 0)


def test_sun_that_comes_and_goes_rebuilds_once(problems):
    night, day = problems.problem(4), problems.problem(4, curtailable_kw=2.0)
    horizon = RecedingHorizon()
    hot = [horizon.step(at(one, step)).hot for step, one in enumerate((night, day, night, day))]
    assert hot == [False, False, True, True]


def test_another_battery_starts_anew(problems):
    one, other = problems.problem(4), problems.problem(4, batteries=(problems.battery(capacity_kwh=7.0),))
    horizon = RecedingHorizon()
    horizon.step(one)
    done = horizon.step(other)
    assert not done.hot
    assert must_agree(done.schedule, other)


def test_terminal_value_keeps_energy(problems):
    poor, rich = (problems.problem(4, terminal_value_per_kwh=value) for value in (0.0, 0.9))
    assert RecedingHorizon().plan(poor).soc[-1, 0] == pytest.approx(0.0, abs=1e-9)
    assert RecedingHorizon().plan(rich).soc[-1, 0] == pytest.approx(1.0, abs=1e-9)


def test_burning_energy_is_repaired_in_the_ring(problems):
    unit = problems.battery(
        capacity_kwh=1.0,
        charge_max_kw=1.0,
        discharge_max_kw=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        soc_initial=0.0,
    )
    prices = np.array([-10.0, -10.0, 50.0])
    base = problems.problem(3, batteries=(unit,), import_price_per_kwh=prices, export_price_per_kwh=prices)
    horizon = RecedingHorizon()
    for step in range(4):
        schedule = horizon.plan(at(base, step))
        assert schedule.objective == pytest.approx(-58.026316, abs=1e-6)
        assert schedule.bound == pytest.approx(-58.95, abs=1e-6)
        assert schedule.method == "receding horizon, directions fixed"
    flat = at(problems.problem(3, batteries=(unit,)), 4)
    # what was closed is open again
    assert must_agree(horizon.plan(flat), flat)
    assert must_agree(horizon.plan(at(base, 5)), at(base, 5))


def test_an_infeasible_window_is_explained_and_the_next_one_planned(problems):
    base = problems.problem(3, fixed_kw=-20.0, import_max_kw=8.0)
    horizon = RecedingHorizon()
    schedule = horizon.plan(base)
    assert schedule.status is PlanStatus.INFEASIBLE
    assert schedule.conflicts
    fine = at(problems.problem(3), 1)
    assert must_agree(horizon.plan(fine), fine)


def test_a_plant_without_batteries_is_planned(problems):
    problem = problems.problem(3, batteries=(), fixed_kw=-1.0)
    assert must_agree(RecedingHorizon().plan(problem), problem)


def test_what_the_ring_does_not_hold_is_planned_by_the_linear_planner(problems):
    problem = replace(problems.problem(3, fixed_kw=-1.0), demand_charge_per_kw=np.array([5.0]))
    done = RecedingHorizon().step(problem)
    assert must_agree(done.schedule, problem)
    assert not done.hot
