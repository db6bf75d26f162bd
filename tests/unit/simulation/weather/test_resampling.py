"""Resampling: energy kept, night kept dark, closure, alignment, and messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather import Places, Weather, resampled, sun_position, synthetic_weather

START = "2023-03-19T00:00Z"
PLACES = Places([52.1, -33.9, 69.6], [5.2, 151.2, 18.9])


def grid(resolution_s: int, count: int, start: str = START) -> TimeGrid:
    return TimeGrid(parse_time(start), resolution_s, count)


def hourly(seed: int = 1) -> Weather:
    return synthetic_weather(PLACES, grid(3600, 96), seed=seed)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), resolution_s=st.sampled_from([60, 300, 900, 1800]))
def test_a_finer_grid_keeps_the_energy_of_every_hour_and_the_night(seed: int, resolution_s: int) -> None:
    weather = hourly(seed)
    size = 3600 // resolution_s
    fine = resampled(weather, grid(resolution_s, 96 * size))
    back = resampled(fine, weather.grid)
    np.testing.assert_allclose(back.ghi_w_m2, weather.ghi_w_m2, atol=1e-9)
    zenith = sun_position(PLACES, fine.grid).zenith_deg
    for values in (fine.ghi_w_m2, fine.dni_w_m2, fine.dhi_w_m2):
        assert (values[zenith >= 90.0] == 0.0).all()
    cosine = np.maximum(np.cos(np.radians(zenith)), 0.0)
    np.testing.assert_allclose(fine.dhi_w_m2 + fine.dni_w_m2 * cosine, fine.ghi_w_m2, atol=1e-9)


def test_light_follows_the_sun_within_the_hour() -> None:
    clear = hourly()
    zenith = sun_position(PLACES, clear.grid).zenith_deg
    even = 0.7 * 1000.0 * np.maximum(np.cos(np.radians(zenith)), 0.0)
    fine = resampled(replace(clear, ghi_w_m2=even, dhi_w_m2=0.3 * even), grid(300, 96 * 12))
    sunny = 700.0 * np.maximum(np.cos(np.radians(sun_position(PLACES, fine.grid).zenith_deg)), 0.0)
    held = np.abs(np.repeat(even, 12, axis=0) - sunny).mean()
    assert np.abs(fine.ghi_w_m2 - sunny).mean() < 0.3 * held


def test_light_that_the_sun_could_not_have_sent_is_dropped() -> None:
    weather = hourly()
    night = sun_position(PLACES, weather.grid).zenith_deg > 110.0
    lamp = replace(weather, ghi_w_m2=np.where(night, 5.0, weather.ghi_w_m2), dhi_w_m2=np.where(night, 5.0, 0.0))
    fine = resampled(lamp, grid(900, 96 * 4))
    assert (fine.ghi_w_m2.reshape(96, 4, 3).sum(axis=1)[night] == 0.0).all()


def test_the_rest_runs_linearly_between_the_middles() -> None:
    weather = hourly()
    fine = resampled(weather, grid(1200, 96 * 3))
    np.testing.assert_allclose(fine.temperature_c[1::3], weather.temperature_c)
    third = (2.0 * weather.temperature_c[:-1] + weather.temperature_c[1:]) / 3.0
    np.testing.assert_allclose(fine.temperature_c[2::3][:-1], third)


def test_a_coarser_grid_takes_means() -> None:
    weather = hourly()
    coarse = resampled(weather, grid(3 * 3600, 20, "2023-03-19T02:00Z"))
    np.testing.assert_allclose(coarse.wind_speed_m_s[0], weather.wind_speed_m_s[2:5].mean(axis=0))
    np.testing.assert_allclose(coarse.ghi_w_m2[4], weather.ghi_w_m2[14:17].mean(axis=0))


def test_the_same_resolution_cuts_and_a_later_start_is_found() -> None:
    weather = hourly()
    cut = resampled(weather, grid(3600, 5, "2023-03-19T06:00Z"))
    np.testing.assert_array_equal(cut.ghi_w_m2, weather.ghi_w_m2[6:11])
    later = resampled(weather, grid(900, 5, "2023-03-19T06:15Z"))
    whole = resampled(weather, grid(900, 96 * 4))
    np.testing.assert_array_equal(later.ghi_w_m2, whole.ghi_w_m2[25:30])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (grid(3600, 97), "grid: got .*expected steps within the weather's"),
        (grid(3600, 2, "2023-03-18T23:00Z"), "expected steps within the weather's"),
        (grid(5400, 4), "grid.resolution_s: got 5400, expected a multiple or a part of 3600"),
        (grid(3600, 2, "2023-03-19T00:30Z"), "on the same steps"),
        (grid(900, 2, "2023-03-19T00:10Z"), "on the same steps"),
    ],
)
def test_grids_that_do_not_fit_are_told(wanted: TimeGrid, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        resampled(hourly(), wanted)


def test_a_finer_grid_needs_places() -> None:
    homeless = replace(hourly(), places=None)
    with pytest.raises(MissingDataError, match="hand in places"):
        resampled(homeless, grid(900, 4))
    known = resampled(homeless, grid(900, 4), places=PLACES)
    np.testing.assert_array_equal(known.ghi_w_m2, resampled(hourly(), grid(900, 4)).ghi_w_m2)
