"""Arbitrage by the plain form of the kernel: what it accepts, what it returns, and that a storage can do it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core import storage
from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.storage import StorageLimits
from vpp.optimization.kernel import arbitrage

LIMITS = StorageLimits(1.0, 9.0, 4.0, 3.0, 0.95, 0.9)


def best(price, **given_facts):
    facts = {"duration_h": 1.0, "limits": LIMITS, "initial_energy_kwh": 4.0, "backend": "python"} | given_facts
    return arbitrage(price, **facts)


def paid(price, found, *, wear=0.0, worth=0.0, hours=1.0):
    discharged = np.maximum(found.power_kw, 0.0).sum()
    return hours * (wear * discharged - np.dot(price, found.power_kw)) - worth * found.energy_kwh[-1]


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"duration_h": 0.0}, "duration_h"),
        ({"duration_h": np.nan}, "duration_h"),
        ({"initial_energy_kwh": 9.5}, "initial_energy_kwh"),
        ({"initial_energy_kwh": np.nan}, "initial_energy_kwh"),
        ({"final_energy_min_kwh": 9.5}, "final_energy_min_kwh"),
        ({"wear_cost_per_kwh": -0.1}, "wear_cost_per_kwh"),
        ({"terminal_value_per_kwh": np.inf}, "terminal_value_per_kwh"),
        ({"limits": StorageLimits(0.0, np.inf, 1.0, 1.0, 1.0, 1.0)}, "energy_max_kwh"),
        ({"limits": StorageLimits(0.0, 9.0, np.inf, 1.0, 1.0, 1.0)}, "charge_max_kw"),
        ({"limits": StorageLimits(0.0, [9.0, 8.0], 1.0, 1.0, 1.0, 1.0)}, "energy_max_kwh"),
        ({"backend": "fortran"}, "backend"),
    ],
)
def test_bad_input_is_named(facts, field):
    with pytest.raises(InvalidInputError) as fault:
        best([0.1, 0.2], **facts)
    assert fault.value.field == field


@pytest.mark.parametrize(
    ("price", "field", "kind"),
    [
        ([0.1, np.nan], "price_per_kwh[1]", InvalidInputError),
        ([], "price_per_kwh", InvalidInputError),
        ([[0.1]], "price_per_kwh", SeriesMismatchError),
    ],
)
def test_bad_prices_are_named(price, field, kind):
    with pytest.raises(kind) as fault:
        best(price)
    assert fault.value.field == field


def test_an_end_out_of_reach_is_infeasible():
    found = best([0.1], final_energy_min_kwh=9.0)
    assert not found.feasible
    assert found.proven
    assert np.isnan(found.cost)
    assert np.isnan(found.power_kw).all()


@pytest.mark.parametrize(
    ("limits", "start", "power"),
    [
        (StorageLimits(0.0, 10.0, 0.0, 0.0, 0.9, 0.9), 5.0, [0.0, 0.0]),
        (StorageLimits(0.0, 10.0, 4.0, 0.0, 0.9, 0.9), 5.0, [0.0, 0.0]),
        (StorageLimits(0.0, 10.0, 0.0, 4.0, 1.0, 1.0), 5.0, [1.0, 4.0]),
        (StorageLimits(0.0, 10.0, 4.0, 4.0, 1.0, 1.0), 10.0, [4.0, 4.0]),
        (StorageLimits(0.0, 10.0, 4.0, 4.0, 1.0, 1.0), 0.0, [-4.0, 4.0]),
        (StorageLimits(5.0, 5.0, 4.0, 4.0, 1.0, 1.0), 5.0, [0.0, 0.0]),
    ],
)
def test_edges(limits, start, power):
    found = best([0.1, 0.3], limits=limits, initial_energy_kwh=start)
    assert found.power_kw.tolist() == pytest.approx(power)


def test_wear_is_paid_on_discharge_alone():
    lossless = StorageLimits(0.0, 10.0, 4.0, 4.0, 1.0, 1.0)
    price = [0.1, 0.3]
    found = best(price, limits=lossless, initial_energy_kwh=0.0, wear_cost_per_kwh=0.15)
    assert found.cost == pytest.approx(4.0 * (0.1 - 0.3 + 0.15))
    assert best(price, limits=lossless, initial_energy_kwh=0.0, wear_cost_per_kwh=0.25).cost == 0.0


@given(
    st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=12),
    st.floats(1.0, 9.0),
    st.sampled_from([0.0, 0.02, 0.3]),
    st.sampled_from([-0.1, 0.0, 0.2]),
)
def test_a_storage_can_do_the_plan_and_it_costs_what_it_claims(price, start, wear, worth):
    found = best(price, initial_energy_kwh=start, duration_h=0.5, wear_cost_per_kwh=wear, terminal_value_per_kwh=worth)
    assert found.exclusive
    energy = start
    for power, after in zip(found.power_kw, found.energy_kwh, strict=True):
        step = storage.execute(energy, power, LIMITS, duration_h=0.5)
        assert float(step.power_kw) == pytest.approx(power, abs=1e-9)
        energy = float(step.energy_kwh)
        assert energy == pytest.approx(after, abs=1e-9)
    assert found.cost == pytest.approx(paid(price, found, wear=wear, worth=worth, hours=0.5), abs=1e-9)
    assert found.cost >= found.bound - 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_value_is_the_slope_of_the_value_function(seed):
    rng = np.random.default_rng(seed)
    price, nudge = np.round(rng.uniform(0.0, 0.5, 10), 2), 1e-4
    found = best(price, values=True, terminal_value_per_kwh=0.1)
    assert found.value_per_kwh is not None
    for step in range(9):
        energy = found.energy_kwh[step]

        def later(change, energy=energy, step=step):
            return best(price[step + 1 :], initial_energy_kwh=energy + change, terminal_value_per_kwh=0.1).cost

        worth = found.value_per_kwh[step]
        # a limit that binds adds its own price to the worth of a kWh arriving, in its own direction
        if energy <= 9.0 - nudge:
            assert worth >= (later(0.0) - later(nudge)) / nudge - 1e-7
        if energy >= 1.0 + nudge:
            assert worth <= (later(-nudge) - later(0.0)) / nudge + 1e-7


@pytest.mark.parametrize("seed", range(8))
def test_one_direction_at_a_time_is_the_best_of_all_choices(seed):
    rng = np.random.default_rng(seed)
    price = rng.uniform(-5.0, 3.0, 4)
    limits = StorageLimits(0.0, 3.0, 2.0, 2.0, 0.8, 0.9)
    found = best(price, limits=limits, initial_energy_kwh=1.5)
    assert found.proven
    # exhaustive: with its direction closed, a step is a storage that lacks the other power, as a linear program
    from scipy.optimize import linprog

    costs = []
    for ways in itertools.product([0, 1], repeat=4):
        bounds = [(0.0, 2.0 * (1 - way)) for way in ways] + [(0.0, 2.0 * way) for way in ways] + [(0.0, 3.0)] * 4
        rows = np.zeros((4, 12))
        for t in range(4):
            rows[t, [t, 4 + t, 8 + t]] = -0.8, 1.0 / 0.9, 1.0
            if t:
                rows[t, 7 + t] = -1.0
        right = [1.5, 0.0, 0.0, 0.0]
        costs.append(linprog([*price, *-price, 0, 0, 0, 0], A_eq=rows, b_eq=right, bounds=bounds).fun)
    assert found.cost == pytest.approx(min(costs), abs=1e-7)
    assert found.bound <= found.cost + 1e-9
