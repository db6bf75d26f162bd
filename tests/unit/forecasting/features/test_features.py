"""The engine of the feature table: each feature by hand, and nothing from after the decision."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting.features.calendar import calendar_features
from vpp.forecasting.features.past import REACH_DAYS, past_features
from vpp.forecasting.features.table import FEATURES, TARGET, feature_frame
from vpp.forecasting.local_time import LocalClock

KEYS = (SeriesKey("house", POWER_KW), SeriesKey("roof", POWER_KW))
DECISION = datetime(2024, 3, 30, 18, tzinfo=UTC)
CLOCK = LocalClock(ZoneInfo("Europe/Amsterdam"))


def history(*, resolution_s: int = 3600, days: int = REACH_DAYS, seed: int = 0) -> SeriesTable:
    count = days * 86_400 // resolution_s
    start = datetime.fromtimestamp(DECISION.timestamp() - count * resolution_s, UTC)
    values = np.random.default_rng(seed).normal(size=(count, 2))
    return SeriesTable(TimeGrid(start, resolution_s, count), KEYS, values)


@given(st.sampled_from([900, 1800, 3600]), st.integers(1, 200), st.integers(0, 99))
def test_lags_are_whole_days_back_and_never_after_the_decision(resolution_s: int, steps: int, seed: int) -> None:
    table = history(resolution_s=resolution_s, seed=seed)
    steps = min(steps, 7 * 86_400 // resolution_s)
    made = past_features(table, steps=steps, window_h=24.0)
    day = 86_400 // resolution_s
    for name, season in (("lag_24h", day), ("lag_7d", 7 * day)):
        for step in {0, steps // 2, steps - 1}:
            row = table.grid.count + step - season
            while row >= table.grid.count:
                row -= season
            np.testing.assert_array_equal(made[name][step], table.value[row])


def test_statistics_are_of_the_window_before_the_decision() -> None:
    table = history()
    made = past_features(table, steps=3, window_h=6.0)
    recent = table.value[-6:]
    expected = {"mean": recent.mean(0), "std": recent.std(0), "min": recent.min(0), "max": recent.max(0)}
    for name, values in expected.items():
        np.testing.assert_allclose(made[f"window_{name}"], np.broadcast_to(values, (3, 2)))
    hour = table.value.reshape(REACH_DAYS, 24, 2)[-7:, 2].mean(axis=0)
    np.testing.assert_allclose(made["same_hour_mean"][2], hour)


def test_gaps_are_told_and_not_filled() -> None:
    table = history()
    table.value[-3:, 0] = np.nan
    table.value[:, 1] = np.nan
    made = past_features(table, steps=2, window_h=2.0)
    assert made["lag_1"][0, 0] == table.value[-4, 0]
    assert made["lag_1_age_h"][0].tolist() == pytest.approx([3.0, np.nan], nan_ok=True)
    assert all(np.isnan(values[:, 1]).all() for values in made.values())
    assert np.isnan(made["window_min"][:, 0]).all()


def test_a_short_history_leaves_its_lags_open() -> None:
    made = past_features(history(days=2), steps=30, window_h=24.0)
    assert np.isfinite(made["lag_24h"]).all()
    assert np.isnan(made["lag_7d"]).all()


@pytest.mark.parametrize(("steps", "window_h", "field"), [(0, 24.0, "steps"), (3, 0.4, "window_h")])
def test_numbers_are_checked(steps: int, window_h: float, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        past_features(history(), steps=steps, window_h=window_h)


def test_the_calendar_is_local_and_knows_holidays_and_the_clock_change() -> None:
    grid = TimeGrid(datetime(2024, 3, 30, 22, tzinfo=UTC), 3600, 5)
    made = calendar_features(grid.times_s, CLOCK)
    assert made["local_hour"].tolist() == [23.0, 0.0, 1.0, 3.0, 4.0]
    assert made["is_holiday"].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]  # Easter Sunday
    assert made["local_weekday"].tolist() == [5.0, 6.0, 6.0, 6.0, 6.0]
    assert made["day_of_year"].tolist() == [90.0, 91.0, 91.0, 91.0, 91.0]
    assert made["local_month"].tolist() == [3.0] * 5
    np.testing.assert_allclose(made["hour_sin"] ** 2 + made["hour_cos"] ** 2, 1.0)


def test_a_row_for_each_series_and_step() -> None:
    table = history()
    happened = np.arange(60.0).reshape(30, 2)
    frame = feature_frame(
        table, steps=30, clock=CLOCK, window_h=24.0, known_ahead={"sun": np.arange(30.0)}, actual=happened
    )
    assert len(frame) == 60
    assert frame["source"].tolist() == ["house"] * 30 + ["roof"] * 30
    assert frame[TARGET].tolist() == happened.T.ravel().tolist()
    assert (frame["issued_at"] == DECISION).all()
    assert ((frame["time"] - frame["issued_at"]).dt.total_seconds() / 3600 == frame["lead_h"]).all()
    assert frame.columns[-1] == "sun"  # what is not of the house comes last
    assert frame["sun"].tolist() == [*range(30), *range(30)]
    bare = feature_frame(table, steps=30, clock=CLOCK, window_h=24.0, known_ahead={})
    assert bare[TARGET].isna().all()


def test_every_column_of_the_house_is_explained_once() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    frame = feature_frame(history(), steps=2, clock=CLOCK, window_h=24.0, known_ahead={})
    assert set(frame.columns) <= set(names)
