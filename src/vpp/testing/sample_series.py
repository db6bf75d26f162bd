"""Plausible series of every kind, for the contract of forecasting models.

Invariant: a value depends on its series and its time only, so two tables tell the same story where they overlap.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.kinds import SeriesProfile

Floats = NDArray[np.float64]
ZONE = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2024, 6, 20, 16, tzinfo=UTC)
PROFILES = (
    SeriesProfile.load("house", peak_kw=5.0),
    SeriesProfile.solar("roof", peak_kw=4.0),
    SeriesProfile.wind("mill", peak_kw=10.0),
    SeriesProfile.price(),
)


def sample_history(
    profiles: tuple[SeriesProfile, ...], *, days: float, end: datetime = NOW, resolution_s: int = 3600
) -> SeriesTable:
    """Return the last days of some series up to a moment, in the sign of the house.

    Examples
    --------
    >>> short, long = (sample_history(PROFILES, days=days) for days in (1, 9))
    >>> bool(np.array_equal(short.value, long.value[-24:]))
    True
    """
    count = int(days * SECONDS_PER_DAY) // resolution_s
    grid = TimeGrid(end - timedelta(seconds=count * resolution_s), resolution_s, count)
    hour = grid.times_s / SECONDS_PER_HOUR
    day = np.floor(hour / 24.0)
    turn = (hour % 24.0) / 24.0 * 2.0 * np.pi
    weekend = (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday

    def noise(seed: float) -> Floats:
        # A fixed number for each moment, so that a longer table tells the same story.
        wave = np.sin((hour + 1.0) * (12.9898 + seed)) * 43758.5453
        return np.asarray(wave - np.floor(wave), dtype=np.float64)

    def of_day(seed: float) -> Floats:
        wave = np.sin((day + 1.0) * (78.233 + seed)) * 43758.5453
        return np.asarray(wave - np.floor(wave), dtype=np.float64)

    columns = {
        "load": -(1.2 - 0.6 * np.cos(turn - 0.5) + 0.4 * weekend + 0.4 * noise(0.1)),
        "solar": 3.5 * (0.4 + 0.6 * of_day(0.2)) * np.maximum(0.0, -np.cos(turn)),
        "wind": 5.0 + 2.5 * np.sin(hour / 17.0) + 1.5 * np.sin(hour / 53.0) + 0.5 * noise(0.3),
        "price": 0.1 - 0.03 * np.cos(2.0 * turn) - 0.02 * weekend + 0.01 * noise(0.4),
    }
    return SeriesTable(
        grid, tuple(profile.key for profile in profiles), np.column_stack([columns[p.kind] for p in profiles])
    )
