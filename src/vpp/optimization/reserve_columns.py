"""Columns and rows of reserve, for each direction ``up`` and ``down`` that is sold or owed.

Columns: ``reserve_up`` of each battery; in the elastic form ``reserve_up_short``.
Rows of each battery: ``reserve_up_power`` (beside the plan within the rating), ``reserve_up_start`` and
``reserve_up_end`` (energy for the sustain time at the step's start and end). Rows of each step: ``reserve_up_total``
(owed to most), ``reserve_up_portfolio``; and ``reserve_up_meter`` of each site whose connection has a limit.

Energy for a call upward counts from the soft floor; a promise that reaches below it makes ``low`` rise by as much, so
it costs what being there would, and ``low`` ends at the hard floor. A call downward has the room above what is stored.
"""

from __future__ import annotations

import numpy as np

from vpp.optimization.battery_table import floor_kwh, initial_energy_kwh
from vpp.optimization.layout import Additions, Entries, Matrix
from vpp.optimization.penalties import violation_per_kwh
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reserve import DIRECTIONS
from vpp.optimization.shared_columns import put_exchange


def reserve_sizes(
    additions: Additions, *, batteries: int, steps: int, elastic: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the lengths of the blocks of columns and of rows."""
    columns: dict[str, int] = {}
    rows: dict[str, int] = {}
    for way in additions.reserve:
        columns |= {f"reserve_{way}": batteries * steps, f"reserve_{way}_short": steps if elastic else 0}
        rows |= {f"reserve_{way}_{name}": batteries * steps for name in ("power", "start", "end")}
        rows[f"reserve_{way}_total"] = steps
        rows[f"reserve_{way}_meter"] = len(additions.limited[DIRECTIONS.index(way)]) * steps
        rows[f"reserve_{way}_portfolio"] = steps if additions.portfolio else 0
    return columns, rows


def energy_per_kw(efficiencies: tuple[Floats, Floats], sustain_h: float, way: str) -> Floats:
    """Return the stored energy that a kW of reserve must have ready, or room for [kWh/kW], shape (A,)."""
    charge_efficiency, discharge_efficiency = efficiencies
    return sustain_h / discharge_efficiency if way == "up" else sustain_h * charge_efficiency


def put_reserve(additions: Additions, entries: Entries, efficiencies: tuple[Floats, Floats]) -> None:
    """Add the coefficients of every direction."""
    for way in additions.reserve:
        sign, column = (1.0 if way == "up" else -1.0), entries.column(f"reserve_{way}")
        power = entries.row(f"reserve_{way}_power")
        entries.put(column, power, 1.0)
        entries.put(entries.column("discharge"), power, sign)
        entries.put(entries.column("charge"), power, -sign)
        per_kw, energy = energy_per_kw(efficiencies, additions.sustain_h, way)[:, None], entries.column("energy")
        start, end = entries.row(f"reserve_{way}_start"), entries.row(f"reserve_{way}_end")
        entries.put(column, start, per_kw)
        entries.put(column, end, per_kw)
        entries.put(energy, end, -sign)
        entries.put(energy[:, :-1], start[:, 1:], -sign)
        if way == "down":
            # room is counted from what is stored, not from the floor that it may lie below
            low, here = entries.column("low"), list(entries.structure.low)
            entries.put(low, end[here], -1.0)
            entries.put(low[:, :-1], start[here, 1:], -1.0)
        total = entries.row(f"reserve_{way}_total")
        entries.put(column, total, 1.0)
        if entries.structure.elastic:
            entries.put(entries.column(f"reserve_{way}_short"), total, 1.0)
        _put_meters(additions, entries, way, sign=sign)


def _put_meters(additions: Additions, entries: Entries, way: str, *, sign: float) -> None:
    """Add what the connections can take; a limit that gives way carries no reserve."""
    column, limited = entries.column(f"reserve_{way}"), additions.limited[DIRECTIONS.index(way)]
    rows = entries.row(f"reserve_{way}_meter")
    here = list(limited)
    entries.put(entries.column("exports")[here], rows, sign)
    entries.put(entries.column("imports")[here], rows, -sign)
    for battery, site in enumerate(entries.structure.battery_site):
        if site in limited:
            entries.put(column[battery], rows[limited.index(site)], 1.0)
    if additions.portfolio:
        shared = entries.row(f"reserve_{way}_portfolio")
        put_exchange(entries, shared, sign=sign)
        entries.put(column, shared, 1.0)


def fill_reserve(problem: PlanProblem, matrix: Matrix, additions: Additions) -> None:
    """Write ratings, headroom, what is owed and what it earns."""
    assert problem.reserve is not None
    layout, table, steps = matrix.layout, matrix.layout.table, problem.grid.count
    first, floor = initial_energy_kwh(problem), floor_kwh(problem)
    for way in additions.reserve:
        for name in ("power", "start", "end", "meter", "portfolio"):
            layout.row_block(matrix.row_lower, f"reserve_{way}_{name}")[:] = -np.inf
        rating = table.discharge_max_kw if way == "up" else table.charge_max_kw
        start = layout.row_block(matrix.row_upper, f"reserve_{way}_start")
        if way == "up":
            start[:, 1:] = -floor[:, :-1]
            # a store above its band holds at least what it holds when full
            start[:, 0] = np.maximum(np.minimum(first, table.energy_max_kwh) - table.energy_min_kwh, 0.0)
            layout.row_block(matrix.row_upper, "reserve_up_end")[:] = -floor
        else:
            start[:] = table.energy_max_kwh[:, None]
            start[:, 0] = np.maximum(table.energy_max_kwh - first, 0.0)
            layout.row_block(matrix.row_upper, "reserve_down_end")[:] = table.energy_max_kwh[:, None]
        layout.row_block(matrix.row_upper, f"reserve_{way}_power")[:] = rating[:, None]
        price = problem.grid.duration_h * problem.reserve.series(way, "price_per_kwh", steps)
        layout.block(matrix.cost, f"reserve_{way}")[:] = -price
        # a battery that charges can give both its ratings; one that starts outside its band has nothing to promise
        outside = first < table.energy_min_kwh if way == "up" else first > table.energy_max_kwh
        most = np.where(outside, 0.0, table.charge_max_kw + table.discharge_max_kw)
        layout.block(matrix.upper, f"reserve_{way}")[:] = most[:, None]
        total = f"reserve_{way}_total"
        layout.row_block(matrix.row_lower, total)[:] = problem.reserve.series(way, "required_kw", steps)
        layout.row_block(matrix.row_upper, total)[:] = problem.reserve.series(way, "max_kw", steps)
        _fill_meters(problem, matrix, additions, way)


def _fill_meters(problem: PlanProblem, matrix: Matrix, additions: Additions, way: str) -> None:
    """Write connection limits, and in the elastic form the price of what is short."""
    layout, here = matrix.layout, list(additions.limited[DIRECTIONS.index(way)])
    limit = problem.export_max_kw if way == "up" else problem.import_max_kw
    layout.row_block(matrix.row_upper, f"reserve_{way}_meter")[:] = limit[here, None]
    shared = problem.portfolio_export_max_kw if way == "up" else problem.portfolio_import_max_kw
    layout.row_block(matrix.row_upper, f"reserve_{way}_portfolio")[:] = shared
    if layout.structure.elastic:
        weight = problem.grid.duration_h * float(violation_per_kwh(problem).max())
        layout.block(matrix.cost, f"reserve_{way}_short")[:] = weight
        layout.block(matrix.upper, f"reserve_{way}_short")[:] = np.inf
