"""Nothing looks ahead: the future is shuffled or poisoned after a cut, and nothing decided up to the cut changes.

The loop is run on both worlds up to and including the tick at the cut. Every schedule, command, forecast and position
sold must be the same, bit by bit. The price in an award is left out: the auction states it with the award, an hour
before the plant sees it, and no decision reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.messages import MARKET
from vpp.core.ports import Device, SeriesTable
from vpp.core.time import epoch_s
from vpp.runtime.build import (
    assemble,
    forecast_service,
    market_table,
    planner_of,
    power_table,
    preload,
    price_book,
    read_history,
)
from vpp.runtime.clock import DataClock
from vpp.runtime.loop import Tick
from vpp.runtime.once import plan_once
from vpp.runtime.prices import SPOT
from vpp.runtime.setup import Setup, setup_of
from vpp.simulation.feed import ReplayedFeed
from vpp.simulation.replay import ReplayedPlant
from vpp.store.memory import MemoryStore
from vpp.streams.table import write_table
from vpp.trading.day_ahead import DayAheadAuction

PAST, AHEAD = timedelta(days=16), timedelta(days=3)
BEGIN = {"homes": datetime(2017, 3, 6, 8, tzinfo=UTC), "wholesale": datetime(2016, 10, 28, 22, tzinfo=UTC)}
CUTS_H = {
    "homes": (5, 13, 18, 31),
    # local noon is the gate, 13:00 the publication; the clock goes back an hour on the second day
    "wholesale": (12, 12.5, 14.25, 36.75),
}
HARMS = ("shuffled", "poisoned")


@dataclass(frozen=True, slots=True)
class World:
    """A plant and its record around the window."""

    config: VPPConfig
    setup: Setup
    table: SeriesTable
    begin: datetime


@pytest.fixture(scope="module", params=["homes", "wholesale"])
def world(request: pytest.FixtureRequest) -> World:
    config = VPPConfig.load(request.param)
    setup = replace(setup_of(config), control=True)
    return World(config, setup, part(read_history(config, setup), BEGIN[request.param]), BEGIN[request.param])


@pytest.fixture(scope="module")
def truth(world: World) -> list[Tick]:
    return ticks(world, world.table, cut(world, CUTS_H[world.setup.plant.id][-1]))


def part(table: SeriesTable, begin: datetime) -> SeriesTable:
    rows = slice(table.grid.index(begin - PAST), table.grid.index(begin + AHEAD))
    return SeriesTable(table.grid.part(rows.start, rows.stop), table.keys, table.value[rows])


def cut(world: World, hours: float) -> datetime:
    return world.begin + timedelta(hours=hours)


def harmed(world: World, moment: datetime, harm: str) -> SeriesTable:
    """Return the record with everything that was not known at a moment shuffled or replaced by nonsense."""
    table, rng = world.table, np.random.default_rng(7)
    published = world.setup.calendar.known_until(moment)
    value = table.value.copy()
    for column, key in enumerate(table.keys):
        until = published if key.source == MARKET else moment
        rows = np.flatnonzero(table.grid.times_s >= epoch_s(until)) if until is not None else np.empty(0, dtype=int)
        value[rows, column] = value[rng.permutation(rows), column]
        if harm == "poisoned":
            value[rows, column] = 1.5 * value[rows, column] + 0.4 * np.sign(value[rows, column])
    assert not np.array_equal(value, table.value)
    return SeriesTable(table.grid, table.keys, value)


def ticks(world: World, table: SeriesTable, until: datetime) -> list[Tick]:
    """Run the loop on a record up to and including the tick at ``until``."""
    setup, store = world.setup, MemoryStore()
    preload(setup, store, table, start=table.grid.start, end=world.begin)
    power, market = power_table(setup, table), market_table(table)
    first = table.grid.index(world.begin)
    recorded = SeriesTable(table.grid.part(first, table.grid.count), power.keys, power.value[first:])
    devices: list[Device] = [ReplayedPlant(setup.plant, recorded)]
    auction = None
    if setup.sells_day_ahead:
        devices.append(ReplayedFeed(setup.plant.id, market, setup.calendar.known_until))
        auction = DayAheadAuction(SeriesTable(market.grid, (SPOT,), market.column(SPOT)[:, None]))
    seen: list[Tick] = []
    assembly = assemble(
        setup,
        store,
        devices,
        planner=planner_of("linear", solver_timeout_s=60.0),
        forecasts=forecast_service(setup, store, needs_spot=price_book(setup, store).needs_spot),
        market=auction,
        on_tick=seen.append,
        strict=True,
    )
    assembly.loop.run(DataClock(world.begin), until=until)
    return seen


def plain(value: Any) -> Any:
    """Return a message as plain values that compare bit by bit; what only tells how long solving took is left out."""
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tolist() if value.dtype == object else value.tobytes())
    if is_dataclass(value) and not isinstance(value, type):
        hidden = {"solve_time_s"} | ({"price_per_kwh"} if type(value).__name__ == "Award" else set())
        return tuple(plain(getattr(value, one.name)) for one in fields(value) if one.name not in hidden)
    if isinstance(value, (list, tuple)):
        return tuple(plain(one) for one in value)
    if isinstance(value, dict):
        return tuple((key, plain(one)) for key, one in value.items())
    return value


def decisions(seen: list[Tick]) -> Iterator[tuple[str, Any]]:
    """Yield everything that the ticks decided, named."""
    for tick in seen:
        for name in ("schedule", "commands", "forecasts", "award", "acks"):
            yield f"{name} at {tick.now.isoformat()}", plain(getattr(tick, name))


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("which", range(4))
def test_no_decision_of_the_loop_knows_the_future(world: World, truth: list[Tick], which: int, harm: str) -> None:
    moment = cut(world, CUTS_H[world.setup.plant.id][which])
    seen = ticks(world, harmed(world, moment, harm), moment)
    known = [tick for tick in truth if tick.now <= moment]
    assert len(seen) == len(known) > 1
    for (name, mine), (other_name, other) in zip(decisions(seen), decisions(known), strict=True):
        assert name == other_name
        assert mine == other, name
    assert any(tick.schedule is not None for tick in seen)
    assert any(tick.commands for tick in seen)


def test_the_truth_holds_what_the_cuts_are_about(world: World, truth: list[Tick]) -> None:
    """Guards the tests above: forecasts were issued more than once, and positions sold where the plant sells."""
    assert sum(bool(tick.forecasts) for tick in truth) > 2
    assert any(tick.award is not None for tick in truth) == world.setup.sells_day_ahead


@pytest.mark.parametrize("harm", HARMS)
def test_the_harm_is_felt_after_the_cut(world: World, truth: list[Tick], harm: str) -> None:
    """Guards the tests above: the next ticks do see the harm, so that an unchanged decision says something."""
    hours = CUTS_H[world.setup.plant.id][-1]
    seen = ticks(world, harmed(world, cut(world, hours - 8), harm), cut(world, hours))
    assert [plain(tick.schedule) for tick in seen] != [plain(tick.schedule) for tick in truth]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("gap_steps", [0, 2])
@pytest.mark.parametrize("hours", [6.0, 13.25])
def test_a_single_plan_does_not_know_the_rest_of_its_file(
    world: World, tmp_path: Path, hours: float, gap_steps: int, harm: str
) -> None:
    """Nor does a gap that is open at the decision get bridged with what was measured after it."""
    at = cut(world, hours) if world.setup.resolution_s == 900 else cut(world, int(hours))
    first = world.table.grid.index(at)
    measured = [key.source != MARKET for key in world.table.keys]
    documents = []
    for name, table in (("truth", world.table), ("harm", harmed(world, at, harm))):
        path = tmp_path / f"{name}.parquet"
        value = table.value.copy()
        value[first - gap_steps : first, measured] = np.nan
        write_table(path, replace(table, value=value), world.setup.plant)
        planned = plan_once(world.config, path, at=at, horizon=timedelta(hours=24))
        documents.append(plain((planned.schedule, planned.problem, planned.forecasts)))
    assert documents[0] == documents[1]
