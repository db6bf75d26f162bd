"""From weather to the inverter's terminals: one pipeline over all arrays and steps.

Light on the plane, glass, cell temperature, losses, modules, inverter; sites go through in blocks that fit the
processor's cache. Invariant: power is 0 while the sun is down, at most the inverter's rating, and never negative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pvlib import atmosphere

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.units import SECONDS_PER_DAY
from vpp.simulation.solar.arrays import SolarArrays
from vpp.simulation.solar.models import (
    ac_power_kw,
    cell_temperature_c,
    dc_power_kw,
    glass_share,
    remaining,
    sky_diffuse,
)
from vpp.simulation.solar.shading import (
    LEAST_COVERAGE,
    horizon_beam_share,
    horizon_sky_share,
    row_beam_share,
    row_sky_share,
)
from vpp.simulation.weather.conditions import Weather
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sky import extraterrestrial_w_m2
from vpp.simulation.weather.sun import SolarEphemeris, SunPosition, middles_s, site_blocks

Floats = NDArray[np.float64]
_SECONDS_PER_YEAR = 365.25 * SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class SolarYield:
    """What arrays made.

    Parameters
    ----------
    ac_kw : float array, shape (T, S)
        Power at the inverters' terminals, 0 to their rating.
    dc_kw : float array, shape (T, S)
        Power of the modules after the losses of the DC side, 0 or more; what the inverter clips is still in it.
    poa_w_m2 : float array, shape (T, S)
        Irradiance on the plane of the modules, after shading.
    cell_temperature_c : float array, shape (T, S)
        Temperature of the cells; that of the air at night.
    """

    ac_kw: Floats
    dc_kw: Floats
    poa_w_m2: Floats
    cell_temperature_c: Floats

    def curtailed(self, ceiling_kw: ArrayLike) -> SolarYield:
        """Return the yield with the AC power held at or under a ceiling, 0 or more, shape (), (S,) or (T, S)."""
        ceiling = np.asarray(ceiling_kw, dtype=np.float64)
        if not np.all(ceiling >= 0.0):
            raise InvalidInputError("ceiling_kw", float(np.min(ceiling)), "0 or more [kW]")
        return replace(self, ac_kw=np.minimum(self.ac_kw, ceiling))


def solar_power(arrays: SolarArrays, places: Places, weather: Weather, *, sun: SunPosition | None = None) -> SolarYield:
    """Return what the arrays make in the weather.

    Parameters
    ----------
    arrays : SolarArrays
        S arrays, or one that stands at every place.
    places : Places
        S places, or one for all arrays.
    weather : Weather
        T steps at S sites, or at one that counts for all.
    sun : SunPosition, optional
        Where the sun stands at the places, when it is known already.

    Raises
    ------
    SeriesMismatchError
        When arrays, places, weather and sun name different numbers of sites.

    Examples
    --------
    >>> from vpp.core.time import TimeGrid, parse_time
    >>> from vpp.simulation.weather import synthetic_weather
    >>> place, day = Places(35.0, -117.0), TimeGrid(parse_time("2023-06-21T08:00Z"), 3600, 24)
    >>> made = solar_power(SolarArrays(dc_rated_kw=5.0), place, synthetic_weather(place, day, seed=1))
    >>> made.ac_kw.shape, float(made.ac_kw[0, 0])
    ((24, 1), 0.0)
    """
    sites = _sites(arrays, places, weather, sun)
    shape = (len(weather.grid), sites)
    made = SolarYield(*(np.empty(shape) for _ in range(4)))
    ephemeris = SolarEphemeris.of(weather.grid)
    for block in site_blocks(*shape):
        some_arrays = arrays.part(block.start, block.stop) if len(arrays) > 1 else arrays
        some_places = places.part(block.start, block.stop) if len(places) > 1 else places
        some_weather = _columns(weather, block)
        if sun is not None:
            some_sun = sun.part(block.start, block.stop) if sun.zenith_deg.shape[1] > 1 else sun
        else:
            some_sun = ephemeris.shared(some_places)
        _fill(made, block, some_arrays, some_weather, some_sun)
    return made


def _sites(arrays: SolarArrays, places: Places, weather: Weather, sun: SunPosition | None) -> int:
    counts = {"arrays": len(arrays), "places": len(places), "weather": weather.sites}
    if sun is not None:
        counts["sun"] = sun.zenith_deg.shape[1]
        if sun.zenith_deg.shape[0] != len(weather.grid):
            raise SeriesMismatchError("sun", sun.zenith_deg.shape, f"{len(weather.grid)} steps, as the weather has")
    several = {count for count in counts.values() if count != 1}
    if len(several) > 1:
        raise SeriesMismatchError("sites", counts, "the same number of arrays, places, weather and sun, or one")
    return several.pop() if several else 1


def _columns(weather: Weather, block: slice) -> Weather:
    return weather.part(block.start, block.stop) if weather.sites > 1 else weather


def _fill(made: SolarYield, block: slice, arrays: SolarArrays, weather: Weather, sun: SunPosition) -> None:
    """Write one block of sites."""
    beam, diffuse = _on_plane(arrays, weather, sun)
    incidence = np.degrees(np.arccos(np.clip(_cos_incidence(arrays, sun), -1.0, 1.0)))
    poa = beam + diffuse
    cell = cell_temperature_c(arrays.cell_model, arrays.mounting, poa, weather.temperature_c, weather.wind_speed_m_s)
    effective = beam * glass_share(incidence) + diffuse
    years = (middles_s(weather.grid) - weather.grid.start_s)[:, None] / _SECONDS_PER_YEAR + arrays.of("age_years")
    dc = dc_power_kw(effective, cell, arrays.of("dc_rated_kw"), arrays.of("temperature_coefficient_per_c"))
    dc = dc * (arrays.kept() * remaining(arrays.of("degradation_per_year"), years))
    made.poa_w_m2[:, block] = poa
    made.cell_temperature_c[:, block] = cell
    made.dc_kw[:, block] = dc
    made.ac_kw[:, block] = ac_power_kw(dc, arrays.of("ac_rated_kw"), arrays.of("inverter_efficiency"))


def _cos_incidence(arrays: SolarArrays, sun: SunPosition) -> Floats:
    """Return the cosine of the angle between the sun and each plane's normal, shape (T, S)."""
    tilt, azimuth = np.radians(arrays.of("tilt_deg")), np.radians(arrays.of("azimuth_deg"))
    zenith = np.radians(sun.zenith_deg)
    turned = np.cos(np.radians(sun.azimuth_deg) - azimuth)
    return np.asarray(np.cos(tilt) * np.cos(zenith) + np.sin(tilt) * np.sin(zenith) * turned)


