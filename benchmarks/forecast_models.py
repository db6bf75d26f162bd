"""What the single forecasting models cost: CPU seconds to fit, and to forecast 30 hours ahead.

Theta and MSTL work on all series at once, so they are measured on a plant of 50 and one of 1,000 series with eight
weeks of hours; MSTL both right after its fit (cached decomposition) and on its own (cold). The others are measured on
a plant of four series with eight weeks, once and with whatever they compile or load at first, and given per series.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting.kinds import KINDS, SeriesProfile
from vpp.forecasting.models.mstl import Mstl
from vpp.forecasting.models.theta import Theta
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.registry import models

START = datetime(2024, 3, 4, tzinfo=UTC)
WEEKS = 8
STEPS = 30
SINGLE = ("random_forest", "ets", "auto_arima", "prophet", "nbeats", "lstm")
Row = dict[str, Any]


def run(*, repeats: int = 5, sizes: tuple[int, ...] = (50, 1_000)) -> list[Row]:
    """Return one row per model and number of series."""
    rows = []
    for size in sizes:
        rows.append(_row("theta", size, *_measured(Theta, size, repeats=repeats, fitted=True)))
        rows.append(_row("mstl, cached", size, *_measured(Mstl, size, repeats=repeats, fitted=True)))
        rows.append(_row("mstl, cold", size, *_measured(Mstl, size, repeats=repeats, fitted=False)))
    known = models()
    for name in SINGLE:
        library = known[name].library
        if library is None or importlib.util.find_spec(library) is not None:
            rows.append(_row(name, len(KINDS), *_measured(known[name].make, len(KINDS), repeats=0, fitted=True)))
    return rows


def plant(size: int, *, seed: int = 0) -> tuple[tuple[SeriesProfile, ...], SeriesTable]:
    """Return series of every kind in turn, with their rhythms and noise, and their past."""
    grid = TimeGrid(START, 3600, WEEKS * 168)
    draw = np.random.default_rng(seed)
    hour, day = np.arange(grid.count) % 24, np.arange(grid.count) // 24
    make = (SeriesProfile.load, SeriesProfile.solar, SeriesProfile.wind, SeriesProfile.price)
    profiles, columns = [], []
    for k in range(size):
        kind = KINDS[k % len(KINDS)]
        profiles.append(make[k % len(KINDS)](f"s{k}"))
        noise = draw.gamma(2.0, 0.2, grid.count)
        swing = np.sin((hour - 9.0) / 24.0 * 2.0 * np.pi)
        sun = 4.0 * np.maximum(0.0, np.sin((hour - 6.0) / 12.0 * np.pi))
        columns.append(
            {
                "load": -(1.0 + 0.5 * swing + 0.3 * (day % 7 < 5) + noise),
                "solar": draw.uniform(0.2, 1.0, WEEKS * 7)[day] * sun,
                "wind": np.abs(np.cumsum(draw.normal(0.0, 0.4, grid.count))) % 10.0,
                "price": 0.1 + 0.03 * swing + 0.02 * noise,
            }[kind]
        )
    keys = tuple(profile.key for profile in profiles)
    return tuple(profiles), SeriesTable(grid, keys, np.column_stack(columns))


def _measured(make: Callable[[ModelContext], Any], size: int, *, repeats: int, fitted: bool) -> tuple[float, float]:
    """Return median CPU seconds of a fit and a forecast of a whole plant, after a first round that does not count."""
    profiles, history = plant(size)
    context = ModelContext.of(profiles, ZoneInfo("Europe/Amsterdam"))
    fits, forecasts = [], []
    for _ in range(repeats + 1):
        model = make(context)
        began = time.process_time()
        if fitted:
            model.fit(history)
        learnt = time.process_time()
        answer = model.predict(history, STEPS)
        forecasts.append(time.process_time() - learnt)
        fits.append(learnt - began)
        if not np.isfinite(answer).all():
            message = f"{model.name} is silent on some of {size} series"
            raise AssertionError(message)
    return statistics.median(fits[min(1, repeats) :]), statistics.median(forecasts[min(1, repeats) :])


def _row(model: str, size: int, fit_s: float, predict_s: float) -> Row:
    return {
        "model": model,
        "series": size,
        "fit_cpu_s": fit_s,
        "predict_cpu_s": predict_s,
        "fit_ms_per_series": 1e3 * fit_s / size,
        "predict_ms_per_series": 1e3 * predict_s / size,
    }


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
