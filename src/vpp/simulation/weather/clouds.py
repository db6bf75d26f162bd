"""Clouds: a seeded process of cover and thickness, and the share of the clear sky's light it lets through.

A Gaussian field crosses a threshold where a cloud stands before the sun. Its modes are weather systems (days),
mesoscale cells (hours), cumulus (minutes) and ragged edges (a minute), so the light is two-valued at a second
and a cloud fraction at an hour. What varies within a step, and so is missing from the field's step mean, widens the
threshold: Phi((g - m) / s) of a Gaussian g with unresolved variance v has the mean Phi((g - m) / sqrt(s^2 + v)).
Invariant: cover, and with it the mean light, does not depend on the resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_HOUR
from vpp.simulation.weather.climate import LocalClimate
from vpp.simulation.weather.fields import Mode, draw, step_variance
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sky import days_of_year

Floats = NDArray[np.float64]
CELLS = (Mode(2.0 * SECONDS_PER_HOUR, 60.0, 0.44), Mode(500.0, 4.0, 0.52), Mode(60.0, 0.6, 0.04))
"""Mesoscale cells, cumulus and ragged edges, by their shares of the variance that is not the weather systems'."""
SYSTEMS_RANGE_KM = 600.0
THICKNESS = (Mode(6.0 * SECONDS_PER_HOUR, 120.0, 1.0),)
HAZE = (Mode(48.0 * SECONDS_PER_HOUR, 400.0, 1.0),)
EDGE = 0.20
"""Softness of a cloud's edge, in standard deviations of the field."""
RIM, RIM_GAIN = 0.35, 0.12
"""Width of the bright rim beside a cloud, and how much light its side adds to the clear sky's."""
HAZE_SPREAD = 0.03
THICKNESS_SPREAD = 0.30
SYSTEMS_IN_THICKNESS = 0.6
"""Correlation between the thickness of clouds and the weather system they belong to."""
_COLDEST_DAY = 15.0
_YEAR_DAYS = 365.25
_LIGHTEST, _DARKEST = 0.95, 0.06


@dataclass(frozen=True, slots=True)
class CloudLight:
    """What the clouds do to the light.

    Parameters
    ----------
    index : float array, shape (T, S)
        Global irradiance over that of the clear sky, above 0; somewhat above 1 beside clouds.
    outlook : float array, shape (T, S)
        Cover that the weather system alone lets expect, 0 to 1: overcast days from bright ones.
    """

    index: Floats
    outlook: Floats


def cloud_light(
    places: Places,
    grid: TimeGrid,
    climate: LocalClimate,
    *,
    persistence_h: float,
    convection: float,
    seed: int,
    alone: bool = False,
) -> CloudLight:
    """Return the clear-sky index and the day's outlook at S sites over T steps.

    Parameters
    ----------
    places, grid : Places, TimeGrid
        Where and when.
    climate : LocalClimate
        Cloud cover, its season and the clouds' transmittance.
    persistence_h : float
        Time in which weather systems change [h].
    convection : float
        Share of the field's variance in modes of hours and less, 0 to 1 exclusive.
    seed : int
        Seed of the simulation.
    alone : bool, optional
        True for one place without neighbours, see ``draw``.
    """
    lasting = 1.0 - convection
    systems = (Mode(persistence_h * SECONDS_PER_HOUR, SYSTEMS_RANGE_KM, lasting),)
    cells = tuple(replace(mode, share=mode.share * convection) for mode in CELLS)
    slow = draw(systems, places, grid, seed=seed, name="cloud-systems", alone=alone)
    field = slow + draw(cells, places, grid, seed=seed, name="cloud-cells", alone=alone)
    unresolved = 1.0 - step_variance((*systems, *cells), grid.resolution_s)
    expected = np.clip(climate.cloud_cover + climate.cloud_season * winter(places, grid), 0.01, 0.99)
    threshold = -np.sqrt(1.0 + EDGE**2) * ndtri(expected)
    width = np.sqrt(EDGE**2 + unresolved)
    cover = ndtr((field - threshold) / width)
    rim = ndtr((field - threshold + RIM) / width) - cover
    own = draw(THICKNESS, places, grid, seed=seed, name="cloud-thickness", alone=alone)
    thickness = SYSTEMS_IN_THICKNESS * slow / np.sqrt(lasting) + np.sqrt(1.0 - SYSTEMS_IN_THICKNESS**2) * own
    through = climate.cloud_transmittance * (1.0 + THICKNESS_SPREAD * 2.0 * (1.0 - 2.0 * ndtr(thickness)))
    through = np.clip(through, _DARKEST, _LIGHTEST)
    haze = np.exp(HAZE_SPREAD * draw(HAZE, places, grid, seed=seed, name="haze", alone=alone) - 0.5 * HAZE_SPREAD**2)
    outlook = ndtr((slow - threshold) / np.sqrt(convection + EDGE**2))
    return CloudLight(haze * (1.0 + RIM_GAIN * rim - cover * (1.0 - through)), outlook)


def winter(places: Places, grid: TimeGrid) -> Floats:
    """Return the season at every site, 1 in midwinter and -1 in midsummer, shape (T, S)."""
    phase = np.cos(2.0 * np.pi * (days_of_year(grid) - _COLDEST_DAY) / _YEAR_DAYS)
    return np.asarray(phase[:, None] * np.where(places.latitudes < 0.0, -1.0, 1.0))
