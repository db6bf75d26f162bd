"""One direction at a time: no battery charges while it discharges, no meter imports while it exports.

The relaxation breaks this only where burning energy pays: below a bus price of ``-wear * (1 + e) / (1 - e)`` with round
trip ``e``, under forced surplus, or where feeding in pays more than drawing costs. Only those steps are fixed, by the
sign of what the relaxation did on balance, and the program is solved again hot. Its first objective stays as the bound.
Where no fixing by sign is feasible, directions are chosen by a mixed-integer program within the time limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.optimization.matrix import Integers, Matrix, initial_energy_kwh
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.solver import Solution, Solver, SolveStatus

TOLERANCE_KW = 1e-7
TOLERANCE_KWH = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Exclusive:
    """A solution with one direction at a time.

    Parameters
    ----------
    solution : Solution
        The last run.
    bound : float or None
        Objective of the relaxation, a lower bound; None when even that was not solved.
    closed : int array
        Columns whose upper bound was set to 0.
    """

    solution: Solution
    bound: float | None
    closed: Integers


def solve_exclusive(solver: Solver, problem: PlanProblem, matrix: Matrix, *, time_limit_s: float) -> Exclusive:
    """Solve a program and repair what burns energy.

    Parameters
    ----------
    solver : Solver
        Holds the program afterwards, with the directions closed.
    problem, matrix : PlanProblem, Matrix
        The problem and the program made of it.
    time_limit_s : float
        For all runs together.
    """
    end_s = perf_counter() + time_limit_s
    solver.load(matrix)
    solution = solver.run(time_limit_s=time_limit_s)
    if solution.status is not SolveStatus.OPTIMAL:
        return Exclusive(solution, None, np.zeros(0, dtype=np.int32))
    bound = solution.objective
    solution, closed = close_wrong(solver, problem, matrix, solution=solution, end_s=end_s)
    if solution.status is SolveStatus.INFEASIBLE:
        return _choose_directions(solver, problem, matrix, bound=bound, end_s=end_s)
    return Exclusive(solution, bound, closed)


def close_wrong(
    solver: Solver, problem: PlanProblem, matrix: Matrix, *, solution: Solution, end_s: float
) -> tuple[Solution, Integers]:
    """Close wrong directions and solve again until none is left; return the last solution and the columns closed.

    Every round closes at least one more column, so this ends.
    """
    closed = np.zeros(0, dtype=np.int32)
    while solution.status is SolveStatus.OPTIMAL:
        wrong = wrong_directions(problem, matrix, solution.value)
        if not wrong.size:
            break
        if perf_counter() > end_s:
            solution = replace(solution, status=SolveStatus.TIME_LIMIT)
            break
        closed = np.union1d(closed, wrong).astype(np.int32)
        solver.bound(wrong, np.zeros(wrong.size), np.zeros(wrong.size))
        solution = solver.run(time_limit_s=end_s - perf_counter())
    return solution, closed


def wrong_directions(problem: PlanProblem, matrix: Matrix, value: Floats) -> Integers:
    """Return the columns to close: of each pair that runs both ways, the one that loses on balance."""
    layout, table = matrix.layout, matrix.layout.table
    charge, discharge = layout.block(value, "charge"), layout.block(value, "discharge")
    wrong = []
    both = np.minimum(charge, discharge) > TOLERANCE_KW
    if both.any():
        stored = charge * table.charge_efficiency[:, None] - discharge / table.discharge_efficiency[:, None]
        wrong += [
            _columns(matrix, "discharge", both & (stored >= 0.0)),
            _columns(matrix, "charge", both & (stored < 0.0)),
        ]
    if (problem.export_price_per_kwh > problem.import_price_per_kwh).any():
        wrong += _wrong_meters(problem, matrix, value)
    if layout.structure.low or layout.structure.high:
        wrong += _wrong_outside_band(problem, matrix, value)
    # a column may be wrong for two reasons, and the solver takes each only once
    columns: Integers = np.unique(np.concatenate([np.zeros(0, dtype=np.int32), *wrong]))
    return columns


def _columns(matrix: Matrix, name: str, mask: NDArray[np.bool_]) -> Integers:
    """Return the columns of a block where the mask holds."""
    columns: Integers = (matrix.layout.columns[name].start + np.flatnonzero(mask)).astype(np.int32)
    return columns


def _wrong_meters(problem: PlanProblem, matrix: Matrix, value: Floats) -> list[Integers]:
    """Return the meter columns to close where trading with oneself would pay."""
    layout = matrix.layout
    imports, exports = layout.block(value, "imports"), layout.block(value, "exports")
    pays = problem.export_price_per_kwh.T > problem.import_price_per_kwh.T
    both = pays & (np.minimum(imports, exports) > TOLERANCE_KW)
    out = exports >= imports
    return [_columns(matrix, "imports", both & out), _columns(matrix, "exports", both & ~out)]


def _wrong_outside_band(problem: PlanProblem, matrix: Matrix, value: Floats) -> list[Integers]:
    """Return the battery columns to close where a store outside its hard band would move further out."""
    layout, table = matrix.layout, matrix.layout.table
    first = initial_energy_kwh(problem)
    outside = (first < table.energy_min_kwh) | (first > table.energy_max_kwh)
    if not outside.any():
        return []
    charge, discharge = layout.block(value, "charge"), layout.block(value, "discharge")
    change = charge * table.charge_efficiency[:, None] - discharge / table.discharge_efficiency[:, None]
    energy = first[:, None] + problem.grid.duration_h * np.cumsum(change, axis=1)
    above = (energy > table.energy_max_kwh[:, None] + TOLERANCE_KWH) & (charge > TOLERANCE_KW)
    below = (energy < table.energy_min_kwh[:, None] - TOLERANCE_KWH) & (discharge > TOLERANCE_KW)
    return [_columns(matrix, "charge", above), _columns(matrix, "discharge", below)]


def _choose_directions(
    solver: Solver, problem: PlanProblem, matrix: Matrix, *, bound: float, end_s: float
) -> Exclusive:
    """Choose every direction by a mixed-integer program, then solve the linear one with them closed."""
    layout = matrix.layout
    everyone = np.ones((len(problem.batteries), problem.grid.count), dtype=np.bool_)
    pays = problem.export_price_per_kwh.T > problem.import_price_per_kwh.T
    first = np.concatenate([_columns(matrix, "charge", everyone), _columns(matrix, "imports", pays)])
    second = np.concatenate([_columns(matrix, "discharge", everyone), _columns(matrix, "exports", pays)])
    integer = Solver()
    integer.load(matrix)
    integer.choose_one(first, second, matrix)
    chosen = integer.run(time_limit_s=end_s - perf_counter())
    if chosen.status is not SolveStatus.OPTIMAL:
        return Exclusive(chosen, bound, np.zeros(0, dtype=np.int32))
    value = chosen.value[: layout.column_count]
    closed = np.sort(np.where(value[first] > value[second], second, first))
    solver.load(matrix)
    solver.bound(closed, np.zeros(closed.size), np.zeros(closed.size))
    return Exclusive(solver.run(time_limit_s=end_s - perf_counter()), bound, closed)
