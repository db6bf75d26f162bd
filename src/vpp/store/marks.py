"""Which hours of which series a write left out of date in the roll-ups, as one small row.

A mark is all that a write pays for the roll-ups: no bucket is touched, nothing is looked up, and two writers never
wait for one another. Invariant: ``unpack(pack(codes))`` equals the distinct codes in ascending order.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert

from vpp.core.errors import InvalidInputError, StoreError
from vpp.store.rollup_tables import HOUR_S, MARKS

Codes = NDArray[np.int64]
Numbers = NDArray[np.int64]

# A code holds the series above and the hour below: 2**28 hours reach beyond every year a date can name.
_HOUR_BITS = 28
_MIDDLE = 1 << (_HOUR_BITS - 1)
MOST_SERIES = 1 << (62 - _HOUR_BITS)


def mark(connection: Connection, series_ids: Numbers, time_s: Numbers) -> None:
    """Note, in the transaction that writes readings, which hours of which series they fall in.

    Parameters
    ----------
    series_ids : int array, shape (n,)
        Numbers of the series of the rows written.
    time_s : int array, shape (n,)
        When they hold [epoch s].
    """
    row = mark_row(codes_of(series_ids, time_s))
    if row is not None:
        connection.execute(insert(MARKS), row)


def codes_of(series_ids: Numbers, time_s: Numbers) -> Codes:
    """Return a code for the series and hour of each row, shape (n,).

    Raises
    ------
    InvalidInputError
        When a time lies further than 15,000 years from 1970, or a series' number is negative or beyond 2**34.
    """
    hour = time_s // HOUR_S + _MIDDLE
    if hour.size and not 0 <= int(hour.min()) <= int(hour.max()) < 2 * _MIDDLE:
        raise InvalidInputError("time_s", int(time_s[np.argmax(np.abs(time_s))]), "a time within 15,000 years of 1970")
    if series_ids.size and not 0 <= int(series_ids.min()) <= int(series_ids.max()) < MOST_SERIES:
        raise InvalidInputError("series_ids", int(series_ids.max()), f"numbers from 0 to below {MOST_SERIES}")
    codes: Codes = (series_ids << _HOUR_BITS) | hour
    return codes


def series_and_start(codes: Codes) -> tuple[Numbers, Numbers]:
    """Return the series' numbers and the starts of the hours [epoch s] of codes.

    >>> series, start_s = series_and_start(codes_of(np.array([7, 7]), np.array([3599, -1])))
    >>> series.tolist(), start_s.tolist()
    ([7, 7], [0, -3600])
    """
    return codes >> _HOUR_BITS, ((codes & (2 * _MIDDLE - 1)) - _MIDDLE) * HOUR_S


def mark_row(codes: Codes) -> dict[str, int | bytes] | None:
    """Return codes as the row of ``rollup_marks`` that holds them; None when there are none."""
    if not codes.size:
        return None
    hour = (codes & (2 * _MIDDLE - 1)) - _MIDDLE
    return {"first_hour": int(hour.min()), "last_hour": int(hour.max()), "hours": pack(codes)}


def pack(codes: Codes) -> bytes:
    """Return the distinct codes as few bytes: a tick of ten thousand series is a run of equal differences."""
    # The fastest level: equal differences vanish at any, and what varies hardly shrinks at a slower one.
    return zlib.compress(np.diff(np.unique(codes), prepend=0).astype("<i8").tobytes(), 1)


def unpack(hours: bytes) -> Codes:
    """Return the codes that ``pack`` took, distinct and ascending.

    Raises
    ------
    StoreError
        When the bytes are damaged.
    """
    try:
        steps = np.frombuffer(zlib.decompress(hours), dtype="<i8")
    except (zlib.error, ValueError) as fault:
        raise StoreError(
            f"a mark of the roll-ups cannot be read ({fault}); build them anew by vpp db refresh --all"
        ) from fault
    codes: Codes = np.cumsum(steps, dtype=np.int64)
    return codes
