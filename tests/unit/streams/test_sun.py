from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.assets import Load, Plant, Site
from vpp.core.time import TimeGrid, parse_time
from vpp.streams.sun import Place, place_of, sky_at

PLANT = Plant(
    id="p", name="p", timezone="America/Los_Angeles", currency="USD", sites=(Site(id="s", assets=(Load(id="l"),)),)
)


@pytest.mark.parametrize(
    ("timezone", "latitude_deg", "longitude_deg"),
    [
        ("America/Los_Angeles", 34.05, -118.24),
        ("Europe/Amsterdam", 52.37, 4.90),
        ("Australia/Lord_Howe", -31.55, 159.08),
    ],
)
def test_a_zone_has_a_place(timezone: str, latitude_deg: float, longitude_deg: float) -> None:
    place = place_of(replace(PLANT, timezone=timezone))
    assert place is not None
    assert not place.stated
    assert (place.latitude_deg, place.longitude_deg) == pytest.approx((latitude_deg, longitude_deg), abs=0.01)


def test_what_the_plant_states_goes_before_and_utc_is_nowhere() -> None:
    stated = replace(PLANT, timezone="UTC", latitude_deg=1.0, longitude_deg=2.0)
    assert place_of(stated) == Place(1.0, 2.0, stated=True)
    assert place_of(replace(PLANT, timezone="UTC")) is None


@pytest.mark.parametrize(
    # NOAA's solar calculator: solar noon (UTC) and elevation there.
    ("day", "latitude", "longitude", "noon", "elevation_deg"),
    [
        ("2017-06-21", 52.37, 4.90, "11:42", 61.1),
        ("2017-12-21", 52.37, 4.90, "11:38", 14.2),
        ("2017-11-03", 34.05, -118.24, "19:36", 40.7),
        ("2017-02-11", -33.87, 151.21, "02:09", 70.1),
    ],
)
def test_noon_and_its_height(day: str, latitude: float, longitude: float, noon: str, elevation_deg: float) -> None:
    grid = TimeGrid(parse_time(f"{day}T{noon}Z"), 60, 1)
    sky = sky_at(Place(latitude, longitude, stated=True), grid.times_s - 30, 60)
    assert abs(float(sky.hour_angle_rad[0])) < np.radians(1.0)
    height = np.sin(np.radians(elevation_deg))
    assert sky.clear[0] == pytest.approx(1.098 * height * np.exp(-0.057 / height), rel=0.03)


def test_polar_night_is_dark_and_polar_day_is_not() -> None:
    place = Place(78.2, 15.6, stated=True)
    for day, dark in (("2017-12-21", True), ("2017-06-21", False)):
        grid = TimeGrid(parse_time(f"{day}T00:00Z"), 3600, 24)
        sky = sky_at(place, grid.times_s, 3600)
        assert bool(sky.dark.all()) == dark
        assert bool((sky.clear == 0.0).all()) == dark
