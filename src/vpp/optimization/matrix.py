"""From a problem to the columns and rows of a linear program, as sparse arrays.

Columns, each a block of (owners, steps): per battery ``charge``, ``discharge``, ``energy`` (end of step), ``low`` and
``high`` (soft departures from the band); per site ``imports``, ``exports``, ``curtail``, ``short`` and ``over`` (misses
of what was sold) and, in the elastic form, ``import_excess`` and ``export_excess``.
Rows: ``balance`` of each battery, ``bus`` of each site, ``sold`` for each site that has sold ahead.

The stored energy is ``energy - low + high``: soft floors cost columns, no rows.
Invariant: what depends on the plant alone (pattern, coefficients, ratings) is made once per ``Structure`` and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery
from vpp.core.units import SECONDS_PER_HOUR
from vpp.optimization.problem import Floats, PlanProblem

Integers = NDArray[np.int32]
BAND_TOLERANCE_KWH = 1e-9
# a meter never needs more than everything behind it at once; one spare kW keeps that bound from ever binding
SPARE_KW = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class BatteryTable:
    """Batteries as columns, each of shape (A,), in kW, kWh and currency/kWh."""

    capacity_kwh: Floats
    energy_min_kwh: Floats
    energy_max_kwh: Floats
    backup_kwh: Floats
    charge_max_kw: Floats
    discharge_max_kw: Floats
    charge_efficiency: Floats
    discharge_efficiency: Floats
    wear_cost_per_kwh: Floats

    @property
    def floor_kwh(self) -> Floats:
        """Lowest energy that costs no penalty."""
        return np.maximum(self.energy_min_kwh, self.backup_kwh)


@lru_cache(maxsize=64)
def battery_table(batteries: tuple[Battery, ...]) -> BatteryTable:
    """Return the batteries as columns."""
    rows = [
        (
            battery.capacity_kwh,
            battery.soc_min * battery.capacity_kwh,
            battery.soc_max * battery.capacity_kwh,
            battery.backup_soc * battery.capacity_kwh,
            battery.charge_max_kw,
            battery.discharge_max_kw,
            battery.charge_efficiency,
            battery.discharge_efficiency,
            battery.wear_cost_per_kwh,
        )
        for battery in batteries
    ]
    return BatteryTable(*np.array(rows, dtype=np.float64).reshape(-1, 9).T.copy())


class Structure(NamedTuple):
    """What fixes the matrix: two problems of one structure differ in costs, bounds and right-hand sides only."""

    steps: int
    resolution_s: int
    batteries: tuple[Battery, ...]
    battery_site: tuple[int, ...]
    sites: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    curtail: tuple[int, ...]
    sold: tuple[int, ...]
    elastic: bool


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where everything stands in the arrays of one structure, and the matrix itself (compressed columns)."""

    structure: Structure
    table: BatteryTable
    site_of: NDArray[np.intp]
    columns: dict[str, slice]
    rows: dict[str, slice]
    column_count: int
    row_count: int
    start: Integers
    index: Integers
    value: Floats

    def block(self, values: Floats, name: str) -> Floats:
        """Return a block of column values as a view of shape (owners, steps)."""
        return values[self.columns[name]].reshape(-1, self.structure.steps)

    def row_block(self, values: Floats, name: str) -> Floats:
        """Return a block of row values as a view of shape (owners, steps)."""
        return values[self.rows[name]].reshape(-1, self.structure.steps)


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A linear program: minimise ``cost @ x`` with bounded columns and rows."""

    layout: Layout
    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats


def initial_energy_kwh(problem: PlanProblem) -> Floats:
    """Return the energy stored at the start, shape (A,); rounding just outside the band is brought to its edge."""
    table = battery_table(problem.batteries)
    energy = problem.initial_soc * table.capacity_kwh
    inside = np.clip(energy, table.energy_min_kwh, table.energy_max_kwh)
    return np.where(np.abs(energy - inside) <= BAND_TOLERANCE_KWH, inside, energy)


def floor_kwh(problem: PlanProblem) -> Floats:
    """Return the soft floor of each battery at the end of each step, shape (A, T)."""
    table = battery_table(problem.batteries)
    floor = np.repeat(table.floor_kwh[:, None], problem.grid.count, axis=1)
    if problem.final_soc_min is not None:
        floor[:, -1] = np.maximum(floor[:, -1], problem.final_soc_min * table.capacity_kwh)
    return floor


def penalty_per_kwh(problem: PlanProblem) -> Floats:
    """Return the price of a kWh outside the soft band, per step [currency/kWh], shape (A,).

    It is above everything that a kWh moved in time can earn at the battery's site, so a plan leaves the band only where
    nothing else is feasible: twice the widest spread of value, over the lesser efficiency.
    """
    table, site = battery_table(problem.batteries), list(problem.battery_site)
    highest = np.maximum(problem.import_price_per_kwh, problem.export_price_per_kwh).max(axis=0)[site]
    lowest = np.minimum(problem.import_price_per_kwh, problem.export_price_per_kwh).min(axis=0)[site]
    worth = problem.terminal_value_per_kwh
    spread = np.maximum(np.maximum(highest, worth), 0.0) - np.minimum(np.minimum(lowest, worth), 0.0)
    spread += 2.0 * problem.imbalance_spread_per_kwh + table.wear_cost_per_kwh
    penalty: Floats = 2.0 * spread / np.minimum(table.charge_efficiency, table.discharge_efficiency)
    return np.where(penalty > 0.0, penalty, 1.0)


def structure_of(problem: PlanProblem, *, elastic: bool = False) -> Structure:
    """Return the structure of a problem; ``elastic`` lets the connection limits give way at a price."""
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
    )


def _slices(owners: dict[str, int], steps: int) -> tuple[dict[str, slice], int]:
    """Return one slice per block, in order, and the total length."""
    slices, at = {}, 0
    for name, count in owners.items():
        slices[name] = slice(at, at + count * steps)
        at += count * steps
    return slices, at


@lru_cache(maxsize=32)
def layout_of(structure: Structure) -> Layout:
    """Return the layout and the matrix of a structure."""
    batteries, sites, steps = len(structure.batteries), structure.sites, structure.steps
    columns, column_count = _slices(
        {
            "charge": batteries,
            "discharge": batteries,
            "energy": batteries,
            "low": len(structure.low),
            "high": len(structure.high),
            "imports": sites,
            "exports": sites,
            "curtail": len(structure.curtail),
            "short": len(structure.sold),
            "over": len(structure.sold),
            "import_excess": sites if structure.elastic else 0,
            "export_excess": sites if structure.elastic else 0,
        },
        steps,
    )
    rows, row_count = _slices({"balance": batteries, "bus": sites, "sold": len(structure.sold)}, steps)
    start, index, value = _compress(_entries(structure, columns, rows), column_count)
    return Layout(
        structure,
        battery_table(structure.batteries),
        np.array(structure.battery_site, dtype=np.intp),
        columns,
        rows,
        column_count,
        row_count,
        start,
        index,
        value,
    )


_Entry = tuple[NDArray[np.int64], NDArray[np.int64], Floats]


def _entries(structure: Structure, columns: dict[str, slice], rows: dict[str, slice]) -> list[_Entry]:
    """Return the non-zeros of the matrix as (column, row, value) blocks."""
    steps, hours = structure.steps, structure.resolution_s / SECONDS_PER_HOUR
    table = battery_table(structure.batteries)
    column = {name: np.arange(where.start, where.stop).reshape(-1, steps) for name, where in columns.items()}
    row = {name: np.arange(where.start, where.stop).reshape(-1, steps) for name, where in rows.items()}
    site_row = row["bus"][list(structure.battery_site)]
    entries: list[_Entry] = []

    def put(name: str, where: NDArray[np.int64], value: float | Floats, *, skip_last: bool = False) -> None:
        owner = column[name][:, :-1] if skip_last else column[name]
        entries.append((owner.ravel(), where.ravel(), np.broadcast_to(value, owner.shape).ravel()))

    put("charge", row["balance"], -hours * table.charge_efficiency[:, None])
    put("charge", site_row, 1.0)
    put("discharge", row["balance"], hours / table.discharge_efficiency[:, None])
    put("discharge", site_row, -1.0)
    everyone = tuple(range(len(structure.batteries)))
    for name, owners, sign in (("energy", everyone, 1.0), ("low", structure.low, -1.0), ("high", structure.high, 1.0)):
        put(name, row["balance"][list(owners)], sign)
        put(name, row["balance"][list(owners)][:, 1:], -sign, skip_last=True)
    for name, sign in (("imports", -1.0), ("exports", 1.0)):
        put(name, row["bus"], sign)
    put("curtail", row["bus"][list(structure.curtail)], 1.0)
    if structure.elastic:
        put("import_excess", row["bus"], -1.0)
        put("export_excess", row["bus"], 1.0)
    _put_sold(structure, column, row["sold"], entries)
    return entries


def _put_sold(
    structure: Structure, column: dict[str, NDArray[np.int64]], sold: NDArray[np.int64], entries: list[_Entry]
) -> None:
    """Add the rows exports - imports + short - over = sold."""
    if not structure.sold:
        return
    here = list(structure.sold)
    signs = {"imports": -1.0, "exports": 1.0, "short": 1.0, "over": -1.0}
    if structure.elastic:
        signs |= {"import_excess": -1.0, "export_excess": 1.0}
    for name, sign in signs.items():
        owner = column[name] if name in ("short", "over") else column[name][here]
        entries.append((owner.ravel(), sold.ravel(), np.full(owner.size, sign)))


def _compress(entries: list[_Entry], column_count: int) -> tuple[Integers, Integers, Floats]:
    """Return compressed sparse columns from (column, row, value) blocks."""
    column = np.concatenate([entry[0] for entry in entries])
    row = np.concatenate([entry[1] for entry in entries])
    value = np.concatenate([entry[2] for entry in entries])
    order = np.argsort(column, kind="stable")
    start = np.zeros(column_count + 1, dtype=np.int32)
    np.cumsum(np.bincount(column, minlength=column_count), out=start[1:])
    return start, row[order].astype(np.int32), value[order].astype(np.float64)


def build(problem: PlanProblem, *, elastic: bool = False) -> Matrix:
    """Return the linear program of a problem.

    Parameters
    ----------
    problem : PlanProblem
        T steps, S sites, A batteries.
    elastic : bool
        Let the connection limits give way at a price above every other, to find the plan of least violation.
    """
    layout = layout_of(structure_of(problem, elastic=elastic))
    cost, lower = np.zeros(layout.column_count), np.zeros(layout.column_count)
    upper, right = np.empty(layout.column_count), np.empty(layout.row_count)
    matrix = Matrix(layout, cost, lower, upper, right, right)
    if problem.batteries:
        _fill_batteries(problem, matrix)
    _fill_sites(problem, matrix, elastic=elastic)
    return _fill_sold(problem, matrix) if layout.structure.sold else matrix


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
    charge = np.bincount(layout.site_of, table.charge_max_kw, sites)[:, None]
    discharge = np.bincount(layout.site_of, table.discharge_max_kw, sites)[:, None]
    most_import = np.maximum(charge - problem.fixed_kw.T, 0.0) + SPARE_KW
    most_export = np.maximum(available + discharge, 0.0) + SPARE_KW
    layout.block(matrix.cost, "imports")[:] = hours * problem.import_price_per_kwh.T
    layout.block(matrix.cost, "exports")[:] = -hours * problem.export_price_per_kwh.T
    layout.block(matrix.upper, "imports")[:] = np.minimum(problem.import_max_kw[:, None], most_import)
    layout.block(matrix.upper, "exports")[:] = np.minimum(problem.export_max_kw[:, None], most_export)
    layout.row_block(matrix.row_lower, "bus")[:] = available
    if layout.structure.curtail:
        layout.block(matrix.upper, "curtail")[:] = problem.curtailable_kw.T[list(layout.structure.curtail)]
    if elastic:
        weight = _violation_per_kwh(problem)[:, None]
        for name, most in (("import_excess", most_import), ("export_excess", most_export)):
            layout.block(matrix.cost, name)[:] = hours * weight
            layout.block(matrix.upper, name)[:] = most


def _violation_per_kwh(problem: PlanProblem) -> Floats:
    """Return the price of a kWh over a connection limit [currency/kWh], shape (S,).

    Dearer than leaving every soft floor of the site through the whole horizon, and than every price.
    """
    prices = np.maximum(np.abs(problem.import_price_per_kwh), np.abs(problem.export_price_per_kwh))
    dearest = 2.0 * (prices.max(axis=0) + problem.imbalance_spread_per_kwh) + 1.0
    penalty = np.zeros(len(problem.site_ids))
    np.maximum.at(penalty, list(problem.battery_site), penalty_per_kwh(problem))
    price: Floats = (problem.grid.count + 1) * (penalty + dearest)
    return price


def _fill_sold(problem: PlanProblem, matrix: Matrix) -> Matrix:
    """Return the program with the cost of missing what was sold; rows of unsold steps are free."""
    layout = matrix.layout
    sold = problem.committed_kw.T[list(layout.structure.sold)]
    bound = np.isfinite(sold)
    row_upper = matrix.row_lower.copy()
    layout.row_block(matrix.row_lower, "sold")[:] = np.where(bound, sold, -np.inf)
    layout.row_block(row_upper, "sold")[:] = np.where(bound, sold, np.inf)
    for name in ("short", "over"):
        layout.block(matrix.cost, name)[:] = problem.grid.duration_h * problem.imbalance_spread_per_kwh
        layout.block(matrix.upper, name)[:] = np.where(bound, np.inf, 0.0)
    return Matrix(layout, matrix.cost, matrix.lower, matrix.upper, matrix.row_lower, row_upper)
