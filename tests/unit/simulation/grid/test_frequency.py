"""Frequency: the swing's known answers, the fleet's exact sum, control, seeds."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.curves import ResponseCurve, frequency_curve
from vpp.core.errors import InvalidInputError, NaiveTimeError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.grid.fleet import FrequencyFleet
from vpp.simulation.grid.frequency import (
    GridEvent,
    SynchronousArea,
    imbalance_kw,
    rocof_hz_per_s,
    simulate_frequency,
)

START = parse_time("2024-01-01T00:00Z")
HOUR = TimeGrid(START, 1, 3600)
DAY = TimeGrid(START, 1, 86_400)
QUIET = {"drift_fraction": 0.0, "ripple_fraction": 0.0}
BARE = {**QUIET, "primary_fraction": 0.0, "secondary_fraction": 0.0, "damping": 0.0}


@pytest.mark.parametrize("nominal_hz", [50.0, 60.0])
def test_a_lost_gigawatt_falls_as_the_formula_says(nominal_hz: float) -> None:
    area = SynchronousArea(nominal_hz=nominal_hz, load_kw=28e6, inertia_s=5.0, **BARE)
    assert area.kinetic_energy_kw_s == 140e6
    slope = rocof_hz_per_s(-1e6, kinetic_energy_kw_s=140e6, nominal_hz=nominal_hz)
    assert slope == pytest.approx(-0.17857142857 * nominal_hz / 50.0)
    trace = simulate_frequency(HOUR.part(0, 10), area=area, seed=0, events=[GridEvent(HOUR.time(4), -1e6, 3.0)])
    # the frequency at the end of each step: it falls for three seconds and stays
    fallen = np.clip(np.arange(10) - 3, 0, 3) * slope
    assert trace.frequency_hz - nominal_hz == pytest.approx(fallen, abs=1e-9)
    assert trace.imbalance_kw.tolist() == [0.0] * 4 + [-1e6] * 3 + [0.0] * 3


def test_a_lasting_loss_ends_where_the_droop_says() -> None:
    # the reference incident of Continental Europe: 3 GW against 15 GW/Hz
    area = SynchronousArea(
        load_kw=300e6, primary_fraction=0.02, primary_full_hz=0.4, primary_dead_band_hz=0.0, damping=0.0,
        secondary_fraction=0.0, **QUIET,
    )  # fmt: skip
    assert area.stiffness_kw_per_hz == pytest.approx(15e6)
    trace = simulate_frequency(HOUR.part(0, 900), area=area, seed=0, events=[GridEvent(HOUR.time(10), -3e6)])
    assert trace.frequency_hz[-1] == pytest.approx(49.8, abs=1e-6)
    assert trace.primary_kw[-1] == pytest.approx(3e6, rel=1e-6)
    assert trace.frequency_hz.min() < 49.75  # the nadir lies below where it settles


def test_secondary_control_brings_the_frequency_back() -> None:
    area = SynchronousArea(**QUIET)
    grid = TimeGrid(START, 1, 7200)
    trace = simulate_frequency(grid, area=area, seed=0, events=[GridEvent(grid.time(60), -3e6)])
    assert trace.frequency_hz.min() < 49.9
    assert trace.frequency_hz[-1] == pytest.approx(50.0, abs=0.012)
    assert trace.secondary_kw[-1] == pytest.approx(3e6, rel=0.1)
    assert np.abs(trace.secondary_kw).max() <= area.secondary_fraction * area.load_kw


def test_the_balance_closes() -> None:
    area = SynchronousArea(load_kw=30e6)
    fleet = FrequencyFleet(name="f", curve=frequency_curve("DR"), contracted_kw=np.full(10, 1e4), time_constant_s=3.0)
    trace = simulate_frequency(HOUR, area=area, seed=2, fleets=[fleet])
    deviation = np.append(0.0, trace.frequency_hz - 50.0)
    inertia = np.diff(deviation) * 2.0 * area.kinetic_energy_kw_s / 50.0
    damping = area.damping * area.load_kw / 50.0 * deviation[1:]
    left = trace.imbalance_kw + trace.primary_kw + trace.secondary_kw + trace.fleet_kw[:, 0] - damping - inertia
    # linear along each response: what a bend inside a step leaves is small beside the imbalance
    assert np.abs(left).max() < 0.02 * np.abs(trace.imbalance_kw).max()
    assert np.median(np.abs(left)) < 1e-6


@pytest.mark.parametrize("nominal_hz", [50.0, 60.0])
def test_a_day_is_like_a_measured_day(nominal_hz: float) -> None:
    """The measured day has 15.8 mHz, is outside 17 mHz for 31% and outside 36 mHz for 1.7% of the time."""
    trace = simulate_frequency(DAY, area=SynchronousArea(nominal_hz=nominal_hz), seed=1)
    away = trace.frequency_hz - nominal_hz
    assert away.std() == pytest.approx(0.0158, rel=0.15)
    assert np.mean(np.abs(away) > 0.017) == pytest.approx(0.31, abs=0.06)
    assert np.mean(np.abs(away) > 0.036) < 0.03
    assert abs(away.mean()) < 0.001


def test_same_seed_same_bytes() -> None:
    first, again, other = (simulate_frequency(HOUR, seed=seed) for seed in (1, 1, 2))
    assert first.frequency_hz.tobytes() == again.frequency_hz.tobytes()
    assert not np.array_equal(first.frequency_hz, other.frequency_hz)
    area = SynchronousArea()
    longer = imbalance_kw(HOUR, area, seed=1)
    assert longer[:60].tobytes() == imbalance_kw(HOUR.part(0, 60), area, seed=1).tobytes()


def random_fleet(name: str, curve: str, seed: int, devices: int = 40, **change: float) -> FrequencyFleet:
    rng = np.random.default_rng(seed)
    contracted = rng.uniform(0.0, 50.0, devices)
    contracted[0] = 0.0
    headroom = rng.uniform(0.0, 60.0, (2, devices))
    headroom[:, 1] = np.inf
    headroom[0, 2] = headroom[1, 3] = 0.0
    return FrequencyFleet(
        name=name, curve=frequency_curve(curve), contracted_kw=contracted, raise_max_kw=headroom[0],
        lower_max_kw=headroom[1], **change,
    )  # fmt: skip


@pytest.mark.parametrize("curve", ["FCR_CE", "DC", "DM", "DR", "FCR_N", "FCR_D_up", "FCR_D_down"])
@given(frequency=st.floats(49.0, 51.0), seed=st.integers(0, 20))
def test_one_look_up_is_the_sum_of_all_devices(curve: str, frequency: float, seed: int) -> None:
    fleet = random_fleet("f", curve, seed)
    points = [f for f, _ in fleet.curve.points]
    for hz in (frequency, *points, 50.0):
        assert fleet.target_kw(hz) == pytest.approx(float(fleet.device_targets_kw([hz]).sum()), abs=1e-6)


@pytest.mark.parametrize("edge", [49.99, 50.01, math.nextafter(49.99, 49.0), math.nextafter(50.01, 51.0)])
def test_the_dead_band_of_fcr_ends_with_a_step(edge: float) -> None:
    fleet = random_fleet("f", "FCR_CE", 1)
    assert fleet.target_kw(edge) == pytest.approx(float(fleet.device_targets_kw([edge]).sum()), abs=1e-6)


@pytest.mark.parametrize("time_constant_s", [0.0, 2.0])
def test_the_fleet_is_the_sum_of_its_devices_over_time(time_constant_s: float) -> None:
    fleets = [random_fleet("a", "FCR_CE", 1, time_constant_s=time_constant_s), random_fleet("b", "DC", 2)]
    trace = simulate_frequency(
        HOUR.part(0, 600), area=SynchronousArea(load_kw=1e5), seed=3, fleets=fleets,
        events=[GridEvent(HOUR.time(100), -2e3)],
    )  # fmt: skip
    for column, fleet in enumerate(fleets):
        devices = fleet.device_powers_kw(trace.frequency_hz)
        assert devices.sum(axis=1) == pytest.approx(trace.fleet_kw[:, column], abs=1e-6)
        assert (devices <= np.asarray(fleet.raise_max_kw) + 1e-9).all()
        assert (devices >= -np.asarray(fleet.lower_max_kw) - 1e-9).all()


def test_a_fleet_holds_the_frequency_that_it_answers() -> None:
    area = SynchronousArea(load_kw=28e6, **QUIET)
    event = [GridEvent(HOUR.time(10), -1e6)]
    fleet = FrequencyFleet(
        name="fast", curve=frequency_curve("DC"), contracted_kw=np.full(10_000, 100.0), time_constant_s=0.5
    )
    alone = simulate_frequency(HOUR.part(0, 120), area=area, seed=0, events=event)
    helped = simulate_frequency(HOUR.part(0, 120), area=area, seed=0, events=event, fleets=[fleet])
    assert helped.frequency_hz.min() > alone.frequency_hz.min() + 0.02
    assert (helped.fleet_kw[:10] == 0.0).all()
    assert helped.fleet_kw.max() > 1e5


def test_a_large_quick_fleet_does_not_make_the_frequency_ring() -> None:
    area = SynchronousArea(load_kw=1e6, inertia_s=3.0, **QUIET)
    fleet = FrequencyFleet(name="stiff", curve=frequency_curve("FCR_N"), contracted_kw=1e6)
    trace = simulate_frequency(
        HOUR.part(0, 60), area=area, seed=0, events=[GridEvent(HOUR.time(5), -5e4)], fleets=[fleet]
    )
    assert trace.frequency_hz[:5].tolist() == [50.0] * 5
    assert trace.frequency_hz[7:] == pytest.approx(np.full(53, 50.0 - 0.1 * 0.05), abs=1e-4)


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"nominal_hz: got 55.0, expected 50 or 60"):
        SynchronousArea(nominal_hz=55.0)
    with pytest.raises(InvalidInputError, match=r"inertia_s: got 0.0, expected above 0"):
        SynchronousArea(inertia_s=0.0)
    with pytest.raises(InvalidInputError, match=r"damping: got -1.0, expected 0 or more"):
        SynchronousArea(damping=-1.0)
    with pytest.raises(InvalidInputError, match=r"primary_full_hz: got 0.01, expected above primary_dead_band_hz"):
        SynchronousArea(primary_full_hz=0.01)
    with pytest.raises(InvalidInputError, match=r"grid.resolution_s: got 60, expected 1 to 10 s"):
        simulate_frequency(TimeGrid(START, 60, 2), seed=0)
    with pytest.raises(InvalidInputError, match=r"fleets.us.curve: got 60.0, expected a curve around 50.0 Hz"):
        simulate_frequency(
            HOUR, seed=0, fleets=[FrequencyFleet(name="us", curve=frequency_curve("ERCOT_droop"), contracted_kw=1.0)]
        )
    with pytest.raises(NaiveTimeError, match=r"at: got"):
        GridEvent(datetime(2024, 1, 1), -1.0)  # noqa: DTZ001
    with pytest.raises(InvalidInputError, match=r"duration_s: got 0.0, expected above 0"):
        GridEvent(START, -1.0, 0.0)
    with pytest.raises(InvalidInputError, match=r"power_kw: got nan"):
        GridEvent(START, math.nan)
    with pytest.raises(InvalidInputError, match=r"kinetic_energy_kw_s: got 0.0"):
        rocof_hz_per_s(1.0, kinetic_energy_kw_s=0.0, nominal_hz=50.0)
    rising = ResponseCurve("rising", ((49.0, -1.0), (51.0, 1.0)), 50.0, "a fault")
    for change, field in (
        ({"contracted_kw": -1.0}, "contracted_kw"),
        ({"contracted_kw": math.inf}, "contracted_kw"),
        ({"raise_max_kw": -1.0}, "raise_max_kw"),
        ({"time_constant_s": -1.0}, "time_constant_s"),
        ({"curve": rising}, "curve"),
    ):
        with pytest.raises(InvalidInputError, match=field):
            FrequencyFleet(**{"name": "f", "curve": frequency_curve("DC"), "contracted_kw": 1.0, **change})
