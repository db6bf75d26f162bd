"""From a planning problem of one battery behind one meter to a schedule, by the exact kernel instead of a program."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import perf_counter

import numpy as np

from vpp.core.messages.planned import Schedule
from vpp.optimization.battery_table import BAND_TOLERANCE_KWH, battery_table, floor_kwh, initial_energy_kwh
from vpp.optimization.infeasible import infeasible_schedule
from vpp.optimization.kernel.backend import Backend
from vpp.optimization.kernel.site import SiteProblem, solve_site
from vpp.optimization.outcome import Choice, outcome_of, schedule_of
from vpp.optimization.penalties import penalty_per_kwh
from vpp.optimization.problem import PlanProblem
from vpp.optimization.reasons import reasons

METHOD = "kernel"
METHOD_SEARCHED = "kernel, directions searched"
GAP_TOLERANCE = 1e-9


def why_not(problem: PlanProblem) -> str:
    """Return why the kernel cannot plan a problem, in words; empty when it can."""
    if len(problem.site_ids) != 1 or len(problem.batteries) != 1:
        return f"{len(problem.batteries)} batteries at {len(problem.site_ids)} sites: the kernel plans one at one"
    extra = {
        "cars, heat pumps or flexible loads": problem.flexible,
        "a portfolio limit": min(problem.portfolio_import_max_kw, problem.portfolio_export_max_kw) < inf,
        "a demand charge": problem.demand_charge_per_kw is not None,
        "reserve": problem.reserve is not None,
        "wear by depth": bool(problem.wear_curves),
    }
    found = [name for name, there in extra.items() if there]
    if found:
        return f"the kernel does not know {', '.join(found)}"
    table, energy = battery_table(problem.batteries), initial_energy_kwh(problem)
    if not (table.energy_min_kwh[0] <= energy[0] <= table.energy_max_kwh[0]):
        return "the battery starts outside its band"
    if (problem.export_price_per_kwh > problem.import_cost_per_kwh).any():
        return "feeding in pays more than drawing costs: the meter's direction is a choice of its own"
    return ""


def plan_site(problem: PlanProblem, *, backend: Backend | None = None, time_limit_s: float = 30.0) -> Schedule | None:
    """Return the least-cost schedule of one battery behind one meter, with prices and reasons.

    Parameters
    ----------
    problem : PlanProblem
        One site, one battery; what was sold ahead, soft floors and curtailment included.
    backend : "numba", "python" or None
        None takes numba where it is installed.
    time_limit_s : float
        For the plan of least violation of an infeasible problem; the kernel itself needs none.

    Returns
    -------
    Schedule or None
        OPTIMAL, with the relaxation's cost as ``bound``; INFEASIBLE with the conflicts and the plan of least violation.
        None where ``why_not`` says that the kernel does not apply, and where the search for one direction at a time
        ended without proof.
    """
    if why_not(problem):
        return None
    began_s = perf_counter()
    plan = solve_site(site_of(problem), backend=backend)
    if not plan.proven:
        return None
    if not plan.feasible:
        schedule = infeasible_schedule(problem, time_limit_s=time_limit_s)
        return replace(schedule, solve_time_s=perf_counter() - began_s)
    choice = Choice(
        plan.power_kw[:, None], plan.curtailed_kw[:, None], plan.value_per_kwh[:, None], plan.price_per_kwh[:, None]
    )
    outcome = outcome_of(problem, choice)
    code, limit = reasons(problem, outcome, choice)
    gap = plan.cost - plan.bound
    searched = gap > GAP_TOLERANCE * max(1.0, abs(plan.bound))
    return schedule_of(
        problem,
        outcome,
        choice=choice,
        code=code,
        limit=limit,
        method=METHOD_SEARCHED if searched else METHOD,
        message=f"least cost with one direction at a time; {gap:.4g} above the relaxation" if searched else "",
        solve_time_s=perf_counter() - began_s,
        bound=plan.bound,
    )


def site_of(problem: PlanProblem) -> SiteProblem:
    """Return the kernel's form of a problem with one battery at one site."""
    unit, floor = problem.batteries[0], floor_kwh(problem)[0]
    soft = bool((floor > battery_table(problem.batteries).energy_min_kwh[0] + BAND_TOLERANCE_KWH).any())
    return SiteProblem(
        duration_h=problem.grid.duration_h,
        limits=unit.limits,
        initial_energy_kwh=float(initial_energy_kwh(problem)[0]),
        import_price_per_kwh=problem.import_cost_per_kwh[:, 0],
        export_price_per_kwh=problem.export_price_per_kwh[:, 0],
        fixed_kw=problem.fixed_kw[:, 0],
        curtailable_kw=problem.curtailable_kw[:, 0],
        import_max_kw=float(problem.import_max_kw[0]),
        export_max_kw=float(problem.export_max_kw[0]),
        wear_cost_per_kwh=unit.wear_cost_per_kwh,
        terminal_value_per_kwh=float(problem.terminal_value_per_kwh[0]),
        sold_kw=problem.committed_kw[:, 0] if np.isfinite(problem.committed_kw).any() else None,
        imbalance_spread_per_kwh=problem.imbalance_spread_per_kwh,
        floor_kwh=floor if soft else None,
        floor_penalty_per_kwh=float(penalty_per_kwh(problem)[0]),
    )
