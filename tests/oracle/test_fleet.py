"""Fleets by price decomposition against one linear program with every battery in it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vpp.core import storage
from vpp.core.messages.planned import PlanStatus
from vpp.core.storage import StorageLimits
from vpp.optimization.fleet import FleetProblem, plan_fleet

HERE = Path(__file__).parent


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lp = _load(HERE / "fleet_lp.py")


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile outside the tests: seconds the first time on a machine, then kept on disk."""
    plan_fleet(lp.day_fleet(3, steps=4), backend="numba")


def worth(problem, best):
    """Return what the batteries are worth: the cost of resting less the best."""
    still = FleetProblem(
        **{
            name: getattr(problem, name)
            for name in problem.__dataclass_fields__
            if name not in ("table", "bus", "limits", "final_energy_min_kwh")
        },
        limits=StorageLimits(problem.table.energy_min_kwh, problem.table.energy_max_kwh, 0.0, 0.0, 1.0, 1.0),
    )
    return lp.relaxed_cost(still) - best


def must_be_doable(problem, plan):
    """Replay every battery through the storage balance, sum them up, and check limits and cost."""
    table, bus, hours = problem.table, problem.bus, problem.duration_h
    limits = StorageLimits(
        table.energy_min_kwh,
        table.energy_max_kwh,
        table.charge_max_kw,
        table.discharge_max_kw,
        table.charge_efficiency,
        table.discharge_efficiency,
    )
    power, claimed = plan.batteries()
    energy = table.initial_energy_kwh
    for step in range(problem.steps):
        done = storage.execute(energy, power[:, step], limits, duration_h=hours)
        np.testing.assert_allclose(done.power_kw, power[:, step], atol=1e-7)
        energy = done.energy_kwh
        np.testing.assert_allclose(energy, claimed[:, step], atol=1e-7)
    assert (energy >= table.final_energy_min_kwh - 1e-7).all()
    scale = 1.0 + power.shape[0]
    np.testing.assert_allclose(power.sum(axis=0), plan.power_kw, atol=1e-9 * scale)
    exchange = bus.fixed_kw + bus.curtailable_kw - plan.curtailed_kw + plan.power_kw
    np.testing.assert_allclose(exchange, plan.export_kw - plan.import_kw, atol=1e-6 * scale)
    assert (plan.import_kw <= bus.import_max_kw + 1e-6 * scale).all()
    assert (plan.export_kw <= bus.export_max_kw + 1e-6 * scale).all()
    assert np.minimum(plan.import_kw, plan.export_kw).max() == 0.0
    cost = hours * (plan.import_kw @ bus.import_price_per_kwh - plan.export_kw @ bus.export_price_per_kwh)
    cost += hours * (table.wear_cost_per_kwh @ np.maximum(power, 0.0).sum(axis=1))
    cost -= table.terminal_value_per_kwh @ energy
    assert plan.objective == pytest.approx(cost, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("batteries", "steps"), [(1, 12), (4, 24), (20, 24), (60, 24)])
def test_the_plan_is_within_the_proven_gap_of_the_program(batteries, steps, seed):
    problem = lp.day_fleet(batteries, steps=steps, seed=seed)
    best = lp.relaxed_cost(problem)
    plan = plan_fleet(problem)
    assert plan.status is PlanStatus.OPTIMAL, plan.message
    tolerance = 1e-7 * max(1.0, abs(best))
    assert plan.bound <= best + tolerance
    assert plan.objective >= best - tolerance
    assert plan.objective - best <= 1e-4 * worth(problem, best) + tolerance
    assert plan.gap <= 1e-4
    must_be_doable(problem, plan)


@pytest.mark.slow
def test_a_hundred_batteries_over_a_day_of_quarter_hours():
    problem = lp.day_fleet(100)
    best = lp.relaxed_cost(problem)
    plan = plan_fleet(problem)
    assert plan.bound <= best + 1e-7 * abs(best)
    assert plan.objective - best <= 1e-4 * worth(problem, best)
    must_be_doable(problem, plan)


@pytest.mark.parametrize("seed", range(3))
def test_every_iterate_is_doable_and_bounded(seed):
    problem = lp.day_fleet(8, steps=12, seed=seed)
    best, seen = lp.relaxed_cost(problem), []

    def look(iterate):
        plan = iterate.plan()
        assert iterate.bound <= best + 1e-7 * max(1.0, abs(best))
        assert plan.excess_kwh == 0.0
        must_be_doable(problem, plan)
        assert plan.objective >= best - 1e-7 * max(1.0, abs(best))
        seen.append((iterate.bound, iterate.objective))

    plan_fleet(problem, on_iterate=look)
    bounds, objectives = zip(*seen, strict=True)
    assert list(bounds) == sorted(bounds)
    assert list(objectives) == sorted(objectives, reverse=True) or np.diff(objectives).max() < 1e-7


@pytest.mark.parametrize("seed", range(8))
def test_the_verdict_on_tight_limits_is_that_of_the_program(seed):
    rng = np.random.default_rng(seed)
    loose = lp.day_fleet(12, steps=12, seed=seed)
    net = -(loose.bus.fixed_kw + loose.bus.curtailable_kw)
    problem = lp.day_fleet(12, steps=12, seed=seed, import_max_kw=float(rng.uniform(0.2, 1.0) * max(net.max(), 1.0)))
    best = lp.relaxed_cost(problem)
    plan = plan_fleet(problem, time_limit_s=20.0)
    assert (plan.status is PlanStatus.INFEASIBLE) == (best is None), plan.message
    if best is None:
        assert plan.excess_kwh > 0.0
        return
    assert plan.status is PlanStatus.OPTIMAL
    assert plan.objective == pytest.approx(best, abs=1e-4 * abs(best))
    must_be_doable(problem, plan)


@pytest.mark.parametrize("seed", range(4))
def test_forced_surplus_and_negative_prices_are_honest(seed):
    rng = np.random.default_rng(seed)
    price = rng.uniform(-0.3, 0.3, 12)
    problem = lp.day_fleet(
        10,
        steps=12,
        seed=seed,
        import_price_per_kwh=price + 0.02,
        export_price_per_kwh=price,
        wear_cost_per_kwh=0.0,
    )
    best, plan = lp.relaxed_cost(problem), plan_fleet(problem)
    assert plan.status in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE)
    assert plan.bound <= best + 1e-7 * max(1.0, abs(best))
    assert plan.objective >= best - 1e-7 * max(1.0, abs(best))
    assert plan.status is PlanStatus.OPTIMAL or "burns energy" in plan.message
    must_be_doable(problem, plan)
