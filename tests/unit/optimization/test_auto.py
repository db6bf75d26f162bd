"""The choice of method follows the structure, says why, and every method finds the same least cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import PlanStatus
from vpp.core.time import TimeGrid, parse_time
from vpp.optimization.auto import METHODS, AutoPlanner, select
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.problem import PlanProblem

START = parse_time("2026-03-01T00:00Z")


def problem(batteries: int, *, steps: int = 12, sites: int = 1, seed: int = 1) -> PlanProblem:
    rng = np.random.default_rng(seed)
    made = tuple(
        Battery(
            id=f"b{i}",
            capacity_kwh=float(rng.uniform(5, 15)),
            charge_max_kw=4.0,
            discharge_max_kw=4.0,
            wear_cost_per_kwh=0.01,
        )
        for i in range(batteries)
    )
    price = np.tile(rng.uniform(0.05, 0.4, (steps, 1)), (1, sites))
    return PlanProblem(
        plant="p",
        issued_at=START,
        grid=TimeGrid(START, 3600, steps),
        site_ids=tuple(f"s{i}" for i in range(sites)),
        batteries=made,
        battery_site=tuple(i % sites for i in range(batteries)),
        initial_soc=np.full(batteries, 0.5),
        fixed_kw=rng.uniform(-3.0, 2.0, (steps, sites)) * batteries / sites,
        curtailable_kw=np.zeros((steps, sites)),
        import_price_per_kwh=price,
        export_price_per_kwh=price - 0.04,
        import_max_kw=np.full(sites, 5.0 * batteries),
        export_max_kw=np.full(sites, 3.0 * batteries),
        terminal_value_per_kwh=np.full(batteries, 0.1),
        committed_kw=np.full((steps, sites), np.nan),
        imbalance_spread_per_kwh=0.0,
        price_known=np.ones(steps, dtype=bool),
    )


@pytest.mark.parametrize(
    ("batteries", "sites", "method"),
    [(1, 1, "kernel"), (3, 1, "simplex"), (4, 2, "simplex"), (300, 1, "decomposition")],
)
def test_the_structure_decides(batteries: int, sites: int, method: str) -> None:
    assert select(problem(batteries, sites=sites)).method == method


def test_one_large_program_goes_to_interior_point() -> None:
    large = problem(290, steps=96)
    assert select(large).method == "interior point"


def test_a_position_sold_ahead_keeps_a_fleet_in_the_program() -> None:
    sold = replace(problem(300), committed_kw=np.zeros((12, 1)), imbalance_spread_per_kwh=0.01)
    assert select(sold).method != "decomposition"
    with pytest.raises(InvalidInputError, match="positions sold ahead"):
        AutoPlanner("decomposition").plan(sold)


@pytest.mark.parametrize("method", [None, "kernel", "simplex", "interior point"])
def test_every_method_finds_the_least_cost_of_one_battery(method: str | None) -> None:
    case = problem(1)
    schedule = AutoPlanner(method).plan(case)
    assert schedule.status is PlanStatus.OPTIMAL
    assert schedule.objective == pytest.approx(LinearPlanner().plan(case).objective, rel=1e-7)
    assert (method or "kernel") in schedule.method


def test_a_fleet_is_within_the_gap_it_proved() -> None:
    case = problem(40)
    best = LinearPlanner().plan(case).objective
    fleet = AutoPlanner("decomposition").plan(case)
    assert fleet.usable
    assert fleet.bound <= best + 1e-6 * abs(best)
    assert best - 1e-6 * abs(best) <= fleet.objective
    idle = (np.maximum(-case.fixed_kw, 0.0) * case.import_price_per_kwh).sum()
    idle -= (np.maximum(case.fixed_kw, 0.0) * case.export_price_per_kwh).sum()
    assert fleet.objective - best <= 2e-4 * abs(idle - best)


def test_unknown_and_unfit_methods_are_errors() -> None:
    with pytest.raises(UnknownNameError, match="simplex"):
        AutoPlanner("simplx")
    with pytest.raises(InvalidInputError, match="3 batteries at 1 sites"):
        AutoPlanner("kernel").plan(problem(3))
    assert set(METHODS) == {"kernel", "simplex", "interior point", "decomposition"}
