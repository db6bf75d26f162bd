"""Real traces of ../shared/reference: a 60 Hz event at 30 samples a second, and a day of frequency and voltage."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from vpp.core.assets import Battery
from vpp.core.curves import VOLT_VAR_CURVES, frequency_curve, frequency_trigger
from vpp.core.storage import execute
from vpp.dispatch.response import FleetResponse, FrequencyService, respond
from vpp.dispatch.voltage import VoltageService, support_voltage_fleet

BATTERY = Battery(id="b", capacity_kwh=100.0, charge_max_kw=100.0, discharge_max_kw=100.0)


def columns(path: Path) -> np.ndarray:
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/reference")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def event(shared: Path) -> np.ndarray:
    return columns(shared / "reference" / "pmu_event_60hz_30sps.csv.gz")


@pytest.fixture(scope="module")
def day(shared: Path) -> np.ndarray:
    return columns(shared / "reference" / "grid_info_1s_day.csv.gz")


def test_the_event_releases_the_fast_response(event: np.ndarray) -> None:
    trigger, began_s = frequency_trigger("ERCOT_FFR"), None
    released = []
    for now_s, frequency_hz in event:
        began_s = trigger.activation(frequency_hz, now_s=now_s, began_s=began_s)
        released.append(trigger.response(now_s=now_s, began_s=began_s))
    first_low = event[np.flatnonzero(event[:, 1] <= 59.85)[0], 0]
    assert event[:, 1].min() == pytest.approx(59.770, abs=1e-3)
    assert began_s == first_low
    assert began_s < event[event[:, 1].argmin(), 0] == pytest.approx(71.73, abs=0.05)
    power = np.array(released)
    assert (power[event[:, 0] < first_low] == 0.0).all()
    assert (power[event[:, 0] >= first_low + 0.26] == 1.0).all()  # 15 cycles, then held to the end of the record
    assert frequency_trigger("ERCOT_UFR").activation(float(event[:, 1].min()), now_s=0.0) is None


@pytest.mark.parametrize("name", ["ERCOT_droop", "IEEE1547_droop"])
def test_a_battery_discharges_through_the_event(event: np.ndarray, name: str) -> None:
    curve = frequency_curve(name)
    device = FrequencyService.of_battery(BATTERY, curve, contracted_kw=100.0, hold_s=1.0)
    edge_hz = 0.017 if name == "ERCOT_droop" else 0.036
    energy_kwh, previous_kw = 50.0, 0.0
    for frequency_hz in event[:, 1]:
        previous_kw = respond(frequency_hz, device, soc=energy_kwh / 100.0)
        if frequency_hz < 60.0 - edge_hz - 1e-9:
            assert previous_kw > 0.0
        step = execute(energy_kwh, previous_kw, BATTERY.limits, duration_h=1.0 / 30.0 / 3600.0)
        assert float(step.power_kw) == pytest.approx(previous_kw, abs=1e-9)
        energy_kwh = float(step.energy_kwh)
    assert energy_kwh < 50.0


def test_a_fleet_follows_a_day_of_frequency(day: np.ndarray) -> None:
    frequency_hz = 60.0 * day[:, 0]
    curve = frequency_curve("ERCOT_droop")
    fleet = FleetResponse.of(
        curve, np.full(10, 50.0), BATTERY.limits, energy_kwh=np.linspace(10.0, 90.0, 10), hold_s=1.0
    )
    out = np.empty(10)
    active = 0
    for value in frequency_hz[::60]:
        fleet.respond(float(value), out=out)
        assert (out * (60.0 - value) >= 0.0).all()
        assert out[0] <= 0.0 <= out[-1]  # empty at one end, full at the other
        active += bool(np.any(out != 0.0))
    # outside 17 mHz for 31% of the day
    assert np.mean(np.abs(frequency_hz - 60.0) > 0.017) == pytest.approx(0.31, abs=0.01)
    assert active / frequency_hz[::60].size == pytest.approx(0.31, abs=0.03)


def test_inverters_support_a_day_of_voltage(day: np.ndarray) -> None:
    inverter = VoltageService(rated_kva=100.0, rated_kw=100.0, volt_var=VOLT_VAR_CURVES["B"])
    voltage = day[:, 3]
    power, reactive = support_voltage_fleet(voltage, inverter, power_kw=np.full(voltage.size, 95.0))
    assert (np.hypot(power, reactive) <= 100.0 + 1e-9).all()
    assert (reactive * (1.0 - voltage) >= 0.0).all()
