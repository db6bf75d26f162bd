"""Weather as columns: shapes, ranges, parts."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather import Places, Weather
from vpp.simulation.weather.conditions import COLUMNS

GRID = TimeGrid(parse_time("2023-01-01T00:00Z"), 3600, 3)


def columns(**changed: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.full((3, 2), 100_000.0 if name == "pressure_pa" else 10.0) for name in COLUMNS} | changed


def test_parts_keep_their_columns_and_places() -> None:
    wind = np.arange(6.0).reshape(3, 2)
    weather = Weather(GRID, **columns(wind_speed_m_s=wind), places=Places([1.0, 2.0], 0.0))
    second = weather.part(1, 2)
    assert second.sites == 1
    np.testing.assert_array_equal(second.wind_speed_m_s, wind[:, 1:])
    assert second.places is not None
    assert second.places.latitudes.tolist() == [2.0]
    later = weather.steps(1, 3)
    assert later.grid == GRID.part(1, 3)
    np.testing.assert_array_equal(later.wind_speed_m_s, wind[1:])


@pytest.mark.parametrize("name", COLUMNS)
def test_each_range_is_checked_at_both_ends(name: str) -> None:
    low, high, unit = COLUMNS[name]
    for inside in (low, high):
        Weather(GRID, **columns(**{name: np.full((3, 2), inside)}))
    for outside in (np.nextafter(low, -np.inf), np.nextafter(high, np.inf), np.nan):
        values = np.full((3, 2), high)
        values[2, 1] = outside
        with pytest.raises(InvalidInputError, match=rf"weather.{name}\[2, 1\]: got") as caught:
            Weather(GRID, **columns(**{name: values}))
        assert caught.value.expected.endswith(f"[{unit}]")


def test_shapes_and_places_must_agree() -> None:
    with pytest.raises(SeriesMismatchError, match=r"weather.dni_w_m2: got \(3, 1\), expected the shape .* \(3, 2\)"):
        Weather(GRID, **columns(dni_w_m2=np.zeros((3, 1))))
    with pytest.raises(SeriesMismatchError, match=r"weather.ghi_w_m2: got \(2, 2\)"):
        Weather(GRID, **columns(ghi_w_m2=np.zeros((2, 2))))
    with pytest.raises(SeriesMismatchError, match="as many places as sites: 2"):
        Weather(GRID, **columns(), places=Places(1.0, 1.0))
