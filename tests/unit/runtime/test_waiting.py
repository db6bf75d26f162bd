"""A plant that was never measured waits for its first readings, and says so once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from vpp.config import VPPConfig
from vpp.core.messages import Reading, Readings, SeriesKey
from vpp.runtime.live import start_live
from vpp.store.memory import MemoryStore

NOW = datetime(2024, 5, 7, tzinfo=UTC)
STEP = timedelta(minutes=15)


def test_no_plan_is_made_of_nothing(config_of: Callable[..., VPPConfig]) -> None:
    live = start_live(config_of(), MemoryStore())
    for step in range(3):
        tick = live.assembly.loop.tick(NOW + step * STEP)
        assert tick.schedule is None
        assert tick.commands == []
    (event,) = live.store.events("home")
    assert event.kind == "waiting"
    assert "has never been measured" in event.message


def test_it_plans_once_it_was_measured(config_of: Callable[..., VPPConfig]) -> None:
    live = start_live(config_of(), MemoryStore())
    live.assembly.loop.tick(NOW)
    plant = live.setup.plant.id
    begin = NOW - timedelta(hours=24)
    rows = [
        Reading(
            plant, SeriesKey(asset.id, "power_kw"), begin + i * STEP, -0.5 if asset.kind == "load" else 0.5, NOW, NOW
        )
        for asset in live.setup.uncontrolled
        for i in range(96)
    ]
    live.store.write_readings(Readings.of(rows))
    tick = live.assembly.loop.tick(NOW + STEP)
    assert tick.schedule is not None, "the first measurement waited for the cadence of forecasts"
    assert tick.schedule.usable
    assert live.assembly.loop.waiting is None
