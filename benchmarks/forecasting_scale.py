"""Forecasting many sources: CPU time and memory of the whole pipeline for 50 and 1,000 hourly loads.

The loads are the eleven clean homes, shifted by whole days and scaled, half a year of them. The last row is the
refit and one forecast of 10,000 sources extrapolated from the 1,000 measured.
"""

from __future__ import annotations

import resource
import time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.forecast_data import clean
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.tables import tail

SIZES = (50, 1000)
DAYS = 190
STEPS = 30
MANY, CORES = 10_000, 8


def run() -> list[dict[str, Any]]:
    """Return one row per size and the extrapolation."""
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        table = loads(size)
        profiles = tuple(SeriesProfile.load(key.source) for key in table.keys)
        pipeline = ForecastPipeline(profiles, timezone=ZoneInfo("America/Los_Angeles"), plant="bench")
        row: dict[str, Any] = {"sources": size}
        for what in ("first fit with calibration", "refit"):
            began = time.process_time()
            pipeline.fit(table)
            row[f"{what} cpu_s"] = round(time.process_time() - began, 1)
        recent = tail(table, pipeline.settings.history_days)
        for what in ("first forecast", "forecast"):
            began = time.process_time()
            pipeline.issue(recent, STEPS)
            row[f"{what} cpu_s"] = round(time.process_time() - began, 2)
        row["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        rows.append(row)
    last = rows[-1]
    hourly_s = (last["refit cpu_s"] + last["first forecast cpu_s"]) * MANY / last["sources"]
    minutes = round(hourly_s / CORES / 60.0, 1)
    return [*rows, {"sources": MANY, "extrapolated": f"refit and forecast on {CORES} cores: {minutes} min"}]


def loads(size: int) -> SeriesTable:
    """Return so many loads made of the clean homes."""
    family = next(each for each in clean() if each.name == "homes load")
    generator = np.random.default_rng(0)
    homes = family.table.value
    columns = []
    for k in range(size):
        home = homes[:, k % homes.shape[1]]
        shift = 24 * 7 * int(generator.integers(0, 20))
        columns.append(float(generator.uniform(0.5, 2.0)) * np.roll(home, shift)[: 24 * DAYS])
    keys = tuple(SeriesProfile.load(f"home-{k}").key for k in range(size))
    grid = TimeGrid(family.table.grid.start, 3600, 24 * DAYS)
    return SeriesTable(grid, keys, np.column_stack(columns))
