"""Totals: the few curves that tell how a plant or one of its sites is doing, measured and planned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.series import align
from vpp.core.time import TimeGrid, epoch_s, from_epoch_s
from vpp.runtime.documents import moment, numbers
from vpp.runtime.live import LivePlant
from vpp.runtime.prices import SPOT
from vpp.runtime.setup import Setup

Floats = NDArray[np.float64]
MOST_POINTS = 2000


def coarse_grid(start: datetime, end: datetime, resolution_s: int, most_points: int) -> TimeGrid:
    """Return the grid over ``[start, end)`` whose step is the finest whole multiple with at most ``most_points`` steps.

    Raises
    ------
    InvalidInputError
        When the end lies before the start, or the number of points is not 1 or more.
    """
    if end < start:
        raise InvalidInputError("end", end.isoformat(), f"a time on or after the start, {start.isoformat()}")
    if most_points < 1:
        raise InvalidInputError("most_points", most_points, "1 or more")
    span_s = epoch_s(end) - epoch_s(start)
    for step_s in (resolution_s, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400):
        fits = step_s % resolution_s == 0 and span_s <= step_s * most_points
        if fits or step_s == 86_400:
            break
    first_s = epoch_s(start) - epoch_s(start) % step_s
    count = min(-(-(epoch_s(end) - first_s) // step_s), most_points)
    return TimeGrid(from_epoch_s(first_s), step_s, count)


def overview_of(
    live: LivePlant, start: datetime, end: datetime, *, now: datetime, site_id: str | None = None
) -> dict[str, Any]:
    """Return totals of the plant or of one site: measured up to ``now``, planned and forecast from then on.

    ``load_kw``, ``solar_kw`` and ``wind_kw`` are magnitudes; ``battery_kw`` and ``grid_kw`` are positive when they
    discharge and feed in; ``soc`` is weighted by capacity.
    """
    setup = live.setup
    if site_id is not None:
        setup.plant.site(site_id)
    grid = coarse_grid(start, max(start, min(end, now)), setup.resolution_s, MOST_POINTS)
    measured = _measured(live, grid, site_id)
    return {
        "start": moment(grid.start),
        "resolution_s": grid.resolution_s,
        **measured,
        "plan": _planned(live, now, end, site_id),
    }


def _measured(live: LivePlant, grid: TimeGrid, site_id: str | None) -> dict[str, Any]:
    setup, store = live.setup, live.store

    def of(keys: tuple[SeriesKey, ...]) -> Floats:
        return store.series(setup.plant.id, keys, grid, reading_s=setup.resolution_s).value

    here = [site_id is None or setup.plant.site_of(asset.id).id == site_id for asset in setup.uncontrolled]
    by_kind = _by_kind(setup, of(setup.power_keys), np.array(here, dtype=bool))
    batteries = [site_id is None or setup.plant.site_of(b.id).id == site_id for b in setup.plant.batteries]
    chosen = np.array(batteries, dtype=bool)
    meters = [site_id is None or site.id == site_id for site in setup.plant.sites]
    capacity = np.array([battery.capacity_kwh for battery in setup.plant.batteries])[chosen]
    prices = _prices(live, grid)
    return {
        **by_kind,
        "battery_kw": numbers(of(setup.battery_keys)[:, chosen].sum(axis=1)),
        "grid_kw": numbers(of(setup.meter_keys)[:, np.array(meters, dtype=bool)].sum(axis=1)),
        "soc": numbers(_mean_soc(of(setup.soc_keys)[:, chosen], capacity)),
        **prices,
    }


def _planned(live: LivePlant, now: datetime, end: datetime, site_id: str | None) -> dict[str, Any] | None:
    plan, setup = live.assembly.planning.current, live.setup
    if plan is None or not plan.schedule.usable:
        return None
    schedule, problem = plan.schedule, plan.problem
    first = max(0, (epoch_s(now) - schedule.grid.start_s) // setup.resolution_s)
    last = int(np.clip((epoch_s(end) - schedule.grid.start_s) // setup.resolution_s, first, schedule.grid.count))
    rows, grid = slice(first, last), schedule.grid.part(first, last)
    sites = np.array([site_id is None or name == site_id for name in schedule.site_ids], dtype=bool)
    assets = np.array([bool(sites[site]) for site in schedule.asset_site], dtype=bool)
    capacity = np.array([battery.capacity_kwh for battery in problem.batteries])[assets]
    return {
        "start": moment(grid.start),
        "resolution_s": grid.resolution_s,
        **_forecast_totals(setup, live.assembly.loop.forecasts.latest, grid, site_id),
        "battery_kw": numbers(schedule.power_kw[rows][:, assets].sum(axis=1)),
        "grid_kw": numbers((schedule.export_kw - schedule.import_kw)[rows][:, sites].sum(axis=1)),
        "soc": numbers(_mean_soc(schedule.soc[rows][:, assets], capacity)),
        "import_price_per_kwh": numbers(problem.import_price_per_kwh[rows, 0]),
        "export_price_per_kwh": numbers(problem.export_price_per_kwh[rows, 0]),
        "price_known": [bool(known) for known in problem.price_known[rows]],
    }


def _forecast_totals(
    setup: Setup, forecasts: Mapping[SeriesKey, Forecast], grid: TimeGrid, site_id: str | None
) -> dict[str, Any]:
    here = np.array(
        [site_id is None or setup.plant.site_of(a.id).id == site_id for a in setup.uncontrolled], dtype=bool
    )
    values = np.full((grid.count, len(setup.power_keys)), np.nan)
    for column, key in enumerate(setup.power_keys):
        if key in forecasts:
            values[:, column] = align(forecasts[key].grid.times_s, forecasts[key].value, grid)
    return _by_kind(setup, values, here)


def _by_kind(setup: Setup, values: Floats, here: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the magnitudes of loads, solar and wind, shape (T,) each, of the chosen assets."""
    kinds = np.array([asset.kind if asset.kind in ("solar", "wind") else "load" for asset in setup.uncontrolled])
    return {
        f"{kind}_kw": numbers(np.abs(values[:, here & (kinds == kind)].sum(axis=1)))
        for kind in ("load", "solar", "wind")
    }


def _mean_soc(soc: Floats, capacity: Floats) -> Floats:
    if not capacity.size:
        return np.full(soc.shape[0], np.nan)
    return np.asarray(soc @ capacity / capacity.sum(), dtype=np.float64)


def _prices(live: LivePlant, grid: TimeGrid) -> dict[str, Any]:
    names = ("import_price_per_kwh", "export_price_per_kwh")
    if grid.resolution_s != live.setup.resolution_s:
        fine = TimeGrid.between(grid.start, grid.end, live.setup.resolution_s)
        group = grid.resolution_s // live.setup.resolution_s
    else:
        fine, group = grid, 1
    try:
        view = live.assembly.prices.view(fine, now=None, spot_forecast=live.assembly.loop.forecasts.latest.get(SPOT))
    except MissingDataError:
        return {name: [None] * grid.count for name in names}
    columns = (view.import_per_kwh, view.export_per_kwh)
    return {name: numbers(column.reshape(-1, group).mean(axis=1)) for name, column in zip(names, columns, strict=True)}
