"""Series: values land on the step they belong to, energy survives a change of resolution, gaps stay gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.series import align, fill_short_gaps, latest_known, resample
from vpp.core.time import TimeGrid

NAN = float("nan")
GRID = TimeGrid(datetime(2026, 3, 29, tzinfo=UTC), 900, 4)
POWERS = st.floats(-1e6, 1e6, allow_subnormal=False)
MAYBE_POWERS = st.one_of(POWERS, st.just(NAN))
RESOLUTIONS_S = [60, 300, 900, 1800, 3600]


def seconds(*offsets_s: int) -> np.ndarray:
    return GRID.start_s + np.array(offsets_s, dtype=np.int64)


# --- align


@pytest.mark.parametrize(
    ("offsets_s", "values", "expected"),
    [
        ((), (), (NAN, NAN, NAN, NAN)),
        ((0, 900, 1800, 2700), (1, 2, 3, 4), (1, 2, 3, 4)),
        ((2700, 0), (4, 1), (1, NAN, NAN, 4)),  # any order
        ((900, 900), (1, 2), (NAN, 2, NAN, NAN)),  # the later entry counts
        ((900, 900), (1, NAN), (NAN, NAN, NAN, NAN)),  # also when it says "unknown"
        ((-900, 3600), (1, 2), (NAN, NAN, NAN, NAN)),  # before and after
        ((1, 899, 901), (1, 2, 3), (NAN, NAN, NAN, NAN)),  # between the steps
    ],
)
def test_values_land_on_their_step(offsets_s: tuple, values: tuple, expected: tuple) -> None:
    placed = align(seconds(*offsets_s), np.array(values, dtype=float), GRID)
    np.testing.assert_array_equal(placed, expected)


def test_series_of_different_length_are_refused() -> None:
    with pytest.raises(SeriesMismatchError, match=r"values: got \(3,\), expected as many values as times, \(2,\)"):
        align(seconds(0, 900), np.zeros(3), GRID)


@given(
    entries=st.lists(st.tuples(st.integers(-4000, 8000), MAYBE_POWERS), max_size=40),
    count=st.integers(0, 8),
)
def test_alignment_is_that_of_a_dictionary(entries: list[tuple[int, float]], count: int) -> None:
    grid = TimeGrid(GRID.start, 900, count)
    by_time = {grid.start_s + offset_s: value for offset_s, value in entries}
    expected = [by_time.get(int(time_s), NAN) for time_s in grid.times_s]
    times_s = seconds(*(offset_s for offset_s, _ in entries))
    placed = align(times_s, np.array([value for _, value in entries], dtype=float), grid)
    np.testing.assert_array_equal(placed, np.array(expected, dtype=float))


@given(values=st.lists(MAYBE_POWERS, min_size=1, max_size=40), shift=st.integers(-50, 50))
def test_a_window_of_a_series_is_a_slice_of_it(values: list[float], shift: int) -> None:
    whole = TimeGrid(GRID.start, 900, len(values))
    window = TimeGrid(GRID.start + timedelta(seconds=900 * shift), 900, 20)
    padded = np.concatenate([np.full(60, NAN), values, np.full(60, NAN)])
    placed = align(whole.times_s, np.array(values), window)
    expected = padded[60 + shift : 80 + shift]
    np.testing.assert_array_equal(placed, np.pad(expected, (0, 20 - expected.size), constant_values=NAN))


# --- resample


@pytest.mark.parametrize(
    ("values", "from_s", "to_s", "expected"),
    [
        ([1.0, 3.0], 1800, 3600, [2.0]),
        ([2.0], 3600, 1800, [2.0, 2.0]),
        ([1.0, 2.0, 3.0], 900, 900, [1.0, 2.0, 3.0]),
        ([1.0, NAN, 5.0, 7.0], 1800, 3600, [NAN, 6.0]),
        ([NAN, 1.0], 3600, 1800, [NAN, NAN, 1.0, 1.0]),
        ([], 900, 3600, []),
        ([-1.0] * 60, 60, 3600, [-1.0]),
    ],
)
def test_resampling_by_hand(values: list[float], from_s: int, to_s: int, expected: list[float]) -> None:
    np.testing.assert_allclose(resample(np.array(values), from_s=from_s, to_s=to_s), expected)


@pytest.mark.parametrize(
    ("count", "from_s", "to_s", "field"),
    [
        (4, 900, 1200, "to_s"),
        (4, 1800, 1200, "to_s"),
        (3, 900, 1800, "values"),
        (4, 7, 900, "from_s"),
        (4, 900, 0, "to_s"),
    ],
)
def test_resolutions_that_do_not_fit_are_refused(count: int, from_s: int, to_s: int, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        resample(np.zeros(count), from_s=from_s, to_s=to_s)
    assert caught.value.field == field


@given(
    values=st.lists(POWERS, min_size=60, max_size=180).map(lambda given: given[: len(given) // 60 * 60]),
    from_s=st.sampled_from(RESOLUTIONS_S),
    to_s=st.sampled_from(RESOLUTIONS_S),
)
def test_resampling_keeps_the_energy(values: list[float], from_s: int, to_s: int) -> None:
    source = np.array(values)
    changed = resample(source, from_s=from_s, to_s=to_s)
    assert changed.size * to_s == source.size * from_s
    scale = np.abs(source).sum() * from_s
    assert abs(changed.sum() * to_s - source.sum() * from_s) <= 1e-12 * scale


@given(values=st.lists(MAYBE_POWERS, max_size=30), finer_s=st.sampled_from([60, 300, 900, 1800]))
def test_finer_and_back_is_the_same(values: list[float], finer_s: int) -> None:
    source = np.array(values, dtype=float)
    back = resample(resample(source, from_s=3600, to_s=finer_s), from_s=finer_s, to_s=3600)
    np.testing.assert_allclose(back, source, rtol=1e-13)


# --- gaps


@pytest.mark.parametrize(
    ("values", "longest", "expected"),
    [
        ([1, NAN, 3], 1, [1, 2, 3]),
        ([1, NAN, NAN, 4], 1, [1, NAN, NAN, 4]),
        ([1, NAN, NAN, 4], 2, [1, 2, 3, 4]),
        ([NAN, 1, NAN], 5, [NAN, 1, NAN]),  # open ends stay open
        ([1, NAN, 3, NAN, NAN, 6], 1, [1, 2, 3, NAN, NAN, 6]),
        ([NAN, NAN], 5, [NAN, NAN]),
        ([1, 2], 5, [1, 2]),
        ([], 5, []),
        ([1, NAN, 3], 0, [1, NAN, 3]),
    ],
)
def test_short_gaps_are_bridged_and_told(values: list[float], longest: int, expected: list[float]) -> None:
    filled, repaired = fill_short_gaps(np.array(values, dtype=float), longest=longest)
    np.testing.assert_allclose(filled, expected)
    np.testing.assert_array_equal(repaired, np.isnan(np.array(values, dtype=float)) & ~np.isnan(filled))


@given(values=st.lists(MAYBE_POWERS, max_size=40), longest=st.integers(0, 6))
def test_filling_is_that_of_a_slow_walk(values: list[float], longest: int) -> None:
    source = np.array(values, dtype=float)
    expected = source.copy()
    known = [i for i, value in enumerate(values) if not np.isnan(value)]
    for left, right in pairwise(known):
        if right - left - 1 <= longest:
            for i in range(left + 1, right):
                expected[i] = values[left] + (values[right] - values[left]) * (i - left) / (right - left)
    before = source.copy()
    filled, repaired = fill_short_gaps(source, longest=longest)
    np.testing.assert_array_equal(source, before)
    np.testing.assert_allclose(filled, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(repaired, np.isnan(source) & ~np.isnan(expected))


@given(values=st.lists(MAYBE_POWERS, max_size=40))
def test_the_latest_known_value_is_carried(values: list[float]) -> None:
    expected, last = [], NAN
    for value in values:
        last = last if np.isnan(value) else value
        expected.append(last)
    np.testing.assert_array_equal(latest_known(np.array(values, dtype=float)), np.array(expected, dtype=float))
