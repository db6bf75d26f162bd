from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vpp.core.messages import MEMBER, Forecast, Readings
from vpp.core.time import TimeGrid
from vpp.runtime.scoring import score_arrived
from vpp.runtime.setup import Setup
from vpp.store.memory import MemoryStore

START = datetime(2024, 5, 6, 18, tzinfo=UTC)
LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture
def setup(home: Callable[..., Setup]) -> Setup:
    return home()


def measured(setup: Setup, hours: int, value: float = -2.0, *, missing: int | None = None) -> MemoryStore:
    store = MemoryStore()
    grid = TimeGrid(START - timedelta(days=1), 900, (24 + hours) * 4)
    values = np.full((grid.count, 1), value)
    if missing is not None:
        values[missing] = np.nan
    arrived = grid.times_s + 900
    store.write_readings(Readings.from_table("home", setup.power_keys[:1], grid.times_s, values, arrived_s=arrived))
    return store


def forecast_at(setup: Setup, at: datetime, *, resolution_s: int = 3600, model: str = "median") -> Forecast:
    grid = TimeGrid(at.replace(minute=0), resolution_s, 30 * 3600 // resolution_s)
    value = np.full(grid.count, -1.5)
    wide = np.array([-1.0, 0.0, 1.0])[:, None]
    return Forecast("home", setup.power_keys[0], at, grid, value, model, LEVELS, value + wide)


@pytest.mark.parametrize("resolution_s", [900, 1800, 3600])
def test_a_forecast_is_scored_when_its_last_step_has_been_measured(setup: Setup, resolution_s: int) -> None:
    store, keys = measured(setup, 30), setup.power_keys[:1]
    store.write_forecasts([forecast_at(setup, START, resolution_s=resolution_s)])
    assert score_arrived(setup, store, keys, START + timedelta(hours=29)) == []
    (score,) = score_arrived(setup, store, keys, START + timedelta(hours=30))
    assert (score.mae, score.hours, score.coverage_80) == (pytest.approx(0.5), 30, 1.0)
    # 0.1 below by 0.5 inside, 0.5 missed by 0.5, 0.9 by 1.5
    assert score.pinball == pytest.approx((0.1 * 0.5 + 0.5 * 0.5 + 0.1 * 1.5) / 3)
    assert score_arrived(setup, store, keys, START + timedelta(hours=30)) == [], "scored once"
    assert store.scores("home", keys[0], START, START + timedelta(hours=1)) == [score]


def test_a_gap_is_waited_for(setup: Setup) -> None:
    store, keys = measured(setup, 40, missing=24 * 4 + 7), setup.power_keys[:1]
    store.write_forecasts([forecast_at(setup, START)])
    now = START + timedelta(hours=40)
    assert score_arrived(setup, store, keys, now) == []
    late = TimeGrid(START + timedelta(minutes=105), 900, 1)
    store.write_readings(
        Readings.from_table("home", keys, late.times_s, np.full((1, 1), -2.0), arrived_s=int(now.timestamp()))
    )
    assert len(score_arrived(setup, store, keys, now)) == 1


def test_of_many_issues_in_an_hour_the_first_is_scored_and_members_apart(setup: Setup) -> None:
    store, keys = measured(setup, 40), setup.power_keys[:1]
    store.write_forecasts([forecast_at(setup, START + timedelta(minutes=5 * n)) for n in range(14)])
    store.write_forecasts([forecast_at(setup, START, model=name) for name in ("theta", "lear")], product=MEMBER)
    found = score_arrived(setup, store, keys, START + timedelta(hours=40))
    assert [(score.product, score.model) for score in found] == [
        ("rolling", "median"), ("rolling", "median"), ("member", "theta"), ("member", "lear"),
    ]  # fmt: skip
