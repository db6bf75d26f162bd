"""Plug-ins for stochastic cases: CVaR by cuts, receding horizon, a genetic algorithm, and the quarter rule."""

from __future__ import annotations

from abc import abstractmethod
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, differential_evolution

from vpp.core.errors import InvalidInputError
from vpp.core.messages import PlanStatus
from vpp.optimization.plugins.battery_day import battery_of, infeasible, needed_kwh, solution_of
from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import Problem, StochasticCase
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus
from vpp.optimization.plugins.worker import SECONDS_PER_MS
from vpp.optimization.stochastic.cvar import plan_under_risk
from vpp.optimization.stochastic.problem import Risk, StochasticProblem

Floats = NDArray[np.float64]
QUARTER = 0.25


class StochasticPlugin(OptimizationPlugin):
    """What plug-ins for stochastic cases share: the check of the case, and the level of the risk measures."""

    kinds: ClassVar[tuple[str, ...]] = ("stochastic",)
    bounded_time: ClassVar[bool] = True

    def __init__(self, risk_level: float = 0.05) -> None:
        if not 0.0 < risk_level < 1.0:
            raise InvalidInputError("risk_level", risk_level, "above 0 and below 1: 0.05 looks at the worst 5%")
        self.risk_level = risk_level

    def solve(self, problem: Problem, timeout_ms: float = 5000.0) -> OptimizationResult:
        """Return a schedule, or INFEASIBLE with the nearest one."""
        if not isinstance(problem, StochasticCase):
            raise InvalidInputError("problem.kind", problem.kind, "stochastic")
        verdict = infeasible(problem, risk_level=self.risk_level, method=self.name)
        return self.plan(problem, timeout_ms * SECONDS_PER_MS) if verdict is None else verdict

    @abstractmethod
    def plan(self, case: StochasticCase, time_limit_s: float) -> OptimizationResult:
        """Return the answer for a case that can be met."""

    def answer(self, case: StochasticCase, power_kw: Floats, *, began_s: float, **facts: Any) -> OptimizationResult:
        """Return a schedule as SUCCESS, with its measures; facts may hold ``objective``, ``gap``, ``iterations``."""
        solution, expected = solution_of(case, power_kw, risk_level=self.risk_level, method=self.name)
        return OptimizationResult(
            OptimizationStatus.SUCCESS,
            facts.pop("objective", expected),
            solution,
            perf_counter() - began_s,
            facts.pop("iterations", None),
            facts.pop("gap", None),
            facts,
            False,
            {"method": self.name},
        )


class CVaRStochasticPlugin(StochasticPlugin):
    """Least blend of expected cost and CVaR, to a proven gap, by cutting planes.

    Parameters
    ----------
    risk_level : float
        Size of the tail: 0.05 looks at the worst 5%.
    risk_weight : float
        Share of the CVaR in the objective, 0 to 1.
    """

    name: ClassVar[str] = "cvar"

    def __init__(self, risk_level: float = 0.05, risk_weight: float = 0.5) -> None:
        super().__init__(risk_level)
        self._risk = Risk(weight=risk_weight, level=1.0 - risk_level)

    def plan(self, case: StochasticCase, time_limit_s: float) -> OptimizationResult:
        """Return the schedule of least risk-weighted cost, with its proven gap."""
        began_s = perf_counter()
        battery = battery_of(case)
        problem = StochasticProblem(
            batteries=(battery,),
            initial_soc=np.array([case.initial_soc]),
            duration_h=case.time_step,
            fixed_kw=case.renewable - case.load,
            curtailable_kw=np.zeros_like(case.load),
            import_price_per_kwh=case.price,
            export_price_per_kwh=case.price,
            final_soc_min=np.array([case.final_soc_min]),
            probability=case.probability,
        )
        plan = plan_under_risk(problem, self._risk, time_limit_s=time_limit_s)
        if not plan.usable:
            timed_out = plan.status is PlanStatus.TIMEOUT
            status = OptimizationStatus.TIMEOUT if timed_out else OptimizationStatus.FAILED
            return OptimizationResult(status, metadata={"message": plan.message}, solver_info={"method": self.name})
        return self.answer(
            case,
            plan.power_kw[:, 0],
            began_s=began_s,
            objective=plan.objective,
            bound=plan.bound,
            gap=plan.gap,
            iterations=plan.iterations,
        )


class StochasticRules(StochasticPlugin):
    """Charge in the cheapest quarter of the expected prices, discharge in the dearest; end as full as asked."""

    name: ClassVar[str] = "stochastic_rules"

    def plan(self, case: StochasticCase, time_limit_s: float) -> OptimizationResult:  # noqa: ARG002, microseconds
        """Return the schedule of the rule."""
        began_s = perf_counter()
        price = case.probability @ case.price
        quarter = max(int(QUARTER * case.steps), 1)
        order = np.argsort(price, kind="stable")
        power = np.zeros(case.steps)
        if case.steps > 1:
            power[order[:quarter]] = -case.max_power
            power[order[-quarter:]] = case.max_power
            # a spread that losses eat is no reason to move
            if price[order[-1]] * case.efficiency**2 <= price[order[0]]:
                power[:] = 0.0
        return self.answer(case, _ending_full(case, power), began_s=began_s)


class GeneticAlgorithmPlugin(StochasticPlugin):
    """Differential evolution over the battery's powers: slow, and proves nothing; here to compare with.

    Parameters
    ----------
    generations, seed : int
        Largest number of generations, and the seed of the search.
    """

    name: ClassVar[str] = "genetic_algorithm"

    def __init__(self, risk_level: float = 0.05, *, generations: int = 60, seed: int = 0) -> None:
        super().__init__(risk_level)
        self._generations = generations
        self._seed = seed

    def plan(self, case: StochasticCase, time_limit_s: float) -> OptimizationResult:
        """Return the best schedule found in time."""
        began_s = perf_counter()
        price = (case.probability @ case.price) * case.time_step

        def cost(share: Floats) -> float:
            return -float(price @ _ending_full(case, share * case.max_power))

        def out_of_time(intermediate_result: OptimizeResult) -> bool:  # noqa: ARG001, scipy looks at the name
            return perf_counter() - began_s > time_limit_s

        found = differential_evolution(
            cost,
            [(-1.0, 1.0)] * case.steps,
            maxiter=self._generations,
            popsize=6,
            polish=False,
            rng=self._seed,
            callback=out_of_time,
        )
        power = _ending_full(case, found.x * case.max_power)
        return self.answer(case, power, began_s=began_s, iterations=int(found.nit))


def _ending_full(case: StochasticCase, power_kw: Floats) -> Floats:
    """Return powers cut to what the battery can hold, raised in charging where the final energy would be missed."""
    battery, needed, hours = battery_of(case), needed_kwh(case), case.time_step
    low, high = case.min_soc * battery.capacity_kwh, case.max_soc * battery.capacity_kwh
    stored = case.initial_soc * battery.capacity_kwh
    held = np.empty(case.steps)
    for step, asked in enumerate(power_kw.tolist()):
        change = -asked * case.efficiency * hours if asked < 0.0 else -asked / case.efficiency * hours
        after = min(max(stored + change, low, needed[step]), high, stored + case.max_power * case.efficiency * hours)
        change = after - stored
        held[step] = -change / (case.efficiency * hours) if change > 0.0 else -change * case.efficiency / hours
        stored = after
    return held
