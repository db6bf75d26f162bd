"""The physical battery: energy closes at every limit, limits bind in order, compiled and plain code agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.battery import CELLS, LFP, LIMITS, NMC, PhysicalBattery, SafetyLimits
from vpp.simulation.battery.backend import runner

RATING = {"capacity_kwh": 10.0, "charge_max_kw": 6.0, "discharge_max_kw": 8.0}
CLOSURE = 1e-9


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile outside the tests: seconds the first time on a machine, then kept on disk."""
    battery = PhysicalBattery(**RATING)
    battery.step(battery.initial(), 0.0, duration_h=1.0)


def imbalance(battery, start, record, duration_h):
    """Return what does not close, in total and in the worst step [kWh], and the throughput [kWh]."""
    before = np.vstack([battery.stored_kwh(start), record.stored_kwh[:-1]])
    open_kwh = before - record.stored_kwh - record.power_kw * duration_h - record.loss_kwh
    return np.abs(open_kwh.sum(axis=0)).max(), np.abs(open_kwh).max(), np.abs(record.power_kw).sum() * duration_h


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("duration_h", [1 / 3600, 0.25, 1.0])
def test_energy_closes_at_every_limit(cell, duration_h):
    battery = PhysicalBattery(count=50, cell=cell, soc_min=0.0, soc_max=1.0, **RATING)
    rng = np.random.default_rng(1)
    wanted = rng.uniform(-1.0, 1.0, (1000, 50)) * np.geomspace(0.1, 500.0, 50)
    start = battery.initial(rng.uniform(0.0, 1.0, 50))
    record = battery.run(start, wanted, duration_h=duration_h, ambient_c=rng.uniform(-30.0, 70.0, (1000, 50))).record
    total, worst, throughput = imbalance(battery, start, record, duration_h)
    assert total <= CLOSURE * throughput
    assert worst <= 1e-12 * 10.0
    assert (record.loss_kwh >= 0.0).all()
    assert (np.abs(record.power_kw) <= np.abs(wanted) + CLOSURE).all()
    assert (record.power_kw * wanted >= 0.0).all()
    assert record.soc.min() >= 0.0
    assert record.soc.max() <= 1.0


@pytest.mark.parametrize("cell", [LFP, pytest.param(NMC, marks=pytest.mark.slow)], ids=["lfp", "nmc"])
def test_a_million_random_steps_close(cell):
    battery = PhysicalBattery(count=1000, cell=cell, **RATING)
    start = battery.initial(0.5)
    wanted = np.random.default_rng(2).uniform(-12.0, 12.0, (1000, 1000))
    record = battery.run(start, wanted, duration_h=0.25).record
    total, _, throughput = imbalance(battery, start, record, 0.25)
    assert total <= CLOSURE * throughput / battery.count
    assert record.soc.min() >= 0.05
    assert record.soc.max() <= 0.95
    assert set(np.unique(record.limit)) >= {LIMITS.index("none"), LIMITS.index("charge"), LIMITS.index("power")}


@pytest.mark.slow
def test_one_battery_closes_over_a_million_steps():
    battery = PhysicalBattery(**RATING)
    start = battery.initial(0.5)
    wanted = np.random.default_rng(3).uniform(-9.0, 9.0, (1_000_000, 1))
    record = battery.run(start, wanted, duration_h=1 / 60).record
    total, _, throughput = imbalance(battery, start, record, 1 / 60)
    assert total <= CLOSURE * throughput


def test_plain_and_compiled_code_agree():
    pytest.importorskip("numba")
    rng = np.random.default_rng(4)
    wanted, warm = rng.uniform(-9.0, 9.0, (150, 4)), rng.uniform(-10.0, 55.0, (150, 4))
    for cell in CELLS.values():
        records = []
        for backend in ("numba", "python"):
            battery = PhysicalBattery(count=4, cell=cell, backend=backend, **RATING)
            done = battery.run(battery.initial(0.5), wanted, duration_h=0.5, ambient_c=warm)
            records.append(done.record)
        for name in records[0].__slots__:
            np.testing.assert_allclose(getattr(records[0], name), getattr(records[1], name), rtol=1e-9, atol=1e-12)


def test_a_run_may_be_cut_anywhere_and_leaves_its_start_alone():
    battery = PhysicalBattery(count=3, **RATING)
    wanted = np.random.default_rng(5).uniform(-9.0, 9.0, (60, 3))
    start = battery.initial(0.5)
    whole = battery.run(start, wanted, duration_h=0.25)
    assert (start.columns == battery.initial(0.5).columns).all()
    first = battery.run(start, wanted[:23], duration_h=0.25)
    second = battery.run(first.state, wanted[23:], duration_h=0.25)
    assert second.state.columns.tobytes() == whole.state.columns.tobytes()
    assert second.record.power_kw.tobytes() == whole.record.power_kw[23:].tobytes()
    one = battery.step(start, wanted[0], duration_h=0.25)
    assert one.record.power_kw.tobytes() == whole.record.power_kw[0].tobytes()
    assert one.record.soc.shape == (3,)


