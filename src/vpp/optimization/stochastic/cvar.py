"""Least blend of expected cost and CVaR over scenarios, by cuts in the space of the joint injection.

Given the schedule, the second stage has a closed form and the tail is a sort, so the cost is a convex function of the
T injections alone. A hot linear program knows it by tangents: one per step for the expectation, one for the CVaR, and
where the CVaR counts much, one per step for each tail that was met. The point tried lies half way between the best
schedule and the program's optimum (in-out stabilisation; Ben-Ameur and Neto, Networks 49 (2007) 3,
doi:10.1002/net.20137). The time hardly depends on the number of scenarios. Every point tried is a schedule that can
run, and the program's optimum is the bound.
"""

from __future__ import annotations

from time import perf_counter
from typing import Literal

import numpy as np

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages.planned import PlanStatus
from vpp.optimization.matrix import battery_table
from vpp.optimization.problem import Floats
from vpp.optimization.solver import Solution, SolveStatus
from vpp.optimization.stochastic.extensive import plan_extensive
from vpp.optimization.stochastic.master import Master
from vpp.optimization.stochastic.problem import Risk, StochasticProblem
from vpp.optimization.stochastic.recourse import Evaluation, Recourse
from vpp.optimization.stochastic.risk_plan import (
    Proof,
    RiskPlan,
    cost_of_doing_nothing,
    gap_scale,
    plan_of,
    without_plan,
)
from vpp.optimization.stochastic.schedule_part import one_direction, wrong_columns

METHOD = "cuts"
METHODS = ("auto", "cuts", "extensive form")
INWARD = 0.5
SEED_POINTS = 3
MOST_ROUNDS = 1_000  # house: allow-1000, a count of rounds
SAME_KW = 1e-9
# a bound that rises by less, relative to its size, stands still
LEAST_PROGRESS = 1e-12


def plan_under_risk(
    problem: StochasticProblem,
    risk: Risk = Risk(),
    *,
    gap: float = 1e-4,
    method: Literal["auto", "cuts", "extensive form"] = "auto",
    time_limit_s: float = 30.0,
) -> RiskPlan:
    """Return the schedule of least risk-weighted cost, and the gap it is proven to.

    Parameters
    ----------
    problem : StochasticProblem
        A batteries, T steps, S scenarios.
    risk : Risk
        Blend of expectation and CVaR, and the confidence of the CVaR.
    gap : float
        Stop when ``(objective - bound) / |cost of doing nothing|`` is at most this; 0 or more.
    method : str
        ``cuts``, ``extensive form`` (every scenario a block of one linear program), or ``auto``, which takes the cuts.
    time_limit_s : float
        Above 0; past it the best schedule so far is returned as FEASIBLE with its gap.

    Returns
    -------
    RiskPlan
        With its status; an infeasible problem is a status, not an error.

    Raises
    ------
    InvalidInputError
        When the gap or the time limit is out of range.
    UnknownNameError
        When the method is unknown.

    Examples
    --------
    >>> from vpp.core.assets import Battery
    >>> price = np.array([[0.1, 0.3], [0.2, 0.2]])
    >>> flat = np.zeros((2, 2))
    >>> problem = StochasticProblem(
    ...     batteries=(Battery(id="battery", capacity_kwh=10, charge_max_kw=4, discharge_max_kw=4),),
    ...     initial_soc=np.array([0.1]),
    ...     duration_h=1.0,
    ...     fixed_kw=flat - 2.0,
    ...     curtailable_kw=flat,
    ...     import_price_per_kwh=price,
    ...     export_price_per_kwh=flat,
    ... )
    >>> plan = plan_under_risk(problem, Risk(weight=0.0))
    >>> str(plan.status), plan.power_kw[:, 0].round(2).tolist(), round(plan.expected_cost, 3)
    ('optimal', [-2.22, 2.0], 0.633)
    >>> plan_under_risk(problem, Risk(weight=1.0, level=0.5)).power_kw[:, 0].round(2).tolist()
    [0.0, 0.0]
    """
    if not gap >= 0.0:
        raise InvalidInputError("gap", gap, "0 or more, relative to the cost of doing nothing")
    if not time_limit_s > 0.0:
        raise InvalidInputError("time_limit_s", time_limit_s, "a positive time [s]")
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    if method == "extensive form":
        return plan_extensive(problem, risk, gap=gap, time_limit_s=time_limit_s)
    return _Search(problem, risk, gap=gap, time_limit_s=time_limit_s).plan()


