"""Receding horizon: plan, do the first step, plan again one step later, on one program that is never rebuilt.

The T steps of the horizon stand in a ring of T + 1 slots: a step keeps its slot from one plan to the next, so that
moving on changes costs, bounds and right-hand sides but no entry of the matrix, and the last basis still fits. The one
spare slot lies between the end and the start: its rows never bind, its columns are 0, its energy is what is stored.
Invariant: the active slots are the linear planner's program, entry by entry; the optimum is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages.planned import Schedule
from vpp.optimization.linear import LinearPlanner, choice_of
from vpp.optimization.matrix import (
    Integers,
    Layout,
    Matrix,
    Structure,
    build,
    initial_energy_kwh,
    layout_of,
    structure_of,
)
from vpp.optimization.modes import Exclusive, wrong_directions
from vpp.optimization.outcome import outcome_of, schedule_of
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reasons import reasons
from vpp.optimization.solver import Solution, Solver, SolveStatus
from vpp.optimization.sparse_program import compress

METHOD = "receding horizon"
METHOD_CLOSED = "receding horizon, directions fixed"
GAP_TOLERANCE = 1e-9
# the energies on both sides of the spare slot differ by no more than the capacity: a bound that never binds, where a
# free row would send the dual simplex into its first phase
SPARE_KWH = 1.0
PERTURBATION = 10.0
_OWNERS = ("low", "high", "curtail", "sold")
_SIGN = {"energy": 1.0, "low": -1.0, "high": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class HorizonStep:
    """What to do now, and the plan it belongs to.

    Parameters
    ----------
    schedule : Schedule
        The plan of the whole horizon, with its status.
    power_kw : float array, shape (A,)
        Terminal power of each battery in the first step, positive discharges; NaN without a plan.
    curtailed_kw : float array, shape (S,)
        Generation to leave unused in the first step; NaN without a plan.
    hot : bool
        True when the program of the step before was used on.
    """

    schedule: Schedule
    power_kw: Floats
    curtailed_kw: Floats
    hot: bool


class RecedingHorizon:
    """A planner for problems that follow one another in time.

    It plans what the linear planner plans, at the same cost, with prices and reasons. Successive problems share
    batteries, sites, resolution and number of steps; one that does not starts a new program. What the horizon leaves
    behind is worth ``terminal_value_per_kwh``. Handed to the linear planner are problems with more than batteries and
    meters (flexible assets, reserve, a demand charge), and those without an optimum, whose conflicts it finds. One
    planner serves one thread.

    Parameters
    ----------
    name : str
        Name of the planner.
    time_limit_s : float
        For one plan, above 0.

    Examples
    --------
    >>> from vpp.core.assets import Battery
    >>> from vpp.core.time import TimeGrid, parse_time
    >>> start = parse_time("2016-08-01T00:00:00Z")
    >>> flat, price = np.zeros((3, 1)), np.array([[0.1], [0.3], [0.2]])
    >>> problem = PlanProblem(
    ...     plant="demo",
    ...     issued_at=start,
    ...     grid=TimeGrid(start, 3600, 3),
    ...     site_ids=("home",),
    ...     batteries=(Battery(id="battery", capacity_kwh=10, charge_max_kw=4, discharge_max_kw=4),),
    ...     battery_site=(0,),
    ...     initial_soc=np.array([0.1]),
    ...     fixed_kw=flat - 2.0,
    ...     curtailable_kw=flat,
    ...     import_price_per_kwh=price,
    ...     export_price_per_kwh=flat,
    ...     import_max_kw=np.array([20.0]),
    ...     export_max_kw=np.array([20.0]),
    ...     terminal_value_per_kwh=np.zeros(1),
    ...     committed_kw=np.full((3, 1), np.nan),
    ...     imbalance_spread_per_kwh=0.0,
    ...     price_known=np.ones(3, dtype=bool),
    ... )
    >>> horizon = RecedingHorizon()
    >>> step = horizon.step(problem)
    >>> step.power_kw.round(2).tolist(), step.hot
    ([-4.0], False)
    >>> later = TimeGrid(problem.grid.start + (problem.grid.end - problem.grid.start) / 3, 3600, 3)
    >>> moved = replace(problem, grid=later, initial_soc=step.schedule.soc[0], import_price_per_kwh=np.roll(price, -1))
    >>> step = horizon.step(moved)
    >>> step.power_kw.round(2).tolist(), step.hot
    ([2.0], True)
    """

    def __init__(self, name: str = METHOD, *, time_limit_s: float = 30.0) -> None:
        self.name = name
        self._time_limit_s = time_limit_s
        self._linear = LinearPlanner(time_limit_s=time_limit_s)
        self._solver = RingSolver()
        self._ring: Ring | None = None

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the plan of least cost; statuses as the linear planner's."""
        return self.step(problem).schedule

    def step(self, problem: PlanProblem) -> HorizonStep:
        """Return what to do in the first step of a problem, and its plan."""
        began_s = perf_counter()
        structure = structure_of(problem)
        if structure.additions is not None:
            schedule = self._linear.plan(problem)
            return HorizonStep(schedule, schedule.power_kw[0], schedule.curtailed_kw[0], hot=False)
        ring, hot = self._ring_for(structure, start_s=problem.grid.start_s), True
        if ring is not self._ring:
            self._ring, self._solver, hot = ring, RingSolver(), False
        matrix = build(problem)
        answer = self._solve(ring, problem, matrix, end_s=began_s + self._time_limit_s)
        if answer is None:
            # its hot start may have been the fault: the next plan begins anew
            self._ring, hot = None, False
            schedule = self._linear.plan(problem)
        else:
            schedule = _schedule(problem, matrix, answer)
        schedule = replace(schedule, solve_time_s=perf_counter() - began_s)
        return HorizonStep(schedule, schedule.power_kw[0], schedule.curtailed_kw[0], hot)

    def _ring_for(self, structure: Structure, *, start_s: int) -> Ring:
        """Return the ring held where the structure fits into it, else one that holds both."""
        if self._ring is None:
            return Ring(structure, origin_s=start_s)
        held = self._ring.structure
        if _bare(held) != _bare(structure):
            return Ring(structure, origin_s=start_s)
        joint = held._replace(
            low=_union(held.low, structure.low),
            high=_union(held.high, structure.high),
            curtail=_union(held.curtail, structure.curtail),
            sold=_union(held.sold, structure.sold),
        )
        return self._ring if joint == held else Ring(joint, origin_s=start_s)

    def _solve(self, ring: Ring, problem: PlanProblem, matrix: Matrix, *, end_s: float) -> Exclusive | None:
        """Return the optimum with one direction at a time; None where there is none."""
        place = ring.place_of(matrix.layout, start_s=problem.grid.start_s)
        self._solver.load(ring.matrix(problem, matrix, place))
        solution = place.linear(self._solver.run(time_limit_s=end_s - perf_counter()))
        bound, closed = solution.objective, np.zeros(0, dtype=np.int32)
        while solution.status is SolveStatus.OPTIMAL:
            wrong = wrong_directions(problem, matrix, solution.value)
            if not wrong.size:
                return Exclusive(solution, bound, closed)
            closed = np.union1d(closed, wrong).astype(np.int32)
            zeros = np.zeros(wrong.size)
            self._solver.bound(np.sort(place.columns[wrong]), zeros, zeros)
            solution = place.linear(self._solver.run(time_limit_s=end_s - perf_counter()))
        return None


