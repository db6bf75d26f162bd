"""The local clock of a plant: hour of day and weekday of UTC steps, right across clock changes.

Invariant: equal to ``vpp.core.time.utc_offsets_s`` at every quarter-hour; offsets are looked up once per UTC day.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.time import DEFAULT_RESOLUTION_S, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]
QUARTERS_PER_DAY = SECONDS_PER_DAY // DEFAULT_RESOLUTION_S
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


class LocalClock:
    """Hours and weekdays in one zone.

    Parameters
    ----------
    timezone : ZoneInfo
        The plant's zone.

    Examples
    --------
    >>> clock = LocalClock(ZoneInfo("Europe/Amsterdam"))
    >>> clock.hour_of_day(np.array([0])).tolist(), clock.weekday(np.array([0])).tolist()
    ([1.0], [3])
    """

    def __init__(self, timezone: ZoneInfo) -> None:
        self._timezone = timezone
        self._offsets_s: dict[int, Seconds] = {}

    def local_s(self, times_s: Seconds) -> Seconds:
        """Return local wall-clock seconds of UTC epoch seconds, shape as given."""
        times_s = np.asarray(times_s, dtype=np.int64)
        days, which = np.unique(times_s // SECONDS_PER_DAY, return_inverse=True)
        if not days.size:
            return times_s
        table = np.stack([self._offsets_of_day(int(day)) for day in days])
        local: Seconds = times_s + table[which, times_s % SECONDS_PER_DAY // DEFAULT_RESOLUTION_S]
        return local

    def hour_of_day(self, times_s: Seconds) -> Floats:
        """Return the local hour with its fraction, in [0, 24)."""
        hours: Floats = self.local_s(times_s) % SECONDS_PER_DAY / SECONDS_PER_HOUR
        return hours

    def weekday(self, times_s: Seconds) -> Seconds:
        """Return the local weekday, 0 for Monday to 6."""
        weekdays: Seconds = (self.local_s(times_s) // SECONDS_PER_DAY + EPOCH_WEEKDAY) % 7
        return weekdays

    def _offsets_of_day(self, day: int) -> Seconds:
        """Return the offset of each quarter-hour of a UTC day counted from the epoch, shape (96,)."""
        if day not in self._offsets_s:
            quarters = day * SECONDS_PER_DAY + DEFAULT_RESOLUTION_S * np.arange(QUARTERS_PER_DAY, dtype=np.int64)
            # Most days have one offset; only a day whose ends differ is looked up quarter by quarter.
            ends = utc_offsets_s(quarters[[0, -1]], self._timezone)
            same = ends[0] == ends[1]
            self._offsets_s[day] = (
                np.full(QUARTERS_PER_DAY, ends[0]) if same else utc_offsets_s(quarters, self._timezone)
            )
        return self._offsets_s[day]
