"""Climate: what the weather of a place is like over years, by a dozen numbers.

What is not stated follows from the latitude and altitude: rough zonal means, good enough for a plausible year
anywhere, and to be replaced where the place is known. Invariant: every number lies in its stated range.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import SeriesMismatchError
from vpp.simulation.weather.places import Places, altitude_km
from vpp.simulation.weather.ranges import site_values

Floats = NDArray[np.float64]
LAPSE_C_PER_KM = 6.5
"""International Standard Atmosphere (ISO 2533)."""

_RANGES = {
    "temperature_mean_c": (-60.0, 40.0, "degC"),
    "temperature_season_c": (0.0, 35.0, "degC"),
    "temperature_day_c": (0.0, 15.0, "degC"),
    "temperature_spread_c": (0.0, 10.0, "degC"),
    "wind_scale_m_s": (0.1, 20.0, "m/s"),
    "wind_shape": (1.0, 4.0, ""),
    "wind_season": (-0.5, 0.5, ""),
    "wind_day_share": (0.0, 0.7, ""),
    "turbulence": (0.0, 0.3, ""),
    "cloud_cover": (0.01, 0.99, ""),
    "cloud_season": (-0.4, 0.4, ""),
    "cloud_persistence_h": (3.0, 240.0, "h"),
    "cloud_convection": (0.1, 0.9, ""),
    "cloud_transmittance": (0.1, 0.9, ""),
    "linke_turbidity": (1.0, 10.0, ""),
}


@dataclass(frozen=True, slots=True)
class LocalClimate:
    """A climate with every number known, float arrays of shape (S,); the fields are those of ``Climate``."""

    temperature_mean_c: Floats
    temperature_season_c: Floats
    temperature_day_c: Floats
    temperature_spread_c: Floats
    wind_scale_m_s: Floats
    wind_shape: Floats
    wind_season: Floats
    wind_day_share: Floats
    turbulence: Floats
    cloud_cover: Floats
    cloud_season: Floats
    cloud_transmittance: Floats


@dataclass(frozen=True, slots=True)
class Climate:
    """What the weather of the sites is like; None follows from latitude and altitude.

    Parameters
    ----------
    temperature_mean_c : float or array, shape (S,), optional
        Mean of the year at the site [degC], -60 to 40.
    temperature_season_c : float or array, optional
        Half of the difference between the warmest and the coldest time of the year, 0 to 35.
    temperature_day_c : float or array, optional
        Half of the difference between afternoon and dawn at the equator's equinox, 0 to 15; elsewhere it follows the
        sun's own daily wave, so that it is larger in summer and none in the polar night.
    temperature_spread_c : float or array, optional
        Standard deviation around season and day, 0 to 10.
    wind_scale_m_s, wind_shape : float or array, optional
        Weibull distribution of the wind at 10 m around season and day, 0.1 to 20 and 1 to 4.
    wind_season : float or array, optional
        How much stronger than its mean the wind blows in midwinter, -0.5 to 0.5.
    wind_day_share : float or array, optional
        How much stronger than its mean the wind blows in the early afternoon, 0 to 0.7.
    turbulence : float or array, optional
        Turbulence intensity: standard deviation of the gusts over the mean wind, 0 to 0.3.
    cloud_cover : float or array, optional
        Share of time in which a cloud stands before the sun, mean of the year, 0.01 to 0.99.
    cloud_season : float or array, optional
        How much larger it is in midwinter than on average, -0.4 to 0.4.
    cloud_persistence_h : float, optional
        Time in which the large weather systems change [h], 3 to 240; one number for all sites.
    cloud_convection : float, optional
        Share of the clouds' variance in cells of hours and cumulus of minutes rather than in weather systems, 0.1
        (layers) to 0.9 (showers); one number for all sites.
    cloud_transmittance : float or array, optional
        Mean share of the clear sky's light that comes through clouds, 0.1 to 0.9.
    linke_turbidity : float or array, optional
        Haze of the clear sky, 1 to 10; None takes pvlib's monthly map of the world.

    Raises
    ------
    InvalidInputError
        When a number lies outside its range.

    Examples
    --------
    >>> Climate(wind_scale_m_s=-1.0)
    Traceback (most recent call last):
    ...
    vpp.core.errors.InvalidInputError: climate.wind_scale_m_s: got -1.0, expected 0.1 to 20 [m/s]
    >>> local = Climate(temperature_mean_c=11.0).at(Places([52.0, 0.0], 5.0))
    >>> local.temperature_mean_c, local.temperature_season_c.round(1)
    (array([11., 11.]), array([9.3, 1. ]))
    """

    temperature_mean_c: ArrayLike | None = None
    temperature_season_c: ArrayLike | None = None
    temperature_day_c: ArrayLike | None = None
    temperature_spread_c: ArrayLike | None = None
    wind_scale_m_s: ArrayLike | None = None
    wind_shape: ArrayLike | None = None
    wind_season: ArrayLike | None = None
    wind_day_share: ArrayLike | None = None
    turbulence: ArrayLike | None = None
    cloud_cover: ArrayLike | None = None
    cloud_season: ArrayLike | None = None
    cloud_persistence_h: float = 30.0
    cloud_convection: float = 0.5
    cloud_transmittance: ArrayLike | None = None
    linke_turbidity: ArrayLike | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        for name, (low, high, unit) in _RANGES.items():
            value = getattr(self, name)
            if value is not None:
                site_values(f"climate.{name}", value, low=low, high=high, unit=unit)

    def at(self, places: Places) -> LocalClimate:
        """Return the climate of S sites with every number known.

        Raises
        ------
        SeriesMismatchError
            When an array of the climate has another length than the places.
        """
        zonal = _zonal(places)
        return LocalClimate(
            **{one.name: self._values(one.name, zonal[one.name], places) for one in fields(LocalClimate)}
        )

    def part(self, start: int, stop: int) -> Climate:
        """Return the climate of sites ``start`` to before ``stop``; what counts for every site stays."""
        stated = {one.name: getattr(self, one.name) for one in fields(self)}
        return Climate(**{name: value[start:stop] if np.size(value) > 1 else value for name, value in stated.items()})

    def turbidity(self, places: Places) -> Floats | None:
        """Return the stated haze of every site, shape (1, S); None where the map is to answer."""
        if self.linke_turbidity is None:
            return None
        return self._values("linke_turbidity", np.empty(0), places)[None, :]

    def _values(self, name: str, zonal: Floats, places: Places) -> Floats:
        stated = getattr(self, name)
        values = zonal if stated is None else np.atleast_1d(np.asarray(stated, dtype=np.float64))
        if values.size not in (1, len(places)):
            raise SeriesMismatchError(f"climate.{name}", values.shape, f"one number, or one per site: ({len(places)},)")
        return np.broadcast_to(values, (len(places),))


KELMARSH = Climate(temperature_mean_c=10.0, wind_scale_m_s=4.75, wind_shape=2.6, wind_season=0.2, wind_day_share=0.0)
"""The English Midlands at 52.4 N, 0.94 W: wind at 10 m that a power law of exponent 0.233 carries to that of the CERRA
reanalysis of 2018 at 100 m (Copernicus); the exponent is CERRA's own between 50 and 100 m."""