def _on_plane(arrays: SolarArrays, weather: Weather, sun: SunPosition) -> tuple[Floats, Floats]:
    """Return beam and diffuse irradiance on the plane [W/m2] after shading; both 0 while the sun is down."""
    tilt, azimuth, coverage = arrays.of("tilt_deg"), arrays.of("azimuth_deg"), arrays.of("ground_coverage_ratio")
    up = sun.zenith_deg < 90.0
    dni, dhi = np.where(up, weather.dni_w_m2, 0.0), np.where(up, weather.dhi_w_m2, 0.0)
    cosine = _cos_incidence(arrays, sun)
    air_mass = (
        np.asarray(atmosphere.get_relative_airmass(np.where(up, sun.zenith_deg, np.nan)))
        if arrays.sky_model != "haydavies"
        else cosine
    )
    sky = sky_diffuse(
        arrays.sky_model,
        cosine,
        tilt,
        azimuth,
        sun.zenith_deg,
        sun.azimuth_deg,
        dni_w_m2=dni,
        dhi_w_m2=dhi,
        extra_w_m2=extraterrestrial_w_m2(weather.grid)[:, None],
        air_mass=air_mass,
    )
    ground = np.where(up, weather.ghi_w_m2, 0.0) * arrays.of("albedo") * (1.0 - np.cos(np.radians(tilt))) / 2.0
    beam = dni * np.maximum(cosine, 0.0)
    if (coverage > LEAST_COVERAGE).any():
        beam = beam * row_beam_share(sun.zenith_deg, sun.azimuth_deg, tilt, azimuth, coverage)
        sky = sky * row_sky_share(tilt, coverage)
    if arrays.horizon is not None:
        beam = beam * horizon_beam_share(sun.zenith_deg, sun.azimuth_deg, arrays.horizon)
        sky = sky * horizon_sky_share(arrays.horizon)
    return beam, np.where(up, sky + ground, 0.0)
