"""What frequency and voltage cost: a day of seconds, with ten thousand devices in the balance of the grid.

CPU milliseconds of one process, medians. The devices share a curve and a time constant and differ in contract and
headroom. ``worst_gap_kw`` compares the fleet's own state with the sum of all its devices, each stepped apart, over the
first minutes: the fast path must be the slow one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from vpp.core.curves import frequency_curve
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.grid.fleet import FrequencyFleet
from vpp.simulation.grid.frequency import SynchronousArea, simulate_frequency
from vpp.simulation.grid.voltage import simulate_voltage

DAY_S = 86_400
DEVICES = 10_000
FLEET_BAR_MS = 2000.0
CHECKED_S = 600
AGREEMENT_KW = 1e-3
Row = dict[str, Any]


def run(*, repeats: int = 5) -> list[Row]:
    """Return one row per amount of work."""
    day = TimeGrid(parse_time("2024-01-01T00:00Z"), 1, DAY_S)
    area = SynchronousArea(load_kw=30e6)
    alone_ms = _cpu_ms(lambda: simulate_frequency(day, area=area, seed=0), repeats)
    fleet_ms = _cpu_ms(lambda: simulate_frequency(day, area=area, seed=0, fleets=[_fleet()]), repeats)
    voltage_ms = _cpu_ms(lambda: simulate_voltage(day, range(10), seed=0, timezone=ZoneInfo("Europe/Berlin")), repeats)
    return [
        _row("frequency alone, 86,400 s", alone_ms, None, None),
        _row("10,000 devices x 86,400 s in the swing", fleet_ms, FLEET_BAR_MS, _worst_gap_kw(day, area)),
        _row("voltage, 10 feeders x 86,400 s", voltage_ms, None, None),
    ]


def _fleet() -> FrequencyFleet:
    rng = np.random.default_rng(0)
    return FrequencyFleet(
        name="homes",
        curve=frequency_curve("FCR_CE"),
        contracted_kw=rng.uniform(1.0, 10.0, DEVICES),
        time_constant_s=2.0,
        raise_max_kw=rng.uniform(0.0, 12.0, DEVICES),
        lower_max_kw=rng.uniform(0.0, 12.0, DEVICES),
    )


def _worst_gap_kw(day: TimeGrid, area: SynchronousArea) -> float:
    fleet = _fleet()
    trace = simulate_frequency(day.part(0, CHECKED_S), area=area, seed=0, fleets=[fleet])
    devices = fleet.device_powers_kw(trace.frequency_hz).sum(axis=1)
    gap = float(np.abs(devices - trace.fleet_kw[:, 0]).max())
    if gap > AGREEMENT_KW:
        message = f"the fleet and the sum of its devices differ by {gap} kW"
        raise AssertionError(message)
    return gap


def _cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU milliseconds of a call, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.process_time_ns()
        work()
        taken.append((time.process_time_ns() - began) / 1e6)
    return statistics.median(taken)


def _row(work: str, cpu_ms: float, bar_ms: float | None, gap_kw: float | None) -> Row:
    return {"work": work, "cpu_ms": cpu_ms, "bar_ms": bar_ms, "worst_gap_kw": gap_kw}


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
