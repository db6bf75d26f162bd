from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from vpp.core.messages import ForecastScore, SeriesKey
from vpp.forecasting.training.drift import find_drift

START = datetime(2024, 5, 1, 16, tzinfo=UTC)
KEY = SeriesKey("house", "power_kw")


def scores(errors: np.ndarray, first_day: int) -> list[ForecastScore]:
    return [
        ForecastScore("home", KEY, "median", "rolling", START + timedelta(days=first_day + i), 30, float(error))
        for i, error in enumerate(errors)
    ]


def errors(days: int, seed: int, *, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).gamma(16.0, 1.0 / 16.0, days)


def test_an_error_that_stays_doubled_is_drift_within_a_week() -> None:
    for seed in range(20):
        recent = np.concatenate([errors(10, 100 + seed), errors(7, 200 + seed, scale=2.0)])
        found = find_drift(scores(errors(28, seed), 0), scores(recent, 28))
        assert found is not None
        # It may have begun to count on a bad day before.
        assert found.since >= START + timedelta(days=28)
        assert found.ratio > 1.3


def test_what_stays_as_it_was_is_no_drift() -> None:
    alarms = sum(
        find_drift(scores(errors(28, seed), 0), scores(errors(60, 1000 + seed), 28)) is not None for seed in range(100)
    )
    assert alarms <= 10


def test_two_wild_days_are_no_drift() -> None:
    recent = errors(20, 5)
    recent[[7, 14]] = 50.0
    assert find_drift(scores(errors(28, 6), 0), scores(recent, 28)) is None


def test_a_better_forecast_is_no_drift() -> None:
    assert find_drift(scores(errors(28, 6), 0), scores(errors(60, 7, scale=0.5), 28)) is None


def test_without_a_reference_the_first_week_is_one() -> None:
    recent = np.concatenate([errors(7, 1), errors(10, 2, scale=3.0)])
    found = find_drift([], scores(recent, 0))
    assert found is not None
    assert found.since == START + timedelta(days=7)
    assert find_drift([], scores(errors(6, 1), 0)) is None
    assert find_drift([], []) is None


def test_a_series_that_is_always_forecast_exactly_does_not_divide_by_zero() -> None:
    assert find_drift(scores(np.zeros(28), 0), scores(np.ones(10), 28)) is None
