"""The table of features: one row for each series, moment of decision and step ahead.

Invariant: but for ``target``, which is what happened and NaN while it has not, a row holds what was known at its
``issued_at``, and would be the same whatever came later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.features.calendar import calendar_features
from vpp.forecasting.features.past import past_features
from vpp.forecasting.local_time import LocalClock

Floats = NDArray[np.float64]
TARGET = "target"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column of the table."""

    name: str
    about: str


FEATURES: tuple[Feature, ...] = (
    Feature("source", "asset, or market"),
    Feature("metric", "quantity with its unit; powers are positive toward the grid, so loads are negative"),
    Feature("issued_at", "moment of decision, UTC"),
    Feature("time", "start of the step that is forecast, UTC"),
    Feature("lead_h", "from the decision to the start of the step [h]"),
    Feature(TARGET, "what happened, in the metric's unit; empty while it has not"),
    Feature("local_hour", "hour of the step on the plant's clock, 0 to 24"),
    Feature("local_weekday", "0 Monday to 6"),
    Feature("local_month", "1 to 12"),
    Feature("day_of_year", "1 to 366"),
    Feature("is_weekend", "1 on Saturday and Sunday"),
    Feature("is_holiday", "1 on nationwide public holidays of the plant's country"),
    Feature("hour_sin", "sine of the local hour"),
    Feature("hour_cos", "cosine of the local hour"),
    Feature("year_sin", "sine of the day of the year"),
    Feature("year_cos", "cosine of the day of the year"),
    Feature("lag_1", "newest value known at the decision"),
    Feature("lag_1_age_h", "from the end of its step to the decision [h]"),
    Feature("lag_24h", "value at the step's hour 24 h before, further back in whole days where that was not known yet"),
    Feature("lag_7d", "value at the step's hour 7 days before, or 14 where that was not known yet"),
    Feature("same_hour_mean", "mean at the step's hour over the last 7 days known"),
    Feature("window_mean", "mean of the window before the decision"),
    Feature("window_std", "standard deviation of the window"),
    Feature("window_min", "lowest value of the window"),
    Feature("window_max", "highest value of the window"),
    Feature("spot_price_per_kwh", "spot price of the step, where published by the decision"),
    Feature("import_price_per_kwh", "price of a kWh drawn in the step, by the plant's own tariff"),
    Feature("export_price_per_kwh", "price of a kWh fed in"),
    Feature("tariff_period", "line of the import tariff that holds, from 0; empty where it has none"),
    Feature("sun_elevation_deg", "of the sun above the horizon in the middle of the step"),
    Feature("sun_azimuth_deg", "of the sun, clockwise from north"),
    Feature("clear_sky_kw_per_m2", "irradiance of a flat surface under a clear sky"),
)
"""Columns in their order. Weather comes after them, as far as the store holds any: ``weather_<metric>_last``, and of
forecasts ``weather_<metric>_forecast`` with its age at the decision, ``weather_<metric>_forecast_age_h``."""


def feature_frame(
    history: SeriesTable,
    *,
    steps: int,
    clock: LocalClock,
    window_h: float,
    known_ahead: Mapping[str, Floats],
    actual: Floats | None = None,
) -> pd.DataFrame:
    """Return the rows of one moment of decision.

    Parameters
    ----------
    history : SeriesTable
        K series as known at the decision, which is the end of its grid.
    steps : int
        Steps ahead, S.
    clock : LocalClock
        The plant's clock.
    window_h : float
        Window of the statistics [h].
    known_ahead : mapping of str to float array, shape (S,)
        Features of the steps that do not depend on the series, as known at the decision: prices, sun, weather.
    actual : float array, shape (S, K), optional
        What happened; by default nothing has.

    Returns
    -------
    pandas.DataFrame
        K * S rows, series by series.
    """
    grid = TimeGrid(history.grid.end, history.grid.resolution_s, steps)
    series = len(history.keys)
    of_step = calendar_features(grid.times_s, clock) | dict(known_ahead)
    of_series = past_features(history, steps=steps, window_h=window_h)
    happened = np.full((steps, series), np.nan) if actual is None else actual
    times = pd.to_datetime(grid.times_s, unit="s", utc=True)
    columns: dict[str, object] = {
        "source": np.repeat([key.source for key in history.keys], steps),
        "metric": np.repeat([key.metric for key in history.keys], steps),
        "issued_at": pd.to_datetime(np.full(steps * series, grid.start_s), unit="s", utc=True),
        "time": times.append([times] * (series - 1)),
        "lead_h": np.tile(np.arange(steps) * (grid.resolution_s / SECONDS_PER_HOUR), series),
        TARGET: happened.T.ravel(),
    }
    columns |= {name: np.tile(values, series) for name, values in of_step.items()}
    columns |= {name: values.T.ravel() for name, values in of_series.items()}
    ordered = [feature.name for feature in FEATURES if feature.name in columns]
    extra = [name for name in columns if name not in ordered]
    return pd.DataFrame({name: columns[name] for name in (*ordered, *extra)})
