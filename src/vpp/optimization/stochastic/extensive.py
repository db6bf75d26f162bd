"""The extensive form: every scenario's second stage written out beside the first, in one linear program.

The oracle of the cuts, and the slower way: its size grows with the scenarios.
Columns: those of ``schedule_part``; per scenario and step ``imports``, ``exports`` and ``curtail``; the VaR; and per
scenario the cost above it. Rows: those of ``schedule_part``; the meter's balance of each scenario and step; the tail of
each scenario (Rockafellar and Uryasev, J. Risk 2 (2000) 21, doi:10.21314/JOR.2000.038).
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.matrix import battery_table
from vpp.optimization.solver import SolveStatus
from vpp.optimization.sparse_program import Entries, ProgramSolver, SparseProgram, compress
from vpp.optimization.stochastic.problem import Risk, StochasticProblem
from vpp.optimization.stochastic.recourse import Recourse
from vpp.optimization.stochastic.risk_plan import Proof, RiskPlan, cost_of_doing_nothing, plan_of, without_plan
from vpp.optimization.stochastic.schedule_part import SchedulePart, one_direction, schedule_part

METHOD = "extensive form"
# past this the interior point is faster than the simplex (measured; HiGHS 1.15)
SIMPLEX_COLUMNS = 30_000
LIMIT_TOLERANCE_KW = 1e-6
_STATUS = {SolveStatus.INFEASIBLE: PlanStatus.INFEASIBLE, SolveStatus.TIME_LIMIT: PlanStatus.TIMEOUT}


def plan_extensive(
    problem: StochasticProblem, risk: Risk = Risk(), *, gap: float = 1e-4, time_limit_s: float = 30.0
) -> RiskPlan:
    """Return the schedule of least risk-weighted cost by one linear program; see ``cvar.plan_under_risk``.

    Where the program charges and discharges at once, the schedule stores the same in one direction, is costed as that,
    and keeps the program's objective as its bound.
    """
    began_s = perf_counter()
    recourse, part = Recourse.of(problem, risk), schedule_part(problem)
    still = cost_of_doing_nothing(problem, risk, recourse)
    program = extensive_program(problem, risk, part)
    solver = ProgramSolver(interior=program.cost.size > SIMPLEX_COLUMNS)
    run_s = perf_counter()
    timings = {"total": 0.0, "master": 0.0, "recourse": 0.0}
    low, high = problem.injection_band_kw
    if (low > high).any():
        proof = Proof(np.nan, still, 0, METHOD, "the meter's limits clash between scenarios", timings, gap)
        return without_plan(problem, risk, status=PlanStatus.INFEASIBLE, proof=proof)
    solver.load_program(program)
    solution = solver.run(time_limit_s=time_limit_s)
    timings |= {"total": perf_counter() - began_s, "master": perf_counter() - run_s}
    bound = solution.objective if solution.status is SolveStatus.OPTIMAL else np.nan
    why = "directions were separated after the relaxation; the bound is the relaxation's"
    if solution.status is not SolveStatus.OPTIMAL:
        status = _STATUS.get(solution.status, PlanStatus.FAILED)
        proof = Proof(bound, still, 1, METHOD, f"the solver stopped: {solution.detail}", timings, gap)
        return without_plan(problem, risk, status=status, proof=proof)
    power = one_direction(*part.pair(solution.value), battery_table(problem.batteries))
    proof = Proof(bound, still, 1, METHOD, why, timings, gap)
    if (power.sum(axis=0) > high + LIMIT_TOLERANCE_KW).any():
        why = "without burning energy in the batteries, the program's schedule feeds in more than the meter may"
        proof = replace(proof, message=why)
        return without_plan(problem, risk, status=PlanStatus.FAILED, proof=proof)
    return plan_of(problem, risk, recourse, power_kw=power, proof=proof)


def extensive_program(problem: StochasticProblem, risk: Risk, part: SchedulePart) -> SparseProgram:
    """Return the program; S scenarios and T steps make 3ST + S columns and ST + S rows beside the first stage."""
    scenarios, cells = problem.scenarios, problem.scenarios * problem.steps
    first, hours = part.columns, problem.duration_h
    threshold = first + 3 * cells
    columns = threshold + 1 + scenarios
    expected = (1.0 - risk.weight) * problem.weights
    cost, lower, upper = np.zeros(columns), np.zeros(columns), np.full(columns, np.inf)
    cost[:first], lower[:first], upper[:first] = part.cost, part.lower, part.upper
    cost[first : first + cells] = (hours * expected[:, None] * problem.import_price_per_kwh).ravel()
    cost[first + cells : first + 2 * cells] = (-hours * expected[:, None] * problem.export_price_per_kwh).ravel()
    cost[threshold] = risk.weight
    cost[threshold + 1 :] = risk.weight * problem.weights / (1.0 - risk.level)
    lower[threshold] = -np.inf
    upper[first : first + cells] = problem.import_max_kw
    upper[first + cells : first + 2 * cells] = problem.export_max_kw
    upper[first + 2 * cells : threshold] = problem.curtailable_kw.ravel()
    if risk.weight == 0.0:
        lower[threshold] = 0.0
    available = (problem.fixed_kw + problem.curtailable_kw).ravel()
    zeros, infinite = np.zeros(scenarios), np.full(scenarios, np.inf)
    start, index, value = compress([*part.entries, *_entries(problem, part)], columns)
    return SparseProgram(
        cost,
        lower,
        upper,
        np.concatenate([part.right, available, zeros]),
        np.concatenate([part.right, available, infinite]),
        start,
        index,
        value,
    )


def _entries(problem: StochasticProblem, part: SchedulePart) -> list[Entries]:
    """Return ``exports - imports + curtail - injection = available`` and ``above + VaR - cost >= 0``."""
    scenarios, steps, hours = problem.scenarios, problem.steps, problem.duration_h
    cell = np.arange(scenarios * steps)
    meter, tail = part.rows + cell, part.rows + cell.size + np.repeat(np.arange(scenarios), steps)
    imports = part.columns + cell
    exports, curtail = imports + cell.size, imports + 2 * cell.size
    threshold = part.columns + 3 * cell.size
    rows, one = part.rows + cell.size + np.arange(scenarios), np.ones(cell.size)
    each = np.ones(scenarios)
    return [
        (meter, part.injection.start + np.tile(np.arange(steps), scenarios), -one),
        (meter, imports, -one),
        (meter, exports, one),
        (meter, curtail, one),
        (tail, imports, -hours * problem.import_price_per_kwh.ravel()),
        (tail, exports, hours * problem.export_price_per_kwh.ravel()),
        (rows, np.full(scenarios, threshold), each),
        (rows, threshold + 1 + np.arange(scenarios), each),
    ]
