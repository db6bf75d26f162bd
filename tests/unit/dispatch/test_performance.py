"""Performance score: what each part means, and what is left out. PJM's own rows stand in tests/oracle."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.dispatch.performance import Precision, mileage, performance_score

SIGNAL = np.sin(np.arange(390) / 7.0) * np.cos(np.arange(390) / 31.0)


def late(signal: np.ndarray, samples: int) -> np.ndarray:
    return np.concatenate([np.full(samples, signal[0]), signal[: signal.size - samples]])


@pytest.mark.parametrize("precision", Precision)
def test_a_perfect_response_scores_one(precision: Precision) -> None:
    score = performance_score(SIGNAL, SIGNAL, precision=precision)
    assert (score.performance, score.delay, score.precision) == pytest.approx((1.0, 1.0, 1.0))


@given(gain=st.floats(0.01, 1.0))
def test_a_weak_response_loses_precision_alone(gain: float) -> None:
    score = performance_score(SIGNAL, gain * SIGNAL)
    assert (score.delay, score.correlation, score.precision) == pytest.approx((1.0, 1.0, gain))
    assert score.performance == pytest.approx((2.0 + gain) / 3.0)


@pytest.mark.parametrize("samples", [1, 3, 10])
def test_a_late_response_loses_delay_by_its_share_of_the_block(samples: int) -> None:
    score = performance_score(SIGNAL, late(SIGNAL, samples))
    assert score.delay == pytest.approx(1.0 - samples / 30.0)
    assert score.correlation == pytest.approx(1.0)


def test_no_response_and_the_opposite_one_score_nothing() -> None:
    assert performance_score(SIGNAL, 0.0 * SIGNAL).performance == 0.0
    trend = np.linspace(-1.0, 1.0, 390)
    score = performance_score(trend, -trend)
    assert (score.delay, score.correlation) == (0.0, 0.0)


@given(data=st.data())
def test_scores_lie_between_zero_and_one(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    signal, response = np.random.default_rng(seed).uniform(-1.0, 1.0, (2, 390))
    score = performance_score(signal, response, precision=data.draw(st.sampled_from(Precision)))
    for value in (score.performance, score.delay, score.correlation, score.precision):
        assert 0.0 <= value <= 1.0


def test_a_block_without_a_moving_signal_has_no_correlation() -> None:
    signal = SIGNAL.copy()
    signal[:30] = 0.5
    signal[30:60] = 0.0
    score = performance_score(signal, 0.9 * signal)
    assert np.isnan(score.block_correlation[:2]).all()
    assert np.isnan(score.block_precision[:3]).tolist() == [False, True, False]
    assert score.correlation == pytest.approx(1.0)


def test_a_signal_that_never_moves_has_no_score() -> None:
    score = performance_score(np.full(390, 0.5), np.full(390, 0.5))
    assert isnan(score.performance)
    assert isnan(score.correlation)
    assert score.precision == 1.0


def test_input_is_checked() -> None:
    with pytest.raises(SeriesMismatchError, match="390 samples"):
        performance_score(SIGNAL[:389], SIGNAL[:389])
    with pytest.raises(SeriesMismatchError, match="response"):
        performance_score(SIGNAL, SIGNAL[:-1])
    with pytest.raises(InvalidInputError, match=r"response\[7\]"):
        performance_score(SIGNAL, np.where(np.arange(390) == 7, nan, SIGNAL))
    with pytest.raises(InvalidInputError, match="samples_per_block"):
        performance_score(SIGNAL, SIGNAL, samples_per_block=1)
    with pytest.raises(ValueError, match="is not a valid Precision"):
        performance_score(SIGNAL, SIGNAL, precision="day")


def test_mileage_is_the_way_travelled() -> None:
    assert mileage([0.0, 1.0, -1.0, -1.0]) == 3.0
    assert mileage([0.3]) == 0.0