def _bare(structure: Structure) -> Structure:
    """Return a structure without what may come and go from one plan to the next."""
    return structure._replace(low=(), high=(), curtail=(), sold=())


def _union(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*first, *second}))


class RingSolver(Solver):
    """A solver that tells HiGHS only what differs from the program before: most of a ring stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        # measured: a moved forecast takes fewer pivots when the dual simplex perturbs costs more than by default
        self._highs.setOptionValue("dual_simplex_cost_perturbation_multiplier", PERTURBATION)
        self._closed: Integers = np.zeros(0, dtype=np.int32)

    def load(self, matrix: Matrix) -> None:
        """Take a program; hot when its structure is the one held, else anew."""
        held = self._loaded
        if held is None or held.layout is not matrix.layout:
            super().load(matrix)
            return
        cost = _differing(held.cost != matrix.cost)
        self._highs.changeColsCost(cost.size, cost, matrix.cost[cost])
        # bounds may have been closed since; those that were must be opened again
        moved = (held.lower != matrix.lower) | (held.upper != matrix.upper)
        moved[self._closed] = True
        self._closed = np.zeros(0, dtype=np.int32)
        columns = _differing(moved)
        self._highs.changeColsBounds(columns.size, columns, matrix.lower[columns], matrix.upper[columns])
        rows = _differing((held.row_lower != matrix.row_lower) | (held.row_upper != matrix.row_upper))
        self._highs.changeRowsBounds(rows.size, rows, matrix.row_lower[rows], matrix.row_upper[rows])
        self._loaded = matrix

    def bound(self, columns: Integers, lower: Floats, upper: Floats) -> None:
        """Change the bounds of some columns until the next program is loaded."""
        super().bound(columns, lower, upper)
        self._closed = np.union1d(self._closed, columns).astype(np.int32)


def _differing(mask: NDArray[np.bool_]) -> Integers:
    """Return the indices where a mask holds."""
    indices: Integers = np.flatnonzero(mask).astype(np.int32)
    return indices


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a linear program stands in a ring: the ring's column and row of each of its own.

    ``spare`` is the slot between the end of the horizon and its start.
    """

    columns: Integers
    rows: Integers
    first_slot: int
    spare: int

    def linear(self, solution: Solution) -> Solution:
        """Return a solution of the ring as one of the linear program."""
        if solution.status is not SolveStatus.OPTIMAL:
            return solution
        return replace(solution, value=solution.value[self.columns], row_dual=solution.row_dual[self.rows])


