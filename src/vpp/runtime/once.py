"""One plan from a user's own data: read, forecast, plan, explain. Nothing is kept.

The decision is made at ``at``: a step that had not ended by then is not known, whatever the file holds for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import MARKET, POWER_FORECAST_KW, POWER_KW, SOC, Forecast, Readings, Schedule, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.series import align
from vpp.core.time import TimeGrid, epoch_s, floor_time
from vpp.optimization.explain import alternatives
from vpp.optimization.problem import PlanProblem
from vpp.runtime.build import forecast_service, planner_of, power_table, price_book, require_whole_steps
from vpp.runtime.documents import moment, schedule_document
from vpp.runtime.notes import fault_notes, forecast_notes, price_notes, repair_notes
from vpp.runtime.planning import ProblemBuilder
from vpp.runtime.setup import Setup, setup_of
from vpp.store.memory import MemoryStore
from vpp.streams.quality import find_faults
from vpp.streams.table import Repair, TableReading, read_table

Floats = NDArray[np.float64]
USERS_FORECAST = "given"
MOST_ALTERNATIVES = 2000
ALTERNATIVES_LIMIT_S = 8.0


@dataclass(frozen=True, slots=True)
class OncePlanned:
    """A plan made from a file.

    Parameters
    ----------
    setup : Setup
        The plant at the file's resolution.
    problem, schedule : PlanProblem, Schedule
        What was asked and answered.
    forecasts : tuple of Forecast
        What the plan believes.
    repairs : tuple of Repair
        What was changed or is missing in the file.
    notes : tuple of str
        What the reader should know, in words: repairs, suspect channels, thin history, prices that are forecast.
    """

    setup: Setup
    problem: PlanProblem
    schedule: Schedule
    forecasts: tuple[Forecast, ...]
    repairs: tuple[Repair, ...]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the plan as JSON values, with what each battery's alternative would have cost."""
        other_kw = cost = None
        if self.schedule.usable:
            other_kw, cost = alternatives(
                self.problem, self.schedule, most=MOST_ALTERNATIVES, time_limit_s=ALTERNATIVES_LIMIT_S
            )
        document = schedule_document(
            self.schedule, initial_soc=self.problem.initial_soc, alternative_kw=other_kw, alternative_cost=cost
        )
        return document | {"notes": list(self.notes)}


def plan_once(
    config: VPPConfig, data: Path, *, at: datetime | None = None, horizon: timedelta | None = None
) -> OncePlanned:
    """Return one plan for a plant from a file of readings.

    Parameters
    ----------
    config : VPPConfig
        A valid plant file.
    data : Path
        CSV or Parquet: ``time``, ``<asset-id>_kw``, prices, and optionally ``<asset-id>_forecast_kw``.
    at : datetime, optional
        Moment of decision; by default the end of the last step with measurements.
    horizon : timedelta, optional
        How far to plan; by default as the plant file says.

    Raises
    ------
    VppError
        When the file cannot be read, lacks an asset or a price, or ``at`` leaves nothing measured.
    """
    setup = setup_of(config)
    reading = read_table(data, plant=setup.plant, timezone=setup.timezone.key)
    require_whole_steps(data.name, reading.table.grid)
    setup = _at_resolution(setup, reading.resolution_s, horizon)
    now = _decision_time(setup, reading, at)
    store = MemoryStore()
    _keep_known(setup, store, reading, now)
    prices = price_book(setup, store)
    service = forecast_service(setup, store, needs_spot=prices.needs_spot)
    forecasts = {forecast.key: forecast for forecast in service.run(now)}
    grid = TimeGrid(now, setup.resolution_s, setup.horizon_steps)
    forecasts |= _brought_along(setup, reading.table, forecasts, grid)
    _require_grounds(setup, forecasts, data, now)
    problem = ProblemBuilder(setup, store, prices).build(grid, now=now, forecasts=forecasts)
    planner = planner_of(setup.strategy, solver_timeout_s=setup.solver_timeout_s)
    told = tuple(forecasts[key] for key in setup.power_keys)
    notes = (
        *repair_notes(data.name, reading.repairs),
        *fault_notes(data.name, find_faults(_until(reading.table, now), setup.plant)),
        *forecast_notes(told),
        *price_notes(problem),
    )
    return OncePlanned(setup, problem, planner.plan(problem), tuple(forecasts.values()), reading.repairs, notes)


