"""Readings in buckets of time, answered from roll-ups where those are up to date and from the readings elsewhere.

Roll-ups of a minute, a quarter of an hour, an hour and a day are tables of the store, the same on every database.
A write only marks the hours it fell in (``vpp.store.marks``), ``vpp.store.rollup_refresh`` computes those anew, and a
read takes what is marked from the readings. Invariant: at any moment, refreshed or not, an answer is that of the
winning readings; only where the readings were dropped (``vpp.store.retention``) do the roll-ups answer alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, func, select
from sqlalchemy import cast as sql_cast

from vpp.store.marks import series_and_start, unpack
from vpp.store.rollup_tables import DAY_S, HOUR_S, LEVELS, MARKS, MINUTE_S, RETENTION

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
Points = Callable[[int, int, int], tuple[Numbers, Floats]]
"""Returns the winning readings of a series from a start to before an end [epoch s]: times, ascending, and values."""

MOST_SERIES_AT_ONCE = 500
ROWS_AT_ONCE = 20_000
"""How many rows of a level one statement is to walk: the database sorts them, and small heaps sort fastest."""


class Buckets(NamedTuple):
    """One series in buckets of time, ascending; see ``vpp.core.ports.Aggregates``."""

    time_s: Numbers
    readings: Numbers
    total: Floats
    low: Floats
    high: Floats

    def take(self, choice: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Buckets:
        """Return some of the buckets."""
        return Buckets(
            self.time_s[choice], self.readings[choice], self.total[choice], self.low[choice], self.high[choice]
        )


_ROW = np.dtype(
    [("series_id", "i8"), ("time_s", "i8"), ("readings", "i8"), ("total", "f8"), ("low", "f8"), ("high", "f8")]
)


def aggregates(
    connection: Connection, series_ids: Sequence[int], start_s: int, end_s: int, *, bucket_s: int, points: Points
) -> list[Buckets]:
    """Return series in buckets of time, one answer for each number.

    Parameters
    ----------
    connection : Connection
        In a transaction that sees one moment (on PostgreSQL: repeatable read).
    series_ids : sequence of int
        Numbers of the series, distinct, ascending.
    start_s, end_s : int
        Whole multiples of ``bucket_s`` [epoch s].
    bucket_s : int
        As ``vpp.store.buckets.check_buckets`` allows [s].
    points : callable
        Reads the winning readings of one series on the same connection.
    """
    if bucket_s < MINUTE_S:
        return [gathered([of_points(*points(number, start_s, end_s), bucket_s)], bucket_s) for number in series_ids]
    level_s = max(length for length in LEVELS if bucket_s % length == 0)
    # Grouped by the database as far as an hour stays whole, because what is out of date is known by the hour.
    grain_s = level_s if level_s == DAY_S else int(np.gcd(bucket_s, HOUR_S))
    stale = stale_hours(connection, start_s, end_s)
    answer = []
    rolled = _rolled(connection, series_ids, start_s, end_s, level_s=level_s, grain_s=grain_s)
    for number, buckets in zip(series_ids, rolled, strict=True):
        hours = stale.get(number)
        parts = [buckets]
        if hours is not None:
            unit_s = max(grain_s, HOUR_S)
            away = np.unique(hours - hours % unit_s)
            parts = [buckets.take(~np.isin(buckets.time_s - buckets.time_s % unit_s, away))]
            if unit_s > HOUR_S:
                parts += _fresh_hours_of(connection, number, away, hours)
            parts += [of_points(*points(number, *span), grain_s) for span in _runs(hours)]
        answer.append(gathered(parts, bucket_s))
    return answer


def stale_hours(connection: Connection, start_s: int, end_s: int) -> dict[int, Numbers]:
    """Return the hours between two times that the roll-ups may be wrong about, by series' number.

    What was marked before the time whose readings were dropped is left out: there the roll-ups are final.
    """
    start_s = max(start_s, dropped_before_s(connection))
    packed = connection.execute(_MARKED, {"first": start_s // HOUR_S, "last": -(-end_s // HOUR_S)}).scalars().all()
    if not packed:
        return {}
    series, hour_s = series_and_start(np.unique(np.concatenate([unpack(hours) for hours in packed])))
    inside = (hour_s >= start_s - start_s % HOUR_S) & (hour_s < end_s)
    series, hour_s = series[inside], hour_s[inside]
    first = np.flatnonzero(np.diff(series, prepend=-1))
    parts = np.split(hour_s, first[1:]) if first.size else []
    return dict(zip(series[first].tolist(), parts, strict=True))


def dropped_before_s(connection: Connection) -> int:
    """Return the time before which readings were dropped [epoch s]; far in the past when none were."""
    dropped: int | None = connection.execute(select(RETENTION.c.dropped_before_s)).scalar_one_or_none()
    return -(2**62) if dropped is None else dropped


def of_points(time_s: Numbers, value: Floats, bucket_s: int) -> Buckets:
    """Return readings as buckets.

    >>> of_points(np.array([0, 59, 60]), np.array([1.0, 3.0, 5.0]), 60).total.tolist()
    [4.0, 5.0]
    """
    return gathered([Buckets(time_s, np.ones(time_s.size, dtype=np.int64), value, value, value)], bucket_s)


def gathered(parts: Sequence[Buckets], bucket_s: int) -> Buckets:
    """Return buckets of any shorter length, in any order, as buckets of ``bucket_s`` seconds, ascending."""
    both = parts[0] if len(parts) == 1 else Buckets(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    if not both.time_s.size:
        return both
    if (np.diff(both.time_s) < 0).any():
        order = np.argsort(both.time_s, kind="stable")
        both = both.take(order)
    start_s = both.time_s - both.time_s % bucket_s
    first = np.flatnonzero(np.diff(start_s, prepend=start_s[0] - bucket_s))
    return Buckets(
        start_s[first],
        np.add.reduceat(both.readings, first),
        np.add.reduceat(both.total, first),
        np.minimum.reduceat(both.low, first),
        np.maximum.reduceat(both.high, first),
    )


def bucket_start(time_s: ColumnElement[int], bucket_s: ColumnElement[int] | int) -> ColumnElement[int]:
    """Return, as an expression of SQL, the start of the bucket that a time falls in, before 1970 too."""
    # SQL's remainder has the sign of the time; Python's does not.
    return time_s - (time_s % bucket_s + bucket_s) % bucket_s


def _rolled(
    connection: Connection, series_ids: Sequence[int], start_s: int, end_s: int, *, level_s: int, grain_s: int
) -> list[Buckets]:
    """Return what the roll-ups of one level hold, in buckets of ``grain_s`` seconds, one answer for each number."""
    found: list[Buckets] = []
    statement = _grouped(level_s, grain_s)
    at_once = max(1, min(MOST_SERIES_AT_ONCE, ROWS_AT_ONCE * level_s // max(1, end_s - start_s)))
    for first in range(0, len(series_ids), at_once):
        some = list(series_ids[first : first + at_once])
        result = connection.execute(statement, {"series": some, "start": start_s, "end": end_s, "grain": grain_s})
        rows = np.fromiter(cast("Iterator[tuple[Any, ...]]", result.cursor), dtype=_ROW)
        found += (_of_rows(rows[slice(*bounds)]) for bounds in _bounds(rows["series_id"], some))
    return found


def _bounds(series: Numbers, wanted: Sequence[int]) -> list[tuple[int, int]]:
    ends = zip(np.searchsorted(series, wanted), np.searchsorted(series, wanted, side="right"), strict=True)
    return [(int(first), int(last)) for first, last in ends]


def _fresh_hours_of(connection: Connection, number: int, days: Numbers, stale: Numbers) -> list[Buckets]:
    """Return the hours of some days of a series that are not out of date."""
    parts = []
    for first_s, last_s in _runs(days, length_s=DAY_S):
        (hours,) = _rolled(connection, [number], first_s, last_s, level_s=HOUR_S, grain_s=HOUR_S)
        parts.append(hours.take(~np.isin(hours.time_s, stale)))
    return parts


def _runs(starts_s: Numbers, *, length_s: int = HOUR_S) -> list[tuple[int, int]]:
    """Return steps that follow one another as spans: first start and last end [epoch s].

    >>> _runs(np.array([0, 3600, 10800]))
    [(0, 7200), (10800, 14400)]
    """
    breaks = np.flatnonzero(np.diff(starts_s) > length_s) + 1
    edges = [0, *breaks.tolist(), starts_s.size]
    return [(int(starts_s[first]), int(starts_s[last - 1]) + length_s) for first, last in pairwise(edges)]


def _of_rows(rows: NDArray[np.void]) -> Buckets:
    return Buckets(*(np.ascontiguousarray(rows[name]) for name in Buckets._fields))


def _grouped(level_s: int, grain_s: int) -> Select[Any]:
    table = LEVELS[level_s].c
    within = (
        table.series_id.in_(bindparam("series", expanding=True)),
        table.start_s >= bindparam("start"),
        table.start_s < bindparam("end"),
    )
    if grain_s == level_s:
        plain = select(table.series_id, table.start_s, table.count, table.total, table.low, table.high)
        return plain.where(*within).order_by(table.series_id, table.start_s)
    start = bucket_start(table.start_s, bindparam("grain", type_=BigInteger)).label("bucket_s")
    # PostgreSQL adds whole numbers up as decimals.
    count = sql_cast(func.sum(table.count), BigInteger)
    summed = select(table.series_id, start, count, func.sum(table.total), func.min(table.low), func.max(table.high))
    return summed.where(*within).group_by(table.series_id, start).order_by(table.series_id, start)


_MARKED = select(MARKS.c.hours).where(MARKS.c.last_hour >= bindparam("first"), MARKS.c.first_hour < bindparam("last"))
