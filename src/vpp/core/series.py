"""Series: placing measured values on a time grid, and changing the resolution without losing energy.

Array functions only. A value is the mean over its step, so going coarser averages and going finer repeats;
both keep the energy. A step without a value is NaN, never a guess.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, check_resolution

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]


def align(times_s: Seconds, values: Floats, grid: TimeGrid) -> Floats:
    """Place step means on a grid of the same resolution.

    Parameters
    ----------
    times_s : int array, shape (n,)
        Step starts [epoch s], in any order; a later entry for the same step replaces the earlier.
    values : float array, shape (n,)
        Values; NaN for missing.
    grid : TimeGrid
        Where they go.

    Returns
    -------
    float array, shape (grid.count,)
        NaN where nothing was given. Values that do not start on a step of the grid are left out.

    Raises
    ------
    SeriesMismatchError
        When the two inputs differ in length.
    """
    if np.shape(times_s) != np.shape(values):
        raise SeriesMismatchError("values", np.shape(values), f"as many values as times, {np.shape(times_s)}")
    placed = np.full(grid.count, np.nan)
    offset_s = np.asarray(times_s, dtype=np.int64) - grid.start_s
    step, rest_s = np.divmod(offset_s, grid.resolution_s)
    inside = (rest_s == 0) & (step >= 0) & (step < grid.count)
    placed[step[inside]] = np.asarray(values, dtype=np.float64)[inside]
    return placed


def resample(values: Floats, *, from_s: int, to_s: int) -> Floats:
    """Change the resolution of a gapless run of step means, keeping the energy.

    Parameters
    ----------
    values : float array, shape (n,)
        Means over steps of ``from_s`` seconds.
    from_s, to_s : int
        Resolutions [s]; one must be a multiple of the other.

    Returns
    -------
    float array
        Coarser: means of whole groups (NaN if any member is NaN). Finer: each value repeated.

    Raises
    ------
    InvalidInputError
        When neither resolution is a multiple of the other, or a group stays incomplete.

    Examples
    --------
    >>> resample(np.array([1.0, 3.0]), from_s=1800, to_s=3600).tolist()
    [2.0]
    """
    check_resolution(from_s, field="from_s")
    check_resolution(to_s, field="to_s")
    if to_s % from_s == 0:
        group = to_s // from_s
        if len(values) % group:
            raise InvalidInputError("values", len(values), f"a multiple of {group} values")
        means: Floats = np.asarray(values, dtype=np.float64).reshape(-1, group).mean(axis=1)
        return means
    if from_s % to_s == 0:
        return np.repeat(np.asarray(values, dtype=np.float64), from_s // to_s)
    raise InvalidInputError("to_s", to_s, f"a multiple or a divisor of {from_s} s")


def fill_short_gaps(values: Floats, *, longest: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Bridge interior gaps of at most ``longest`` steps by straight lines.

    Returns
    -------
    filled : float array
        A copy with the short gaps filled; longer ones and open ends stay NaN.
    repaired : bool array
        True where a value was made up, so that it can be counted and flagged.
    """
    source = np.asarray(values, dtype=np.float64)
    missing = np.isnan(source)
    if not missing.any() or missing.all():
        return source.copy(), np.zeros(source.shape, dtype=bool)
    known = np.flatnonzero(~missing)
    position = np.arange(source.size)
    before = np.searchsorted(known, position, side="right") - 1
    inside = missing & (before >= 0) & (before < known.size - 1)
    gap = np.zeros(source.size, dtype=np.int64)
    gap[inside] = known[before[inside] + 1] - known[before[inside]] - 1
    repaired = inside & (gap <= longest)
    filled = source.copy()
    filled[repaired] = np.interp(position[repaired], known, source[known])
    return filled, repaired


def latest_known(values: Floats) -> Floats:
    """Carry the last known value forward over NaN; leading NaN stay.

    >>> latest_known(np.array([np.nan, 1.0, np.nan])).tolist()
    [nan, 1.0, 1.0]
    """
    source = np.asarray(values, dtype=np.float64)
    index = np.where(np.isnan(source), -1, np.arange(source.size))
    index = np.maximum.accumulate(index) if source.size else index
    carried = np.full(source.shape, np.nan)
    carried[index >= 0] = source[index[index >= 0]]
    return carried
