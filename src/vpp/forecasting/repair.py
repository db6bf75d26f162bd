"""Gaps: what stands in for a missing measurement, and what is said about it.

Invariant: after ``fill`` a series is NaN before its first known value and finite from there to the end, and every
made-up value is marked; a column without any value stays NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.series import fill_short_gaps, latest_known
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.settings import ForecastSettings

Floats = NDArray[np.float64]
LONGEST_LINE_H = 3
GAPS_WITHIN_DAYS = 8
"""Lags reach back a week; an older gap touches no forecast."""


def carry_days(values: Floats, steps_per_day: int) -> Floats:
    """Replace NaN by the latest known value at the same time of day.

    Parameters
    ----------
    values : float array, shape (T, K)
        Series with gaps.
    steps_per_day : int
        Steps in 24 hours.

    Returns
    -------
    float array, shape (T, K)
        NaN only where no earlier day has a value at that time.

    Examples
    --------
    >>> carry_days(np.array([[1.0], [2.0], [np.nan], [5.0], [np.nan], [np.nan]]), 2).ravel().tolist()
    [1.0, 2.0, 1.0, 5.0, 1.0, 5.0]
    """
    count, columns = values.shape
    lead = -count % steps_per_day
    days = np.concatenate([np.full((lead, columns), np.nan), values]).reshape(-1, steps_per_day, columns)
    latest = np.where(np.isnan(days), -1, np.arange(len(days))[:, None, None])
    latest = np.maximum.accumulate(latest, axis=0)
    carried = np.take_along_axis(days, np.maximum(latest, 0), axis=0)
    return carried.reshape(-1, columns)[lead:]


def fill(values: Floats, *, steps_per_day: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Bridge every gap after the first known value: short ones by a line, long ones by the day before.

    Returns
    -------
    filled : float array, shape (T, K)
    made_up : bool array, shape (T, K)
        True where a value was put in.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values, missing
    longest = max(1, LONGEST_LINE_H * steps_per_day * SECONDS_PER_HOUR // SECONDS_PER_DAY)
    filled = values.copy()
    for column in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        filled[:, column] = fill_short_gaps(filled[:, column], longest=longest)[0]
    filled = carry_days(filled, steps_per_day)
    # What is left lies in a series' first day: no earlier day to take from.
    for column in np.flatnonzero(np.isnan(filled).any(axis=0)):
        filled[:, column] = latest_known(filled[:, column])
    return filled, missing & np.isfinite(filled)


def conditions(history: SeriesTable, settings: ForecastSettings) -> list[tuple[str, ...]]:
    """Return, for each series, what a reader should know about the history behind its forecast.

    ``no_data``: not one value. ``cold_start``: less history than ``settings.cold_start_h``. ``stale``: the last
    value is older than ``settings.stale_after_h``. ``gaps``: values are missing in between within the last 8 days.
    """
    step_h = history.grid.resolution_s / SECONDS_PER_HOUR
    known = np.isfinite(history.value)
    recent = known[-(GAPS_WITHIN_DAYS * SECONDS_PER_DAY // history.grid.resolution_s) :]
    found: list[tuple[str, ...]] = []
    for column in range(known.shape[1]):
        at = np.flatnonzero(known[:, column])
        if not at.size:
            found.append(("no_data",))
            continue
        flags = []
        if at.size * step_h < settings.cold_start_h:
            flags.append("cold_start")
        if (len(known) - 1 - at[-1]) * step_h > settings.stale_after_h:
            flags.append("stale")
        seen = np.flatnonzero(recent[:, column])
        # Before a young series' first value nothing is missing; before an old one's everything is.
        begin = 0 if at[0] < len(known) - len(recent) else int(at[0]) - (len(known) - len(recent))
        if seen.size < (seen[-1] + 1 - begin if seen.size else 1):
            flags.append("gaps")
        found.append(tuple(flags))
    return found
