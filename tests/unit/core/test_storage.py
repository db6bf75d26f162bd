"""Storage: energy is conserved, limits cut the power that is reported, and a fleet is many single stores."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.storage import StorageLimits, energy_change_kwh, execute, power_band_kw

LIMITS = StorageLimits(1.0, 9.0, 5.0, 4.0, 0.9, 0.8)
CONSERVED = 1e-9  # of the throughput, as DESIGN.md promises


@dataclass(frozen=True)
class Step:
    """One step of the slow and obvious reference."""

    power_kw: float
    energy_kwh: float


def reference(energy_kwh: float, request_kw: float, limits: StorageLimits, duration_h: float) -> Step:
    """Walk the textbook path: ask, cut by power, cut by room or content, book."""
    if request_kw < 0.0:
        charge = min(-request_kw, limits.charge_max_kw)
        room = max(limits.energy_max_kwh - energy_kwh, 0.0)
        charge = min(charge, room / limits.charge_efficiency / duration_h)
        return Step(-charge, energy_kwh + charge * limits.charge_efficiency * duration_h)
    discharge = min(request_kw, limits.discharge_max_kw)
    content = max(energy_kwh - limits.energy_min_kwh, 0.0)
    discharge = min(discharge, content * limits.discharge_efficiency / duration_h)
    return Step(discharge, energy_kwh - discharge / limits.discharge_efficiency * duration_h)


@st.composite
def storages(draw: st.DrawFn) -> StorageLimits:
    capacity = draw(st.floats(0.1, 1e5))
    low = draw(st.floats(0.0, 1.0))
    high = draw(st.floats(low, 1.0))
    power = st.floats(0.0, 5.0).map(lambda c_rate: c_rate * capacity)
    efficiency = st.floats(0.05, 1.0)
    return StorageLimits(low * capacity, high * capacity, draw(power), draw(power), draw(efficiency), draw(efficiency))


durations_h = st.sampled_from([1 / 3600, 1 / 60, 1 / 12, 0.25, 0.5, 1.0])


# --- single steps, by hand


@pytest.mark.parametrize(
    ("energy_kwh", "request_kw", "power_kw", "after_kwh"),
    [
        (5.0, 0.0, 0.0, 5.0),
        (5.0, 2.0, 2.0, 2.5),
        (5.0, -2.0, -2.0, 6.8),
        (9.0, 100.0, 4.0, 4.0),  # cut by the discharge power
        (1.0, -100.0, -5.0, 5.5),  # cut by the charge power
        (2.0, 4.0, 0.8, 1.0),  # cut by the content
        (8.1, -4.0, -1.0, 9.0),  # cut by the room
        (1.0, 4.0, 0.0, 1.0),  # empty
        (9.0, -4.0, 0.0, 9.0),  # full
        (6.0, inf, 4.0, 1.0),
        (4.5, -inf, -5.0, 9.0),
    ],
)
def test_one_hour_by_hand(energy_kwh: float, request_kw: float, power_kw: float, after_kwh: float) -> None:
    step = execute(energy_kwh, request_kw, LIMITS, duration_h=1.0)
    assert float(step.power_kw) == pytest.approx(power_kw, abs=1e-12)
    assert float(step.energy_kwh) == pytest.approx(after_kwh, abs=1e-12)
    assert float(step.loss_kwh) == pytest.approx(energy_kwh - after_kwh - power_kw, abs=1e-12)


@pytest.mark.parametrize(
    ("power_kw", "change_kwh"), [(-2.0, 0.9), (2.0, -1.25), (0.0, 0.0), ([-2.0, 2.0], [0.9, -1.25])]
)
def test_change_of_the_stored_energy(power_kw: float, change_kwh: float) -> None:
    change = energy_change_kwh(power_kw, duration_h=0.5, charge_efficiency=0.9, discharge_efficiency=0.8)
    np.testing.assert_allclose(change, change_kwh, rtol=1e-15)


@pytest.mark.parametrize(
    ("energy_kwh", "lowest_kw", "highest_kw"),
    [(5.0, -4.0 / 0.9, 3.2), (9.0, 0.0, 4.0), (1.0, -5.0, 0.0), (0.0, -5.0, 0.0), (10.0, 0.0, 4.0)],
)
def test_the_band_of_powers(energy_kwh: float, lowest_kw: float, highest_kw: float) -> None:
    lowest, highest = power_band_kw(energy_kwh, LIMITS, duration_h=1.0)
    assert float(lowest) == pytest.approx(lowest_kw, abs=1e-12)
    assert float(highest) == pytest.approx(highest_kw, abs=1e-12)
    assert not np.signbit(lowest) or lowest < 0.0


@pytest.mark.parametrize("duration_h", [0.0, -1.0, nan])
def test_a_step_needs_a_positive_duration(duration_h: float) -> None:
    with pytest.raises(InvalidInputError, match=r"duration_h: got .*a positive duration \[h\]"):
        execute(5.0, 1.0, LIMITS, duration_h=duration_h)


@pytest.mark.parametrize(("energy_kwh", "request_kw", "field"), [(nan, 1.0, "energy_kwh"), (5.0, [nan], "request_kw")])
def test_a_hole_in_the_data_does_not_become_a_state_of_charge(energy_kwh: float, request_kw: float, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        execute(energy_kwh, request_kw, LIMITS, duration_h=1.0)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ((2.0, 1.0, 5.0, 5.0, 0.9, 0.9), "energy_max_kwh"),
        ((0.0, nan, 5.0, 5.0, 0.9, 0.9), "energy_max_kwh"),
        ((-1.0, 1.0, 5.0, 5.0, 0.9, 0.9), "energy_min_kwh"),
        ((0.0, 1.0, -5.0, 5.0, 0.9, 0.9), "charge_max_kw"),
        ((0.0, 1.0, 5.0, nan, 0.9, 0.9), "discharge_max_kw"),
        ((0.0, 1.0, 5.0, 5.0, 0.0, 0.9), "charge_efficiency"),
        ((0.0, 1.0, 5.0, 5.0, 1.001, 0.9), "charge_efficiency"),
        ((0.0, 1.0, 5.0, 5.0, 0.9, -0.1), "discharge_efficiency"),
        ((0.0, 1.0, 5.0, 5.0, 0.9, [0.9, nan]), "discharge_efficiency"),
    ],
)
def test_limits_that_no_storage_has_are_refused(numbers: tuple, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        StorageLimits(*numbers)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "numbers", [(0.0, 0.0, 0.0, 0.0, 1.0, 1.0), (3.0, 3.0, 1.0, 1.0, 1e-6, 1e-6), (0.0, 1.0, inf, inf, 1.0, 1.0)]
)
def test_limits_at_the_edge_are_taken(numbers: tuple) -> None:
    step = execute(numbers[1], 1.0, StorageLimits(*numbers), duration_h=1.0)
    assert numbers[0] <= float(step.energy_kwh) <= numbers[1]


# --- properties


@given(
    limits=storages(),
    start=st.floats(0.0, 1.0),
    requests=st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=60),
    duration_h=durations_h,
)
def test_a_walk_conserves_energy_and_stays_in_its_band(
    limits: StorageLimits, start: float, requests: list[float], duration_h: float
) -> None:
    low, high = limits.energy_min_kwh, limits.energy_max_kwh
    first = energy = np.clip(low + start * (high - low), low, high)
    scale_kw = max(limits.charge_max_kw, limits.discharge_max_kw)
    passed = lost = throughput = 0.0
    for request in requests:
        step = execute(energy, request * scale_kw, limits, duration_h=duration_h)
        assert low <= step.energy_kwh <= high
        assert abs(step.power_kw) <= abs(request * scale_kw)
        assert -limits.charge_max_kw <= step.power_kw <= limits.discharge_max_kw
        assert step.loss_kwh >= 0.0
        energy = step.energy_kwh
        passed += step.power_kw * duration_h
        lost += step.loss_kwh
        throughput += abs(step.power_kw) * duration_h
    # the second term is what the sum of stored energies can hold in floating point
    rounding = len(requests) * 4.0 * np.spacing(high)
    assert abs((first - energy) - (passed + lost)) <= CONSERVED * throughput + rounding


@given(limits=storages(), start=st.floats(0.0, 1.2), request=st.floats(-1e6, 1e6), duration_h=durations_h)
def test_a_step_is_that_of_the_slow_reference(
    limits: StorageLimits, start: float, request: float, duration_h: float
) -> None:
    energy = start * limits.energy_max_kwh
    step = execute(energy, request, limits, duration_h=duration_h)
    expected = reference(energy, request, limits, duration_h)
    tolerance = 1e-12 * max(limits.energy_max_kwh, 1.0)
    assert float(step.power_kw) == pytest.approx(expected.power_kw, rel=1e-9, abs=tolerance / duration_h)
    assert float(step.energy_kwh) == pytest.approx(expected.energy_kwh, rel=1e-9, abs=tolerance)


@given(limits=storages(), requests=st.lists(st.floats(-2.0, 2.0), min_size=2, max_size=40), duration_h=durations_h)
def test_a_round_trip_never_gains(limits: StorageLimits, requests: list[float], duration_h: float) -> None:
    start = energy = 0.5 * (limits.energy_min_kwh + limits.energy_max_kwh)
    drawn = given_back = 0.0
    scale_kw = max(limits.charge_max_kw, limits.discharge_max_kw)
    for request in requests:
        step = execute(energy, request * scale_kw, limits, duration_h=duration_h)
        energy = float(step.energy_kwh)
        drawn += max(-float(step.power_kw), 0.0) * duration_h
        given_back += max(float(step.power_kw), 0.0) * duration_h
    # what came out was put in before, or was there at the start
    assert given_back <= drawn + (start - energy) + 1e-9 * max(limits.energy_max_kwh, drawn)


@given(limits=storages(), duration_h=durations_h)
def test_filling_and_emptying_returns_the_round_trip_efficiency(limits: StorageLimits, duration_h: float) -> None:
    energy = limits.energy_min_kwh
    charged = execute(energy, -inf, limits, duration_h=duration_h)
    drained = execute(charged.energy_kwh, inf, limits, duration_h=duration_h)
    ratio = limits.charge_efficiency * limits.discharge_efficiency
    bought, sold = -float(charged.power_kw) * duration_h, float(drained.power_kw) * duration_h
    assert sold <= bought * ratio + 1e-12 * limits.energy_max_kwh


@given(
    limits=storages(), beyond=st.floats(1e-6, 0.5), above=st.booleans(), request=st.floats(-1e6, 1e6), hours=durations_h
)
def test_a_store_that_starts_out_of_band_only_returns(
    limits: StorageLimits, beyond: float, above: bool, request: float, hours: float
) -> None:
    low, high = limits.energy_min_kwh, limits.energy_max_kwh
    energy = high + beyond * max(high, 1.0) if above else low * (1.0 - beyond)
    step = execute(energy, request, limits, duration_h=hours)
    if above:
        assert step.power_kw >= 0.0
        assert low <= step.energy_kwh <= energy
    elif energy < low:
        assert step.power_kw <= 0.0
        assert energy <= step.energy_kwh <= high


def test_a_store_above_its_band_drains_to_the_lower_limit_and_not_below() -> None:
    limits = StorageLimits(0.1, 0.3, 50.0, 50.0, 0.9, 0.7)
    for energy in np.linspace(0.3, 3.0, 500):
        assert float(execute(energy, inf, limits, duration_h=1 / 3).energy_kwh) >= 0.1


# --- fleets


def test_a_fleet_is_many_single_stores() -> None:
    random = np.random.default_rng(7)
    size = 200
    low = random.uniform(0.0, 2.0, size)
    fleet = StorageLimits(
        low,
        low + random.uniform(0.0, 10.0, size),
        random.uniform(0.0, 5.0, size),
        random.uniform(0.0, 5.0, size),
        random.uniform(0.5, 1.0, size),
        random.uniform(0.5, 1.0, size),
    )
    energy = random.uniform(0.0, 12.0, size)
    request = random.uniform(-8.0, 8.0, size)
    together = execute(energy, request, fleet, duration_h=0.25)
    for i in range(size):
        one = StorageLimits(*(float(np.asarray(getattr(fleet, name))[i]) for name in StorageLimits.__slots__))
        alone = execute(float(energy[i]), float(request[i]), one, duration_h=0.25)
        for name in ("power_kw", "energy_kwh", "loss_kwh"):
            assert getattr(together, name)[i] == float(getattr(alone, name))


def test_shapes_broadcast() -> None:
    step = execute(np.full((3, 1), 5.0), np.array([-1.0, 1.0]), LIMITS, duration_h=0.25)
    assert step.power_kw.shape == step.energy_kwh.shape == step.loss_kwh.shape == (3, 2)
    assert execute(5.0, 1.0, LIMITS, duration_h=0.25).power_kw.shape == ()


def test_a_million_random_steps_conserve_energy() -> None:
    random = np.random.default_rng(2026)
    stores, steps, duration_h = 10_000, 100, 0.25
    capacity = random.uniform(5.0, 20.0, stores)
    limits = StorageLimits(0.1 * capacity, 0.9 * capacity, 0.5 * capacity, 0.5 * capacity, 0.95, 0.95)
    first = energy = 0.5 * capacity
    passed, lost, throughput = np.zeros(stores), np.zeros(stores), np.zeros(stores)
    for _ in range(steps):
        step = execute(energy, random.uniform(-1.0, 1.0, stores) * capacity, limits, duration_h=duration_h)
        energy = step.energy_kwh
        assert ((energy >= limits.energy_min_kwh) & (energy <= limits.energy_max_kwh)).all()
        passed += step.power_kw * duration_h
        lost += step.loss_kwh
        throughput += np.abs(step.power_kw) * duration_h
    assert (np.abs((first - energy) - (passed + lost)) <= CONSERVED * throughput).all()
    # the walk met its limits, or it would have proved little
    assert (energy == limits.energy_max_kwh).any()
    assert (energy == limits.energy_min_kwh).any()