def _zonal(places: Places) -> dict[str, Floats]:
    """Return what is typical of a latitude and altitude."""
    latitude, height_km = np.abs(places.latitudes), np.maximum(altitude_km(places), 0.0)
    subtropics = np.exp(-(((latitude - 27.0) / 12.0) ** 2))
    same = np.ones(len(places))
    return {
        "temperature_mean_c": np.maximum(27.0 - 0.0065 * latitude**2 - LAPSE_C_PER_KM * height_km, -60.0),
        "temperature_season_c": np.clip(1.0 + 0.16 * latitude, 1.0, 15.0),
        "temperature_day_c": 4.5 + 1.5 * subtropics,
        "temperature_spread_c": 1.5 + 2.5 * np.clip((latitude - 10.0) / 35.0, 0.0, 1.0),
        "wind_scale_m_s": 4.0 + 1.5 * np.clip((latitude - 25.0) / 30.0, 0.0, 1.0),
        "wind_shape": 2.0 * same,
        "wind_season": 0.2 * np.clip((latitude - 20.0) / 30.0, 0.0, 1.0),
        "wind_day_share": 0.2 * same,
        "turbulence": 0.18 * same,
        "cloud_cover": 0.62 - 0.27 * subtropics,
        "cloud_season": 0.10 * np.clip((latitude - 20.0) / 20.0, -1.0, 1.0),
        "cloud_transmittance": 0.42 * same,
    }
