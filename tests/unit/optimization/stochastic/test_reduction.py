"""Fast forward selection: what it picks, what the rest becomes, and that it is a heuristic."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.optimization.stochastic.reduction import distances, fast_forward_selection

POINTS = np.array([1.0, 2.0, 3.0, 10.0, 12.5, 20.0])
PROBABILITY = np.array([0.1, 0.2, 0.2, 0.25, 0.15, 0.1])


def kantorovich(points, probability, chosen):
    return float(probability @ np.abs(points[:, None] - points[list(chosen)]).min(axis=1))


def test_it_is_a_heuristic():
    picked = fast_forward_selection(POINTS, 3, probability=PROBABILITY)
    assert sorted(POINTS[picked.chosen]) == [3.0, 10.0, 20.0]
    best = min(itertools.combinations(range(6), 3), key=lambda chosen: kantorovich(POINTS, PROBABILITY, chosen))
    assert POINTS[list(best)].tolist() == [2.0, 10.0, 20.0]
    assert kantorovich(POINTS, PROBABILITY, best) == pytest.approx(0.675)
    assert picked.distance[-1] == pytest.approx(0.775)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 12), size=st.integers(1, 3))
def test_distance_falls_and_probability_is_kept(seed, count, size):
    rng = np.random.default_rng(seed)
    points, probability = rng.integers(0, 4, (count, size)).astype(float), rng.dirichlet(np.ones(count))
    picked = fast_forward_selection(points, count, probability=probability)
    assert sorted(picked.chosen.tolist()) == list(range(count))
    assert (np.diff(picked.distance) <= 1e-9).all()
    assert picked.distance[-1] == pytest.approx(0.0, abs=1e-7)
    assert picked.probability.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(picked.stands_for[picked.chosen], np.arange(count))


def test_the_first_pick_is_the_best_single_scenario():
    rng = np.random.default_rng(0)
    points, probability = rng.normal(size=50), rng.dirichlet(np.ones(50))
    picked = fast_forward_selection(points, 1, probability=probability)
    expected = min(kantorovich(points, probability, (index,)) for index in range(50))
    assert picked.distance[0] == pytest.approx(expected)
    assert picked.probability.tolist() == [pytest.approx(1.0)]


def test_paths_are_taken_whole():
    points = np.zeros((3, 2, 4))
    points[1] += 0.1
    points[2] += 5.0
    picked = fast_forward_selection(points, 2)
    assert set(picked.chosen.tolist()) in ({0, 2}, {1, 2})
    np.testing.assert_allclose(distances(points.reshape(3, -1))[0], [0.0, 0.1 * 8**0.5, 5.0 * 8**0.5], atol=1e-7)


@pytest.mark.parametrize(
    ("points", "keep", "field"),
    [
        ([1.0, 2.0], 0, "keep"),
        ([1.0, 2.0], 3, "keep"),
        ([1.0, np.nan], 1, "points"),
        ([], 1, "points"),
        (np.zeros(5_001), 1, "points"),
    ],
)
def test_bad_input_names_the_field(points, keep, field):
    with pytest.raises(InvalidInputError, match=f"^{field}: got"):
        fast_forward_selection(points, keep)
