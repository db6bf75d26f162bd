"""The clear sky and the split of light: pvlib as oracle, closure, night, and the map of turbidity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pvlib import clearsky, irradiance
from pvlib.location import Location

from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sky import clear_sky, days_of_year, extraterrestrial_w_m2, linke_turbidity, split
from vpp.simulation.weather.sun import middles_s, sun_position

YEAR = TimeGrid(parse_time("2024-01-01T00:00Z"), 3600, 8784)


def moments(grid: TimeGrid) -> pd.DatetimeIndex:
    return pd.to_datetime(middles_s(grid), unit="s", utc=True)


def test_days_of_the_year_know_leap_years() -> None:
    np.testing.assert_array_equal(days_of_year(YEAR), moments(YEAR).dayofyear)
    np.testing.assert_allclose(extraterrestrial_w_m2(YEAR), irradiance.get_extra_radiation(moments(YEAR)))


@pytest.mark.parametrize(("latitude", "longitude"), [(32.2, -110.9), (-33.9, 151.2), (69.6, 18.9), (0.01, 179.99)])
def test_turbidity_is_that_of_the_map(latitude: float, longitude: float) -> None:
    found = linke_turbidity(Places(latitude, longitude), YEAR)[:, 0]
    expected = clearsky.lookup_linke_turbidity(moments(YEAR), latitude, longitude)
    np.testing.assert_allclose(found, expected, atol=0.05)  # months' middles lie up to a day apart


def test_the_edges_of_the_map_belong_to_it() -> None:
    corners = Places([90.0, -90.0, 90.0, -90.0], [180.0, -180.0, -180.0, 180.0])
    assert (linke_turbidity(corners, YEAR.part(0, 1)) >= 1.0).all()


def test_the_clear_sky_is_that_of_pvlib() -> None:
    place, day = Places(32.2, -110.9, 700.0), YEAR.part(24 * 100, 24 * 130)
    found = clear_sky(place, day, sun_position(place, day).zenith_deg, np.full((len(day), 1), 3.0))
    expected = Location(32.2, -110.9, "UTC", 700.0).get_clearsky(moments(day), linke_turbidity=3.0)
    for ours, theirs in ((found.ghi_w_m2, "ghi"), (found.dni_w_m2, "dni"), (found.dhi_w_m2, "dhi")):
        np.testing.assert_allclose(ours[:, 0], expected[theirs], atol=1e-6)


@given(seed=st.integers(0, 1000), latitude=st.floats(-89.0, 89.0))
def test_split_light_closes_and_sleeps_at_night(seed: int, latitude: float) -> None:
    place, days = Places(latitude, 10.0), YEAR.part(24 * 80, 24 * 84)
    zenith = sun_position(place, days).zenith_deg
    given_light = np.random.default_rng(seed).uniform(0.0, 1200.0, zenith.shape)
    light = split(given_light, zenith, days)
    closed = light.dhi_w_m2 + light.dni_w_m2 * np.cos(np.radians(zenith))
    np.testing.assert_allclose(closed, light.ghi_w_m2, atol=1e-9)
    down = zenith >= 90.0
    np.testing.assert_array_equal(light.ghi_w_m2[~down], given_light[~down])
    for values in (light.ghi_w_m2, light.dni_w_m2, light.dhi_w_m2):
        assert (values >= 0.0).all()
        assert (values[down] == 0.0).all()
