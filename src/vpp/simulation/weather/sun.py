"""Where the sun stands: NREL's solar position algorithm, split so that many sites cost little.

What depends on the moment alone (the sun among the stars, sidereal time) comes from pvlib's SPA, once per step. What
depends on the place (hour angle, parallax, refraction) is a rotation of a vector, done for all sites at once; it gives
the algorithm's own angles, since its topocentric formulas are that rotation written in angles.

Reda and Andreas 2004, https://doi.org/10.1016/j.solener.2003.12.003; NREL/TP-560-34302.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pvlib import atmosphere, spa

from vpp.core.time import TimeGrid
from vpp.simulation.weather.places import Places

Floats = NDArray[np.float64]
DELTA_T_S = 67.0
"""Terrestrial time less UT1, pvlib's default; ten seconds move the sun by less than 0.0002 degrees."""
REFRACTION_TEMPERATURE_C = 12.0
REFRACTION_AT_HORIZON_DEG = 0.5667
_PA_PER_HPA = 100.0
_STEPS_KEPT = 1 << 18
_BLOCK_VALUES = 1 << 18
"""Values per block, 2 MiB: intermediate results stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class SunPosition:
    """Where the sun stands at S sites in the middle of T steps.

    Parameters
    ----------
    zenith_deg : float array, shape (T, S)
        Apparent zenith (refraction included), 0 to 180; 90 and more is below the horizon.
    azimuth_deg : float array, shape (T, S)
        Clockwise from north, 0 to 360.
    """

    zenith_deg: Floats
    azimuth_deg: Floats

    def part(self, start: int, stop: int) -> SunPosition:
        """Return sites ``start`` to before ``stop``."""
        return SunPosition(self.zenith_deg[:, start:stop], self.azimuth_deg[:, start:stop])


@dataclass(frozen=True, slots=True)
class SolarEphemeris:
    """The sun among the stars at T moments, seen from the Earth's centre.

    Parameters
    ----------
    hour_angle_deg : float array, shape (T,)
        Greenwich hour angle [deg].
    declination_deg : float array, shape (T,)
        Geocentric declination [deg].
    parallax_rad : float array, shape (T,)
        Equatorial horizontal parallax [rad].
    """

    hour_angle_deg: Floats
    declination_deg: Floats
    parallax_rad: Floats

    @classmethod
    def of(cls, grid: TimeGrid) -> SolarEphemeris:
        """Return the ephemeris at the middle of every step; its arrays are read-only."""
        return _ephemeris(grid) if len(grid) <= _STEPS_KEPT else cls.at(middles_s(grid))

    @classmethod
    def at(cls, times_s: Floats, *, delta_t_s: float = DELTA_T_S) -> SolarEphemeris:
        """Return the ephemeris at epoch seconds, shape (T,)."""
        if times_s.size == 0:
            return cls(*np.empty((3, 0)))
        anywhere = (0.0, 0.0, 0.0, 0.0, 0.0)  # place and air do not enter the geocentric part
        sidereal, ascension, declination = spa.solar_position(times_s, *anywhere, delta_t_s, 0.0, sst=True)
        (distance_au,) = spa.solar_position(times_s, *anywhere, delta_t_s, 0.0, esd=True)
        parallax = np.radians(spa.equatorial_horizontal_parallax(distance_au))
        return cls(sidereal - ascension, declination, parallax)

    def seen_from(
        self,
        places: Places,
        *,
        pressure_pa: ArrayLike | None = None,
        temperature_c: ArrayLike = REFRACTION_TEMPERATURE_C,
    ) -> SunPosition:
        """Return the sun's position at every place.

        Parameters
        ----------
        places : Places
            S sites.
        pressure_pa, temperature_c : float or array, shape (S,), optional
            Air for the refraction; by default the standard pressure of the altitude and 12 degrees.
        """
        air = atmosphere.alt2pres(places.altitudes_m) if pressure_pa is None else np.asarray(pressure_pa)
        air = np.broadcast_to(air / _PA_PER_HPA, (len(places),))
        warmth = np.broadcast_to(np.asarray(temperature_c, dtype=np.float64), (len(places),))
        shape = (self.declination_deg.size, len(places))
        zenith, azimuth = np.empty(shape), np.empty(shape)
        for block in site_blocks(*shape):
            elevation, azimuth[:, block] = self._topocentric(
                places.latitudes[block], places.longitudes[block], places.altitudes_m[block]
            )
            lift = spa.atmospheric_refraction_correction(
                air[block], warmth[block], elevation, REFRACTION_AT_HORIZON_DEG
            )
            zenith[:, block] = 90.0 - (elevation + lift)
        return SunPosition(zenith, azimuth)

    def shared(self, places: Places) -> SunPosition:
        """Return the sun's position with equal places computed once: one column where all are one, else S."""
        distinct, which = places.distinct()
        sun = self.seen_from(distinct)
        return sun if len(distinct) == 1 else SunPosition(sun.zenith_deg[:, which], sun.azimuth_deg[:, which])

    def _topocentric(self, latitude_deg: Floats, longitude_deg: Floats, altitude_m: Floats) -> tuple[Floats, Floats]:
        """Return elevation without air and azimuth [deg], shape (T, S)."""
        latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
        hour, declination = np.radians(self.hour_angle_deg)[:, None], np.radians(self.declination_deg)[:, None]
        reduced = spa.uterm(latitude_deg)
        axial = spa.yterm(reduced, latitude_deg, altitude_m) * np.sin(self.parallax_rad)[:, None]
        radial = spa.xterm(reduced, latitude_deg, altitude_m) * np.sin(self.parallax_rad)[:, None]
        ring = np.cos(declination)
        west = ring * np.sin(hour) * np.cos(longitude) + ring * np.cos(hour) * np.sin(longitude)
        meridian = ring * np.cos(hour) * np.cos(longitude) - ring * np.sin(hour) * np.sin(longitude) - radial
        pole = np.sin(declination) - axial
        up = np.sin(latitude) * pole + np.cos(latitude) * meridian
        north = np.cos(latitude) * pole - np.sin(latitude) * meridian
        elevation = np.degrees(np.arctan2(up, np.sqrt(north * north + west * west)))
        azimuth = np.degrees(np.arctan2(-west, north))
        return elevation, np.where(azimuth < 0.0, azimuth + 360.0, azimuth)


