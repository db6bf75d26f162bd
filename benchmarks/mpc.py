"""How long the next plan of a receding horizon takes, beside planning the same from cold.

Every step the window moves by one, its forecast changes by up to 5%, and the batteries stand where the last plan put
them. Single-thread CPU milliseconds, medians; contestants take turns on the same problem, objectives agree to 1e-9.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from vpp.core.assets import Battery
from vpp.core.messages.planned import Schedule
from vpp.core.time import TimeGrid, parse_time
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.mpc import RecedingHorizon
from vpp.optimization.problem import PlanProblem

AGREEMENT = 1e-9
NOISE = 0.05
START = parse_time("2024-06-01T00:00:00Z")
Row = dict[str, Any]


def windows(steps: int, batteries: int, count: int, *, seed: int = 0) -> Iterator[PlanProblem]:
    """Yield problems that follow one another; the state of charge is the caller's to replace."""
    rng, resolution_s = np.random.default_rng(seed), 86_400 // steps
    hour = np.arange(steps + count) * resolution_s / 3600.0
    evening = np.exp(-(((hour % 24.0 - 19.0) / 2.5) ** 2))
    price = 0.10 + 0.05 * np.sin((hour - 14.0) / 6.0 * np.pi) + 0.05 * evening + 0.015 * rng.standard_normal(hour.size)
    sun = np.clip(np.sin((hour % 24.0 - 6.0) / 12.0 * np.pi), 0.0, None)
    load = 0.8 + 0.5 * rng.random(hour.size)
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
    farther = np.sqrt(np.arange(steps) / steps)
    for first in range(count):
        here = slice(first, first + steps)
        noise = 1.0 + NOISE * farther * rng.standard_normal((3, steps))
        sold = np.maximum(price[here] * noise[0] - 0.01, 0.005)
        start = START + timedelta(seconds=resolution_s * first)
        yield PlanProblem(
            plant="bench",
            issued_at=start,
            grid=TimeGrid(start, resolution_s, steps),
            site_ids=("site",),
            batteries=fleet,
            battery_site=(0,) * batteries,
            initial_soc=np.full(batteries, 0.5),
            fixed_kw=-batteries * (load[here] * noise[1])[:, None],
            curtailable_kw=3.0 * batteries * np.maximum(sun[here] * noise[2], 0.0)[:, None],
            import_price_per_kwh=(sold + 0.06)[:, None],
            export_price_per_kwh=sold[:, None],
            import_max_kw=np.array([4.0 * batteries]),
            export_max_kw=np.array([1.5 * batteries]),
            terminal_value_per_kwh=np.full(batteries, 0.10),
            committed_kw=np.full((steps, 1), np.nan),
            imbalance_spread_per_kwh=0.0,
            price_known=np.ones(steps, dtype=np.bool_),
        )


def run(*, turns: int = 60) -> list[Row]:
    """Return one row per size."""
    return [
        _row(288, 1, turns=turns),
        _row(96, 10, turns=turns, bar_ms=7.0),
        _row(96, 100, turns=max(turns // 4, 4), bar_ratio=0.35),
    ]


def _row(steps: int, batteries: int, *, turns: int, bar_ms: float | None = None, bar_ratio: float | None = None) -> Row:
    ring, linear = RecedingHorizon(), LinearPlanner()
    times: dict[str, list[float]] = {"ring": [], "cold": [], "hot": []}
    soc = np.full(batteries, 0.5)
    for turn, window in enumerate(windows(steps, batteries, turns + 1)):
        problem = replace(window, initial_soc=soc)
        ring_ms, schedule = _timed(lambda p=problem: ring.plan(p))
        cold_ms, other = _timed(lambda p=problem: LinearPlanner().plan(p))
        hot_ms, _ = _timed(lambda p=problem: linear.plan(p))
        _must_agree(schedule, other)
        if turn:
            times["ring"].append(ring_ms)
            times["cold"].append(cold_ms)
            times["hot"].append(hot_ms)
        soc = schedule.soc[0]
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "work": f"next plan, {batteries} batteries x {steps} steps",
        "ring_ms": round(median["ring"], 3),
        "bar_ms": bar_ms,
        "cold_ms": round(median["cold"], 3),
        "hot without ring_ms": round(median["hot"], 3),
        "ring / cold": round(median["ring"] / median["cold"], 3),
        "bar": bar_ratio,
    }


def _must_agree(schedule: Schedule, other: Schedule) -> None:
    if schedule.objective is None or other.objective is None:
        raise AssertionError(schedule.message or other.message)
    if abs(schedule.objective - other.objective) > AGREEMENT * max(1.0, abs(other.objective)):
        message = f"the ring says {schedule.objective}, cold {other.objective}: not the same problem"
        raise AssertionError(message)


def _timed(work: Callable[[], Schedule]) -> tuple[float, Schedule]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    answer = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1e3 * used, answer


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