@given(
    request_kw=st.floats(-5.0, 5.0),
    soc=st.floats(0.3, 0.7),
    duration_h=st.sampled_from([1 / 3600, 1 / 60, 0.25, 1.0]),
    cell=st.sampled_from(sorted(CELLS)),
)
def test_a_request_that_no_limit_binds_is_met(request_kw, soc, duration_h, cell):
    battery = PhysicalBattery(cell=CELLS[cell], capacity_kwh=20.0, charge_max_kw=5.0, discharge_max_kw=5.0)
    record = battery.step(battery.initial(soc), request_kw, duration_h=duration_h).record
    assert LIMITS[record.limit[0]] == "none"
    assert record.power_kw[0] == pytest.approx(request_kw, abs=1e-9)


@given(power_kw=st.floats(0.5, 6.0), cell=st.sampled_from(sorted(CELLS)))
def test_a_round_trip_gives_back_less_than_it_took(power_kw, cell):
    battery = PhysicalBattery(cell=CELLS[cell], converter_efficiency=1.0, **RATING)
    there = battery.step(battery.initial(0.3), -power_kw, duration_h=0.5)
    back = battery.run(there.state, np.full((300, 1), power_kw), duration_h=1 / 60)
    until = int(np.argmax(back.record.soc[:, 0] <= 0.3))
    assert until > 0
    taken, given_back = -there.record.power_kw[0] * 0.5, back.record.power_kw[: until + 1].sum() / 60
    # the last minute may go a little below where it began
    over = (0.3 - back.record.soc[until, 0]) * 10.0
    assert 0.7 * taken < given_back < taken + over


def limits_of(battery, start, wanted, **conditions):
    record = battery.step(start, wanted, **conditions).record
    return LIMITS[record.limit[0]], record


def test_every_limit_is_named():
    battery = PhysicalBattery(**RATING)
    assert limits_of(battery, battery.initial(0.5), -20.0, duration_h=0.1)[0] == "power"
    weak = PhysicalBattery(capacity_kwh=1.0, charge_max_kw=20.0, discharge_max_kw=20.0)
    name, record = limits_of(weak, weak.initial(0.5), 10.0, duration_h=0.01)
    assert name == "current"
    assert 0.0 < record.power_kw[0] < 2.5
    name, record = limits_of(battery, battery.initial(0.06), 5.0, duration_h=1.0)
    assert name == "charge"
    assert record.soc[0] == 0.05
    # above half of the ramp from 45 to 60 C
    hot = weak.initial(0.5, temperature_c=54.0)
    name, derated = limits_of(weak, hot, 10.0, duration_h=0.001)
    assert name == "temperature"
    assert derated.power_kw[0] < 0.45 * record.power_kw[0] or derated.power_kw[0] < 1.2
    full = PhysicalBattery(soc_max=1.0, **RATING)
    name, record = limits_of(full, full.initial(0.985), -6.0, duration_h=0.05)
    assert name == "voltage"
    assert record.voltage_v[0] == pytest.approx(16 * LFP.voltage_max_v, abs=1e-6)


def test_voltage_stays_in_its_limits_while_power_flows():
    battery = PhysicalBattery(count=200, soc_min=0.0, soc_max=1.0, series_cells=1, **RATING)
    rng = np.random.default_rng(6)
    record = battery.run(battery.initial(0.5), rng.uniform(-9.0, 9.0, (300, 200)), duration_h=1 / 12).record
    flows = np.abs(record.power_kw) > 1e-9
    assert record.voltage_v[flows].min() >= LFP.voltage_min_v - 1e-9
    assert record.voltage_v[flows].max() <= LFP.voltage_max_v + 1e-9


def test_a_trip_holds_until_it_is_cool_again():
    battery = PhysicalBattery(**RATING)
    hot = battery.initial(0.5, temperature_c=61.0)
    record = battery.run(hot, np.full((60, 1), 3.0), duration_h=1 / 60, ambient_c=25.0).record
    tripped = record.limit[:, 0] == LIMITS.index("trip")
    assert tripped[0]
    assert (record.power_kw[tripped] == 0.0).all()
    back = int(np.argmin(tripped))
    assert 0 < back < 60
    assert record.temperature_c[back - 1, 0] <= 45.0
    assert record.power_kw[back, 0] == pytest.approx(3.0, abs=1e-9)


def test_losses_warm_the_cells_and_an_idle_battery_takes_the_temperature_around_it():
    battery = PhysicalBattery(**RATING)
    busy = battery.step(battery.initial(0.9), 8.0, duration_h=0.5).record
    assert busy.temperature_c[0] > 26.0
    idle = battery.run(battery.initial(0.5), np.zeros((48, 1)), duration_h=1.0, ambient_c=5.0).record
    assert idle.temperature_c[-1, 0] == pytest.approx(5.0, abs=1e-6)
    assert (idle.power_kw == 0.0).all()


