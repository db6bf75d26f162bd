"""Climate: what latitude suggests, what is stated, ranges and lengths."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather.climate import _RANGES, KELMARSH, Climate
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.synthetic import synthetic_weather


@given(latitude=st.floats(-90.0, 90.0), altitude=st.floats(-400.0, 8800.0))
def test_what_latitude_suggests_is_within_the_ranges(latitude: float, altitude: float) -> None:
    local = Climate().at(Places(latitude, 0.0, altitude))
    for one in fields(local):
        low, high, _ = _RANGES[one.name]
        assert low <= getattr(local, one.name)[0] <= high, one.name


def test_it_is_colder_toward_the_poles_and_up_the_mountains() -> None:
    local = Climate().at(Places([0.0, 45.0, -45.0, 70.0, 45.0], 0.0, [0.0, 0.0, 0.0, 0.0, 2000.0]))
    equator, south, mirrored, north, high = local.temperature_mean_c
    assert equator > south == mirrored > north
    assert south - high == pytest.approx(13.0)


def test_stated_numbers_stand_one_for_all_or_one_per_site() -> None:
    places = Places([10.0, 20.0], 0.0)
    local = Climate(cloud_cover=[0.2, 0.8], turbulence=0.1).at(places)
    np.testing.assert_array_equal(local.cloud_cover, [0.2, 0.8])
    np.testing.assert_array_equal(local.turbulence, [0.1, 0.1])
    assert Climate().turbidity(places) is None
    np.testing.assert_array_equal(Climate(linke_turbidity=3.0).turbidity(places), [[3.0, 3.0]])


def test_parts_cut_what_is_stated_per_site() -> None:
    part = Climate(cloud_cover=[0.2, 0.5, 0.8], turbulence=0.1).part(1, 3)
    local = part.at(Places([10.0, 20.0], 0.0))
    np.testing.assert_array_equal(local.cloud_cover, [0.5, 0.8])
    np.testing.assert_array_equal(local.turbulence, [0.1, 0.1])


def test_the_wind_of_kelmarsh_is_that_of_the_reanalysis(shared: Path) -> None:
    path = shared / "data" / "kelmarsh_wind_2018" / "kelmarsh_hourly.csv.gz"
    if not path.exists():
        pytest.skip("no kelmarsh_wind_2018 in ../shared/data")
    measured = pd.read_csv(path)["cerra_wind_100m_ms"].to_numpy()[::3]
    grid = TimeGrid(parse_time("2018-01-01T00:00Z"), 3600, 8760)

    def shape(wind: np.ndarray) -> np.ndarray:
        after = [np.corrcoef(wind[:-steps], wind[steps:])[0, 1] for steps in (1, 8)]
        return np.array([wind.mean(), *np.quantile(wind, [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]), *after])

    # a year's mean varies by 3.5 %, so many independent years: places around the globe
    around = Places(52.4, np.linspace(-180.0, 150.0, 12), 150.0)
    wind = synthetic_weather(around, grid, seed=101, climate=KELMARSH).wind_speed_m_s[::3] * 10.0**0.233
    found = np.mean([shape(wind[:, site]) for site in range(12)], axis=0)
    expected = shape(measured)
    np.testing.assert_allclose(found[:-2], expected[:-2], rtol=0.1)
    np.testing.assert_allclose(found[-2:], expected[-2:], atol=0.1)


@pytest.mark.parametrize("name", _RANGES)
def test_each_range_is_checked_at_both_ends(name: str) -> None:
    low, high, unit = _RANGES[name]
    for inside in (low, high):
        Climate(**{name: inside})
    for outside in (np.nextafter(low, -np.inf), np.nextafter(high, np.inf), np.nan):
        with pytest.raises(InvalidInputError, match=f"climate.{name}: got") as caught:
            Climate(**{name: outside})
        assert caught.value.expected == f"{low:g} to {high:g}" + (f" [{unit}]" if unit else "")


def test_lengths_must_agree_with_the_places() -> None:
    with pytest.raises(SeriesMismatchError, match=r"climate.wind_shape: got \(3,\), expected one number, or one per"):
        Climate(wind_shape=[2.0, 2.0, 2.0]).at(Places([1.0, 2.0], 0.0))
