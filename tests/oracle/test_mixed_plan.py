"""The linear planner over every asset kind against a dense program in scipy and against published answers."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vpp.core.messages.planned import PlanStatus
from vpp.core.units import price_per_kwh_from_mwh
from vpp.optimization.explain import alternatives
from vpp.optimization.flexible import EvSession
from vpp.optimization.linear import METHOD, METHOD_SEARCHED, LinearPlanner
from vpp.optimization.penalties import discomfort_cost_per_kh, penalty_per_kwh, shortfall_cost_per_kwh
from vpp.optimization.wear import cycle_wear_curve

HERE = Path(__file__).parent
REFERENCE = HERE.parents[2] / "shared" / "reference"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mixtures = _load(HERE.parent / "unit" / "optimization" / "mixtures.py")
dense = _load(HERE / "dense_mixture.py")


def prices(problem):
    return dense.Prices(penalty_per_kwh(problem), shortfall_cost_per_kwh(problem), discomfort_cost_per_kh(problem))


@pytest.mark.parametrize("first", range(0, 240, 12))
def test_least_cost_equals_the_dense_program(first):
    planner = LinearPlanner()
    for seed in range(first, first + 12):
        problem = mixtures.random_mixture(seed)
        expected = dense.mixture_objective(problem, prices(problem), exclusive=False)
        schedule = planner.plan(problem)
        if expected is None:
            assert schedule.status is PlanStatus.INFEASIBLE, seed
            assert schedule.conflicts, seed
            continue
        if schedule.status is PlanStatus.INFEASIBLE:
            assert dense.mixture_objective(problem, prices(problem), exclusive=True) is None, seed
            continue
        assert schedule.status is PlanStatus.OPTIMAL, (seed, schedule.message)
        assert schedule.bound == pytest.approx(expected, rel=1e-7, abs=1e-7), seed
        if schedule.method == METHOD:
            assert schedule.objective == pytest.approx(expected, rel=1e-6, abs=1e-6), seed


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_heavy_duties_beside_soft_floors_equal_the_dense_program(first):
    planner, held = LinearPlanner(), 0
    for seed in range(first, first + 12):
        rng, problem = np.random.default_rng(seed), mixtures.random_mixture(seed)
        steps = problem.grid.count
        terms = mixtures.random_reserve(rng, steps)
        owed = {"up_required_kw": rng.uniform(0.0, 1.5, steps), "down_required_kw": rng.uniform(0.0, 1.0, steps)}
        floor = np.array([rng.uniform(0.0, unit.soc_max) for unit in problem.batteries])
        problem = replace(problem, reserve=replace(terms, up_max_kw=None, **owed), final_soc_min=floor)
        expected = dense.mixture_objective(problem, prices(problem), exclusive=False)
        schedule = planner.plan(problem)
        if expected is None:
            assert schedule.status is PlanStatus.INFEASIBLE, seed
            assert schedule.conflicts, seed
        elif schedule.status is PlanStatus.INFEASIBLE:
            assert dense.mixture_objective(problem, prices(problem), exclusive=True) is None, seed
        else:
            assert schedule.bound == pytest.approx(expected, rel=1e-7, abs=1e-7), seed
            assert schedule.method != METHOD or schedule.objective == pytest.approx(expected, rel=1e-6, abs=1e-6), seed
            for way in ("up", "down"):
                promised = getattr(schedule, f"reserve_{way}_kw").sum(axis=1)
                assert (promised >= owed[f"{way}_required_kw"] - 1e-6).all(), seed
            held += 1
    assert held


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_the_search_finds_the_exclusive_optimum(first):
    planner, plain, searched = LinearPlanner(exact_directions=True), LinearPlanner(), 0
    for seed in range(first, first + 10):
        problem = mixtures.random_mixture(seed, feed_in_above=seed % 2 == 0)
        exact = dense.mixture_objective(problem, prices(problem), exclusive=True)
        schedule = planner.plan(problem)
        assert (schedule.status is PlanStatus.INFEASIBLE) == (exact is None), seed
        if exact is None:
            continue
        tolerance = 1e-5 * max(1.0, abs(exact))
        assert schedule.bound <= exact + tolerance, seed
        assert schedule.objective <= plain.plan(problem).objective + tolerance, seed
        assert schedule.objective >= exact - tolerance, seed
        # from outside its band a store may only move back, which the dense program does not know
        starts = zip(problem.batteries, problem.initial_soc, strict=True)
        if all(unit.soc_min <= soc <= unit.soc_max for unit, soc in starts):
            assert schedule.objective == pytest.approx(exact, rel=1e-5, abs=1e-5), (seed, schedule.message)
        searched += schedule.method == METHOD_SEARCHED
    assert searched >= 1


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_alternatives_cost_what_an_independent_solve_says(first):
    planner, compared = LinearPlanner(), 0
    for seed in range(first, first + 10):
        problem = mixtures.random_mixture(seed, runs=False)
        schedule = planner.plan(problem)
        if schedule.method != METHOD or schedule.status is not PlanStatus.OPTIMAL:
            continue
        power, cost = alternatives(problem, schedule)
        pairs = np.argwhere(np.isfinite(cost)).tolist()
        for step, column in pairs[-6:] + pairs[:3]:
            forced = (schedule.asset_ids[column], step, float(power[step, column]))
            expected = dense.mixture_objective(problem, prices(problem), exclusive=False, forced=forced)
            if expected is None or expected < schedule.objective + cost[step, column] - 1e-6:
                expected = dense.mixture_objective(problem, prices(problem), exclusive=True, forced=forced)
            assert cost[step, column] >= 0.0
            assert schedule.objective + cost[step, column] == pytest.approx(expected, rel=1e-6, abs=1e-6), seed
            compared += 1
    assert compared > 10


def _reference(name: str):
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return json.loads(path.read_text(encoding="utf-8"))


def test_segment_prices_are_the_published_ones():
    for row in _reference("battery_ageing_closed_form.json")["xu2018_pwl"]:
        curve = cycle_wear_curve(
            cell_cost_per_kwh=price_per_kwh_from_mwh(row["R_per_MWh"]),
            discharge_efficiency=row["eta_dis"],
            segments=row["J"],
        )
        published = [price_per_kwh_from_mwh(cost) for cost in row["segment_cost_per_MWh"]]
        assert curve.cost_per_kwh == pytest.approx(published, abs=5.1e-7)
        full = row["eta_dis"] / row["J"] * sum(curve.cost_per_kwh)
        assert full == pytest.approx(price_per_kwh_from_mwh(row["one_full_cycle_cost_per_MWhcap"]), rel=1e-9)


def test_published_charging_sessions():
    for row in _reference("flex_loads.json")["ev_sessions"]:
        steps = (row["dep"] - row["arr"]) % 24
        session = EvSession(
            asset_id="car",
            arrival_step=0,
            departure_step=steps,
            energy_needed_kwh=row["need_kWh"],
            charge_max_kw=row["max_kW"],
            charge_efficiency=row["eta"],
        )
        problem = mixtures.problems.problem(steps, batteries=(), ev_sessions=(session,))
        schedule = LinearPlanner().plan(problem)
        assert bool(schedule.goals_missed) == (not row["feasible"])
        delivered = row["eta"] * -schedule.power_kw.sum()
        assert delivered == pytest.approx(row.get("max_deliverable_kWh", row["need_kWh"]))
