"""The exact kernel against the relaxation as a linear program, against PuLP, and against published answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vpp.core.storage import StorageLimits
from vpp.optimization.kernel import arbitrage, solve_site

HERE = Path(__file__).parent
DAY_PRICES = [0.06, 0.05, 0.04, 0.08, 0.12, 0.15, 0.18, 0.20, 0.22, 0.15, 0.10, 0.08] * 2


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lp = _load(HERE / "kernel_lp.py")


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile outside the tests: seconds the first time on a machine, then kept on disk."""
    solve_site(lp.random_case(1), backend="numba")


def compare(seeds, backend):
    burning = infeasible = 0
    for seed in seeds:
        case = lp.random_case(seed)
        expected = lp.relaxed_cost(case)
        plan = solve_site(case, relaxed=True, backend=backend)
        assert plan.feasible == (expected is not None), seed
        if expected is None:
            infeasible += 1
            continue
        assert abs(plan.cost - expected) <= 1e-9 * max(1.0, abs(expected)), (seed, plan.cost, expected)
        burning += not plan.exclusive
    return burning, infeasible


@pytest.mark.parametrize("backend", ["numba", "python"])
@pytest.mark.parametrize("first", range(0, 500, 125))
def test_kernel_equals_the_relaxed_program(first, backend):
    burning, infeasible = compare(range(first, first + 125), backend)
    assert burning > 2
    assert infeasible > 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 10_000, 1_250))
def test_kernel_equals_the_relaxed_program_ten_thousand_times(first):
    compare(range(first, first + 1_250), "numba")


@pytest.mark.parametrize("first", range(0, 160, 20))
def test_both_forms_of_the_kernel_are_one(first):
    for seed in range(first, first + 20):
        case = lp.random_case(seed)
        fast, plain = (solve_site(case, backend=backend) for backend in ("numba", "python"))
        assert fast.feasible == plain.feasible
        assert (fast.exclusive, fast.proven) == (plain.exclusive, plain.proven)
        if fast.feasible:
            assert fast.cost == pytest.approx(plain.cost, rel=1e-12, abs=1e-12)
            assert fast.bound == pytest.approx(plain.bound, rel=1e-12, abs=1e-12)


# PuLP announces its fourth version
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kernel_equals_pulp():
    pulp = pytest.importorskip("pulp")
    rng, compared = np.random.default_rng(5), 0
    for _ in range(12):
        steps = int(rng.integers(1, 25))
        price, limits = rng.uniform(-0.2, 0.5, steps), StorageLimits(1.0, 9.0, 4.0, 3.0, 0.95, 0.9)
        end, wear = float(rng.uniform(1.0, 9.0)), 0.01
        model, cost, before = pulp.LpProblem("arbitrage", pulp.LpMinimize), [], 4.0
        for t in range(steps):
            charge, discharge = pulp.LpVariable(f"c{t}", 0, 4.0), pulp.LpVariable(f"d{t}", 0, 3.0)
            energy = pulp.LpVariable(f"e{t}", end if t == steps - 1 else 1.0, 9.0)
            model += energy == before + 0.95 * charge - discharge * (1.0 / 0.9)
            cost += [price[t] * charge, -price[t] * discharge, wear * discharge]
            before = energy
        model += pulp.lpSum(cost)
        status = model.solve(pulp.PULP_CBC_CMD(msg=False))
        found = arbitrage(
            price,
            duration_h=1.0,
            limits=limits,
            initial_energy_kwh=4.0,
            final_energy_min_kwh=end,
            wear_cost_per_kwh=wear,
            relaxed=True,
        )
        assert found.feasible == (status == pulp.LpStatusOptimal)
        if found.feasible:
            # CBC prints its optimum with about nine digits
            assert found.cost == pytest.approx(pulp.value(model.objective), rel=1e-7, abs=1e-7)
            compared += 1
    assert compared > 5


@pytest.mark.parametrize("backend", ["numba", "python"])
@pytest.mark.parametrize(("days", "start_kwh", "profit"), [(1, 500.0, 230.13), (7, 500.0, 1675.76), (1, 0.0, 239.24)])
def test_arbitrage_earns_the_published_profit(days, start_kwh, profit, backend):
    one_way = 0.92**0.5
    found = arbitrage(
        DAY_PRICES * days,
        duration_h=1.0,
        limits=StorageLimits(0.0, 1e3, 250.0, 250.0, one_way, one_way),
        initial_energy_kwh=start_kwh,
        final_energy_min_kwh=start_kwh,
        backend=backend,
    )
    assert found.cost == pytest.approx(-profit, abs=0.005)
    assert found.exclusive
    assert found.bound == found.cost


@pytest.mark.parametrize("backend", ["numba", "python"])
def test_exclusive_optimum_and_relaxed_bound_of_the_known_example(backend):
    case = {"duration_h": 1.0, "limits": StorageLimits(0.0, 1.0, 1.0, 1.0, 0.95, 0.95), "initial_energy_kwh": 0.0}
    best = arbitrage([-10.0, -10.0, 50.0], backend=backend, **case)
    relaxed = arbitrage([-10.0, -10.0, 50.0], backend=backend, relaxed=True, **case)
    assert best.cost == pytest.approx(-58.026, abs=5e-4)
    assert best.bound == pytest.approx(-58.950, abs=5e-4)
    assert best.exclusive
    assert best.proven
    assert relaxed.cost == best.bound
    assert not relaxed.exclusive
