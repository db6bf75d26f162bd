"""Down-sampling against a slow and obvious reference, and for what it promises of any series."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vpp.core.downsample import FEWEST_POINTS, lttb, minmax
from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]

SOME_VALUES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([float("nan"), 0.0, 1.0])), min_size=0, max_size=300
)
POINTS = st.integers(FEWEST_POINTS, 60)


def plain_lttb(x: Floats, y: Floats, points: int) -> list[int]:
    """Steinarsson's algorithm as he words it, point by point."""
    last = len(x) - 1
    edges = [1 + i * (last - 1) // (points - 2) for i in range(points - 1)]
    kept = [0]
    for i in range(points - 2):
        following = range(edges[i + 1], edges[i + 2]) if i + 2 < len(edges) else [last]
        mean_x = sum(x[j] for j in following) / len(following)
        mean_y = sum(y[j] for j in following) / len(following)
        a = kept[-1]
        areas = [
            abs((x[a] - mean_x) * (y[j] - y[a]) - (x[a] - x[j]) * (mean_y - y[a])) / 2
            for j in range(edges[i], edges[i + 1])
        ]
        kept.append(edges[i] + areas.index(max(areas)))
    return [*kept, last]


def times_of(size: int, *, seed: int = 0) -> NDArray[np.int64]:
    return np.cumsum(np.random.default_rng(seed).integers(1, 90, size=size))


@pytest.mark.parametrize(("size", "points"), [(11, 10), (100, 10), (999, 37), (5000, 200)])
def test_lttb_is_the_published_algorithm(size: int, points: int) -> None:
    times = times_of(size)
    value = np.cumsum(np.random.default_rng(size).normal(size=size))
    # Times from the first one, as ours are: the means of large numbers would round otherwise.
    assert lttb(times, value, points).tolist() == plain_lttb((times - times[0]).astype(float), value, points)


def test_minmax_keeps_the_extremes_of_every_span() -> None:
    times = np.arange(1000)
    value = np.random.default_rng(1).normal(size=1000)
    kept = minmax(times, value, 22)
    spans = (times * 10 // 999).clip(max=9)
    for span in range(10):
        inside = value[spans == span]
        assert {inside.min(), inside.max()} <= set(value[kept].tolist())


@pytest.mark.parametrize("sampled", [minmax, lttb])
@given(values=SOME_VALUES, points=POINTS, seed=st.integers(0, 5))
def test_what_both_promise(sampled, values: list[float], points: int, seed: int) -> None:
    value = np.array(values, dtype=float)
    kept = sampled(times_of(value.size, seed=seed), value, points)
    assert kept.size <= points
    assert (np.diff(kept) > 0).all()
    if value.size <= points:
        assert kept.tolist() == list(range(value.size))
        return
    assert kept[[0, -1]].tolist() == [0, value.size - 1]
    # A line is drawn between two neighbours only where nothing was missing between them.
    for left, right in pairwise(kept.tolist()):
        between = value[left : right + 1]
        assert not np.isnan(between[1:-1]).any() or np.isnan(between[[0, -1]]).any()
    # And no gap is invented: a kept point that is missing was missing.
    if sampled is minmax and not np.isnan(value).all():
        assert np.nanmin(value) == np.nanmin(value[kept])
        assert np.nanmax(value) == np.nanmax(value[kept])


@pytest.mark.parametrize("sampled", [minmax, lttb])
def test_a_gap_stays_a_gap(sampled) -> None:
    value = np.sin(np.arange(5000) / 300.0)
    value[2000:2500] = np.nan
    kept = sampled(np.arange(5000), value, 100)
    inside = kept[(kept >= 2000) & (kept < 2500)]
    assert inside.size >= 1
    assert np.isnan(value[inside]).all()
    assert 80 <= kept.size <= 100


@pytest.mark.parametrize("sampled", [minmax, lttb])
def test_what_is_refused(sampled) -> None:
    with pytest.raises(InvalidInputError, match="points: got 9, expected 10 or more"):
        sampled(np.arange(20), np.zeros(20), 9)
    with pytest.raises(InvalidInputError, match="strictly ascending"):
        sampled(np.array([0, 5, 5]), np.zeros(3), 10)
    with pytest.raises(SeriesMismatchError):
        sampled(np.arange(3), np.zeros(4), 10)
