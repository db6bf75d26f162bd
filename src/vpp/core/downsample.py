"""Down-sampling for the eye: which few of many points to draw so that the curve keeps its shape.

Array functions only. Each returns the places of the points to keep, so that values are never altered and several
columns can be cut alike. The first and the last point are always kept, and a gap between kept points stays one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]
Places = NDArray[np.intp]

FEWEST_POINTS = 10
"""With fewer there would be no room for the extremes beside both ends and the gaps."""


def minmax(time_s: Seconds, value: Floats, points: int) -> Places:
    """Keep the lowest and the highest point of equal spans of time: no peak is lost.

    Parameters
    ----------
    time_s : int array, shape (n,)
        Times, strictly ascending [epoch s].
    value : float array, shape (n,)
        Values; NaN where nothing is known.
    points : int
        How many to keep at most, 10 or more.

    Returns
    -------
    int array, shape (m,)
        Places of the kept points, ascending, ``m <= points``; all of them when there are no more than ``points``.
        The overall lowest and highest value are among them.

    Raises
    ------
    InvalidInputError
        When ``points`` is below 10, or the times do not ascend.
    SeriesMismatchError
        When the two inputs differ in length.

    Examples
    --------
    >>> value = np.zeros(1_001)
    >>> value[[123, 456]] = 9.0, -9.0
    >>> kept = minmax(np.arange(1_001), value, 10)
    >>> sorted({0, 123, 456, 1_000} - set(kept.tolist()))
    []
    """
    times, values = _checked(time_s, value, points)
    if values.size <= points:
        return np.arange(values.size)
    known = np.flatnonzero(~np.isnan(values))
    spans = (_budget(values, points) - 2) // 2
    if not known.size:
        return np.array([0, values.size - 1])
    elapsed = times[known] - times[known[0]]
    span = np.minimum(elapsed * spans // max(int(elapsed[-1]), 1), spans - 1)
    begins = np.flatnonzero(np.diff(span, prepend=-1))
    # By span, then value: the first of each span is its lowest, the last its highest.
    order = np.lexsort((values[known], span))
    ends = np.append(begins[1:], known.size) - 1
    return _with_gaps(known[np.union1d(order[begins], order[ends])], values)


def lttb(time_s: Seconds, value: Floats, points: int) -> Places:
    """Keep the points that span the largest triangles with their neighbours: the look of the curve.

    Parameters
    ----------
    time_s : int array, shape (n,)
        Times, strictly ascending [epoch s].
    value : float array, shape (n,)
        Values; NaN where nothing is known.
    points : int
        How many to keep at most, 10 or more.

    Returns
    -------
    int array, shape (m,)
        Places of the kept points, ascending, ``m <= points``; all of them when there are no more than ``points``.

    Raises
    ------
    InvalidInputError
        When ``points`` is below 10, or the times do not ascend.
    SeriesMismatchError
        When the two inputs differ in length.

    Notes
    -----
    Largest-Triangle-Three-Buckets of S. Steinarsson, "Downsampling Time Series for Visual Representation",
    University of Iceland, 2013, section 4.2: the points between the first and the last are divided into buckets of
    equal count; of each, the point is kept whose triangle with the one kept before and the mean of the next bucket is
    largest.

    Examples
    --------
    >>> value = np.zeros(1_001)
    >>> value[[123, 456]] = 9.0, -9.0
    >>> kept = lttb(np.arange(1_001), value, 10)
    >>> kept.size, sorted({0, 123, 456, 1_000} - set(kept.tolist()))
    (10, [])
    """
    times, values = _checked(time_s, value, points)
    if values.size <= points:
        return np.arange(values.size)
    known = np.flatnonzero(~np.isnan(values))
    budget = _budget(values, points)
    if known.size > budget:
        known = known[_largest_triangles((times[known] - times[0]).astype(np.float64), values[known], budget)]
    return _with_gaps(known, values)


def _largest_triangles(x: Floats, y: Floats, points: int) -> Places:
    """Return the places of exactly ``points`` of more points without gaps."""
    last = x.size - 1
    edges = 1 + np.arange(points - 1) * (last - 1) // (points - 2)
    # The mean of each bucket; after the last one stands the last point alone.
    sizes = np.diff(edges)
    mean_x = np.append(np.add.reduceat(x[:last], edges[:-1]) / sizes, x[last])
    mean_y = np.append(np.add.reduceat(y[:last], edges[:-1]) / sizes, y[last])
    kept = np.zeros(points, dtype=np.intp)
    kept[-1] = last
    for i in range(points - 2):
        here = slice(edges[i], edges[i + 1])
        before = kept[i]
        twice_area = (x[before] - mean_x[i + 1]) * (y[here] - y[before]) - (x[before] - x[here]) * (
            mean_y[i + 1] - y[before]
        )
        kept[i + 1] = edges[i] + int(np.argmax(np.abs(twice_area)))
    return kept


def _checked(time_s: Seconds, value: Floats, points: int) -> tuple[Seconds, Floats]:
    times, values = np.asarray(time_s, dtype=np.int64), np.asarray(value, dtype=np.float64)
    if times.shape != values.shape or times.ndim != 1:
        raise SeriesMismatchError("value", values.shape, f"one value for each time, {times.shape}")
    if points < FEWEST_POINTS:
        raise InvalidInputError("points", points, f"{FEWEST_POINTS} or more")
    if times.size and (np.diff(times) <= 0).any():
        raise InvalidInputError("time_s", "times that repeat or go back", "strictly ascending times")
    return times, values


def _budget(values: Floats, points: int) -> int:
    """Return how many known points may be kept, so that there is room for the gaps between them and for both ends."""
    missing = np.isnan(values)
    gaps = int(np.count_nonzero(missing[1:] & ~missing[:-1])) + int(missing[0])
    return points - min(gaps, points // 2) - 1 if gaps else points


def _with_gaps(chosen: Places, values: Floats) -> Places:
    """Return chosen places with both ends of all, and one missing point of each gap between the known ones."""
    places = np.union1d(chosen, [0, values.size - 1])
    missing = np.isnan(values)
    known = places[~missing[places]]
    missing_before = np.concatenate(([0], np.cumsum(missing)))
    left = known[:-1][missing_before[known[1:]] > missing_before[known[:-1]]]
    # The first missing point after each known one: where the count of missing points next rises.
    first_missing = np.searchsorted(missing_before, missing_before[left], side="right") - 1
    return np.union1d(places, first_missing).astype(np.intp)
