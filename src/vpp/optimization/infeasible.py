"""When no plan keeps every limit: which limits clash, when, by how much, and the plan that breaks them least.

Only connection limits are hard against the uncontrolled power; in the elastic program they give way at a price above
everything else, so what gives way in its optimum is what clashes.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from vpp.core.messages.planned import Conflict, PlanStatus, ReasonCode, Schedule
from vpp.optimization.matrix import build
from vpp.optimization.modes import solve_exclusive
from vpp.optimization.outcome import Choice, Outcome, outcome_of, schedule_of, without_plan
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reasons import reasons
from vpp.optimization.solver import Solver, SolveStatus

METHOD = "elastic"
VIOLATION_TOLERANCE_KW = 1e-6


def infeasible_schedule(problem: PlanProblem, *, time_limit_s: float) -> Schedule:
    """Return INFEASIBLE with its conflicts and the plan of least violation.

    When even the elastic program finds no answer within the limit, ``least_violation`` is None and the message says so.
    """
    end_s = perf_counter() + time_limit_s
    powers, curtailed = np.zeros((problem.grid.count, len(problem.batteries))), np.zeros_like(problem.fixed_kw)
    for site in range(len(problem.site_ids)):
        part = problem.at_site(site)
        matrix = build(part, elastic=True)
        solution = solve_exclusive(Solver(), part, matrix, time_limit_s=end_s - perf_counter()).solution
        if solution.status is not SolveStatus.OPTIMAL:
            message = f"no plan keeps every connection limit; the nearest was not found ({solution.detail})"
            return without_plan(problem, PlanStatus.INFEASIBLE, method=METHOD, message=message)
        mine = [index for index, where in enumerate(problem.battery_site) if where == site]
        block = matrix.layout.block
        powers[:, mine] = (block(solution.value, "discharge") - block(solution.value, "charge")).T
        if matrix.layout.structure.curtail:
            curtailed[:, site] = block(solution.value, "curtail")[0]
    choice = Choice(powers, curtailed)
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
    return tuple(sorted(found, key=lambda conflict: (conflict.time, conflict.name)))


def summary(found: tuple[Conflict, ...]) -> str:
    """Return the conflicts as one sentence: what clashes, how often, and where it is worst."""
    if not found:
        return "no plan keeps every limit with one direction at a time"
    names = ", ".join(sorted({conflict.name for conflict in found}))
    worst = max(found, key=lambda conflict: conflict.violation_kw)
    steps = "1 step" if len(found) == 1 else f"{len(found)} steps"
    return f"no plan keeps {names} ({steps}); at worst {worst.message}"
