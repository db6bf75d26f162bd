"""Nord Pool day-ahead prices, the 728 days of Lago et al. 2021, beside their published forecasts.

Decided at midnight with the published load and wind forecasts of the day, refit every seven days (they refit daily).
The members - three windows of the ridge, one weather trees - and their sizes were fixed on 2016, before the test.
"""

from __future__ import annotations

import time
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast_data import read
from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.member import Member
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.registry import model
from vpp.forecasting.tables import part

Floats = NDArray[np.float64]
INPUTS = (SeriesKey("grid", "load_forecast_mw"), SeriesKey("grid", "wind_forecast_mw"))
MEMBERS = (("ridge", 8), ("ridge", 52), ("ridge", 156), ("weather_trees", 156))
"""Model and weeks of history."""
TREE_ROWS = 80_000
DAY, WEEK = 24, 168
REFIT_DAYS = 7
LOOK_BACK_DAYS = 45
PUBLISHED = ("LEAR 1456", "LEAR Ensemble", "DNN Ensemble")


def run() -> list[dict[str, Any]]:
    """Return one row per forecast."""
    frame = read("epf/NP.csv.gz", "market_local_hour").asfreq("h").interpolate()
    published = read("epf/NP_published_lear_dnn_forecasts.csv.gz", "market_local_hour")
    profile = SeriesProfile(SeriesKey("nord-pool", "price_per_mwh"), "price").with_inputs(*INPUTS)
    grid = TimeGrid(frame.index[0].to_pydatetime().replace(tzinfo=UTC), 3600, len(frame))
    table = SeriesTable(grid, (profile.key, *INPUTS), frame.to_numpy(dtype=np.float64))
    first = int(frame.index.get_loc(published.index[0]))
    origins = range(first, first + len(published), DAY)
    actual = np.array([table.value[origin : origin + DAY, 0] for origin in origins])
    naive = np.array([table.value[origin - WEEK : origin - WEEK + DAY, 0] for origin in origins])
    reference = float(np.abs(naive - actual).mean())

    def row(what: str, said: Floats, cpu_s: float | None = None) -> dict[str, Any]:
        error = float(np.abs(said - actual).mean())
        cost = None if cpu_s is None else round(cpu_s)
        return {"forecast": what, "mae_eur_mwh": round(error, 3), "rmae": round(error / reference, 3), "cpu_s": cost}

    rows = [row("naive, a week ago", naive)]
    rows += [row(f"published: {name}", published[name].to_numpy().reshape(actual.shape)) for name in PUBLISHED]
    every = []
    for name, weeks in MEMBERS:
        began = time.process_time()
        every.append(forecasts(name, weeks, table, profile, origins))
        rows.append(row(f"{name}, {weeks} weeks", every[-1], time.process_time() - began))
    return [*rows, row("mean of the four", np.mean(every, axis=0))]


def forecasts(name: str, weeks: int, table: SeriesTable, profile: SeriesProfile, origins: range) -> Floats:
    """Return what one model said, shape (days, 24)."""
    settings = ForecastSettings(tree_weeks=weeks, tree_rows=TREE_ROWS)
    clock = LocalClock(ZoneInfo("UTC"), country="NO")
    context = ModelContext(profiles=(profile,), clock=clock, settings=settings)
    fitted: Member = model(name).make(context)
    said = []
    for index, origin in enumerate(origins):
        if index % REFIT_DAYS == 0:
            fitted = model(name).make(context)
            fitted.fit(part(table, max(0, origin - (weeks + 5) * WEEK), origin))
        ahead = table.value[origin : origin + DAY].copy()
        ahead[:, 0] = np.nan
        said.append(fitted.predict(part(table, origin - LOOK_BACK_DAYS * DAY, origin), DAY, ahead=ahead)[:, 0])
    return np.array(said)
