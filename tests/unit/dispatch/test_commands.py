"""Commands: one per battery and step, with its expiry, and curtailment only where the site cannot do it by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from vpp.core.assets import Battery, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.messages import Command, PlanStatus, Schedule
from vpp.core.time import TimeGrid
from vpp.dispatch.commands import commands_for_step
from vpp.dispatch.following import MeterStep

START = datetime(2016, 8, 1, tzinfo=UTC)
NOW = START + timedelta(minutes=15)
GRID = TimeGrid(START, 900, 2)


def battery(name: str) -> Battery:
    return Battery(id=name, capacity_kwh=6.4, charge_max_kw=5.0, discharge_max_kw=5.0)


PLANT = Plant(
    id="p",
    name="P",
    timezone="UTC",
    currency="EUR",
    sites=(
        Site(
            id="home",
            assets=(
                battery("b1"),
                SolarArray(id="roof", peak_kw=4.0, curtailable=True),
                SolarArray(id="shed", peak_kw=1.0),
                WindTurbine(id="mill", rated_kw=9.0, curtailable=True),
                Load(id="load"),
            ),
        ),
        Site(id="farm", assets=(battery("b2"), SolarArray(id="field", peak_kw=7.0, curtailable=True))),
    ),
)


def schedule(
    power: tuple[float, float] = (1.0, -2.0), value: tuple[float, float] = (0.2, 0.2),
    grid: tuple[float, float] = (0.0, 0.0), curtailed: tuple[float, float] = (0.0, 0.0),
) -> Schedule:  # fmt: skip
    def last(numbers: tuple[float, float]) -> np.ndarray:
        return np.array([[99.0, 99.0], numbers])

    meters = np.array(grid)
    return Schedule(
        plant="p", issued_at=START, grid=GRID, status=PlanStatus.OPTIMAL, objective=0.0, parts={},
        asset_ids=("b1", "b2"), site_ids=("home", "farm"), asset_site=(0, 1), power_kw=last(power),
        soc=np.full((2, 2), 0.5), import_kw=last(tuple(np.maximum(-meters, 0.0))),
        export_kw=last(tuple(np.maximum(meters, 0.0))), curtailed_kw=last(curtailed),
        marginal_value_per_kwh=last(value), energy_price_per_kwh=np.full((2, 2), np.nan),
        code=np.zeros((2, 2), dtype=np.int64), limit=np.full((2, 2), "none", dtype=object), method="test",
    )  # fmt: skip


def issued(dear: float = 0.5, cheap: float = 0.05, **plan: Any) -> dict[str, Command]:
    made = schedule(**plan)
    meters = [
        MeterStep(grid_kw=kw, import_price_per_kwh=dear, export_price_per_kwh=cheap)
        for kw in plan.get("grid", (0.0, 0.0))
    ]
    commands = commands_for_step(made, 1, plant=PLANT, issued_at=NOW, meters=meters)
    assert len({command.id for command in commands}) == len(commands)
    return {command.asset_id: command for command in commands}


def test_a_command_carries_its_asset_its_step_and_its_expiry() -> None:
    commands = issued()
    assert list(commands) == ["b1", "b2"]
    for name, power_kw in (("b1", 1.0), ("b2", -2.0)):
        command = commands[name]
        assert command.id == f"{name}-{int(NOW.timestamp())}"
        assert (command.plant, command.asset_id, command.power_kw) == ("p", name, power_kw)
        assert (command.issued_at, command.start, command.end) == (NOW, NOW, START + timedelta(minutes=30))


def test_ids_differ_between_steps_and_repeat_for_the_same() -> None:
    meters = [MeterStep(grid_kw=0.0, import_price_per_kwh=0.5, export_price_per_kwh=0.05)] * 2
    by_step = [
        {c.id for c in commands_for_step(schedule(), step, plant=PLANT, issued_at=NOW, meters=meters)}
        for step in (0, 1, 1)
    ]
    assert by_step[0].isdisjoint(by_step[1])
    assert by_step[1] == by_step[2]


@pytest.mark.parametrize(
    ("value", "floor", "ceiling"),
    [(0.2, 0.0, 0.0), (0.6, None, 0.0), (0.0, 0.0, None), (float("nan"), 0.0, 0.0)],
    ids=["worth following", "dear to give up", "worth nothing", "by rule"],
)
def test_following_is_decided_by_the_value(value: float, floor: float | None, ceiling: float | None) -> None:
    command = issued(value=(value, 0.2))["b1"]
    assert (command.grid_floor_kw, command.grid_ceiling_kw) == (floor, ceiling)


def test_each_battery_looks_at_the_meter_of_its_own_site() -> None:
    commands = issued(power=(1.0, 1.0), grid=(0.0, 3.0), cheap=0.4)
    assert commands["b1"].grid_floor_kw == 0.0
    assert commands["b2"].grid_floor_kw == 3.0


@pytest.mark.parametrize(
    ("grid", "curtailed", "power_kw", "ceiling"),
    [
        (-2.0, 1.0, {"roof": 4.0, "mill": 9.0}, -2.0),  # the site goes on drawing what it is paid to draw
        (0.0, 1.0, {"roof": 4.0, "mill": 9.0}, 0.0),  # kept from feeding in
        (3.0, 1.0, {"roof": 4.0, "mill": 9.0}, 3.0),  # kept from feeding in more than planned
        (0.0, 0.0, {}, None),
        (-2.0, 0.0, {}, None),
    ],
)
def test_curtailment(grid: float, curtailed: float, power_kw: dict[str, float], ceiling: float | None) -> None:
    commands = issued(grid=(grid, 0.0), curtailed=(curtailed, 0.0))
    generators = {name: command for name, command in commands.items() if name not in ("b1", "b2")}
    assert {name: command.power_kw for name, command in generators.items()} == power_kw
    for command in generators.values():
        assert (command.grid_floor_kw, command.grid_ceiling_kw) == (None, ceiling)
        assert (command.start, command.end) == (NOW, NOW + timedelta(minutes=15))


def test_only_the_generators_of_the_site_that_leaves_something_unused() -> None:
    assert set(issued(curtailed=(0.0, 2.0))) == {"b1", "b2", "field"}
