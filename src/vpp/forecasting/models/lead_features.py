"""Features of the hour wanted: what is known at a decision about each step ahead, in arrays over origins and series.

Invariant: a feature of lead ``h`` at origin ``o`` reads rows before ``o`` only; the calendar is the one exception.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.forecasting.local_time import EPOCH_WEEKDAY, LocalClock

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
DAYS_PER_WEEK = 7
LAST_VALUES = 12
REACH_DAYS = 28
"""Days before an origin that its features read."""


def same_time(origins: Integers, leads: int | Integers, season: int, *, back: int = 1) -> Integers:
    """Return the row of the ``back``-th latest season before each origin at the phase of a step ahead.

    >>> same_time(np.array([100]), 0, 24).tolist(), same_time(np.array([100, 100]), np.array([24, 25]), 24).tolist()
    ([76], [76, 77])
    """
    return np.asarray(origins + leads - season * (leads // season + back), dtype=np.int64)


def origin_features(values: Floats, origins: Integers, day: int) -> Floats:
    """Return what an origin knows whatever the lead, shape (n, k, F).

    The last values, some of yesterday's, and means of the last 3 and 6 steps, day, two days, week and three weeks.

    Parameters
    ----------
    values : float array, shape (N, k)
        Series without gaps.
    origins : int array, shape (n,)
        Rows of decision, each at least 28 days in.
    day : int
        Rows per day.
    """
    recent = [values[origins - 1 - i] for i in range(LAST_VALUES)]
    yesterday = [values[origins - 1 - i] for i in range(LAST_VALUES, day, 3)]
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    spans = (3, 6, day, 2 * day, DAYS_PER_WEEK * day, 3 * DAYS_PER_WEEK * day)
    means = [(total[origins] - total[origins - span]) / span for span in spans]
    return np.stack([*recent, *yesterday, *means], axis=-1)


def seasonal_features(values: Floats, origins: Integers, leads: int | Integers, day: int) -> Floats:
    """Return the latest values at the phase of steps ahead, shape (n, k, 6).

    The last two days, the last two weeks, and the means of the last 7 and 14 days at the same time of day.
    """
    week = DAYS_PER_WEEK * day
    daily = np.stack([values[same_time(origins, leads, day, back=back)] for back in range(1, 15)])
    weekly = [values[same_time(origins, leads, week, back=back)] for back in (1, 2)]
    return np.stack(
        [daily[0], daily[1], *weekly, daily[:DAYS_PER_WEEK].mean(axis=0), daily.mean(axis=0)],
        axis=-1,
    )


def calendar_features(rows: Integers, day: int, *, weekly: bool, clock: LocalClock) -> Floats:
    """Return the calendar of rows numbered from the epoch on their own clock, shape (n, F).

    Harmonics of the day; where people make the rhythm also weekday, holiday, and holiday next to it. Not the season:
    a year of history has seen each season once, and a regression on it extrapolates.
    """
    days, of_day = rows // day, rows % day
    turn = 2.0 * np.pi * of_day / day
    columns = [wave(harmonic * turn) for harmonic in (1, 2, 3) for wave in (np.sin, np.cos)]
    if weekly:
        weekday = (days + EPOCH_WEEKDAY) % DAYS_PER_WEEK
        columns += [(weekday == each).astype(np.float64) for each in range(DAYS_PER_WEEK)]
        columns.append(clock.is_holiday_day(days).astype(np.float64))
        columns.append((clock.is_holiday_day(days - 1) | clock.is_holiday_day(days + 1)).astype(np.float64))
    return np.stack(columns, axis=-1)
