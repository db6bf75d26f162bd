"""Theta: rhythms it must find, and what it follows."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile
from vpp.forecasting.models.theta import Theta, seasons, slope
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import part

DAY = 24


@pytest.fixture
def theta(profiles, zone):
    return Theta(ModelContext.of(profiles, zone))


def test_a_week_repeats_and_weather_has_none():
    draw = np.random.default_rng(0)
    week = np.repeat([3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0], DAY)
    values = np.tile(week, 4)[:, None] + draw.normal(0.0, 0.1, (4 * 168, 1))
    weekly = seasons(values, DAY, weekly=True)[:, 0]
    assert weekly - weekly.mean() == pytest.approx(week - week.mean(), abs=0.3)
    assert seasons(values, DAY, weekly=False).shape == (DAY, 1)


def test_one_odd_day_leaves_no_trace():
    values = np.ones((28 * DAY, 1))
    values[20 * DAY : 21 * DAY] = 50.0
    pattern = seasons(values, DAY, weekly=False)
    assert np.ptp(pattern) < 1e-9


def test_it_beats_the_naive_forecast_on_noisy_rhythms(theta, plant):
    history = plant(63)
    errors = []
    for day in range(56, 62):
        past = part(history, 0, day * DAY)
        if day == 56:
            theta.fit(past)
        actual = history.value[day * DAY : (day + 1) * DAY]
        said = theta.predict(past, DAY)
        naive = history.value[(day - 1) * DAY : day * DAY]
        errors.append([np.abs(said - actual).mean(axis=0), np.abs(naive - actual).mean(axis=0)])
    own, reference = np.mean(errors, axis=0)
    assert (own < reference).all()


def test_the_sun_keeps_its_night(theta, plant):
    history = plant(40)
    theta.fit(history)
    said = theta.predict(history, 48)[:, 1]
    night = history.value[-48:, 1] == 0.0
    assert night.sum() > 20
    assert (said[night] == 0.0).all()
    assert (said >= 0.0).all()


def test_without_a_fit_it_chooses_for_itself(theta, plant):
    history = plant(30)
    untrained = theta.predict(history, 30)
    theta.fit(history)
    assert theta.predict(history, 30) == pytest.approx(untrained, abs=1e-12)


def test_two_days_are_too_few_and_three_are_not(theta, plant):
    history = plant(10)
    value = history.value.copy()
    value[: -2 * DAY, 0] = np.nan
    value[: -3 * DAY, 1] = np.nan
    young = SeriesTable(history.grid, history.keys, value)
    theta.fit(young)
    said = theta.predict(young, 30)
    assert np.isnan(said[:, 0]).all()
    assert np.isfinite(said[:, 1:]).all()


def test_half_the_slope_is_continued():
    assert slope(np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]])).tolist() == [1.0, 0.0]


def test_breakfast_stays_at_seven_when_the_clocks_change():

    profile = SeriesProfile.load("house")
    made = ModelContext.of((profile,), ZoneInfo("Europe/Amsterdam"))
    grid = TimeGrid(datetime(2024, 3, 2, 17, tzinfo=UTC), 3600, 28 * DAY)  # up to the evening before the change
    wall = made.clock.hour_of_day(grid.times_s)
    table = SeriesTable(grid, (profile.key,), np.where(wall == 7.0, -3.0, -1.0)[:, None])
    said = Theta(made).predict(table, 30)[:, 0]
    ahead = made.clock.hour_of_day(grid.end_s + 3600 * np.arange(30))
    assert said == pytest.approx(np.where(ahead == 7.0, -3.0, -1.0), abs=0.05)
