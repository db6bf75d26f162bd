"""The simulated plant as a device: the port of a real one, the physics of the columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vpp.core.assets import Battery, GridConnection, Load, Plant, SolarArray
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, AckStatus, Command, Readings
from vpp.core.ports import Device, SeriesTable
from vpp.core.time import TimeGrid
from vpp.simulation.plant import simulate
from vpp.simulation.plant.device import SimulatedPlant
from vpp.simulation.replay import ReplayedPlant

Plants = Callable[..., Plant]
START = datetime(2024, 6, 3, tzinfo=UTC)
STEP = timedelta(minutes=15)
GRID = TimeGrid(START, 900, 96)


def command(step: int, power_kw: float, *, asset: str = "battery", **rest: object) -> Command:
    start = START + step * STEP
    return Command(f"{asset}-{step}", "p", asset, START, start, start + STEP, power_kw, **rest)


def value(readings: Readings | None, source: str, metric: str = POWER_KW, step: int = 0) -> float:
    assert readings is not None
    at = START + step * STEP
    return next(
        row.value for row in readings.rows() if (row.key.source, row.key.metric, row.time) == (source, metric, at)
    )


def test_it_is_a_device_and_reports_a_step_after_it_ended(plant_of: Plants) -> None:
    device = SimulatedPlant(plant_of(), GRID, seed=1)
    assert isinstance(device, Device)
    assert device.poll(START + STEP - timedelta(seconds=1)) == (None, [])
    readings, acks = device.poll(START + 2 * STEP)
    assert readings is not None
    assert len(readings) == 2 * len(readings.keys)
    assert list(acks) == []
    assert device.poll(START + 2 * STEP) == (None, [])


def test_commands_are_executed_and_answered(plant_of: Plants) -> None:
    device = SimulatedPlant(plant_of(connection=GridConnection()), GRID, seed=1)
    for one in (command(0, -2.0), command(1, 99.0), command(0, 0.0, asset="house"), command(48, 0.25, asset="roof")):
        device.execute(one)
    readings, acks = device.poll(START + 96 * STEP)
    assert value(readings, "battery") == pytest.approx(-2.0)
    assert value(readings, "battery", step=1) == pytest.approx(4.0)
    assert value(readings, "roof", step=48) <= 0.25
    answers = {ack.command_id: ack.status for ack in acks}
    assert answers == {
        "battery-0": AckStatus.EXECUTED,
        "battery-1": AckStatus.LIMITED,
        "house-0": AckStatus.REFUSED,
        "roof-48": AckStatus.EXECUTED,
    }


def test_meters_balance_under_commands(plant_of: Plants) -> None:
    device = SimulatedPlant(plant_of(), GRID, seed=1)
    for step in range(96):
        device.execute(command(step, 3.0 if step % 2 else -3.0, grid_ceiling_kw=0.0, may_reverse=True))
    readings, _ = device.poll(START + 96 * STEP)
    names = ("house", "roof", "mill", "car", "heat", "washer", "battery")
    power: dict[str, list[float]] = {name: [] for name in (*names, "home")}
    for row in readings.rows():
        if row.key.metric == POWER_KW:
            power[row.key.source].append(row.value)
    np.testing.assert_allclose(power["home"], sum(np.array(power[name]) for name in names), atol=1e-9)


def test_reset_begins_anew_and_the_seed_decides(plant_of: Plants) -> None:
    device = SimulatedPlant(plant_of(), GRID, seed=1)
    device.execute(command(0, -4.0))
    first = device.step().readings.value
    device.reset(1)
    assert device.now == START
    assert not np.array_equal(device.step().readings.value, first)  # the command went with the reset
    device.reset(1)
    device.execute(command(0, -4.0))
    assert np.array_equal(device.step().readings.value, first)
    device.reset(2)
    assert not np.array_equal(device.step().readings.value, first)


def test_it_ends_with_its_grid(plant_of: Plants) -> None:
    device = SimulatedPlant(plant_of(), TimeGrid(START, 900, 2), seed=1)
    device.step()
    device.step()
    assert device.ended
    with pytest.raises(InvalidInputError, match="one of 2 steps"):
        device.step()


def test_time_may_pass_unobserved(plant_of: Plants) -> None:
    device = SimulatedPlant(plant_of(), GRID, seed=1)
    device.skip_to(START + 50 * STEP)
    assert device.now == START + 50 * STEP
    told, _ = device.poll(START + 51 * STEP)
    whole, _ = SimulatedPlant(plant_of(), GRID, seed=1).poll(START + 96 * STEP)
    assert value(told, "roof", step=50) == value(whole, "roof", step=50)
    assert value(told, "battery", SOC, step=50) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(InvalidInputError, match="or later"):
        device.skip_to(START)


def test_set_points_do_the_same_as_in_columns_and_in_a_replay(plant_of: Plants) -> None:
    plant = plant_of(
        Load(id="house"),
        SolarArray(id="roof", peak_kw=6.0),
        Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=4.0),
        connection=GridConnection(),
    )
    points = np.random.default_rng(3).uniform(-6.0, 6.0, 96)
    run = simulate(plant, START, START + 96 * STEP, 900, seed=1, set_points_kw={"battery": points})
    table = run.table(batteries=False)
    keys = tuple(key for key in table.keys if key.source in ("house", "roof"))
    recorded = SeriesTable(GRID, keys, np.column_stack([table.column(key) for key in keys]))
    for device in (SimulatedPlant(plant, GRID, seed=1), ReplayedPlant(plant, recorded)):
        for step, power in enumerate(points):
            device.execute(command(step, float(power)))
        readings, _ = device.poll(START + 96 * STEP)
        told = [value(readings, "home", step=step) for step in range(96)]
        np.testing.assert_allclose(told, run.sites["home"].grid_kw, atol=1e-9)


def test_a_physical_battery_obeys_too(plant_of: Plants) -> None:
    cells = Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, model="physical")
    device = SimulatedPlant(plant_of(Load(id="house"), cells), TimeGrid(START, 900, 4), seed=1)
    device.execute(command(0, 2.0))
    told = device.step().readings
    assert value(told, "battery") == pytest.approx(2.0)
    assert 0.4 < value(told, "battery", SOC) < 0.5