class _Search:
    """One search by cuts: the program, the best schedule so far, and what is proven."""

    def __init__(self, problem: StochasticProblem, risk: Risk, *, gap: float, time_limit_s: float) -> None:
        self._began_s = perf_counter()
        self._problem, self._risk, self._gap, self._time_limit_s = problem, risk, gap, time_limit_s
        self._low, self._high = problem.injection_band_kw
        self._recourse = Recourse.of(problem, risk)
        self._master = Master(problem, risk, self._recourse)
        self._still = cost_of_doing_nothing(problem, risk, self._recourse)
        self._best_kw: Floats | None = None
        self._best_cost = self._relaxed_cost = self._lower = np.inf
        self._relaxed = self._centre = np.empty(0)
        self._bound, self._closed = -np.inf, False
        self._iterations, self._master_s, self._recourse_s = 0, 0.0, perf_counter() - self._began_s

    def plan(self) -> RiskPlan:
        """Search until the gap is proven, or time or rounds are over."""
        if (self._low > self._high).any():
            return self._without(PlanStatus.INFEASIBLE, self._clash())
        for part in np.linspace(0.0, 1.0, SEED_POINTS):
            self._cut(self._low + part * (self._high - self._low))
        why, stalled = "", False
        while not why and self._iterations < MOST_ROUNDS:
            solution = self._run()
            if solution.status is not SolveStatus.OPTIMAL:
                return self._stopped(solution)
            rose = solution.objective > self._lower + LEAST_PROGRESS * abs(self._lower) or not self._iterations
            self._lower = solution.objective
            if not self._closed:
                self._bound = self._lower
            better = self._try(solution.value, purely=stalled)
            stalled = not (rose or better)
            room = self._gap * gap_scale(self._still, min(self._best_cost, self._relaxed_cost))
            if self._best_cost - self._lower <= room:
                break
            if self._relaxed_cost - self._lower <= room:
                why = self._close()
            if perf_counter() - self._began_s > self._time_limit_s:
                why = f"{self._time_limit_s:g} s were over"
        return self._finished(why)

    def _run(self) -> Solution:
        """Solve the program held."""
        began_s = perf_counter()
        solution = self._master.run(time_limit_s=self._began_s + self._time_limit_s - began_s)
        self._master_s += perf_counter() - began_s
        self._iterations += 1
        return solution

    def _cut(self, injection_kw: Floats) -> Evaluation:
        """Evaluate an injection and add its cuts."""
        began_s = perf_counter()
        evaluation = self._recourse.evaluate(injection_kw)
        self._recourse_s += perf_counter() - began_s
        self._master.add(evaluation)
        return evaluation

    def _try(self, target: Floats, *, purely: bool) -> bool:
        """Evaluate the point between the best schedule and the program's optimum; tell whether it is the best now.

        ``purely`` tries the optimum itself, also as the relaxation has it: that cut always makes progress.
        """
        mixed = not purely and self._centre.size > 0
        part = self._master.part
        point = target[: part.columns]
        if mixed:
            point = INWARD * self._centre + (1.0 - INWARD) * point
        charge, discharge = part.pair(point)
        power = one_direction(charge, discharge, battery_table(self._problem.batteries))
        summed, relaxed = power.sum(axis=0), np.clip(point[part.injection], self._low, self._high)
        fits = bool((summed <= self._high + SAME_KW).all())
        injection = np.clip(summed, self._low, self._high)
        if (purely or not fits) and float(np.abs(summed - relaxed).max()) > SAME_KW:
            own = float(part.cost @ point)
            cost = own + self._cut(relaxed).objective(self._risk)
            if cost < self._relaxed_cost:
                self._relaxed_cost, self._relaxed = cost, point
        if not fits:
            return False
        columns = part.columns_of(power, energy=point)
        cost = float(part.cost @ columns) + self._cut(injection).objective(self._risk)
        self._relaxed_cost = min(self._relaxed_cost, cost)
        if cost >= self._best_cost:
            return False
        self._best_cost, self._best_kw, self._centre = cost, power, columns
        return True

    def _close(self) -> str:
        """Close, where the relaxation runs both ways, the direction that loses; return a reason to stop, or nothing."""
        if not self._relaxed.size:
            return "the relaxation is proven, a schedule that runs one way at a time is not"
        charge, discharge = self._master.part.pair(self._relaxed)
        wrong = wrong_columns(charge, discharge, battery_table(self._problem.batteries))
        if not wrong.size:
            return "the relaxation is proven, a schedule that runs one way at a time is not"
        self._master.close(wrong)
        self._closed, self._lower = True, -np.inf
        self._relaxed_cost, self._relaxed, self._centre = np.inf, np.empty(0), np.empty(0)
        return ""

    def _clash(self) -> str:
        step = int(np.argmax(self._low - self._high))
        return (
            f"the meter's limits clash in step {step}: one scenario needs an injection of {self._low[step]:g} kW or "
            f"more from the batteries, another {self._high[step]:g} kW or less"
        )

    def _stopped(self, solution: Solution) -> RiskPlan:
        """Return what there is when the program has no optimum."""
        if self._best_kw is not None and self._closed and solution.status is SolveStatus.INFEASIBLE:
            return self._finished("with directions fixed nothing is feasible; this is the best found before")
        if self._best_kw is not None:
            return self._finished(f"the solver stopped: {solution.detail}")
        if solution.status is SolveStatus.TIME_LIMIT:
            return self._without(PlanStatus.TIMEOUT, f"no schedule within {self._time_limit_s:g} s")
        if self._closed:
            return self._without(PlanStatus.FAILED, "no schedule was found that runs one way at a time")
        if solution.status is SolveStatus.INFEASIBLE:
            why = "the batteries cannot keep the meter's limits and their energy in every scenario"
            return self._without(PlanStatus.INFEASIBLE, why)
        return self._without(PlanStatus.FAILED, f"the solver stopped: {solution.detail}")

    def _finished(self, why: str) -> RiskPlan:
        """Return the best schedule."""
        if self._best_kw is None:
            return self._without(PlanStatus.FAILED, f"no schedule was found that runs one way at a time: {why}")
        if self._closed and not why:
            why = "directions were fixed after the relaxation; the bound is the relaxation's"
        return plan_of(self._problem, self._risk, self._recourse, power_kw=self._best_kw, proof=self._proof(why))

    def _without(self, status: PlanStatus, why: str) -> RiskPlan:
        return without_plan(self._problem, self._risk, status=status, proof=self._proof(why))

    def _proof(self, message: str) -> Proof:
        timings = {
            "total": perf_counter() - self._began_s,
            "master": self._master_s,
            "recourse": self._recourse_s,
        }
        return Proof(self._bound, self._still, self._iterations, METHOD, message, timings, self._gap)
