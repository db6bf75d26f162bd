"""Readings gathered into buckets of time: which buckets may be asked for, and the plain way to fill them."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.messages import SeriesKey
from vpp.core.ports import Aggregates
from vpp.core.time import epoch_s, require_aware
from vpp.core.units import SECONDS_PER_DAY

MINUTE_S = 60


def check_buckets(start: datetime, end: datetime, bucket_s: int) -> tuple[int, int]:
    """Return the span [epoch s] that buckets of one length are to fill.

    Raises
    ------
    InvalidInputError
        When no bucket has that length, or the span does not begin and end with a bucket.
    """
    fits = bucket_s > 0 and (
        MINUTE_S % bucket_s == 0
        or (bucket_s % MINUTE_S == 0 and SECONDS_PER_DAY % bucket_s == 0)
        or bucket_s % SECONDS_PER_DAY == 0
    )
    if not fits:
        expected = "a divisor of a minute, a multiple of a minute that divides a day, or whole days [s]"
        raise InvalidInputError("bucket_s", bucket_s, expected)
    for name, moment in (("start", start), ("end", end)):
        if epoch_s(require_aware(moment, field=name)) % bucket_s or moment.microsecond:
            raise InvalidInputError(name, moment.isoformat(), f"a whole multiple of {bucket_s} s since 1970 (UTC)")
    return epoch_s(start), epoch_s(end)


def fill_buckets(key: SeriesKey, time_s: NDArray[np.int64], value: NDArray[np.float64], *, bucket_s: int) -> Aggregates:
    """Return the aggregates of the readings of one series.

    Parameters
    ----------
    time_s : int array, shape (n,)
        Distinct step starts, ascending [epoch s].
    value : float array, shape (n,)
        What was read.

    Examples
    --------
    >>> found = fill_buckets(SeriesKey("a", "soc"), np.array([0, 59, 60]), np.array([1.0, 3.0, 5.0]), bucket_s=60)
    >>> found.time_s.tolist(), found.count.tolist(), found.mean.tolist()
    ([0, 60], [2, 1], [2.0, 5.0])
    """
    start_s = time_s - time_s % bucket_s
    # reduceat sums the last value of an empty choice; without readings there is no bucket at all.
    begins = np.flatnonzero(np.diff(start_s, prepend=start_s[:1] - bucket_s))
    if not begins.size:
        nothing, none = np.empty(0, dtype=np.int64), np.empty(0)
        return Aggregates(key, bucket_s, nothing, nothing, none, none, none)
    return Aggregates(
        key,
        bucket_s,
        start_s[begins],
        np.diff(begins, append=time_s.size),
        np.add.reduceat(value, begins),
        np.minimum.reduceat(value, begins),
        np.maximum.reduceat(value, begins),
    )
