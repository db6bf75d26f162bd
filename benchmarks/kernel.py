"""How long the exact one-battery kernel takes, beside HiGHS' run on the same program and PuLP with CBC.

Single-thread CPU microseconds, medians of medians; contestants take turns within one run and must agree to 1e-6.
``kernel`` is the compiled function alone, ``call`` the public function with its result. HiGHS: simplex, no presolve.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.optimization import _pulp, _timed, day_problem
from benchmarks.oracles import oracle
from vpp.core.storage import StorageLimits
from vpp.core.time import TimeGrid
from vpp.optimization.fleet import FleetProblem
from vpp.optimization.kernel import arbitrage, solve_site
from vpp.optimization.kernel.arbitrage import OPEN, _room, _Trader
from vpp.optimization.kernel.backend import functions
from vpp.optimization.kernel.planned import plan_site, site_of
from vpp.optimization.kernel.price_steps import Trades
from vpp.optimization.kernel.site_steps import Answer
from vpp.optimization.kernel.validation import band_of, unit_of
from vpp.optimization.matrix import build
from vpp.optimization.problem import PlanProblem
from vpp.optimization.solver import Solver

AGREEMENT = 1e-6
Row = dict[str, Any]


def run(*, repeats: int = 7) -> list[Row]:
    """Return one row per amount of work."""
    return [
        _site_row("site, 30 steps x 1 battery", site_problem(30, 3600), bar_us=10.0, repeats=repeats),
        _site_row("site, 96 steps x 1 battery", site_problem(96, 900), bar_us=None, repeats=repeats),
        _site_row("re-solve, 288 steps x 1 battery", site_problem(288, 300), bar_us=60.0, repeats=repeats),
        _trade_row("arbitrage, a day of hours", 24, 1.0, bar_us=None, repeats=repeats),
        _trade_row("arbitrage, a year of hours", 8760, 1.0, bar_us=300.0, repeats=repeats),
        _trade_row("arbitrage, a year of quarter-hours", 35040, 0.25, bar_us=3e3, repeats=repeats),
    ]


def site_problem(steps: int, resolution_s: int) -> PlanProblem:
    """Return the one-battery day of the planner's benchmark with another number and length of steps."""
    day = day_problem(1)
    at = np.arange(steps) * resolution_s / 3600.0 % 24.0

    def column(values: np.ndarray) -> np.ndarray:
        return np.interp(at, np.arange(96) / 4.0, values[:, 0])[:, None]

    names = ("fixed_kw", "curtailable_kw", "import_price_per_kwh", "export_price_per_kwh")
    return replace(
        day,
        grid=TimeGrid(day.grid.start, resolution_s, steps),
        committed_kw=np.full((steps, 1), np.nan),
        price_known=np.ones(steps, dtype=np.bool_),
        **{name: column(getattr(day, name)) for name in names},
    )


def _us(work: Callable[[], object], *, calls: int) -> float:
    """Return the CPU microseconds of one call among many."""
    began = time.process_time_ns()
    for _ in range(calls):
        work()
    return (time.process_time_ns() - began) / calls / 1e3


def _site_row(work: str, problem: PlanProblem, *, bar_us: float | None, repeats: int) -> Row:
    site, kernel = site_of(problem), functions().best_site
    room, layers = Answer(*np.empty((6, site.open.size))), importlib.util.find_spec("pulp") is not None
    expected = solve_site(site).cost
    plan_site(problem)
    times: dict[str, list[float]] = {"kernel": [], "call": [], "schedule": [], "highs": [], "pulp": []}
    for _ in range(repeats):
        times["kernel"].append(_us(lambda: kernel(site.meter, site.unit, site.band, site.open, room), calls=200))
        times["call"].append(_us(lambda: solve_site(site), calls=200))
        times["schedule"].append(_us(lambda: plan_site(problem), calls=10))
        solver = Solver()
        solver.load(build(problem))
        times["highs"].append(_us(solver._highs.run, calls=1))
        _agree("HiGHS", solver._highs.getInfo().objective_function_value, expected)
        if layers:
            answer: list[float] = []
            times["pulp"].append(1e3 * _timed(lambda found=answer: found.append(_pulp(problem, "PULP_CBC_CMD"))))
            _agree("PuLP", answer[0], expected)
    median = {name: statistics.median(values) for name, values in times.items() if values}
    return _row(work, median, bar_us) | {
        "schedule_us": median["schedule"],
        "pulp_cbc_us": median.get("pulp"),
        "pulp_over_call": median["pulp"] / median["call"] if layers else None,
    }


def _trade_row(work: str, steps: int, hours: float, *, bar_us: float | None, repeats: int) -> Row:
    rng, hour = np.random.default_rng(0), np.arange(steps) * hours % 24.0
    price = 0.10 + 0.05 * np.sin((hour - 14.0) / 6.0 * np.pi) + 0.02 * rng.standard_normal(steps)
    limits = StorageLimits(1.0, 9.5, 5.0, 5.0, 0.95, 0.95)

    def trade() -> float:
        return arbitrage(price, duration_h=hours, limits=limits, initial_energy_kwh=5.0, wear_cost_per_kwh=0.01).bound

    program = FleetProblem(
        duration_h=hours,
        limits=StorageLimits(np.array([1.0]), 9.5, 5.0, 5.0, 0.95, 0.95),
        initial_energy_kwh=np.array([5.0]),
        wear_cost_per_kwh=0.01,
        import_price_per_kwh=price,
        export_price_per_kwh=price,
        fixed_kw=np.zeros(steps),
    )
    times: dict[str, list[float]] = {"kernel": [], "call": [], "highs": []}
    kernel, trader = (
        functions().trade,
        _Trader(
            price,
            unit_of(limits, wear_cost_per_kwh=0.01, duration_h=hours),
            band_of(limits, initial_energy_kwh=5.0, final_energy_min_kwh=None, terminal_value_per_kwh=0.0),
            functions(),
            *_room(steps),
        ),
    )
    trades = Trades(np.empty(steps), *trader.powers)
    trade()
    for _ in range(repeats):
        times["kernel"].append(
            _us(
                lambda: kernel(trader.unit, trader.band, price, OPEN, trader.pieces, trader.work, trades),
                calls=max(3, 20_000 // steps),
            )
        )
        times["call"].append(_us(trade, calls=max(3, 20_000 // steps)))
        highs = oracle("fleet_lp").loaded(program, presolve="off", solver="simplex")
        times["highs"].append(_us(highs.run, calls=1))
        _agree("HiGHS", highs.getInfo().objective_function_value, trade())
    median = {name: statistics.median(values) for name, values in times.items()}
    return _row(work, median, bar_us)


def _row(work: str, median: dict[str, float], bar_us: float | None) -> Row:
    return {
        "work": work,
        "kernel_us": median["kernel"],
        "call_us": median["call"],
        "bar_us": bar_us,
        "highs_run_us": median["highs"],
        "highs_over_call": median["highs"] / median["call"],
    }


def _agree(name: str, found: float, expected: float) -> None:
    if abs(found - expected) > AGREEMENT * max(1.0, abs(expected)):
        message = f"{name} says {found}, the kernel {expected}: not the same problem"
        raise AssertionError(message)


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
