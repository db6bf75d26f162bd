"""Wiring: the one place where ports meet what stands behind them; heavy engines are loaded when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpp.config import VPPConfig
from vpp.core.assets import SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, MissingDataError, UnknownNameError
from vpp.core.messages import MARKET, POWER_KW, Event, Readings, SeriesKey
from vpp.core.ports import Device, Market, Planner, SeriesTable, Store
from vpp.core.series import align
from vpp.core.time import TimeGrid, epoch_s, floor_time
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.optimization.problem import PlanProblem
from vpp.runtime.bidding import BiddingService
from vpp.runtime.dispatching import DispatchService
from vpp.runtime.forecasts import ForecastService, ForecastSource, Pipeline
from vpp.runtime.ingest import IngestService
from vpp.runtime.loop import PlantLoop, Tick
from vpp.runtime.planning import PlanningService, ProblemBuilder
from vpp.runtime.prices import PriceBook
from vpp.runtime.setup import Setup

if TYPE_CHECKING:
    from vpp.forecasting.kinds import SeriesProfile

HISTORY_S = 30 * 7 * SECONDS_PER_DAY
"""Longest past a forecast is made from: 26 weeks to learn and 4 to calibrate."""
_MARGIN_S = 4 * SECONDS_PER_HOUR


def planner_of(strategy: str, *, solver_timeout_s: float = 5.0) -> Planner[PlanProblem]:
    """Return the planner of a strategy by name.

    Raises
    ------
    UnknownNameError
        When no planner has that name.
    """
    from vpp.optimization.auto import AutoPlanner
    from vpp.optimization.chain import default_chain
    from vpp.optimization.rules import IdlePlanner, RulePlanner

    planners: dict[str, Callable[[], Planner[PlanProblem]]] = {
        "linear": lambda: default_chain(time_limit_s=solver_timeout_s),
        "auto": lambda: AutoPlanner(time_limit_s=solver_timeout_s),
        "pulp": lambda: _pulp_planner(solver_timeout_s),
        "rule": RulePlanner,
        "no_battery": IdlePlanner,
    }
    if strategy not in planners:
        raise UnknownNameError("strategy", strategy, planners)
    return planners[strategy]()


def _pulp_planner(solver_timeout_s: float) -> Planner[PlanProblem]:
    from vpp.optimization.pulp_backend import PulpPlanner

    return PulpPlanner(time_limit_s=solver_timeout_s)


def open_store(url: str) -> Store:
    """Open a store by its URL, e.g. ``sqlite:///plant.db`` or ``memory://``.

    Raises
    ------
    UnknownNameError
        When no store has that scheme.
    StoreError
        When it cannot be opened.
    """
    from vpp.store.open import open_store as open_url

    return open_url(url)


def price_book(setup: Setup, store: Store) -> PriceBook:
    """Return the plant's prices over a store."""
    return PriceBook(
        setup.plant.id,
        store,
        timezone=setup.timezone,
        import_tariff=setup.import_tariff,
        export_tariff=setup.export_tariff,
        calendar=setup.calendar,
    )


def profiles_of(setup: Setup, *, needs_spot: bool) -> tuple[SeriesProfile, ...]:
    """Return what is forecast: everything that is not controlled, and the spot price where prices follow it."""
    from vpp.forecasting.kinds import SeriesProfile

    profiles = []
    for asset in setup.uncontrolled:
        if isinstance(asset, SolarArray):
            profiles.append(SeriesProfile.solar(asset.id, peak_kw=asset.peak_kw))
        elif isinstance(asset, WindTurbine):
            profiles.append(SeriesProfile.wind(asset.id, peak_kw=asset.rated_kw))
        else:
            profiles.append(SeriesProfile.load(asset.id, peak_kw=asset.peak_kw))
    if needs_spot:
        profiles.append(SeriesProfile.price())
    return tuple(profiles)


