"""Plug-ins for distributed cases: merit order with reserve, exact, and exchange ADMM."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any, ClassVar

from vpp.core.errors import InvalidInputError
from vpp.core.messages import PlanStatus
from vpp.optimization.distributed import ExchangeSettings, SiteOffers, exchange_dispatch
from vpp.optimization.merit import merit_order
from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import DistributedCase, Problem
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus

_MERIT_INFO = {"method": "merit order, exact"}


class DistributedRules(OptimizationPlugin):
    """The cheapest sites run, and reserve is held where it costs least: exact, in microseconds."""

    name: ClassVar[str] = "distributed_rules"
    kinds: ClassVar[tuple[str, ...]] = ("distributed",)
    bounded_time: ClassVar[bool] = True

    def solve(self, problem: Problem, timeout_ms: float = 5000.0) -> OptimizationResult:  # noqa: ARG002, microseconds
        """Return each site's power and reserve, or INFEASIBLE with the largest feasible target."""
        case = _checked(problem)
        began_s = perf_counter()
        dispatch = merit_order(
            case.available_kw,
            case.marginal_cost_per_kwh,
            energy_kw=case.target_kw,
            reserve_kw=case.reserve_kw,
            reserve_cost_per_kwh=case.reserve_cost_per_kwh if case.reserve_kw else None,
        )
        spent_s = perf_counter() - began_s
        if dispatch.status is PlanStatus.INFEASIBLE:
            nearest = dispatch.nearest
            largest = {"total_power": dispatch.feasible_energy_kw, "reserve": dispatch.feasible_reserve_kw}
            plan = None
            if nearest is not None:
                plan = _solution(case, nearest.power_kw, nearest.reserve_kw, nearest.energy_price_per_kwh, "rules", 1)
            return _infeasible(dispatch.message, plan, largest, spent_s)
        solution = _solution(case, dispatch.power_kw, dispatch.reserve_kw, dispatch.energy_price_per_kwh, "rules", 1)
        return OptimizationResult(
            OptimizationStatus.SUCCESS, dispatch.cost_per_h, solution, spent_s, 1, 0.0, {}, False, _MERIT_INFO
        )


class ADMMDistributedPlugin(OptimizationPlugin):
    """Sites agree by prices alone: exchange ADMM with residual balancing, then put exactly on the target.

    Parameters
    ----------
    rho : float
        First penalty [currency/(kW2 h)], above 0, relative to the spread of costs over the mean power of a site.
    max_iterations : int
        Most rounds, 1 or more.
    """

    name: ClassVar[str] = "admm"
    kinds: ClassVar[tuple[str, ...]] = ("distributed",)
    bounded_time: ClassVar[bool] = True

    def __init__(self, rho: float = 1.0, max_iterations: int = 100) -> None:
        if not rho > 0.0:
            raise InvalidInputError("rho", rho, "above 0")
        if max_iterations < 1 or int(max_iterations) != max_iterations:
            raise InvalidInputError("max_iterations", max_iterations, "1 or more")
        self.rho = rho
        self.max_iterations = int(max_iterations)

    def solve(self, problem: Problem, timeout_ms: float = 5000.0) -> OptimizationResult:  # noqa: ARG002, bounded rounds
        """Return powers and reserves on the target, with the residuals of the rounds and the gap proven."""
        case = _checked(problem)
        began_s = perf_counter()
        offers = SiteOffers(
            case.available_kw, case.marginal_cost_per_kwh, reserve_cost_per_kwh=case.reserve_cost_per_kwh
        )
        settings = ExchangeSettings(penalty_per_kw2h=self.rho * _usual_penalty(case), rounds_max=self.max_iterations)
        found = exchange_dispatch(offers, energy_kw=case.target_kw, reserve_kw=case.reserve_kw, settings=settings)
        spent_s = perf_counter() - began_s
        if found.status is PlanStatus.INFEASIBLE:
            nearest, plan, largest = found.nearest, None, {}
            if nearest is not None:
                plan = _solution(case, nearest.power_kw, nearest.reserve_kw, nearest.energy_price_per_kwh, "admm", 0)
                largest = {"total_power": float(sum(nearest.power_kw)), "reserve": float(sum(nearest.reserve_kw))}
            return _infeasible(found.message, plan, largest, spent_s)
        solution = _solution(
            case, found.power_kw, found.reserve_kw, found.energy_price_per_kwh, "admm", found.rounds
        ) | {"convergence_achieved": found.status is PlanStatus.OPTIMAL}
        facts = {
            "primal_residual_kw": float(found.primal_residual_kw[-1]) if found.rounds else 0.0,
            "dual_residual_per_kwh": float(found.dual_residual_per_kwh[-1]) if found.rounds else 0.0,
            "bound": found.bound_per_h,
            "message": found.message,
        }
        return OptimizationResult(
            OptimizationStatus.SUCCESS,
            found.cost_per_h,
            solution,
            spent_s,
            found.rounds,
            found.gap,
            facts,
            False,
            {"method": "exchange ADMM"},
        )


def _checked(problem: Problem) -> DistributedCase:
    if not isinstance(problem, DistributedCase):
        raise InvalidInputError("problem.kind", problem.kind, "distributed")
    return problem


def _usual_penalty(case: DistributedCase) -> float:
    """Return the spread of costs over the mean power of a site, the scale on which rho works."""
    costs = case.marginal_cost_per_kwh
    spread = max(costs) - min(costs) or max(abs(cost) for cost in costs) or 1.0
    mean_kw = case.target_kw / len(costs) or sum(case.available_kw) / len(costs) or 1.0
    return spread / mean_kw


def _solution(
    case: DistributedCase,
    power_kw: Iterable[float],
    reserve_kw: Iterable[float],
    price: float,
    method: str,
    iterations: int,
) -> dict[str, Any]:
    ids = case.site_ids
    return {
        "target_power": dict(zip(ids, power_kw, strict=True)),
        "reserve_allocations": dict(zip(ids, reserve_kw, strict=True)),
        "price_signals": dict.fromkeys(ids, price),
        "convergence_achieved": True,
        "iterations": iterations,
        "method": method,
    }


def _infeasible(
    message: str, plan: dict[str, Any] | None, largest: dict[str, float], spent_s: float
) -> OptimizationResult:
    nearest = {"solution": plan, "largest_feasible": largest, "conflict": message}
    return OptimizationResult(
        OptimizationStatus.INFEASIBLE, solve_time=spent_s, metadata={"message": message, "least_violation": nearest}
    )
