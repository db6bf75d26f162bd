"""Faults on demand, one by one, and none where none is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import POWER_KW, AckStatus, Command, Readings
from vpp.core.ports import Device
from vpp.core.time import TimeGrid
from vpp.simulation.plant.device import SimulatedPlant
from vpp.simulation.plant.faults import Fault, FaultyDevice

Plants = Callable[..., Plant]
START = datetime(2024, 6, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRID = TimeGrid(START, 3600, 24)
SPAN = {"start": START + 6 * HOUR, "end": START + 12 * HOUR}


@pytest.fixture
def told(plant_of: Plants) -> Callable[..., tuple[Readings | None, Readings]]:
    """Return what a faulty and a sound device tell of the same day."""

    def make(*faults: Fault, seed: int = 1) -> tuple[Readings | None, Readings]:
        sound = SimulatedPlant(plant_of(), GRID, seed=1).poll(START + 24 * HOUR)[0]
        assert sound is not None
        faulty = FaultyDevice(SimulatedPlant(plant_of(), GRID, seed=1), faults, seed=seed)
        assert isinstance(faulty, Device)
        return faulty.poll(START + 24 * HOUR)[0], sound

    return make


def column(readings: Readings, source: str) -> dict[int, float]:
    return {
        int((row.time - START) / HOUR * 60): row.value
        for row in readings.rows()
        if row.key.source == source and row.key.metric == POWER_KW
    }


def test_without_faults_it_is_what_it_was(told: Callable) -> None:
    faulty, sound = told()
    assert np.array_equal(faulty.value, sound.value)


def test_a_dropout_loses_its_span_and_its_source_alone(told: Callable) -> None:
    faulty, sound = told(Fault(kind="dropout", sources=("house",), **SPAN))
    assert sorted(column(faulty, "house")) == [60 * h for h in range(24) if not 6 <= h < 12]
    assert column(faulty, "roof") == column(sound, "roof")


def test_a_stuck_channel_repeats_its_first_value(told: Callable) -> None:
    faulty, sound = told(Fault(kind="stuck", sources=("roof",), **SPAN))
    span = [column(faulty, "roof")[60 * h] for h in range(6, 12)]
    assert span == [column(sound, "roof")[360]] * 6
    assert column(faulty, "roof")[720] == column(sound, "roof")[720]


def test_drift_grows(told: Callable) -> None:
    faulty, sound = told(Fault(kind="drift", sources=("house",), per_hour=0.1, **SPAN))
    ratio = [column(faulty, "house")[60 * h] / column(sound, "house")[60 * h] for h in range(6, 12)]
    assert ratio == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4, 1.5])


def test_a_unit_slips(told: Callable) -> None:
    faulty, sound = told(Fault(kind="unit_slip", sources=("house",), **SPAN))
    assert column(faulty, "house")[360] == pytest.approx(1e3 * column(sound, "house")[360])


def test_a_clock_goes_wrong(told: Callable) -> None:
    faulty, sound = told(Fault(kind="clock_skew", sources=("house",), skew_s=-600, **SPAN))
    assert column(faulty, "house")[350] == column(sound, "house")[360]
    assert 360 not in column(faulty, "house")


def command(hour: int, power_kw: float) -> Command:
    return Command(f"c{hour}", "p", "battery", START, START + hour * HOUR, START + (hour + 1) * HOUR, power_kw)


def test_commands_are_refused_or_half_obeyed(plant_of: Plants) -> None:
    faults = (
        Fault(kind="refuse", start=START, end=START + HOUR),
        Fault(kind="half_obey", start=START + HOUR, end=START + 2 * HOUR),
    )
    device = FaultyDevice(SimulatedPlant(plant_of(), GRID, seed=1), faults, seed=1)
    for hour in range(3):
        device.execute(command(hour, -1.0))
    readings, acks = device.poll(START + 3 * HOUR)
    assert readings is not None
    power = column(readings, "battery")
    assert [power[0], power[60], power[120]] == pytest.approx([0.0, -0.5, -1.0])
    answers = {ack.command_id: ack.status for ack in acks}
    assert answers["c0"] is AckStatus.REFUSED
    assert answers["c2"] is AckStatus.EXECUTED


def test_random_windows_hang_on_the_seed_alone_and_not_on_how_often_one_asks(plant_of: Plants, told: Callable) -> None:
    fault = Fault(kind="dropout", per_day=6.0, mean_h=1.0)
    once, sound = told(fault, seed=4)
    device = FaultyDevice(SimulatedPlant(plant_of(), GRID, seed=1), (fault,), seed=4)
    parts = [device.poll(START + hour * HOUR)[0] for hour in range(1, 25)]
    often = np.concatenate([part.value for part in parts if part is not None])
    assert np.array_equal(once.value, often)
    assert 0 < len(once) < len(sound)
    assert len(told(fault, seed=5)[0]) != len(once)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"kind": "dropot"}, UnknownNameError, "did you mean: dropout"),
        ({"start": START}, InvalidInputError, "a time after start"),
        ({"start": START, "end": START}, InvalidInputError, "a time after start"),
        ({"per_day": -1.0}, InvalidInputError, "0 to 100"),
        ({"per_day": 1.0, **SPAN}, InvalidInputError, "0 where start and end are stated"),
        ({"mean_h": 25.0}, InvalidInputError, "above 0 to 24"),
    ],
)
def test_refusals(change: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Fault(**({"kind": "dropout"} | change))
