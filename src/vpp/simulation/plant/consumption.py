"""Consumers of a plant: what its loads, cars, heat pumps and machines draw when nobody steers them.

Invariant: what an asset draws depends on the seed and its own id, not on what stands beside it; parts sum to the load.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import EvCharger, FlexibleLoad, HeatPump
from vpp.core.time import TimeGrid, epoch_s
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.load import (
    DeferrableRuns,
    House,
    cop_of_air_source,
    deferrable_load,
    ev_charging,
    ev_sessions,
    one_heat_pump,
)
from vpp.simulation.plant.cars import car_settings
from vpp.simulation.plant.runs import HeatPumpRun, LoadRun
from vpp.simulation.plant.surroundings import LocalClock, World
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]
LEAST_KW = 1e-6
"""A charger smaller than a milliwatt is none."""
RATED_OUTDOOR_C = 7.0
"""Outdoor temperature at which makers state a coefficient of performance (EN 14511)."""


def number_of(asset_id: str) -> NDArray[np.int64]:
    """Return the number an asset has among all of its kind, for its random numbers: from its id alone."""
    return np.array([crc32(asset_id.encode())], dtype=np.int64)


def run_car(charger: EvCharger, world: World, *, seed: int) -> LoadRun:
    """Return what a charging point draws that charges at full power from the moment the car arrives."""
    duration_h, shape = world.grid.duration_h, (world.grid.count, 1)
    if charger.rated_kw < LEAST_KW:
        return _consumed(np.zeros(world.grid.count), "ev_charging_kw")
    sessions = ev_sessions(
        car_settings(charger),
        cars=number_of(charger.id),
        hour_of_day=world.clock.hour_of_day,
        weekday=world.clock.weekday,
        duration_h=duration_h,
        seed=seed,
    )
    drawn = ev_charging(
        sessions,
        max_kw=charger.rated_kw,
        charge_efficiency=charger.charge_efficiency,
        duration_h=duration_h,
        shape=shape,
    )
    return _consumed(drawn.load_kw[:, 0], "ev_charging_kw")


def run_heat_pump(pump: HeatPump, world: World) -> HeatPumpRun:
    """Return what a heat pump draws on its thermostat, which stays in the comfort band as far as its power goes."""
    outdoor = world.temperature_c
    cop = pump.cop * cop_of_air_source(outdoor) / cop_of_air_source(RATED_OUTDOOR_C)
    done = one_heat_pump(
        House(pump.thermal_resistance_k_per_kw, pump.thermal_capacity_kwh_per_k),
        rated_kw=pump.rated_kw,
        outdoor_c=outdoor,
        cop=cop,
        duration_h=world.grid.duration_h,
        initial_c=0.5 * (pump.temperature_min_c + pump.temperature_max_c),
        low_c=pump.temperature_min_c,
        high_c=pump.temperature_max_c,
    )
    return HeatPumpRun(0.0 - done.load_kw[:, 0], done.heat_kw[:, 0], done.indoor_c[:, 0])


def run_machine(machine: FlexibleLoad, world: World, *, seed: int) -> LoadRun:
    """Return what a machine draws that runs once a day, beginning at a random moment of its window."""
    if machine.energy_kwh_per_day <= 0.0:
        return _consumed(np.zeros(world.grid.count), "flexible_kw")
    earliest = _window_starts_h(machine.earliest_hour, world.grid, world.clock)
    each = np.ones(earliest.size)
    runs = DeferrableRuns(
        np.zeros(earliest.size, dtype=np.int64),
        earliest,
        earliest + machine.window_h,
        machine.energy_kwh_per_day * each,
        machine.rated_kw * each,
    )
    late = generator(seed, "machine", machine.id).random(earliest.size)
    begins = earliest + late * np.maximum(runs.slack_h, 0.0)
    shape = (world.grid.count, 1)
    load = deferrable_load(runs, duration_h=world.grid.duration_h, shape=shape, start_h=begins)
    return _consumed(load[:, 0], "flexible_kw")


def _window_starts_h(hour: float, grid: TimeGrid, clock: LocalClock) -> Floats:
    """Return when the window opens on each local day, hours from the grid's start, from the day before on."""
    first = grid.start.astimezone(clock.timezone).date() - timedelta(days=1)
    last = grid.end.astimezone(clock.timezone).date()
    minutes = round(hour * 60)
    starts = []
    for day in range((last - first).days + 1):
        date = first + timedelta(days=day + minutes // (24 * 60))
        local = datetime.combine(date, time(minutes // 60 % 24, minutes % 60), clock.timezone)
        starts.append((epoch_s(local) - grid.start_s) / SECONDS_PER_HOUR)
    return np.array(starts)


def _consumed(load_kw: Floats, part: str) -> LoadRun:
    return LoadRun(0.0 - load_kw, {part: load_kw})
