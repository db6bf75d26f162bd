"""From mixes to what batteries do: the bus settled at least cost, and discharging held back at a limit."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.storage import StorageLimits
from vpp.optimization.fleet import FleetProblem
from vpp.optimization.fleet.oracle import Oracle
from vpp.optimization.fleet.problem import Bus
from vpp.optimization.fleet.replay import Recipe, settle_bus


def bus(**given):
    facts = {
        "import_price_per_kwh": 0.3,
        "export_price_per_kwh": 0.1,
        "fixed_kw": 0.0,
        "curtailable_kw": 0.0,
        "import_max_kw": 5.0,
        "export_max_kw": 4.0,
    } | given
    return Bus(**{name: np.array([float(value)]) for name, value in facts.items()})


@pytest.mark.parametrize(
    ("facts", "power", "imports", "exports", "used", "excess"),
    [
        ({}, 3.0, 0.0, 3.0, 0.0, 0.0),
        ({}, -3.0, 3.0, 0.0, 0.0, 0.0),
        ({"curtailable_kw": 2.0}, 3.0, 0.0, 4.0, 1.0, 0.0),
        ({"curtailable_kw": 2.0}, -3.0, 1.0, 0.0, 2.0, 0.0),
        ({"curtailable_kw": 2.0, "export_price_per_kwh": -0.1}, -1.0, 0.0, 0.0, 1.0, 0.0),
        ({"curtailable_kw": 2.0, "export_price_per_kwh": -0.1}, 1.0, 0.0, 1.0, 0.0, 0.0),
        (
            {"curtailable_kw": 2.0, "export_price_per_kwh": -0.2, "import_price_per_kwh": -0.1},
            -1.0,
            1.0,
            0.0,
            0.0,
            0.0,
        ),
        ({}, 6.0, 0.0, 6.0, 0.0, 2.0),
        ({"curtailable_kw": 1.0}, -8.0, 7.0, 0.0, 1.0, 2.0),
    ],
)
def test_the_bus_is_settled_at_least_cost(facts, power, imports, exports, used, excess):
    shared = bus(**facts)
    flows = settle_bus(shared, np.array([power]), duration_h=0.5)
    assert flows.import_kw[0] == pytest.approx(imports)
    assert flows.export_kw[0] == pytest.approx(exports)
    assert flows.used_kw[0] == pytest.approx(used)
    assert flows.excess_kw[0] == pytest.approx(excess)
    paid = imports * shared.import_price_per_kwh[0] - exports * shared.export_price_per_kwh[0]
    assert flows.cost == pytest.approx(0.5 * paid)


def test_what_the_connection_does_not_take_is_held_back_and_given_later():
    prices = np.array([0.5, 0.4, 0.3])
    problem = FleetProblem(
        duration_h=1.0,
        limits=StorageLimits(np.zeros(2), 10.0, 5.0, 5.0, 0.9, 0.9),
        initial_energy_kwh=np.array([5.0, 5.0]),
        import_price_per_kwh=prices,
        export_price_per_kwh=prices,
        fixed_kw=np.zeros(3),
        export_max_kw=4.0,
    )
    oracle = Oracle(problem.table, problem.bus, duration_h=1.0, group=np.zeros(2, dtype=np.int64), backend="python")
    # at its own price each battery gives all it has in the first step, 9 kW in sum
    recipe = Recipe(oracle, problem.table, prices[None, :], np.ones((1, 1)))
    assert recipe.totals()[0].tolist() == pytest.approx([9.0, 0.0, 0.0])
    kept = recipe.within_limits()
    assert kept.totals()[0].tolist() == pytest.approx([4.0, 4.0, 1.0])
    power, energy = kept.replay(0, 2)
    assert energy[:, -1].tolist() == pytest.approx([0.0, 0.0])
    assert power[0].tolist() == pytest.approx([2.0, 2.0, 0.5])
