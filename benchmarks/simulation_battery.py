"""How long batteries take to simulate: the physical cell over ten years with ageing, and both fidelities as a fleet.

Single-process CPU seconds, medians. ``python`` is the fallback without numba, run once.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vpp.simulation.battery import LFP, NMC, Cell, PhysicalBattery, SimpleBattery
from vpp.simulation.battery.backend import Backend

TEN_YEARS = 350_640
RATING = {"capacity_kwh": 10.0, "charge_max_kw": 5.0, "discharge_max_kw": 5.0}
Row = dict[str, Any]


def run(*, repeats: int = 5) -> list[Row]:
    """Return one row per amount of work."""
    compiled = importlib.util.find_spec("numba") is not None
    rows = []
    if compiled:
        rows += [_years(LFP, "numba", bar_s=2.0, repeats=repeats), _years(NMC, "numba", bar_s=2.0, repeats=repeats)]
    rows += [_years(LFP, "python", bar_s=None, repeats=1)]
    simple = SimpleBattery(count=100_000, **RATING)
    rows.append(_fleet("simple", simple, 96, repeats=repeats))
    if compiled:
        rows.append(_fleet("physical, numba", PhysicalBattery(count=100_000, **RATING), 96, repeats=repeats))
    return rows


def _years(cell: Cell, backend: Backend, *, bar_s: float | None, repeats: int) -> Row:
    """Ten years of quarter-hours: a cycle a day, with noise, in the temperatures of a cellar."""
    battery = PhysicalBattery(cell=cell, backend=backend, **RATING)
    hour = np.arange(TEN_YEARS) / 4.0
    noise = np.random.default_rng(0).standard_normal(TEN_YEARS)
    wanted_kw = (3.0 * np.sin(2.0 * np.pi * (hour - 12.0) / 24.0) + 0.5 * noise)[:, None]
    ambient_c = (15.0 + 8.0 * np.sin(2.0 * np.pi * hour / 8766.0))[:, None]
    start = battery.initial(0.5)
    battery.run(start, wanted_kw[:4], duration_h=0.25, ambient_c=ambient_c[:4])
    seconds = [
        _cpu_s(lambda: battery.run(start, wanted_kw, duration_h=0.25, ambient_c=ambient_c)) for _ in range(repeats)
    ]
    last = battery.run(start, wanted_kw, duration_h=0.25, ambient_c=ambient_c).record if backend == "numba" else None
    return {
        "work": f"{cell.name}, ten years of quarter-hours, {backend}",
        "cpu_s": statistics.median(seconds),
        "bar_s": bar_s,
        "us_per_step": statistics.median(seconds) / TEN_YEARS * 1e6,
        "state_of_health": None if last is None else float(last.state_of_health[-1, 0]),
        "equivalent_full_cycles": None if last is None else float(last.equivalent_full_cycles[-1, 0]),
    }


def _fleet(name: str, battery: SimpleBattery | PhysicalBattery, steps: int, *, repeats: int) -> Row:
    rng = np.random.default_rng(1)
    wanted_kw = rng.uniform(-5.0, 5.0, (steps, battery.count))

    def day() -> None:
        if isinstance(battery, SimpleBattery):
            battery.run(battery.initial(0.5), wanted_kw, duration_h=0.25)
        else:
            battery.run(battery.initial(0.5), wanted_kw, duration_h=0.25)

    day()
    seconds = statistics.median(_cpu_s(day) for _ in range(repeats))
    return {
        "work": f"{battery.count} batteries x {steps} quarter-hours, {name}",
        "cpu_s": seconds,
        "bar_s": None,
        "us_per_step": seconds / (steps * battery.count) * 1e6,
        "state_of_health": None,
        "equivalent_full_cycles": None,
    }


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
