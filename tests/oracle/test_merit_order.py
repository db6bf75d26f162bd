"""Merit order with reserve against the linear program it solves, by HiGHS through scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import bmat, csr_array, eye_array

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.merit import merit_order

Columns = dict[str, np.ndarray]


def random_sites(rng: np.random.Generator, count: int) -> Columns:
    """Return sites of every awkward kind: ties, zeros, negative costs, no reserve here, no limit there."""
    room = rng.uniform(0.0, 100.0, count) * (rng.random(count) > 0.1)
    minimum = rng.choice([0.0, 0.0, 10.0, -30.0], count)
    ties = rng.random() < 0.4
    return {
        "available_kw": minimum + room,
        "cost_per_kwh": rng.integers(-2, 4, count).astype(float) if ties else rng.uniform(-1.0, 5.0, count),
        "reserve_max_kw": room * rng.choice([0.0, 0.3, 1.0, 5.0], count),
        "reserve_cost_per_kwh": rng.integers(0, 3, count).astype(float) if ties else rng.uniform(0.0, 2.0, count),
        "minimum_kw": minimum,
    }


def by_lp(sites: Columns, energy_kw: float, reserve_kw: float) -> float | None:
    """Return the least cost, None where there is no dispatch."""
    count = sites["cost_per_kwh"].size
    identity, ones = eye_array(count), csr_array(np.ones((1, count)))
    answer = linprog(
        np.concatenate([sites["cost_per_kwh"], sites["reserve_cost_per_kwh"]]),
        A_ub=bmat([[identity, identity], [None, -ones]]),
        b_ub=np.concatenate([sites["available_kw"], [-reserve_kw]]),
        A_eq=bmat([[ones, csr_array((1, count))]]),
        b_eq=[energy_kw],
        bounds=np.column_stack(
            [
                np.concatenate([sites["minimum_kw"], np.zeros(count)]),
                np.concatenate([sites["available_kw"], sites["reserve_max_kw"]]),
            ]
        ),
        method="highs",
    )
    return float(answer.fun) if answer.status == 0 else None


def compare(sites: Columns, energy_kw: float, reserve_kw: float) -> bool:
    """Compare one case with its LP, and return whether it was feasible."""
    answer = merit_order(**sites, energy_kw=energy_kw, reserve_kw=reserve_kw)
    expected = by_lp(sites, energy_kw, reserve_kw)
    if expected is None:
        assert answer.status is PlanStatus.INFEASIBLE
        assert answer.nearest is not None
        # the nearest target is feasible, at the cost that the LP finds for it
        nearest = by_lp(sites, answer.feasible_energy_kw, answer.feasible_reserve_kw - 1e-7)
        assert nearest == pytest.approx(answer.nearest.cost_per_h, abs=1e-5 * (1.0 + abs(answer.nearest.cost_per_h)))
        return False
    assert answer.status is PlanStatus.OPTIMAL
    assert answer.cost_per_h == pytest.approx(expected, abs=1e-8 * max(1.0, abs(expected)))
    power, reserve = np.array(answer.power_kw), np.array(answer.reserve_kw)
    assert (power + reserve <= sites["available_kw"]).all()
    return True


@pytest.mark.parametrize("seed", range(10))
def test_random_cases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    feasible = 0
    for _ in range(30):
        sites = random_sites(rng, int(rng.integers(1, 40)))
        room = sites["available_kw"] - sites["minimum_kw"]
        energy_kw = float(sites["minimum_kw"].sum() + rng.uniform(-0.05, 1.05) * room.sum())
        reserve_kw = float(rng.uniform(0.0, 0.9) * np.minimum(room, sites["reserve_max_kw"]).sum())
        feasible += compare(sites, energy_kw, reserve_kw * float(rng.random() < 0.8))
    assert 10 <= feasible <= 29


def test_thousands_of_sites() -> None:
    rng = np.random.default_rng(7)
    sites = random_sites(rng, 3000)
    sites["cost_per_kwh"] += rng.uniform(0.0, 1.0, 3000)
    room = sites["available_kw"] - sites["minimum_kw"]
    base_kw, total_kw = float(sites["minimum_kw"].sum()), float(room.sum())
    for share, held in ((0.3, 0.0), (0.6, 0.3), (0.8, 0.19)):
        assert compare(sites, base_kw + share * total_kw, held * total_kw)
