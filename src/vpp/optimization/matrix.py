"""From a problem to the columns and rows of a linear program, as sparse arrays.

Columns, each a block of (owners, steps): per battery ``charge``, ``discharge``, ``energy`` (end of step), ``low`` and
``high`` (soft departures from the band); per site ``imports``, ``exports``, ``curtail``, ``short`` and ``over`` (misses
of what was sold) and, in the elastic form, ``import_excess`` and ``export_excess``.
Rows: ``balance`` of each battery, ``bus`` of each site, ``sold`` for each site that has sold ahead.
What a problem has besides follows in blocks of their own: ``flexible_columns``, ``shared_columns``,
``reserve_columns``, ``wear_columns``.

The stored energy is ``energy - low + high``: soft floors cost columns, no rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vpp.core.units import SECONDS_PER_HOUR
from vpp.optimization.battery_table import BatteryTable, battery_table, floor_kwh, initial_energy_kwh
from vpp.optimization.flexible_columns import fill_flexible, flexible_power_max_kw, flexible_sizes, put_flexible
from vpp.optimization.layout import Additions, Entries, Integers, Layout, Matrix, Structure
from vpp.optimization.penalties import penalty_per_kwh, violation_per_kwh
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reserve import DIRECTIONS
from vpp.optimization.reserve_columns import fill_reserve, put_reserve, reserve_sizes
from vpp.optimization.shared_columns import fill_shared, put_shared, shared_sizes
from vpp.optimization.wear_columns import fill_wear, put_wear, wear_sizes

__all__ = [
    "BatteryTable",
    "Integers",
    "Layout",
    "Matrix",
    "Structure",
    "battery_table",
    "build",
    "floor_kwh",
    "initial_energy_kwh",
    "layout_of",
    "penalty_per_kwh",
    "structure_of",
]

# a meter never needs more than everything behind it at once; one spare kW keeps that bound from ever binding
SPARE_KW = 1.0


def structure_of(problem: PlanProblem, *, elastic: bool = False) -> Structure:
    """Return the structure of a problem; ``elastic`` lets limits and duties give way at a price."""
    table = battery_table(problem.batteries)
    energy = initial_energy_kwh(problem)
    low = (table.floor_kwh > table.energy_min_kwh) | (energy < table.energy_min_kwh)
    if problem.final_soc_min is not None:
        low |= problem.final_soc_min * table.capacity_kwh > table.floor_kwh
    return Structure(
        problem.grid.count,
        problem.grid.resolution_s,
        problem.batteries,
        problem.battery_site,
        len(problem.site_ids),
        tuple(np.flatnonzero(low).tolist()),
        tuple(np.flatnonzero(energy > table.energy_max_kwh).tolist()),
        tuple(np.flatnonzero(problem.curtailable_kw.any(axis=0)).tolist()),
        tuple(np.flatnonzero(np.isfinite(problem.committed_kw).any(axis=0)).tolist()),
        elastic,
        _additions_of(problem),
    )


def _additions_of(problem: PlanProblem) -> Additions | None:
    """Return what the problem has besides batteries and meters; None when nothing."""
    portfolio = min(problem.portfolio_import_max_kw, problem.portfolio_export_max_kw) < np.inf
    charge, reserve = problem.demand_charge_per_kw, problem.reserve
    if not (problem.flexible or portfolio or charge is not None or reserve is not None or problem.wear_curves):
        return None
    curves = enumerate(problem.wear_curves)
    return Additions(
        goals=tuple((one.site, one.charge_efficiency) for one in problem.goals),
        houses=tuple((one.site, one.heat_pump) for one in problem.heated_houses),
        runs=tuple((one.site, one.profile_kw) for one in problem.deferrable_runs),
        portfolio=portfolio,
        peaks=() if charge is None else tuple(np.flatnonzero(charge).tolist()),
        reserve=() if reserve is None else tuple(way for way in DIRECTIONS if reserve.offers(way)),
        sustain_h=0.0 if reserve is None else reserve.sustain_h,
        limited=(
            tuple(np.flatnonzero(np.isfinite(problem.export_max_kw)).tolist()),
            tuple(np.flatnonzero(np.isfinite(problem.import_max_kw)).tolist()),
        ),
        wear=tuple((index, len(curve.cost_per_kwh)) for index, curve in curves if curve is not None),
    )


def _slices(lengths: dict[str, int]) -> tuple[dict[str, slice], int]:
    """Return one slice per block, in order, and the total length."""
    slices, at = {}, 0
    for name, length in lengths.items():
        slices[name] = slice(at, at + length)
        at += length
    return slices, at


@lru_cache(maxsize=32)
def layout_of(structure: Structure) -> Layout:
    """Return the layout and the matrix of a structure."""
    batteries, sites, steps = len(structure.batteries), structure.sites, structure.steps
    owners = {"charge": batteries, "discharge": batteries, "energy": batteries}
    owners |= {"low": len(structure.low), "high": len(structure.high), "imports": sites, "exports": sites}
    owners |= {"curtail": len(structure.curtail), "short": len(structure.sold), "over": len(structure.sold)}
    owners |= dict.fromkeys(("import_excess", "export_excess"), sites if structure.elastic else 0)
    column_lengths = {name: count * steps for name, count in owners.items()}
    row_lengths = {"balance": batteries * steps, "bus": sites * steps, "sold": len(structure.sold) * steps}
    for more_columns, more_rows in _added_sizes(structure):
        column_lengths |= more_columns
        row_lengths |= more_rows
    columns, column_count = _slices(column_lengths)
    rows, row_count = _slices(row_lengths)
    entries = Entries(structure, columns, rows)
    _put(structure, entries)
    start, index, value = entries.compressed(column_count)
    site_of = np.array(structure.battery_site, dtype=np.intp)
    table = battery_table(structure.batteries)
    return Layout(structure, table, site_of, columns, rows, column_count, row_count, start, index, value)


def _added_sizes(structure: Structure) -> list[tuple[dict[str, int], dict[str, int]]]:
    """Return the lengths of the blocks that the structure's additions bring."""
    added, steps, elastic = structure.additions, structure.steps, structure.elastic
    if added is None:
        return []
    return [
        flexible_sizes(added, steps),
        shared_sizes(added, steps, elastic=elastic),
        reserve_sizes(added, batteries=len(structure.batteries), steps=steps, elastic=elastic),
        wear_sizes(added, steps),
    ]


