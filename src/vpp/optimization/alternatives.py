"""What a plan's steps would have cost otherwise: the other power is forced and the program solved again, hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from vpp.core import storage
from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus, Schedule
from vpp.optimization.matrix import Integers, Matrix, build, initial_energy_kwh
from vpp.optimization.modes import Exclusive, close_wrong, solve_exclusive
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.solver import Solver, SolveStatus

TOLERANCE = 1e-9
NOISE_KW = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    """The solved program of one site, ready to be solved again with something forced."""

    problem: PlanProblem
    matrix: Matrix
    solver: Solver
    answer: Exclusive
    end_s: float

    def columns_of(self, asset_id: str, step: int) -> Integers:
        """Return the columns whose values make an asset's power: charge and discharge, or one that consumes."""
        problem, steps = self.problem, self.problem.grid.count
        for index, battery in enumerate(problem.batteries):
            if battery.id == asset_id:
                return self._at(("charge", "discharge"), index * steps + step)
        for index, goal in enumerate(problem.goals):
            if goal.asset_id == asset_id and goal.window[0] <= step < goal.window[1]:
                return self._at(("goal",), index * steps + step)
        for index, house in enumerate(problem.heated_houses):
            if house.asset_id == asset_id:
                return self._at(("heat",), index * steps + step)
        return np.zeros(0, dtype=np.int32)

    def _at(self, names: tuple[str, ...], offset: int) -> Integers:
        return np.array([self.matrix.layout.columns[name].start + offset for name in names], dtype=np.int32)

    def cost_of(self, columns: Integers, power_kw: float) -> float:
        """Return how much dearer the plan is with this power forced [currency]; infinity when nothing is feasible."""
        forced = np.array([max(-power_kw, 0.0), max(power_kw, 0.0)])[: columns.size]
        self.solver.bound(columns, forced, forced)
        solution = self.solver.run(time_limit_s=self.end_s - perf_counter())
        solution, closed = close_wrong(self.solver, self.problem, self.matrix, solution=solution, end_s=self.end_s)
        self._restore(np.union1d(columns, closed).astype(np.int32))
        if solution.status is SolveStatus.TIME_LIMIT:
            return np.nan
        if solution.status is not SolveStatus.OPTIMAL:
            return np.inf
        return solution.objective - self.answer.solution.objective

    def _restore(self, columns: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> None:
        upper = self.matrix.upper[columns]
        upper[np.isin(columns, self.answer.closed)] = 0.0
        self.solver.bound(columns, self.matrix.lower[columns], upper)


def alternatives(
    problem: PlanProblem,
    schedule: Schedule,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    most: int = 2000,
    time_limit_s: float = 30.0,
) -> tuple[Floats, Floats]:
    """Return what assets could have done instead and how much dearer the whole plan would then be.

    Where an asset acts, the alternative is to hold (0 kW). Where a battery holds, it is the cheaper of charging and
    discharging at full power: the rating, or what the energy stored at the start of that step by the plan allows.
    Where a car, a deferrable load or a heat pump holds, it is full power, for a car no more than it needs in all.
    Everything else in the horizon is planned anew around the forced step; starts of runs stay, and a run has no
    alternative of its own.

    Parameters
    ----------
    problem : PlanProblem
        The problem the schedule was made for.
    schedule : Schedule
        An OPTIMAL schedule of the linear planner.
    pairs : sequence of (step, asset column), optional
        What to look at; by default every step and asset, the nearest steps first.
    most : int
        At most this many pairs, 0 or more.
    time_limit_s : float
        For everything together; what is not reached stays NaN.

    Returns
    -------
    alternative_power_kw, alternative_cost : float arrays, shape (T, A)
        Power (positive discharges) and extra cost [currency], 0 or more. NaN where not looked at, where nothing else
        is feasible, where the schedule is not an optimal plan, or where, after directions had to be fixed, forcing the
        other power happens to lead to a cheaper plan.

    Raises
    ------
    InvalidInputError
        When a pair lies outside the schedule or ``most`` is negative.
    """
    shape = schedule.power_kw.shape
    power, cost = np.full(shape, np.nan), np.full(shape, np.nan)
    if most < 0:
        raise InvalidInputError("most", most, "0 or more pairs")
    for step, column in pairs or ():
        if not (0 <= step < shape[0] and 0 <= column < shape[1]):
            raise InvalidInputError("pairs", (step, column), f"steps 0 to {shape[0] - 1}, columns 0 to {shape[1] - 1}")
    if schedule.status is not PlanStatus.OPTIMAL:
        return power, cost
    chosen = list(pairs) if pairs is not None else [(int(s), int(a)) for s, a in np.ndindex(*shape)]
    end_s = perf_counter() + time_limit_s
    sites: dict[int, _Site] = {}
    for step, column in chosen[:most]:
        where = 0 if problem.coupled else schedule.asset_site[column]
        if where not in sites:
            sites[where] = _solved_site(problem if problem.coupled else problem.at_site(where), end_s)
        site, asset_id = sites[where], schedule.asset_ids[column]
        if perf_counter() > end_s or site.answer.solution.status is not SolveStatus.OPTIMAL:
            continue
        columns = site.columns_of(asset_id, step)
        if columns.size:
            candidates = _candidates_kw(problem, schedule, step, column)
            power[step, column], cost[step, column] = _cheapest(site, columns, candidates=candidates)
    return power, cost


def _solved_site(problem: PlanProblem, end_s: float) -> _Site:
    """Return the program of one site, or of all that share a limit, solved."""
    solver, matrix = Solver(), build(problem)
    answer = solve_exclusive(solver, problem, matrix, time_limit_s=end_s - perf_counter())
    return _Site(problem, matrix, solver, answer, end_s)


def _candidates_kw(problem: PlanProblem, schedule: Schedule, step: int, column: int) -> list[float]:
    """Return the powers that the alternative may have: 0 for an action, full powers for a rest."""
    if schedule.power_kw[step, column] != 0.0:
        return [0.0]
    if column >= len(problem.batteries):
        return [edge for edge in _consumption_kw(problem, schedule.asset_ids[column], step) if edge < -NOISE_KW]
    battery = problem.batteries[column]
    before = initial_energy_kwh(problem)[column] if step == 0 else schedule.soc[step - 1, column] * battery.capacity_kwh
    band = storage.power_band_kw(before, battery.limits, duration_h=problem.grid.duration_h)
    return [float(edge) for edge in band if abs(edge) > NOISE_KW]


def _consumption_kw(problem: PlanProblem, asset_id: str, step: int) -> list[float]:
    """Return the full power of a flexible asset in a step, negative."""
    for goal in problem.goals:
        if goal.asset_id == asset_id and goal.window[0] <= step < goal.window[1]:
            most = goal.energy_needed_kwh / (problem.grid.duration_h * goal.charge_efficiency)
            return [-min(goal.charge_max_kw, most)]
    return [-house.heat_pump.rated_kw for house in problem.heated_houses if house.asset_id == asset_id]


def _cheapest(site: _Site, columns: Integers, *, candidates: list[float]) -> tuple[float, float]:
    """Return power and extra cost of the cheapest candidate; NaN twice when none is feasible."""
    tried = [(site.cost_of(columns, power), power) for power in candidates]
    known = [(cost, power) for cost, power in tried if np.isfinite(cost)]
    if not known:
        return np.nan, np.nan
    cost, power = min(known)
    scale = max(1.0, abs(site.answer.solution.objective))
    if cost < -TOLERANCE * scale:
        return np.nan, np.nan
    return power, max(cost, 0.0)