def forecast_service(setup: Setup, store: Store, *, needs_spot: bool, models: Path | None = None) -> ForecastService:
    """Return the forecasts of a plant: by the champions kept in ``models``, else by the combination."""
    from vpp.forecasting.pipeline import ForecastPipeline

    profiles = profiles_of(setup, needs_spot=needs_spot)
    pipeline: Pipeline = ForecastPipeline(profiles, timezone=setup.timezone, plant=setup.plant.id)
    if models is not None:
        from vpp.runtime.serving import ChampionPipeline

        pipeline = ChampionPipeline(setup, store, profiles, models)
    ahead_s = setup.horizon_s + setup.forecast_every_s + (_MARGIN_S if setup.sells_day_ahead else 0)
    return ForecastService(
        setup,
        store,
        pipeline,
        keys=tuple(profile.key for profile in profiles),
        history_s=HISTORY_S,
        steps=-(-ahead_s // setup.resolution_s),
    )


@dataclass(slots=True, kw_only=True)
class Assembly:
    """A loop and the parts that faces and back-tests look at."""

    loop: PlantLoop
    store: Store
    prices: PriceBook
    builder: ProblemBuilder
    planning: PlanningService
    ingest: IngestService


def assemble(
    setup: Setup,
    store: Store,
    devices: Sequence[Device],
    *,
    planner: Planner[PlanProblem],
    forecasts: ForecastSource,
    market: Market | None = None,
    plan_every_s: int | None = None,
    follow_meter: bool = True,
    on_tick: Callable[[Tick], None] | None = None,
    on_readings: Callable[[Readings], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
    strict: bool = False,
) -> Assembly:
    """Return one plant's loop over a store and its devices."""
    from vpp.streams.memory import MemoryBus

    prices = price_book(setup, store)
    builder = ProblemBuilder(setup, store, prices)
    planning = PlanningService(setup, builder, planner, store, every_s=plan_every_s or setup.plan_every_s)
    ingest = IngestService(devices, MemoryBus[Readings](), store, on_readings=on_readings)
    loop = PlantLoop(
        setup=setup,
        store=store,
        ingest=ingest,
        forecasts=forecasts,
        planning=planning,
        bidding=BiddingService(setup, planning, market, store),
        dispatch=DispatchService(setup, devices, store, follow_meter=follow_meter),
        on_tick=on_tick,
        on_event=on_event,
        strict=strict,
    )
    return Assembly(loop=loop, store=store, prices=prices, builder=builder, planning=planning, ingest=ingest)


def read_history(
    config: VPPConfig, setup: Setup, path: Path | None = None, *, on_note: Callable[[str], None] = lambda _line: None
) -> SeriesTable:
    """Return a plant's recorded readings, from a file or from the files the plant file names.

    Parameters
    ----------
    config, setup : VPPConfig, Setup
        The plant.
    path : Path, optional
        A file to read instead of those the plant file names.
    on_note : callable, optional
        Told, in words, of every repair and of every channel that cannot be what it is called.

    Raises
    ------
    MissingDataError
        When the plant file names no history and none is given.
    InvalidInputError
        When several files differ in their resolution or hold the same column.
    """
    from vpp.runtime.notes import fault_notes, repair_notes
    from vpp.streams.quality import find_faults
    from vpp.streams.table import read_table

    paths = config.history_paths if path is None else (path,)
    if not paths:
        raise MissingDataError("the plant file names no history; give a CSV or Parquet file with --data")
    tables = []
    for where in paths:
        reading = read_table(where, plant=setup.plant, timezone=setup.timezone.key, resolution_s=None)
        require_whole_steps(where.name, reading.table.grid)
        tables.append((where.name, reading.table))
        if path is not None:
            faults = find_faults(reading.table, setup.plant)
            for line in (*repair_notes(where.name, reading.repairs), *fault_notes(where.name, faults)):
                on_note(line)
    return merged_tables(tables)


def merged_tables(tables: Sequence[tuple[str, SeriesTable]]) -> SeriesTable:
    """Return the columns of several named files on one grid that spans them all; NaN where a file holds nothing.

    Raises
    ------
    InvalidInputError
        When the files differ in their resolution, their steps do not meet, or two hold the same column.
    """
    first_name, first = tables[0]
    holder: dict[SeriesKey, str] = {}
    for name, table in tables:
        step_s, offset_s = table.grid.resolution_s, table.grid.start_s - first.grid.start_s
        if step_s != first.grid.resolution_s:
            raise InvalidInputError(
                name, f"steps of {step_s} s", f"the resolution of {first_name}, {first.grid.resolution_s} s"
            )
        if offset_s % step_s:
            raise InvalidInputError(
                name, table.grid.start.isoformat(), f"steps that meet those of {first_name} from {first.grid.start}"
            )
        for key in table.keys:
            if key in holder:
                raise InvalidInputError(name, str(key), f"a series that no other file holds; {holder[key]} does")
            holder[key] = name
    start = min(table.grid.start for _, table in tables)
    end = max(table.grid.end for _, table in tables)
    grid = TimeGrid.between(start, end, first.grid.resolution_s)
    columns = [
        align(table.grid.times_s, table.value[:, k], grid) for _, table in tables for k in range(len(table.keys))
    ]
    return SeriesTable(grid, tuple(holder), np.column_stack(columns))


def require_whole_steps(name: str, grid: TimeGrid) -> None:
    """Refuse a file whose steps do not begin on whole multiples of their length, as the steps of every plan do.

    Raises
    ------
    InvalidInputError
        When its stamps lie between the steps.
    """
    if grid.start_s % grid.resolution_s:
        raise InvalidInputError(
            f"{name}:time",
            grid.start.isoformat(),
            f"stamps at whole multiples of the {grid.resolution_s} s step, e.g. "
            f"{floor_time(grid.start, grid.resolution_s).isoformat()}",
        )


def power_table(setup: Setup, table: SeriesTable) -> SeriesTable:
    """Return the power columns of the uncontrolled assets; every one must be there.

    Raises
    ------
    MissingDataError
        When an asset has no column.
    """
    missing = [key.source for key in setup.power_keys if key not in table.keys]
    if missing:
        names = ", ".join(f"{name}_kw" for name in missing)
        raise MissingDataError(f"the data lack {names}; every asset but the batteries needs its column")
    return _columns(table, setup.power_keys)


def market_table(table: SeriesTable) -> SeriesTable:
    """Return the market columns: prices and carbon intensity, as far as they are there."""
    return _columns(table, tuple(key for key in table.keys if key.source == MARKET))


def _columns(table: SeriesTable, keys: tuple[SeriesKey, ...]) -> SeriesTable:
    index = [table.keys.index(key) for key in keys]
    return SeriesTable(table.grid, keys, table.value[:, index])


def preload(setup: Setup, store: Store, table: SeriesTable, *, start: datetime, end: datetime) -> None:
    """Put what was recorded in ``[start, end)`` into the store, as if it had arrived step by step.

    Prices go in as far as they were published by ``end``.
    """
    grid = table.grid
    known = setup.calendar.known_until(end)
    power = _columns(table, tuple(key for key in table.keys if key.source != MARKET and key.metric == POWER_KW))
    rows = (grid.times_s >= epoch_s(start)) & (grid.times_s < epoch_s(end))
    times_s = grid.times_s[rows]
    if power.keys:
        store.write_readings(
            Readings.from_table(
                setup.plant.id, power.keys, times_s, power.value[rows], arrived_s=times_s + grid.resolution_s
            )
        )
    market = market_table(table)
    if market.keys:
        until_s = grid.end_s if known is None else epoch_s(known)
        rows = (grid.times_s >= epoch_s(start)) & (grid.times_s < until_s)
        arrived_s = np.minimum(grid.times_s[rows], epoch_s(end))
        store.write_readings(
            Readings.from_table(
                setup.plant.id, market.keys, grid.times_s[rows], market.value[rows], arrived_s=arrived_s
            )
        )


def first_start(setup: Setup, table: SeriesTable, *, history: timedelta) -> datetime:
    """Return the first step of a replay that leaves ``history`` behind it."""
    return table.grid.start + timedelta(
        seconds=-(-int(history.total_seconds()) // setup.resolution_s) * setup.resolution_s
    )
