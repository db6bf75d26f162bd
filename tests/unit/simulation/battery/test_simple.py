"""The simple battery: core's energy balance, standby from the store, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError
from vpp.core.storage import execute
from vpp.simulation.battery import LIMITS, PhysicalBattery, SimpleBattery
from vpp.simulation.battery.model import BatteryModel

RATING = {"capacity_kwh": 10.0, "charge_max_kw": 5.0, "discharge_max_kw": 5.0}


def test_a_million_random_steps_close_and_stay_in_the_band():
    battery = SimpleBattery(count=1000, soc_min=0.1, soc_max=0.9, standby_kw=0.02, **RATING)
    wanted = np.random.default_rng(1).uniform(-12.0, 12.0, (1000, 1000))
    start = battery.initial(0.5)
    record = battery.run(start, wanted, duration_h=0.25).record
    passed = record.power_kw.sum(axis=0) * 0.25
    open_kwh = start.energy_kwh - record.stored_kwh[-1] - passed - record.loss_kwh.sum(axis=0)
    assert np.abs(open_kwh).max() <= 1e-9 * np.abs(record.power_kw).sum() * 0.25 / 1000
    assert (record.loss_kwh >= 0.0).all()
    assert record.soc.min() >= 0.1 - 1e-15
    assert record.soc.max() <= 0.9 + 1e-15


@given(request_kw=st.floats(-20.0, 20.0), soc=st.floats(0.0, 1.0), duration_h=st.floats(1 / 3600, 1.0))
def test_without_standby_a_step_is_core_storage(request_kw, soc, duration_h):
    battery = SimpleBattery(charge_efficiency=0.95, discharge_efficiency=0.92, **RATING)
    start = battery.initial(soc)
    done = battery.step(start, request_kw, duration_h=duration_h)
    expected = execute(start.energy_kwh, request_kw, battery.limits, duration_h=duration_h)
    assert done.record.power_kw[0] == expected.power_kw[0]
    assert done.state.energy_kwh[0] == expected.energy_kwh[0]


def test_standby_empties_the_store_to_its_floor_and_no_further():
    battery = SimpleBattery(soc_min=0.1, standby_kw=0.5, **RATING)
    record = battery.run(battery.initial(0.15), np.zeros((4, 1)), duration_h=0.5).record
    np.testing.assert_allclose(record.stored_kwh[:, 0], [1.25, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(record.loss_kwh[:, 0], [0.25, 0.25, 0.0, 0.0])


def test_limits_and_cycles_are_reported():
    battery = SimpleBattery(charge_efficiency=1.0, discharge_efficiency=1.0, **RATING)
    record = battery.run(battery.initial(0.5), [[7.0], [5.0], [-2.0]], duration_h=0.8).record
    assert [LIMITS[code] for code in record.limit[:, 0]] == ["power", "charge", "none"]
    np.testing.assert_allclose(record.power_kw[:, 0], [5.0, 1.25, -2.0])
    np.testing.assert_allclose(record.equivalent_full_cycles[:, 0], [0.2, 0.25, 0.33])
    assert np.isnan(record.voltage_v).all()


def test_both_fidelities_are_one_interface():
    assets = [Battery(id="a", capacity_kwh=5.0, charge_max_kw=2.0, discharge_max_kw=3.0, charge_efficiency=0.9)]
    models: list[BatteryModel] = [SimpleBattery.of(assets), PhysicalBattery.of(assets)]
    for model in models:
        record = model.run(model.initial(0.5), np.full((4, 1), -1.0), duration_h=0.25, ambient_c=20.0).record
        assert record.power_kw[:, 0] == pytest.approx(np.full(4, -1.0), abs=1e-9)
        assert 0.65 < record.soc[-1, 0] < 0.7
    assert models[0].charge_efficiency.tolist() == [0.9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"charge_max_kw": -1.0}, r"battery.charge_max_kw.*-1.*0 or more \[kW\]"),
        ({"charge_efficiency": 0.0}, r"battery.charge_efficiency.*above 0 to 1"),
        ({"count": 2, "standby_kw": [1.0, 2.0, 3.0]}, "battery.standby_kw"),
        ({"soc_min": 0.6, "soc_max": 0.5}, "battery.soc_min"),
        ({"count": 0}, "battery.count"),
    ],
)
def test_a_parameter_outside_its_range_is_named(change, message):
    with pytest.raises(InvalidInputError, match=message):
        SimpleBattery(**{**RATING, **change})


def test_a_start_outside_the_band_is_refused():
    with pytest.raises(InvalidInputError, match="inside the band"):
        SimpleBattery(soc_min=0.2, **RATING).initial(0.1)
