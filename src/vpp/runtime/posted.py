"""Posted readings: rows from outside become readings of the house, all or none, by the rules of ingestion."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.time import epoch_s, parse_time
from vpp.runtime.ingestion.bounds import bounds_of
from vpp.runtime.ingestion.judge import ClockRules, Judge
from vpp.runtime.setup import Setup

MOST_ROWS = 50_000
_LARGEST = sys.float_info.max
# Who posts is a person or a script that brings its past along: nothing is too old, only the calendar ends.
_CLOCK = ClockRules(oldest_days=366.0 * 200.0)


def readings_of(rows: Sequence[Mapping[str, Any]], setup: Setup, *, now: datetime) -> Readings:
    """Return posted rows as readings.

    Parameters
    ----------
    rows : sequence of mappings
        ``source`` (asset, site or ``market``), ``metric`` (``power_kw`` positive toward the grid, ``soc``,
        ``price_per_kwh``, ...), ``time`` (start of a step of the plant, with zone) and ``value``.
    setup : Setup
        The plant.
    now : datetime
        Arrival; measurements may not lie further ahead than five minutes, prices may.

    Raises
    ------
    InvalidInputError
        When a row is wrong: its index, field, value and range are named. Nothing is kept then.
    UnknownNameError
        When a row names an unknown source.
    """
    if not 0 < len(rows) <= MOST_ROWS:
        raise InvalidInputError("readings", len(rows), f"1 to {MOST_ROWS} rows")
    judge = Judge(setup.plant, _CLOCK)
    numbers, times, given = [], [], []
    for index, row in enumerate(rows):
        where = f"readings[{index}]"
        given.append(_value(where, row))
        times.append(_time_s(where, row, setup.resolution_s))
        numbers.append(_series(where, row, judge))
    series, time_s = np.array(numbers, dtype=np.int64), np.array(times, dtype=np.int64)
    value = np.array(given, dtype=np.float64) + 0.0
    verdict, quality = judge.judge(series, time_s, value, now)
    for bad in np.flatnonzero(verdict)[:1].tolist():
        raise judge.fault(numbers[bad], times[bad], given[bad], int(verdict[bad]), now, where=f"readings[{bad}]")
    arrived_s = np.full(series.shape, epoch_s(now), dtype=np.int64)
    return Readings(setup.plant.id, tuple(judge.keys), series, time_s, arrived_s, arrived_s, value, quality)


def _value(where: str, row: Mapping[str, Any]) -> float:
    value = row.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_LARGEST <= value <= _LARGEST:
        raise InvalidInputError(f"{where}.value", value, "a finite number")
    return float(value)


def _time_s(where: str, row: Mapping[str, Any], resolution_s: int) -> int:
    time = row.get("time")
    moment = parse_time(time, field=f"{where}.time") if isinstance(time, str) else time
    if not isinstance(moment, datetime):
        raise InvalidInputError(f"{where}.time", time, "an ISO 8601 time with a zone")
    if epoch_s(moment) % resolution_s or moment.microsecond:
        expected = f"the start of a step of {resolution_s} s; post means over steps"
        raise InvalidInputError(f"{where}.time", moment.isoformat(), expected)
    return epoch_s(moment)


def _series(where: str, row: Mapping[str, Any], judge: Judge) -> int:
    source, metric = str(row.get("source")), str(row.get("metric"))
    if not judge.knows(source, metric):
        bounds_of(judge.plant, SeriesKey(source, metric), where=where)
    return judge.index(source, metric)
