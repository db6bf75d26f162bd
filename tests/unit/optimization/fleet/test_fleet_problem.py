"""What a fleet problem accepts, and how it is kept."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.storage import StorageLimits
from vpp.optimization.fleet import FleetProblem
from vpp.optimization.fleet.grouping import groups_of, sample_of


def fleet(**given):
    facts = {
        "duration_h": 1.0,
        "limits": StorageLimits(np.zeros(3), 10.0, 5.0, 5.0, 0.9, 0.9),
        "initial_energy_kwh": np.array([0.0, 5.0, 10.0]),
        "import_price_per_kwh": np.array([0.1, 0.5]),
        "export_price_per_kwh": np.array([0.1, 0.4]),
        "fixed_kw": np.zeros(2),
    }
    return FleetProblem(**(facts | given))


@pytest.mark.parametrize(
    ("facts", "field", "kind"),
    [
        ({"duration_h": 0.0}, "duration_h", InvalidInputError),
        ({"initial_energy_kwh": np.zeros(0)}, "initial_energy_kwh", SeriesMismatchError),
        ({"initial_energy_kwh": np.array([0.0, 11.0, 0.0])}, "initial_energy_kwh[1]", InvalidInputError),
        ({"initial_energy_kwh": np.array([0.0, 1.0, np.nan])}, "initial_energy_kwh[2]", InvalidInputError),
        ({"final_energy_min_kwh": 10.5}, "final_energy_min_kwh[0]", InvalidInputError),
        ({"wear_cost_per_kwh": np.array([0.0, -0.1, 0.0])}, "wear_cost_per_kwh[1]", InvalidInputError),
        ({"wear_cost_per_kwh": np.zeros(2)}, "wear_cost_per_kwh", SeriesMismatchError),
        ({"terminal_value_per_kwh": np.nan}, "terminal_value_per_kwh[0]", InvalidInputError),
        ({"limits": StorageLimits(0.0, 10.0, np.inf, 5.0, 0.9, 0.9)}, "charge_max_kw[0]", InvalidInputError),
        ({"fixed_kw": np.zeros(0)}, "fixed_kw", SeriesMismatchError),
        ({"fixed_kw": np.array([0.0, np.inf])}, "fixed_kw[1]", InvalidInputError),
        ({"import_price_per_kwh": np.zeros(3)}, "import_price_per_kwh", SeriesMismatchError),
        ({"export_price_per_kwh": np.array([0.1, 0.6])}, "export_price_per_kwh[1]", InvalidInputError),
        ({"curtailable_kw": np.array([0.0, -1.0])}, "curtailable_kw[1]", InvalidInputError),
        ({"import_max_kw": -1.0}, "import_max_kw", InvalidInputError),
        ({"export_max_kw": np.nan}, "export_max_kw", InvalidInputError),
    ],
)
def test_bad_input_is_named(facts, field, kind):
    with pytest.raises(kind) as fault:
        fleet(**facts)
    assert fault.value.field == field


def test_numbers_hold_for_every_battery_and_limits_become_finite():
    problem = fleet(fixed_kw=np.array([4.0, -20.0]), curtailable_kw=np.array([3.0, 0.0]))
    assert (problem.batteries, problem.steps) == (3, 2)
    assert problem.table.energy_max_kwh.tolist() == [10.0] * 3
    assert problem.table.final_energy_min_kwh.tolist() == [0.0] * 3
    # everything behind the meter at once, and a spare kW
    assert problem.bus.import_max_kw.tolist() == [12.0, 36.0]
    assert problem.bus.export_max_kw.tolist() == [23.0, 1.0]


@pytest.mark.parametrize(("batteries", "most"), [(1, 20), (7, 20), (100, 20), (64, 8)])
def test_groups_cover_the_fleet_evenly(batteries, most):
    rng = np.random.default_rng(0)
    table = fleet(
        limits=StorageLimits(0.0, rng.uniform(5.0, 15.0, batteries), 5.0, 5.0, 0.9, 0.9),
        initial_energy_kwh=rng.uniform(0.0, 5.0, batteries),
    ).table
    sizes = np.bincount(groups_of(table, most))
    assert sizes.sum() == batteries
    assert sizes.size == min(most, batteries)
    assert sizes.max() <= 2 * sizes.min() + 1


def test_a_sample_is_the_same_every_time_and_keeps_the_proportion():
    rng = np.random.default_rng(0)
    problem = fleet(
        limits=StorageLimits(np.zeros(50), 10.0, 5.0, 5.0, 0.9, 0.9),
        initial_energy_kwh=rng.uniform(0.0, 5.0, 50),
        fixed_kw=np.array([100.0, -50.0]),
    )
    (first, bus), (second, _) = (sample_of(problem.table, problem.bus, 10) for _ in range(2))
    assert first.initial_energy_kwh.tolist() == second.initial_energy_kwh.tolist()
    assert bus.fixed_kw.tolist() == pytest.approx([20.0, -10.0])
