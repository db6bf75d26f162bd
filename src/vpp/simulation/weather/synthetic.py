"""Synthetic weather: a seeded year, day or minute anywhere on Earth, at any resolution, alike at neighbouring sites.

Light is the clear sky's times a cloud process; warmth follows season, sun, clouds and passing air masses; wind has a
Weibull margin that lasts for hours, with gusts of seconds on top. Invariant: where the sun is down the light is
exactly 0; same seed, same bytes, however a fleet is cut; GHI = DHI + DNI cos(zenith).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pvlib import atmosphere
from scipy.special import log_ndtr

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.weather.climate import Climate, LocalClimate
from vpp.simulation.weather.clouds import cloud_light, winter
from vpp.simulation.weather.conditions import Weather
from vpp.simulation.weather.fields import Mode, draw
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sky import clear_sky, linke_turbidity, split
from vpp.simulation.weather.sun import SolarEphemeris, site_blocks, sun_position

Floats = NDArray[np.float64]
_HOUR_S = float(SECONDS_PER_HOUR)
AIR_MASSES = (Mode(84.0 * _HOUR_S, 900.0, 0.9), Mode(6.0 * _HOUR_S, 100.0, 0.1))
WIND = (Mode(36.0 * _HOUR_S, 500.0, 0.75), Mode(6.0 * _HOUR_S, 100.0, 0.25))
GUSTS = (Mode(120.0, 0.6, 0.25), Mode(20.0, 0.15, 0.45), Mode(4.0, 0.04, 0.3))
WARMEST_DEG = 37.5
"""The afternoon's warmth follows the sun's daily wave by two and a half hours."""
WINDIEST_DEG = 22.5
CLOUDS_DAMP = 0.6
"""Share of the daily swing of the temperature that an overcast sky takes away."""
_EQUINOX_WAVE = 0.5


def synthetic_weather(
    places: Places, grid: TimeGrid, *, seed: int, climate: Climate | None = None, alone: bool = False
) -> Weather:
    """Return a plausible course of the weather.

    Parameters
    ----------
    places : Places
        S sites; those at the same place share their weather, neighbours nearly do.
    grid : TimeGrid
        T steps of 1 s to 1 h.
    seed : int
        Seed of the simulation, 0 or more.
    climate : Climate, optional
        What the weather is like; by default what latitude and altitude suggest.
    alone : bool, optional
        True for one place whose weather is not set beside that of others: another draw of the same process, many times
        as fast.

    Returns
    -------
    Weather
        Columns of shape (T, S), with the places.

    Raises
    ------
    InvalidInputError
        When the seed is negative, or a step is longer than an hour.
    SeriesMismatchError
        When an array of the climate has another length than the places.

    Examples
    --------
    >>> from vpp.core.time import parse_time
    >>> day = TimeGrid(parse_time("2023-06-21T00:00Z"), 3600, 24)
    >>> weather = synthetic_weather(Places([52.1], [5.2]), day, seed=1)
    >>> weather.ghi_w_m2.shape, float(weather.ghi_w_m2[0, 0])
    ((24, 1), 0.0)
    """
    if grid.resolution_s > SECONDS_PER_HOUR:
        raise InvalidInputError("grid.resolution_s", grid.resolution_s, f"1 to {SECONDS_PER_HOUR} s")
    climate = climate or Climate()
    local = climate.at(places)
    zenith = sun_position(places, grid).zenith_deg
    clouds = cloud_light(
        places,
        grid,
        local,
        persistence_h=climate.cloud_persistence_h,
        convection=climate.cloud_convection,
        seed=seed,
        alone=alone,
    )
    stated = climate.turbidity(places)
    haze = linke_turbidity(places, grid) if stated is None else np.broadcast_to(stated, zenith.shape)
    light = split(clouds.index * clear_sky(places, grid, zenith, haze).ghi_w_m2, zenith, grid)
    pressure = np.asarray(atmosphere.alt2pres(places.altitudes_m), dtype=np.float64)
    return Weather(
        grid,
        light.ghi_w_m2,
        light.dni_w_m2,
        light.dhi_w_m2,
        _temperature_c(places, grid, local, clouds.outlook, seed=seed, alone=alone),
        _wind_speed_m_s(places, grid, local, seed=seed, alone=alone),
        np.broadcast_to(pressure, zenith.shape),
        places,
    )


def _temperature_c(
    places: Places, grid: TimeGrid, climate: LocalClimate, outlook: Floats, *, seed: int, alone: bool
) -> Floats:
    season = climate.temperature_mean_c - climate.temperature_season_c * winter(places, grid)
    damping = (1.0 - CLOUDS_DAMP * outlook) / (1.0 - CLOUDS_DAMP * climate.cloud_cover)
    day = climate.temperature_day_c * damping * daily_wave(places, grid, lag_deg=WARMEST_DEG)
    anomaly = climate.temperature_spread_c * draw(AIR_MASSES, places, grid, seed=seed, name="temperature", alone=alone)
    return season + day + anomaly


def _wind_speed_m_s(places: Places, grid: TimeGrid, climate: LocalClimate, *, seed: int, alone: bool) -> Floats:
    rank = draw(WIND, places, grid, seed=seed, name="wind", alone=alone)
    mean = climate.wind_scale_m_s * (-log_ndtr(-rank)) ** (1.0 / climate.wind_shape)
    day = 1.0 + climate.wind_day_share * np.clip(daily_wave(places, grid, lag_deg=WINDIEST_DEG), -1.0, 1.0)
    gusts = 1.0 + climate.turbulence * draw(GUSTS, places, grid, seed=seed, name="gusts", alone=alone)
    season = 1.0 + climate.wind_season * winter(places, grid)
    return np.asarray(np.maximum(mean * season * day * gusts, 0.0))


def daily_wave(places: Places, grid: TimeGrid, *, lag_deg: float) -> Floats:
    """Return the first harmonic of the sun's height over the horizon, shape (T, S), delayed by an hour angle.

    It has amplitude 1 at the equator's equinox and none in the polar night.
    """
    sun = SolarEphemeris.of(grid)
    latitude, longitude = np.radians(places.latitudes), np.radians(places.longitudes)
    declination, hour = np.radians(sun.declination_deg)[:, None], np.radians(sun.hour_angle_deg - lag_deg)[:, None]
    wave = np.empty((len(grid), len(places)))
    for block in site_blocks(*wave.shape):
        offset = np.sin(latitude[block]) * np.sin(declination)
        swing = np.cos(latitude[block]) * np.cos(declination)
        at_sunset = np.clip(-offset / np.maximum(swing, 1e-12), -1.0, 1.0)
        across = np.sqrt(1.0 - at_sunset**2)
        height = 2.0 * offset * across + swing * (np.arccos(at_sunset) + across * at_sunset)
        turned = np.cos(hour) * np.cos(longitude[block]) - np.sin(hour) * np.sin(longitude[block])
        wave[:, block] = height / (np.pi * _EQUINOX_WAVE) * turned
    return wave
