"""Forecasts with inputs known ahead: Dutch solar and wind with real forecast weather, 60 days of history or more.

30 hours in quarter-hours from 18:00 local, daily over October 2021, one fit a week; rMAE over the better seasonal
naive. ``weather`` is the combination with forecast radiation and wind speed, ``plain`` the same without,
``weather_trees`` the one member that needs them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.forecast_data import DATA
from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.forecasting import SeriesProfile
from vpp.forecasting.evaluation.origins import daily_origins
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.tables import part

Floats = NDArray[np.float64]
ZONE = ZoneInfo("Europe/Amsterdam")
CHANNELS = (
    ("HAL", "wind"),
    ("HFDP", "solar"),
    ("NRYN", "wind"),
    ("OWD", "solar"),
    ("WEW", "wind"),
    ("WLS", "wind"),
)
"""Substations and what they feed in; their other channels are empty or named faulty in PROVENANCE.md."""
COLUMNS = {"wind": "wind_mw", "solar": "solar_mw"}
INPUTS = (SeriesKey("weather", "radiation_j_m2"), SeriesKey("weather", "wind_speed_m_s"))
STEPS, DAY = 120, 96
HISTORY_DAYS = 60


def run() -> list[dict[str, Any]]:
    """Return one row per channel and one per kind."""
    rows = [scored(station, kind) for station, kind in CHANNELS]
    told = pd.DataFrame(rows)
    numbers = ["plain", "weather", "weather_trees", "coverage_80"]
    means = told.groupby("kind")[numbers].mean().round(3)
    overall = [{"channel": f"mean of {kind}", "kind": kind, **means.loc[kind].to_dict()} for kind in means.index]
    return [*rows, *overall, {"channel": "mean", "kind": "", **told[numbers].mean().round(3).to_dict()}]


def scored(station: str, kind: str) -> dict[str, Any]:
    """Return the errors on one channel."""
    frame = pd.read_csv(DATA / f"nl_substations_2021/{station}.csv.gz", parse_dates=["utc"]).set_index("utc")
    frame = frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq="15min"))
    profile = SeriesProfile.solar(station.lower()) if kind == "solar" else SeriesProfile.wind(station.lower())
    # A substation's own consumption shows where it feeds in nothing.
    profile = replace(profile, lower=-np.inf)
    values = np.column_stack(
        [-frame[COLUMNS[kind]], frame["radiation_j_m2"], frame["windspeed_100m_ms"]],
    ).astype(np.float64)
    grid = TimeGrid(from_epoch_s(int(frame.index[0].timestamp())), 900, len(frame))
    table = SeriesTable(grid, (profile.key, *INPUTS), values)
    origins = daily_origins(grid, ZONE, local_hour=18, first=grid.time(HISTORY_DAYS * DAY), days=31)
    origins = tuple(origin for origin in origins if origin + STEPS <= grid.count)
    plain, members, names, _ = said(profile, table, origins)
    weather, with_weather, with_names, covered = said(profile.with_inputs(*INPUTS), table, origins)
    actual = np.array([values[origin : origin + STEPS, 0] for origin in origins])
    naive = min(error(members[names.index(f"seasonal_naive_{hours}h")], actual) for hours in (24, 168))
    return {
        "channel": f"{station} {kind}",
        "kind": kind,
        "origins": len(origins),
        "plain": round(error(plain, actual) / naive, 3),
        "weather": round(error(weather, actual) / naive, 3),
        "weather_trees": round(error(with_weather[with_names.index("weather_trees")], actual) / naive, 3),
        "coverage_80": round(covered(actual), 3),
    }


def said(profile: SeriesProfile, table: SeriesTable, origins: tuple[int, ...]) -> Any:
    """Return what the combination and its members said, their names, and how to tell the coverage."""
    pipeline = ForecastPipeline((profile,), timezone=ZONE, plant="bench")
    issues = []
    for index, origin in enumerate(origins):
        past = part(table, 0, origin)
        if index % 7 == 0:
            pipeline.fit(past)
        known = part(table, origin, origin + STEPS)
        ahead = known.value.copy()
        ahead[:, 0] = np.nan
        issues.append(pipeline.issue(past, STEPS, ahead=SeriesTable(known.grid, known.keys, ahead)))
    levels = pipeline.settings.levels
    low, high = (np.array([issue.quantiles[levels.index(level), :, 0] for issue in issues]) for level in (0.1, 0.9))

    def covered(actual: Floats) -> float:
        told = (high > low) & np.isfinite(actual)
        return float(((actual >= low) & (actual <= high))[told].mean())

    value = np.array([issue.value[:, 0] for issue in issues])
    members = np.stack([issue.members[:, :, 0] for issue in issues], axis=1)
    return value, list(members), list(pipeline.member_names), covered


def error(forecast: Floats, actual: Floats) -> float:
    """Return the mean absolute error over the steps that were measured."""
    return float(np.nanmean(np.abs(forecast - actual)))
