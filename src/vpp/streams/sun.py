"""Sun: when it is dark at a plant, and how much light a clear sky can give there.

Textbook formulas, good to about a degree: enough to tell day from night, not to simulate a PV array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Plant
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]

DARK_BELOW_DEG = -10.0
"""Sun elevation below which it is surely dark, also when the place is known only by its time zone: 10 degrees are
40 minutes of the sun's way at the equator and more elsewhere, beyond the civil twilight's 6."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plant stands: north and east positive; ``stated`` when the plant says so itself."""

    latitude_deg: float
    longitude_deg: float
    stated: bool


@dataclass(frozen=True, slots=True)
class Sky:
    """The sun over the middle of each step.

    Parameters
    ----------
    dark : bool array
        True where the sun stands below ``DARK_BELOW_DEG``.
    clear : float array
        Irradiance of a flat surface under a clear sky [kW/m2], which is also the share of its rating that an ideal
        flat PV array would give.
    hour_angle_rad : float array
        0 at solar noon, positive after it.
    """

    dark: NDArray[np.bool_]
    clear: Floats
    hour_angle_rad: Floats


def place_of(plant: Plant) -> Place | None:
    """Return where a plant stands: as stated, else the main place of its time zone; None when neither is known."""
    if plant.latitude_deg is not None and plant.longitude_deg is not None:
        return Place(plant.latitude_deg, plant.longitude_deg, stated=True)
    return _zone_places().get(plant.timezone)


@cache
def _zone_places() -> dict[str, Place]:
    """Read the time zone database's table of zones: ``US  +340308-1181434  America/Los_Angeles  Pacific``."""
    text = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[2]: _place(row[1]) for row in rows}


def _place(text: str) -> Place:
    """Read ISO 6709 degrees, minutes and perhaps seconds: ``+5222+00454``, ``+340308-1181434``."""
    split = max(text.rfind("+"), text.rfind("-"))
    return Place(_degrees(text[:split], 2), _degrees(text[split:], 3), stated=False)


def _degrees(text: str, digits: int) -> float:
    whole, minutes, seconds = text[1 : 1 + digits], text[1 + digits : 3 + digits], text[3 + digits :] or "0"
    size = int(whole) + int(minutes) / 60.0 + int(seconds) / 3600.0
    return -size if text[0] == "-" else size


def sky_at(place: Place, times_s: Seconds, resolution_s: int) -> Sky:
    """Return the sun over the middle of each step.

    Declination and equation of time after Cooper (1969) and Spencer as given by Duffie and Beckman, "Solar
    Engineering of Thermal Processes", ch. 1.5-1.6; clear sky after Haurwitz (1945).
    """
    middle_s = np.asarray(times_s, dtype=np.float64) + resolution_s / 2.0
    # Days since 1970-01-01; the year's phase needs no calendar, for a quarter of a day is a tenth of a degree.
    day_of_year = middle_s / SECONDS_PER_DAY % 365.2425
    phase = 2.0 * np.pi * (day_of_year - 80.0) / 365.2425
    declination = radians(23.45) * np.sin(phase)
    equation_min = 9.87 * np.sin(2.0 * phase) - 7.53 * np.cos(phase) - 1.5 * np.sin(phase)
    solar_h = middle_s / SECONDS_PER_HOUR + place.longitude_deg / 15.0 + equation_min / 60.0
    hour_angle = (solar_h % 24.0 - 12.0) * (np.pi / 12.0)
    latitude = radians(place.latitude_deg)
    height = sin(latitude) * np.sin(declination) + cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    up = np.maximum(height, 0.01)
    clear = np.where(height > 0.01, 1.098 * up * np.exp(-0.057 / up), 0.0)
    return Sky(height < sin(radians(DARK_BELOW_DEG)), clear, hour_angle)
