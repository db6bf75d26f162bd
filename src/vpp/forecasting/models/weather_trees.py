"""Weather trees: one LightGBM per series on inputs whose future is known at the decision, such as forecast weather.

Works at the steps of the history. Invariant: of the series itself only what lies before the decision is read; of the
inputs also the steps ahead, as far as they were handed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.series import latest_known
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.models.lead_features import DAYS_PER_WEEK, same_time
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEADS_PER_DECISION = 6
LONGEST_H = 48
REACH_DAYS = 8
"""Days before a decision that features read; two days of lead come on top."""
LEAST_DAYS = 12
SHAPE: Mapping[str, Any] = {
    "objective": "l1",
    "n_estimators": 150,
    "num_leaves": 12,
    "learning_rate": 0.05,
    "min_child_samples": 60,
    "subsample": 0.7,
    "subsample_freq": 1,
    "colsample_bytree": 0.7,
    "deterministic": True,
    "force_row_wise": True,
    "n_jobs": 1,
    "verbose": -1,
}

LARGE = {"n_estimators": 400, "num_leaves": 31}
"""With more than a year to learn from: on a year of Nord Pool prices 1.56, not 1.62 EUR/MWh."""
LARGE_FROM_DAYS = 366


@dataclass(frozen=True, slots=True)
class InputTrees:
    """The trees of one series: its ``scale``, and the fitted booster."""

    scale: float
    booster: lightgbm.Booster


class WeatherTrees:
    """Trees on inputs known ahead.

    Parameters
    ----------
    context : ModelContext
        Profiles with their ``inputs``, clock and settings.
    """

    name = "weather_trees"

    def __init__(self, context: ModelContext) -> None:
        self._context = context
        self._models: dict[int, InputTrees] = {}

    def fit(self, history: SeriesTable) -> None:
        """Fit the series that have inputs and are known, with them, for twelve days.

        ``history`` holds the profiles' columns and then those of the inputs, each as it was known ahead.
        """
        self._models = {}
        for k, profile in enumerate(self._context.profiles):
            inputs = input_columns(history, profile.inputs)
            if inputs is not None:
                fitted = self._fit_series(k, history, inputs)
                if fitted is not None:
                    self._models[k] = fitted

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN where an input is not known ahead, and beyond two days."""
        profiles = self._context.profiles
        said = np.full((steps, len(profiles)), np.nan)
        resolution_s = history.grid.resolution_s
        reach = (REACH_DAYS + LONGEST_H * SECONDS_PER_HOUR // SECONDS_PER_DAY) * SECONDS_PER_DAY // resolution_s
        if ahead is None or history.grid.count < reach:
            return said
        count = min(steps, LONGEST_H * SECONDS_PER_HOUR // resolution_s)
        for k, fitted in self._models.items():
            columns = [history.keys.index(key) for key in profiles[k].inputs]
            future = ahead[:count, columns]
            known = np.isfinite(future).all(axis=1)
            past = latest_known(history.value[-reach:, k])
            if not known.any() or not np.isfinite(past).all():
                continue
            inputs = carried(np.concatenate([history.value[-reach:, columns], future]))
            origin = np.full(count, reach, dtype=np.int64)
            times_s = history.grid.end_s + resolution_s * np.arange(count, dtype=np.int64)
            design = self._design(past / fitted.scale, inputs, origin, np.arange(count), times_s, resolution_s)
            predicted = np.asarray(fitted.booster.predict(design, num_threads=1)) * fitted.scale
            said[:count, k] = np.where(known, predicted, np.nan)
        return said

    def _fit_series(self, k: int, history: SeriesTable, inputs: Floats) -> InputTrees | None:
        settings, resolution_s = self._context.settings, history.grid.resolution_s
        day = SECONDS_PER_DAY // resolution_s
        window = min(history.grid.count, DAYS_PER_WEEK * settings.tree_weeks * day)
        measured = history.value[-window:, k]
        inputs = inputs[-window:]
        usable = np.isfinite(measured) & np.isfinite(inputs).all(axis=1)
        if usable.sum() < LEAST_DAYS * day:
            return None
        begin = int(np.argmax(usable))
        past, inputs = latest_known(measured[begin:]), carried(inputs[begin:])
        usable = usable[begin:]
        leads = LONGEST_H * SECONDS_PER_HOUR // resolution_s
        reach = REACH_DAYS * day + leads
        decisions = np.arange(reach, len(past) - leads, dtype=np.int64)
        stride = max(1, -(-decisions.size * LEADS_PER_DECISION // settings.tree_rows))
        generator = np.random.default_rng(settings.seed)
        decisions = decisions[int(generator.integers(stride)) :: stride]
        origin = np.repeat(decisions, LEADS_PER_DECISION)
        lead = generator.integers(leads, size=origin.size)
        told = usable[origin + lead]
        origin, lead = origin[told], lead[told]
        if origin.size < LEAST_DAYS * day:
            return None
        magnitude = float(np.abs(past).mean())
        scale = (magnitude if magnitude > 0.0 else 1.0) * self._context.profiles[k].direction
        times_s = history.grid.end_s - resolution_s * (len(past) - origin - lead)
        design = self._design(past / scale, inputs, origin, lead, times_s, resolution_s)
        shape = {**SHAPE, **LARGE} if len(past) > LARGE_FROM_DAYS * day else SHAPE
        trees = lightgbm.LGBMRegressor(**shape, random_state=settings.seed)
        trees.fit(design, past[origin + lead] / scale)
        return InputTrees(scale, trees.booster_)

    def _design(
        self, past: Floats, inputs: Floats, origins: Integers, leads: Integers, times_s: Integers, resolution_s: int
    ) -> Floats:
        """Return the features of n pairs of decision and lead, shape (n, F)."""
        day, hour = SECONDS_PER_DAY // resolution_s, max(1, SECONDS_PER_HOUR // resolution_s)
        wanted = origins + leads
        yesterday, last_week = same_time(origins, leads, day), same_time(origins, leads, DAYS_PER_WEEK * day)
        total = np.concatenate([[0.0], np.cumsum(past)])
        columns = [
            past[yesterday],
            past[same_time(origins, leads, day, back=2)],
            past[last_week],
            past[origins - 1],
            *((total[origins] - total[origins - span]) / span for span in (3 * hour, day)),
            leads * (resolution_s / SECONDS_PER_HOUR),
            self._context.clock.hour_of_day(times_s),
            self._context.clock.weekday(times_s).astype(np.float64),
            self._context.clock.is_holiday(times_s).astype(np.float64),
        ]
        last = len(inputs) - 1
        for column in inputs.T:
            columns += [
                column[wanted],
                column[np.maximum(wanted - hour, 0)],
                column[np.minimum(wanted + hour, last)],
                column[wanted] - column[yesterday],
                column[wanted] - column[last_week],
                column[origins - 1],
            ]
        return np.stack(columns, axis=-1)


def input_columns(history: SeriesTable, keys: tuple[SeriesKey, ...]) -> Floats | None:
    """Return the inputs of a series, shape (T, E); None where it has none or the history lacks one."""
    if not keys or any(key not in history.keys for key in keys):
        return None
    return np.column_stack([history.column(key) for key in keys])


def carried(values: Floats) -> Floats:
    """Return columns with every gap filled by the value before it, and the first gap by 0."""
    return np.nan_to_num(np.column_stack([latest_known(column) for column in values.T]))
