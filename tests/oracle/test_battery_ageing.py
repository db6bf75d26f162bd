"""Ageing against closed forms of the published laws, and the loop against the laws."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from vpp.simulation.battery import LFP, NMC, PhysicalBattery
from vpp.simulation.battery.ageing import naumann, schmalstieg, wang, xu
from vpp.simulation.battery.ageing.power_law import advanced
from vpp.simulation.battery.cycles import counted

RATING = {"capacity_kwh": 10.0, "charge_max_kw": 5.0, "discharge_max_kw": 5.0}
ROUNDED = 5.1e-7
"""The references are printed with six decimals."""
SECONDS_PER_DAY = 86_400


@pytest.fixture(scope="module")
def closed_form(shared):
    return json.loads((shared / "reference" / "battery_ageing_closed_form.json").read_text())


def test_wang(closed_form):
    for row in closed_form["wang2011"]:
        loss = wang.cycle_loss(row["Ah"], temperature_k=row["T_K"], c_rate=row["C"], pre_exponential=row["B"])
        assert 100.0 * loss == pytest.approx(row["Qloss_pct"], abs=5.1e-5)


def test_schmalstieg_with_time(closed_form):
    for row in closed_form["schmalstieg2014_cal"]:
        grown = row["days"] ** schmalstieg.CALENDAR_EXPONENT
        assert schmalstieg.loss_by_time(row["T_K"], row["V"]) * grown == pytest.approx(row["cap_loss"], abs=ROUNDED)
        assert schmalstieg.gain_by_time(row["T_K"], row["V"]) * grown == pytest.approx(row["r_inc"], abs=ROUNDED)


def test_schmalstieg_with_use(closed_form):
    for row in closed_form["schmalstieg2014_cyc"]:
        loss = schmalstieg.loss_by_throughput(row["V"], row["dod"]) * row["Ah"] ** schmalstieg.CYCLE_EXPONENT
        assert loss == pytest.approx(row["cap_loss"], abs=ROUNDED)
        gain = schmalstieg.gain_by_throughput(row["V"], row["dod"]) * row["Ah"]
        assert gain == pytest.approx(row["r_inc"], abs=ROUNDED)


def test_naumann(closed_form):
    for row in closed_form["naumann_cal"]:
        seconds = row["days"] * SECONDS_PER_DAY
        loss = naumann.loss_by_time(row["T_K"], row["soc"]) * seconds**naumann.CALENDAR_EXPONENT
        assert loss == pytest.approx(row["cap_loss"], abs=ROUNDED)
    for row in closed_form["naumann_cyc"]:
        loss = naumann.loss_by_cycles(row["C"], row["dod"]) * row["fec"] ** naumann.CYCLE_EXPONENT
        assert loss == pytest.approx(row["cap_loss"], abs=ROUNDED)


def test_xu(closed_form):
    for row in closed_form["xu2018_semiempirical"]:
        kelvin = row["Tc"] + 273.15
        assert xu.depth_stress(row["dod"]) == pytest.approx(row["S_delta"], rel=1e-12)
        by_use = xu.cycle_stress([(row["dod"], row["soc"], row["n"])], temperature_k=kelvin)
        by_time = xu.time_stress(row["days"] * SECONDS_PER_DAY, soc=row["soc"], temperature_k=kelvin)
        assert by_use == pytest.approx(row["f_cyc"], rel=1e-12)
        assert by_time == pytest.approx(row["f_cal"], rel=1e-12)
        assert xu.capacity_loss(by_use + by_time) == pytest.approx(row["L"], rel=1e-12)


def test_rainflow(shared):
    given = json.loads((shared / "reference" / "rainflow.json").read_text())
    cycles = counted(given["series"])
    assert [list(cycle) for cycle in cycles] == given["extract"]
    by_range = Counter()
    for cycle in cycles:
        by_range[cycle.depth] += cycle.weight
    assert sorted(map(list, by_range.items())) == given["cycles_range_count"]
    by_range = Counter()
    for cycle in counted(given["soc_case"]["series"]):
        by_range[round(cycle.depth, 12)] += cycle.weight
    assert sorted(map(list, by_range.items())) == given["soc_case"]["cycles"]


@pytest.mark.parametrize("steps", [1, 7, 365 * 24])
def test_a_law_may_be_cut_into_steps(steps):
    rate, amount = naumann.loss_by_time(298.15, 0.5), 365.0 * SECONDS_PER_DAY
    loss = 0.0
    for _ in range(steps):
        loss = advanced(loss, rate, amount / steps, 0.5)
    assert loss == pytest.approx(0.042516, abs=ROUNDED)


def test_conditions_that_change_carry_the_loss_over():
    # half the way at twice the rate: the virtual time of the first half is a quarter of what it took
    assert advanced(advanced(0.0, 1.0, 4.0, 0.5), 2.0, 3.0, 0.5) == pytest.approx(2.0 * (1.0 + 3.0) ** 0.5)


def test_a_resting_battery_ages_by_the_calendar(closed_form):
    row = closed_form["naumann_cal"][0]
    battery = PhysicalBattery(cell=LFP, **RATING)
    idle = np.zeros((365 * 24, 1))
    record = battery.run(battery.initial(row["soc"]), idle, duration_h=1.0, ambient_c=row["T_K"] - 273.15).record
    assert 1.0 - record.state_of_health[-1, 0] == pytest.approx(row["cap_loss"], abs=ROUNDED)
    assert (record.soc == row["soc"]).all()
    cell = PhysicalBattery(cell=NMC, **RATING)
    record = cell.run(cell.initial(0.4), np.zeros((100 * 24, 1)), duration_h=1.0, ambient_c=50.0).record
    warm = schmalstieg.loss_by_time(323.15, 3.699) * 100.0**0.75
    # it starts at 25 C and takes a while to be at 50 C
    assert 1.0 - record.state_of_health[-1, 0] == pytest.approx(warm, rel=2e-3)


def test_a_cycling_battery_ages_by_the_cycles_it_closes():
    battery = PhysicalBattery(cell=LFP, soc_min=0.1, soc_max=0.9, **RATING)
    days = 200
    wanted = np.tile(np.repeat([-2.5, 2.5], 6), days)[:, None]
    record = battery.run(battery.initial(0.1), wanted, duration_h=1.0, ambient_c=25.0).record
    warm = record.temperature_c[:, 0] + 273.15
    calendar = 0.0
    for kelvin, soc in zip(warm.tolist(), record.soc[:, 0].tolist(), strict=True):
        calendar = advanced(calendar, naumann.loss_by_time(kelvin, soc), 3600.0, 0.5)
    # the last swing is still open
    moved = record.equivalent_full_cycles[-1, 0] - 0.8
    use = [naumann.loss_by_cycles(rate, 0.8) * moved**0.5 for rate in (0.2, 0.3)]
    loss = 1.0 - record.state_of_health[-1, 0]
    assert calendar + use[0] < loss < calendar + use[1]
