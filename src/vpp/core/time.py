"""Time: aware UTC, period starts, explicit resolution; local days only for market calendars and faces.

Invariant: a ``TimeGrid`` is a run of equal steps in UTC. A value at step ``i`` holds for
``[start + i * resolution, start + (i + 1) * resolution)`` and is stamped with that start.
Nothing here reads the wall clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, NaiveTimeError, UnknownNameError
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

DEFAULT_RESOLUTION_S = 900
SHORTEST_RESOLUTION_S = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def require_aware(value: datetime, *, field: str = "time") -> datetime:
    """Return ``value`` in UTC; a naive time is an error.

    Raises
    ------
    NaiveTimeError
        When the time carries no zone.
    """
    if value.tzinfo is None or value.utcoffset() is None:
        raise NaiveTimeError(field, value.isoformat())
    return value.astimezone(UTC)


def parse_time(text: str, *, field: str = "time") -> datetime:
    """Read an ISO 8601 time with its zone and return it in UTC.

    >>> parse_time("2016-08-01T02:00:00+02:00").isoformat()
    '2016-08-01T00:00:00+00:00'
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError as fault:
        raise InvalidInputError(field, text, "an ISO 8601 time with a zone, e.g. 2016-08-01T00:00:00Z") from fault
    return require_aware(value, field=field)


def zone(name: str, *, field: str = "timezone") -> ZoneInfo:
    """Return the IANA zone called ``name``; an unknown one names the nearest.

    >>> zone("Europe/Amsterdam").key
    'Europe/Amsterdam'
    """
    known = _known_zones()
    if name not in known:
        raise UnknownNameError(f"time zone ({field})", name, known)
    return ZoneInfo(name)


@cache
def _known_zones() -> frozenset[str]:
    # a walk over some 600 files, the same for the life of a process
    return frozenset(available_timezones())


def epoch_s(value: datetime) -> int:
    """Return whole seconds since 1970-01-01T00:00Z of an aware time; fractions are cut toward the past."""
    return (require_aware(value) - _EPOCH) // timedelta(seconds=1)


def from_epoch_s(value_s: float) -> datetime:
    """Return the aware UTC time that lies ``value_s`` seconds after 1970-01-01T00:00Z."""
    return datetime.fromtimestamp(value_s, UTC)


def floor_time(value: datetime, resolution_s: int) -> datetime:
    """Return the latest multiple of the resolution (counted from the epoch) that is not after ``value``."""
    seconds = epoch_s(value)
    return from_epoch_s(seconds - seconds % resolution_s)


