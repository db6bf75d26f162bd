"""Places: ranges, lengths, distances, and which sites are the same."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.weather.places import Places


def test_distances_are_those_of_the_great_circle() -> None:
    paris, others = Places(48.8566, 2.3522), Places([51.5074, 48.8566, -48.8566], [-0.1278, 2.3522, -177.6478])
    np.testing.assert_allclose(paris.distances_km(others)[0], [343.6, 0.0, np.pi * 6371.0088], atol=0.1)


def test_scalars_count_for_every_site() -> None:
    places = Places([1.0, 2.0], 3.0)
    assert len(places) == 2
    np.testing.assert_array_equal(places.longitudes, [3.0, 3.0])
    np.testing.assert_array_equal(places.part(1, 2).latitudes, [2.0])


def test_equal_places_are_found() -> None:
    places = Places([1.0, 2.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 5.0])
    distinct, which = places.distinct()
    assert len(distinct) == 3
    np.testing.assert_array_equal(distinct.latitudes[which], places.latitudes)
    np.testing.assert_array_equal(distinct.altitudes_m[which], places.altitudes_m)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((91.0, 0.0), r"places.latitude_deg: got 91.0, expected -90 to 90 \[deg\]"),
        (([0.0, np.nan], 0.0), r"places.latitude_deg\[1\]: got nan"),
        ((0.0, [0.0, -180.5]), r"places.longitude_deg\[1\]: got -180.5, expected -180 to 180 \[deg\]"),
        ((0.0, 0.0, 9001.0), r"places.altitude_m: got 9001.0, expected -500 to 9000 \[m\]"),
        (([[0.0]], 0.0), r"places.latitude_deg: got 'shape \(1, 1\)', expected a number or one number per site"),
    ],
)
def test_values_outside_their_range_are_told(given: tuple, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Places(*given)


def test_lengths_must_agree() -> None:
    with pytest.raises(SeriesMismatchError, match="of one length"):
        Places([1.0, 2.0], [1.0, 2.0, 3.0])


def test_a_part_lies_within() -> None:
    with pytest.raises(InvalidInputError, match="0 <= start <= stop <= 1"):
        Places(1.0, 1.0).part(0, 2)