class Ring:
    """The program of a structure with T + 1 slots in a circle.

    Parameters
    ----------
    structure : Structure
        Of the T steps.
    origin_s : int
        Epoch second that starts in slot 0.
    """

    def __init__(self, structure: Structure, *, origin_s: int) -> None:
        self.structure = structure
        self._origin_s = origin_s
        self._layout = _closed(layout_of(structure._replace(steps=structure.steps + 1)))
        self._known: dict[Layout, tuple[_Owners, _Owners]] = {}

    def place_of(self, linear: Layout, *, start_s: int) -> Place:
        """Return where a linear program that starts at an epoch second stands."""
        if linear not in self._known:
            self._known[linear] = (
                _owners(linear.structure, linear.columns, self.structure, self._layout.columns),
                _owners(linear.structure, linear.rows, self.structure, self._layout.rows),
            )
        columns, rows = self._known[linear]
        slots = self.structure.steps + 1
        first = (start_s - self._origin_s) // self.structure.resolution_s % slots
        spare = (first - 1) % slots
        return Place(columns.at(first, slots), rows.at(first, slots), first, spare)

    def matrix(self, problem: PlanProblem, linear: Matrix, place: Place) -> Matrix:
        """Return the ring that holds a linear program; what it does not name is held at 0."""
        layout = self._layout
        cost, lower, upper = (np.zeros(layout.column_count) for _ in range(3))
        cost[place.columns], lower[place.columns], upper[place.columns] = linear.cost, linear.lower, linear.upper
        row_lower, row_upper = np.full(layout.row_count, -np.inf), np.full(layout.row_count, np.inf)
        row_lower[place.rows], row_upper[place.rows] = linear.row_lower, linear.row_upper
        if problem.batteries:
            energy = initial_energy_kwh(problem)
            # what is stored now comes out of the spare slot, not off the right-hand side
            reach = layout.table.capacity_kwh + SPARE_KWH
            layout.row_block(row_lower, "balance")[:, place.spare] = -reach
            layout.row_block(row_upper, "balance")[:, place.spare] = reach
            layout.row_block(row_lower, "balance")[:, place.first_slot] = 0.0
            layout.row_block(row_upper, "balance")[:, place.first_slot] = 0.0
            layout.block(lower, "energy")[:, place.spare] = energy
            layout.block(upper, "energy")[:, place.spare] = energy
        return Matrix(layout, cost, lower, upper, row_lower, row_upper)


