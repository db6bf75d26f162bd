"""Forecasting: what a fit and a prediction cost, and errors beside the better seasonal naive (rMAE).

Errors: 30 hours from 18:00 local, every third day over nine weeks before the last 28 days of each data set, weekly
refit. The settings were chosen on the time before those 28 days too, so these errors are of the choosing sample.
"""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vpp.core.ports import SeriesTable
from vpp.core.series import align
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.forecasting import SeriesProfile
from vpp.forecasting.evaluation.leaderboard import leaderboard
from vpp.forecasting.evaluation.origins import daily_origins
from vpp.forecasting.evaluation.rolling import evaluable_models, evaluate_series
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.tables import part

ZONES = {"homes": ZoneInfo("America/Los_Angeles"), "wholesale": ZoneInfo("Europe/Amsterdam")}
STEPS = {"homes": 42, "wholesale": 168}
SCORED = {"homes": ("home01_load_kw",), "wholesale": ("wind_kw", "pv_kw", "price_per_kwh")}
MAKERS = {"load": SeriesProfile.load, "pv": SeriesProfile.solar, "wind": SeriesProfile.wind}
PREDICTIONS = 40
SCORED_DAYS, SCORED_EVERY, LAST_DAYS = 63, 3, 30


def read(plant: str) -> tuple[SeriesTable, dict[str, SeriesProfile]]:
    """Return a built-in plant's series in the sign of the house, and a profile per column."""
    with files("vpp.config").joinpath(f"plants/{plant}/history.parquet").open("rb") as file:
        frame = pd.read_parquet(file)
    stamps = frame["time"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    times_s = stamps.astype("datetime64[s]").astype(np.int64)
    resolution_s = int(np.diff(times_s).min())
    grid = TimeGrid(from_epoch_s(int(times_s[0])), resolution_s, int(times_s[-1] - times_s[0]) // resolution_s + 1)
    profiles: dict[str, SeriesProfile] = {}
    for column in frame.columns:
        kind = column.removesuffix("_kw").rpartition("_")[2]
        if kind in MAKERS:
            peak_kw = float(frame[column].max())
            profiles[column] = MAKERS[kind](column.removesuffix("_kw").replace("_", "-"), peak_kw=peak_kw)
        elif column == "price_per_kwh" and plant == "wholesale":
            profiles[column] = SeriesProfile.price()
    values = [
        align(times_s, profile.direction * frame[column].to_numpy(dtype=np.float64), grid)
        for column, profile in profiles.items()
    ]
    return SeriesTable(grid, tuple(profile.key for profile in profiles.values()), np.column_stack(values)), profiles


def run() -> list[dict[str, Any]]:
    """Return one row per cost and one per series scored."""
    rows: list[dict[str, Any]] = []
    for plant in ZONES:
        table, profiles = read(plant)
        rows.extend(costs(plant, table, tuple(profiles.values())))
        rows.extend(errors(plant, table, profiles))
    return rows


def costs(plant: str, table: SeriesTable, profiles: tuple[SeriesProfile, ...]) -> list[dict[str, Any]]:
    """Return what the first fit, a refit and a prediction cost in CPU time."""
    day = 86_400 // table.grid.resolution_s
    cut = 250 * day
    pipeline = ForecastPipeline(profiles, timezone=ZONES[plant], plant=plant)
    past = part(table, 0, cut)
    rows = []
    for what in ("first fit with calibration", "refit"):
        began = time.process_time()
        pipeline.fit(past)
        rows.append(cost_row(plant, f"{what}, {len(profiles)} series", 1000.0 * (time.process_time() - began)))
    began = time.process_time()
    for i in range(PREDICTIONS):
        origin = cut + i * day // 4
        pipeline.predict(part(table, origin - 40 * day, origin), STEPS[plant])
    milliseconds = 1000.0 * (time.process_time() - began) / PREDICTIONS
    rows.append(cost_row(plant, f"prediction, {len(profiles)} series x {STEPS[plant]} steps", milliseconds))
    return rows


def cost_row(plant: str, what: str, milliseconds: float) -> dict[str, Any]:
    """Return a row without errors."""
    return {"plant": plant, "what": what, "cpu_ms": round(milliseconds, 1)}


def errors(plant: str, table: SeriesTable, profiles: dict[str, SeriesProfile]) -> list[dict[str, Any]]:
    """Return the rMAE of every light model and of the median on the scored series, all forecast together."""
    chosen = tuple(profiles[column] for column in profiles if column in SCORED[plant])
    day = 86_400 // table.grid.resolution_s
    last = table.grid.count - LAST_DAYS * day
    first = table.grid.time(last - SCORED_DAYS * day)
    origins = daily_origins(table.grid, ZONES[plant], local_hour=18, first=first, days=SCORED_DAYS - 2)
    evaluation = evaluate_series(
        table,
        chosen,
        timezone=ZONES[plant],
        origins=origins[::SCORED_EVERY],
        steps=30 * day // 24,
        models=evaluable_models(),
    )
    scored = []
    for board in leaderboard(evaluation):
        line: dict[str, Any] = {"plant": plant, "what": f"rMAE {board.key}"}
        errors = {name: board.of(name).rmae.value for name in evaluation.runs}
        line |= {name: None if error is None else round(error, 3) for name, error in errors.items()}
        covered = board.of("median").coverage_80.value
        scored.append(line | {"coverage_80": None if covered is None else round(covered, 3)})
    return scored
