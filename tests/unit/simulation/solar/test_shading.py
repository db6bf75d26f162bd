"""Rows and horizons: known geometry, limits, and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.simulation.solar.shading import (
    horizon_beam_share,
    horizon_sky_share,
    row_beam_share,
    row_sky_share,
)


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


def test_upright_rows_shade_by_the_tangent_of_the_sun() -> None:
    # rows as high as their pitch: the sun at 30 degrees above the horizon throws shadows of 1.73 heights
    found = row_beam_share(np.array([[60.0], [45.0], [30.0]]), one(180.0), one(90.0), one(180.0), one(0.95))
    heights = np.tan(np.radians([30.0, 45.0, 60.0])) / 0.95
    np.testing.assert_allclose(found[:, 0], np.minimum(heights, 1.0), atol=1e-9)


def test_a_single_row_is_never_shaded_and_flat_rows_neither() -> None:
    zenith = np.linspace(0.0, 89.0, 50)[:, None]
    np.testing.assert_array_equal(row_beam_share(zenith, one(180.0), one(30.0), one(180.0), one(0.0)), 1.0)
    np.testing.assert_allclose(row_beam_share(zenith, one(180.0), one(0.0), one(180.0), one(0.8)), 1.0, atol=1e-9)
    assert row_sky_share(one(30.0), one(0.0))[0] == 1.0


@given(
    zenith=st.floats(0.0, 89.9), sun=st.floats(0.0, 360.0), tilt=st.floats(0.0, 90.0), azimuth=st.floats(0.0, 360.0),
    coverage=st.floats(0.0, 0.95),
)  # fmt: skip
def test_shares_lie_between_0_and_1(zenith: float, sun: float, tilt: float, azimuth: float, coverage: float) -> None:
    beam = row_beam_share(one(zenith), one(sun), one(tilt), one(azimuth), one(coverage))
    sky = row_sky_share(one(tilt), one(coverage))
    assert ((beam >= 0.0) & (beam <= 1.0)).all()
    assert ((sky > 0.0) & (sky <= 1.0)).all()


@pytest.mark.parametrize(
    ("azimuth", "height", "seen"),
    [(0.0, 9.9, 0.0), (0.0, 10.1, 1.0), (45.0, 14.9, 0.0), (45.0, 15.1, 1.0), (360.0, 10.1, 1.0), (315.0, 5.1, 1.0),
     (315.0, 4.9, 0.0), (180.0, 0.1, 1.0), (180.0, -0.1, 0.0)],
)  # fmt: skip
def test_the_horizon_is_linear_between_its_azimuths(azimuth: float, height: float, seen: float) -> None:
    horizon = np.array([[10.0, 20.0, 0.0, 0.0]])  # north, east, south, west
    found = horizon_beam_share(np.array([[90.0 - height]]), np.array([[azimuth]]), horizon)
    assert found[0, 0] == seen


def test_each_site_has_its_own_horizon() -> None:
    found = horizon_beam_share(np.array([[80.0]]), np.array([[90.0]]), np.array([[5.0, 5.0], [15.0, 15.0]]))
    np.testing.assert_array_equal(found, [[1.0, 0.0]])


def test_a_ring_of_hills_hides_the_sky_by_its_sine_squared() -> None:
    found = horizon_sky_share(np.array([[0.0] * 8, [30.0] * 8, [90.0] * 8]))
    np.testing.assert_allclose(found, [1.0, 0.75, 0.0], atol=1e-12)
