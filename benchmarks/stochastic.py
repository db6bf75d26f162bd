"""How long a schedule under risk takes, to a proven gap of 1e-4, beside the extensive form of the same problem.

A day of 24 hours, 3 batteries behind one meter; load, sun and price are scenarios of a Gaussian copula on quantiles.
Single-thread CPU milliseconds, medians; both answers are checked against each other.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from vpp.core.assets import Battery
from vpp.optimization.stochastic.cvar import plan_under_risk
from vpp.optimization.stochastic.problem import Risk, StochasticProblem
from vpp.optimization.stochastic.risk_plan import RiskPlan
from vpp.optimization.stochastic.scenarios import Marginal, sample_scenarios

GAP = 1e-4
RISK = Risk(weight=0.5, level=0.95)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
# a spread per level, so that 1.0 of it is about one standard deviation
SPREAD = np.array([-1.645, -0.674, 0.0, 0.674, 1.645])[:, None]
Row = dict[str, Any]


def day_problem(scenarios: int, *, batteries: int = 3, steps: int = 24, seed: int = 0) -> StochasticProblem:
    """Return a day of batteries behind one meter, under correlated scenarios of load, sun and price."""
    rng, hours = np.random.default_rng(seed), 24.0 / steps
    hour = np.arange(steps) * hours
    evening = np.exp(-(((hour - 19.0) / 2.5) ** 2))
    price = 0.10 + 0.05 * np.sin((hour - 14.0) / 6.0 * np.pi) + 0.05 * evening
    load = batteries * (0.6 + 0.5 * evening + 0.25 * np.exp(-(((hour - 8.0) / 1.5) ** 2)))
    sun = batteries * 3.0 * np.exp(-(((hour - 13.0) / 2.8) ** 2)) * (np.abs(hour - 13.0) < 8.0)
    marginals = [
        Marginal("load", LEVELS, load * (1.0 + 0.15 * SPREAD), lowest=0.0),
        Marginal("sun", LEVELS, sun * (1.0 + 0.30 * SPREAD), lowest=0.0),
        Marginal("price", LEVELS, price * (1.0 + 0.35 * SPREAD), lowest=0.005),
    ]
    correlation = np.array([[1.0, -0.2, 0.4], [-0.2, 1.0, -0.5], [0.4, -0.5, 1.0]])
    load_kw, sun_kw, price_per_kwh = sample_scenarios(
        marginals, scenarios, seed=seed, duration_h=hours, correlation=correlation
    )
    fleet = tuple(
        Battery(
            id=f"battery{i}",
            capacity_kwh=float(rng.uniform(5.0, 15.0)),
            charge_max_kw=float(rng.uniform(2.0, 7.0)),
            discharge_max_kw=float(rng.uniform(2.0, 7.0)),
            charge_efficiency=float(rng.uniform(0.93, 0.975)),
            discharge_efficiency=float(rng.uniform(0.93, 0.975)),
            wear_cost_per_kwh=float(rng.uniform(0.005, 0.025)),
        )
        for i in range(batteries)
    )
    return StochasticProblem(
        batteries=fleet,
        initial_soc=np.full(batteries, 0.5),
        duration_h=hours,
        fixed_kw=-load_kw,
        curtailable_kw=sun_kw,
        import_price_per_kwh=price_per_kwh + 0.05,
        export_price_per_kwh=price_per_kwh - 0.004,
        import_max_kw=float(load_kw.max()) + 10.0 * batteries,
        export_max_kw=5.0 * batteries,
        final_soc_min=np.full(batteries, 0.5),
    )


def run(*, repeats: int = 7) -> list[Row]:
    """Return one row per number of scenarios; past 1,000 the extensive form is left out, as too slow to wait for."""
    return [
        _row(100, bar_ms=20.0, bar_ratio=3.0, repeats=repeats, slow_repeats=3),
        _row(1_000, bar_ms=20.0, bar_ratio=100.0, repeats=repeats, slow_repeats=1),
        _row(10_000, bar_ms=60.0, bar_ratio=None, repeats=repeats, slow_repeats=0),
        _tail_row(1_000, repeats=max(repeats // 3, 1)),
    ]


def _tail_row(scenarios: int, *, repeats: int) -> Row:
    """Return what the hardest blend takes on a larger problem: nothing but the tail."""
    problem, risk = day_problem(scenarios, batteries=10, steps=96), Risk(weight=1.0, level=0.95)
    plan = _must_be_proven(plan_under_risk(problem, risk, gap=GAP))
    ours = statistics.median(_timed(lambda: plan_under_risk(problem, risk, gap=GAP)) for _ in range(repeats))
    work = f"CVaR alone, 10 batteries x 96 quarter-hours x {scenarios} scenarios"
    return {"work": work, "ours_ms": round(ours, 2), "iterations": plan.iterations, "gap": plan.gap}


def _row(scenarios: int, *, bar_ms: float, bar_ratio: float | None, repeats: int, slow_repeats: int) -> Row:
    problem = day_problem(scenarios)
    plan = _must_be_proven(plan_under_risk(problem, RISK, gap=GAP))
    ours = statistics.median(_timed(lambda: plan_under_risk(problem, RISK, gap=GAP)) for _ in range(repeats))
    slow_ms = None
    if slow_repeats:
        answers: list[RiskPlan] = []
        slow_ms = statistics.median(
            _timed(
                lambda: answers.append(
                    plan_under_risk(problem, RISK, gap=GAP, method="extensive form", time_limit_s=120.0)
                )
            )
            for _ in range(slow_repeats)
        )
        _must_agree(plan, answers[0])
    return {
        "work": f"CVaR, {len(problem.batteries)} batteries x {problem.steps} h x {scenarios} scenarios",
        "ours_ms": round(ours, 2),
        "bar_ms": bar_ms,
        "iterations": plan.iterations,
        "gap": plan.gap,
        "extensive_ms": slow_ms,
        "faster by": None if slow_ms is None else round(slow_ms / ours, 1),
        "bar": bar_ratio,
    }


def _must_be_proven(plan: RiskPlan) -> RiskPlan:
    if not plan.gap <= GAP:
        message = f"{plan.status}: gap {plan.gap}, {plan.message}"
        raise AssertionError(message)
    return plan


def _must_agree(plan: RiskPlan, other: RiskPlan) -> None:
    room = 1.1 * GAP * abs(plan.cost_of_doing_nothing)
    if not abs(plan.objective - other.objective) <= room or plan.bound > other.objective + room:
        message = f"cuts say {plan.bound} to {plan.objective}, the extensive form {other.objective}"
        raise AssertionError(message)


def _cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return 1e3 * (used.ru_utime + used.ru_stime)


def _timed(work: Callable[[], object]) -> float:
    before = _cpu_ms()
    work()
    return _cpu_ms() - before


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
