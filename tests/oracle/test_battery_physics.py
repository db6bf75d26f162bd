"""The cell's circuit and heat against closed forms."""

from __future__ import annotations

import json
from math import exp

import numpy as np
import pytest

from vpp.simulation.battery import Cell
from vpp.simulation.battery.circuit import current_at_power, end_voltage, relaxed
from vpp.simulation.battery.counting import COLUMNS, DEPTH
from vpp.simulation.battery.steps import CELL_K, RESULTS, TERMINAL_V, UNIT_COLUMNS, run_steps
from vpp.simulation.battery.wear import SOC, STATE_COLUMNS, TEMPERATURE_K


@pytest.fixture(scope="module")
def analytic(shared):
    return json.loads((shared / "reference" / "battery_ecm_thermal_analytic.json").read_text())


def flat(ocv_v, *, ohm, rc_share, rc_tau_s, heat_j_per_k=900.0, cooling_w_per_k=2.0):
    return Cell(
        name="flat", capacity_ah=1e6, ocv_v=((0.0, ocv_v), (1.0, ocv_v)), resistance_temperature_c=(0.0, 50.0),
        resistance_ohm=((0.0, (ohm, ohm)), (1.0, (ohm, ohm))), rc_share=rc_share, rc_tau_s=rc_tau_s,
        voltage_min_v=0.1, voltage_max_v=9.0, heat_j_per_k=heat_j_per_k, cooling_w_per_k=cooling_w_per_k,
    ).tables  # fmt: skip


def test_voltage_of_the_circuit(analytic):
    case = analytic["ecm_1rc"]
    tables = flat(
        case["OCV"], ohm=case["R0"] + case["R1"], rc_share=case["R1"] / (case["R0"] + case["R1"]),
        rc_tau_s=case["R1"] * case["C1"],
    )  # fmt: skip
    assert tables.rc_ohm == pytest.approx(case["R1"])
    for seconds, volts in zip(case["t_s"], case["V"], strict=True):
        found = end_voltage(tables, case["R0"], (0.5, 0.0, tables.capacity_as), case["I_A"], seconds)
        assert found == pytest.approx(volts, abs=case["tol"])


def test_temperature_of_the_cell(analytic):
    case = analytic["thermal"]
    steady = case["T_amb_K"] + case["I_A"] ** 2 * case["R_ohm"] / case["hA_W_K"]
    for seconds, kelvin in zip(case["t_s"], case["T_K"], strict=True):
        assert relaxed(case["T_amb_K"], steady, exp(-seconds / case["tau_s"])) == pytest.approx(kelvin, abs=case["tol"])


@pytest.mark.parametrize("seconds", [1.0, 60.0, 300.0, 900.0])
def test_temperature_in_the_loop(analytic, seconds):
    case = analytic["thermal"]
    tables = flat(3.7, ohm=case["R_ohm"] / (1.0 - 1e-9), rc_share=1e-9, rc_tau_s=1.0)
    current, horizon = case["I_A"], 900.0 if seconds == 900.0 else 300.0
    power_w = current * (3.7 - current * case["R_ohm"])
    units = np.zeros((1, UNIT_COLUMNS))
    units[0] = [0.0, 1.0, 1e3, 1e3, 200.0, 210.0, 400.0, 410.0]
    states = np.zeros((1, STATE_COLUMNS))
    states[0, SOC], states[0, TEMPERATURE_K] = 0.5, case["T_amb_K"]
    steps = int(horizon / seconds)
    out = np.empty((RESULTS, steps, 1))
    run_steps(
        tables, units, states, np.zeros((1, DEPTH, COLUMNS)), np.full((steps, 1), power_w),
        np.full((steps, 1), case["T_amb_K"]), seconds, out,
    )  # fmt: skip
    expected = dict(zip(case["t_s"], case["T_K"], strict=True))[horizon]
    assert out[CELL_K, -1, 0] == pytest.approx(expected, abs=case["tol"])
    assert out[TERMINAL_V, -1, 0] == pytest.approx(3.7 - current * case["R_ohm"], abs=1e-6)


def test_current_at_a_power(analytic):
    case = analytic["cv_power_solution"]
    assert current_at_power(case["P_W"], case["OCV"], case["R"]) == pytest.approx(case["I_A"], rel=1e-12)
    most = current_at_power(2.0 * case["P_max_W"], case["OCV"], case["R"])
    assert most * (case["OCV"] - most * case["R"]) == pytest.approx(case["P_max_W"], rel=1e-12)
    assert current_at_power(0.0, case["OCV"], case["R"]) == 0.0
