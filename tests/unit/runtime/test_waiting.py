"""A plant that was never measured waits for its first readings, and says so once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from vpp.config import VPPConfig
from vpp.core.messages import AckStatus, Reading, Readings, SeriesKey
from vpp.runtime.live import LivePlant, start_live
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
    _measure(live)
    tick = live.assembly.loop.tick(NOW + STEP)
    assert tick.schedule is not None, "the first measurement waited for the cadence of forecasts"
    assert tick.schedule.usable
    assert live.assembly.loop.waiting is None


@pytest.mark.parametrize("control", [True, False])
def test_commands_that_no_device_takes_are_kept_and_expire(config_of: Callable[..., VPPConfig], control: bool) -> None:
    live = start_live(config_of(control=control), MemoryStore())
    _measure(live)
    loop = live.assembly.loop
    commands = loop.tick(NOW + STEP).commands
    kept = live.store.commands("home", NOW, NOW + 2 * STEP)
    assert list(kept) == commands
    assert bool(commands) is control, "advice only sends nothing"
    loop.tick(NOW + 2 * STEP)
    acks = loop.tick(NOW + 3 * STEP).acks
    assert {ack.command_id for ack in acks} == {command.id for command in commands}
    assert all(ack.status is AckStatus.EXPIRED for ack in acks)


def _measure(live: LivePlant) -> None:
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