@dataclass(frozen=True, slots=True, eq=False)
class _Owners:
    """For each column (or row) of a linear program: where its owner's slots begin in the ring, and its step."""

    base: Integers
    step: Integers

    def at(self, first: int, slots: int) -> Integers:
        """Return the ring's columns when the first step stands in slot ``first``."""
        slot = self.step + first
        slot -= np.where(slot >= slots, slots, 0).astype(np.int32)
        columns: Integers = self.base + slot
        return columns


def _owners(linear: Structure, blocks: dict[str, slice], ring: Structure, ring_blocks: dict[str, slice]) -> _Owners:
    """Return the owners of every column (or row) of a linear program in a ring that holds at least the same."""
    base, steps, slots = [np.zeros(0, dtype=np.int32)], linear.steps, ring.steps + 1
    for name, where in blocks.items():
        count = (where.stop - where.start) // steps
        positions = np.array(list(_positions(name, linear, ring, count)), dtype=np.int32)
        base.append(np.repeat(ring_blocks[name].start + positions * slots, steps).astype(np.int32))
    joined = np.concatenate(base)
    step: Integers = np.tile(np.arange(steps, dtype=np.int32), joined.size // steps)
    return _Owners(joined, step)


def _positions(name: str, linear: Structure, ring: Structure, count: int) -> Iterator[int]:
    """Yield for each owner of a block its position among the ring's owners of it."""
    kind = "sold" if name in ("short", "over") else name
    if kind not in _OWNERS:
        yield from range(count)
        return
    known: tuple[int, ...] = getattr(ring, kind)
    for owner in getattr(linear, kind):
        yield known.index(owner)


def _closed(layout: Layout) -> Layout:
    """Return a layout whose first slot follows its last: the last energy enters the first balance."""
    structure = layout.structure
    everyone = tuple(range(len(structure.batteries)))
    column: NDArray[np.integer] = np.repeat(np.arange(layout.column_count), np.diff(layout.start))
    entries = [(layout.index, column, layout.value)]
    balance = np.arange(layout.rows["balance"].start, layout.rows["balance"].stop).reshape(-1, structure.steps)
    for name, owners in (("energy", everyone), ("low", structure.low), ("high", structure.high)):
        where = layout.columns[name]
        last = np.arange(where.start, where.stop).reshape(-1, structure.steps)[:, -1]
        entries.append((balance[list(owners), 0], last, np.full(last.size, -_SIGN[name])))
    start, index, value = compress(entries, layout.column_count)
    return replace(layout, start=start, index=index, value=value)


def _schedule(problem: PlanProblem, matrix: Matrix, answer: Exclusive) -> Schedule:
    """Return the schedule of an optimum."""
    choice = choice_of(problem, matrix, answer)
    outcome = outcome_of(problem, choice)
    code, limit = reasons(problem, outcome, choice)
    bound = answer.bound if answer.bound is not None else -np.inf
    gap, message = outcome.objective - bound, ""
    if answer.closed.size and gap > GAP_TOLERANCE * max(1.0, abs(bound)):
        message = f"directions were fixed after the relaxation: at most {gap:.4g} above the least cost"
    return schedule_of(
        problem,
        outcome,
        choice=choice,
        code=code,
        limit=limit,
        method=METHOD_CLOSED if answer.closed.size else METHOD,
        message=message,
        bound=bound,
    )
