"""The cloudless sky and the split of daylight into beam and diffuse, on pvlib's models.

Clear sky: Ineichen and Perez 2002 (https://doi.org/10.1016/S0038-092X(02)00045-2) with the monthly Linke turbidity of
pvlib's world map, looked up once per map cell; no model with so few inputs fared better in Reno et al. 2012
(SAND2012-2389). Split: Erbs-Driesse (https://doi.org/10.1016/j.solener.2023.112093).
Invariant: global horizontal = diffuse horizontal + beam normal x cos(zenith); nothing shines while the sun is down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pvlib import atmosphere, clearsky, irradiance

from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sun import middles_s, site_blocks

Floats = NDArray[np.float64]
_CELLS_PER_DEG = 12
"""The turbidity map has cells of five minutes of arc."""
_MONTH_MIDDLES = pd.DatetimeIndex([f"2015-{month:02d}-15" for month in range(1, 13)], tz="UTC")
_MIDDLE_DAYS = np.array([middle.dayofyear for middle in _MONTH_MIDDLES], dtype=np.float64)
_YEAR_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Irradiance:
    """Daylight on the ground.

    Parameters
    ----------
    ghi_w_m2, dni_w_m2, dhi_w_m2 : float arrays, shape (T, S)
        Global horizontal, direct normal and diffuse horizontal irradiance [W/m2], 0 or more.
    """

    ghi_w_m2: Floats
    dni_w_m2: Floats
    dhi_w_m2: Floats


def days_of_year(grid: TimeGrid) -> Floats:
    """Return the day of the year (1 to 366, UTC) of every step's middle, shape (T,)."""
    days = np.floor_divide(middles_s(grid), SECONDS_PER_DAY).astype(np.int64).astype("datetime64[D]")
    return np.asarray((days - days.astype("datetime64[Y]")).astype(np.float64) + 1.0)


def extraterrestrial_w_m2(grid: TimeGrid) -> Floats:
    """Return the irradiance on a plane normal to the sun above the air [W/m2], shape (T,) (Spencer 1971)."""
    return np.asarray(irradiance.get_extra_radiation(days_of_year(grid)), dtype=np.float64)


def linke_turbidity(places: Places, grid: TimeGrid) -> Floats:
    """Return the Linke turbidity of every site and step from pvlib's map of monthly means, shape (T, S).

    Values between the middles of months are interpolated by the day of the year.
    """
    return interpolated_monthly(monthly_turbidity(places), grid)


def monthly_turbidity(places: Places) -> Floats:
    """Return the map's twelve monthly values at every site, shape (12, S)."""
    rows = np.clip(np.floor(places.latitudes * _CELLS_PER_DEG), -90 * _CELLS_PER_DEG, 90 * _CELLS_PER_DEG - 1)
    columns = np.clip(np.floor(places.longitudes * _CELLS_PER_DEG), -180 * _CELLS_PER_DEG, 180 * _CELLS_PER_DEG - 1)
    cells, which = np.unique(np.column_stack((rows, columns)), axis=0, return_inverse=True)
    middles = (cells + 0.5) / _CELLS_PER_DEG
    values = np.array([_cell_turbidity(float(latitude), float(longitude)) for latitude, longitude in middles])
    return np.asarray(values.reshape(-1, _MIDDLE_DAYS.size)[which.reshape(-1)].T, dtype=np.float64)


@lru_cache(maxsize=4096)
def _cell_turbidity(latitude_deg: float, longitude_deg: float) -> tuple[float, ...]:
    # pvlib opens the map for every call, 1.6 ms each
    series = clearsky.lookup_linke_turbidity(_MONTH_MIDDLES, latitude_deg, longitude_deg, interp_turbidity=False)
    return tuple(float(value) for value in series)


def interpolated_monthly(monthly: Floats, grid: TimeGrid) -> Floats:
    """Return twelve monthly values, shape (12, S), between the middles of months, shape (T, S)."""
    days = np.concatenate(([_MIDDLE_DAYS[-1] - _YEAR_DAYS], _MIDDLE_DAYS, [_MIDDLE_DAYS[0] + _YEAR_DAYS]))
    around = np.concatenate((monthly[-1:], monthly, monthly[:1]))
    day = days_of_year(grid)
    left = np.clip(np.searchsorted(days, day, side="right") - 1, 0, days.size - 2)
    share = ((day - days[left]) / (days[left + 1] - days[left]))[:, None]
    return np.asarray(around[left] + share * (around[left + 1] - around[left]))


def clear_sky(places: Places, grid: TimeGrid, zenith_deg: Floats, turbidity: Floats | None = None) -> Irradiance:
    """Return the irradiance under a cloudless sky.

    Parameters
    ----------
    places : Places
        S sites.
    grid : TimeGrid
        T steps.
    zenith_deg : float array, shape (T, S)
        Apparent zenith of the sun [deg].
    turbidity : float array, shape (T, S), optional
        Linke turbidity, 1 or more; from the world map by default.

    Examples
    --------
    >>> from vpp.core.time import parse_time
    >>> from vpp.simulation.weather.sun import sun_position
    >>> place, noon = Places([40.0], [0.0]), TimeGrid(parse_time("2023-06-21T11:30Z"), 3600, 1)
    >>> sky = clear_sky(place, noon, sun_position(place, noon).zenith_deg, np.array([[3.0]]))
    >>> round(float(sky.ghi_w_m2[0, 0]))
    974
    """
    if turbidity is None:
        turbidity = linke_turbidity(places, grid)
    extra = extraterrestrial_w_m2(grid)[:, None]
    shape = zenith_deg.shape
    ghi, dni, dhi = np.empty(shape), np.empty(shape), np.empty(shape)
    for block in site_blocks(*shape):
        zenith = zenith_deg[:, block]
        altitude = places.altitudes_m[block]
        air_mass = atmosphere.get_absolute_airmass(
            atmosphere.get_relative_airmass(zenith), atmosphere.alt2pres(altitude)
        )
        with np.errstate(divide="ignore", over="ignore"):  # at the horizon, where pvlib itself takes the smaller term
            sky = clearsky.ineichen(zenith, air_mass, turbidity[:, block], altitude=altitude, dni_extra=extra)
        up = zenith < 90.0
        ghi[:, block] = np.where(up, sky["ghi"], 0.0)
        dni[:, block] = np.where(up, np.maximum(sky["dni"], 0.0), 0.0)
        dhi[:, block] = np.where(up, np.maximum(sky["dhi"], 0.0), 0.0)
    return Irradiance(ghi, dni, dhi)


def split(ghi_w_m2: Floats, zenith_deg: Floats, grid: TimeGrid) -> Irradiance:
    """Return global, beam and diffuse irradiance from the global alone.

    Beyond 87 degrees of zenith all of it is diffuse; where the sun is down all three are 0.

    Parameters
    ----------
    ghi_w_m2 : float array, shape (T, S)
        Global horizontal irradiance [W/m2], 0 or more.
    zenith_deg : float array, shape (T, S)
        Zenith of the sun [deg].
    grid : TimeGrid
        T steps.
    """
    extra = extraterrestrial_w_m2(grid)[:, None]
    shape = ghi_w_m2.shape
    ghi, dni, dhi = np.where(zenith_deg < 90.0, ghi_w_m2, 0.0), np.empty(shape), np.empty(shape)
    for block in site_blocks(*shape):
        parts = irradiance.erbs_driesse(ghi[:, block], zenith_deg[:, block], dni_extra=extra)
        dni[:, block], dhi[:, block] = parts["dni"], parts["dhi"]
    return Irradiance(ghi, dni, dhi)
