"""Coarse runs: clock hours from quarters, wall clocks across their changes, and what is published."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile
from vpp.forecasting.models.hourly import answer, coarse_steps, runs
from vpp.forecasting.needs import ModelContext

LOAD, SUN = SeriesProfile.load("house"), SeriesProfile.solar("roof")


def context(*profiles: SeriesProfile) -> ModelContext:
    return ModelContext.of(profiles, ZoneInfo("Europe/Amsterdam"))


def past(end: datetime, count: int, resolution_s: int, *columns: np.ndarray, keys=(LOAD.key,)) -> SeriesTable:
    grid = TimeGrid(end - timedelta(seconds=count * resolution_s), resolution_s, count)
    return SeriesTable(grid, keys, np.column_stack(columns))


@pytest.mark.parametrize("resolution_s", [300, 900, 1080, 1800, 3600, 7200, 86400])
def test_coarse_steps_divide_the_day(resolution_s):
    step_s = coarse_steps(resolution_s) * resolution_s
    assert 86_400 % step_s == 0
    assert step_s <= max(3600, resolution_s)


def test_hours_stand_on_the_clock_whatever_the_moment():
    end = datetime(2024, 6, 20, 16, 45, tzinfo=UTC)
    values = np.arange(4 * 24 * 3 + 3, dtype=np.float64)
    table = past(end, values.size, 900, values, keys=(SUN.key,))
    (run,), shape = runs(context(SUN), table, np.array([0]), steps=5, days=2)
    # Three quarters of the hour from 16:00 have passed; one is still to come.
    assert run.wanted.tolist() == [0, 1, 1, 1, 1]
    assert run.last_row * 3600 == int(datetime(2024, 6, 20, 16, tzinfo=UTC).timestamp())
    assert np.diff(run.values[-5:-1, 0]) == pytest.approx([4.0, 4.0, 4.0])
    # Within each hour of this ramp the quarters rise by one.
    assert shape[1:, 0] == pytest.approx([-1.5, -0.5, 0.5, 1.5])


def test_the_repeated_hour_and_the_skipped_one_keep_the_wall_clock():
    for end, jump in ((datetime(2024, 10, 28, 5, tzinfo=UTC), 1), (datetime(2024, 4, 1, 5, tzinfo=UTC), -1)):
        grid = TimeGrid(end - timedelta(hours=120), 3600, 120)
        made = context(LOAD)
        wall = made.clock.hour_of_day(grid.times_s)
        table = SeriesTable(grid, (LOAD.key,), -wall[:, None])
        (run,), _ = runs(made, table, np.array([0]), steps=3, days=5)
        assert len(run.values) == 120 - max(jump, 0)
        hours = (run.last_row - np.arange(len(run.values))[::-1]) % 24
        assert run.values[:, 0] == pytest.approx(-hours.astype(np.float64), abs=0.51 if jump < 0 else 1e-9)
        assert run.wanted.tolist() == [1, 2, 3]


def test_steps_ahead_jump_with_the_clock():
    # 27 October 2024, 00:00 UTC: the wall says 02:00, an hour later it says 02:00 again.
    end = datetime(2024, 10, 27, 0, tzinfo=UTC)
    (run,), _ = runs(context(LOAD), past(end, 72, 3600, -np.ones(72)), np.array([0]), steps=4, days=3)
    assert run.wanted.tolist() == [1, 1, 2, 3]
    # 31 March 2024: after 01:00 comes 03:00.
    end = datetime(2024, 3, 31, 0, tzinfo=UTC)
    (run,), _ = runs(context(LOAD), past(end, 72, 3600, -np.ones(72)), np.array([0]), steps=3, days=3)
    assert run.wanted.tolist() == [1, 3, 4]


def test_what_is_published_is_continued_from_its_end():
    def follow(run, steps):
        return run.values[-1] - np.arange(1, steps + 1)[:, None]

    table = past(datetime(2024, 6, 20, tzinfo=UTC), 72, 3600, -np.ones(72), -np.ones(72), keys=(LOAD.key, SUN.key))
    ahead = np.full((6, 2), np.nan)
    ahead[:2, 0] = -5.0
    said = answer(context(LOAD, SUN), table, 6, follow, days=3, ahead=ahead)
    assert said[:, 0].tolist() == [-5.0, -5.0, -6.0, -7.0, -8.0, -9.0]
    assert said[:, 1].tolist() == [-2.0, -3.0, -4.0, -5.0, -6.0, -7.0]
    ahead[:, 0] = -5.0
    assert answer(context(LOAD, SUN), table, 6, follow, days=3, ahead=ahead)[:, 0].tolist() == [-5.0] * 6


def test_series_of_unlike_age_are_apart():
    values = -np.ones((240, 3))
    values[:200, 1] = np.nan
    values[:, 2] = np.nan
    keys = tuple(SeriesProfile.load(f"h{k}") for k in range(3))
    grid = TimeGrid(datetime(2024, 6, 10, tzinfo=UTC), 3600, 240)
    table = SeriesTable(grid, tuple(profile.key for profile in keys), values)
    (run,), _ = runs(context(*keys), table, np.arange(3), steps=1, days=10)
    parts = run.parts((1, 5, 9), apart=np.zeros(3, dtype=bool))
    assert [(places.tolist(), len(part.values)) for places, part in parts] == [([1], 24), ([0], 216)]
