"""The linear planner: problem, sparse matrix, HiGHS held hot, schedule with duals and reasons."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus, Schedule
from vpp.core.ports import Planner
from vpp.optimization.choice import choice_of, joined
from vpp.optimization.infeasible import infeasible_schedule
from vpp.optimization.matrix import Layout, Matrix, build, layout_of, structure_of
from vpp.optimization.modes import Exclusive, solve_exclusive
from vpp.optimization.outcome import outcome_of, schedule_of, without_plan
from vpp.optimization.problem import PlanProblem
from vpp.optimization.reasons import reasons
from vpp.optimization.rules import RulePlanner
from vpp.optimization.solver import LinearSolver, Solver, SolveStatus

__all__ = ["METHOD", "METHOD_CLOSED", "METHOD_SEARCHED", "METHOD_STARTED", "LinearPlanner", "choice_of"]

METHOD = "linear"
METHOD_CLOSED = "linear, directions fixed"
METHOD_STARTED = "linear, starts chosen"
METHOD_SEARCHED = "mixed integer"
# sites share nothing: together they re-plan faster, hot; a year at once is solved site by site
TOGETHER_COLUMNS = 40_000
MODELS_KEPT = 8
GAP_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One program of the problem, and what came of it."""

    problem: PlanProblem
    matrix: Matrix
    answer: Exclusive

    @property
    def status(self) -> SolveStatus:
        return self.answer.solution.status


class LinearPlanner:
    """Least cost by linear programming, one direction at a time, with prices and reasons.

    One planner serves one thread: it keeps a solver model per problem structure, so that a re-plan of the same plant
    changes costs, bounds and right-hand sides only. The same sequence of problems gives the same schedules; where
    several plans cost the same, which of them is returned may depend on the plans made before.

    Parameters
    ----------
    name : str
        Name of the planner.
    time_limit_s : float
        For one plan, above 0. Past it the fallback answers.
    fallback : Planner or None
        Answers when the solver does not, never when the problem is infeasible; by default the rule, None for none.
    exact_directions : bool
        Where directions had to be fixed or starts chosen at a cost above the relaxation, search the best ones by a
        mixed-integer program (HiGHS, whatever ``solver_of`` makes).
    mip_time_limit_s : float
        For that search, above 0; past it the best plan found is returned with what is proved of it.
    solver_of : callable without arguments
        Makes the solver of one program; by default HiGHS.

    Examples
    --------
    >>> import numpy as np
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
    >>> schedule = LinearPlanner().plan(problem)
    >>> str(schedule.status), schedule.power_kw[:, 0].round(2).tolist()
    ('optimal', [-4.0, 2.0, 1.6])
    """

    def __init__(
        self,
        name: str = METHOD,
        *,
        time_limit_s: float = 30.0,
        fallback: Planner[PlanProblem] | None = RulePlanner(),
        exact_directions: bool = False,
        mip_time_limit_s: float = 10.0,
        solver_of: Callable[[], LinearSolver] = Solver,
    ) -> None:
        if not mip_time_limit_s > 0.0:
            raise InvalidInputError("mip_time_limit_s", mip_time_limit_s, "above 0 [s]")
        self._exact_s = mip_time_limit_s if exact_directions else None
        self.name = name
        self._time_limit_s = time_limit_s
        self._fallback = fallback
        self._solver_of = solver_of
        self._solvers: OrderedDict[Layout, LinearSolver] = OrderedDict()

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the plan of least cost.

        Returns
        -------
        Schedule
            OPTIMAL; INFEASIBLE with the conflicts and the plan of least violation; FALLBACK_USED when the solver gave
            no answer and the fallback did; TIMEOUT or FAILED when nothing answered.
        """
        began_s = perf_counter()
        parts = self._solve(problem, end_s=began_s + self._time_limit_s)
        failed = [part for part in parts if part.status is not SolveStatus.OPTIMAL]
        if not failed:
            schedule = _optimal(problem, parts)
        elif any(part.status is SolveStatus.INFEASIBLE for part in failed):
            schedule = infeasible_schedule(problem, time_limit_s=self._time_limit_s, solver_of=self._solver_of)
        else:
            schedule = self._without_answer(problem, failed[0])
        return replace(schedule, solve_time_s=perf_counter() - began_s)

    def _solve(self, problem: PlanProblem, *, end_s: float) -> list[_Part]:
        """Solve the problem whole and hot, or site by site when it is large; stops at the first part without answer."""
        layout = layout_of(structure_of(problem))
        if len(problem.site_ids) == 1 or problem.coupled or layout.column_count <= TOGETHER_COLUMNS:
            return [self._solve_part(problem, self._solver(layout), end_s=end_s)]
        parts = []
        for site in range(len(problem.site_ids)):
            parts.append(self._solve_part(problem.at_site(site), self._solver_of(), end_s=end_s))
            if parts[-1].status is not SolveStatus.OPTIMAL:
                break
        return parts

    def _solver(self, layout: Layout) -> LinearSolver:
        """Return the solver kept for a structure; the one unused longest makes room."""
        solver = self._solvers.pop(layout, None) or self._solver_of()
        self._solvers[layout] = solver
        if len(self._solvers) > MODELS_KEPT:
            self._solvers.popitem(last=False)
        return solver

    def _solve_part(self, problem: PlanProblem, solver: LinearSolver, *, end_s: float) -> _Part:
        matrix, left_s = build(problem), end_s - perf_counter()
        return _Part(
            problem, matrix, solve_exclusive(solver, problem, matrix, time_limit_s=left_s, exact_s=self._exact_s)
        )

    def _without_answer(self, problem: PlanProblem, part: _Part) -> Schedule:
        """Return the fallback's plan, or say that nothing answered."""
        timed_out = part.status is SolveStatus.TIME_LIMIT
        detail = part.answer.solution.detail
        why = f"no plan within {self._time_limit_s:g} s" if timed_out else f"the solver stopped: {detail}"
        status = PlanStatus.TIMEOUT if timed_out else PlanStatus.FAILED
        if self._fallback is None:
            return without_plan(problem, status, method=self.name, message=f"{self.name}: {why}")
        answer = self._fallback.plan(problem)
        if answer.usable:
            message = f"{self.name}: {why}; planned by {self._fallback.name} instead"
            return replace(answer, status=PlanStatus.FALLBACK_USED, message=message)
        message = f"{self.name}: {why}; {self._fallback.name}: {answer.message}"
        return without_plan(problem, PlanStatus.FAILED, method=self.name, message=message)


