"""Degree hours: how cold and warm a usual year is, so that a share of a home's energy becomes a power per kelvin."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from vpp.core.time import TimeGrid, parse_time
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.weather import Climate, Places
from vpp.simulation.weather.clouds import winter
from vpp.simulation.weather.synthetic import WARMEST_DEG, daily_wave

_STEP_H = 6
_LEVELS = 9
_YEAR_H = 8760


def degree_hours(place: Places, *, below_c: float, above_c: float) -> tuple[float, float]:
    """Return the kelvin-hours of a usual year below one temperature and above another, at one place.

    From the climate's season, day and spread alone, without drawing any weather.
    """
    return _degree_hours(float(place.latitudes[0]), float(place.altitudes_m[0]), below_c, above_c)


@lru_cache(maxsize=256)
def _degree_hours(latitude_deg: float, altitude_m: float, below_c: float, above_c: float) -> tuple[float, float]:
    place = Places(latitude_deg, 0.0, altitude_m)
    grid = TimeGrid(parse_time("2023-01-01T00:00Z"), SECONDS_PER_HOUR * _STEP_H, _YEAR_H // _STEP_H)
    local = Climate().at(place)
    season = local.temperature_mean_c - local.temperature_season_c * winter(place, grid)
    usual = season + local.temperature_day_c * daily_wave(place, grid, lag_deg=WARMEST_DEG)
    spread = [NormalDist().inv_cdf((level + 0.5) / _LEVELS) for level in range(_LEVELS)]
    felt = usual + local.temperature_spread_c * np.array(spread)
    hours = _STEP_H / _LEVELS
    return (
        float(np.maximum(below_c - felt, 0.0).sum() * hours),
        float(np.maximum(felt - above_c, 0.0).sum() * hours),
    )
