"""One direction at a time: no battery charges while it discharges, no meter imports while it exports.

The relaxation breaks this only where burning energy pays: below a bus price of ``-wear * (1 + e) / (1 - e)`` with round
trip ``e``, under forced surplus, or where feeding in pays more than drawing costs. Only those steps are fixed, by the
sign of what the relaxation did on balance, and the program is solved again hot. Its first objective stays as the bound.
Where no fixing by sign is feasible, directions are chosen by a mixed-integer program within the time limit; on request
also where one is. Runs get their one start here too (``starts``), before the directions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.optimization.exact import direction_pairs, search
from vpp.optimization.matrix import Integers, Matrix, initial_energy_kwh
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.solver import LinearSolver, Solution, SolveStatus
from vpp.optimization.starts import choose_starts

TOLERANCE_KW = 1e-7
TOLERANCE_KWH = 1e-7
RELAXED = 1e-9
"""A repair within this share of the relaxation is as good as any."""
GRACE_S = 5.0
"""For the linear program that follows a search: its plan is worth waiting for."""


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
    searched : str
        What the mixed-integer program says of the plan; empty when none was asked.
    """

    solution: Solution
    bound: float | None
    closed: Integers
    searched: str = ""


def solve_exclusive(
    solver: LinearSolver, problem: PlanProblem, matrix: Matrix, *, time_limit_s: float, exact_s: float | None = None
) -> Exclusive:
    """Solve a program and repair what burns energy.

    Parameters
    ----------
    solver : LinearSolver
        Holds the program afterwards, with the directions closed.
    problem, matrix : PlanProblem, Matrix
        The problem and the program made of it.
    time_limit_s : float
        For all runs together.
    exact_s : float or None
        Search by a mixed-integer program for at most so long, where the repair is dearer than the relaxation.
    """
    end_s = perf_counter() + time_limit_s
    solver.load(matrix)
    solution = solver.run(time_limit_s=time_limit_s)
    if solution.status is not SolveStatus.OPTIMAL:
        return Exclusive(solution, None, np.zeros(0, dtype=np.int32))
    bound, started = solution.objective, np.zeros(0, dtype=np.int32)
    if problem.deferrable_runs:
        solution, started = choose_starts(solver, problem, matrix, solution=solution, end_s=end_s)
    solution, closed = close_wrong(solver, problem, matrix, solution=solution, end_s=end_s)
    answer = Exclusive(solution, bound, closed if not started.size else np.union1d(closed, started).astype(np.int32))
    if exact_s is not None:
        return _search(solver, problem, matrix, answer=answer, end_s=min(end_s, perf_counter() + exact_s))
    if solution.status is SolveStatus.INFEASIBLE:
        return _choose_directions(solver, problem, matrix, bound=bound, end_s=end_s)
    return answer


def _search(
    solver: LinearSolver, problem: PlanProblem, matrix: Matrix, *, answer: Exclusive, end_s: float
) -> Exclusive:
    """Return the plan of a mixed-integer program where it beats the repair, and what it proved."""
    bound = answer.bound
    assert bound is not None
    solved = answer.solution.status is SolveStatus.OPTIMAL
    if solved and answer.solution.objective - bound <= RELAXED * max(1.0, abs(bound)):
        return answer
    found = search(problem, matrix, time_limit_s=end_s - perf_counter())
    said = "the mixed-integer program proved it the least cost" if found.finished else "the search stopped in time"
    cost = np.inf if found.value is None else float(matrix.cost @ found.value)
    if not solved or cost < answer.solution.objective:
        answer = _with_closed(solver, problem, matrix, closed=found.closed, bound=bound, end_s=end_s + GRACE_S)
        if found.value is None:
            status = SolveStatus.INFEASIBLE if found.finished else SolveStatus.TIME_LIMIT
            return replace(answer, solution=replace(answer.solution, status=status))
    else:
        # the search may have used another model; this one still holds the repair
        cost = answer.solution.objective
    if not found.finished and np.isfinite(found.bound):
        said += f", at most {max(cost - found.bound, 0.0):.4g} above the least cost"
    return replace(answer, searched=said)


def _with_closed(
    solver: LinearSolver, problem: PlanProblem, matrix: Matrix, *, closed: Integers, bound: float, end_s: float
) -> Exclusive:
    """Solve the program with some columns closed, and repair what is left to repair."""
    solver.load(matrix)
    solver.bound(closed, np.zeros(closed.size), np.zeros(closed.size))
    solution = solver.run(time_limit_s=end_s - perf_counter())
    solution, more = close_wrong(solver, problem, matrix, solution=solution, end_s=end_s)
    return Exclusive(solution, bound, np.union1d(closed, more).astype(np.int32))


def close_wrong(
    solver: LinearSolver, problem: PlanProblem, matrix: Matrix, *, solution: Solution, end_s: float
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
    if (problem.export_price_per_kwh > problem.import_cost_per_kwh).any():
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
    pays = problem.export_price_per_kwh.T > problem.import_cost_per_kwh.T
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
    solver: LinearSolver, problem: PlanProblem, matrix: Matrix, *, bound: float, end_s: float
) -> Exclusive:
    """Choose every direction by a mixed-integer program, then solve the linear one with them closed."""
    layout = matrix.layout
    if problem.deferrable_runs:
        found = search(problem, matrix, time_limit_s=end_s - perf_counter())
        answer = _with_closed(solver, problem, matrix, closed=found.closed, bound=bound, end_s=end_s)
        if found.value is None:
            status = SolveStatus.INFEASIBLE if found.finished else SolveStatus.TIME_LIMIT
            answer = replace(answer, solution=replace(answer.solution, status=status))
        return answer
    first, second = direction_pairs(problem, matrix)
    integer = solver.another()
    integer.load(matrix)
    integer.choose_one(first, second, matrix)
    chosen = integer.run(time_limit_s=end_s - perf_counter())
    if chosen.status is not SolveStatus.OPTIMAL:
        return Exclusive(chosen, bound, np.zeros(0, dtype=np.int32))
    value = chosen.value[: layout.column_count]
    closed = np.sort(np.where(value[first] > value[second], second, first))
    return _with_closed(solver, problem, matrix, closed=closed, bound=bound, end_s=end_s)
