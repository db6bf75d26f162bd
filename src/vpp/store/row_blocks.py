"""Blocks of rows as they stand in files, checked and turned into readings, and back.

Invariant: a row that is taken is taken exactly - value, three times, flags -, and one that cannot be is named by its
file and line, its field, what stood there and what may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import check_slug
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import Quality, Readings, SeriesKey
from vpp.core.time import epoch_s, parse_time

COLUMNS = ("plant", "source", "metric", "time", "value", "quality", "issued_at", "arrived_at")
"""The fields of a row, in the order they are written."""
NEEDED = ("source", "metric", "time", "value")
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_ALL_FLAGS = int(sum(Quality))
_TIME = "whole seconds between 1971 and 2200, ISO 8601 with a zone, e.g. 2026-11-20T15:00:00Z"

Where = Callable[[int], str]
"""Returns where a row of a block stands, e.g. ``plant.csv line 17``."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a row is taken to say of the fields its file leaves out.

    Parameters
    ----------
    plant : str or None
        Plant of all rows; None when the file is to say it.
    arrived_s : int
        When the rows arrived and, unless the file says so, were issued [epoch s].
    """

    plant: str | None
    arrived_s: int


def check_columns(names: Sequence[str], defaults: Defaults, *, where: str) -> None:
    """Refuse a file with unknown, repeated or missing columns.

    Raises
    ------
    UnknownNameError
        When a column has another name than those known; the nearest are named.
    InvalidInputError
        When a column stands twice or one that is needed is missing.
    """
    for name in names:
        if name not in COLUMNS:
            raise UnknownNameError(f"column ({where})", name, COLUMNS)
    if len(set(names)) != len(names):
        raise InvalidInputError(where, list(names), "each column once")
    needed = NEEDED if defaults.plant is not None else ("plant", *NEEDED)
    for name in needed:
        if name not in names:
            remedy = "; or name the plant of all rows" if name == "plant" else ""
            raise InvalidInputError(where, list(names), f"a column {name}{remedy}")


def readings_of(
    columns: Mapping[str, Sequence[Any] | NDArray[Any]], size: int, defaults: Defaults, *, where: Where
) -> Iterator[Readings]:
    """Yield the readings of a block, one set for each plant in it, rows in the order they stand.

    Parameters
    ----------
    columns : mapping of str to sequence, length ``size``
        Words for ``plant``, ``source`` and ``metric``; times as ISO 8601 words or as whole seconds (int array);
        ``value`` as words or numbers; ``quality`` as words or numbers.

    Raises
    ------
    InvalidInputError
        For the first row that cannot be taken.
    """
    time_s = _seconds(columns["time"], "time", where)
    arrived_s = _seconds(columns["arrived_at"], "arrived_at", where) if "arrived_at" in columns else None
    if arrived_s is None:
        arrived_s = np.full(size, defaults.arrived_s, dtype=np.int64)
    issued_s = _seconds(columns["issued_at"], "issued_at", where) if "issued_at" in columns else arrived_s
    value = _values(columns["value"], where)
    quality = _flags(columns["quality"], where) if "quality" in columns else np.zeros(size, dtype=np.int64)
    plant_of, plants = _coded(columns["plant"] if "plant" in columns else [defaults.plant] * size)
    source_of, sources = _coded(columns["source"])
    metric_of, metrics = _coded(columns["metric"])
    for name, code, words in (
        ("plant", plant_of, plants),
        ("source", source_of, sources),
        ("metric", metric_of, metrics),
    ):
        for number, word in enumerate(words):
            _check_word(word, name, partial(_place_of, code, number, where))
    if defaults.plant is not None and plants != [defaults.plant]:
        other = next(number for number, word in enumerate(plants) if word != defaults.plant)
        place = where(int(np.argmax(plant_of == other)))
        raise InvalidInputError(f"{place}, plant", plants[other], f"{defaults.plant}, the plant that was named")
    series_of, first = _numbered(source_of * len(metrics) + metric_of)
    keys = [SeriesKey(sources[source_of[row]], metrics[metric_of[row]]) for row in first.tolist()]
    for number, plant in enumerate(plants):
        rows = slice(None) if len(plants) == 1 else np.flatnonzero(plant_of == number)
        series = series_of[rows]
        used, series = np.unique(series, return_inverse=True)
        yield Readings(
            plant,
            tuple(keys[i] for i in used.tolist()),
            series.astype(np.int64),
            time_s[rows],
            issued_s[rows],
            arrived_s[rows],
            value[rows],
            quality[rows],
        )


def columns_of(readings: Readings) -> dict[str, Any]:
    """Return readings as the columns of a file: words as lists, seconds, values and flags as arrays."""
    series = readings.series.tolist()
    sources = [key.source for key in readings.keys]
    metrics = [key.metric for key in readings.keys]
    return {
        "plant": [readings.plant] * len(readings),
        "source": [sources[i] for i in series],
        "metric": [metrics[i] for i in series],
        "time": readings.time_s,
        "value": readings.value,
        "quality": readings.quality,
        "issued_at": readings.issued_s,
        "arrived_at": readings.arrived_s,
    }


def _coded(words: Sequence[Any] | NDArray[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return a number for each word, and the words in the order they come."""
    known: dict[Any, int] = {}
    codes = np.fromiter((known.setdefault(word, len(known)) for word in words), dtype=np.int64, count=len(words))
    return codes, list(known)


