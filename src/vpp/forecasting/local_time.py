"""The local clock of a plant: hour of day, weekday and holidays of UTC steps, right across clock changes.

Invariant: equal to ``vpp.core.time.utc_offsets_s`` at every quarter-hour; offsets are looked up once per UTC day.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import UnknownNameError
from vpp.core.time import DEFAULT_RESOLUTION_S, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]
QUARTERS_PER_DAY = SECONDS_PER_DAY // DEFAULT_RESOLUTION_S
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""
EPOCH_YEAR = 1970


class LocalClock:
    """Hours, weekdays and holidays in one zone.

    Parameters
    ----------
    timezone : ZoneInfo
        The plant's zone.
    country : str, optional
        ISO 3166 code of the country whose public holidays count; by default that of the zone, none for a zone that
        belongs to no country, such as UTC.

    Raises
    ------
    UnknownNameError
        When no holidays are known for the country.

    Examples
    --------
    >>> clock = LocalClock(ZoneInfo("Europe/Amsterdam"))
    >>> clock.hour_of_day(np.array([0])).tolist(), clock.weekday(np.array([0])).tolist()
    ([1.0], [3])
    >>> clock.country, clock.is_holiday(np.array([0, 86_400])).tolist()
    ('NL', [True, False])
    """

    def __init__(self, timezone: ZoneInfo, *, country: str | None = None) -> None:
        known = holidays.list_supported_countries(include_aliases=False)
        if country is not None and country not in known:
            raise UnknownNameError("country", country, known)
        of_zone = country_of(timezone.key)
        self.country = country if country is not None else of_zone if of_zone in known else None
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

    def is_holiday(self, times_s: Seconds) -> NDArray[np.bool_]:
        """Return whether the local day of each UTC step is a public holiday, shape as given; False without country."""
        return self.is_holiday_day(self.local_s(times_s) // SECONDS_PER_DAY)

    def is_holiday_day(self, days: Seconds) -> NDArray[np.bool_]:
        """Return whether local days, counted from the epoch, are public holidays, shape as given."""
        days = np.asarray(days, dtype=np.int64)
        if self.country is None or not days.size:
            return np.zeros(days.shape, dtype=bool)
        years = np.unique(days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64)) + EPOCH_YEAR
        return np.isin(days, np.concatenate([holidays_of(self.country, int(year)) for year in years]))

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


@cache
def country_of(zone: str) -> str | None:
    """Return the ISO 3166 code of the country an IANA zone lies in; None for a zone of no country.

    >>> country_of("Europe/Luxembourg"), country_of("UTC")
    ('LU', None)
    """
    table = files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return next((row[0] for row in rows if row[2] == zone), None)


@cache
def holidays_of(country: str, year: int) -> Seconds:
    """Return the nationwide public holidays of a year as days counted from the epoch, ascending."""
    found = holidays.country_holidays(country, years=year)
    return np.sort(np.array([np.datetime64(day, "D").astype(np.int64) for day in found], dtype=np.int64))
