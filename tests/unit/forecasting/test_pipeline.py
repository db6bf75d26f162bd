"""The whole pipeline: what must hold of every forecast, whatever the history looks like."""

import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.tables import part

LOAD, SOLAR, WIND, PRICE = range(4)


@pytest.fixture
def make(profiles, zone, quick):
    return lambda: ForecastPipeline(profiles, timezone=zone, plant="test", settings=quick)


@pytest.fixture(scope="module")
def month(plant):
    return plant(32)


def changed(history, where, value):
    values = history.value.copy()
    values[where] = value
    return SeriesTable(history.grid, history.keys, values)


def check(forecasts, profiles, steps):
    """Finite, bounded, ordered, on the right steps."""
    assert [forecast.key for forecast in forecasts] == [profile.key for profile in profiles]
    for forecast, profile in zip(forecasts, profiles, strict=True):
        assert forecast.grid.count == steps
        assert forecast.issued_at == forecast.grid.start
        assert np.isfinite(forecast.value).all()
        assert (forecast.value >= profile.lower).all()
        assert (forecast.value <= profile.upper).all()
        if forecast.levels:
            assert (np.diff(forecast.quantiles, axis=0) >= 0.0).all()
            assert (forecast.quantiles >= profile.lower).all()
            assert (forecast.quantiles <= profile.upper).all()
            assert forecast.quantiles[forecast.levels.index(0.5)] == pytest.approx(forecast.value)


def test_a_month_gives_bounded_banded_unflagged_forecasts(make, month, profiles):
    pipeline = make()
    pipeline.fit(month)
    forecasts = pipeline.predict(month, 42)
    check(forecasts, profiles, 42)
    assert all(forecast.levels and forecast.flags == () and forecast.model == "median" for forecast in forecasts)
    assert forecasts[0].issued_at == month.grid.end


def test_the_roof_is_dark_at_night_in_every_quantile(make, month):
    pipeline = make()
    pipeline.fit(month)
    forecast = pipeline.predict(month, 24)[SOLAR]
    night = np.r_[0:6, 19:24]  # the plant begins at local midnight
    assert (forecast.value[night] == 0.0).all()
    assert (forecast.quantiles[:, night] == 0.0).all()
    assert forecast.value[12] > 1.0


def test_what_comes_after_the_decision_changes_nothing(make, month):
    generator = np.random.default_rng(0)
    cut = 30 * 24
    shuffled = changed(month, slice(cut, None), generator.permutation(month.value[cut:]) * 3.0)
    said = []
    for table in (month, shuffled):
        pipeline = make()
        pipeline.fit(part(table, 0, cut))
        said.append(pipeline.predict(part(table, 0, cut), 40))
    for one, other in zip(*said, strict=True):
        assert np.array_equal(one.value, other.value)
        assert np.array_equal(one.quantiles, other.quantiles)


def test_the_same_seed_says_the_same(make, month):
    said = []
    for _ in range(2):
        pipeline = make()
        pipeline.fit(month)
        said.append(np.stack([forecast.quantiles for forecast in pipeline.predict(month, 30)]))
    assert np.array_equal(*said)


def test_older_rows_than_history_days_change_no_prediction(make, plant, quick):
    month = plant(quick.history_days + 3)
    pipeline = make()
    pipeline.fit(month)
    days = quick.history_days * 24
    whole = pipeline.predict(month, 30)
    assert month.grid.count > days
    short = pipeline.predict(part(month, month.grid.count - days, month.grid.count), 30)
    assert all(np.array_equal(a.value, b.value) for a, b in zip(whole, short, strict=True))


@pytest.mark.parametrize("hours", [0, 1, 5, 24, 47])
def test_a_cold_start_answers_and_says_so(make, month, profiles, hours):
    pipeline = make()
    young = part(month, 0, hours)
    pipeline.fit(young)
    forecasts = pipeline.predict(young, 30)
    check(forecasts, profiles, 30)
    for forecast in forecasts:
        assert ("no_data" if hours == 0 else "cold_start") in forecast.flags
        assert ("fallback_zero" in forecast.flags or "fallback_last_value" in forecast.flags) == (hours < 24)
        assert forecast.model != "median" or hours >= 24


def test_from_the_second_day_the_naive_answers(make, month, profiles):
    pipeline = make()
    two_days = part(month, 0, 48)
    pipeline.fit(two_days)
    forecasts = pipeline.predict(two_days, 30)
    check(forecasts, profiles, 30)
    assert all("cold_start" not in forecast.flags and forecast.model == "median" for forecast in forecasts)


def test_without_fit_it_answers_and_says_untrained(make, month, profiles):
    forecasts = make().predict(month, 12)
    check(forecasts, profiles, 12)
    assert all({"untrained", "no_bands"} <= set(forecast.flags) for forecast in forecasts)


