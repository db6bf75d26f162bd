from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from vpp.core.messages import POWER_KW, SOC
from vpp.core.time import parse_time
from vpp.edge.drivers.metrics import ENERGY_EXPORT_KWH, ENERGY_IMPORT_KWH
from vpp.edge.drivers.ocpp_meter import samples

ARRIVED = parse_time("2026-06-01T12:00:00Z")
TIME = "2026-06-01T11:59:58Z"


def one(*sampled: dict[str, Any], timestamp: str = TIME) -> tuple[dict[str, float], list[str]]:
    found, faults = samples([{"timestamp": timestamp, "sampled_value": list(sampled)}], arrived=ARRIVED)
    assert all(sample.time == parse_time(timestamp) for sample in found)
    return (dict(found[0].values) if found else {}), faults


def power(value: Any, measurand: str = "Power.Active.Import", **more: Any) -> dict[str, Any]:
    return {"value": value, "measurand": measurand} | more


@pytest.mark.parametrize(
    ("sampled", "expected"),
    [
        # one row for each direction: a car that draws is negative, one that feeds in is positive
        ([power("7400", unit="W")], {POWER_KW: -7.4}),
        ([power("7.4", unit="kW")], {POWER_KW: -7.4}),
        ([power("7400")], {POWER_KW: -7.4}),
        ([power("0")], {POWER_KW: 0.0}),
        ([power("3000", "Power.Active.Export", unit="W")], {POWER_KW: 3.0}),
        ([power("3000", "Power.Active.Export"), power("0")], {POWER_KW: 3.0}),
        # phases are added up, a total is taken before them
        ([power("1000", phase="L1"), power("1500", phase="L2"), power("2000", phase="L3")], {POWER_KW: -4.5}),
        ([power("1000", phase="L1-N"), power("1500", phase="L2-N")], {POWER_KW: -2.5}),
        ([power("1000", phase="L1"), power("4400"), power("1500", phase="L2")], {POWER_KW: -4.4}),
        ([power("9", phase="L1-L2")], {}),
        # the other end of the cable is not the grid's
        ([power("5000", location="Inlet"), power("5200", location="Outlet")], {POWER_KW: -5.2}),
        ([power("80", "SoC", unit="Percent", location="EV")], {SOC: 0.8}),
        ([power("100", "SoC")], {SOC: 1.0}),
        ([power("0", "SoC", unit="%")], {SOC: 0.0}),
        ([{"value": "12500"}], {ENERGY_IMPORT_KWH: 12.5}),
        ([power("12.5", "Energy.Active.Import.Register", unit="kWh")], {ENERGY_IMPORT_KWH: 12.5}),
        ([power("500", "Energy.Active.Export.Register", unit="Wh")], {ENERGY_EXPORT_KWH: 0.5}),
        ([power("230", "Voltage", unit="V"), power("16", "Current.Import", unit="A")], {}),
        # 2.0.1: a number, and a unit with a power of ten
        ([power(74.0, unit_of_measure={"unit": "W", "multiplier": 2})], {POWER_KW: -7.4}),
        ([power(7400.0, unit_of_measure={"unit": "W"})], {POWER_KW: -7.4}),
        ([power(7.4, unit_of_measure={"unit": "kW", "multiplier": 0})], {POWER_KW: -7.4}),
        ([{"value": 12_500_000, "unit_of_measure": {"unit": "Wh", "multiplier": -3}}], {ENERGY_IMPORT_KWH: 12.5}),
    ],
)
def test_meter_values_in_the_house(sampled: list[dict[str, Any]], expected: dict[str, float]) -> None:
    values, faults = one(*sampled)
    assert values == pytest.approx(expected, abs=1e-12)
    assert not faults


@pytest.mark.parametrize(
    ("sampled", "fault"),
    [
        (power("many"), "expected a number"),
        (power("nan"), "0 or more"),
        (power("1e999"), "0 or more"),
        (power("-5"), "the other direction is told apart"),
        (power("5", unit="kWh"), "expected W or kW"),
        (power("5", "Energy.Active.Import.Register", unit="W"), "expected Wh or kWh"),
        (power("101", "SoC"), "0 to 100 Percent"),
        (power("-1", "SoC"), "0 to 100 Percent"),
        (power("OCMF|{}", format="SignedData"), "set the charger to send raw values"),
        (power(1.0, unit_of_measure={"unit": "W", "multiplier": 99}), "at most 12 either way"),
    ],
)
def test_what_makes_no_sense_is_left_out_and_said(sampled: dict[str, Any], fault: str) -> None:
    values, faults = one(sampled, power("50", "SoC") if "SoC" not in str(sampled) else power("1"))
    assert len(values) == 1
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("timestamp", "kept"),
    [
        ("2026-06-01T12:01:00Z", True),
        ("2026-06-01T12:01:01Z", False),
        ("2026-05-25T12:00:00Z", True),
        ("2026-05-25T11:59:59Z", False),
        ("2026-06-01T14:00:00+02:00", True),
        ("1970-01-01T00:00:00Z", False),
        ("2026-06-01T12:00:00", False),
        ("noon", False),
    ],
)
def test_a_value_has_a_time_that_can_be(timestamp: str, kept: bool) -> None:
    found, faults = samples([{"timestamp": timestamp, "sampled_value": [power("1000")]}], arrived=ARRIVED)
    assert bool(found) is kept
    assert bool(faults) is not kept
    if kept:
        assert abs(found[0].time - ARRIVED) <= timedelta(days=7)
