"""Hour-of-week mean: the mean of the last weeks at the same local hour of the same weekday.

Invariant: bins follow the plant's wall clock, so a household's 7 o'clock stays 7 o'clock when clocks change.
Solar and wind share one bin for all weekdays: the weather knows none, and seven times the samples say more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]


class HourOfWeekMean:
    """Means by local time of week.

    Parameters
    ----------
    profiles : tuple of SeriesProfile
        The K series, in the order of the history's columns.
    clock : LocalClock
        The plant's local clock.
    weeks : int
        How far back the mean reaches [weeks].
    """

    name = "hour_of_week_mean"

    def __init__(self, profiles: tuple[SeriesProfile, ...], clock: LocalClock, *, weeks: int = 4) -> None:
        self._weekly = np.array([profile.follows_weekdays for profile in profiles])
        self._clock = clock
        self._weeks = weeks

    def fit(self, history: SeriesTable) -> None:
        """Learn nothing: the history handed to ``predict`` is the model."""

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:  # noqa: ARG002
        """Return the means, shape (steps, K).

        A time of week never seen is answered by the time of day; a time of day never seen by NaN.
        """
        resolution_s = history.grid.resolution_s
        window = min(history.grid.count, 7 * self._weeks * SECONDS_PER_DAY // resolution_s)
        times_s = history.grid.end_s + resolution_s * np.arange(-window, steps, dtype=np.int64)
        slots = -(-SECONDS_PER_DAY // resolution_s)
        slot = self._clock.local_s(times_s) % SECONDS_PER_DAY // resolution_s
        values = history.value[history.grid.count - window :]
        daily = bin_means(values, slot[:window], slots)[slot[window:]]
        if not self._weekly.any():
            return daily
        of_week = self._clock.weekday(times_s) * slots + slot
        weekly = bin_means(values[:, self._weekly], of_week[:window], 7 * slots)[of_week[window:]]
        daily[:, self._weekly] = np.where(np.isfinite(weekly), weekly, daily[:, self._weekly])
        return daily


def bin_means(values: Floats, bins: Seconds, count: int) -> Floats:
    """Return the mean of each column's known values in each bin, shape (count, K); NaN for an empty bin.

    >>> bin_means(np.array([[1.0], [3.0], [np.nan]]), np.array([0, 0, 1]), 2).ravel().tolist()
    [2.0, nan]
    """
    columns = values.shape[1]
    known = np.isfinite(values)
    flat = (bins[:, None] * columns + np.arange(columns)).ravel()
    total = np.bincount(flat, np.where(known, values, 0.0).ravel(), count * columns)
    number = np.bincount(flat, known.ravel(), count * columns)
    means = np.full(count * columns, np.nan)
    np.divide(total, number, out=means, where=number > 0)
    return means.reshape(count, columns)


def hour_of_week_mean(context: ModelContext) -> HourOfWeekMean:
    """Return the model with the context's window."""
    return HourOfWeekMean(context.profiles, context.clock, weeks=context.settings.mean_weeks)
