"""Curves against ../shared/reference/service_curves.json: every row that the house has a curve for.

The rows come from EPRI's OpenDER 2.2.0 (IEEE 1547-2018) and from the publishers named in the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vpp.core.curves import (
    DROOP_CURVES,
    FREQUENCY_CURVES,
    VOLT_VAR_CURVES,
    VOLT_WATT_CURVES,
    WATT_VAR_CURVES,
    droop_1547,
    frequency_curve,
    frequency_trigger,
)
from vpp.dispatch.response import FrequencyService, respond
from vpp.dispatch.voltage import VoltageService, support_voltage

DROOP = "IEEE1547_droop_default"


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "service_curves.json"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/reference")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return answer


def test_every_product_of_the_table_is_tested(reference: dict[str, Any]) -> None:
    assert {row[0] for row in reference["freq_tests_pu_upward_positive"]} == {*FREQUENCY_CURVES, DROOP}


@pytest.mark.parametrize("name", sorted(FREQUENCY_CURVES))
def test_frequency_products(reference: dict[str, Any], name: str) -> None:
    rows = [row for row in reference["freq_tests_pu_upward_positive"] if row[0] == name]
    assert len(rows) == 15
    curve = frequency_curve(name)
    for _, frequency_hz, response_pu in rows:
        assert curve(frequency_hz) == pytest.approx(response_pu, abs=1e-9), frequency_hz
    assert curve.response([row[1] for row in rows]) == pytest.approx([row[2] for row in rows], abs=1e-9)


@pytest.mark.parametrize("name", sorted(FREQUENCY_CURVES))
def test_break_points_are_those_of_the_publisher(reference: dict[str, Any], name: str) -> None:
    published = reference["curves"][name]
    curve = frequency_curve(name)
    assert [list(point) for point in curve.points] == published["points"]
    assert curve.nominal == published["f0"]
    assert curve.dead_band == published.get("deadband_hz", 0.0)


def test_droop_of_ieee_1547(reference: dict[str, Any]) -> None:
    rows = [row for row in reference["freq_tests_pu_upward_positive"] if row[0] == DROOP]
    assert len(rows) == 9
    for _, frequency_hz, power_pu, case in rows:
        answer = droop_1547(frequency_hz, case["p_pre"], power_available_pu=case["p_avl"])
        assert float(answer) == pytest.approx(power_pu, abs=1e-9), frequency_hz


def test_droop_defaults_are_those_of_the_standard(reference: dict[str, Any]) -> None:
    published = reference["curves"][DROOP]
    spelled_out = droop_1547(
        61.0, 0.8, nominal_hz=published["f0"], dead_band_hz=published["dbOF"], droop=published["kOF"]
    )
    assert float(droop_1547(61.0, 0.8)) == float(spelled_out)


def test_volt_var_of_ieee_1547(reference: dict[str, Any]) -> None:
    rows = reference["ieee1547"]["volt_var_tests"]
    assert len(rows) == 24
    for category, voltage_pu, reactive_pu in rows:
        assert VOLT_VAR_CURVES[category](voltage_pu) == pytest.approx(reactive_pu, abs=1e-9), (category, voltage_pu)


def test_opender_volt_var(reference: dict[str, Any]) -> None:
    rows = reference["opender_2_2_0_oracle"]["volt_var_B_kvar_of_100kVA"]
    for voltage_pu, reactive_kvar in rows.items():
        assert 100.0 * VOLT_VAR_CURVES["B"](float(voltage_pu)) == pytest.approx(reactive_kvar, abs=5e-4)


def test_opender_droop(reference: dict[str, Any]) -> None:
    rows = reference["opender_2_2_0_oracle"]["droop_kw_from_80"]
    for frequency_hz, power_kw in rows.items():
        assert 100.0 * float(droop_1547(float(frequency_hz), 0.8)) == pytest.approx(power_kw, abs=5e-4)


@pytest.mark.parametrize("name", ["FCR_CE", "DC", "DM", "DR"])
def test_times_are_those_of_the_publisher(reference: dict[str, Any], name: str) -> None:
    published, curve = reference["curves"][name], frequency_curve(name)
    assert curve.full_s == published.get("full_s", published.get("full_activation_s"))
    # FCR states its minutes in words: "15 min (TSO-specific to 30)"
    minutes = published.get("duration_min") or float(published["lim_energy_min"].split()[0])
    assert curve.sustain_s == minutes * 60.0


def test_what_the_table_marks_confirm_is_not_confirmed(reference: dict[str, Any]) -> None:
    marked = {name for name, entry in reference["curves"].items() if "breakpoints" in entry.get("src", "")}
    assert marked == {name for name, curve in FREQUENCY_CURVES.items() if not curve.confirmed}
    for name in ("ERCOT_droop", "ERCOT_droop_mechanical", "ERCOT_droop_combined_cycle"):
        assert "CONFIRM" in reference["curves"]["ERCOT_BAL001TRE"]["src"]
        assert not DROOP_CURVES[name].confirmed


@pytest.mark.parametrize(
    ("name", "dead_band", "droop"),
    [
        ("ERCOT_droop", "deadband_hz", "droop"),
        ("ERCOT_droop_mechanical", "deadband_steam_hydro_mech_hz", "droop"),
        ("ERCOT_droop_combined_cycle", "deadband_hz", "droop_CT_in_CC"),
    ],
)
def test_droops_of_bal_001_tre(reference: dict[str, Any], name: str, dead_band: str, droop: str) -> None:
    published, curve = reference["curves"]["ERCOT_BAL001TRE"], DROOP_CURVES[name]
    edge_hz, whole_hz = published[dead_band], published["f0"] * published[droop]
    assert curve(60.0 - edge_hz) == pytest.approx(0.0, abs=1e-12)
    assert curve(60.0 - whole_hz) == pytest.approx(1.0)
    assert curve(60.0 + (edge_hz + whole_hz) / 2.0) == pytest.approx(-0.5)


@pytest.mark.parametrize("name", ["ERCOT_FFR", "ERCOT_UFR"])
def test_triggers(reference: dict[str, Any], name: str) -> None:
    published, trigger = reference["curves"][name], frequency_trigger(name)
    assert (trigger.trigger_hz, trigger.full_s) == (published["trigger_hz"], published["full_s"])
    assert "from memory" in published["src"]
    assert not trigger.confirmed
    if "hold_min" in published:
        assert trigger.hold_s == published["hold_min"] * 60.0


def test_devices_answer_as_their_products(reference: dict[str, Any]) -> None:
    rows = [row for row in reference["freq_tests_pu_upward_positive"] if row[0] != DROOP]
    assert len(rows) == 90
    for name, frequency_hz, response_pu in rows:
        device = FrequencyService(
            curve=frequency_curve(name), contracted_kw=80.0, charge_max_kw=100.0, discharge_max_kw=100.0
        )
        assert respond(frequency_hz, device, soc=0.5) == pytest.approx(80.0 * response_pu, abs=1e-7)


def test_devices_droop_as_ieee_1547_and_opender(reference: dict[str, Any]) -> None:
    device = FrequencyService(
        curve=DROOP_CURVES["IEEE1547_droop"], contracted_kw=100.0, charge_max_kw=0.0, discharge_max_kw=100.0
    )
    for name, frequency_hz, power_pu, *case in reference["freq_tests_pu_upward_positive"]:
        if name == DROOP:
            answer_kw = respond(frequency_hz, device, soc=0.5, baseline_kw=100.0 * case[0]["p_pre"])
            assert answer_kw == pytest.approx(100.0 * power_pu, abs=1e-7)
    for frequency_hz, power_kw in reference["opender_2_2_0_oracle"]["droop_kw_from_80"].items():
        assert respond(float(frequency_hz), device, soc=0.5, baseline_kw=80.0) == pytest.approx(power_kw, abs=5e-4)


def test_inverters_answer_as_opender(reference: dict[str, Any]) -> None:
    inverter = VoltageService(rated_kva=100.0, rated_kw=100.0, volt_var=VOLT_VAR_CURVES["B"])
    for voltage_pu, reactive_kvar in reference["opender_2_2_0_oracle"]["volt_var_B_kvar_of_100kVA"].items():
        assert support_voltage(float(voltage_pu), inverter, power_kw=0.0)[1] == pytest.approx(reactive_kvar, abs=5e-4)


def test_volt_watt_and_watt_var_of_ieee_1547(reference: dict[str, Any]) -> None:
    published = reference["ieee1547"]
    for category, curve in VOLT_WATT_CURVES.items():
        voltages = published["volt_watt"][category]["V"]
        assert [point[0] for point in curve.points] == voltages
        assert curve.full_s == published["volt_watt"][category]["Tresp"]
    assert [point[1] for point in VOLT_WATT_CURVES["B"].points] == published["volt_watt"]["B"]["P"]
    watt_var = published["watt_var_B"]
    assert list(zip(watt_var["P"], watt_var["Q"], strict=True)) == list(WATT_VAR_CURVES["B"].points)
    for category, curve in VOLT_VAR_CURVES.items():
        assert curve.full_s == published["volt_var"][category]["Tresp"]
