"""Ageing laws outside the published points: monotone, never healing, and strict about what they are given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.simulation.battery.ageing import naumann, schmalstieg, wang, xu
from vpp.simulation.battery.ageing.power_law import advanced


@given(
    value=st.floats(0.0, 0.5),
    rate=st.floats(1e-9, 0.1),
    amount=st.floats(0.0, 1e8),
    exponent=st.sampled_from([0.5, 0.75, 1.0]),
)
def test_a_power_law_never_heals_and_may_be_cut(value, rate, amount, exponent):
    whole = advanced(value, rate, amount, exponent)
    assert whole >= value * (1.0 - 1e-12)
    halves = advanced(advanced(value, rate, 0.5 * amount, exponent), rate, 0.5 * amount, exponent)
    assert halves == pytest.approx(whole, rel=1e-9)


def test_a_law_without_a_rate_adds_nothing():
    assert advanced(0.1, 0.0, 5.0, 0.5) == 0.1
    assert advanced(0.1, -1.0, 5.0, 0.5) == 0.1


@given(soc=st.floats(0.0, 1.0), depth=st.floats(0.0, 1.0), rate=st.floats(0.0, 6.0), volts=st.floats(2.5, 4.25))
def test_no_condition_heals_a_cell(soc, depth, rate, volts):
    for kelvin in (263.15, 298.15, 333.15):
        assert naumann.loss_by_time(kelvin, soc) > 0.0
        assert naumann.gain_by_time(kelvin, soc) > 0.0
        assert schmalstieg.loss_by_time(kelvin, volts) >= 0.0
        assert schmalstieg.gain_by_time(kelvin, volts) >= 0.0
    assert naumann.loss_by_cycles(rate, depth) > 0.0
    assert naumann.gain_by_cycles(rate, depth) >= 0.0
    assert schmalstieg.loss_by_throughput(volts, depth) > 0.0
    assert schmalstieg.gain_by_throughput(volts, depth) >= 0.0


def test_heat_charge_depth_and_rate_age_faster():
    assert naumann.loss_by_time(313.15, 0.5) > naumann.loss_by_time(298.15, 0.5)
    assert naumann.loss_by_time(298.15, 0.9) > naumann.loss_by_time(298.15, 0.5)
    assert naumann.loss_by_cycles(1.0, 0.9) > naumann.loss_by_cycles(0.5, 0.9) > naumann.loss_by_cycles(0.5, 0.3)
    assert schmalstieg.loss_by_time(298.15, 4.0) > schmalstieg.loss_by_time(298.15, 3.6)
    assert xu.depth_stress(0.8) > xu.depth_stress(0.2)
    assert xu.soc_stress(0.5) == 1.0 == xu.temperature_stress(298.15)
    assert xu.capacity_loss(0.0) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"throughput_ah": -1.0}, r"throughput_ah.*-1.*0 or more"),
        ({"c_rate": -0.5}, "c_rate"),
        ({"temperature_k": 0.0}, "temperature_k"),
        ({"pre_exponential": 0.0}, "pre_exponential"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    good = {"throughput_ah": 1.0, "temperature_k": 298.15, "c_rate": 0.5, "pre_exponential": 31630.0}
    with pytest.raises(InvalidInputError, match=message):
        wang.cycle_loss(**{**good, **change})
