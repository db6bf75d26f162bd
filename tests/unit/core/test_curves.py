"""Curves: quoted facts, the scalar and the array path, and what is refused. The full tables stand in tests/oracle."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.curves import (
    FREQUENCY_CURVES,
    VOLT_VAR_CURVES,
    ResponseCurve,
    droop_1547,
    frequency_curve,
)
from vpp.core.errors import InvalidInputError, UnknownNameError

CURVES = [*FREQUENCY_CURVES.values(), *VOLT_VAR_CURVES.values()]


@pytest.mark.parametrize(
    ("name", "frequency_hz", "response_pu"),
    [
        # EU 2017/1485 Art. 154, Annex V: full activation at 200 mHz, insensitivity within 10 mHz
        ("FCR_CE", 49.8, 1.0),
        ("FCR_CE", 49.9, 0.5),
        ("FCR_CE", 49.995, 0.0),
        ("FCR_CE", 50.01, 0.0),
        ("FCR_CE", 50.2, -1.0),
        ("FCR_CE", 51.0, -1.0),
        # NESO: 5% at 200 mHz, all at 500 mHz, nothing within 15 mHz
        ("DC", 49.8, 0.05),
        ("DC", 49.5, 1.0),
        ("DC", 49.985, 0.0),
        ("DC", 50.5, -1.0),
        # Nordic: FCR-N over 100 mHz either way, FCR-D up from 49.9 to 49.5 Hz
        ("FCR_N", 49.95, 0.5),
        ("FCR_N", 50.1, -1.0),
        ("FCR_D_up", 49.9, 0.0),
        ("FCR_D_up", 49.7, 0.5),
        ("FCR_D_up", 50.3, 0.0),
    ],
)
def test_frequency_products_as_published(name: str, frequency_hz: float, response_pu: float) -> None:
    assert frequency_curve(name)(frequency_hz) == pytest.approx(response_pu, abs=1e-9)


@pytest.mark.parametrize(
    ("category", "voltage_pu", "reactive_pu"),
    [("A", 0.95, 0.125), ("A", 1.1, -0.25), ("B", 0.92, 0.44), ("B", 1.0, 0.0), ("B", 1.05, -0.22), ("B", 1.2, -0.44)],
)
def test_volt_var_as_in_ieee_1547(category: str, voltage_pu: float, reactive_pu: float) -> None:
    assert VOLT_VAR_CURVES[category](voltage_pu) == pytest.approx(reactive_pu, abs=1e-9)


@pytest.mark.parametrize(
    ("frequency_hz", "before_pu", "after_pu"),
    [
        (60.0, 0.8, 0.8),
        (60.036, 0.8, 0.8),  # the edge of the dead band
        (60.1, 0.8, 0.8 - 0.064 / 3.0),
        (61.2, 0.8, 0.8 - 1.164 / 3.0),
        (59.964, 0.5, 0.5),
        (59.5, 0.5, 0.5 + 0.464 / 3.0),
        (55.0, 0.5, 1.0),  # held by what is available
        (65.0, 0.5, 0.0),  # held by the minimum
    ],
)
def test_droop_as_in_ieee_1547(frequency_hz: float, before_pu: float, after_pu: float) -> None:
    assert float(droop_1547(frequency_hz, before_pu)) == pytest.approx(after_pu, abs=1e-9)


def test_a_storage_goes_on_charging_when_the_frequency_is_high() -> None:
    assert float(droop_1547(60.336, -0.5, power_min_pu=-1.0)) == pytest.approx(-0.6)
    assert float(droop_1547(59.664, -0.5, power_min_pu=-1.0)) == pytest.approx(-0.4)


@pytest.mark.parametrize(("before_pu", "available_pu"), [(-0.5, 1.0), (0.8, 0.7), (nan, 1.0)])
def test_a_power_outside_its_bounds_would_answer_the_wrong_way(before_pu: float, available_pu: float) -> None:
    with pytest.raises(InvalidInputError, match=r"power_before_pu: got .*power_min_pu to power_available_pu"):
        droop_1547(60.5, before_pu, power_available_pu=available_pu)


@given(
    frequency_hz=st.floats(55.0, 65.0),
    before_pu=st.floats(-1.0, 1.0),
    droop=st.floats(0.02, 0.05),
)
def test_droop_never_answers_the_wrong_way(frequency_hz: float, before_pu: float, droop: float) -> None:
    after = float(droop_1547(frequency_hz, before_pu, power_min_pu=-1.0, droop=droop))
    assert -1.0 <= after <= 1.0
    assert (after - before_pu) * (60.0 - frequency_hz) >= 0.0


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@given(data=st.data())
def test_scalar_and_array_agree(curve: ResponseCurve, data: st.DataObject) -> None:
    spread = curve.points[-1][0] - curve.points[0][0]
    inside = st.floats(curve.points[0][0] - spread, curve.points[-1][0] + spread)
    values = data.draw(st.lists(st.one_of(inside, st.sampled_from([point[0] for point in curve.points])), max_size=20))
    np.testing.assert_allclose(curve.response(values), [curve(value) for value in values], atol=1e-12)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_responses_fall_and_stay_within_their_ends(curve: ResponseCurve) -> None:
    measured = np.linspace(curve.points[0][0] - 0.5, curve.points[-1][0] + 0.5, 2001)
    response = curve.response(measured)
    assert (np.diff(response) <= 1e-12).all()
    assert response[0] == curve.points[0][1]
    assert response[-1] == curve.points[-1][1]
    # under the nominal value the answer is positive, over it negative: one sign in the house
    assert (response[measured < curve.nominal] >= 0.0).all()
    assert (response[measured > curve.nominal] <= 0.0).all()


def test_what_was_not_measured_gets_no_answer() -> None:
    curve = frequency_curve("FCR_CE")
    assert isnan(curve(nan))
    np.testing.assert_array_equal(curve.response([49.8, nan]), [1.0, nan])
    assert np.isnan(droop_1547(nan, 0.5))


@pytest.mark.parametrize("points", [(), ((50.0, 0.0),), ((50.0, 1.0), (50.0, 0.0)), ((50.2, -1.0), (49.8, 1.0))])
def test_points_that_are_no_function_are_refused(points: tuple) -> None:
    with pytest.raises(InvalidInputError, match="two or more points, strictly ascending"):
        ResponseCurve("mine", points, 50.0, "test")


def test_an_unknown_curve_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="frequency curve called 'FCR-N'; did you mean: FCR_N"):
        frequency_curve("FCR-N")


def test_what_rests_on_memory_says_so() -> None:
    assert {name for name, curve in FREQUENCY_CURVES.items() if not curve.confirmed} == {"DM", "DR"}
    assert all(curve.source for curve in CURVES)
