"""A plant simulated from weather to meter.

Invariants: same seed, same bytes; at every meter the grid power is the sum of the powers behind it; what an asset does
of itself depends on the seed and its own id, not on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery, EvCharger, FlexibleLoad, HeatPump, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid
from vpp.simulation.plant.consumption import run_car, run_heat_pump, run_machine
from vpp.simulation.plant.generation import run_solar, run_wind
from vpp.simulation.plant.loads import run_load
from vpp.simulation.plant.runs import AssetRun, BatteryRun, PlantRun, SiteRun, SolarRun, WindRun
from vpp.simulation.plant.storing import kept_soc, run_battery
from vpp.simulation.plant.surroundings import World, world_of
from vpp.simulation.weather import Weather

Floats = NDArray[np.float64]
ROUNDING_KW = 1e-9


def simulate(
    plant: Plant,
    start: datetime,
    end: datetime,
    resolution_s: int,
    *,
    seed: int,
    weather: Weather | None = None,
    set_points_kw: Mapping[str, Floats] | None = None,
    episode: int = 0,
) -> PlantRun:
    """Return what a plant does from ``start`` to before ``end``.

    Batteries store surplus and serve the load, unless set-points are given; generators that may be curtailed are, where
    the connection's export limit asks for it.

    Parameters
    ----------
    plant : Plant
        Its sites and assets.
    start, end : datetime
        First moment and end (exclusive), aware; whole steps apart.
    resolution_s : int
        Length of a step [s], 1 to 3600, divides a day.
    seed : int
        Seed of the simulation, 0 or more.
    weather : Weather, optional
        Weather of one site that covers the time; synthetic by default.
    set_points_kw : mapping of str to float array, shape (T,), optional
        What batteries are told by asset id, positive discharges; those that are not named follow the rule.
    episode : int
        Number of a stretch of time, 0 or more: weather and prices are drawn anew for each, people keep their habits.

    Returns
    -------
    PlantRun
        Columns by asset and site.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When the time is no whole number of steps, or set-points do not fit.
    UnknownNameError
        For a turbine type or a battery that does not exist; the nearest are named.

    Examples
    --------
    >>> from vpp.core.assets import Load, Plant, Site, SolarArray
    >>> from vpp.core.time import parse_time
    >>> home = Site(id="home", assets=(Load(id="house"), SolarArray(id="roof", peak_kw=4.0)))
    >>> plant = Plant(id="p", name="P", timezone="Europe/Amsterdam", currency="EUR", sites=(home,))
    >>> day = simulate(plant, parse_time("2024-06-01T00:00Z"), parse_time("2024-06-02T00:00Z"), 3600, seed=1)
    >>> behind = day.assets["house"].power_kw + day.assets["roof"].power_kw
    >>> bool((day.sites["home"].grid_kw == behind).all())
    True
    """
    grid = TimeGrid.between(start, end, resolution_s)
    points = _checked(plant, grid, set_points_kw or {})
    world = world_of(plant, grid, seed=seed, weather=weather, episode=episode)
    free = free_runs(plant, world, seed=seed)
    assets: dict[str, AssetRun] = {}
    sites = {}
    for site in plant.sites:
        runs, sites[site.id] = _site(site, free, points, world)
        assets |= runs
    return PlantRun(plant.id, grid, world.surroundings(), assets, sites)


def free_runs(plant: Plant, world: World, *, seed: int) -> dict[str, AssetRun]:
    """Return what every asset but the batteries does of itself, before curtailment."""
    runs: dict[str, AssetRun] = {}
    runs |= run_solar([asset for asset in plant.assets if isinstance(asset, SolarArray)], world)
    runs |= run_wind([asset for asset in plant.assets if isinstance(asset, WindTurbine)], world, seed=seed)
    for asset in plant.assets:
        if isinstance(asset, Load):
            runs[asset.id] = run_load(asset, world, seed=seed)
        elif isinstance(asset, EvCharger):
            runs[asset.id] = run_car(asset, world, seed=seed)
        elif isinstance(asset, HeatPump):
            runs[asset.id] = run_heat_pump(asset, world)
        elif isinstance(asset, FlexibleLoad):
            runs[asset.id] = run_machine(asset, world, seed=seed)
    return runs


def _checked(plant: Plant, grid: TimeGrid, points: Mapping[str, Floats]) -> dict[str, Floats]:
    checked = {}
    for name, values in points.items():
        if not isinstance(plant.asset(name), Battery):
            raise InvalidInputError("set_points_kw", name, "the ids of batteries")
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (grid.count,):
            raise SeriesMismatchError(f"set_points_kw[{name}]", column.shape, f"({grid.count},), one per step")
        if not np.isfinite(column).all():
            raise InvalidInputError(f"set_points_kw[{name}]", "a NaN or infinite power", "finite powers [kW]")
        checked[name] = column
    return checked


def _site(
    site: Site, free: Mapping[str, AssetRun], points: Mapping[str, Floats], world: World
) -> tuple[dict[str, AssetRun], SiteRun]:
    """Return the runs of one site's assets in the order of the file, and its meter."""
    runs: dict[str, AssetRun] = {}
    duration_h, count = world.grid.duration_h, world.grid.count
    others = [free[asset.id] for asset in site.assets if not isinstance(asset, Battery)]
    net = sum((run.power_kw for run in others), np.zeros(count))
    stored: dict[str, BatteryRun] = {}
    for battery in site.batteries:
        told = points.get(battery.id)
        floor = kept_soc(battery) if told is None else battery.soc_min
        request = 0.0 - net if told is None else told
        # the backup is left only for what the connection cannot carry
        must = np.maximum(-net - site.connection.import_max_kw, 0.0)
        stored[battery.id] = run_battery(
            battery, request, must, world.temperature_c, duration_h=duration_h, floor=floor
        )
        net = net + stored[battery.id].power_kw
    kept, curtailed = _curtailed(site, free, net)
    for asset in site.assets:
        run = stored[asset.id] if isinstance(asset, Battery) else free[asset.id]
        if asset.id in kept and isinstance(run, SolarRun):
            run = SolarRun(kept[asset.id], run.available_kw, run.irradiance_w_m2, run.panel_temperature_c)
        elif asset.id in kept and isinstance(run, WindRun):
            run = WindRun(kept[asset.id], run.available_kw, run.hub_speed_m_s)
        runs[asset.id] = run
    # added up anew, so that the meter is the sum of what is reported behind it
    grid_kw = sum((run.power_kw for run in runs.values()), np.zeros(count))
    limits = site.connection
    beyond = np.maximum(grid_kw - limits.export_max_kw, 0.0) + np.maximum(-grid_kw - limits.import_max_kw, 0.0)
    return runs, SiteRun(grid_kw, curtailed, np.where(beyond > ROUNDING_KW, beyond, 0.0))


def _curtailed(site: Site, free: Mapping[str, AssetRun], net_kw: Floats) -> tuple[dict[str, Floats], Floats]:
    """Return what is left of each generator that may be curtailed, all cut alike, and what is left unused."""
    names = [asset.id for asset in site.generators if asset.curtailable]
    made = sum((free[name].power_kw for name in names), np.zeros_like(net_kw))
    unused = np.clip(net_kw - site.connection.export_max_kw, 0.0, made)
    if not unused.any():
        return {}, np.zeros_like(net_kw)
    share = 1.0 - np.divide(unused, made, out=np.zeros_like(made), where=made > 0.0)
    return {name: free[name].power_kw * share for name in names}, unused
