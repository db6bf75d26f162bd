"""Triggers, droops and voltage limits: what the tables in ../shared do not hold, and what is refused."""

from __future__ import annotations

import pickle
from dataclasses import replace
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.curves import (
    DROOP_CURVES,
    FREQUENCY_CURVES,
    FREQUENCY_TRIGGERS,
    VOLT_WATT_CURVES,
    WATT_VAR_CURVES,
    FrequencyTrigger,
    ResponseCurve,
    droop_1547,
    droop_curve,
    frequency_curve,
    frequency_trigger,
    volt_watt_curve,
)
from vpp.core.errors import InvalidInputError, UnknownNameError

RELAY = FrequencyTrigger(name="r", trigger_hz=59.85, nominal_hz=60.0, full_s=0.25, hold_s=900.0, source="test")


@given(frequency_hz=st.floats(56.0, 64.0), before=st.floats(0.0, 1.0))
def test_the_droop_curve_is_the_standards_formula(frequency_hz: float, before: float) -> None:
    added = before + DROOP_CURVES["IEEE1547_droop"](frequency_hz)
    assert min(max(added, 0.0), 1.0) == pytest.approx(float(droop_1547(frequency_hz, before)), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "frequency_hz", "response_pu"),
    [
        ("ERCOT_droop", 59.983, 0.0),
        ("ERCOT_droop", 57.0, 1.0),  # 5% of 60 Hz
        ("ERCOT_droop_mechanical", 60.034, 0.0),
        ("ERCOT_droop_mechanical", 63.0, -1.0),
        ("ERCOT_droop_combined_cycle", 57.6, 1.0),  # 4%
        ("FCR_D_down", 50.1, 0.0),
        ("FCR_D_down", 50.3, -0.5),
        ("FCR_D_down", 49.5, 0.0),
    ],
)
def test_what_rests_on_memory_answers_and_says_so(name: str, frequency_hz: float, response_pu: float) -> None:
    curve = frequency_curve(name)
    assert curve(frequency_hz) == pytest.approx(response_pu, abs=1e-9)
    assert not curve.confirmed


def test_an_unconfirmed_figure_is_never_called_confirmed() -> None:
    unconfirmed = [*VOLT_WATT_CURVES.values(), *FREQUENCY_TRIGGERS.values(), FREQUENCY_CURVES["DM"]]
    assert not any(one.confirmed for one in unconfirmed)
    assert DROOP_CURVES["IEEE1547_droop"].confirmed


def test_a_droop_without_a_dead_band_is_a_straight_line() -> None:
    curve = droop_curve("d", nominal_hz=50.0, dead_band_hz=0.0, droop=0.04, source="test")
    assert [point[0] for point in curve.points] == [48.0, 50.0, 52.0]
    assert curve(49.0) == 0.5


@pytest.mark.parametrize(("dead_band_hz", "droop"), [(-0.1, 0.05), (3.1, 0.05), (0.01, 0.0), (nan, 0.05)])
def test_a_droop_without_a_slope_is_refused(dead_band_hz: float, droop: float) -> None:
    with pytest.raises(InvalidInputError, match=r"dead_band_hz: got .*0 or more and below"):
        droop_curve(
            "d", nominal_hz=60.0, dead_band_hz=dead_band_hz, droop=droop, source="test", dead_band_deducted=True
        )


def test_a_trigger_releases_holds_and_ends() -> None:
    assert RELAY.activation(59.86, now_s=0.0) is None
    began_s = RELAY.activation(59.85, now_s=1.0)
    assert began_s == 1.0
    assert [RELAY.response(now_s=now_s, began_s=began_s) for now_s in (1.0, 1.125, 1.25, 500.0)] == [0.0, 0.5, 1.0, 1.0]
    # held for its time after the frequency has come back, and on while it has not
    assert RELAY.activation(60.0, now_s=900.9, began_s=began_s) == 1.0
    assert RELAY.activation(60.0, now_s=901.0, began_s=began_s) is None
    assert RELAY.activation(59.8, now_s=2000.0, began_s=began_s) == 1.0
    assert RELAY.response(now_s=5.0, began_s=None) == 0.0


def test_a_frequency_that_was_not_measured_triggers_nothing() -> None:
    assert RELAY.activation(nan, now_s=0.0) is None
    assert RELAY.activation(nan, now_s=10.0, began_s=1.0) == 1.0


def test_a_trigger_without_a_delay_answers_at_once() -> None:
    assert replace(RELAY, full_s=0.0).response(now_s=1.0, began_s=1.0) == 1.0
    assert frequency_trigger("ERCOT_UFR").hold_s == inf


@pytest.mark.parametrize(
    ("field", "value"), [("trigger_hz", 60.0), ("trigger_hz", nan), ("full_s", -1.0), ("hold_s", nan)]
)
def test_a_trigger_out_of_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match=field):
        replace(RELAY, **{field: value})


def test_an_unknown_trigger_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"frequency trigger called .ERCOT_FR.; did you mean: .*ERCOT_FFR"):
        frequency_trigger("ERCOT_FR")


@pytest.mark.parametrize(
    ("category", "least_pu", "voltage_pu", "limit_pu"),
    [("A", 0.2, 1.0, 1.0), ("A", 0.2, 1.08, 0.6), ("A", 0.0, 1.1, 0.0), ("B", 0.0, 1.1, 0.2), ("A", 0.9, 1.2, 0.2)],
)
def test_volt_watt_is_a_limit(category: str, least_pu: float, voltage_pu: float, limit_pu: float) -> None:
    assert volt_watt_curve(category, power_min_pu=least_pu)(voltage_pu) == pytest.approx(limit_pu)


def test_a_limit_has_no_nominal_value_at_which_it_is_zero() -> None:
    assert VOLT_WATT_CURVES["B"](1.0) == 1.0
    assert VOLT_WATT_CURVES["B"].response([1.0, nan])[0] == 1.0
    assert isnan(VOLT_WATT_CURVES["B"](nan))
    assert WATT_VAR_CURVES["B"](0.75) == pytest.approx(-0.22)


def test_volt_watt_refuses_what_it_does_not_know() -> None:
    with pytest.raises(UnknownNameError, match="category"):
        volt_watt_curve("C")
    with pytest.raises(InvalidInputError, match="power_min_pu"):
        volt_watt_curve("A", power_min_pu=1.5)


def test_a_negative_dead_band_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="dead_band"):
        ResponseCurve("mine", ((49.0, 1.0), (51.0, -1.0)), 50.0, "test", dead_band=-0.1)


def test_a_curve_survives_the_way_to_another_process() -> None:
    curve = frequency_curve("DC")
    again = pickle.loads(pickle.dumps(curve))
    assert again == curve
    assert again(49.65) == curve(49.65)
