"""Replay: a table told step by step, as it would have become known.

Invariant: nothing of a step is told before the step has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import SeriesMismatchError
from vpp.core.messages import Readings
from vpp.core.ports import SeriesTable
from vpp.core.time import require_aware


def replay(
    table: SeriesTable,
    *,
    plant: str,
    start: datetime,
    end: datetime,
    quality: NDArray[np.int64] | None = None,
) -> Iterator[Readings]:
    """Yield, step by step, the readings that became known at the end of each step.

    Parameters
    ----------
    table : SeriesTable
        Measurements; NaN is left out. Prices in it are told like measurements: a price known ahead of its hour is
        the business of who knows when it was published.
    plant : str
        Plant id the readings carry.
    start, end : datetime
        Steps that start in ``[start, end)`` are told; aware. Beyond the table there is nothing to tell.
    quality : int array, shape of ``table.value``, optional
        ``Quality`` flags, e.g. of ``TableReading``; good when left out.

    Yields
    ------
    Readings
        One batch per step that has a value, in order of time; ``issued_s`` and ``arrived_s`` are the end of the step.

    Raises
    ------
    NaiveTimeError
        When ``start`` or ``end`` carries no zone.
    SeriesMismatchError
        When ``quality`` has another shape than the values.
    """
    if quality is not None and quality.shape != table.value.shape:
        raise SeriesMismatchError("quality", quality.shape, f"the shape of the values, {table.value.shape}")
    times_s = table.grid.times_s
    low, high = np.searchsorted(
        times_s, [require_aware(start, field="start").timestamp(), require_aware(end, field="end").timestamp()]
    )
    row, column = np.nonzero(np.isfinite(table.value[low:high]))
    row = row + low
    value = table.value[row, column]
    flags = np.zeros(row.size, dtype=np.int64) if quality is None else quality[row, column].astype(np.int64)
    first = np.searchsorted(row, np.arange(low, high + 1))
    return _batches(table, plant, (row, column.astype(np.int64), value, flags), first)


def _batches(
    table: SeriesTable,
    plant: str,
    cells: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]],
    first: NDArray[np.int64],
) -> Iterator[Readings]:
    row, column, value, flags = cells
    time_s = table.grid.times_s[row]
    arrived_s = time_s + table.grid.resolution_s
    for begin, stop in pairwise(first.tolist()):
        if begin < stop:
            part = slice(begin, stop)
            yield Readings(
                plant,
                table.keys,
                column[part],
                time_s[part],
                arrived_s[part],
                arrived_s[part],
                value[part],
                flags[part],
            )