def _put(structure: Structure, entries: Entries) -> None:
    """Put the non-zeros of the matrix together."""
    hours, table = structure.resolution_s / SECONDS_PER_HOUR, battery_table(structure.batteries)
    balance, bus = entries.row("balance"), entries.row("bus")
    site_row = bus[list(structure.battery_site)]
    charge, discharge = entries.column("charge"), entries.column("discharge")
    entries.put(charge, balance, -hours * table.charge_efficiency[:, None])
    entries.put(charge, site_row, 1.0)
    entries.put(discharge, balance, hours / table.discharge_efficiency[:, None])
    entries.put(discharge, site_row, -1.0)
    everyone = tuple(range(len(structure.batteries)))
    for name, owners, sign in (("energy", everyone, 1.0), ("low", structure.low, -1.0), ("high", structure.high, 1.0)):
        column, mine = entries.column(name), balance[list(owners)]
        entries.put(column, mine, sign)
        entries.put(column[:, :-1], mine[:, 1:], -sign)
    signs = {"imports": -1.0, "exports": 1.0}
    if structure.elastic:
        signs |= {"import_excess": -1.0, "export_excess": 1.0}
    for name, sign in signs.items():
        entries.put(entries.column(name), bus, sign)
    entries.put(entries.column("curtail"), bus[list(structure.curtail)], 1.0)
    if structure.sold:
        _put_sold(structure, entries, signs)
    if structure.additions is not None:
        put_flexible(structure.additions, entries)
        put_shared(structure.additions, entries)
        put_reserve(structure.additions, entries, (table.charge_efficiency, table.discharge_efficiency))
        if structure.additions.wear:
            put_wear(structure.additions, entries)


def _put_sold(structure: Structure, entries: Entries, signs: dict[str, float]) -> None:
    """Add the rows exports - imports + short - over = sold."""
    sold, here = entries.row("sold"), list(structure.sold)
    for name, sign in signs.items():
        entries.put(entries.column(name)[here], sold, sign)
    entries.put(entries.column("short"), sold, 1.0)
    entries.put(entries.column("over"), sold, -1.0)


def build(problem: PlanProblem, *, elastic: bool = False) -> Matrix:
    """Return the linear program of a problem.

    Parameters
    ----------
    problem : PlanProblem
        T steps, S sites, A batteries.
    elastic : bool
        Let limits and reserve duties give way at a price above every other, to find the plan of least violation.
    """
    layout = layout_of(structure_of(problem, elastic=elastic))
    cost, lower = np.zeros(layout.column_count), np.zeros(layout.column_count)
    upper, right = np.empty(layout.column_count), np.empty(layout.row_count)
    matrix = Matrix(layout, cost, lower, upper, right, right)
    if problem.batteries:
        _fill_batteries(problem, matrix)
    _fill_sites(problem, matrix, elastic=elastic)
    added = layout.structure.additions
    if not layout.structure.sold and added is None:
        return matrix
    matrix = Matrix(layout, cost, lower, upper, right, right.copy())
    if layout.structure.sold:
        _fill_sold(problem, matrix)
    if added is not None:
        fill_flexible(problem, matrix)
        fill_shared(problem, matrix, added)
        if added.reserve:
            fill_reserve(problem, matrix, added)
        if added.wear:
            fill_wear(problem, matrix, added)
    return matrix