def check_resolution(resolution_s: int, *, field: str = "resolution_s") -> int:
    """Return the resolution when it is a whole number of seconds that divides a day.

    Raises
    ------
    InvalidInputError
        When it is not between 1 second and 1 day, or does not divide a day.
    """
    if not SHORTEST_RESOLUTION_S <= resolution_s <= SECONDS_PER_DAY or SECONDS_PER_DAY % resolution_s:
        raise InvalidInputError(field, resolution_s, "whole seconds that divide a day, e.g. 300, 900, 1800, 3600")
    return int(resolution_s)


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """A run of equal steps in UTC.

    Parameters
    ----------
    start : datetime
        Start of the first step; aware, on a whole second.
    resolution_s : int
        Length of a step [s]; divides a day.
    count : int
        Number of steps, 0 or more.

    Examples
    --------
    >>> grid = TimeGrid(parse_time("2016-03-27T00:00Z"), 3600, 2)
    >>> [time.isoformat() for time in grid]
    ['2016-03-27T00:00:00+00:00', '2016-03-27T01:00:00+00:00']
    """

    start: datetime
    resolution_s: int
    count: int

    def __post_init__(self) -> None:
        """Check the fields and bring the start to UTC."""
        object.__setattr__(self, "start", require_aware(self.start, field="start"))
        if self.start.microsecond:
            raise InvalidInputError("start", self.start.isoformat(), "a time on a whole second")
        object.__setattr__(self, "resolution_s", check_resolution(self.resolution_s))
        if self.count < 0:
            raise InvalidInputError("count", self.count, "0 or more steps")

    @classmethod
    def between(cls, start: datetime, end: datetime, resolution_s: int) -> TimeGrid:
        """Return the grid of whole steps that covers ``[start, end)``; the span must be a multiple of the step."""
        check_resolution(resolution_s)
        span_s = (require_aware(end, field="end") - require_aware(start, field="start")).total_seconds()
        if span_s < 0 or span_s % resolution_s:
            raise InvalidInputError(
                "end", end.isoformat(), f"a time on or after {start.isoformat()}, whole steps of {resolution_s} s later"
            )
        return cls(start, resolution_s, int(span_s) // int(resolution_s))

    @property
    def end(self) -> datetime:
        """End of the last step (exclusive)."""
        return self.start + timedelta(seconds=self.resolution_s * self.count)

    @property
    def start_s(self) -> int:
        """Start in epoch seconds."""
        return epoch_s(self.start)

    @property
    def end_s(self) -> int:
        """End (exclusive) in epoch seconds."""
        return self.start_s + self.resolution_s * self.count

    @property
    def duration_h(self) -> float:
        """Length of one step [h]."""
        return self.resolution_s / SECONDS_PER_HOUR

    @property
    def times_s(self) -> NDArray[np.int64]:
        """Starts of all steps in epoch seconds, shape (count,)."""
        return self.start_s + self.resolution_s * np.arange(self.count, dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.count

    def __iter__(self) -> Iterator[datetime]:
        """Iterate over the step starts."""
        step = timedelta(seconds=self.resolution_s)
        return (self.start + i * step for i in range(self.count))

    def time(self, index: int) -> datetime:
        """Return the start of step ``index`` (0 to count)."""
        return self.start + timedelta(seconds=self.resolution_s * index)

    def index(self, value: datetime) -> int:
        """Return the step that holds ``value``; outside the grid is an error."""
        offset_s = epoch_s(value) - self.start_s
        if not 0 <= offset_s < self.resolution_s * self.count:
            raise InvalidInputError(
                "time", value.isoformat(), f"a time from {self.start.isoformat()} to before {self.end.isoformat()}"
            )
        return offset_s // self.resolution_s

    def part(self, start: int, stop: int) -> TimeGrid:
        """Return steps ``start`` to before ``stop`` as a grid of their own."""
        if not 0 <= start <= stop <= self.count:
            raise InvalidInputError("start, stop", (start, stop), f"0 <= start <= stop <= {self.count}")
        return TimeGrid(self.time(start), self.resolution_s, stop - start)


def local_day(day: date, tz: ZoneInfo, resolution_s: int = DEFAULT_RESOLUTION_S) -> TimeGrid:
    """Return the grid of one local day: 92, 96 or 100 quarter-hours where clocks shift by an hour.

    Raises
    ------
    InvalidInputError
        When the local day is no whole number of steps (Lord Howe's half hour and an hourly step).
    """
    start = datetime.combine(day, time(), tz).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), tz).astimezone(UTC)
    return TimeGrid.between(start, end, resolution_s)


def local_midnight(moment: datetime, tz: ZoneInfo, *, days: int = 0) -> datetime:
    """Return, in UTC, the local midnight that begins the local day of ``moment``, shifted by whole local days."""
    day = require_aware(moment).astimezone(tz).date() + timedelta(days=days)
    return datetime.combine(day, time(), tz).astimezone(UTC)


def local_clock(moment: datetime, tz: ZoneInfo, clock: time, *, days: int = 0) -> datetime:
    """Return, in UTC, the wall-clock time ``clock`` on the local day of ``moment``, shifted by whole days."""
    day = require_aware(moment).astimezone(tz).date() + timedelta(days=days)
    return datetime.combine(day, clock, tz).astimezone(UTC)


def utc_offsets_s(times_s: NDArray[np.int64], tz: ZoneInfo) -> NDArray[np.int64]:
    """Return the zone's UTC offset [s] at each epoch second, shape as given.

    Offsets are looked up once per quarter-hour that occurs, which is exact from 1973 on: since then zones change
    on quarter-hours only.
    """
    quarter_s = DEFAULT_RESOLUTION_S
    quarters, inverse = np.unique(np.asarray(times_s, dtype=np.int64) // quarter_s, return_inverse=True)
    offsets = np.empty(quarters.size, dtype=np.int64)
    for i, quarter in enumerate(quarters):
        offset = from_epoch_s(int(quarter) * quarter_s).astimezone(tz).utcoffset()
        offsets[i] = 0 if offset is None else int(offset.total_seconds())
    return offsets[inverse].reshape(np.shape(times_s))


_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)\s*$")
_DURATION_S = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": SECONDS_PER_HOUR, "d": SECONDS_PER_DAY}


def parse_duration_s(text: str, *, field: str = "duration") -> int:
    """Read a duration such as ``36h``, ``15min``, ``7d`` or ``30s`` as whole seconds.

    >>> parse_duration_s("15min"), parse_duration_s("1.5h")
    (900, 5400)
    """
    match = _DURATION.match(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidInputError(field, text, "a duration such as 36h, 15min, 7d or 30s")
    seconds = float(match.group(1)) * _DURATION_S[match.group(2)]
    if seconds != int(seconds) or seconds <= 0:
        raise InvalidInputError(field, text, "a positive whole number of seconds")
    return int(seconds)
