"""The plug-in face, end to end: what a caller of ``solve_with_fallback`` waits for."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time_ns
from typing import Any

from vpp.optimization import (
    create_distributed_problem,
    create_realtime_problem,
    create_stochastic_problem,
    solve_with_fallback,
)

ROUNDS, CALLS = 15, 300
US_PER_NS = 1e-3


def run() -> list[dict[str, Any]]:
    """Return the time of one call for each kind of problem [us of CPU, median]."""
    state = {"grid_frequency": 49.9, "grid_voltage": 1.0, "battery_soc": 0.5, "total_load": 80.0}
    realtime = create_realtime_problem(state | {"renewable_generation": 20.0, "electricity_price": 0.2})
    rows = [
        {"site_id": i, "total_capacity": 100.0, "available_capacity": 80.0, "marginal_cost": 0.1 + 0.01 * i}
        for i in range(20)
    ]
    power = create_distributed_problem(rows, {"total_power": 800.0})
    reserve = create_distributed_problem(rows, {"total_power": 800.0, "reserve": 200.0})
    prices = [0.06, 0.05, 0.04, 0.08, 0.12, 0.15, 0.18, 0.20, 0.22, 0.15, 0.10, 0.08] * 2
    battery = {"battery_capacity": 1e3, "max_power": 250.0, "efficiency": 0.96, "time_step": 1.0}
    day = create_stochastic_problem({"base_prices": prices, **battery}, 100, seed=1)
    return [
        _row("solve_with_fallback, real time", lambda: solve_with_fallback(realtime), limit_us=15.0),
        _row("solve_with_fallback, 20 sites", lambda: solve_with_fallback(power), limit_us=30.0),
        _row("solve_with_fallback, 20 sites with reserve", lambda: solve_with_fallback(reserve), limit_us=30.0),
        _row("solve_with_fallback, CVaR, 24 steps x 100 scenarios", lambda: solve_with_fallback(day), calls=5),
    ]


def _row(work: str, call: Callable[[], object], *, limit_us: float | None = None, calls: int = CALLS) -> dict[str, Any]:
    call()
    times = []
    for _ in range(ROUNDS):
        began = process_time_ns()
        for _ in range(calls):
            call()
        times.append((process_time_ns() - began) / calls * US_PER_NS)
    return {"work": work, "us": round(median(times), 1), "limit_us": limit_us}