def _fill_batteries(problem: PlanProblem, matrix: Matrix) -> None:
    """Write ratings, bands, wear, terminal value and the first energy."""
    layout, table = matrix.layout, matrix.layout.table
    structure, hours = layout.structure, problem.grid.duration_h
    layout.block(matrix.upper, "charge")[:] = table.charge_max_kw[:, None]
    layout.block(matrix.upper, "discharge")[:] = table.discharge_max_kw[:, None]
    layout.block(matrix.upper, "energy")[:] = table.energy_max_kwh[:, None]
    layout.block(matrix.cost, "discharge")[:] = hours * table.wear_cost_per_kwh[:, None]
    layout.block(matrix.cost, "energy")[:, -1] = -problem.terminal_value_per_kwh
    first = layout.row_block(matrix.row_lower, "balance")
    first[:] = 0.0
    energy = initial_energy_kwh(problem)
    first[:, 0] = energy
    low, high = list(structure.low), list(structure.high)
    if low:
        floor = floor_kwh(problem)
        layout.block(matrix.lower, "energy")[:] = floor
        hard = np.minimum(table.energy_min_kwh, energy)
        layout.block(matrix.upper, "low")[:] = (floor - hard[:, None])[low]
        layout.block(matrix.cost, "low")[:] = penalty_per_kwh(problem)[low, None]
        layout.block(matrix.cost, "low")[:, -1] += problem.terminal_value_per_kwh[low]
    else:
        layout.block(matrix.lower, "energy")[:] = table.energy_min_kwh[:, None]
    if high:
        layout.block(matrix.upper, "high")[:] = (energy - table.energy_max_kwh)[high, None]
        layout.block(matrix.cost, "high")[:] = penalty_per_kwh(problem)[high, None]
        layout.block(matrix.cost, "high")[:, -1] -= problem.terminal_value_per_kwh[high]


def _fill_sites(problem: PlanProblem, matrix: Matrix, *, elastic: bool) -> None:
    """Write prices, connection limits, curtailment and the power of each bus."""
    layout, hours = matrix.layout, problem.grid.duration_h
    table, sites = layout.table, layout.structure.sites
    available = (problem.fixed_kw + problem.curtailable_kw).T
    charge: Floats = np.bincount(layout.site_of, table.charge_max_kw, sites).astype(np.float64)[:, None]
    discharge = np.bincount(layout.site_of, table.discharge_max_kw, sites)[:, None]
    if problem.flexible:
        charge = charge + flexible_power_max_kw(problem)
    most_import = np.maximum(charge - problem.fixed_kw.T, 0.0) + SPARE_KW
    most_export = np.maximum(available + discharge, 0.0) + SPARE_KW
    layout.block(matrix.cost, "imports")[:] = hours * problem.import_cost_per_kwh.T
    layout.block(matrix.cost, "exports")[:] = -hours * problem.export_price_per_kwh.T
    layout.block(matrix.upper, "imports")[:] = np.minimum(problem.import_max_kw[:, None], most_import)
    layout.block(matrix.upper, "exports")[:] = np.minimum(problem.export_max_kw[:, None], most_export)
    layout.row_block(matrix.row_lower, "bus")[:] = available
    if layout.structure.curtail:
        layout.block(matrix.upper, "curtail")[:] = problem.curtailable_kw.T[list(layout.structure.curtail)]
    if elastic:
        weight = violation_per_kwh(problem)[:, None]
        for name, most in (("import_excess", most_import), ("export_excess", most_export)):
            layout.block(matrix.cost, name)[:] = hours * weight
            layout.block(matrix.upper, name)[:] = most


def _fill_sold(problem: PlanProblem, matrix: Matrix) -> None:
    """Write the cost of missing what was sold; rows of unsold steps are free."""
    layout = matrix.layout
    sold = problem.committed_kw.T[list(layout.structure.sold)]
    bound = np.isfinite(sold)
    layout.row_block(matrix.row_lower, "sold")[:] = np.where(bound, sold, -np.inf)
    layout.row_block(matrix.row_upper, "sold")[:] = np.where(bound, sold, np.inf)
    for name in ("short", "over"):
        layout.block(matrix.cost, name)[:] = problem.grid.duration_h * problem.imbalance_spread_per_kwh
        layout.block(matrix.upper, name)[:] = np.where(bound, np.inf, 0.0)
