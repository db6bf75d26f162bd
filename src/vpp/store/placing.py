"""From rows to answers: which revision wins, and how values come to stand on a grid.

Both stores answer through these functions, so that they answer alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.series import align, resample
from vpp.core.time import TimeGrid, check_resolution, epoch_s, from_epoch_s

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]

FOREVER_S = 2**62
"""Later than any arrival [epoch s]."""


class Rows(NamedTuple):
    """Readings of one series as columns of equal length."""

    time_s: Seconds
    issued_s: Seconds
    arrived_s: Seconds
    value: Floats
    quality: NDArray[np.int64]

    def take(self, choice: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Rows:
        """Return some of the rows."""
        return Rows(
            self.time_s[choice], self.issued_s[choice], self.arrived_s[choice], self.value[choice], self.quality[choice]
        )

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Return several runs of rows as one."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def known_by_s(known_at: datetime | None) -> int:
    """Return the last arrival that counts [epoch s]; without a time, every arrival does."""
    return FOREVER_S if known_at is None else epoch_s(known_at)


def winners(time_s: Seconds) -> NDArray[np.bool_]:
    """Return True for the last of each run of equal times, shape as given.

    >>> winners(np.array([0, 0, 900])).tolist()
    [False, True, True]
    """
    last = np.ones(time_s.shape, dtype=bool)
    np.not_equal(time_s[1:], time_s[:-1], out=last[:-1])
    return last


def covering(grid: TimeGrid, reading_s: int | None) -> tuple[int, int]:
    """Return the span [epoch s] whose readings bear on a grid: ``[start, end)``.

    Raises
    ------
    InvalidInputError
        When ``reading_s`` is neither a multiple nor a divisor of the grid's resolution.
    """
    if reading_s is None:
        return grid.start_s, grid.end_s
    check_resolution(reading_s, field="reading_s")
    if reading_s % grid.resolution_s and grid.resolution_s % reading_s:
        raise InvalidInputError("reading_s", reading_s, f"a multiple or a divisor of {grid.resolution_s} s")
    start_s = grid.start_s - grid.start_s % reading_s
    return start_s, grid.end_s + -grid.end_s % reading_s


def place(time_s: Seconds, value: Floats, grid: TimeGrid, *, reading_s: int | None = None) -> Floats:
    """Return the means over the steps of a grid, shape (grid.count,).

    Parameters
    ----------
    time_s : int array, shape (n,)
        Distinct step starts, ascending, within ``covering(grid, reading_s)`` [epoch s].
    value : float array, shape (n,)
        What was read.
    grid : TimeGrid
        The steps asked for.
    reading_s : int, optional
        How long a reading holds [s]. With it, a value is repeated over all steps it covers, and a step of which a
        part was not read is NaN. Without it, a step is the mean of the readings that start in it.

    Examples
    --------
    >>> hour = TimeGrid(from_epoch_s(0), 3600, 1)
    >>> place(np.array([0, 900]), np.array([1.0, 3.0]), hour).tolist()
    [2.0]
    >>> place(np.array([0, 900]), np.array([1.0, 3.0]), hour, reading_s=900).tolist()
    [nan]
    """
    if reading_s is not None and reading_s != grid.resolution_s:
        return _place_by_length(time_s, value, grid, reading_s=reading_s)
    step = (time_s - grid.start_s) // grid.resolution_s
    readings = np.bincount(step, minlength=grid.count)
    placed = np.full(grid.count, np.nan)
    np.divide(np.bincount(step, weights=value, minlength=grid.count), readings, out=placed, where=readings > 0)
    return placed


def _place_by_length(time_s: Seconds, value: Floats, grid: TimeGrid, *, reading_s: int) -> Floats:
    """Place readings of a known length on a grid that is finer or coarser."""
    start_s, end_s = covering(grid, reading_s)
    if reading_s < grid.resolution_s and (start_s, end_s) != (grid.start_s, grid.end_s):
        raise InvalidInputError("grid.start", grid.start.isoformat(), f"a multiple of {reading_s} s")
    native = TimeGrid(from_epoch_s(start_s), reading_s, (end_s - start_s) // reading_s)
    values = resample(align(time_s, value, native), from_s=reading_s, to_s=grid.resolution_s)
    if reading_s < grid.resolution_s:
        return values
    lead, rest_s = divmod(grid.start_s - start_s, grid.resolution_s)
    if rest_s:
        raise InvalidInputError("grid.start", grid.start.isoformat(), f"a multiple of {grid.resolution_s} s")
    return values[lead : lead + grid.count]


def gather(plant: str, keys: Sequence[SeriesKey], rows: Sequence[Rows], *, most: int) -> Readings:
    """Return the rows of several series as readings in order of time, then of ``keys``, at most ``most``."""
    if not keys:
        empty = np.empty(0, dtype=np.int64)
        return Readings(plant, (), empty, empty, empty, empty, np.empty(0), empty)
    series = np.repeat(np.arange(len(keys), dtype=np.int64), [row.time_s.size for row in rows])
    merged = Rows.joined(rows)
    order = np.lexsort((series, merged.time_s))[:most]
    chosen = merged.take(order)
    return Readings(
        plant,
        tuple(keys),
        series[order],
        chosen.time_s,
        chosen.issued_s,
        chosen.arrived_s,
        chosen.value,
        chosen.quality,
    )
