"""The fallback chain: planners asked in turn until one answers; the answer names everyone who failed before it.

Invariant: INFEASIBLE is an answer. It is final, whoever proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from vpp.core.errors import InvalidInputError
from vpp.core.extras import Extra
from vpp.core.messages.planned import PlanStatus, Schedule
from vpp.core.ports import Planner
from vpp.optimization.linear import METHOD, LinearPlanner
from vpp.optimization.problem import PlanProblem
from vpp.optimization.rules import RulePlanner


class ChainPlanner:
    """Asks planners in turn.

    The first one's answer passes unchanged. A later one's is FALLBACK_USED, unless it proves the problem INFEASIBLE.
    When nobody answers the status is TIMEOUT if all of them ran out of time, else FAILED.

    Parameters
    ----------
    planners : sequence of Planner
        At least one, the preferred one first; none should hold a fallback of its own.
    name : str
        Name of the chain.
    """

    def __init__(self, planners: Sequence[Planner[PlanProblem]], *, name: str = METHOD) -> None:
        if not planners:
            raise InvalidInputError("planners", planners, "at least one planner")
        self.name = name
        self.planners = tuple(planners)

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the first answer; its message says what failed first, and why."""
        began_s = perf_counter()
        failures: list[str] = []
        answers: list[Schedule] = []
        for planner in self.planners:
            answer = planner.plan(problem)
            answers.append(answer)
            if answer.usable or answer.status is PlanStatus.INFEASIBLE:
                return _told(answer, failures, planner.name, perf_counter() - began_s)
            # planners begin their message with their name; should one not, it is given here
            told = answer.message.startswith(planner.name)
            failures.append(answer.message if told else f"{planner.name}: {answer.message}")
        all_late = all(answer.status is PlanStatus.TIMEOUT for answer in answers)
        status = PlanStatus.TIMEOUT if all_late else PlanStatus.FAILED
        return replace(answers[-1], status=status, message="; ".join(failures), solve_time_s=perf_counter() - began_s)


def _told(answer: Schedule, failures: list[str], name: str, solve_time_s: float) -> Schedule:
    """Return an answer with what failed before it."""
    if not failures:
        return answer
    before = "; ".join(failures)
    if answer.status is PlanStatus.INFEASIBLE:
        return replace(answer, message=f"{before}; {name}: {answer.message}", solve_time_s=solve_time_s)
    message = f"{before}; planned by {name} instead"
    return replace(answer, status=PlanStatus.FALLBACK_USED, message=message, solve_time_s=solve_time_s)


def default_chain(*, time_limit_s: float = 30.0) -> ChainPlanner:
    """Return HiGHS, then PuLP with CBC where it is installed, then the rule.

    Parameters
    ----------
    time_limit_s : float
        For each solver, above 0: HiGHS and CBC may take twice that together before the rule answers.
    """
    planners: list[Planner[PlanProblem]] = [LinearPlanner(time_limit_s=time_limit_s, fallback=None)]
    if not Extra("pulp", ("pulp",), "").missing:
        # an optional extra: loaded only where it is installed
        from vpp.optimization.pulp_backend import PulpPlanner, is_available

        if is_available():
            planners.append(PulpPlanner(time_limit_s=time_limit_s))
    return ChainPlanner((*planners, RulePlanner()))
