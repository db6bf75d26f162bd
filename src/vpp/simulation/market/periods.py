"""Tariff periods: which part of a time-of-use tariff a step lies in, on the local clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.time import utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY

MINUTES_PER_DAY = 24 * 60
WEEKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))
EVERY_MONTH = frozenset(range(1, 13))
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class PeriodWindow:
    """When a label holds.

    Parameters
    ----------
    label : str
        E.g. ``peak``.
    start_minute, end_minute : int
        Minutes of the local day it holds from and before, 0 to 1440; an end at or before the start wraps midnight.
    weekdays : frozenset of int
        Days it holds, Monday 0 to Sunday 6.
    months : frozenset of int
        Months it holds, 1 to 12.
    """

    label: str
    start_minute: int = 0
    end_minute: int = MINUTES_PER_DAY
    weekdays: frozenset[int] = EVERY_DAY
    months: frozenset[int] = EVERY_MONTH

    def __post_init__(self) -> None:
        """Check every range."""
        for field in ("start_minute", "end_minute"):
            if not 0 <= getattr(self, field) <= MINUTES_PER_DAY:
                raise InvalidInputError(field, getattr(self, field), f"0 to {MINUTES_PER_DAY} [minutes of the day]")
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise InvalidInputError("weekdays", sorted(self.weekdays), "one or more days, Monday 0 to Sunday 6")
        if not self.months or not self.months <= EVERY_MONTH:
            raise InvalidInputError("months", sorted(self.months), "one or more months, 1 to 12")


THREE_PERIODS: tuple[PeriodWindow, ...] = (
    PeriodWindow("peak", 17 * 60, 21 * 60, WEEKDAYS),
    PeriodWindow("shoulder", 7 * 60, 23 * 60, WEEKDAYS),
)
"""Peak on weekday evenings (17 to 21), shoulder on the rest of a weekday (7 to 23), off-peak at nights and weekends."""


def time_of_use_period(
    times_s: NDArray[np.int64],
    *,
    timezone: ZoneInfo,
    windows: Sequence[PeriodWindow] = THREE_PERIODS,
    otherwise: str = "off_peak",
) -> NDArray[np.str_]:
    """Return the label of each step.

    Parameters
    ----------
    times_s : int array, shape (T,)
        Step starts [epoch s].
    timezone : ZoneInfo
        The tariff's clock.
    windows : sequence of PeriodWindow
        When each label holds; the first window that fits decides.
    otherwise : str
        Label of the steps that no window fits.

    Returns
    -------
    str array, shape (T,)
        Labels.

    Examples
    --------
    >>> from vpp.core.time import TimeGrid, parse_time, zone
    >>> monday = TimeGrid(parse_time("2024-01-08T05:00Z"), 6 * 3600, 3)
    >>> time_of_use_period(monday.times_s, timezone=zone("Europe/Amsterdam")).tolist()
    ['off_peak', 'shoulder', 'peak']
    """
    times = np.asarray(times_s, dtype=np.int64)
    day, second = np.divmod(times + utc_offsets_s(times, timezone), SECONDS_PER_DAY)
    minute, weekday = second // 60, (day + _FIRST_WEEKDAY) % 7
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    fits = []
    for window in windows:
        if window.start_minute < window.end_minute:
            by_clock = (minute >= window.start_minute) & (minute < window.end_minute)
        else:
            by_clock = (minute >= window.start_minute) | (minute < window.end_minute)
        fits.append(by_clock & np.isin(weekday, list(window.weekdays)) & np.isin(month, list(window.months)))
    if not fits:
        return np.full(times.shape, otherwise)
    return np.asarray(np.select(fits, [np.array(window.label) for window in windows], np.array(otherwise)))
