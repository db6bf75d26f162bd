"""Scenarios keep their quantiles, their correlation over time and across series, and their seed."""

from __future__ import annotations

from math import asin, exp, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.messages.measured import Forecast, SeriesKey
from vpp.core.time import TimeGrid, parse_time
from vpp.optimization.stochastic.scenarios import Marginal, normal_scores, sample_scenarios

LEVELS = (0.1, 0.5, 0.9)
QUANTILES = np.array([[1.0, 0.0], [2.0, 3.0], [5.0, 4.0]])


def ranks(values):
    return np.argsort(np.argsort(values))


def spearman(first, second):
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


def test_quantiles_of_the_forecast_are_quantiles_of_the_scenarios():
    scenarios = sample_scenarios([Marginal("load", LEVELS, QUANTILES)], 20_000, seed=3, duration_h=1.0)
    np.testing.assert_allclose(np.quantile(scenarios[0], LEVELS, axis=0), QUANTILES, atol=0.06)


def test_a_normal_series_is_met_exactly_from_two_levels():
    one = Marginal("price", (0.15865525393145707, 0.8413447460685429), np.array([[-1.0], [1.0]]))
    score = np.linspace(-4.0, 4.0, 17)[:, None]
    np.testing.assert_allclose(one.at(score), score, atol=1e-12)
    assert one.quantile(0.5)[0] == pytest.approx(0.0, abs=1e-12)


def test_bounds_cut_the_tails():
    one = Marginal("sun", LEVELS, QUANTILES, lowest=0.5, highest=4.5)
    assert one.quantile(1e-6).tolist() == [0.5, 0.5]
    assert one.quantile(1.0 - 1e-6).tolist() == [4.5, 4.5]


@given(st.floats(-6.0, 6.0), st.floats(0.0, 6.0))
def test_a_higher_score_never_gives_a_lower_value(score, more):
    one = Marginal("load", LEVELS, QUANTILES)
    low, high = one.at(np.full((1, 2), score)), one.at(np.full((1, 2), score + more))
    assert (high >= low - 1e-12).all()


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.8])
def test_rank_correlation_across_series(rho):
    pair = [Marginal("load", LEVELS, QUANTILES), Marginal("price", LEVELS, QUANTILES)]
    scenarios = sample_scenarios(pair, 20_000, seed=1, duration_h=1.0, correlation=np.array([[1.0, rho], [rho, 1.0]]))
    assert spearman(scenarios[0, :, 1], scenarios[1, :, 1]) == pytest.approx(6.0 / pi * asin(rho / 2.0), abs=0.02)


def test_correlation_over_time_decays_as_stated():
    flat = np.repeat(np.array([[-1.0], [0.0], [1.0]]), 9, axis=1)
    scenarios = sample_scenarios([Marginal("load", LEVELS, flat)], 20_000, seed=2, duration_h=0.5, decay_h=2.0)[0]
    for lag in (1, 4, 8):
        got = float(np.corrcoef(scenarios[:, 0], scenarios[:, lag])[0, 1])
        assert got == pytest.approx(exp(-0.5 * lag / 2.0), abs=0.03)


@pytest.mark.parametrize(("decay_h", "same"), [(0.0, False), (float("inf"), True)])
def test_no_decay_and_no_memory(decay_h, same):
    flat = np.repeat(np.array([[-1.0], [0.0], [1.0]]), 2, axis=1)
    first, second = sample_scenarios([Marginal("load", LEVELS, flat)], 500, seed=2, duration_h=1.0, decay_h=decay_h)[
        0
    ].T
    assert np.allclose(first, second) == same


def test_one_seed_one_answer():
    one = [Marginal("load", LEVELS, QUANTILES)]
    again = [sample_scenarios(one, 5, seed=seed, duration_h=1.0) for seed in (4, 4, 5)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_perfect_correlation_is_allowed():
    score = normal_scores(2, 50, 3, seed=0, persistence=0.5, correlation=np.ones((2, 2)))
    np.testing.assert_allclose(score[0], score[1], atol=1e-9)


def test_marginal_of_a_forecast():
    start = parse_time("2024-06-01T00:00:00Z")
    forecast = Forecast(
        plant="demo",
        key=SeriesKey("site", "load_kw"),
        issued_at=start,
        grid=TimeGrid(start, 3600, 2),
        value=QUANTILES[1],
        model="test",
        levels=LEVELS,
        quantiles=QUANTILES,
    )
    one = Marginal.from_forecast(forecast, lowest=0.0)
    assert (one.name, one.steps, one.lowest) == ("load_kw", 2, 0.0)


def _sample(**given):
    facts = {"seed": 0, "duration_h": 1.0, "count": 3, "marginals": [Marginal("load", LEVELS, QUANTILES)] * 2} | given
    return sample_scenarios(facts.pop("marginals"), facts.pop("count"), **facts)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: Marginal("load", (0.5,), QUANTILES[:1]), "load.levels"),
        (lambda: Marginal("load", (0.5, 0.1, 0.9), QUANTILES), "load.levels"),
        (lambda: Marginal("load", (0.0, 0.1, 0.9), QUANTILES), "load.levels"),
        (lambda: Marginal("load", (0.1, 0.9), QUANTILES), "load.quantiles"),
        (lambda: Marginal("load", LEVELS, QUANTILES * np.nan), "load.quantiles"),
        (lambda: Marginal("load", LEVELS, QUANTILES[::-1]), "load.quantiles[:, 0]"),
        (lambda: Marginal("load", LEVELS, QUANTILES, lowest=2.0, highest=1.0), "load.lowest"),
        (lambda: Marginal("load", LEVELS, QUANTILES).quantile(1.0), "level"),
        (lambda: _sample(count=0), "count"),
        (lambda: _sample(marginals=[]), "marginals"),
        (lambda: _sample(duration_h=0.0), "duration_h"),
        (lambda: _sample(decay_h=-1.0), "decay_h"),
        (lambda: _sample(correlation=np.eye(3)), "correlation"),
        (lambda: _sample(correlation=np.array([[1.0, 2.0], [2.0, 1.0]])), "correlation"),
        (lambda: _sample(correlation=np.array([[1.0, 0.5], [0.0, 1.0]])), "correlation"),
        (lambda: _sample(correlation=np.full((2, 2), np.nan)), "correlation"),
        (lambda: normal_scores(1, 1, 1, seed=0, persistence=1.5), "persistence"),
    ],
)
def test_bad_input_names_the_field(call, field):
    with pytest.raises(InvalidInputError) as caught:
        call()
    assert caught.value.field == field


def test_series_of_other_lengths_are_an_error():
    short = Marginal("price", LEVELS, QUANTILES[:, :1])
    with pytest.raises(InvalidInputError, match=r"price\.quantiles"):
        _sample(marginals=[Marginal("load", LEVELS, QUANTILES), short])