def _numbered(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return codes as numbers from 0 in the order they come, and where each comes first."""
    _, first, number = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return place[number].astype(np.int64), first[order]


def _place_of(code: NDArray[np.int64], number: int, where: Where) -> str:
    return where(int(np.argmax(code == number)))


def _check_word(word: Any, name: str, where: Callable[[], str]) -> None:
    if not isinstance(word, str):
        raise InvalidInputError(f"{where()}, {name}", word, "a word")
    try:
        check_slug(word, field=name)
    except InvalidInputError as fault:
        raise InvalidInputError(f"{where()}, {name}", word, fault.expected) from fault


def _seconds(column: Sequence[Any] | NDArray[Any], name: str, where: Where) -> NDArray[np.int64]:
    if isinstance(column, np.ndarray) and column.dtype == np.int64:
        seconds = column
    else:
        known: dict[Any, int] = {}
        for row, word in enumerate(column):
            if word not in known:
                known[word] = _second(word, f"{where(row)}, {name}")
        seconds = np.fromiter((known[word] for word in column), dtype=np.int64, count=len(column))
    beyond = (seconds < epoch_s(EARLIEST)) | (seconds > epoch_s(LATEST))
    if beyond.any():
        row = int(np.argmax(beyond))
        raise InvalidInputError(f"{where(row)}, {name}", column[row], _TIME)
    return seconds


def _second(word: Any, field: str) -> int:
    if not isinstance(word, str):
        raise InvalidInputError(field, word, _TIME)
    try:
        moment = parse_time(word)
    except (InvalidInputError, OverflowError) as fault:
        raise InvalidInputError(field, word, _TIME) from fault
    if moment.microsecond:
        raise InvalidInputError(field, word, _TIME)
    return epoch_s(moment)


def _values(column: Sequence[Any] | NDArray[Any], where: Where) -> NDArray[np.float64]:
    value = _numbers(column, "value", "a finite number", where)
    finite = np.isfinite(value)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InvalidInputError(f"{where(row)}, value", column[row], "a finite number; leave missing ones out")
    return value


def _flags(column: Sequence[Any] | NDArray[Any], where: Where) -> NDArray[np.int64]:
    expected = f"a sum of quality flags, 0 to {_ALL_FLAGS}"
    number = _numbers(column, "quality", expected, where)
    fits = (number >= 0) & (number <= _ALL_FLAGS) & (number == np.floor(number))
    if not fits.all():
        row = int(np.argmin(fits))
        raise InvalidInputError(f"{where(row)}, quality", column[row], expected)
    return number.astype(np.int64)


def _numbers(column: Sequence[Any] | NDArray[Any], name: str, expected: str, where: Where) -> NDArray[np.float64]:
    if isinstance(column, np.ndarray) and column.dtype.kind in "fiu":
        return column.astype(np.float64)
    try:
        # Python's own reading of numbers is exact; numpy's of words is not on every platform.
        return np.fromiter(map(float, column), dtype=np.float64, count=len(column))
    except (TypeError, ValueError):
        for row, word in enumerate(column):
            try:
                float(word)
            except (TypeError, ValueError) as fault:
                raise InvalidInputError(f"{where(row)}, {name}", word, expected) from fault
        raise
