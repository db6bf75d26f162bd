"""Members one by one: the naive look-ups, the means by wall clock, the trees."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.messages import SeriesKey
from vpp.core.ports import Forecaster, SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.leads import lead_classes
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.hour_of_week import HourOfWeekMean
from vpp.forecasting.models.seasonal_naive import SeasonalNaive
from vpp.forecasting.models.trees import TreeForecaster
from vpp.forecasting.repair import conditions, fill
from vpp.forecasting.tables import part

KEY = SeriesKey("a", "power_kw")


def table(values, *, resolution_s=3600, start=datetime(2024, 6, 3, tzinfo=UTC)) -> SeriesTable:
    column = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    keys = tuple(SeriesKey(f"s{k}", "power_kw") for k in range(column.shape[1]))
    return SeriesTable(TimeGrid(start, resolution_s, len(column)), keys, column)


@pytest.mark.parametrize("resolution_s", [900, 1800, 3600])
@pytest.mark.parametrize("season_h", [24, 168])
def test_naive_repeats_the_season(season_h, resolution_s):
    season = season_h * 3600 // resolution_s
    past = np.arange(10 * 86_400 // resolution_s, dtype=np.float64)
    said = SeasonalNaive(season_h).predict(table(past, resolution_s=resolution_s), 2 * season + 3)[:, 0]
    assert said[:season].tolist() == past[-season:].tolist()
    assert said[season : 2 * season].tolist() == past[-season:].tolist()


def test_naive_without_a_week_takes_the_latest_same_hour():
    past = np.arange(60.0)
    assert SeasonalNaive(168).predict(table(past), 24)[:, 0].tolist() == past[-24:].tolist()


def test_naive_reaches_over_a_gap_to_the_day_before():
    past = np.arange(72.0)
    past[-24:-20] = np.nan
    assert SeasonalNaive(24).predict(table(past), 4)[:, 0].tolist() == [24.0, 25.0, 26.0, 27.0]


def test_naive_says_nothing_of_hours_never_seen():
    said = SeasonalNaive(24).predict(table(np.arange(6.0)), 24)[:, 0]
    assert np.isnan(said[:18]).all()
    assert said[18:].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_naive_builds_on_what_is_published():
    ahead = np.full((48, 1), np.nan)
    ahead[:24, 0] = 7.0
    assert (SeasonalNaive(24).predict(table(np.zeros(48)), 48, ahead=ahead) == 7.0).all()


def test_naive_refuses_a_season_of_part_days():
    with pytest.raises(InvalidInputError, match="whole days"):
        SeasonalNaive(36)


def test_hour_of_week_keeps_to_the_wall_clock_when_clocks_change():
    # Seven o'clock local, two weeks before and after the change of 31 March 2024.
    zone = ZoneInfo("Europe/Amsterdam")
    grid = TimeGrid(datetime(2024, 3, 17, 23, tzinfo=UTC), 3600, 13 * 24)
    local = LocalClock(zone).hour_of_day(grid.times_s)
    history = SeriesTable(grid, (KEY,), np.where(local == 7, 5.0, 1.0)[:, None])
    said = HourOfWeekMean((SeriesProfile(KEY, "load"),), LocalClock(zone)).predict(history, 72)[:, 0]
    ahead = TimeGrid(grid.end, 3600, 72)
    assert np.array_equal(said == 5.0, LocalClock(zone).hour_of_day(ahead.times_s) == 7)
    assert np.flatnonzero(said == 5.0).tolist() == [6, 30, 54]


def test_hour_of_week_tells_weekends_for_loads_only():
    day = np.arange(28 * 24) // 24
    weekend = np.where(day % 7 >= 5, 2.0, 1.0)
    profiles = (SeriesProfile.load("s0"), SeriesProfile.wind("s1"))
    said = HourOfWeekMean(profiles, LocalClock(ZoneInfo("UTC"))).predict(
        table(np.column_stack([weekend, weekend])), 168
    )
    assert said[:, 0].tolist() == weekend[:168].tolist()
    assert said[:, 1] == pytest.approx(np.full(168, 9 / 7))


@pytest.mark.parametrize("longest", [3, 30])
def test_fill_leaves_no_hole_after_the_first_value(longest):
    values = np.tile(np.arange(24.0), 4)[:, None]
    values[:5] = np.nan
    values[30 : 30 + longest] = np.nan
    values[-6:] = np.nan
    filled, made_up = fill(values, steps_per_day=24)
    assert np.isnan(filled[:5]).all()
    assert np.isfinite(filled[5:]).all()
    assert np.array_equal(made_up, np.isnan(values) & np.isfinite(filled))
    assert filled[-6:, 0].tolist() == list(range(18, 24))


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        (slice(0, 0), ()),
        (slice(None), ("no_data",)),
        (slice(0, 210), ("cold_start",)),
        (slice(238, None), ()),
        (slice(237, None), ("stale",)),
        (slice(200, 201), ("gaps",)),
        (slice(10, 12), ()),
    ],
)
def test_conditions_say_what_is_thin(change, flags):
    values = np.ones((240, 1))
    values[change] = np.nan
    assert conditions(table(values), ForecastSettings()) == [flags]


@pytest.mark.parametrize(("resolution_s", "expected"), [(3600, [0, 1, 1, 2, 2, 2, 3]), (1800, [0, 0, 1, 1, 1, 1, 2])])
def test_lead_classes_go_by_the_end_of_the_step(resolution_s, expected):
    assert lead_classes(7, resolution_s).tolist() == expected


def test_trees_learn_a_rhythm_and_answer_only_for_what_they_know(plant, profiles, zone, quick):
    history = plant(40)
    value = history.value.copy()
    value[: 30 * 24, 0] = np.nan  # ten days: too young to learn from
    history = SeriesTable(history.grid, history.keys, value)
    trees = TreeForecaster(profiles, LocalClock(zone), quick)
    assert isinstance(trees, Forecaster)
    trees.fit(part(history, 0, 39 * 24))
    said = trees.predict(part(history, 0, 39 * 24), 24)
    assert np.isnan(said[:, 0]).all()
    assert np.isfinite(said[:, 1:]).all()
    assert np.abs(said[:, 1] - history.value[39 * 24 :, 1]).mean() < 1.0


def test_trees_are_silent_before_they_are_fitted_and_on_less_than_a_week(plant, profiles, zone, quick):
    trees = TreeForecaster(profiles, LocalClock(zone), quick)
    assert np.isnan(trees.predict(plant(20), 5)).all()
    trees.fit(plant(20))
    assert np.isnan(trees.predict(plant(6), 5)).all()


@pytest.mark.parametrize("offset", [0, 1, 3])
def test_trees_refine_hours_to_quarters_from_any_quarter(plant, profiles, zone, quick, offset):
    history = plant(22, resolution_s=900)
    history = part(history, 0, history.grid.count - offset)
    trees = TreeForecaster(profiles, LocalClock(zone), quick)
    trees.fit(history)
    said = trees.predict(history, 30)
    assert np.isfinite(said).all()
    # Wind has no rhythm within the hour: quarters share their hour's mean.
    assert (said[:28, 2].reshape(7, 4) == said[:28:4, 2:3]).all()


def test_trees_build_on_what_is_published(plant, profiles, zone, quick):
    history = plant(20)
    trees = TreeForecaster(profiles, LocalClock(zone), quick)
    trees.fit(history)
    ahead = np.full((30, 4), np.nan)
    ahead[:20, 3] = 0.5
    said = trees.predict(history, 30, ahead=ahead)
    assert said[:20, 3] == pytest.approx(np.full(20, 0.5))
    assert (said[20:, 3] > trees.predict(history, 30)[20:, 3]).any()
