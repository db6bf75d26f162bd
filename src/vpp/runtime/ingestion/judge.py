"""Judge: the readings of one plant as columns -> which are refused and why, and what is known against the others.

Invariant: what is refused depends on the plant and the moment alone. What is flagged depends on earlier readings too:
the last value of each series and how far it has reached. All of it is arithmetic on columns; the cost of a verdict does
not grow with the plant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, VppError
from vpp.core.messages import Quality, SeriesKey
from vpp.core.time import epoch_s, from_epoch_s
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.runtime.ingestion.bounds import Bounds, bounds_of
from vpp.streams.scale import SLIP_OF_OWN

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Verdicts = NDArray[np.int8]

FUTURE_ALLOWED_S = 300
"""Clocks of devices err by minutes; what holds later than this has not happened."""
OLDEST_DAYS = 400
"""A year and a month: older telemetry comes from a clock that was lost, not from a buffer."""
LATE_AFTER_S = 2 * SECONDS_PER_HOUR
"""The mean of an hour is stamped with its start and told when it has ended; an hour later still, it is late."""
_NEXT_TO_NOTHING = 0.01
_NOTHING = 1e-5
_LEAP = 60.0
"""A value in W after one in kW is about 1000 times as large; what changes with sun, wind and people is not 60 times."""
_LEAP_OF_SCALE = 0.1
_LEAP_FROM_NOTHING = 0.5
_REMEMBERED_S = SECONDS_PER_HOUR
_LEARNT = 100
_FEWEST_TO_LEARN = 10
_MOST_UNKNOWN_KEPT = 256
_LONG_AGO_S = np.iinfo(np.int64).min // 4


class Verdict(IntEnum):
    """What becomes of a reading; all but ``KEPT`` are refused, for the reason of their name."""

    KEPT = 0
    RANGE = 1
    UNIT = 2
    CLOCK = 3

    @property
    def reason(self) -> str:
        """The word of ``Refusal``."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRules:
    """Which times are taken.

    Parameters
    ----------
    oldest_days : float
        Readings that held longer ago are refused, and prices that lie further ahead, above 0.
    late_after_s : float
        Readings that arrive longer after their time are flagged, 0 or more.
    """

    oldest_days: float = OLDEST_DAYS
    late_after_s: float = LATE_AFTER_S

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.oldest_days > 0.0:
            raise InvalidInputError("oldest_days", self.oldest_days, "a number of days above 0")
        if not self.late_after_s >= 0.0:
            raise InvalidInputError("late_after_s", self.late_after_s, "0 or more [s]")


