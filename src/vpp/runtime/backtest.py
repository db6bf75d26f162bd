"""Back-test: the loop on recorded data, once per strategy, and the money each would have cost.

Every strategy runs the same loop over the same recorded world; only the planner differs. Forecasts are made once, by
the product's own run, and shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.ports import Device, Market, Planner, SeriesTable, Store
from vpp.core.series import fill_short_gaps
from vpp.core.time import TimeGrid, local_midnight
from vpp.core.units import SECONDS_PER_DAY
from vpp.optimization.problem import PlanProblem
from vpp.runtime.build import (
    HISTORY_S,
    Assembly,
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
from vpp.runtime.forecasts import ForecastSource, StoredForecasts
from vpp.runtime.loop import Tick
from vpp.runtime.money import statement_of
from vpp.runtime.planning import ProblemBuilder
from vpp.runtime.prices import SPOT, PriceBook
from vpp.runtime.setup import Setup, setup_of
from vpp.runtime.strategies import DAY, STRATEGIES, FixedPlanner, Measured, YesterdayPlanner
from vpp.simulation.feed import ReplayedFeed
from vpp.simulation.replay import ReplayedPlant
from vpp.store.memory import MemoryStore
from vpp.trading.day_ahead import DayAheadAuction
from vpp.trading.settlement import Statement, share_of_perfect_foresight

Floats = NDArray[np.float64]
Issues = list[tuple[datetime, list[Forecast]]]
Progress = Callable[[str, float], None]
_KEPT = 8
"""Schedules and forecasts that a back-test's store keeps; no one looks further back."""


@dataclass(frozen=True, slots=True)
class StrategyResult:
    """One strategy over the window.

    Parameters
    ----------
    name : str
        Strategy.
    statement : Statement
        Its money.
    share : float or None
        Share of perfect foresight, None with ``share_reason``.
    series : mapping of str to float array, shape (T,)
        Plant totals for plots: ``battery_kw``, ``grid_kw``, ``soc``.
    plans : mapping of str to int
        How many plans came about with each status.
    """

    name: str
    statement: Statement
    share: float | None
    share_reason: str | None
    series: Mapping[str, Floats]
    plans: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """A back-test: its window, its outside world, and every strategy.

    Parameters
    ----------
    grid : TimeGrid
        The T steps of the window.
    world : mapping of str to float array, shape (T,)
        ``load_kw``, ``solar_kw``, ``wind_kw`` (magnitudes) and the two prices.
    strategies : mapping of str to StrategyResult
        In the order of ``STRATEGIES``.
    """

    plant: str
    name: str
    currency: str
    grid: TimeGrid
    world: Mapping[str, Floats]
    strategies: Mapping[str, StrategyResult]


@dataclass(slots=True)
class _World:
    """What happened, whatever was planned."""

    setup: Setup
    table: SeriesTable
    grid: TimeGrid
    issues: Issues = field(default_factory=list)

    @property
    def recorded(self) -> SeriesTable:
        """Powers of the window."""
        power = power_table(self.setup, self.table)
        first = power.grid.index(self.grid.start)
        rows = slice(first, first + self.grid.count)
        return SeriesTable(self.grid, power.keys, power.value[rows])


def backtest(
    config: VPPConfig,
    *,
    days: int = 14,
    start: datetime | None = None,
    table: SeriesTable | None = None,
    strategies: tuple[str, ...] = STRATEGIES,
    progress: Progress = lambda _label, _share: None,
) -> BacktestResult:
    """Run strategies over a window of recorded data.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file.
    days : int
        Length of the window in local days, 1 or more.
    start : datetime, optional
        First step; by default the window ends with the last whole local day of the data.
    table : SeriesTable, optional
        Recorded readings; by default the history that the plant file names.
    strategies : tuple of str
        Which to run; ``no_battery`` and ``perfect_foresight`` are needed for shares.
    progress : callable, optional
        Told (strategy, share done 0-1).

    Returns
    -------
    BacktestResult

    Raises
    ------
    InvalidInputError
        When the window does not lie in the data.
    MissingDataError
        When an asset or a price has no data.
    """
    setup = replace(setup_of(config), control=True)
    data = read_history(config, setup) if table is None else table
    setup = _at_resolution(setup, data)
    world = _World(setup, data, _window(setup, data, days, start))
    order = sorted(strategies, key=lambda name: name != "plan")
    runs = {name: _run(name, world, progress) for name in order}
    statements = {name: run[0] for name, run in runs.items()}
    results = {}
    for name in STRATEGIES:
        if name in runs:
            share, reason = _share(name, statements)
            results[name] = StrategyResult(name, statements[name], share, reason, runs[name][1], runs[name][2])
    return BacktestResult(
        setup.plant.id, setup.plant.name, setup.plant.currency, world.grid, _world_series(world), results
    )


