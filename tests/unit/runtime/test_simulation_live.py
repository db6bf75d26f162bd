"""A plant without any measurement runs on a simulated world: it learns, plans, commands and is answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from vpp.config import VPPConfig
from vpp.core.messages import AckStatus
from vpp.runtime.simulation_live import start_simulated
from vpp.simulation.plant.faults import Fault
from vpp.store.memory import MemoryStore

START = datetime(2024, 6, 3, tzinfo=UTC)


def test_it_plans_and_is_obeyed(config_of: Callable[..., VPPConfig]) -> None:
    config = config_of(planning={"resolution": "1h", "horizon": "24h", "plan_every": "1h"})
    live = start_simulated(config, MemoryStore(), start=START, seed=3, days=1)
    first = live.assembly.loop.tick(START)
    assert first.schedule is not None
    assert first.schedule.usable
    assert first.commands
    second = live.assembly.loop.tick(START + timedelta(hours=1))
    assert {ack.status for ack in second.acks} <= {AckStatus.EXECUTED, AckStatus.LIMITED}
    assert second.acks
    # what it tells of the present is what the table of its world holds
    key = live.setup.power_keys[0]
    told = live.store.readings("home", (key,), START, START + timedelta(hours=1)).value
    assert told.size == 1
    assert told[0] < 0.0
    span = live.store.span("home")
    assert span is not None
    assert span[0] == START - timedelta(days=14)


def test_a_plant_with_faults_is_run_on(config_of: Callable[..., VPPConfig]) -> None:
    config = config_of(planning={"resolution": "1h", "horizon": "24h", "plan_every": "1h"})
    faults = (
        Fault(kind="dropout", sources=("load",), start=START, end=START + timedelta(hours=2)),
        Fault(kind="refuse", start=START, end=START + timedelta(hours=1)),
    )
    live = start_simulated(config, MemoryStore(), start=START, seed=3, days=1, faults=faults)
    assert live.assembly.loop.tick(START).commands
    second = live.assembly.loop.tick(START + timedelta(hours=1))
    assert second.schedule is not None
    assert second.schedule.usable
    assert {ack.status for ack in second.acks} == {AckStatus.REFUSED}
    keys = [key for key in live.setup.power_keys if key.source == "load"]
    assert len(live.store.readings("home", keys, START, START + timedelta(hours=1))) == 0


def test_its_world_hangs_on_the_seed(config_of: Callable[..., VPPConfig]) -> None:
    def told(seed: int) -> list[float]:
        live = start_simulated(config_of(), MemoryStore(), start=START, seed=seed, days=1)
        readings = live.store.readings("home", live.setup.power_keys, START - timedelta(days=1), START)
        return readings.value.tolist()

    assert told(1) == told(1) != told(2)


def test_it_needs_a_day(config_of: Callable[..., VPPConfig]) -> None:
    with pytest.raises(ValueError, match="a time from"):
        start_simulated(config_of(), MemoryStore(), start=START, days=0)
