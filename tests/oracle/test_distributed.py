"""Exchange ADMM against ../shared/reference/stochastic_distributed.json, and against the LP of the same problem.

The file's generators are in MW; one unit of power is one unit of power, so its figures are passed on as they stand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.distributed import ExchangeSettings, SiteOffers, exchange_dispatch


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "stochastic_distributed.json"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/reference")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["economic_dispatch_vpp"]
    return answer


@pytest.fixture(scope="module")
def generators(reference: dict[str, Any]) -> SiteOffers:
    return SiteOffers(reference["pmax"], reference["b"], quadratic_per_kw2h=reference["a"])


def test_five_generators_at_29(reference: dict[str, Any], generators: SiteOffers) -> None:
    answer = exchange_dispatch(generators, energy_kw=29.0)
    assert answer.status is PlanStatus.OPTIMAL
    assert answer.energy_price_per_kwh == pytest.approx(16.630565, abs=reference["tol"])
    assert answer.gap < 1e-8
    tight = ExchangeSettings(primal_tolerance_kw=1e-7, dual_tolerance_per_kwh=1e-7)
    exact = exchange_dispatch(generators, energy_kw=29.0, settings=tight)
    assert exact.power_kw == pytest.approx([8.0094, 12.0, 4.9056, 3.3903, 0.6947], abs=reference["tol"])
    assert exact.power_kw == pytest.approx(reference["published_P_D29"], abs=1e-5)
    assert exact.energy_price_per_kwh == pytest.approx(reference["lambda_by_demand"]["29"], abs=1e-6)


@pytest.mark.parametrize("row", range(6))
def test_rounds_by_penalty_are_those_of_the_table(reference: dict[str, Any], generators: SiteOffers, row: int) -> None:
    published = reference["admm_exchange_D29_tol1e4"][row]
    settings = ExchangeSettings(
        penalty_per_kw2h=published["rho"], balance_first=0, primal_tolerance_kw=1e-4, dual_tolerance_per_kwh=1e-4
    )
    answer = exchange_dispatch(generators, energy_kw=29.0, settings=settings)
    assert answer.rounds == published["iterations"]
    assert answer.energy_price_per_kwh == pytest.approx(published["price"], abs=1e-9)
    assert (answer.penalty_per_kw2h == published["rho"]).all()
    # the table's error is that of the last round; putting the sites on the target moves them by the residual at most
    error = np.abs(answer.power_kw - reference["P_by_demand"]["29"]).max()
    assert error == pytest.approx(published["max_err"], abs=1e-4)


def test_balancing_mends_a_bad_penalty(generators: SiteOffers) -> None:
    for penalty in (1e-4, 1e-3, 10.0):
        fixed = ExchangeSettings(
            penalty_per_kw2h=penalty, balance_first=0, primal_tolerance_kw=1e-4, dual_tolerance_per_kwh=1e-4
        )
        balanced = ExchangeSettings(penalty_per_kw2h=penalty, primal_tolerance_kw=1e-4, dual_tolerance_per_kwh=1e-4)
        slow, quick = (exchange_dispatch(generators, energy_kw=29.0, settings=one) for one in (fixed, balanced))
        assert quick.rounds < slow.rounds, penalty


def test_a_day_of_the_published_plant(reference: dict[str, Any], generators: SiteOffers) -> None:
    total, prices = 0.0, (0.0, 0.0)
    for demand, price in zip(reference["demand"], reference["lambda_"], strict=True):
        answer = exchange_dispatch(generators, energy_kw=float(demand), prices_per_kwh=prices)
        prices = (answer.energy_price_per_kwh, 0.0)
        assert answer.energy_price_per_kwh == pytest.approx(price, abs=reference["tol"])
        assert answer.power_kw == pytest.approx(reference["P_by_demand"][str(demand)], abs=5e-3)
        total += answer.cost_per_h
    assert total == pytest.approx(7860.971, abs=5e-4)
    assert total == pytest.approx(reference["total_cost_24h"], rel=1e-7)


@pytest.mark.parametrize("count", [2, 5, 20])
@pytest.mark.parametrize("seed", range(6))
def test_linear_costs_with_reserve_against_the_lp(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost, reserve_cost = rng.uniform(20.0, 120.0, count), rng.uniform(1.0, 10.0, count)
    available = rng.uniform(50.0, 500.0, count)
    most = available * rng.uniform(0.1, 0.6, count)
    energy = 0.6 * float(available.sum())
    reserve = min(0.3 * float(available.sum()), 0.6 * float(most.sum()))
    ones, none = np.ones(count), np.zeros(count)
    exact = linprog(
        np.concatenate([cost, reserve_cost]),
        A_ub=np.vstack([np.hstack([np.eye(count), np.eye(count)]), np.concatenate([none, -ones])]),
        b_ub=np.concatenate([available, [-reserve]]),
        A_eq=np.concatenate([ones, none])[None, :],
        b_eq=[energy],
        bounds=[(0.0, kw) for kw in (*available, *most)],
        method="highs",
    )
    offers = SiteOffers(available, cost, reserve_max_kw=most, reserve_cost_per_kwh=reserve_cost)
    answer = exchange_dispatch(offers, energy_kw=energy, reserve_kw=reserve)
    assert answer.status is PlanStatus.OPTIMAL, answer.message
    assert answer.bound_per_h <= exact.fun * (1.0 + 1e-9)
    assert exact.fun * (1.0 - 1e-9) <= answer.cost_per_h <= exact.fun * (1.0 + 1e-4)