def test_entropic_heat_cools_in_one_direction_and_costs_no_electricity():
    plain = replace(LFP, law="none")
    reversible = replace(plain, entropy_v_per_k=((0.0, 2e-4), (1.0, 2e-4)))
    ends = []
    for cell in (plain, reversible):
        battery = PhysicalBattery(cell=cell, **RATING)
        ends.append([battery.step(battery.initial(0.5), power, duration_h=0.25).record for power in (-4.0, 4.0)])
    (charge, discharge), (charge_too, discharge_too) = ends
    assert charge_too.temperature_c[0] > charge.temperature_c[0]
    assert discharge_too.temperature_c[0] < discharge.temperature_c[0]
    assert charge_too.loss_kwh[0] == pytest.approx(charge.loss_kwh[0], abs=1e-15)
    assert discharge_too.loss_kwh[0] == pytest.approx(discharge.loss_kwh[0], abs=1e-15)


def test_short_and_long_steps_tell_the_same_story():
    battery = PhysicalBattery(**RATING)
    ends = {}
    for steps, duration_h in ((3600, 1 / 3600), (60, 1 / 60), (4, 0.25), (1, 1.0)):
        record = battery.run(battery.initial(0.8), np.full((steps, 1), 4.0), duration_h=duration_h).record
        ends[steps] = (
            record.soc[-1, 0],
            record.temperature_c[-1, 0],
            record.voltage_v[-1, 0] / 16,
            record.loss_kwh.sum(),
        )
    for steps in (60, 4, 1):
        assert ends[steps] == pytest.approx(ends[3600], rel=1e-2)


def test_age_costs_capacity_and_adds_resistance_and_never_heals():
    days = 400
    wanted = np.tile(np.repeat([-4.0, 0.0, 4.0, 0.0], 2), days)[:, None]
    for cell in (LFP, NMC):
        battery = PhysicalBattery(cell=cell, **RATING)
        record = battery.run(battery.initial(0.5), wanted, duration_h=1.0, ambient_c=30.0).record
        assert (np.diff(record.state_of_health[:, 0]) <= 0.0).all()
        assert (np.diff(record.resistance_growth[:, 0]) >= 0.0).all()
        assert 0.5 < record.state_of_health[-1, 0] < 0.97
        assert record.resistance_growth[-1, 0] > 1.005
        assert record.equivalent_full_cycles[-1, 0] == pytest.approx(0.75 * days, rel=0.15)
        assert record.fade_kwh.sum() > 0.0


def test_cells_come_from_a_plant():
    assets = [
        Battery(id="a", capacity_kwh=5.0, charge_max_kw=2.0, discharge_max_kw=3.0),
        Battery(id="b", capacity_kwh=8.0, charge_max_kw=4.0, discharge_max_kw=4.0, soc_min=0.2, soc_max=0.8),
    ]
    battery = PhysicalBattery.of(assets, cell=NMC)
    assert battery.count == 2
    assert battery.soc_max.tolist() == [0.9, 0.8]
    assert battery.stored_kwh(battery.initial(0.5)).shape == (2,)
    everything = PhysicalBattery(soc_max=1.0, **RATING)
    assert everything.stored_kwh(everything.initial(1.0))[0] == pytest.approx(10.0, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacity_kwh": 0.0}, "battery.capacity_kwh"),
        ({"capacity_kwh": float("nan")}, "battery.capacity_kwh"),
        ({"converter_efficiency": 1.01}, "battery.converter_efficiency"),
        ({"soc_min": 0.9, "soc_max": 0.1}, "battery.soc_min"),
        ({"count": 0}, "battery.count"),
        ({"series_cells": 0.0}, "battery.series_cells"),
    ],
)
def test_a_parameter_outside_its_range_is_named(change, message):
    with pytest.raises(InvalidInputError, match=message):
        PhysicalBattery(**{**RATING, **change})


def test_what_is_asked_is_checked():
    battery = PhysicalBattery(count=2, **RATING)
    with pytest.raises(InvalidInputError, match="request_kw"):
        battery.step(battery.initial(), [1.0, float("nan")], duration_h=1.0)
    with pytest.raises(SeriesMismatchError, match="request_kw"):
        battery.step(battery.initial(), [1.0, 2.0, 3.0], duration_h=1.0)
    with pytest.raises(InvalidInputError, match="duration_h"):
        battery.step(battery.initial(), 1.0, duration_h=1.5)
    with pytest.raises(InvalidInputError, match=r"battery\.soc"):
        battery.initial(0.99)
    with pytest.raises(InvalidInputError, match=r"battery\.safety"):
        SafetyLimits(hot_derate_c=70.0)
    with pytest.raises(InvalidInputError, match="backend"):
        runner("fortran")
