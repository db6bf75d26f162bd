"""What wind costs: the wakes of ten turbines over a year of hours, and the power of a hundred sites.

CPU milliseconds of one process, medians. The wind is a Weibull year (shape 2, scale 9 m/s) from all directions; the
farm is five by two turbines, six rotor diameters apart. Beside the whole farm the plain power curve is timed in the
same run: ``over_curve`` says how many times as much the wakes cost.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.wind.catalogue import power_curve
from vpp.simulation.wind.farm import FarmLayout, farm_power
from vpp.simulation.wind.turbines import Turbines, wind_power
from vpp.simulation.wind.wake import GaussianWake, JensenWake, Wake

HOURS = 8760
SITES = 100
WAKE_BAR_MS = 300.0
Row = dict[str, Any]


def run(*, repeats: int = 7) -> list[Row]:
    """Return one row per amount of work."""
    return [
        _farm_row("wakes, Gaussian, 10 turbines x 8760 h", GaussianWake(), repeats),
        _farm_row("wakes, Jensen, 10 turbines x 8760 h", JensenWake(), repeats),
        _sites_row(repeats),
    ]


def _weather(columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    speed = np.clip(9.0 * rng.weibull(2.0, (HOURS, columns)), 0.5, 30.0)
    return speed, rng.uniform(0.0, 360.0, HOURS)


def _cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU milliseconds of a call, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.process_time_ns()
        work()
        taken.append((time.process_time_ns() - began) / 1e6)
    return statistics.median(taken)


def _farm_row(work: str, wake: Wake, repeats: int) -> Row:
    curve = power_curve("V80/2000")
    apart = 6.0 * curve.diameter_m
    layout = FarmLayout(
        east_m=np.repeat(np.arange(5.0), 2) * apart, north_m=np.tile(np.arange(2.0), 5) * apart, curve=curve
    )
    speed, direction = _weather(1)
    table = np.repeat(speed, layout.turbines, axis=1)
    cpu_ms = _cpu_ms(lambda: farm_power(layout, speed[:, 0], direction, wake=wake), repeats)
    alone_ms = _cpu_ms(lambda: curve.power(table), repeats)
    loss = farm_power(layout, speed[:, 0], direction, wake=wake).wake_loss
    return {"work": work, "cpu_ms": cpu_ms, "bar_ms": WAKE_BAR_MS, "over_curve": cpu_ms / alone_ms, "wake_loss": loss}


def _sites_row(repeats: int) -> Row:
    turbines = Turbines.of(
        ["V80/2000", "E-126/4200", None, None] * (SITES // 4),
        [None, None, 10.0, 3000.0] * (SITES // 4),
        turbulence_intensity=0.1,
        mean_time_between_failures_h=1500.0,
    )
    grid = TimeGrid(parse_time("2023-01-01T00:00Z"), 3600, HOURS)
    speed, _ = _weather(SITES)
    cpu_ms = _cpu_ms(lambda: wind_power(turbines, grid, wind_speed_m_s=0.7 * speed), repeats)
    table = 0.7 * speed
    alone_ms = _cpu_ms(lambda: turbines.curves[0].power(table), repeats)
    return {
        "work": "wind to power, 100 sites x 8760 h",
        "cpu_ms": cpu_ms,
        "bar_ms": None,
        "over_curve": cpu_ms / alone_ms,
        "wake_loss": None,
    }


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
