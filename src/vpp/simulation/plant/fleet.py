"""A fleet of homes, streamed in chunks: a hundred thousand of them need no more memory than one chunk.

Invariants: the size of a chunk, and how many homes follow, change no number; at every meter the grid power is the sum
of what is behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.storage import StorageLimits
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.load import HOME, House, cop_of_air_source, ev_charging, ev_sessions, heat_pump_load, household_load
from vpp.simulation.plant.fleet_homes import FleetHomes, FleetMix, fleet_homes, neighbourhoods
from vpp.simulation.plant.storing import follow
from vpp.simulation.plant.surroundings import LocalClock
from vpp.simulation.solar import SolarArrays, solar_power
from vpp.simulation.weather import Places, SunPosition, Weather, sun_position, synthetic_weather
from vpp.simulation.weather.conditions import COLUMNS

Floats = NDArray[np.float64]
LARGEST_CHUNK_VALUES = 500_000
SOC_MIN, SOC_MAX, SOC_INITIAL = 0.1, 0.9, 0.5
ONE_WAY = 0.95
SINGLE = np.float32


@dataclass(frozen=True, slots=True)
class FleetChunk:
    """Some homes of a fleet in T steps.

    Parameters
    ----------
    homes : FleetHomes
        The S homes.
    grid : TimeGrid
        The T steps.
    load_kw, solar_kw, ev_kw, heat_pump_kw : float32 arrays, shape (T, S)
        Non-negative; the load is that of the household alone.
    battery_kw : float32 array, shape (T, S)
        Positive discharges.
    soc : float32 array, shape (T, S)
        At the end of each step (0-1); NaN where there is no battery.
    grid_kw : float32 array, shape (T, S)
        At the meter, positive feeds in.
    """

    homes: FleetHomes
    grid: TimeGrid
    load_kw: NDArray[np.float32]
    solar_kw: NDArray[np.float32]
    ev_kw: NDArray[np.float32]
    heat_pump_kw: NDArray[np.float32]
    battery_kw: NDArray[np.float32]
    soc: NDArray[np.float32]
    grid_kw: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Region:
    """The neighbourhoods' places, weather, sun and clock."""

    places: Places
    weather: Weather
    sun: SunPosition
    clock: LocalClock

    def at(self, which: NDArray[np.int64]) -> tuple[Places, Weather, SunPosition]:
        """Return place, weather and sun of each home."""
        places = Places(self.places.latitudes[which], self.places.longitudes[which], self.places.altitudes_m[which])
        columns = {name: getattr(self.weather, name)[:, which] for name in COLUMNS}
        sun = SunPosition(self.sun.zenith_deg[:, which], self.sun.azimuth_deg[:, which])
        return places, Weather(self.weather.grid, **columns), sun


