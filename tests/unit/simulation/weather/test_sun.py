"""The sun: the published case of NREL's algorithm, pvlib as oracle, sharing, and where it never rises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pvlib import solarposition

from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.sun import SolarEphemeris, middles_s, site_blocks, sun_position


def grid(start: str = "2023-06-21T00:00Z", resolution_s: int = 3600, count: int = 24) -> TimeGrid:
    return TimeGrid(parse_time(start), resolution_s, count)


def test_the_published_case_of_the_algorithm(shared: Path) -> None:
    case = json.loads((shared / "reference" / "pv.json").read_text(encoding="utf-8"))["nrel_spa"]
    moment = np.array([pd.Timestamp(case["time"]).timestamp()])
    sun = SolarEphemeris.at(moment, delta_t_s=case["delta_t"]).seen_from(
        Places(case["lat"], case["lon"], case["alt"]), pressure_pa=case["pressure_Pa"], temperature_c=case["T"]
    )
    assert sun.zenith_deg[0, 0] == pytest.approx(case["published_zenith_deg"], abs=case["tol"])
    assert sun.azimuth_deg[0, 0] == pytest.approx(case["published_azimuth_deg"], abs=case["tol"])
    assert sun.zenith_deg[0, 0] == pytest.approx(case["pvlib"]["apparent_zenith"], abs=1e-9)


@settings(max_examples=40)
@given(
    latitude=st.floats(-90.0, 90.0), longitude=st.floats(-180.0, 180.0), altitude=st.floats(-400.0, 8800.0),
    day=st.integers(0, 364),
)  # fmt: skip
def test_any_place_and_day_agree_with_pvlib(latitude: float, longitude: float, altitude: float, day: int) -> None:
    hours = TimeGrid(parse_time("2023-01-01T00:00Z"), 3600, 8760).part(24 * day, 24 * day + 24)
    sun = sun_position(Places(latitude, longitude, altitude), hours)
    moments = pd.to_datetime(middles_s(hours), unit="s", utc=True)
    oracle = solarposition.get_solarposition(moments, latitude, longitude, altitude)
    np.testing.assert_allclose(sun.zenith_deg[:, 0], oracle["apparent_zenith"], rtol=0, atol=1e-9)
    # an azimuth means little where the sun stands overhead or the place is a pole
    turned = np.abs((sun.azimuth_deg[:, 0] - oracle["azimuth"] + 180.0) % 360.0 - 180.0)
    assert (turned * np.sin(np.radians(sun.zenith_deg[:, 0])) * np.cos(np.radians(latitude)) < 1e-6).all()


def test_conditions_are_those_of_the_middle_of_the_step() -> None:
    assert middles_s(grid(resolution_s=60, count=2)).tolist() == [grid().start_s + 30.0, grid().start_s + 90.0]
    place = Places(10.0, 20.0)
    hour, minute = sun_position(place, grid(count=1)), sun_position(place, grid(resolution_s=1, count=3601))
    low, high = minute.zenith_deg[1799, 0], minute.zenith_deg[1800, 0]
    assert min(low, high) <= hour.zenith_deg[0, 0] <= max(low, high)


def test_sites_at_one_place_share_and_others_do_not() -> None:
    shared = sun_position(Places([50.0, 50.0, 50.0], [5.0, 5.0, 5.0]), grid())
    assert shared.zenith_deg.shape == (24, 3)
    assert shared.zenith_deg.strides[1] == 0
    mixed = sun_position(Places([50.0, -33.0, 50.0], [5.0, 151.0, 5.0]), grid())
    np.testing.assert_array_equal(mixed.zenith_deg[:, 0], mixed.zenith_deg[:, 2])
    np.testing.assert_array_equal(mixed.azimuth_deg[:, [0]], shared.azimuth_deg[:, [0]])
    assert np.abs(mixed.zenith_deg[:, 0] - mixed.zenith_deg[:, 1]).max() > 30.0


def test_the_poles_have_one_day_and_one_night_a_year() -> None:
    poles = Places([89.0, -89.0], [0.0, 0.0])
    assert (sun_position(poles, grid()).zenith_deg[:, 0] < 70.0).all()
    assert (sun_position(poles, grid()).zenith_deg[:, 1] > 110.0).all()
    assert (sun_position(poles, grid("2023-12-21T00:00Z")).zenith_deg[:, 0] > 110.0).all()


def test_no_steps_give_no_angles() -> None:
    assert sun_position(Places([1.0, 2.0], 0.0), grid(count=0)).zenith_deg.shape == (0, 2)


@given(steps=st.integers(0, 2_000_000), sites=st.integers(0, 3000))
def test_blocks_cover_every_site_once(steps: int, sites: int) -> None:
    covered = [site for block in site_blocks(steps, sites) for site in range(block.start, block.stop)]
    assert covered == list(range(sites))
