"""Weather on another grid: means on a coarser one, the sun's own course on a finer one.

Invariant: the energy of global light in each coarse step stays what it was, wherever the sun is up in it; no light at
night; GHI = DHI + DNI cos(zenith) on a finer grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.time import TimeGrid
from vpp.simulation.weather.conditions import COLUMNS, Weather
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sky import clear_sky, extraterrestrial_w_m2
from vpp.simulation.weather.sun import middles_s, sun_position

Floats = NDArray[np.float64]
_HIGHEST_INDEX = 2.0
"""Clear-sky index above which a neighbour's light no longer shapes a step: at dawn the ratio of two small numbers."""


def resampled(weather: Weather, grid: TimeGrid, *, places: Places | None = None) -> Weather:
    """Return the weather on another grid inside its own.

    A coarser grid takes means. A finer one lays beam and diffuse light along the clear sky's course by the clear-sky
    index, interpolated between steps and set right in each; warmth, wind and pressure run linearly between the middles.

    Parameters
    ----------
    weather : Weather
        T steps at S sites.
    grid : TimeGrid
        Steps within those of the weather; one resolution divides the other, and the steps line up.
    places : Places, optional
        Where the sites stand, needed for a finer grid when the weather does not say.

    Raises
    ------
    InvalidInputError
        When the grid reaches outside the weather, or its steps do not line up.
    MissingDataError
        When places are needed and not known.
    """
    own = weather.grid
    if grid.start_s < own.start_s or grid.end_s > own.end_s:
        raise InvalidInputError(
            "grid", f"{grid.start} to {grid.end}", f"steps within the weather's, {own.start} to {own.end}"
        )
    fine_s, coarse_s = sorted((own.resolution_s, grid.resolution_s))
    if coarse_s % fine_s or (grid.start_s - own.start_s) % fine_s:
        raise InvalidInputError(
            "grid.resolution_s", grid.resolution_s, f"a multiple or a part of {own.resolution_s}, on the same steps"
        )
    if grid.resolution_s >= own.resolution_s:
        return _coarser(weather, grid)
    places = places if places is not None else weather.places
    if places is None:
        raise MissingDataError("weather without places: hand in places, which a finer grid needs for the sun")
    whole = TimeGrid(own.start, grid.resolution_s, own.count * (own.resolution_s // grid.resolution_s))
    first = (grid.start_s - own.start_s) // grid.resolution_s
    return _finer(weather, whole, places).steps(first, first + grid.count)


def _coarser(weather: Weather, grid: TimeGrid) -> Weather:
    size = grid.resolution_s // weather.grid.resolution_s
    first = (grid.start_s - weather.grid.start_s) // weather.grid.resolution_s

    def mean(values: Floats) -> Floats:
        cut = values[first : first + size * grid.count]
        return np.asarray(cut.reshape(grid.count, size, -1).mean(axis=1))

    return Weather(grid, **{name: mean(getattr(weather, name)) for name in COLUMNS}, places=weather.places)


def _finer(weather: Weather, grid: TimeGrid, places: Places) -> Weather:
    zenith = sun_position(places, grid).zenith_deg
    cosine = np.where(zenith < 90.0, np.cos(np.radians(zenith)), 0.0)
    sky = clear_sky(places, grid, zenith)
    size = weather.grid.resolution_s // grid.resolution_s
    beam = _laid(np.maximum(weather.ghi_w_m2 - weather.dhi_w_m2, 0.0), sky.dni_w_m2 * cosine, size)
    dni = np.divide(beam, cosine, out=np.zeros_like(beam), where=cosine > 0.0)
    # at the horizon a little beam can ask for more than the sun gives; the rest is diffuse
    dni = np.minimum(dni, extraterrestrial_w_m2(grid)[:, None])
    beam = dni * cosine
    dhi = _laid(np.maximum(weather.ghi_w_m2 - _means(beam, size), 0.0), sky.dhi_w_m2, size)
    old, new = middles_s(weather.grid), middles_s(grid)

    def between(values: Floats) -> Floats:
        return np.column_stack([np.interp(new, old, values[:, site]) for site in range(weather.sites)])

    rest = {name: between(getattr(weather, name)) for name in ("temperature_c", "wind_speed_m_s", "pressure_pa")}
    return Weather(grid, beam + dhi, dni, dhi, **rest, places=places)


def _means(values: Floats, size: int) -> Floats:
    return np.asarray(values.reshape(-1, size, values.shape[1]).mean(axis=1))


def _laid(light: Floats, course: Floats, size: int) -> Floats:
    """Return coarse light along a fine course, its mean in every coarse step unchanged, shape of the course."""
    clear = _means(course, size)
    index = np.clip(np.divide(light, clear, out=np.zeros_like(light), where=clear > 0.0), 0.0, _HIGHEST_INDEX)
    # nothing is known of the index at night: there it takes the value of the nearest light
    old, new = np.arange(light.shape[0]) + 0.5, (np.arange(course.shape[0]) + 0.5) / size
    shape = np.empty_like(course)
    for site in range(course.shape[1]):
        day = clear[:, site] > 0.0
        shape[:, site] = np.interp(new, old[day], index[day, site]) if day.any() else 0.0
    shape *= course
    got = _means(shape, size)
    # a step darker than both its neighbours' interpolation allows falls back to the course itself
    shape = np.where(np.repeat(got > 0.0, size, axis=0), shape, course)
    got = np.where(got > 0.0, got, clear)
    factor = np.divide(light, got, out=np.zeros_like(light), where=got > 0.0)
    return np.asarray(shape * np.repeat(factor, size, axis=0))
