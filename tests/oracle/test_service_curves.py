"""Curves against ../shared/reference/service_curves.json: every row that the house has a curve for.

The rows come from EPRI's OpenDER 2.2.0 (IEEE 1547-2018) and from the publishers named in the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vpp.core.curves import FREQUENCY_CURVES, VOLT_VAR_CURVES, droop_1547, frequency_curve

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
