"""MSTL: its cached seasons, when they are let go, and what it follows meanwhile."""

import numpy as np
import pytest

from vpp.core.ports import SeriesTable
from vpp.forecasting.models import mstl as module
from vpp.forecasting.models.loess import mstl as decompose
from vpp.forecasting.models.mstl import Mstl, usual_sun, usual_swings
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import part

DAY = 24


@pytest.fixture
def model(profiles, zone):
    return Mstl(ModelContext.of(profiles, zone))


def test_at_the_moment_of_its_fit_the_cache_changes_nothing(model, plant):
    history = plant(60)
    cold = model.predict(history, 30)
    model.fit(history)
    assert model.predict(history, 30) == pytest.approx(cold, abs=0.05)


@pytest.mark.parametrize(("hours", "decompositions"), [(0, 0), (1, 0), (24, 0), (25, 2)])
def test_seasons_are_kept_for_a_day(model, plant, monkeypatch, hours, decompositions):
    history = plant(62)
    model.fit(part(history, 0, 60 * DAY))
    counted = []
    original = Mstl._decomposed

    def count(self, run):
        counted.append(run)
        return original(self, run)

    monkeypatch.setattr(Mstl, "_decomposed", count)
    model.predict(part(history, 0, 60 * DAY + hours), 30)
    # One run on the wall clock, one in UTC.
    assert len(counted) == decompositions


@pytest.mark.parametrize("hours", [1, 7, 23])
def test_a_cached_season_stays_in_step(model, plant, hours):
    history = plant(62)
    model.fit(part(history, 0, 60 * DAY))
    past = part(history, 0, 60 * DAY + hours)
    cached, cold = model.predict(past, 48), Mstl(model._context).predict(past, 48)
    spread = np.ptp(history.value, axis=0)
    # An hour out of step would show: the swings are most of the range.
    assert (np.abs(cached - cold).max(axis=0) < 0.2 * spread).all()


def test_prediction_leaves_no_trace(model, plant):
    history = plant(61)
    model.fit(part(history, 0, 58 * DAY))
    before = model._fitted
    model.predict(history, 30)
    assert model._fitted is before


def test_it_beats_the_naive_forecast_on_noisy_rhythms(model, plant):
    history = plant(63)
    errors = []
    for day in range(56, 62):
        past = part(history, 0, day * DAY)
        model.fit(past)
        actual = history.value[day * DAY : (day + 1) * DAY]
        naive = history.value[(day - 1) * DAY : day * DAY]
        errors.append([np.abs(model.predict(past, DAY) - actual).mean(axis=0), np.abs(naive - actual).mean(axis=0)])
    own, reference = np.mean(errors, axis=0)
    assert (own < reference).all()


def test_a_young_series_waits_a_week(model, plant):
    history = plant(40)
    value = history.value.copy()
    value[: -6 * DAY, 0] = np.nan
    value[: -7 * DAY, 2] = np.nan
    young = SeriesTable(history.grid, history.keys, value)
    model.fit(young)
    said = model.predict(young, 30)
    assert np.isnan(said[:, 0]).all()
    assert np.isfinite(said[:, 1:]).all()


def test_a_series_born_after_the_fit_waits_for_the_next_one(model, plant):
    history = plant(61)
    value = history.value.copy()
    value[: 54 * DAY, 3] = np.nan
    young = SeriesTable(history.grid, history.keys, value)
    model.fit(part(young, 0, 60 * DAY))
    assert np.isnan(model.predict(part(young, 0, 60 * DAY + 5), 10)[:, 3]).all()
    assert np.isfinite(model.predict(young, 10)[:, :3]).all()


def test_noise_keeps_little_of_its_season_and_a_rhythm_all_of_it():
    noise = np.random.default_rng(0).normal(size=(8 * 168, 30))
    week = np.tile(np.repeat([2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0], DAY), 8)[:, None]
    found = sum(season[-168:] for season in decompose(noise, (DAY, 168)))
    _, of_noise = usual_swings(noise, DAY, weekly=True)
    _, of_week = usual_swings(noise[:, :1] * 0.1 + week, DAY, weekly=True)
    assert of_noise.std() < 0.8 * found.std()
    assert np.ptp(of_week.reshape(7, DAY).mean(axis=1)) == pytest.approx(2.0, abs=0.3)


def test_the_usual_sun_is_never_below_nothing():
    sun = np.maximum(0.0, np.sin((np.arange(14 * DAY) % DAY - 6) / 12 * np.pi))[:, None]
    past, coming = usual_sun(sun, DAY)
    assert past.min() >= 0.0
    assert coming.shape == (7 * DAY, 1)
    assert coming[:DAY] == pytest.approx(sun[:DAY], abs=0.02)


def test_lengths_suit_the_weekly_season():
    assert all(days % 7 == 0 for days in module.LENGTHS_DAYS if days >= module.LEAST_WEEKLY_DAYS)