def _share(name: str, statements: Mapping[str, Statement]) -> tuple[float | None, str | None]:
    if not {"no_battery", "perfect_foresight"} <= statements.keys():
        return None, "no_battery and perfect_foresight were not both run"
    return share_of_perfect_foresight(
        statements[name].cost,
        no_control_cost=statements["no_battery"].cost,
        perfect_cost=statements["perfect_foresight"].cost,
    )


def _at_resolution(setup: Setup, table: SeriesTable) -> Setup:
    """Return the setup at the data's resolution, which the plant file may leave to them."""
    resolution_s = table.grid.resolution_s
    if resolution_s == setup.resolution_s:
        return setup
    return replace(
        setup,
        resolution_s=resolution_s,
        plan_every_s=max(resolution_s, setup.plan_every_s // resolution_s * resolution_s),
    )


def _window(setup: Setup, table: SeriesTable, days: int, start: datetime | None) -> TimeGrid:
    if days < 1:
        raise InvalidInputError("days", days, "1 or more")
    if start is None:
        end = local_midnight(table.grid.end, setup.timezone)
        start = local_midnight(end, setup.timezone, days=-days)
    else:
        end = start + days * DAY
    if start < table.grid.start or end > table.grid.end:
        raise InvalidInputError(
            "start, days",
            f"{start.isoformat()}, {days}",
            f"a window inside the data, {table.grid.start.isoformat()} to {table.grid.end.isoformat()}",
        )
    return TimeGrid.between(start, end, setup.resolution_s)


def _run(name: str, world: _World, progress: Progress) -> tuple[Statement, Mapping[str, Floats], Mapping[str, int]]:
    setup, grid = world.setup, world.grid
    store = MemoryStore(keep=_KEPT)
    history_start = max(world.table.grid.start, grid.start - timedelta(seconds=HISTORY_S))
    preload(setup, store, world.table, start=history_start, end=grid.start)
    market = market_table(world.table)
    device = ReplayedPlant(setup.plant, world.recorded)
    devices: list[Device] = [device]
    if market.keys:
        devices.append(ReplayedFeed(setup.plant.id, market, setup.calendar.known_until))
    plans: Counter[str] = Counter()
    assembly = assemble(
        setup,
        store,
        devices,
        planner=_planner(name, world),
        forecasts=_forecasts(name, world, store),
        market=_auction(setup, market),
        plan_every_s=SECONDS_PER_DAY if name in ("yesterday", "perfect_foresight") else None,
        follow_meter=name in ("plan", "rule"),
        on_tick=_observer(name, world, progress, plans),
        strict=True,
    )
    assembly.loop.run(DataClock(grid.start), until=grid.end - timedelta(seconds=grid.resolution_s))
    assembly.loop.dispatch.take(assembly.ingest.run(grid.end), grid.end)
    progress(name, 1.0)
    return _statement(assembly, setup, grid), _totals(setup, store, grid), plans


def _observer(name: str, world: _World, progress: Progress, plans: Counter[str]) -> Callable[[Tick], None]:
    def observe(tick: Tick) -> None:
        if name == "plan" and tick.forecasts:
            bare = [replace(forecast, levels=(), quantiles=np.empty((0, 0))) for forecast in tick.forecasts]
            world.issues.append((tick.now, bare))
        if tick.schedule is not None:
            plans[str(tick.schedule.status)] += 1
        elapsed = (tick.now - world.grid.start) / (world.grid.end - world.grid.start)
        progress(name, elapsed)

    return observe


def _forecasts(name: str, world: _World, store: Store) -> ForecastSource:
    if name == "plan" or not world.issues:
        needs_spot = price_book(world.setup, store).needs_spot
        return forecast_service(world.setup, store, needs_spot=needs_spot)
    return StoredForecasts(world.issues)


def _auction(setup: Setup, market: SeriesTable) -> Market | None:
    if not setup.sells_day_ahead:
        return None
    if SPOT not in market.keys:
        raise MissingDataError("a plant that sells day-ahead needs the column price_per_kwh")
    return DayAheadAuction(SeriesTable(market.grid, (SPOT,), market.column(SPOT)[:, None]))


def _planner(name: str, world: _World) -> Planner[PlanProblem]:
    setup = world.setup
    if name in ("no_battery", "rule"):
        return planner_of(name)
    if name == "plan":
        return planner_of(setup.strategy, solver_timeout_s=setup.solver_timeout_s)
    linear = planner_of("linear", solver_timeout_s=600.0)
    builder, book, measured = _hindsight(world)
    if name == "yesterday":
        return YesterdayPlanner(linear, builder, measured)
    powers, _ = measured.at(world.grid)
    stated = np.array([battery.soc_initial for battery in setup.plant.batteries])
    problem = builder.from_powers(
        world.grid, now=world.grid.start, powers=powers, view=book.view(world.grid, now=None), initial_soc=stated
    )
    return FixedPlanner(linear.plan(problem), name=name)


def _hindsight(world: _World) -> tuple[ProblemBuilder, PriceBook, Measured]:
    """Return a builder, prices and measurements over everything that was recorded."""
    setup, table = world.setup, world.table
    store = MemoryStore()
    preload(setup, store, table, start=table.grid.start, end=table.grid.end)
    book = price_book(setup, store)
    builder = ProblemBuilder(setup, store, book)
    power = power_table(setup, table)
    bridged = np.column_stack(
        [fill_short_gaps(column, longest=SECONDS_PER_DAY // table.grid.resolution_s)[0] for column in power.value.T]
        or [np.empty((table.grid.count, 0))]
    )
    start = max(table.grid.start, world.grid.start - DAY)
    grid = TimeGrid.between(start, world.grid.end, setup.resolution_s)
    first = table.grid.index(start)
    return builder, book, Measured(grid, bridged[first : first + grid.count], book.view(grid, now=None))


def _statement(assembly: Assembly, setup: Setup, grid: TimeGrid) -> Statement:
    stated = np.array([battery.soc_initial for battery in setup.plant.batteries])
    return statement_of(setup, assembly.store, assembly.prices, assembly.builder, grid, start_soc=stated)


def _totals(setup: Setup, store: Store, grid: TimeGrid) -> dict[str, Floats]:
    plant = setup.plant
    soc = store.series(plant.id, setup.soc_keys, grid).value
    capacity = np.array([battery.capacity_kwh for battery in plant.batteries])
    return {
        "battery_kw": store.series(plant.id, setup.battery_keys, grid).value.sum(axis=1),
        "grid_kw": store.series(plant.id, setup.meter_keys, grid).value.sum(axis=1),
        "soc": soc @ capacity / capacity.sum() if capacity.size else np.full(grid.count, np.nan),
    }


def _world_series(world: _World) -> dict[str, Floats]:
    """Return plant totals of what was recorded, as magnitudes, and the prices."""
    setup, recorded = world.setup, world.recorded
    kinds: dict[str, list[SeriesKey]] = {"load_kw": [], "solar_kw": [], "wind_kw": []}
    for asset, key in zip(setup.uncontrolled, setup.power_keys, strict=True):
        kinds[f"{asset.kind}_kw" if asset.kind in ("solar", "wind") else "load_kw"].append(key)
    totals = {
        name: np.abs(np.sum([recorded.column(key) for key in keys], axis=0)) if keys else np.zeros(world.grid.count)
        for name, keys in kinds.items()
    }
    _, book, _ = _hindsight(world)
    view = book.view(world.grid, now=None)
    return totals | {"import_price_per_kwh": view.import_per_kwh, "export_price_per_kwh": view.export_per_kwh}
