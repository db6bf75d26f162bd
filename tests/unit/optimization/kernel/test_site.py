"""A one-battery site by the plain form of the kernel: limits, prices as derivatives, and what it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from vpp.core import storage
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.storage import StorageLimits
from vpp.optimization.kernel import SiteProblem, solve_site

SPEC = importlib.util.spec_from_file_location("kernel_lp", Path(__file__).parents[3] / "oracle" / "kernel_lp.py")
assert SPEC is not None
assert SPEC.loader is not None
lp = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lp)


def site(steps=3, **given):
    facts = {
        "duration_h": 1.0,
        "limits": StorageLimits(0.0, 10.0, 4.0, 4.0, 0.9, 0.9),
        "initial_energy_kwh": 5.0,
        "import_price_per_kwh": np.full(steps, 0.3),
        "export_price_per_kwh": np.full(steps, 0.1),
        "fixed_kw": np.zeros(steps),
    }
    return SiteProblem(**(facts | given))


@pytest.mark.parametrize(
    ("facts", "field", "kind"),
    [
        ({"fixed_kw": np.zeros(0)}, "fixed_kw", InvalidInputError),
        ({"fixed_kw": np.array([0.0, np.nan, 0.0])}, "fixed_kw[1]", InvalidInputError),
        ({"import_price_per_kwh": np.zeros(2)}, "import_price_per_kwh", SeriesMismatchError),
        ({"curtailable_kw": np.array([0.0, -1.0, 0.0])}, "curtailable_kw[1]", InvalidInputError),
        ({"import_max_kw": -1.0}, "import_max_kw", InvalidInputError),
        ({"export_max_kw": np.nan}, "export_max_kw", InvalidInputError),
        ({"sold_kw": np.array([0.0, np.inf, 0.0])}, "sold_kw[1]", InvalidInputError),
        ({"imbalance_spread_per_kwh": -1.0}, "imbalance_spread_per_kwh", InvalidInputError),
        ({"floor_kwh": np.zeros(2)}, "floor_kwh", SeriesMismatchError),
        ({"floor_kwh": np.zeros(3), "floor_penalty_per_kwh": -1.0}, "floor_penalty_per_kwh", InvalidInputError),
    ],
)
def test_bad_input_is_named(facts, field, kind):
    with pytest.raises(kind) as fault:
        site(**facts)
    assert fault.value.field == field


def test_a_load_beyond_the_connection_is_infeasible():
    plan = solve_site(site(fixed_kw=np.full(3, -9.0), import_max_kw=2.0), backend="python")
    assert not plan.feasible
    assert plan.proven


def test_surplus_is_stored_then_curtailed():
    given = {"export_max_kw": 0.0, "curtailable_kw": np.array([8.0, 0.0, 0.0]), "fixed_kw": np.array([0.0, -4.0, -4.0])}
    plan = solve_site(site(initial_energy_kwh=0.0, **given), backend="python")
    assert plan.power_kw[0] == pytest.approx(-4.0)
    assert plan.curtailed_kw[0] == pytest.approx(4.0)
    assert plan.cost == pytest.approx(0.3 * (8.0 - 0.81 * 4.0))


@pytest.mark.parametrize("first", range(0, 120, 15))
def test_plans_keep_every_limit_and_are_what_a_storage_does(first):
    for seed in range(first, first + 15):
        case = lp.random_case(seed)
        plan = solve_site(case, backend="python")
        if not plan.feasible:
            continue
        assert plan.exclusive
        assert plan.cost >= plan.bound - 1e-9 * max(1.0, abs(plan.bound))
        energy = case.initial_energy_kwh
        for power, after in zip(plan.power_kw, plan.energy_kwh, strict=True):
            step = storage.execute(energy, power, case.limits, duration_h=case.duration_h)
            energy = float(step.energy_kwh)
            assert energy == pytest.approx(after, abs=1e-8), seed
        used = 0.0 if case.curtailable_kw is None else case.curtailable_kw - plan.curtailed_kw
        exchange = case.fixed_kw + used + plan.power_kw
        assert exchange.max() <= case.export_max_kw + 1e-9, seed
        assert -exchange.min() <= case.import_max_kw + 1e-9, seed


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_bus_price_is_a_derivative_of_the_cost(first):
    nudge, compared = 1e-4, 0
    for seed in range(first, first + 20):
        case = lp.random_case(seed)
        plan = solve_site(case, relaxed=True, backend="python")
        # limits that the kernel derives move with the fixed power where self-trading is possible
        if not plan.feasible or (case.export_price_per_kwh > case.import_price_per_kwh).any():
            continue
        for step in range(0, case.fixed_kw.size, 4):
            more, less = (
                solve_site(moved(case, step, sign * nudge), relaxed=True, backend="python") for sign in (1.0, -1.0)
            )
            per_kwh = nudge * case.duration_h
            price = plan.price_per_kwh[step]
            if more.feasible:
                assert price >= (plan.cost - more.cost) / per_kwh - 1e-6, (seed, step)
            if less.feasible:
                assert price <= (less.cost - plan.cost) / per_kwh + 1e-6, (seed, step)
            compared += 1
    assert compared > 10


def moved(case, step, change_kw):
    fixed = case.fixed_kw.copy()
    fixed[step] += change_kw
    return SiteProblem(**(lp.facts(case) | {"fixed_kw": fixed}))
