"""Calendar features of the hour that is forecast: known for ever, on the local clock, with public holidays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.local_time import LocalClock

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]
DAYS_PER_YEAR = 365.2425
SATURDAY = 5


def calendar_features(times_s: Seconds, clock: LocalClock) -> dict[str, Floats]:
    """Return the calendar features of steps.

    Parameters
    ----------
    times_s : int array, shape (S,)
        Step starts [epoch s].
    clock : LocalClock
        The plant's clock, with its holidays where the country is known.

    Returns
    -------
    mapping of str to float array, shape (S,)
        Names as in ``table.FEATURES``.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> made = calendar_features(np.array([0]), LocalClock(ZoneInfo("Europe/Amsterdam")))
    >>> made["local_hour"].tolist(), made["is_holiday"].tolist()
    ([1.0], [1.0])
    """
    hour = clock.hour_of_day(times_s)
    weekday = clock.weekday(times_s).astype(np.float64)
    day = clock.local_s(times_s) // SECONDS_PER_DAY
    dates = day.astype("datetime64[D]")
    month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day_of_year = (dates - dates.astype("datetime64[Y]")).astype(np.int64) + 1
    turn, year = 2.0 * np.pi * hour / 24.0, 2.0 * np.pi * day_of_year / DAYS_PER_YEAR
    holiday = clock.is_holiday_day(day)
    return {
        "local_hour": hour,
        "local_weekday": weekday,
        "local_month": month.astype(np.float64),
        "day_of_year": day_of_year.astype(np.float64),
        "is_weekend": (weekday >= SATURDAY).astype(np.float64),
        "is_holiday": holiday.astype(np.float64),
        "hour_sin": np.sin(turn),
        "hour_cos": np.cos(turn),
        "year_sin": np.sin(year),
        "year_cos": np.cos(year),
    }