class Judge:
    """Judges the readings of one plant; not safe to share between threads.

    Parameters
    ----------
    plant : Plant
        Whose readings they are.
    clock : ClockRules
        Which times are taken.
    """

    def __init__(self, plant: Plant, clock: ClockRules | None = None) -> None:
        self.plant = plant
        self._clock = clock or ClockRules()
        self.keys: list[SeriesKey] = []
        self._index: dict[tuple[str, str], int] = {}
        self._unknown: dict[tuple[str, str], VppError] = {}
        self._bounds: list[Bounds] = []
        self._limits = _Limits.of([])
        self._last_s = np.empty(0, dtype=np.int64)
        self._last = np.empty(0)
        self._reach = np.empty(0)
        self._seen = np.empty(0, dtype=np.int64)

    def knows(self, source: str, metric: str) -> bool:
        """Return whether a series has a number already."""
        return (source, metric) in self._index

    def index(self, source: str, metric: str) -> int:
        """Return the number of a series, for the columns of ``judge``.

        Raises
        ------
        UnknownNameError
            When the plant has no such source.
        InvalidInputError
            When the source has no such metric.
        """
        name = (source, metric)
        number = self._index.get(name)
        return self._new_index(name) if number is None else number

    def judge(self, series: Counts, time_s: Counts, value: Floats, now: datetime) -> tuple[Verdicts, Counts]:
        """Return the verdicts and the ``Quality`` flags of readings, and remember those that are kept.

        Parameters
        ----------
        series : int array, shape (n,)
            Numbers by ``index``.
        time_s : int array, shape (n,)
            When each holds [epoch s].
        value : float array, shape (n,)
            In the metric's unit; a NaN is impossible.
        now : datetime
            When they arrived; aware.
        """
        self._grow()
        limits, now_s = self._limits, epoch_s(now)
        verdict = np.zeros(series.shape, dtype=np.int8)
        with np.errstate(invalid="ignore"):
            outside = ~((value >= limits.low[series]) & (value <= limits.high[series]))
            verdict[outside] = Verdict.RANGE
            verdict[outside & (np.abs(value) >= limits.slip[series])] = Verdict.UNIT
            doubtful = (value < limits.doubt_low[series]) | (value > limits.doubt_high[series])
        oldest_s = int(self._clock.oldest_days * SECONDS_PER_DAY)
        latest_s = now_s + np.where(limits.ahead, oldest_s, FUTURE_ALLOWED_S)
        verdict[(time_s < now_s - oldest_s) | (time_s > latest_s[series])] = Verdict.CLOCK
        quality = np.where(doubtful, limits.doubt[series], 0)
        quality[time_s < now_s - self._clock.late_after_s] |= int(Quality.LATE)
        kept = np.flatnonzero(verdict == Verdict.KEPT)
        # By series, then time, then arrival: what each reading follows is its neighbour.
        kept = kept[np.lexsort((time_s[kept], series[kept]))]
        if kept.size:
            quality[kept] |= self._slips(series[kept], time_s[kept], np.abs(value[kept]))
        return verdict, quality

    def fault(self, series: int, time_s: int, value: float, verdict: int, now: datetime, *, where: str) -> VppError:
        """Return in words why a reading was refused."""
        bounds = self._bounds[series]
        if verdict == Verdict.CLOCK:
            days = f"{self._clock.oldest_days:g} days"
            ahead = f"{days} ahead" if bounds.ahead else f"{FUTURE_ALLOWED_S // 60} minutes"
            expected = f"a time no later than {now.isoformat(timespec='seconds')} and {ahead}, and within {days} before"
            return InvalidInputError(f"{where}.time", shown_time(time_s), expected)
        words = f"{bounds.words} ({bounds.unit_words})" if verdict == Verdict.UNIT else bounds.words
        return InvalidInputError(f"{where}.value", value, f"{words} for {self.keys[series]}")

    def _slips(self, series: Counts, time_s: Counts, size: Floats) -> Counts:
        """Return UNIT_SUSPECT for values that fit far better in another unit; the rows are sorted by series and time.

        A value doubts the unit when it leaps from next to nothing to much of the series' scale, or, where no rating is
        known, goes far beyond what the series has reached so far.
        """
        limits = self._limits
        first = np.empty(series.shape, dtype=bool)
        first[0] = True
        np.not_equal(series[1:], series[:-1], out=first[1:])
        before, before_s = np.empty_like(size), np.empty_like(time_s)
        before[1:], before_s[1:] = size[:-1], time_s[:-1]
        before[first], before_s[first] = self._last[series[first]], self._last_s[series[first]]
        reach = self._reach[series]
        learnt = self._seen[series] >= _LEARNT
        scale = limits.scale[series]
        scale = np.where(np.isfinite(scale) | ~learnt, scale, reach)
        age_s = time_s - before_s
        follows = limits.steady[series] & (age_s > 0) & (age_s <= _REMEMBERED_S)
        leaps = (before > _NOTHING * scale) & (before < _NEXT_TO_NOTHING * scale)
        leaps &= (size > _LEAP * before) & (size > _LEAP_OF_SCALE * scale)
        leaps |= (before <= _NOTHING * scale) & (size > _LEAP_FROM_NOTHING * scale)
        of_own = np.where(learnt & (reach > 0.0), limits.of_own[series], np.inf)
        suspect: Flags = (follows & leaps) | (size / of_own > reach)
        self._remember(series, time_s, size, suspect, first)
        return np.where(suspect, int(Quality.UNIT_SUSPECT), 0)

    def _remember(self, series: Counts, time_s: Counts, size: Floats, suspect: Flags, first: Flags) -> None:
        begin = np.flatnonzero(first)
        last = np.append(begin[1:], series.size) - 1
        named = series[begin]
        newer = time_s[last] >= self._last_s[named]
        self._last[named[newer]], self._last_s[named[newer]] = size[last][newer], time_s[last][newer]
        count = last + 1 - begin
        reached = np.maximum.reduceat(np.where(suspect, 0.0, size), begin)
        # One slip among the first readings must not become what the series is judged by.
        for at in np.flatnonzero((self._seen[named] < _LEARNT) & (count >= _FEWEST_TO_LEARN)):
            reached[at] = np.quantile(size[begin[at] : last[at] + 1], 0.95)
        known = self._reach[named]
        wild = (self._seen[named] >= _FEWEST_TO_LEARN) & (known > 0.0) & (reached > SLIP_OF_OWN * known)
        self._reach[named] = np.where(wild, known, np.maximum(known, reached))
        self._seen[named] += count

    def _new_index(self, name: tuple[str, str]) -> int:
        fault = self._unknown.get(name)
        if fault is not None:
            raise fault.with_traceback(None)
        key = SeriesKey(*name)
        try:
            bounds = bounds_of(self.plant, key)
        except VppError as found:
            # Whoever sends names without end must neither fill the memory nor be answered slowly.
            if len(self._unknown) >= _MOST_UNKNOWN_KEPT:
                self._unknown.pop(next(iter(self._unknown)))
            self._unknown[name] = found
            raise
        number = self._index[name] = len(self.keys)
        self.keys.append(key)
        self._bounds.append(bounds)
        return number

    def _grow(self) -> None:
        """Make room for series that were named since the last verdict."""
        new = len(self._bounds) - self._seen.size
        if new:
            self._limits = _Limits.of(self._bounds)
            self._last_s = np.append(self._last_s, np.full(new, _LONG_AGO_S))
            self._last, self._reach = np.append(self._last, np.zeros(new)), np.append(self._reach, np.zeros(new))
            self._seen = np.append(self._seen, np.zeros(new, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Limits:
    """The bounds of all series as columns."""

    low: Floats
    high: Floats
    doubt_low: Floats
    doubt_high: Floats
    slip: Floats
    scale: Floats
    of_own: Floats
    steady: Flags
    ahead: Flags
    doubt: Counts

    @classmethod
    def of(cls, bounds: list[Bounds]) -> _Limits:
        def column(name: str) -> Floats:
            return np.array([getattr(one, name) for one in bounds], dtype=np.float64)

        return cls(
            low=column("low"),
            high=column("high"),
            doubt_low=column("doubt_low"),
            doubt_high=column("doubt_high"),
            slip=column("slip"),
            scale=column("scale"),
            of_own=column("of_own"),
            steady=np.array([one.steady for one in bounds], dtype=bool),
            ahead=np.array([one.ahead for one in bounds], dtype=bool),
            doubt=np.array([int(one.doubt) for one in bounds], dtype=np.int64),
        )


def shown_time(time_s: int) -> str:
    """Return a time in ISO 8601, in seconds where it lies beyond the calendar."""
    try:
        return from_epoch_s(time_s).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{time_s} s after 1970"
