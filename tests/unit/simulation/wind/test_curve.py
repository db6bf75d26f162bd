"""Power curves: limits, scaling, the catalogue, corrections and thrust."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.simulation.wind.catalogue import farm_efficiency, power_curve, turbine_types
from vpp.simulation.wind.correction import power_in_air, power_of_coefficient, smoothed, yaw_factor
from vpp.simulation.wind.curve import PowerCurve, generic_power_curve, thrust_coefficient

SIMPLE = PowerCurve("simple", np.array([3.0, 13.0, 25.0]), np.array([0.0, 100.0, 100.0]), diameter_m=20.0)


@pytest.mark.parametrize("name", turbine_types())
def test_every_turbine_of_the_catalogue_keeps_its_limits(name: str) -> None:
    curve = power_curve(name)
    speeds = np.linspace(0.0, 40.0, 801)
    power = curve.power(speeds)
    assert (power[(speeds < curve.cut_in_m_s) | (speeds > curve.cut_out_m_s)] == 0.0).all()
    assert power.max() == pytest.approx(curve.rated_kw)
    assert 1.0 <= curve.cut_in_m_s <= 5.0 < curve.rated_m_s < curve.cut_out_m_s
    assert curve.cut_out_m_s >= 20.0
    thin, dense = (power_in_air(curve, speeds, density) for density in (1.0, 1.4))
    for corrected in (thin, dense):
        assert (corrected >= 0.0).all()
        assert (corrected <= curve.rated_kw * (1.0 + 1e-12)).all()
        assert (corrected[(speeds < curve.cut_in_m_s) | (speeds > curve.cut_out_m_s)] == 0.0).all()
    below_rated = (speeds > curve.cut_in_m_s) & (speeds < curve.rated_m_s)
    assert dense[below_rated].sum() > power[below_rated].sum() > thin[below_rated].sum()
    thrust = thrust_coefficient(curve)
    assert ((thrust >= 0.0) & (thrust <= 0.82)).all()


def test_there_are_67_turbines() -> None:
    assert len(turbine_types()) == 67


def test_an_unknown_turbine_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no turbine type called 'V80/200'; did you mean: V80/2000"):
        power_curve("V80/200")
    with pytest.raises(UnknownNameError, match=r"farm efficiency"):
        farm_efficiency("dena")


@pytest.mark.parametrize(
    ("speeds", "power", "diameter", "message"),
    [
        ([3.0], [1.0], 1.0, "wind_speed_m_s: got .* two or more speeds, strictly ascending"),
        ([3.0, 3.0], [0.0, 1.0], 1.0, "wind_speed_m_s"),
        ([-1.0, 3.0], [0.0, 1.0], 1.0, "wind_speed_m_s"),
        ([3.0, 4.0], [0.0, 0.0], 1.0, "power_kw: .* one above 0"),
        ([3.0, 4.0], [0.0, -1.0], 1.0, "power_kw"),
        ([3.0, 4.0], [0.0, np.nan], 1.0, "power_kw"),
        ([3.0, 4.0], [1.0], 1.0, "power_kw"),
        ([3.0, 4.0], [0.0, 1.0], 0.0, r"diameter_m: got 0.0, expected above 0 \[m\]"),
    ],
)
def test_what_is_no_power_curve(speeds: list[float], power: list[float], diameter: float, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        PowerCurve("wrong", np.array(speeds), np.array(power), diameter_m=diameter)


@given(st.floats(1.0, 1e4), st.floats(0.0, 40.0))
def test_a_scaled_curve_keeps_power_per_area(rated_kw: float, speed: float) -> None:
    curve = SIMPLE.scaled(rated_kw)
    assert curve.rated_kw == pytest.approx(rated_kw)
    assert curve.rated_kw / curve.rotor_area_m2 == pytest.approx(SIMPLE.rated_kw / SIMPLE.rotor_area_m2)
    assert curve.power([speed])[0] == pytest.approx(SIMPLE.power([speed])[0] * rated_kw / 100.0)


def test_generic_curve() -> None:
    curve = generic_power_curve(2000.0)
    assert (curve.cut_in_m_s, curve.rated_m_s, curve.cut_out_m_s) == (3.0, 12.0, 25.0)
    assert 2e6 / curve.rotor_area_m2 == pytest.approx(350.0)
    with pytest.raises(InvalidInputError, match=r"rated_kw: got 0.0, expected above 0"):
        generic_power_curve(0.0)


@given(st.floats(0.6, 1.6), st.floats(0.0, 30.0))
def test_density_moves_the_curve_by_bisection_as_by_interpolation(density: float, speed: float) -> None:
    curve = power_curve("V164/8000")
    exponent = np.interp(curve.wind_speed_m_s, [7.5, 12.5], [1.0 / 3.0, 2.0 / 3.0])
    moved = curve.wind_speed_m_s * (1.225 / density) ** exponent
    runs = curve.cut_in_m_s <= speed <= curve.cut_out_m_s
    expected = float(np.interp(speed, moved, curve.power_kw)) if runs else 0.0
    assert float(power_in_air(curve, speed, density)) == pytest.approx(expected, abs=1e-6)


def test_the_cut_out_does_not_move_with_the_density() -> None:
    assert power_in_air(SIMPLE, [25.0, 25.0, 25.1], [1.0, 1.4, 1.0]).tolist() == [100.0, 100.0, 0.0]
    with pytest.raises(InvalidInputError, match=r"density_kg_m3: got 0.0, expected above 0"):
        power_in_air(SIMPLE, [5.0], [0.0])


def test_an_ideal_rotor_has_the_thrust_of_momentum_theory() -> None:
    speeds, area = np.array([5.0, 8.0]), np.pi / 4.0 * 100.0**2
    induction = np.array([1.0 / 3.0, 0.2])
    power_w = 4.0 * induction * (1.0 - induction) ** 2 * 0.5 * 1.225 * area * speeds**3
    curve = PowerCurve("ideal", speeds, power_w / 1e3, diameter_m=100.0)
    assert thrust_coefficient(curve, efficiency=1.0) == pytest.approx([0.82, 0.64], abs=1e-7)
    with pytest.raises(InvalidInputError, match=r"efficiency: got 0.0, expected above 0, up to 1"):
        thrust_coefficient(curve, efficiency=0.0)


def test_the_estimated_thrust_is_near_a_measured_one() -> None:
    # Vestas V80 at 10 m/s: 0.793 (the reference's note on PyWake's turbine)
    curve = power_curve("V80/2000")
    at_10 = float(np.interp(10.0, curve.wind_speed_m_s, thrust_coefficient(curve)))
    assert at_10 == pytest.approx(0.793, abs=0.06)


def test_calm_air_leaves_the_curve_alone() -> None:
    assert smoothed(SIMPLE, 0.0) is SIMPLE
    slight = smoothed(SIMPLE, 0.01)
    assert slight.power([5.0, 8.0]) == pytest.approx(SIMPLE.power([5.0, 8.0]), rel=1e-3)
    assert slight.power([18.0]) == pytest.approx([100.0], rel=1e-4)


@pytest.mark.parametrize("turbulence", [0.02, 0.1, 0.3])
def test_turbulence_rounds_the_corners_and_keeps_the_rating(turbulence: float) -> None:
    rounded = smoothed(SIMPLE, turbulence)
    assert rounded.rated_kw <= SIMPLE.rated_kw
    assert rounded.power([13.0])[0] < 100.0
    assert rounded.power([25.0])[0] < 75.0 < 85.0 < rounded.power([18.0])[0]
    assert rounded.power([25.5])[0] > 0.0
    assert rounded.cut_out_m_s > 25.5


@pytest.mark.parametrize("turbulence", [-0.1, 1.1, np.nan])
def test_turbulence_has_a_range(turbulence: float) -> None:
    with pytest.raises(InvalidInputError, match=r"turbulence_intensity: .* a fraction, 0 to 1"):
        smoothed(SIMPLE, turbulence)


def test_coefficients_end_with_their_curve() -> None:
    power = power_of_coefficient(
        [2.0, 5.0, 7.0], 1.225, diameter_m=10.0, coefficient_wind_speed_m_s=[3.0, 6.0], coefficient=[0.4, 0.4]
    )
    assert power[[0, 2]].tolist() == [0.0, 0.0]
    assert power[1] == pytest.approx(0.4 * 0.5 * 1.225 * np.pi * 25.0 * 125.0 / 1e3)


def test_wind_from_aside_gives_nothing() -> None:
    assert yaw_factor([0.0, 90.0, -90.0, 30.0]) == pytest.approx([1.0, 0.0, 0.0, 0.75**0.94], abs=1e-12)
    with pytest.raises(InvalidInputError, match=r"misalignment_deg: got 91.0, expected -90 to 90 \[deg\]"):
        yaw_factor(91.0)
