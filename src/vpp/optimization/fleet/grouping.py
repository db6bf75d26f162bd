"""Which batteries are counted together, which stand for all, and the price that a first look suggests.

None of it decides the result, only how soon it is reached: groups mix apart, a sample proposes prices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.storage import StorageLimits
from vpp.optimization.fleet.problem import Bus, FleetTable, Floats
from vpp.optimization.kernel.backend import Backend
from vpp.optimization.kernel.site import SiteProblem, solve_site

SEED = 7


def groups_of(table: FleetTable, most: int) -> NDArray[np.int64]:
    """Return the group of each battery, 0 to at most ``most`` - 1: halves of halves, across what differs most."""
    capacity = np.maximum(table.energy_max_kwh - table.energy_min_kwh, 1e-9)
    features = np.stack(
        [
            np.minimum(table.charge_max_kw * table.charge_efficiency / capacity, 2.0),
            np.minimum(table.discharge_max_kw / table.discharge_efficiency / capacity, 2.0),
            (table.initial_energy_kwh - table.energy_min_kwh) / capacity,
            (table.final_energy_min_kwh - table.energy_min_kwh) / capacity,
            # what a cycle loses, relative to prices that are tenths of the currency
            10.0 * table.wear_cost_per_kwh,
            4.0 * table.charge_efficiency * table.discharge_efficiency,
        ]
    )
    group = np.zeros(capacity.size, dtype=np.int64)
    members = [np.arange(capacity.size)]
    while len(members) < min(most, capacity.size):
        largest = max(range(len(members)), key=lambda at: members[at].size)
        whole = members.pop(largest)
        across = int(features[:, whole].std(axis=1).argmax())
        order = whole[np.argsort(features[across, whole], kind="stable")]
        members += [order[: order.size // 2], order[order.size // 2 :]]
    for number, part in enumerate(members):
        group[part] = number
    return group


def sample_of(table: FleetTable, bus: Bus, count: int) -> tuple[FleetTable, Bus]:
    """Return a random part of the fleet, the same every time, and a bus in proportion."""
    which = np.sort(np.random.default_rng(SEED).choice(table.charge_max_kw.size, count, replace=False))
    part = table.take(which)
    share = float(part.energy_max_kwh.sum() / table.energy_max_kwh.sum())
    scaled = Bus(
        bus.import_price_per_kwh,
        bus.export_price_per_kwh,
        share * bus.fixed_kw,
        share * bus.curtailable_kw,
        share * bus.import_max_kw,
        share * bus.export_max_kw,
    )
    return part, scaled


def first_price(table: FleetTable, bus: Bus, *, duration_h: float, backend: Backend | None) -> Floats:
    """Return the bus prices of one battery that is the sum of all, a mean of the two prices where that has no plan."""
    low, high = float(table.energy_min_kwh.sum()), float(table.energy_max_kwh.sum())
    weight = np.maximum(table.discharge_max_kw, 1e-9)
    limits = StorageLimits(
        low,
        high,
        float(table.charge_max_kw.sum()),
        float(table.discharge_max_kw.sum()),
        float(np.average(table.charge_efficiency, weights=weight)),
        float(np.average(table.discharge_efficiency, weights=weight)),
    )
    one = SiteProblem(
        duration_h=duration_h,
        limits=limits,
        initial_energy_kwh=float(table.initial_energy_kwh.sum()),
        final_energy_min_kwh=float(table.final_energy_min_kwh.sum()),
        import_price_per_kwh=bus.import_price_per_kwh,
        export_price_per_kwh=bus.export_price_per_kwh,
        fixed_kw=bus.fixed_kw,
        curtailable_kw=bus.curtailable_kw,
        # the bus holds limits per step only because it caps them; the kernel does the same
        import_max_kw=float(bus.import_max_kw.max()),
        export_max_kw=float(bus.export_max_kw.max()),
        wear_cost_per_kwh=float(np.average(table.wear_cost_per_kwh, weights=weight)),
        terminal_value_per_kwh=float(np.average(table.terminal_value_per_kwh, weights=weight)),
    )
    plan = solve_site(one, relaxed=True, backend=backend)
    if not plan.feasible:
        return 0.5 * (bus.import_price_per_kwh + bus.export_price_per_kwh)
    return plan.price_per_kwh
