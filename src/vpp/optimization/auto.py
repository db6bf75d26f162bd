"""The choice of method by the structure of a problem, said in words with every plan; any method can be forced.

| structure | method |
| --- | --- |
| one battery behind one meter, nothing else | kernel: exact, without a program |
| from 300 batteries on one meter, nothing sold ahead | decomposition: prices are tried, batteries answer |
| one program of over 80,000 columns | interior point |
| everything else | simplex, kept hot |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import ClassVar

import numpy as np

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages.planned import PlanStatus, Schedule
from vpp.core.storage import StorageLimits
from vpp.optimization.battery_table import battery_table, initial_energy_kwh
from vpp.optimization.fleet.decomposition import plan_fleet
from vpp.optimization.fleet.problem import FleetProblem
from vpp.optimization.kernel import planned
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.outcome import Choice, outcome_of, schedule_of, without_plan
from vpp.optimization.problem import PlanProblem
from vpp.optimization.reasons import reasons
from vpp.optimization.solver import Solver

METHODS = ("kernel", "simplex", "interior point", "decomposition")
FEWEST_OF_A_FLEET = 300
"""From about here prices are faster than the program; at 100 batteries they tie."""
LARGE_COLUMNS = 80_000
"""From about here interior point is faster than the simplex method."""
_COLUMNS_PER_BATTERY, _COLUMNS_PER_SITE = 3, 3


@dataclass(frozen=True, slots=True)
class Selection:
    """A method and, in words, why it was taken."""

    method: str
    why: str


class InteriorPointSolver(Solver):
    """HiGHS by interior point with crossover, for large programs that are solved once."""

    algorithm: ClassVar[str] = "ipm"


class AutoPlanner:
    """Plans by the method that fits the structure of the problem.

    Parameters
    ----------
    method : str, optional
        One of ``METHODS`` to force it; by default ``select`` decides.
    time_limit_s : float
        For one plan, above 0.
    gap : float
        What decomposition has to prove, relative to what the batteries are worth.

    Raises
    ------
    UnknownNameError
        When no method has that name.
    """

    def __init__(self, method: str | None = None, *, time_limit_s: float = 30.0, gap: float = 1e-4) -> None:
        if method is not None and method not in METHODS:
            raise UnknownNameError("method", method, METHODS)
        self.name = "auto" if method is None else method
        self._forced = None if method is None else Selection(method, "as asked for")
        self._time_limit_s = time_limit_s
        self._gap = gap
        self._simplex = LinearPlanner(time_limit_s=time_limit_s)
        self._interior = LinearPlanner(time_limit_s=time_limit_s, solver_of=InteriorPointSolver)

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return a schedule whose ``method`` says what made it and why.

        Raises
        ------
        InvalidInputError
            When a forced method cannot plan this problem; the reason is named.
        """
        chosen = self._forced or select(problem)
        solve: dict[str, Callable[[PlanProblem], Schedule | None]] = {
            "kernel": self._by_kernel,
            "simplex": self._simplex.plan,
            "interior point": self._interior.plan,
            "decomposition": self._by_decomposition,
        }
        schedule = solve[chosen.method](problem)
        if schedule is None:
            chosen = Selection("simplex", f"{chosen.method} ended without proof")
            schedule = self._simplex.plan(problem)
        return replace(schedule, method=f"{schedule.method} ({chosen.method}: {chosen.why})")

    def _by_kernel(self, problem: PlanProblem) -> Schedule | None:
        obstacle = planned.why_not(problem)
        if obstacle:
            raise InvalidInputError("method", "kernel", f"another one: {obstacle}")
        return planned.plan_site(problem, time_limit_s=self._time_limit_s)

    def _by_decomposition(self, problem: PlanProblem) -> Schedule | None:
        obstacle = why_no_fleet(problem)
        if obstacle:
            raise InvalidInputError("method", "decomposition", f"another one: {obstacle}")
        return plan_as_fleet(problem, gap=self._gap, time_limit_s=self._time_limit_s)


