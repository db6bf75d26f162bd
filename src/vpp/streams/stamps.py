"""Stamps: from the time column of a user's file to UTC seconds and a step length.

Invariant: no stamp is guessed. One that carries no zone needs a stated one, one that never was is an error, and
one that the clock showed twice is told apart by its order in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, NaiveTimeError
from vpp.core.time import DEFAULT_RESOLUTION_S, from_epoch_s, zone
from vpp.core.units import SECONDS_PER_HOUR

Seconds = NDArray[np.int64]
Where = Callable[[int], str]
"""Names the field of the n-th stamp for an error, e.g. ``file.csv:row 17:time``."""

SHORTEST_STEP_S = 60
STEPS_S = tuple(step for step in range(SHORTEST_STEP_S, SECONDS_PER_HOUR + 1) if SECONDS_PER_HOUR % step == 0)
"""Step lengths a file may have: whole seconds from 1 minute that divide an hour."""

_ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?\s*(?:Z|[+-]\d{2}(?::?\d{2})?)?$"
_ZONED = r":\d{2}(?:\.\d+)?\s*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_MICROSECONDS = 1_000_000
_YEAR_2200_S = 7_258_118_400
_EXPECTED = "an ISO 8601 time, e.g. 2016-08-01T00:00:00Z or 2016-08-01T02:00:00+02:00"


def utc_seconds(stamps: pd.Series[str], where: Where, *, timezone: str | None) -> Seconds:
    """Return the stamps as epoch seconds.

    Parameters
    ----------
    stamps : series
        ISO 8601 texts, or ``datetime64`` values with or without a zone; all with a zone or all without.
    where : callable
        Names the field of the n-th stamp.
    timezone : str or None
        IANA zone of stamps that carry none; unused when they do.

    Raises
    ------
    NaiveTimeError
        When stamps carry no zone and none is stated.
    InvalidInputError
        When a stamp cannot be read, never was on the local clock, or only some carry a zone.
    """
    if isinstance(stamps.dtype, pd.DatetimeTZDtype):
        return _whole_seconds(pd.DatetimeIndex(stamps).tz_convert("UTC"), stamps, where)
    if pd.api.types.is_datetime64_dtype(stamps.dtype):
        return _local_seconds(pd.DatetimeIndex(stamps), stamps, where, timezone=timezone)
    text = stamps.astype("string").str.strip()
    _refuse_first(~text.str.match(_ISO).fillna(False).to_numpy(dtype=bool), stamps, where, _EXPECTED)
    zoned = text.str.contains(_ZONED).to_numpy(dtype=bool)
    if zoned.any():
        _refuse_first(~zoned, stamps, where, "a zone like the other stamps of the file: all with one, or none")
        parsed = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce"))
        return _whole_seconds(parsed, stamps, where)
    naive = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", errors="coerce"))
    return _local_seconds(naive, stamps, where, timezone=timezone)


def _local_seconds(naive: pd.DatetimeIndex, stamps: pd.Series[str], where: Where, *, timezone: str | None) -> Seconds:
    """Return wall-clock stamps as epoch seconds; of a stamp shown twice the first is summer time."""
    if timezone is None:
        message = f"{stamps.iloc[0]} (no zone: write it with Z or an offset, or state the timezone of the file)"
        raise NaiveTimeError(where(0), message)
    local_s = _whole_seconds(naive, stamps, where)
    first_s, second_s = _offsets_s(local_s, zone(timezone))
    existed = f"a time that existed in {timezone}: the clock was put forward over it"
    _refuse_first(first_s < second_s, stamps, where, existed)
    if not (first_s > second_s).any():
        return local_s - first_s
    # A file written newest first shows winter time before summer time, so the copies are counted from its end.
    newest_first = local_s[0] > local_s[-1]
    order = pd.Series(local_s[::-1] if newest_first else local_s)
    copy = order.groupby(order).cumcount().to_numpy()
    is_first = (copy[::-1] if newest_first else copy) == 0
    return np.asarray(local_s - np.where(is_first, first_s, second_s), dtype=np.int64)


def _offsets_s(local_s: Seconds, tz: ZoneInfo) -> tuple[Seconds, Seconds]:
    """Return the UTC offsets [s] of wall-clock times, counted from 1970 on the same clock.

    Of a time that the clock showed twice these are the offsets of its first and its second showing, and the first
    is the larger; of a time that it jumped over the first is the smaller (PEP 495); of any other they are equal.
    Looked up once per quarter-hour that occurs, which is exact: clocks change on quarter-hours.
    """
    quarters, inverse = np.unique(local_s // DEFAULT_RESOLUTION_S, return_inverse=True)
    offsets_s = np.zeros((2, quarters.size), dtype=np.int64)
    for index, quarter in enumerate(quarters.tolist()):
        moment = from_epoch_s(quarter * DEFAULT_RESOLUTION_S)
        for fold in (0, 1):
            offset = moment.replace(tzinfo=tz, fold=fold).utcoffset()
            offsets_s[fold, index] = 0 if offset is None else int(offset.total_seconds())
    return offsets_s[0][inverse], offsets_s[1][inverse]


def _whole_seconds(times: pd.DatetimeIndex, stamps: pd.Series[str], where: Where) -> Seconds:
    """Return times as seconds since 1970 on the clock they show, which is UTC when they carry a zone."""
    _refuse_first(_missing(times), stamps, where, _EXPECTED)
    microseconds = times.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64)
    seconds, rest = np.divmod(microseconds, _MICROSECONDS)
    _refuse_first((seconds < 0) | (seconds >= _YEAR_2200_S), stamps, where, "a time from 1970 to 2199")
    _refuse_first(rest != 0, stamps, where, "a time on a whole second, the start of a step")
    return np.asarray(seconds, dtype=np.int64)


def _missing(times: pd.DatetimeIndex) -> NDArray[np.bool_]:
    return np.asarray(times.isna(), dtype=bool)


def _refuse_first(bad: NDArray[np.bool_], stamps: pd.Series[str], where: Where, expected: str) -> None:
    if bad.any():
        index = int(np.argmax(bad))
        value = stamps.iloc[index]
        raise InvalidInputError(where(index), "nothing" if pd.isna(value) else str(value), expected)


def step_length(times_s: Seconds, where: Where, *, resolution_s: int | None, field: str) -> int:
    """Return the step length of sorted stamps: the stated one, or their most frequent distance.

    Parameters
    ----------
    times_s : int array, shape (n,)
        Epoch seconds, ascending, each once.
    where : callable
        Names the field of the n-th of them.
    resolution_s : int or None
        Stated length [s], 1 minute to 1 hour.
    field : str
        The file's name, for errors that concern all of it.

    Raises
    ------
    InvalidInputError
        When the length cannot be told or is not one of ``STEPS_S``, or a stamp lies between the steps.
    """
    distances_s = np.diff(times_s)
    if resolution_s is None:
        if distances_s.size == 0:
            raise InvalidInputError(f"{field}:time", "a single stamp", "two or more rows, or a stated resolution")
        lengths_s, counts = np.unique(distances_s, return_counts=True)
        resolution_s = int(lengths_s[np.argmax(counts)])
    if resolution_s not in STEPS_S:
        raise InvalidInputError(
            f"{field}:time",
            f"steps of {resolution_s} s",
            "1 minute to 1 hour that divide an hour, e.g. 5, 15, 30, 60 min",
        )
    off_grid = (times_s - times_s[0]) % resolution_s != 0
    if off_grid.any():
        # When the first stamp is the odd one, nearly all others lie off its grid: then it is the one to name.
        index = 0 if off_grid.mean() > 0.5 else int(np.argmax(off_grid))
        raise InvalidInputError(
            where(index), from_epoch_s(int(times_s[index])).isoformat(), f"a stamp on the file's {resolution_s} s steps"
        )
    return resolution_s
