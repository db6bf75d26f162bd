"""Synthetic weather: night, seeds, chunks, distance, resolutions, margins, bounds, and odd places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.weather import Climate, Places, Weather, sun_position, synthetic_weather
from vpp.simulation.weather.clouds import cloud_light
from vpp.simulation.weather.conditions import COLUMNS
from vpp.simulation.weather.sky import extraterrestrial_w_m2
from vpp.simulation.weather.sun import SolarEphemeris
from vpp.simulation.weather.synthetic import daily_wave

EVERYWHERE = Places(
    [52.1, -33.9, 78.2, 0.0, 40.0], [5.2, 151.2, 15.6, -78.5, -105.0], [0.0, 20.0, 10.0, 2850.0, 1600.0]
)


def grid(resolution_s: int = 3600, days: float = 365.0, start: str = "2023-01-01T00:00Z") -> TimeGrid:
    return TimeGrid(parse_time(start), resolution_s, int(days * 86_400) // resolution_s)


@pytest.fixture(scope="module")
def year() -> Weather:
    return synthetic_weather(EVERYWHERE, grid(), seed=1)


def same(one: Weather, other: Weather) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in COLUMNS)


def test_the_night_is_dark_and_the_day_is_not(year: Weather) -> None:
    zenith = sun_position(EVERYWHERE, year.grid).zenith_deg
    for values in (year.ghi_w_m2, year.dni_w_m2, year.dhi_w_m2):
        assert (values[zenith >= 90.0] == 0.0).all()
    assert (year.ghi_w_m2[zenith < 80.0] > 0.0).all()


def test_light_closes_and_stays_under_the_physical_limit(year: Weather) -> None:
    zenith = sun_position(EVERYWHERE, year.grid).zenith_deg
    cosine = np.maximum(np.cos(np.radians(zenith)), 0.0)
    np.testing.assert_allclose(year.dhi_w_m2 + year.dni_w_m2 * cosine, year.ghi_w_m2, atol=1e-9)
    extra = extraterrestrial_w_m2(year.grid)[:, None]
    assert (year.ghi_w_m2 <= 1.5 * extra * cosine**1.2 + 100.0).all()  # BSRN, physically possible
    assert (year.dni_w_m2 <= extra).all()


def test_the_daily_wave_is_the_first_harmonic_of_the_sun_s_height() -> None:
    day = grid(600, days=1, start="2023-06-21T00:00Z")
    places = Places([0.0, 40.0, -40.0, 70.0, -89.9], [0.0, 10.0, 20.0, 30.0, 40.0])
    up = np.maximum(np.cos(np.radians(sun_position(places, day).zenith_deg)), 0.0)
    hour = np.radians(SolarEphemeris.of(day).hour_angle_deg[:, None] + places.longitudes)
    expected = 2.0 * (up * np.cos(hour)).mean(axis=0) / 0.5 * np.cos(hour)
    np.testing.assert_allclose(daily_wave(places, day, lag_deg=0.0), expected, atol=0.01)
    later = daily_wave(places, day, lag_deg=30.0)[:, 0]
    assert day.time(int(later.argmax())).hour == 14


def test_polar_night_and_polar_day() -> None:
    pole = Places(89.9, 0.0)
    winter, summer = (
        synthetic_weather(pole, grid(days=5, start=f"2023-{month}-18T00:00Z"), seed=2) for month in ("12", "06")
    )
    assert (winter.ghi_w_m2 == 0.0).all()
    assert (summer.ghi_w_m2 > 0.0).all()


def test_seasons_are_mirrored_in_the_other_hemisphere(year: Weather) -> None:
    january, july = year.temperature_c[: 24 * 31].mean(axis=0), year.temperature_c[24 * 181 : 24 * 212].mean(axis=0)
    assert (january < july - 4.0)[[0, 2, 4]].all()
    assert january[1] > july[1] + 4.0


def test_the_afternoon_is_warmer_than_the_dawn(year: Weather) -> None:
    by_hour = year.temperature_c.reshape(365, 24, -1).mean(axis=0)
    local_hour = (by_hour.argmax(axis=0) + 0.5 + EVERYWHERE.longitudes / 15.0) % 24.0
    assert ((local_hour > 13.0) & (local_hour < 16.5))[[0, 1, 3, 4]].all()


@pytest.mark.parametrize("resolution_s", [1, 60, 900, 3600])
def test_same_seed_same_bytes_different_seeds_differ(resolution_s: int) -> None:
    few = grid(resolution_s, days=200 * resolution_s / 86_400, start="2023-06-21T10:00Z")
    first, again, other = (synthetic_weather(EVERYWHERE, few, seed=seed) for seed in (3, 3, 4))
    assert same(first, again)
    for name in ("ghi_w_m2", "temperature_c", "wind_speed_m_s"):
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_cutting_a_fleet_changes_no_byte() -> None:
    rng, few = np.random.default_rng(0), grid(days=2)
    places = Places(rng.uniform(45, 55, 150), rng.uniform(0, 15, 150), rng.uniform(0, 500, 150))
    whole = synthetic_weather(places, few, seed=5)
    for start, stop in ((0, 7), (7, 100), (100, 150)):
        assert same(synthetic_weather(places.part(start, stop), few, seed=5), whole.part(start, stop))


def test_an_added_site_changes_nothing_elsewhere() -> None:
    few = grid(days=2)
    assert same(
        synthetic_weather(Places([50.0, 51.0, -20.0], 5.0), few, seed=5).part(0, 2),
        synthetic_weather(Places([50.0, 51.0], 5.0), few, seed=5),
    )


def test_neighbours_share_their_weather_and_distance_parts_it() -> None:
    places = Places(np.zeros(5) + 50.0, np.array([0.0, 0.0, 0.07, 1.4, 30.0]))
    hours, even = grid(days=60, start="2023-04-01T00:00Z"), Climate(temperature_season_c=0.0, wind_season=0.0)
    found: dict[str, list[np.ndarray]] = {"temperature_c": [], "wind_speed_m_s": [], "index": []}
    for seed in range(4):
        weather = synthetic_weather(places, hours, seed=seed, climate=even)
        index = cloud_light(places, hours, even.at(places), persistence_h=30.0, convection=0.5, seed=seed).index
        for name, rows in found.items():
            values = index if name == "index" else getattr(weather, name)
            days = values.reshape(-1, 24, 5)
            rows.append(np.corrcoef((days - days.mean(axis=0)).reshape(-1, 5).T)[0])
    for name, rows in found.items():
        near = np.mean(rows, axis=0)
        assert near[1] == pytest.approx(1.0), name
        assert (np.diff(near[1:]) < -0.003).all(), name
        assert abs(near[4]) < 0.3, name


def test_hourly_means_of_a_finer_run_are_alike_an_hourly_run() -> None:
    rng = np.random.default_rng(0)
    places = Places(rng.uniform(30, 60, 40), rng.uniform(-120, 120, 40))
    local = Climate(cloud_cover=0.5, cloud_season=0.0).at(places)

    def index(resolution_s: int, seed: int) -> np.ndarray:
        steps = grid(resolution_s, days=15, start="2023-03-01T00:00Z")
        return cloud_light(places, steps, local, persistence_h=30.0, convection=0.5, seed=seed).index

    hourly = np.vstack([index(3600, seed) for seed in range(8)])
    finer = np.vstack([index(300, seed).reshape(-1, 12, 40).mean(axis=1) for seed in range(10, 13)])
    assert finer.mean() == pytest.approx(hourly.mean(), abs=0.03)
    assert finer.std() == pytest.approx(hourly.std(), rel=0.05)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(np.quantile(finer, levels), np.quantile(hourly, levels), atol=0.05)


def test_a_finer_run_is_more_two_valued() -> None:
    place, local = Places(50.0, 5.0), Climate(cloud_cover=0.5, cloud_season=0.0).at(Places(50.0, 5.0))
    clear = {}
    for resolution_s in (10, 3600):
        steps = grid(resolution_s, days=2000 * resolution_s / 86_400, start="2023-06-01T00:00Z")
        index = np.vstack(
            [cloud_light(place, steps, local, persistence_h=3.0, convection=0.9, seed=s).index for s in range(3)]
        )
        clear[resolution_s] = np.mean((index > 0.6) & (index < 0.9))
    assert clear[10] < 0.5 * clear[3600]


@given(cover=st.floats(0.05, 0.95))
@settings(max_examples=5)
def test_cover_is_what_the_climate_says(cover: float) -> None:
    places = Places(np.linspace(-60, 60, 60), np.linspace(-170, 170, 60))
    local = Climate(cloud_cover=cover, cloud_season=0.0).at(places)
    light = cloud_light(places, grid(days=100), local, persistence_h=6.0, convection=0.5, seed=1)
    assert light.outlook.mean() == pytest.approx(cover, abs=0.05)


def test_wind_has_the_margin_the_climate_says() -> None:
    places = Places(np.linspace(-60, 60, 16), np.linspace(-170, 170, 16))
    climate = Climate(wind_scale_m_s=6.0, wind_shape=2.0, wind_season=0.0, wind_day_share=0.0)
    wind = synthetic_weather(places, grid(), seed=1, climate=climate).wind_speed_m_s
    levels = np.array([0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
    np.testing.assert_allclose(np.quantile(wind, levels), 6.0 * np.sqrt(-np.log1p(-levels)), rtol=0.08)
    # correlation after a day lies between that of a coin and of a calendar
    after = np.corrcoef(wind[:-24].ravel(), wind[24:].ravel())[0, 1]
    assert 0.25 < after < 0.5


def test_gusts_last_seconds_and_average_out() -> None:
    place = Places(50.0, 5.0)
    calm = Climate(turbulence=0.0, wind_day_share=0.0)
    gusty = Climate(turbulence=0.2, wind_day_share=0.0)
    second = grid(1, days=1 / 24)
    smooth, rough = (synthetic_weather(place, second, seed=1, climate=c).wind_speed_m_s for c in (calm, gusty))
    assert (rough / smooth).std() == pytest.approx(0.2, rel=0.2)
    assert (rough / smooth).mean() == pytest.approx(1.0, abs=0.06)


def test_cloudier_places_get_less_light_and_hazier_ones_less_beam() -> None:
    places = Places([50.0, 50.0], 5.0)
    half = grid(days=180)
    cloudy = synthetic_weather(places, half, seed=1, climate=Climate(cloud_cover=[0.2, 0.8]))
    assert cloudy.ghi_w_m2[:, 1].sum() < 0.75 * cloudy.ghi_w_m2[:, 0].sum()
    hazy = synthetic_weather(places, half, seed=1, climate=Climate(linke_turbidity=[2.0, 6.0]))
    assert hazy.ghi_w_m2[:, 1].sum() < 0.9 * hazy.ghi_w_m2[:, 0].sum()


def test_pressure_falls_with_altitude(year: Weather) -> None:
    assert year.pressure_pa[0, 0] == pytest.approx(101_325.0, rel=1e-3)
    assert year.pressure_pa[0, 3] == pytest.approx(71_500.0, rel=0.02)


def test_steps_longer_than_an_hour_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"grid\.resolution_s: got 7200, expected 1 to 3600 s"):
        synthetic_weather(EVERYWHERE, grid(7200, days=1), seed=1)


def test_no_steps_and_a_negative_seed() -> None:
    assert synthetic_weather(EVERYWHERE, grid(days=0), seed=1).ghi_w_m2.shape == (0, 5)
    with pytest.raises(InvalidInputError, match="seed: got -1"):
        synthetic_weather(EVERYWHERE, grid(days=1), seed=-1)