def select(problem: PlanProblem) -> Selection:
    """Return the method that fits a problem, and why."""
    batteries, sites, steps = len(problem.batteries), len(problem.site_ids), problem.grid.count
    if not planned.why_not(problem):
        return Selection("kernel", "one battery behind one meter")
    if batteries >= FEWEST_OF_A_FLEET and not why_no_fleet(problem):
        return Selection("decomposition", f"{batteries} batteries on one meter")
    columns = steps * (_COLUMNS_PER_BATTERY * batteries + _COLUMNS_PER_SITE * sites)
    programs = 1 if problem.coupled else max(sites, 1)  # sites that share nothing are programs of their own
    if columns > LARGE_COLUMNS * programs:
        return Selection("interior point", f"about {columns} columns")
    return Selection("simplex", f"{batteries} batteries at {sites} sites over {steps} steps")


def why_no_fleet(problem: PlanProblem) -> str:
    """Return why decomposition cannot plan a problem, in words; empty when it can."""
    if len(problem.site_ids) != 1:
        return f"{len(problem.site_ids)} meters: a fleet shares one"
    table, start = battery_table(problem.batteries), initial_energy_kwh(problem)
    obstacles = {
        "cars, heat pumps or flexible loads": bool(problem.flexible),
        "a portfolio limit": min(problem.portfolio_import_max_kw, problem.portfolio_export_max_kw) < inf,
        "a demand charge": problem.demand_charge_per_kw is not None,
        "reserve": problem.reserve is not None,
        "wear by depth": bool(problem.wear_curves),
        "positions sold ahead": bool(np.isfinite(problem.committed_kw).any()),
        "backup levels": any(battery.backup_soc > battery.soc_min for battery in problem.batteries),
        "a soft state of charge at the end": problem.final_soc_min is not None,
        "starts outside the band": bool(((start < table.energy_min_kwh) | (start > table.energy_max_kwh)).any()),
        "feeding in above drawing": bool((problem.export_price_per_kwh > problem.import_cost_per_kwh).any()),
    }
    found = [name for name, there in obstacles.items() if there]
    return f"a fleet does not know {', '.join(found)}" if found else ""


def plan_as_fleet(problem: PlanProblem, *, gap: float, time_limit_s: float) -> Schedule:
    """Return the schedule of many batteries on one meter, by price decomposition."""
    began_s = perf_counter()
    table = battery_table(problem.batteries)
    fleet = FleetProblem(
        duration_h=problem.grid.duration_h,
        limits=StorageLimits(
            table.energy_min_kwh,
            table.energy_max_kwh,
            table.charge_max_kw,
            table.discharge_max_kw,
            table.charge_efficiency,
            table.discharge_efficiency,
        ),
        initial_energy_kwh=initial_energy_kwh(problem),
        import_price_per_kwh=problem.import_cost_per_kwh[:, 0],
        export_price_per_kwh=problem.export_price_per_kwh[:, 0],
        fixed_kw=problem.fixed_kw[:, 0],
        wear_cost_per_kwh=table.wear_cost_per_kwh,
        terminal_value_per_kwh=problem.terminal_value_per_kwh,
        curtailable_kw=problem.curtailable_kw[:, 0],
        import_max_kw=float(problem.import_max_kw[0]),
        export_max_kw=float(problem.export_max_kw[0]),
    )
    found = plan_fleet(fleet, gap=gap, time_limit_s=time_limit_s)
    if not found.usable:
        return without_plan(problem, found.status, method=found.method, message=found.message)
    power_kw, _ = found.batteries()
    choice = Choice(power_kw.T, found.curtailed_kw[:, None], None, found.price_per_kwh[:, None])
    outcome = outcome_of(problem, choice)
    code, limit = reasons(problem, outcome, choice)
    schedule = schedule_of(
        problem,
        outcome,
        choice=choice,
        code=code,
        limit=limit,
        method=found.method,
        message=found.message,
        bound=found.bound,
    )
    proven = PlanStatus.OPTIMAL if found.status is PlanStatus.OPTIMAL else PlanStatus.FEASIBLE
    return replace(schedule, status=proven, solve_time_s=perf_counter() - began_s)