@pytest.mark.parametrize(
    ("where", "series", "flag"),
    [
        ((slice(700, 702), LOAD), LOAD, "gaps"),
        ((slice(640, 700), WIND), WIND, "gaps"),
        ((slice(-5, None), PRICE), PRICE, "stale"),
        ((slice(-400, None), LOAD), LOAD, "stale"),
        ((slice(None), LOAD), LOAD, "no_data"),
        ((slice(None), SOLAR), SOLAR, "no_data"),
    ],
)
def test_missing_values_are_bridged_and_flagged_for_their_series_alone(make, month, profiles, where, series, flag):
    broken = changed(month, where, np.nan)
    pipeline = make()
    pipeline.fit(broken)
    forecasts = pipeline.predict(broken, 30)
    check(forecasts, profiles, 30)
    assert flag in forecasts[series].flags
    assert all(forecast.flags == () for k, forecast in enumerate(forecasts) if k != series)


def test_constant_series_stay_constant(make, month):
    constant = SeriesTable(month.grid, month.keys, np.tile([-1.0, 0.0, 3.0, 0.2], (month.grid.count, 1)))
    pipeline = make()
    pipeline.fit(constant)
    for forecast, value in zip(pipeline.predict(constant, 30), [-1.0, 0.0, 3.0, 0.2], strict=True):
        assert forecast.value == pytest.approx(np.full(30, value), abs=1e-6)
        assert forecast.quantiles == pytest.approx(np.full((len(forecast.levels), 30), value), abs=1e-6)


def test_published_prices_come_out_unchanged_and_are_not_scored(make, month, profiles):
    pipeline = make()
    pipeline.fit(month)
    grid = TimeGrid(month.grid.end, 3600, 12)
    ahead = SeriesTable(grid, (month.keys[PRICE],), np.full((12, 1), 0.7))
    issue = pipeline.issue(month, 30, ahead=ahead)
    assert (issue.value[:12, PRICE] == 0.7).all()
    assert (issue.quantiles[:, :12, PRICE] == 0.7).all()
    assert issue.published[:12, PRICE].all()
    assert issue.published.sum() == 12


def test_issued_forecasts_are_scored_when_their_actuals_arrive(make, plant, quick):
    long = plant(60)
    pipeline = make()
    pipeline.predict(part(long, 0, 40 * 24), 12)
    assert "no_bands" in pipeline.predict(part(long, 0, 40 * 24), 12)[LOAD].flags
    for hours in range(6, 18 * 24, 6):
        forecasts = pipeline.predict(part(long, hours, 40 * 24 + hours), 12)
    assert all(forecast.levels == quick.levels for forecast in forecasts)
    # A history too short to hold an issue's steps leaves it unscored, without a fault.
    pipeline.predict(part(long, 59 * 24, 60 * 24), 12)


def test_bands_cover_what_they_promise(make, plant):
    history = plant(75)
    pipeline = make()
    pipeline.fit(part(history, 0, 40 * 24))
    inside = []
    for origin in range(40 * 24, 73 * 24, 12):
        issue = pipeline.issue(part(history, 0, origin), 30)
        actual = history.value[origin : origin + 30]
        inside.append(((actual >= issue.quantiles[1]) & (actual <= issue.quantiles[9])).mean(axis=0))
    coverage = np.mean(inside, axis=0)
    assert coverage[[LOAD, PRICE]] == pytest.approx([0.8, 0.8], abs=0.07)
    assert coverage[[SOLAR, WIND]].min() > 0.7


def test_quarter_hours_across_a_clock_change(make, plant, profiles):
    history = plant(32, resolution_s=900)
    # Move the month so that its last day is the one before Amsterdam leaves summer time.
    start = history.grid.start + timedelta(days=116 + 2)
    moved = SeriesTable(TimeGrid(start, 900, history.grid.count), history.keys, history.value)
    pipeline = make()
    pipeline.fit(moved)
    check(pipeline.predict(moved, 192), profiles, 192)


def test_columns_are_found_by_name(make, month):
    pipeline = make()
    turned = SeriesTable(month.grid, month.keys[::-1], month.value[:, ::-1])
    for one, other in zip(make().predict(month, 5), pipeline.predict(turned, 5), strict=True):
        assert np.array_equal(one.value, other.value)


def test_wrong_questions_are_errors(make, month, profiles, zone):
    with pytest.raises(UnknownNameError, match="house/power_kw"):
        make().predict(SeriesTable(month.grid, month.keys[1:], month.value[:, 1:]), 5)
    with pytest.raises(InvalidInputError, match="steps"):
        make().predict(month, 0)
    with pytest.raises(SeriesMismatchError, match="ahead"):
        make().predict(month, 5, ahead=part(month, 0, 5))
    for bad in ((), (SeriesProfile.price(), SeriesProfile.price())):
        with pytest.raises(InvalidInputError, match="profiles"):
            ForecastPipeline(bad, timezone=zone, plant="test")


def test_importing_forecasting_loads_no_learning_library():
    heavy = "{'lightgbm', 'mlforecast', 'sklearn'}"
    code = f"import sys, vpp.forecasting; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
