"""The best bid ahead of an uncertain yield."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.optimization.stochastic.newsvendor import BalancingPrices, best_bid, expected_profit

PRICES = BalancingPrices(ahead_per_kwh=0.05, surplus_per_kwh=0.03, shortage_per_kwh=0.08)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=20), st.integers(0, 100))
def test_no_other_bid_earns_more(yields, seed):
    probability = np.random.default_rng(seed).dirichlet(np.ones(len(yields)))
    bid = best_bid(yields, PRICES, probability=probability)
    # the profit is concave with its kinks at the yields
    best = max(expected_profit(energy, yields, PRICES, probability=probability) for energy in yields)
    assert bid.expected_profit == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"surplus_per_kwh": 0.05}, "surplus_per_kwh"),
        ({"shortage_per_kwh": 0.05}, "shortage_per_kwh"),
        ({"ahead_per_kwh": float("nan")}, "ahead_per_kwh"),
    ],
)
def test_prices_out_of_order_name_the_field(given, field):
    with pytest.raises(InvalidInputError, match=f"^{field}: got"):
        BalancingPrices(**({"ahead_per_kwh": 0.05, "surplus_per_kwh": 0.03, "shortage_per_kwh": 0.08} | given))


@pytest.mark.parametrize("yields", [[], [np.nan], [[1.0]]])
def test_bad_yields_are_errors(yields):
    with pytest.raises(InvalidInputError, match=r"^yield_kwh: got"):
        best_bid(yields, PRICES)
