"""Farms and wakes: no wake alone, symmetry, limits, superposition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.wind.curve import generic_power_curve
from vpp.simulation.wind.farm import FarmLayout, farm_power, waked_speeds
from vpp.simulation.wind.wake import GaussianWake, JensenWake, Wake, gaussian_deficit, jensen_deficit

CURVE = generic_power_curve(3000.0)
DIAMETER = CURVE.diameter_m
WAKES: tuple[Wake, ...] = (GaussianWake(), JensenWake(0.075))


def farm(*places: tuple[float, float], thrust: float | None = 0.8) -> FarmLayout:
    east, north = np.array(places, dtype=np.float64).T
    return FarmLayout(east_m=east, north_m=north, curve=CURVE, thrust=thrust)


@pytest.mark.parametrize("wake", WAKES)
def test_a_turbine_alone_loses_nothing(wake: Wake) -> None:
    speeds, directions = np.linspace(0.0, 30.0, 61), np.linspace(0.0, 360.0, 61)
    answer = farm_power(farm((12.0, 34.0)), speeds, directions, wake=wake)
    assert answer.wind_speed_m_s[:, 0].tolist() == speeds.tolist()
    assert answer.power_kw[:, 0].tolist() == CURVE.power(speeds).tolist()
    assert answer.wake_loss == 0.0


@pytest.mark.parametrize("wake", WAKES)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=6, unique=True),
    st.floats(0.0, 30.0),
    st.floats(-720.0, 720.0),
)
def test_no_turbine_sees_more_than_the_free_wind(
    wake: Wake, cells: list[tuple[int, int]], speed: float, direction: float
) -> None:
    layout = farm(*((300.0 * x, 300.0 * y) for x, y in cells), thrust=None)
    answer = farm_power(layout, [speed], [direction], wake=wake)
    assert (answer.wind_speed_m_s <= speed).all()
    assert (answer.wind_speed_m_s >= 0.0).all()
    assert (answer.power_kw <= CURVE.rated_kw).all()
    # whoever stands first in the wind has all of it
    assert answer.wind_speed_m_s.max() == speed


@pytest.mark.parametrize("wake", WAKES)
@given(st.floats(0.0, 360.0), st.floats(4.0, 20.0))
def test_turning_farm_and_wind_together_changes_nothing(wake: Wake, turn: float, speed: float) -> None:
    places = np.array([[0.0, 0.0], [50.0, 700.0], [400.0, 1500.0], [-300.0, 900.0]])
    angle = np.radians(turn)
    # compass turns run clockwise
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    still = waked_speeds(farm(*map(tuple, places)), [speed], [181.0], wake=wake)
    turned = waked_speeds(farm(*map(tuple, places @ rotation.T)), [speed], [181.0 + turn], wake=wake)
    assert turned == pytest.approx(still, abs=1e-9)


def test_a_square_is_the_same_from_four_sides() -> None:
    square = farm((0.0, 0.0), (500.0, 0.0), (0.0, 500.0), (500.0, 500.0))
    power = farm_power(square, np.full(4, 9.0), [0.0, 90.0, 180.0, 270.0]).power_kw.sum(axis=1)
    assert power == pytest.approx(np.full(4, power[0]), rel=1e-12)


def test_wind_from_the_north_wakes_the_south() -> None:
    pair = farm((0.0, 0.0), (0.0, 500.0))
    north, south, east, west = waked_speeds(pair, np.full(4, 10.0), [0.0, 180.0, 90.0, 270.0])
    assert north[0] < 10.0 == north[1]
    assert south[1] < 10.0 == south[0]
    assert south[1] == pytest.approx(north[0])
    assert east.tolist() == west.tolist() == [10.0, 10.0]


def test_three_in_line_add_as_root_of_squares() -> None:
    line = farm((0.0, 0.0), (500.0, 0.0), (1000.0, 0.0))
    answer = waked_speeds(line, [10.0], [270.0], wake=JensenWake(0.05))[0]
    near, far = (
        float(jensen_deficit(x, 0.0, diameter_m=DIAMETER, thrust=0.8, expansion=0.05)) for x in (500.0, 1000.0)
    )
    assert answer == pytest.approx([10.0, 10.0 * (1.0 - near), 10.0 * (1.0 - np.hypot(near, far))])


def test_thrust_follows_the_wind_that_reaches_a_turbine() -> None:
    line = farm((0.0, 0.0), (500.0, 0.0), (1000.0, 0.0), thrust=None)
    ends, middle = CURVE.wind_speed_m_s, line.thrust_by_speed
    answer = waked_speeds(line, [9.0], [270.0])[0]
    first, second = (float(np.interp(speed, ends, middle)) for speed in answer[:2])
    wake = {"diameter_m": DIAMETER, "expansion": GaussianWake().expansion}
    losses = (
        float(gaussian_deficit(1000.0, 0.0, thrust=first, **wake)),
        float(gaussian_deficit(500.0, 0.0, thrust=second, **wake)),
    )
    assert answer[2] == pytest.approx(9.0 * (1.0 - np.hypot(*losses)))


def test_a_storm_leaves_no_wake_and_no_power() -> None:
    answer = farm_power(farm((0.0, 0.0), (0.0, 500.0), thrust=None), [26.0, 2.0], [0.0, 0.0])
    assert answer.power_kw.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert answer.wind_speed_m_s.tolist() == [[26.0, 26.0], [2.0, 2.0]]
    assert answer.wake_loss == 0.0


def test_failures_and_density_reach_the_farm() -> None:
    pair = farm((0.0, 0.0), (0.0, 500.0))
    whole = farm_power(pair, [9.0], [90.0])
    half = farm_power(pair, [9.0], [90.0], available=[[1.0, 0.5]])
    assert half.power_kw == pytest.approx(whole.power_kw * [[1.0, 0.5]])
    assert half.wake_loss == pytest.approx(0.0)
    assert (farm_power(pair, [9.0], [90.0], density_kg_m3=1.1).power_kw < whole.power_kw).all()


def test_long_series_are_worked_on_in_parts_without_a_trace() -> None:
    rng = np.random.default_rng(3)
    speed, direction = rng.uniform(3.0, 20.0, 5000), rng.uniform(0.0, 360.0, 5000)
    pair = farm((0.0, 0.0), (0.0, 500.0), (600.0, 0.0), thrust=None)
    whole = waked_speeds(pair, speed, direction)
    assert whole[2040:2060].tobytes() == waked_speeds(pair, speed[2040:2060], direction[2040:2060]).tobytes()


@given(st.floats(-2000.0, 5000.0), st.floats(-1000.0, 1000.0), st.floats(0.0, 0.999))
def test_a_deficit_is_a_share(downwind: float, crosswind: float, thrust: float) -> None:
    for wake in WAKES:
        missing = float(
            wake.deficit(np.array(downwind), np.array(crosswind), diameter_m=np.array(100.0), thrust=np.array(thrust))
        )
        assert 0.0 <= missing <= 1.0
        if downwind <= 0.0:
            assert missing == 0.0


def test_the_gaussian_wake_keeps_the_momentum_deficit() -> None:
    # rho U^2 integral of (1 - d) d over the plane equals the thrust, at any distance (Bastankhah and Porte-Agel)
    for downwind in (400.0, 1500.0):
        radius = np.linspace(0.0, 1500.0, 60_001)
        missing = gaussian_deficit(downwind, radius, diameter_m=100.0, thrust=0.8, expansion=0.03)
        flux = np.trapezoid((1.0 - missing) * missing * 2.0 * np.pi * radius, radius)
        assert flux == pytest.approx(0.8 / 2.0 * np.pi / 4.0 * 100.0**2, rel=1e-4)


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"east_m, north_m: got 2, expected places that differ"):
        farm((1.0, 1.0), (1.0, 1.0))
    with pytest.raises(SeriesMismatchError, match=r"north_m"):
        FarmLayout(east_m=np.zeros(2), north_m=np.zeros(3), curve=CURVE)
    with pytest.raises(InvalidInputError, match=r"thrust: got 1.0, expected 0 to below 1"):
        farm((0.0, 0.0), thrust=1.0)
    with pytest.raises(SeriesMismatchError, match=r"wind_direction_deg"):
        waked_speeds(farm((0.0, 0.0)), [5.0, 6.0], [0.0])
    with pytest.raises(InvalidInputError, match=r"expansion: got 0.0, expected above 0, up to 1"):
        JensenWake(0.0)
    with pytest.raises(InvalidInputError, match=r"initial_width: got 0.2"):
        GaussianWake(0.03, 0.2)
