"""When no plan keeps every limit: which limits clash, when, by how much, and the plan that breaks them least.

Only the limits of connections and portfolio and the reserve that is owed are hard; in the elastic program they give way
at a price above everything else, so what gives way in its optimum is what clashes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import numpy as np

from vpp.core.messages.planned import Conflict, PlanStatus, ReasonCode, Schedule
from vpp.optimization.choice import choice_of, joined
from vpp.optimization.matrix import build
from vpp.optimization.modes import solve_exclusive
from vpp.optimization.outcome import Choice, Outcome, outcome_of, schedule_of, without_plan
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reasons import reasons
from vpp.optimization.solver import LinearSolver, Solver, SolveStatus

METHOD = "elastic"
VIOLATION_TOLERANCE_KW = 1e-6


def infeasible_schedule(
    problem: PlanProblem, *, time_limit_s: float, solver_of: Callable[[], LinearSolver] = Solver
) -> Schedule:
    """Return INFEASIBLE with its conflicts and the plan of least violation.

    When even the elastic program finds no answer within the limit, ``least_violation`` is None and the message says so.
    """
    end_s = perf_counter() + time_limit_s
    parts = [problem] if problem.coupled else [problem.at_site(site) for site in range(len(problem.site_ids))]
    choices = []
    for part in parts:
        matrix = build(part, elastic=True)
        answer = solve_exclusive(solver_of(), part, matrix, time_limit_s=end_s - perf_counter())
        if answer.solution.status is not SolveStatus.OPTIMAL:
            detail = answer.solution.detail
            message = f"no plan keeps every connection limit; the nearest was not found ({detail})"
            return without_plan(problem, PlanStatus.INFEASIBLE, method=METHOD, message=message)
        choices.append(choice_of(part, matrix, answer))
    # prices of a program that breaks limits are the price of breaking them
    choice = replace(joined(problem, choices), value_per_kwh=None, price_per_kwh=None, flexible_value_per_kwh=None)
    outcome = outcome_of(problem, choice)
    found = conflicts(problem, outcome)
    nearest = replace(_nearest(problem, choice, outcome), conflicts=found)
    empty = without_plan(problem, PlanStatus.INFEASIBLE, method=METHOD, message=summary(found))
    return replace(empty, conflicts=found, least_violation=nearest)


def _nearest(problem: PlanProblem, choice: Choice, outcome: Outcome) -> Schedule:
    """Return the plan of least violation, named as such; its status stays INFEASIBLE."""
    _, limit = reasons(problem, outcome, choice)
    code = np.full(outcome.power_kw.shape, int(ReasonCode.LEAST_VIOLATION), dtype=np.int64)
    schedule = schedule_of(problem, outcome, choice=choice, code=code, limit=limit, method="least violation")
    return replace(schedule, status=PlanStatus.INFEASIBLE, message="breaks the connection limits as little as possible")


def violations_kw(problem: PlanProblem, outcome: Outcome) -> dict[str, Floats]:
    """Return by how much each connection limit is missed, shape (T, S) each, 0 where it is kept."""
    return {
        "import_max_kw": np.maximum(outcome.import_kw - problem.import_max_kw, 0.0),
        "export_max_kw": np.maximum(outcome.export_kw - problem.export_max_kw, 0.0),
    }


def conflicts(problem: PlanProblem, outcome: Outcome) -> tuple[Conflict, ...]:
    """Return the limits that are missed, in order of time."""
    words = {
        "import_max_kw": "needs {exchange:.4g} kW from the grid at {time}, {miss:.4g} kW more than its connection "
        "allows ({limit:.4g} kW), with its batteries giving all they can",
        "export_max_kw": "must feed in {exchange:.4g} kW at {time}, {miss:.4g} kW more than its connection "
        "allows ({limit:.4g} kW), with nothing left to curtail and no room to store it",
    }
    found = []
    for name, missed in violations_kw(problem, outcome).items():
        limits = getattr(problem, name)
        for step, site in np.argwhere(missed > VIOLATION_TOLERANCE_KW).tolist():
            time, miss = problem.grid.time(step), float(missed[step, site])
            text = words[name].format(
                exchange=float(limits[site]) + miss,
                time=f"{time:%Y-%m-%d %H:%M} UTC",
                miss=miss,
                limit=float(limits[site]),
            )
            where = problem.site_ids[site]
            found.append(Conflict(f"{name} at {where}", time, miss, f"{where} {text}."))
    found += _shared_conflicts(problem, outcome)
    return tuple(sorted(found, key=lambda conflict: (conflict.time, conflict.name)))


_SHARED_WORDS = {
    "portfolio_import_max_kw": "together the sites need {got:.4g} kW from the grid at {time}, {miss:.4g} kW more than "
    "the portfolio may draw ({limit:.4g} kW).",
    "portfolio_export_max_kw": "together the sites must feed in {got:.4g} kW at {time}, {miss:.4g} kW more than the "
    "portfolio may feed in ({limit:.4g} kW).",
    "reserve.up_required_kw": "the batteries can hold {got:.4g} kW of upward reserve at {time}, {miss:.4g} kW less "
    "than is owed ({limit:.4g} kW).",
    "reserve.down_required_kw": "the batteries can hold {got:.4g} kW of downward reserve at {time}, {miss:.4g} kW less "
    "than is owed ({limit:.4g} kW).",
}


def _shared_conflicts(problem: PlanProblem, outcome: Outcome) -> list[Conflict]:
    """Return what is missed of the limits and duties that the sites share."""
    exchange, steps = (outcome.export_kw - outcome.import_kw).sum(axis=1), problem.grid.count
    checked = [
        ("portfolio_import_max_kw", -exchange, np.full(steps, problem.portfolio_import_max_kw), 1.0),
        ("portfolio_export_max_kw", exchange, np.full(steps, problem.portfolio_export_max_kw), 1.0),
    ]
    if problem.reserve is not None and outcome.reserve_kw is not None:
        for way, held in outcome.reserve_kw.items():
            owed = problem.reserve.series(way, "required_kw", steps)
            checked.append((f"reserve.{way}_required_kw", held.sum(axis=1), owed, -1.0))
    found = []
    for name, got, limit, sign in checked:
        missed = sign * (got - limit)
        for step in np.flatnonzero(missed > VIOLATION_TOLERANCE_KW).tolist():
            time, miss = problem.grid.time(step), float(missed[step])
            text = _SHARED_WORDS[name].format(
                got=float(got[step]), time=f"{time:%Y-%m-%d %H:%M} UTC", miss=miss, limit=float(limit[step])
            )
            found.append(Conflict(name, time, miss, text))
    return found


def summary(found: tuple[Conflict, ...]) -> str:
    """Return the conflicts as one sentence: what clashes, how often, and where it is worst."""
    if not found:
        return "no plan keeps every limit with one direction at a time"
    names = ", ".join(sorted({conflict.name for conflict in found}))
    worst = max(found, key=lambda conflict: conflict.violation_kw)
    steps = "1 step" if len(found) == 1 else f"{len(found)} steps"
    return f"no plan keeps {names} ({steps}); at worst {worst.message}"
