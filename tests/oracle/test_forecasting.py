"""Forecasting against others: mlforecast's own recursion, and a slow, obvious mean by wall clock."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.series import align
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.hour_of_week import HourOfWeekMean
from vpp.forecasting.models.trees import MEMBER, TreeForecaster, training_frame
from vpp.forecasting.repair import fill
from vpp.forecasting.tables import part

ZONE = ZoneInfo("America/Los_Angeles")


def homes(days: int) -> tuple[SeriesTable, tuple[SeriesProfile, ...]]:
    """Load and PV of three homes, across the clock change of November 2016."""
    names = [f"home{home}_{what}_kw" for home in ("01", "04", "17") for what in ("load", "pv")]
    with files("vpp.config").joinpath("plants/homes/history.parquet").open("rb") as file:
        frame = pd.read_parquet(file, columns=["time", *names]).iloc[1200 : 1200 + 24 * days]
    times_s = frame["time"].dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    grid = TimeGrid(from_epoch_s(int(times_s[0])), 3600, 24 * days)
    profiles = tuple(
        SeriesProfile.load(name[:11].replace("_", "-"))
        if "load" in name
        else SeriesProfile.solar(name[:9].replace("_", "-"))
        for name in names
    )
    columns = [
        align(times_s, profile.direction * frame[name].to_numpy(dtype=np.float64), grid)
        for profile, name in zip(profiles, names, strict=True)
    ]
    return SeriesTable(grid, tuple(profile.key for profile in profiles), np.column_stack(columns)), profiles


def fit_homes() -> tuple[TreeForecaster, SeriesTable]:
    history, profiles = homes(70)
    trees = TreeForecaster(profiles, LocalClock(ZONE), ForecastSettings())
    trees.fit(part(history, 0, 60 * 24))
    return trees, history


@pytest.fixture(scope="module")
def fitted() -> tuple[TreeForecaster, SeriesTable]:
    return fit_homes()


@pytest.mark.parametrize("origin", [60 * 24, 61 * 24 + 5, 66 * 24 + 18])
def test_recursion_equals_mlforecast(fitted, origin):
    trees, history = fitted
    said = trees.predict(part(history, 0, origin), 42)
    assert len(trees.models) == 2
    for model in trees.models:
        filled, _ = fill(history.value[:origin], steps_per_day=24)
        scaled = (filled / trees._scale)[:, model.columns]
        frame = training_frame(history.grid.part(0, origin), scaled, np.isfinite(scaled)).drop(columns="weight")
        oracle = model.fitted.predict(42, new_df=frame)[MEMBER].to_numpy().reshape(-1, 42).T
        assert said[:, model.columns] / trees._scale[model.columns] == pytest.approx(oracle, abs=1e-9)


def test_recursion_equals_mlforecast_right_after_the_fit():
    # Fitted anew: mlforecast's predict keeps the new_df it was last given.
    trees, history = fit_homes()
    said = trees.predict(part(history, 0, 60 * 24), 24)
    for model in trees.models:
        oracle = model.fitted.predict(24)[MEMBER].to_numpy().reshape(-1, 24).T
        assert said[:, model.columns] / trees._scale[model.columns] == pytest.approx(oracle, abs=1e-9)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("end", [datetime(2016, 11, 7, tzinfo=UTC), datetime(2017, 4, 2, 18, tzinfo=UTC)])
def test_hour_of_week_equals_the_slow_mean(zone, end):
    generator = np.random.default_rng(5)
    count, steps, resolution_s = 4 * 7 * 48, 100, 1800
    grid = TimeGrid(end - timedelta(seconds=count * resolution_s), resolution_s, count)
    value = generator.normal(size=(count, 1))
    value[generator.random(count) < 0.2] = np.nan
    profile = SeriesProfile.price()
    said = HourOfWeekMean((profile,), LocalClock(ZoneInfo(zone))).predict(
        SeriesTable(grid, (profile.key,), value), steps
    )
    past = [time.astimezone(ZoneInfo(zone)) for time in grid]
    for i, time in enumerate(TimeGrid(grid.end, resolution_s, steps)):
        local = time.astimezone(ZoneInfo(zone))
        same = [
            float(value[j, 0])
            for j, then in enumerate(past)
            if (then.weekday(), then.hour, then.minute) == (local.weekday(), local.hour, local.minute)
            and np.isfinite(value[j, 0])
        ]
        assert said[i, 0] == pytest.approx(np.mean(same))
