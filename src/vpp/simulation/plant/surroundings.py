"""The world around a plant: where it stands, its local clock, its weather, the wholesale market.

Invariant: what the weather does depends on the seed and the place, not on what stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid, utc_offsets_s, zone
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.simulation.market.carbon import carbon_intensity
from vpp.simulation.market.prices import day_ahead_prices
from vpp.simulation.plant.runs import Surroundings
from vpp.simulation.seeds import generator
from vpp.simulation.weather import Places, SunPosition, Weather, resampled, sun_position, synthetic_weather

Floats = NDArray[np.float64]
USUAL_LATITUDE_DEG = 50.0
_DEG_PER_HOUR = 15.0
_SEEDS = 1 << 62
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class LocalClock:
    """The clock on the wall at the start of T steps: hours (0 to below 24) and weekdays (Monday 0), shape (T,)."""

    timezone: ZoneInfo
    hour_of_day: Floats
    weekday: NDArray[np.int64]

    @classmethod
    def of(cls, grid: TimeGrid, timezone: ZoneInfo) -> LocalClock:
        """Return the clock of a grid."""
        local_s = grid.times_s + utc_offsets_s(grid.times_s, timezone)
        day, second = np.divmod(local_s, SECONDS_PER_DAY)
        return cls(timezone, second / SECONDS_PER_HOUR, (day + _FIRST_WEEKDAY) % 7)


@dataclass(frozen=True, slots=True)
class World:
    """All of it, for one place: weather and sun have one site; ``seed`` is that of what happens outside."""

    grid: TimeGrid
    place: Places
    clock: LocalClock
    weather: Weather
    sun: SunPosition
    seed: int

    @property
    def temperature_c(self) -> Floats:
        """Outdoor temperature, shape (T,)."""
        return self.weather.temperature_c[:, 0]

    @property
    def ghi_w_m2(self) -> Floats:
        """Light on the ground, shape (T,)."""
        return self.weather.ghi_w_m2[:, 0]

    def surroundings(self) -> Surroundings:
        """Return what is told of it, with the wholesale market."""
        timezone, seed = self.clock.timezone, self.seed
        return Surroundings(
            self.ghi_w_m2,
            self.temperature_c,
            self.weather.wind_speed_m_s[:, 0],
            day_ahead_prices(self.grid, timezone=timezone, seed=seed),
            carbon_intensity(self.grid, timezone=timezone, seed=seed),
        )


def place_of(plant: Plant) -> Places:
    """Return where a plant stands; without a location 50 degrees north, on the meridian of its zone's winter."""
    if plant.latitude_deg is not None and plant.longitude_deg is not None:
        return Places(plant.latitude_deg, plant.longitude_deg)
    tz = zone(plant.timezone)
    offsets = [datetime(2023, month, 1, 12, tzinfo=tz).utcoffset() for month in (1, 7)]
    hours = min(offset.total_seconds() for offset in offsets if offset is not None) / SECONDS_PER_HOUR
    return Places(USUAL_LATITUDE_DEG, (_DEG_PER_HOUR * hours + 180.0) % 360.0 - 180.0)


def world_of(plant: Plant, grid: TimeGrid, *, seed: int, weather: Weather | None = None, episode: int = 0) -> World:
    """Return the world around a plant, with synthetic weather or one that is handed in.

    Parameters
    ----------
    plant, grid : Plant, TimeGrid
        Where and when.
    seed : int
        Seed of the simulation, 0 or more.
    weather : Weather, optional
        Weather of one site that covers the time.
    episode : int
        Number of a stretch of time, 0 or more: weather and prices are drawn anew for each.

    Raises
    ------
    InvalidInputError
        When the grid has no step or one longer than an hour, or the weather is of several sites or does not cover it.
    """
    if not grid.count or grid.resolution_s > SECONDS_PER_HOUR:
        raise InvalidInputError(
            "grid", f"{grid.count} steps of {grid.resolution_s} s", "steps of 1 s to 1 h, one or more"
        )
    place = place_of(plant)
    outside = seed if not episode else int(generator(seed, "episode", episode).integers(_SEEDS))
    if weather is None:
        weather = synthetic_weather(place, grid, seed=outside, alone=True)
    else:
        if weather.sites != 1:
            raise InvalidInputError("weather", f"{weather.sites} sites", "weather of one site")
        weather = resampled(weather, grid, places=weather.places or place)
    return World(grid, place, LocalClock.of(grid, zone(plant.timezone)), weather, sun_position(place, grid), outside)
