"""The pipeline: night, clipping, sharing, chunks, shading, degradation, curtailment, and messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.solar import SolarArrays, SolarYield, solar_power
from vpp.simulation.solar.calibrated import fontana, golden, luxembourg
from vpp.simulation.weather import Climate, Places, Weather, sun_position, synthetic_weather

PLACES = Places([35.0, -33.9, 69.6], [-117.0, 151.2, 18.9])
GRID = TimeGrid(parse_time("2023-03-01T00:00Z"), 3600, 24 * 10)
FIELDS = ("ac_kw", "dc_kw", "poa_w_m2", "cell_temperature_c")


@pytest.fixture(scope="module")
def weather() -> Weather:
    return synthetic_weather(PLACES, GRID, seed=1)


def energy(made: SolarYield) -> np.ndarray:
    return made.ac_kw.sum(axis=0)


@settings(max_examples=25)
@given(
    tilt=st.floats(0.0, 90.0), azimuth=st.floats(0.0, 360.0), coverage=st.floats(0.0, 0.9), size=st.floats(0.0, 50.0),
    rated=st.floats(0.1, 50.0), sky=st.sampled_from(["haydavies", "perez", "perez-driesse"]),
    cell=st.sampled_from(["sapm", "faiman", "pvsyst"]), seed=st.integers(0, 1000),
)  # fmt: skip
def test_power_is_0_at_night_and_at_most_the_rating(
    tilt: float, azimuth: float, coverage: float, size: float, rated: float, sky: str, cell: str, seed: int
) -> None:
    few = GRID.part(0, 48)
    weather = synthetic_weather(PLACES, few, seed=seed)
    arrays = SolarArrays(
        dc_rated_kw=size, ac_rated_kw=rated, tilt_deg=tilt, azimuth_deg=azimuth, ground_coverage_ratio=coverage,
        sky_model=sky, cell_model=cell, horizon_deg=[0.0, 5.0, 10.0],
    )  # fmt: skip
    made = solar_power(arrays, PLACES, weather)
    down = sun_position(PLACES, few).zenith_deg >= 90.0
    for name in ("ac_kw", "dc_kw", "poa_w_m2"):
        assert (getattr(made, name)[down] == 0.0).all(), name
        assert (getattr(made, name) >= 0.0).all(), name
    assert (made.ac_kw <= rated).all()
    assert (made.ac_kw <= 1.0132 * made.dc_kw).all()  # PVWatts' curve peaks a little above its nominal efficiency
    assert np.isfinite(made.cell_temperature_c).all()
    np.testing.assert_array_equal(made.cell_temperature_c[down], weather.temperature_c[down])


def test_lamps_at_night_make_no_power(weather: Weather) -> None:
    lit = Weather(GRID, *(np.full((240, 3), 50.0) for _ in range(3)), *(
        getattr(weather, name) for name in ("temperature_c", "wind_speed_m_s", "pressure_pa")
    ))  # fmt: skip
    made = solar_power(SolarArrays(dc_rated_kw=5.0), PLACES, lit)
    assert (made.ac_kw[sun_position(PLACES, GRID).zenith_deg >= 90.0] == 0.0).all()
    assert energy(made).min() > 0.0


def test_chunks_and_handed_in_suns_change_no_byte(monkeypatch: pytest.MonkeyPatch, weather: Weather) -> None:
    arrays = SolarArrays(dc_rated_kw=[4.0, 5.0, 6.0], ground_coverage_ratio=[0.0, 0.5, 0.0])
    whole = solar_power(arrays, PLACES, weather)
    known = solar_power(arrays, PLACES, weather, sun=sun_position(PLACES, GRID))
    monkeypatch.setattr("vpp.simulation.weather.sun._BLOCK_VALUES", 1)
    cut = solar_power(arrays, PLACES, weather)
    parts = [solar_power(arrays.part(i, i + 1), PLACES.part(i, i + 1), weather.part(i, i + 1)).ac_kw for i in range(3)]
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(known, name), getattr(whole, name))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole.ac_kw)


def test_one_weather_and_one_place_serve_many_arrays(weather: Weather) -> None:
    arrays = SolarArrays(dc_rated_kw=5.0, azimuth_deg=[90.0, 180.0, 270.0])
    found = solar_power(arrays, PLACES.part(0, 1), weather.part(0, 1))
    for site in range(3):
        alone = solar_power(arrays.part(site, site + 1), PLACES.part(0, 1), weather.part(0, 1))
        np.testing.assert_array_equal(found.ac_kw[:, [site]], alone.ac_kw)
    many = solar_power(SolarArrays(dc_rated_kw=5.0), PLACES, weather)
    assert many.ac_kw.shape == (240, 3)


def test_power_scales_with_size_and_falls_with_losses_heat_and_age(weather: Weather) -> None:
    def of(**changed: float) -> np.ndarray:
        return energy(solar_power(SolarArrays(**{"dc_rated_kw": 5.0, "ac_rated_kw": 6.0} | changed), PLACES, weather))

    plain = of()
    np.testing.assert_allclose(of(dc_rated_kw=10.0, ac_rated_kw=12.0), 2.0 * plain)
    assert of(ac_rated_kw=1.0)[0] < 0.7 * plain[0]  # clipped
    for worse in (
        {"soiling": 0.2}, {"age_years": 20.0}, {"temperature_coefficient_per_c": -0.01}, {"albedo": 0.0},
        {"ground_coverage_ratio": 0.8}, {"inverter_efficiency": 0.9}, {"horizon_deg": [25.0, 25.0]},
    ):  # fmt: skip
        if "temperature_coefficient_per_c" in worse:
            assert of(**worse)[0] < plain[0]  # the warm place; cold cells gain
        else:
            assert (of(**worse) < plain).all(), worse


def test_degradation_runs_with_the_clock() -> None:
    place, start = Places(35.0, -117.0), parse_time("2023-01-01T00:00Z")
    grid = TimeGrid(start, 3600, 2 * 8766)
    steady = Weather(grid, *(np.full((len(grid), 1), value) for value in (100.0, 0.0, 100.0, 25.0, 3.0, 95_000.0)))
    falling = solar_power(SolarArrays(dc_rated_kw=1.0, degradation_per_year=0.01, age_years=3.0), place, steady).dc_kw
    constant = solar_power(SolarArrays(dc_rated_kw=1.0, degradation_per_year=0.0), place, steady).dc_kw
    day = constant[:, 0] > 0.0
    share = falling[day, 0] / constant[day, 0]
    np.testing.assert_allclose(share, 1.0 - 0.01 * (3.0 + (np.flatnonzero(day) + 0.5) / 8766), atol=1e-9)


def test_curtailing_holds_the_ceiling_and_touches_nothing_else(weather: Weather) -> None:
    made = solar_power(SolarArrays(dc_rated_kw=5.0), PLACES, weather)
    cut = made.curtailed([1.0, np.inf, 0.0])
    np.testing.assert_array_equal(cut.ac_kw[:, 0], np.minimum(made.ac_kw[:, 0], 1.0))
    np.testing.assert_array_equal(cut.ac_kw[:, 1], made.ac_kw[:, 1])
    assert (cut.ac_kw[:, 2] == 0.0).all()
    np.testing.assert_array_equal(cut.dc_kw, made.dc_kw)
    with pytest.raises(InvalidInputError, match=r"ceiling_kw: got -1.0, expected 0 or more \[kW\]"):
        made.curtailed([1.0, -1.0, 2.0])


def test_a_horizon_hides_the_morning(weather: Weather) -> None:
    open_sky = solar_power(SolarArrays(dc_rated_kw=5.0), PLACES, weather).poa_w_m2[:, 0]
    heights = np.zeros(36)
    heights[:18] = 60.0  # hills all over the east
    hills = solar_power(SolarArrays(dc_rated_kw=5.0, horizon_deg=heights), PLACES, weather).poa_w_m2[:, 0]
    hour = (np.arange(240) - 117 / 15) % 24
    morning, evening = (hour > 6) & (hour < 10), (hour > 14) & (hour < 18)
    assert hills[morning].sum() < 0.6 * open_sky[morning].sum()
    assert hills[evening].sum() > 0.6 * open_sky[evening].sum()


def test_numbers_of_sites_must_agree(weather: Weather) -> None:
    with pytest.raises(SeriesMismatchError, match="the same number of arrays, places, weather and sun, or one"):
        solar_power(SolarArrays(dc_rated_kw=[1.0, 2.0]), PLACES, weather)
    with pytest.raises(SeriesMismatchError, match="240 steps, as the weather has"):
        solar_power(SolarArrays(dc_rated_kw=1.0), PLACES, weather, sun=sun_position(PLACES, GRID.part(0, 3)))


@pytest.mark.parametrize(("plant", "sites"), [(fontana(), 10), (luxembourg(3), 3), (luxembourg(1), 1), (golden(), 1)])
def test_calibrated_plants_run(plant: object, sites: int) -> None:
    weather = synthetic_weather(plant.places, GRID.part(0, 24), seed=1, climate=plant.climate)
    made = solar_power(plant.arrays, plant.places, weather)
    assert made.ac_kw.shape == (24, sites)
    assert made.ac_kw.max() > 0.0
    assert isinstance(plant.climate, Climate)