def _until(table: SeriesTable, now: datetime) -> SeriesTable:
    """Return the rows of a table that had ended at a moment."""
    count = int(np.count_nonzero(table.grid.times_s + table.grid.resolution_s <= epoch_s(now)))
    return SeriesTable(table.grid.part(0, count), table.keys, table.value[:count])


def _require_grounds(setup: Setup, forecasts: dict[SeriesKey, Forecast], data: Path, now: datetime) -> None:
    """Refuse to plan with an asset of which nothing at all is known: 0 would be a guess."""
    for key in setup.power_keys:
        if "no_data" in forecasts[key].flags:
            raise MissingDataError(
                f"{data.name} holds no value of {key.source}_kw before {moment(now)}; add its measurements, or a "
                f"forecast of every step to plan as {key.source}_forecast_kw"
            )


def _at_resolution(setup: Setup, resolution_s: int, horizon: timedelta | None) -> Setup:
    horizon_s = setup.horizon_s if horizon is None else int(horizon.total_seconds())
    if horizon_s < resolution_s:
        raise InvalidInputError("--horizon", f"{horizon_s} s", f"at least one step of {resolution_s} s")
    return replace(
        setup,
        resolution_s=resolution_s,
        horizon_s=horizon_s // resolution_s * resolution_s,
        forecast_every_s=max(resolution_s, setup.forecast_every_s),
    )


def _decision_time(setup: Setup, reading: TableReading, at: datetime | None) -> datetime:
    grid = reading.table.grid
    if reading.last_measured is None:
        raise MissingDataError("the file holds no measurements; at least one <asset-id>_kw column needs values")
    if at is None:
        return reading.last_measured + timedelta(seconds=setup.resolution_s)
    now = floor_time(at, setup.resolution_s)
    if not grid.start < now <= grid.end:
        raise InvalidInputError(
            "--at",
            moment(at),
            f"a time after {moment(grid.start)}, the file's first step, and up to its end, {moment(grid.end)}",
        )
    return now


def _keep_known(setup: Setup, store: MemoryStore, reading: TableReading, now: datetime) -> None:
    """Put into the store what was known at the moment of decision."""
    table = reading.table
    power_table(setup, table)
    measured = tuple(key for key in table.keys if key.metric in (POWER_KW, SOC))
    rows = table.grid.times_s + table.grid.resolution_s <= epoch_s(now)
    values = _part(table, measured)[rows]
    # a gap that was bridged with a value measured after the decision is a gap again
    bridged = (reading.quality[:, [table.keys.index(key) for key in measured]] != 0)[rows]
    open_end = np.flip(np.logical_and.accumulate(np.flip(bridged, axis=0), axis=0), axis=0)
    values = np.where(open_end, np.nan, values)
    times_s = table.grid.times_s[rows]
    store.write_readings(
        Readings.from_table(setup.plant.id, measured, times_s, values, arrived_s=times_s + table.grid.resolution_s)
    )
    market = tuple(key for key in table.keys if key.source == MARKET)
    known_until = setup.calendar.known_until(now)
    rows = table.grid.times_s < (table.grid.end_s if known_until is None else epoch_s(known_until))
    if market:
        times_s = table.grid.times_s[rows]
        arrived_s = np.minimum(times_s, epoch_s(now))
        store.write_readings(
            Readings.from_table(setup.plant.id, market, times_s, _part(table, market)[rows], arrived_s=arrived_s)
        )


def _part(table: SeriesTable, keys: tuple[SeriesKey, ...]) -> Floats:
    return np.asarray(table.value[:, [table.keys.index(key) for key in keys]], dtype=np.float64)


def _brought_along(
    setup: Setup, table: SeriesTable, forecasts: dict[SeriesKey, Forecast], grid: TimeGrid
) -> dict[SeriesKey, Forecast]:
    """Return the forecasts that the file brings, completed by ours where it says nothing."""
    taken = {}
    for key in setup.power_keys:
        brought = SeriesKey(key.source, POWER_FORECAST_KW)
        if brought not in table.keys:
            continue
        ours = forecasts[key]
        given = align(table.grid.times_s, table.column(brought), ours.grid)
        if np.isfinite(given).any():
            value = np.where(np.isfinite(given), given, ours.value)
            flags = () if np.isfinite(given[: grid.count]).all() else ours.flags
            taken[key] = Forecast(setup.plant.id, key, grid.start, ours.grid, value, USERS_FORECAST, flags=flags)
    return taken
