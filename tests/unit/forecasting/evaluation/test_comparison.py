from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.forecasting.evaluation.comparison import LEAST_ORIGINS, diebold_mariano, mean_interval

DAILY = 24 * np.arange(28)


def slow_test(first: np.ndarray, second: np.ndarray, reach: int) -> float:
    """The statistic as the papers write it: autocovariances up to the reach, then the correction."""
    difference = first - second
    n = difference.size
    centred = difference - difference.mean()
    covariance = [float((centred[k:] * centred[: n - k]).sum()) / n for k in range(reach)]
    variance = (covariance[0] + 2.0 * sum(covariance[1:])) / n
    correction = (n + 1 - 2 * reach + reach * (reach - 1) / n) / n
    statistic = difference.mean() / variance**0.5 * correction**0.5
    return float(2.0 * stats.t.sf(abs(statistic), n - 1))


@pytest.mark.parametrize("seed", range(5))
def test_without_overlap_it_is_the_paired_t_test(seed: int) -> None:
    first, second = np.random.default_rng(seed).gamma(2.0, size=(2, 28))
    ours = diebold_mariano(first, second, origins=DAILY, steps=24)
    assert ours.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert ours.difference == pytest.approx((first - second).mean())


@pytest.mark.parametrize(("steps", "reach"), [(25, 2), (30, 2), (48, 2), (49, 3)])
def test_overlapping_horizons_are_counted_as_the_papers_count_them(steps: int, reach: int) -> None:
    generator = np.random.default_rng(7)
    shocks = generator.normal(size=(2, 30))
    first, second = 5.0 + (shocks[:, 1:29] + shocks[:, :28]) @ np.eye(28)
    ours = diebold_mariano(first, second, origins=DAILY, steps=steps)
    assert ours.p_value == pytest.approx(slow_test(first, second, reach))


def test_it_rejects_as_often_as_it_says_when_nothing_differs() -> None:
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(600):
        shocks = generator.normal(size=(2, 29))
        losses = 10.0 + shocks[:, 1:] + 0.5 * shocks[:, :-1]
        hits += diebold_mariano(losses[0], losses[1], origins=DAILY, steps=30).p_value < 0.05
    assert 0.02 < hits / 600 < 0.12  # it is known to reject somewhat too often in small samples


def test_neighbours_beyond_a_gap_are_not_related() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.gamma(2.0, size=(2, 14))
    apart = diebold_mariano(first, second, origins=200 * np.arange(14), steps=30)
    weeks = np.concatenate([24 * np.arange(7), 2000 + 24 * np.arange(7)])
    together = diebold_mariano(first, second, origins=weeks, steps=30)
    assert apart.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert together.p_value != pytest.approx(apart.p_value)


def test_too_little_and_equal_losses_have_no_probability() -> None:
    few = diebold_mariano(np.ones(7), np.zeros(7), origins=DAILY[:7], steps=24)
    assert (few.p_value, few.reason) == (None, f"7 origins to compare, {LEAST_ORIGINS} needed")
    same = diebold_mariano(np.ones(28), np.ones(28), origins=DAILY, steps=24)
    assert (same.p_value, same.reason) == (None, "the two never differ")
    gaps = np.where(np.arange(28) < 21, np.nan, 1.0)
    assert diebold_mariano(gaps, np.zeros(28), origins=DAILY, steps=24).p_value is None
    constant = diebold_mariano(np.full(28, 2.0), np.ones(28), origins=DAILY, steps=24)
    assert constant.p_value == 0.0


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_it_is_symmetric_and_knows_no_unit(seed: int, unit: float) -> None:
    first, second = np.random.default_rng(seed).gamma(2.0, size=(2, 20))
    one = diebold_mariano(first, second, origins=DAILY[:20], steps=30)
    other = diebold_mariano(unit * second, unit * first, origins=DAILY[:20], steps=30)
    assert one.p_value is not None
    assert 0.0 <= one.p_value <= 1.0
    assert other.p_value == pytest.approx(one.p_value)
    assert other.difference == pytest.approx(-unit * one.difference)


def test_the_interval_is_that_of_the_t_distribution_and_covers() -> None:
    losses = np.random.default_rng(5).gamma(2.0, size=28)
    low, high = stats.t.interval(0.95, 27, loc=losses.mean(), scale=stats.sem(losses))
    ours = mean_interval(losses, origins=DAILY, steps=24)
    assert (ours.low, ours.high) == pytest.approx((low, high))
    wide = mean_interval(losses, origins=DAILY, steps=24, share=0.99)
    assert wide.low < ours.low < ours.high < wide.high
    assert mean_interval(losses[:7], origins=DAILY[:7], steps=24).low is None


def test_inputs_are_checked() -> None:
    with pytest.raises(SeriesMismatchError):
        diebold_mariano(np.ones(5), np.ones(6), origins=DAILY[:5], steps=24)
    with pytest.raises(InvalidInputError, match="steps"):
        diebold_mariano(np.ones(28), np.ones(28), origins=DAILY, steps=0)
    with pytest.raises(InvalidInputError, match="ascending"):
        diebold_mariano(np.ones(28), np.ones(28), origins=DAILY[::-1], steps=24)
    with pytest.raises(InvalidInputError, match="share"):
        mean_interval(np.ones(28), origins=DAILY, steps=24, share=1.0)
