"""Plants whose settings were fitted to measured photovoltaics, as they stand for their region.

Each was fitted on the mean over several seeds of what it makes, to the mean, the upper quantiles, the autocorrelation
after an hour and a day, and the 95 % quantile of hourly ramps of the measurements it names. Orientation, size and
clouds were free together, so a single number of them is no measurement. Invariant: settings only; the seed is handed
in with the weather.

Measurements: ten homes in Fontana, California, 2016-08 to 2017-07 (EPRI, in CityLearn's 2022 data, MIT); the grid
area of Luxembourg, 2020 (SMARD.de, CC BY 4.0); NREL's SERF East array at Golden, Colorado, 2016-07 to 2016-10
(pvanalytics, MIT).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpp.core.units import kw_from_mw
from vpp.simulation.solar.arrays import SolarArrays
from vpp.simulation.weather.climate import Climate
from vpp.simulation.weather.places import Places


@dataclass(frozen=True, slots=True)
class CalibratedPlant:
    """S arrays, where they stand, and the climate there."""

    arrays: SolarArrays
    places: Places
    climate: Climate


def fontana(homes: int = 10) -> CalibratedPlant:
    """Return roofs of homes in one street of Fontana, California, each of the measured homes' mean size.

    Parameters
    ----------
    homes : int, optional
        Number of homes, 1 or more; some three hundred metres apart.
    """
    arrays = SolarArrays(
        dc_rated_kw=np.full(homes, 4.66),
        ac_rated_kw=4.77,
        tilt_deg=14.0,
        azimuth_deg=184.0 + _spread(homes, 9.0),
        mounting="close_mount",
        degradation_per_year=0.0,
    )
    climate = Climate(
        temperature_mean_c=18.0,
        cloud_cover=0.245,
        cloud_season=0.25,
        cloud_transmittance=0.26,
        cloud_convection=0.4,
    )
    return CalibratedPlant(arrays, Places(34.1, -117.45 + 0.003 * np.arange(homes), 380.0), climate)


def luxembourg(places: int = 120) -> CalibratedPlant:
    """Return the photovoltaics of Luxembourg as so many plants of equal size across the country.

    Parameters
    ----------
    places : int, optional
        Number of plants, 1 or more; fewer ramp faster than the country does from one quarter-hour to the next.
    """
    rng = np.random.default_rng(5)  # a fixed layout, not a draw of the simulation
    arrays = SolarArrays(
        dc_rated_kw=np.full(places, kw_from_mw(163.5) / places),
        ac_rated_kw=kw_from_mw(180.0) / places,
        tilt_deg=28.0,
        azimuth_deg=203.0 + _spread(places, 82.0),
        mounting="close_mount",
        degradation_per_year=0.0,
    )
    climate = Climate(
        temperature_mean_c=10.0,
        cloud_cover=0.456,
        cloud_season=0.294,
        cloud_transmittance=0.238,
        cloud_convection=0.4,
    )
    where = Places(rng.uniform(49.5, 50.1, places), rng.uniform(5.8, 6.5, places), 300.0)
    return CalibratedPlant(arrays, where, climate)


def golden() -> CalibratedPlant:
    """Return one array at Golden, Colorado, in the showery half of the year."""
    arrays = SolarArrays(dc_rated_kw=5.85, ac_rated_kw=7.1, tilt_deg=36.0, azimuth_deg=166.8, degradation_per_year=0.0)
    climate = Climate(
        temperature_mean_c=10.0,
        cloud_cover=0.262,
        cloud_season=0.045,
        cloud_transmittance=0.2,
        cloud_convection=0.65,
    )
    return CalibratedPlant(arrays, Places(39.742, -105.17, 1830.0), climate)


def _spread(count: int, half_width: float) -> np.ndarray:
    return np.linspace(-half_width, half_width, count) if count > 1 else np.zeros(count)
