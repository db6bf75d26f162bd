"""Turbines in weather: hub height, density, storms, failures; pitch; reactive power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.wind.air import barometric_density, ideal_gas_density, log_law, power_law
from vpp.simulation.wind.catalogue import power_curve
from vpp.simulation.wind.correction import power_in_air
from vpp.simulation.wind.pitch import pitch_at_rated_deg, power_coefficient
from vpp.simulation.wind.reactive import ReactiveCapability
from vpp.simulation.wind.turbines import Turbines, wind_power

START = parse_time("2024-01-01T00:00Z")
HOURS = TimeGrid(START, 3600, 48)
FLEET = Turbines.of(
    ["V80/2000", None, "V80/2000", None],
    [None, 10.0, None, 3000.0],
    hub_height_m=[80.0, 15.0, 100.0, 120.0],
    turbulence_intensity=[0.1, 0.0, 0.1, 0.15],
    mean_time_between_failures_h=40.0,
    mean_time_to_repair_h=10.0,
)


def wind(seed: int = 0, grid: TimeGrid = HOURS, sites: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).weibull(2.0, (grid.count, sites)) * 9.0


def test_the_chain_is_the_product_of_its_parts() -> None:
    one = Turbines.of(["E-126/4200"], [None], hub_height_m=135.0, roughness_m=0.15, yaw_misalignment_deg=10.0)
    speed, grid = np.array([[4.0], [6.0], [9.0]]), TimeGrid(START, 3600, 3)
    answer = wind_power(one, grid, wind_speed_m_s=speed, temperature_c=5.0, pressure_pa=98_000.0)
    hub = log_law(speed, height_m=10.0, hub_height_m=135.0, roughness_m=0.15)
    density = barometric_density(98_000.0, 5.0 - 0.0065 * 125.0, rise_m=135.0)
    expected = power_in_air(power_curve("E-126/4200"), hub, density) * np.cos(np.radians(10.0)) ** 1.88
    assert answer.hub_speed_m_s == pytest.approx(hub)
    assert answer.power_kw == pytest.approx(expected)


@given(st.integers(0, 50), st.floats(-20.0, 40.0), st.floats(90_000.0, 105_000.0))
def test_power_keeps_rating_and_cut_outs(seed: int, temperature: float, pressure: float) -> None:
    answer = wind_power(
        FLEET, HOURS, wind_speed_m_s=2.0 * wind(seed), temperature_c=temperature, pressure_pa=pressure, seed=seed
    )
    assert (answer.power_kw >= 0.0).all()
    assert (answer.power_kw <= FLEET.rated_kw * (1.0 + 1e-12)).all()
    assert (answer.power_kw[answer.hub_speed_m_s > FLEET.cut_out_m_s] == 0.0).all()
    assert (answer.power_kw[~answer.running] == 0.0).all()
    assert (answer.power_kw[answer.available == 0.0] == 0.0).all()


def test_same_seed_same_bytes_and_only_failures_are_random() -> None:
    first, again, other = (wind_power(FLEET, HOURS, wind_speed_m_s=wind(), seed=seed) for seed in (1, 1, 2))
    assert first.power_kw.tobytes() == again.power_kw.tobytes()
    assert not np.array_equal(first.available, other.available)
    assert first.hub_speed_m_s.tobytes() == other.hub_speed_m_s.tobytes()


def test_a_fleet_in_chunks_is_the_same_fleet() -> None:
    names = ["a", "b", "c", "d"]
    whole = wind_power(FLEET, HOURS, wind_speed_m_s=wind(), seed=1, names=names)
    part = Turbines(
        curves=FLEET.curves[1:3],
        hub_height_m=[15.0, 100.0],
        turbulence_intensity=[0.0, 0.1],
        mean_time_between_failures_h=40.0,
        mean_time_to_repair_h=10.0,
    )
    chunk = wind_power(part, HOURS, wind_speed_m_s=wind()[:, 1:3], seed=1, names=names[1:3])
    assert chunk.power_kw.tobytes() == np.ascontiguousarray(whole.power_kw[:, 1:3]).tobytes()


def test_a_storm_lasts_until_the_restart_speed() -> None:
    flat = Turbines.of([None], [100.0], hub_height_m=10.0, storm_restart_fraction=0.8)
    grid = TimeGrid(START, 600, 5)
    speed = np.array([[24.0], [25.5], [22.0], [20.0], [22.0]])
    answer = wind_power(flat, grid, wind_speed_m_s=speed)
    assert answer.power_kw[:, 0].tolist() == [100.0, 0.0, 0.0, 100.0, 100.0]
    rest = wind_power(flat, grid.part(2, 5), wind_speed_m_s=speed[2:], running=answer.running[1])
    assert rest.power_kw.tolist() == answer.power_kw[2:].tolist()


def test_faults_name_field_value_and_range() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean: E-126/4200"):
        Turbines.of(["E-126/420"], [None])
    with pytest.raises(InvalidInputError, match=r"rated_kw: got None, expected a rated power"):
        Turbines.of([None], [None])
    with pytest.raises(InvalidInputError, match=r"hub_height_m: got 0.5, expected 1 to 300 \[m\]"):
        Turbines.of([None], [1.0], hub_height_m=0.5)
    with pytest.raises(SeriesMismatchError, match=r"roughness_m: got \(2,\), expected one value or 1"):
        Turbines.of([None], [1.0], roughness_m=[0.1, 0.1])
    with pytest.raises(SeriesMismatchError, match=r"wind_speed_m_s: got .* steps, turbines"):
        wind_power(FLEET, HOURS, wind_speed_m_s=wind()[:, :3])
    with pytest.raises(InvalidInputError, match=r"wind_speed_m_s: got -1.0, expected 0 or more"):
        wind_power(FLEET, HOURS, wind_speed_m_s=wind() * 0.0 - 1.0)


def test_profiles_and_density() -> None:
    assert log_law(5.0, height_m=10.0, hub_height_m=10.0, roughness_m=0.1) == pytest.approx(5.0)
    assert power_law(5.0, height_m=10.0, hub_height_m=1280.0) == pytest.approx(10.0)
    assert ideal_gas_density(101_325.0, 15.0) == pytest.approx(1.225, abs=1e-3)
    assert barometric_density(101_330.0, 15.0) == pytest.approx(1.225)
    with pytest.raises(InvalidInputError, match=r"hub_height_m: got 0.05, expected above roughness_m"):
        log_law(5.0, height_m=10.0, hub_height_m=0.05, roughness_m=0.1)
    with pytest.raises(InvalidInputError, match=r"roughness_m: got 0.0"):
        log_law(5.0, height_m=10.0, hub_height_m=100.0, roughness_m=0.0)
    with pytest.raises(InvalidInputError, match=r"exponent: got 2.0, expected 0 to 1"):
        power_law(5.0, height_m=10.0, hub_height_m=20.0, exponent=2.0)
    with pytest.raises(InvalidInputError, match=r"temperature_c"):
        barometric_density(101_325.0, -300.0)
    with pytest.raises(InvalidInputError, match=r"pressure_pa"):
        barometric_density(100.0, 15.0, rise_m=100.0)


def test_pitch_holds_the_rated_power() -> None:
    assert float(power_coefficient(8.1, 0.0)) == pytest.approx(0.48, abs=5e-4)
    speeds = np.linspace(12.0, 25.0, 40)
    pitch = pitch_at_rated_deg(speeds, rated_m_s=12.0)
    assert pitch[0] == 0.0
    assert (np.diff(pitch) > 0.0).all()
    taken = power_coefficient(8.1 * 12.0 / speeds, pitch) * speeds**3
    assert taken[1:] == pytest.approx(np.full(39, float(power_coefficient(8.1, 0.0)) * 12.0**3), rel=1e-6)
    assert pitch_at_rated_deg([0.0, 5.0, 12.0], rated_m_s=12.0).tolist() == [0.0, 0.0, 0.0]
    for bad in ({"tip_speed_ratio": 0.0, "pitch_deg": 0.0}, {"tip_speed_ratio": 8.0, "pitch_deg": -1.0}):
        with pytest.raises(InvalidInputError):
            power_coefficient(**bad)


@given(st.floats(-150.0, 150.0), st.floats(-200.0, 200.0), st.floats(0.7, 1.0), st.floats(0.0, 1.0), st.booleans())
def test_the_converter_is_never_overloaded(
    power: float, request: float, factor: float, lid: float, night: bool
) -> None:
    area = ReactiveCapability(rated_kva=100.0, power_factor_min=factor, reactive_max_pu=lid, night=night)
    active, reactive = (float(value) for value in area.delivered(power, request))
    assert np.hypot(active, reactive) <= 100.0 * (1.0 + 1e-12)
    assert abs(reactive) <= 100.0 * lid + 1e-12
    assert reactive * request >= 0.0
    if not night and reactive:
        assert abs(active) / np.hypot(active, reactive) >= factor - 1e-9


@pytest.mark.parametrize(
    ("power", "factor", "absorbing", "expected"),
    [
        (80.0, 0.8, False, (80.0, 60.0)),
        (80.0, 0.8, True, (80.0, -60.0)),
        (80.0, 1.0, False, (80.0, 0.0)),
        (100.0, 0.8, False, (100.0, 0.0)),
        (40.0, 0.8, False, (40.0, 30.0)),
    ],
)
def test_power_factors(power: float, factor: float, absorbing: bool, expected: tuple[float, float]) -> None:
    area = ReactiveCapability(rated_kva=100.0, power_factor_min=0.8)
    assert area.at_power_factor(power, factor, absorbing=absorbing) == pytest.approx(expected, abs=1e-9)


def test_a_full_converter_helps_at_night_and_ranges_are_checked() -> None:
    low, high = ReactiveCapability(rated_kva=100.0, reactive_max_pu=0.4, night=True).limits_kvar(0.0)
    assert (float(low), float(high)) == (-40.0, 40.0)
    for change in ({"rated_kva": 0.0}, {"power_factor_min": 0.0}, {"reactive_max_pu": 1.5}):
        with pytest.raises(InvalidInputError, match=next(iter(change))):
            ReactiveCapability(**{"rated_kva": 1.0, **change})
    with pytest.raises(InvalidInputError, match=r"power_factor: got 0.5, expected 0.95 to 1"):
        ReactiveCapability(rated_kva=1.0).at_power_factor(1.0, 0.5)
