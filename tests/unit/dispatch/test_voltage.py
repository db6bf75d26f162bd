"""Voltage support: curves within the apparent power, one inverter and many."""

from __future__ import annotations

from dataclasses import replace
from math import hypot, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.curves import VOLT_VAR_CURVES, VOLT_WATT_CURVES, WATT_VAR_CURVES
from vpp.core.errors import InvalidInputError
from vpp.dispatch.voltage import VoltageService, support_voltage, support_voltage_fleet

PLAIN = VoltageService(rated_kva=100.0, rated_kw=90.0)
BOTH = replace(PLAIN, volt_var=VOLT_VAR_CURVES["B"], volt_watt=VOLT_WATT_CURVES["B"])
KINDS = [
    PLAIN,
    BOTH,
    replace(BOTH, reactive_first=False),
    replace(PLAIN, volt_var=VOLT_VAR_CURVES["A"]),
    replace(PLAIN, watt_var=WATT_VAR_CURVES["B"]),
    replace(PLAIN, rated_kw=100.0, watt_var=WATT_VAR_CURVES["B"], reactive_first=False),
]


@pytest.mark.parametrize(
    ("service", "voltage_pu", "power_kw", "expected"),
    [
        (BOTH, 0.95, 50.0, (50.0, 22.0)),
        (BOTH, 1.0, 90.0, (90.0, 0.0)),
        (BOTH, 1.08, 90.0, (54.0, -44.0)),  # Volt-Watt: 0.6 of 90 kW
        (BOTH, 1.2, -90.0, (-((100.0**2 - 44.0**2) ** 0.5), -44.0)),  # charging is not limited by Volt-Watt
        (PLAIN, 1.2, 120.0, (100.0, 0.0)),
        (replace(BOTH, reactive_first=False), 0.9, 100.0, (90.0, (100.0**2 - 90.0**2) ** 0.5)),
        (replace(PLAIN, watt_var=WATT_VAR_CURVES["B"]), 1.0, 67.5, (67.5, -22.0)),
    ],
)
def test_inverters_by_hand(
    service: VoltageService, voltage_pu: float, power_kw: float, expected: tuple[float, float]
) -> None:
    assert support_voltage(voltage_pu, service, power_kw=power_kw) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("service", KINDS)
@given(voltage_pu=st.floats(0.5, 1.5), power_kw=st.floats(-150.0, 150.0))
def test_the_apparent_power_is_kept_and_volt_watt_only_lowers(
    service: VoltageService, voltage_pu: float, power_kw: float
) -> None:
    active_kw, reactive_kvar = support_voltage(voltage_pu, service, power_kw=power_kw)
    assert hypot(active_kw, reactive_kvar) <= 100.0 * (1.0 + 1e-12)
    assert abs(active_kw) <= abs(power_kw)
    assert active_kw * power_kw >= 0.0
    if service.volt_var is not None:
        assert reactive_kvar * (1.0 - voltage_pu) >= 0.0


@pytest.mark.parametrize("service", KINDS)
def test_many_inverters_are_each_of_them(service: VoltageService) -> None:
    rng = np.random.default_rng(1)
    voltage, power, scale = rng.uniform(0.8, 1.2, 50), rng.uniform(-120.0, 120.0, 50), rng.uniform(0.1, 3.0, 50)
    active, reactive = support_voltage_fleet(voltage, service, power_kw=power, scale=scale)
    for i in range(50):
        own = replace(service, rated_kva=service.rated_kva * scale[i], rated_kw=service.rated_kw * scale[i])
        assert (active[i], reactive[i]) == pytest.approx(support_voltage(voltage[i], own, power_kw=power[i]), abs=1e-9)


def test_what_is_not_known_gets_no_answer() -> None:
    assert all(isnan(value) for value in support_voltage(nan, BOTH, power_kw=1.0))
    assert all(isnan(value) for value in support_voltage(1.0, BOTH, power_kw=nan))
    active, reactive = support_voltage_fleet([nan, 1.0, 1.0], BOTH, power_kw=[1.0, nan, 5.0])
    np.testing.assert_array_equal(active, [nan, nan, 5.0])
    np.testing.assert_array_equal(reactive, [nan, nan, 0.0])


def test_ratings_and_curves_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="rated_kva"):
        replace(PLAIN, rated_kva=0.0)
    with pytest.raises(InvalidInputError, match="rated_kw"):
        replace(PLAIN, rated_kw=101.0)
    with pytest.raises(InvalidInputError, match="watt_var"):
        replace(BOTH, watt_var=WATT_VAR_CURVES["B"])
    with pytest.raises(InvalidInputError, match="scale"):
        support_voltage_fleet([1.0], PLAIN, power_kw=[1.0], scale=[0.0])