def sun_position(places: Places, grid: TimeGrid) -> SunPosition:
    """Return where the sun stands in the middle of every step.

    Sites at the same place share one computation.

    Parameters
    ----------
    places : Places
        S sites.
    grid : TimeGrid
        T steps.

    Returns
    -------
    SunPosition
        Angles of shape (T, S), read-only.

    Examples
    --------
    >>> from vpp.core.time import parse_time
    >>> noon = TimeGrid(parse_time("2023-06-21T11:30Z"), 3600, 1)
    >>> sun = sun_position(Places([51.48], [0.0]), noon)
    >>> round(float(sun.zenith_deg[0, 0]), 1), round(float(sun.azimuth_deg[0, 0]))
    (28.0, 179)
    """
    sun, shape = SolarEphemeris.of(grid).shared(places), (len(grid), len(places))
    return SunPosition(np.broadcast_to(sun.zenith_deg, shape), np.broadcast_to(sun.azimuth_deg, shape))


@lru_cache(maxsize=4)
def _ephemeris(grid: TimeGrid) -> SolarEphemeris:
    # weather, sun and arrays of one simulation ask for the same steps
    found = SolarEphemeris.at(middles_s(grid))
    for column in (found.hour_angle_deg, found.declination_deg, found.parallax_rad):
        column.setflags(write=False)
    return found


def middles_s(grid: TimeGrid) -> Floats:
    """Return the middle of every step in epoch seconds, shape (T,)."""
    return np.asarray(grid.times_s + 0.5 * grid.resolution_s, dtype=np.float64)


def site_blocks(steps: int, sites: int) -> Iterator[slice]:
    """Yield slices over sites, each small enough that its arrays stay in the processor's cache."""
    size = max(1, _BLOCK_VALUES // max(steps, 1))
    yield from (slice(first, min(first + size, sites)) for first in range(0, sites, size))
