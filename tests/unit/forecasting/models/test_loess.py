"""Loess and the decomposition: what a line, a cycle and a bad length give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.forecasting.models.loess import effective_cycles, loess_operator, moving_average, mstl, stl


@given(
    count=st.integers(3, 60), window=st.integers(3, 41), degree=st.sampled_from([0, 1]), jump=st.sampled_from([1, 3, 7])
)
def test_local_fits_keep_what_they_can_express(count, window, degree, jump):
    operator = loess_operator(count, window, degree=degree, jump=jump)
    assert operator.shape == (count, count)
    assert operator @ np.full(count, 2.5) == pytest.approx(np.full(count, 2.5))
    if degree == 1:
        line = 3.0 - 0.5 * np.arange(count)
        assert operator @ line == pytest.approx(line)


def test_moving_average_is_the_mean_of_each_run():
    values = np.random.default_rng(0).normal(size=(30, 2))
    slow = np.stack([values[i : i + 7].mean(axis=0) for i in range(24)])
    assert moving_average(values, 7) == pytest.approx(slow)


def test_a_pure_cycle_is_all_season_and_a_line_all_trend():
    cycle = np.tile(np.sin(np.arange(24) / 24 * 2 * np.pi), 10)
    line = 0.01 * np.arange(240)
    season, trend = stl((cycle + line)[:, None], 24, seasonal=11)
    assert season[:, 0] == pytest.approx(cycle, abs=1e-2)
    assert trend[:, 0] == pytest.approx(line, abs=1e-2)


def test_series_do_not_touch_one_another():
    values = np.random.default_rng(1).normal(size=(240, 3))
    together, _ = stl(values, 24, seasonal=11)
    alone, _ = stl(values[:, 1:2], 24, seasonal=11)
    assert together[:, 1:2] == pytest.approx(alone, abs=1e-12)


def test_two_seasons_are_told_apart():
    hours = np.arange(8 * 168)
    daily, weekly = np.sin(hours / 24 * 2 * np.pi), 0.5 * np.cos(hours / 168 * 2 * np.pi)
    of_day, of_week = mstl((daily + weekly)[:, None], (24, 168))
    assert of_day[:, 0] == pytest.approx(daily, abs=0.02)
    assert of_week[:, 0] == pytest.approx(weekly, abs=0.05)


@pytest.mark.parametrize("count", [24, 47, 49])
def test_part_cycles_are_refused(count):
    with pytest.raises(InvalidInputError, match="whole cycles of 24 steps"):
        stl(np.zeros((count, 1)), 24, seasonal=11)


def test_the_newest_season_is_a_mean_of_fewer_cycles_than_its_window():
    assert 6.0 < effective_cycles(56, 11) < 11.0
    assert effective_cycles(3, 15) == pytest.approx(3.0, rel=0.05)
