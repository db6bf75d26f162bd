"""Columns and rows of wear by depth: each battery's store, cut into segments from the shallow end.

The deepest segment is what the others leave: it has no columns of its own and its price is the battery's discharge
price, so that no row says twice what another says and the price of stored energy stays one number.
Columns of each segment but the deepest: ``segment_in``, ``segment_out``, ``segment_energy``.
Rows: ``segment_balance`` of each of those; ``segment_charge``, ``segment_discharge`` and ``segment_last`` (what is left
for the deepest segment) of each battery with a curve.
"""

from __future__ import annotations

import numpy as np

from vpp.core.units import SECONDS_PER_HOUR
from vpp.optimization.battery_table import battery_table, initial_energy_kwh
from vpp.optimization.layout import Additions, Entries, Layout, Matrix
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.wear import initial_segments_kwh


def wear_sizes(additions: Additions, steps: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the lengths of the blocks of columns and of rows."""
    own = steps * sum(count - 1 for _, count in additions.wear)
    rows = {"segment_balance": own}
    rows |= {name: steps * len(additions.wear) for name in ("segment_charge", "segment_discharge", "segment_last")}
    return dict.fromkeys(("segment_in", "segment_out", "segment_energy"), own), rows


def _owners(additions: Additions) -> list[int]:
    """Return for each segment with columns which battery of the list it belongs to."""
    return [index for index, (_, count) in enumerate(additions.wear) for _ in range(count - 1)]


def put_wear(additions: Additions, entries: Entries) -> None:
    """Add the coefficients of every segment."""
    structure, hours = entries.structure, entries.structure.resolution_s / SECONDS_PER_HOUR
    table, units = battery_table(structure.batteries), [battery for battery, _ in additions.wear]
    of_segment = _owners(additions)
    battery = [units[index] for index in of_segment]
    balance, energy = entries.row("segment_balance"), entries.column("segment_energy")
    entries.put(energy, balance, 1.0)
    entries.put(energy[:, :-1], balance[:, 1:], -1.0)
    entries.put(entries.column("segment_in"), balance, -hours * table.charge_efficiency[battery, None])
    entries.put(entries.column("segment_out"), balance, hours / table.discharge_efficiency[battery, None])
    for name, part, row in (
        ("charge", "segment_in", "segment_charge"),
        ("discharge", "segment_out", "segment_discharge"),
        ("energy", "segment_energy", "segment_last"),
    ):
        entries.put(entries.column(name)[units], entries.row(row), 1.0)
        entries.put(entries.column(part), entries.row(row)[of_segment], -1.0)
    for name, owners, sign in (("low", structure.low, -1.0), ("high", structure.high, 1.0)):
        for place, one in enumerate(owners):
            if one in units:
                entries.put(entries.column(name)[place], entries.row("segment_last")[units.index(one)], sign)


def fill_wear(problem: PlanProblem, matrix: Matrix, additions: Additions) -> None:
    """Write prices, widths and the energy that each segment starts with."""
    layout, table, hours = matrix.layout, matrix.layout.table, problem.grid.duration_h
    first, at = initial_energy_kwh(problem), 0
    for name in ("segment_charge", "segment_discharge", "segment_last"):
        layout.row_block(matrix.row_lower, name)[:] = 0.0
        layout.row_block(matrix.row_upper, name)[:] = np.inf
    for index, (battery, count) in enumerate(additions.wear):
        curve = problem.wear_curves[battery]
        assert curve is not None
        price, width = np.array(curve.cost_per_kwh), table.capacity_kwh[battery] / count
        own = slice(at, at + count - 1)
        at += count - 1
        layout.block(matrix.cost, "discharge")[battery] = hours * price[-1]
        layout.block(matrix.cost, "segment_out")[own] = hours * (price[:-1] - price[-1])[:, None]
        layout.block(matrix.upper, "segment_out")[own] = table.discharge_max_kw[battery]
        layout.block(matrix.upper, "segment_in")[own] = table.charge_max_kw[battery]
        layout.block(matrix.upper, "segment_energy")[own] = width
        layout.row_block(matrix.row_upper, "segment_last")[index] = width
        held = initial_segments_kwh(float(first[battery]), float(table.capacity_kwh[battery]), count)
        for side in (matrix.row_lower, matrix.row_upper):
            layout.row_block(side, "segment_balance")[own] = 0.0
            layout.row_block(side, "segment_balance")[own, 0] = held[:-1]


def segment_worth(layout: Layout, additions: Additions, row_dual: Floats) -> Floats:
    """Return what a kWh more is worth in the best segment beyond the deepest [currency/kWh], shape (A, T)."""
    worth = np.zeros((len(layout.structure.batteries), layout.structure.steps))
    duals, units = -layout.row_block(row_dual, "segment_balance"), [battery for battery, _ in additions.wear]
    for place, index in enumerate(_owners(additions)):
        worth[units[index]] = np.maximum(worth[units[index]], duals[place])
    return worth
