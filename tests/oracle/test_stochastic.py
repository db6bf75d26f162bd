"""Risk, scenarios and small battery programs against ../shared/reference/stochastic_distributed.json, row by row."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from vpp.core.assets import Battery
from vpp.optimization.stochastic.cvar import plan_under_risk
from vpp.optimization.stochastic.measures import (
    conditional_value_at_risk,
    normal_conditional_value_at_risk,
    normal_value_at_risk,
)
from vpp.optimization.stochastic.newsvendor import BalancingPrices, best_bid, expected_profit
from vpp.optimization.stochastic.problem import StochasticProblem
from vpp.optimization.stochastic.reduction import fast_forward_selection
from vpp.optimization.stochastic.scenarios import Marginal, sample_scenarios

NAME = "stochastic_distributed.json"


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / NAME
    if not path.exists():
        pytest.skip(f"no {NAME} in ../shared/reference")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


def test_normal_risk(reference):
    for row in reference["cvar_normal"]:
        given = (row["mu"], row["sigma"], row["alpha"])
        assert normal_value_at_risk(*given) == pytest.approx(row["VaR"], abs=1e-9)
        assert normal_conditional_value_at_risk(*given) == pytest.approx(row["CVaR"], abs=1e-9)


def test_discrete_risk(reference):
    table = reference["cvar_discrete"]
    for row in table["cases"]:
        assert conditional_value_at_risk(table["losses"], row["alpha"]) == pytest.approx(row["CVaR"], abs=1e-9)


def test_newsvendor_quantiles(reference):
    for row in reference["wind_bid_newsvendor"]["cases"]:
        prices = BalancingPrices(ahead_per_kwh=row["pDA"], surplus_per_kwh=row["pDOWN"], shortage_per_kwh=row["pUP"])
        name = row["F"]
        if name == "U(0,150)":
            energy = 150.0 * prices.best_level
        else:
            assert name == "N(70,15)"
            energy = NormalDist(70.0, 15.0).inv_cdf(prices.best_level)
        assert energy == pytest.approx(row["q"], abs=1e-6)


def test_newsvendor_on_a_sample(reference):
    row = reference["wind_bid_newsvendor"]["empirical_1000"]
    first = reference["wind_bid_newsvendor"]["cases"][0]
    prices = BalancingPrices(ahead_per_kwh=first["pDA"], surplus_per_kwh=first["pDOWN"], shortage_per_kwh=first["pUP"])
    wind = np.sort(np.random.default_rng(row["seed"]).uniform(0.0, 150.0, 1000))
    bid = best_bid(wind, prices)
    assert bid.expected_profit == pytest.approx(row["expected_profit"], abs=1e-6)
    assert expected_profit(row["q"], wind, prices) == pytest.approx(row["expected_profit"], abs=1e-6)
    assert wind[399] <= bid.energy_kwh <= wind[400]
    assert bid.energy_kwh == pytest.approx(row["quantile_0p4"], abs=1e-9)


def test_copula_has_the_stated_rank_correlations(reference):
    table = reference["gaussian_copula"]
    levels = (0.1, 0.5, 0.9)
    quantiles = np.array([[0.0], [1.0], [5.0]])
    pair = [Marginal("load", levels, quantiles), Marginal("price", levels, quantiles)]
    for rho, spearman, kendall in zip(table["rho"], table["spearman"], table["kendall"], strict=True):
        assert 6.0 / np.pi * np.arcsin(rho / 2.0) == pytest.approx(spearman, abs=1e-12)
        correlation = np.array([[1.0, rho], [rho, 1.0]])
        drawn = sample_scenarios(pair, 100_000, seed=0, duration_h=1.0, correlation=correlation)[:, :, 0]
        ranks = np.argsort(np.argsort(drawn, axis=1), axis=1)
        assert np.corrcoef(ranks)[0, 1] == pytest.approx(spearman, abs=table["tol_n1e5"])
        # concordance of independent pairs estimates Kendall's tau
        half = drawn[:, :50_000] - drawn[:, 50_000:]
        assert np.sign(half[0] * half[1]).mean() == pytest.approx(kendall, abs=table["tol_n1e5"])


def test_fast_forward_selection(reference):
    row = reference["fast_forward_selection"]
    points, probability = np.array(row["x"]), np.array(row["p"])
    picked = fast_forward_selection(points, 3, probability=probability)
    assert picked.chosen.tolist() == row["selected_order"]
    np.testing.assert_allclose(picked.distance, row["kantorovich_by_k"], atol=1e-9)
    carried = np.zeros(points.size)
    carried[picked.chosen] = picked.probability
    np.testing.assert_allclose(carried, row["redistributed_prob"], atol=1e-9)
    away = {
        chosen: float(probability @ np.abs(points[:, None] - points[list(chosen)]).min(axis=1))
        for chosen in itertools.combinations(range(points.size), 3)
    }
    best = min(away, key=lambda chosen: away[chosen])
    assert list(best) == row["exhaustive_optimum_k3"]["set"]
    assert away[best] == pytest.approx(row["exhaustive_optimum_k3"]["distance"], abs=1e-9)


@pytest.mark.parametrize("method", ["cuts", "extensive form"])
@pytest.mark.parametrize("scenarios", [1, 7])
def test_small_battery_programs(reference, method, scenarios):
    for row in reference["battery_lp_small"]:
        unit = Battery(
            id="battery",
            capacity_kwh=row["E"],
            charge_max_kw=row["P"],
            discharge_max_kw=row["P"],
            charge_efficiency=row["eta_c"],
            discharge_efficiency=row["eta_d"],
            soc_min=0.0,
            soc_max=1.0,
            soc_initial=row["soc0"],
        )
        price = np.tile(np.array(row["prices"], dtype=np.float64), (scenarios, 1))
        problem = StochasticProblem(
            batteries=(unit,),
            initial_soc=np.array([row["soc0"]], dtype=np.float64),
            duration_h=1.0,
            fixed_kw=np.zeros_like(price),
            curtailable_kw=np.zeros_like(price),
            import_price_per_kwh=price,
            export_price_per_kwh=price,
        )
        plan = plan_under_risk(problem, gap=1e-9, method=method)
        assert plan.objective == pytest.approx(-row["opt_profit"], abs=1e-6), row
        assert plan.bound == pytest.approx(-row.get("relaxed_lp", row["opt_profit"]), abs=1e-6), row