def simulate_fleet(
    homes: int,
    grid: TimeGrid,
    *,
    centre: Places,
    timezone: ZoneInfo,
    seed: int,
    mix: FleetMix | None = None,
    chunk: int | None = None,
) -> Iterator[FleetChunk]:
    """Yield a fleet of homes, chunk by chunk.

    Parameters
    ----------
    homes : int
        How many, 1 or more.
    grid : TimeGrid
        T steps of 1 s to 1 h.
    centre : Places
        One place, around which they stand.
    timezone : ZoneInfo
        The clock they live by.
    seed : int
        Seed of the simulation, 0 or more.
    mix : FleetMix, optional
        Who has what.
    chunk : int, optional
        Homes at once, 1 or more; by default so many that a chunk has half a million steps.

    Raises
    ------
    InvalidInputError
        When a number is out of its range.
    """
    mix = mix or FleetMix()
    if homes < 1:
        raise InvalidInputError("homes", homes, "1 or more")
    if not grid.count or grid.resolution_s > SECONDS_PER_HOUR:
        raise InvalidInputError("grid", f"{grid.count} steps of {grid.resolution_s} s", "1 s to 1 h, one step or more")
    size = max(1, LARGEST_CHUNK_VALUES // grid.count) if chunk is None else chunk
    if size < 1:
        raise InvalidInputError("chunk", chunk, "1 or more homes")
    places = neighbourhoods(centre, mix, seed=seed)
    region = _Region(
        places, synthetic_weather(places, grid, seed=seed), sun_position(places, grid), LocalClock.of(grid, timezone)
    )
    latitude = float(centre.latitudes[0])
    for first in range(0, homes, size):
        some = fleet_homes(first, min(first + size, homes), mix, latitude_deg=latitude, seed=seed)
        yield _chunk(some, grid, region, seed)


def _chunk(homes: FleetHomes, grid: TimeGrid, region: _Region, seed: int) -> FleetChunk:
    outdoor = region.weather.temperature_c[:, homes.neighbourhood]
    load = household_load(
        homes=homes.number,
        hour_of_day=region.clock.hour_of_day,
        weekday=region.clock.weekday,
        temperature_c=outdoor,
        ghi_w_m2=region.weather.ghi_w_m2[:, homes.neighbourhood],
        duration_h=grid.duration_h,
        seed=seed,
    ).load_kw
    solar = _solar(homes, grid, region)
    cars = _cars(homes, grid, region.clock, seed)
    heat = _heat(homes, grid, outdoor)
    battery, soc = _batteries(homes, grid, solar - load - cars - heat)
    meter = solar - load - cars - heat + battery
    columns = (column.astype(SINGLE) for column in (load, solar, cars, heat, battery, soc, meter))
    return FleetChunk(homes, grid, *columns)


def _solar(homes: FleetHomes, grid: TimeGrid, region: _Region) -> Floats:
    made = np.zeros((grid.count, homes.number.size))
    owners = np.flatnonzero(homes.solar_kw > 0.0)
    if owners.size:
        arrays = SolarArrays(
            dc_rated_kw=homes.solar_kw[owners], tilt_deg=homes.tilt_deg[owners], azimuth_deg=homes.azimuth_deg[owners]
        )
        places, weather, sun = region.at(homes.neighbourhood[owners])
        made[:, owners] = solar_power(arrays, places, weather, sun=sun).ac_kw
    return made


def _cars(homes: FleetHomes, grid: TimeGrid, clock: LocalClock, seed: int) -> Floats:
    drawn = np.zeros((grid.count, homes.number.size))
    owners = np.flatnonzero(homes.charger_kw > 0.0)
    if owners.size:
        sessions = ev_sessions(
            HOME,
            cars=homes.number[owners],
            hour_of_day=clock.hour_of_day,
            weekday=clock.weekday,
            duration_h=grid.duration_h,
            seed=seed,
        )
        charging = ev_charging(
            sessions,
            max_kw=homes.charger_kw[owners][sessions.car],
            charge_efficiency=HOME.charge_efficiency,
            duration_h=grid.duration_h,
            shape=(grid.count, owners.size),
        )
        drawn[:, owners] = charging.load_kw
    return drawn


def _heat(homes: FleetHomes, grid: TimeGrid, outdoor_c: Floats) -> Floats:
    drawn = np.zeros((grid.count, homes.number.size))
    owners = np.flatnonzero(homes.heat_pump_kw > 0.0)
    if owners.size:
        outdoor = outdoor_c[:, owners]
        done = heat_pump_load(
            House(homes.resistance_k_per_kw[owners], homes.capacity_kwh_per_k[owners]),
            rated_kw=homes.heat_pump_kw[owners],
            outdoor_c=outdoor,
            cop=cop_of_air_source(outdoor),
            duration_h=grid.duration_h,
            initial_c=20.0 + 2.0 * (homes.number[owners] * 0.618033988749895 % 1.0),
        )
        drawn[:, owners] = done.load_kw
    return drawn


def _batteries(homes: FleetHomes, grid: TimeGrid, net_kw: Floats) -> tuple[Floats, Floats]:
    power = np.zeros(net_kw.shape)
    soc = np.full(net_kw.shape, np.nan)
    owners = np.flatnonzero(homes.battery_kwh > 0.0)
    if owners.size:
        capacity = homes.battery_kwh[owners]
        limits = StorageLimits(SOC_MIN * capacity, SOC_MAX * capacity, 0.5 * capacity, 0.5 * capacity, ONE_WAY, ONE_WAY)
        stored, power[:, owners], _ = follow(
            0.0 - net_kw[:, owners],
            SOC_INITIAL * capacity,
            limits,
            floor_kwh=SOC_MIN * capacity,
            standby_kw=0.0,
            duration_h=grid.duration_h,
        )
        soc[:, owners] = stored / capacity
    return power, soc