def _optimal(problem: PlanProblem, parts: list[_Part]) -> Schedule:
    """Return the schedule of solved parts."""
    choice = joined(problem, [choice_of(part.problem, part.matrix, part.answer) for part in parts])
    outcome = outcome_of(problem, choice)
    code, limit = reasons(problem, outcome, choice)
    bounds = [part.answer.bound for part in parts]
    bound = float(sum(value for value in bounds if value is not None))
    method = _method(parts)
    gap = outcome.objective - bound
    message = ""
    if method != METHOD and gap > GAP_TOLERANCE * max(1.0, abs(bound)):
        what = "starts were chosen" if method == METHOD_STARTED else "directions were fixed"
        message = f"{what} after the relaxation: at most {gap:.4g} above the least cost"
    searched = "; ".join(dict.fromkeys(part.answer.searched for part in parts if part.answer.searched))
    if searched:
        message = f"{searched} ({gap:.4g} above the relaxation)"
    return schedule_of(
        problem,
        outcome,
        choice=choice,
        code=code,
        limit=limit,
        method=METHOD_SEARCHED if searched else method,
        message=message,
        bound=bound,
    )


def _method(parts: list[_Part]) -> str:
    """Return how the parts came about: relaxed, with starts chosen, or with directions fixed."""
    method = METHOD
    for part in parts:
        closed = part.answer.closed
        if not closed.size:
            continue
        runs = part.matrix.layout.columns.get("run", slice(0, 0))
        if ((closed < runs.start) | (closed >= runs.stop)).any():
            return METHOD_CLOSED
        method = METHOD_STARTED
    return method
