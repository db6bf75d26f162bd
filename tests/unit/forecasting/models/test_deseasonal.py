"""Patterns: how much of one to believe, and that repeating keeps its phase."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vpp.forecasting.models.deseasonal import believed, continued, cycles_of, repeated, slow_level


@given(length=st.integers(1, 8), count=st.integers(1, 40), steps=st.integers(1, 20))
def test_what_follows_a_repeated_pattern_is_its_continuation(length, count, steps):
    pattern = np.arange(length, dtype=np.float64)[:, None]
    whole = np.concatenate([repeated(pattern, count), continued(pattern, steps)])[:, 0]
    assert (np.diff(whole) % length == 1 % length).all()
    assert whole[count - 1] == length - 1


def test_noise_alone_is_hardly_believed():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(8, 168, 200))
    pattern = values.mean(axis=0)
    share = believed(pattern.var(axis=0), values.var(axis=0, ddof=1).mean(axis=0), 8.0)
    assert share.mean() < 0.1
    rhythm = pattern + 3.0 * np.sin(np.arange(168) / 168 * 2 * np.pi)[:, None]
    assert believed(rhythm.var(axis=0), values.var(axis=0, ddof=1).mean(axis=0), 8.0).min() > 0.95


def test_the_slow_level_of_a_short_series_is_its_mean():
    assert slow_level(np.arange(5.0)[:, None], 100).ravel().tolist() == [2.0] * 5


def test_cycles_are_counted_back_from_the_end():
    assert cycles_of(np.arange(7.0)[:, None], 3, 5)[:, :, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cycles_of(np.arange(7.0)[:, None], 3, 1)[:, :, 0].tolist() == [[4, 5, 6]]
