"""Gradient-boosted trees: one LightGBM per kind over all its series, fitted through mlforecast.

Invariant: forecasts equal mlforecast's own ``predict`` to 1e-9; the recursion runs in arrays over all series at once.
Series are scaled by their mean magnitude, so that a small home counts like a large one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from mlforecast import MLForecast
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.kinds import KINDS, SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.features import CALENDAR_FEATURES, FeatureSet, tree_step_s
from vpp.forecasting.models.member import extended
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.repair import fill
from vpp.forecasting.settings import ForecastSettings, TreeShape

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MEMBER = "trees"
OWN = "lightgbm"
DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class KindModel:
    """A fitted model of one kind.

    Parameters
    ----------
    columns : int array, shape (k,)
        Columns of the history it answers for.
    fitted : MLForecast
        The model as mlforecast holds it.
    booster : lightgbm.Booster
        The same trees, called directly.
    """

    columns: NDArray[np.int64]
    fitted: MLForecast
    booster: Any


class TreeForecaster:
    """Trees over lags and calendar, one model per kind of series.

    Parameters
    ----------
    profiles : tuple of SeriesProfile
        The K series, in the order of the history's columns.
    clock : LocalClock
        The plant's local clock.
    settings : ForecastSettings
        Sizes, windows and seed.
    shared : bool
        True for one model per kind over all its series, False for one per series.
    """

    def __init__(
        self,
        profiles: tuple[SeriesProfile, ...],
        clock: LocalClock,
        settings: ForecastSettings,
        *,
        shared: bool = True,
    ) -> None:
        self.name = MEMBER if shared else OWN
        self._shared = shared
        self._profiles = profiles
        self._clock = clock
        self._settings = settings
        self._direction = np.array([profile.direction for profile in profiles])
        self._daily = np.array([profile.kind in {"load", "solar"} for profile in profiles])
        self._scale = np.ones(len(profiles))
        self.models: tuple[KindModel, ...] = ()

    def fit(self, history: SeriesTable) -> None:
        """Fit one model per kind on the last weeks of the series that are known long enough."""
        features = FeatureSet(tree_step_s(history.grid.resolution_s), self._clock)
        grid, values, made_up = self._coarse(history, self._window_days())
        known = np.isfinite(values) & ~made_up
        enough = known.sum(axis=0) >= self._settings.tree_least_days * features.day
        magnitude = np.where(known, np.abs(values), 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        self._scale = np.where(magnitude > 0.0, magnitude, 1.0) * self._direction
        scaled = values / self._scale
        models = []
        for kind in KINDS:
            columns = np.flatnonzero(enough & np.array([profile.kind == kind for profile in self._profiles]))
            for group in (
                [columns] if self._shared and columns.size else [columns[i : i + 1] for i in range(columns.size)]
            ):
                frame = training_frame(grid, scaled[:, group], known[:, group])
                fitted = fit_trees(frame, features, self._settings.trees[kind], self._settings.seed)
                learnt: Any = fitted.models_[MEMBER]
                models.append(KindModel(group, fitted, learnt.booster_))
        self.models = tuple(models)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for series not fitted or without a week of history."""
        features = FeatureSet(tree_step_s(history.grid.resolution_s), self._clock)
        answer = np.full((steps, len(self._profiles)), np.nan)
        group = features.step_s // history.grid.resolution_s
        coarse_steps = -(-steps // group)
        grid, past, _ = self._coarse(history, DAYS_PER_WEEK + 2)
        if grid.count < features.reach or not self.models:
            return answer
        published = None if ahead is None else group_means(pad_rows(ahead, coarse_steps * group), group) / self._scale
        series = extended(past / self._scale, coarse_steps, published)
        self._recurse(features, series, first=grid.count, first_s=grid.end_s)
        coarse = series[grid.count :] * self._scale
        fine = np.repeat(coarse, group, axis=0)
        if group > 1:
            fine[:, self._daily] += self._within_step(history, group, coarse_steps)[:, self._daily]
        answerable = np.asarray(np.isfinite(past[-features.reach :]).all(axis=0))
        for model in self.models:
            columns = model.columns[answerable[model.columns]]
            answer[:, columns] = fine[:steps, columns]
        return answer

    def _recurse(self, features: FeatureSet, series: Floats, *, first: int, first_s: int) -> None:
        """Fill the rows of ``series`` from ``first`` on in place, one step after the other; known values stay."""
        count = len(series) - first
        calendar = features.calendar(first_s + features.step_s * np.arange(count, dtype=np.int64))
        row = np.empty((series.shape[1], features.count))
        for step in range(count):
            features.latest(series, first + step, row)
            row[:, -CALENDAR_FEATURES:] = calendar[step]
            target = series[first + step]
            for model in self.models:
                # One thread: a few dozen rows are done before a second thread has woken up.
                predicted = model.booster.predict(row[model.columns], num_threads=1)
                published = target[model.columns]
                target[model.columns] = np.where(np.isnan(published), predicted, published)

    def _within_step(self, history: SeriesTable, group: int, coarse_steps: int) -> Floats:
        """Return how the last week deviated from its own coarse means, shape (coarse_steps * group, K)."""
        day = SECONDS_PER_DAY // history.grid.resolution_s
        filled, _ = fill(history.value[-DAYS_PER_WEEK * day :], steps_per_day=day)
        if len(filled) < DAYS_PER_WEEK * day:
            return np.zeros((coarse_steps * group, filled.shape[1]))
        parts = filled.reshape(DAYS_PER_WEEK, day // group, group, -1).mean(axis=0)
        deviation = (parts - parts.mean(axis=1, keepdims=True)).reshape(day, -1)
        repeated: Floats = deviation[np.arange(coarse_steps * group) % day]
        return repeated

    def _coarse(self, history: SeriesTable, days: int) -> tuple[TimeGrid, Floats, Flags]:
        """Return the last days at the step of the trees, filled, and where a value was made up.

        Whole steps are counted back from the moment of decision, so that the last one is always complete.
        """
        step_s = tree_step_s(history.grid.resolution_s)
        group = step_s // history.grid.resolution_s
        count = min(history.grid.count, days * SECONDS_PER_DAY // history.grid.resolution_s) // group
        values = history.value[history.grid.count - count * group :]
        filled, made_up = fill(values, steps_per_day=SECONDS_PER_DAY // history.grid.resolution_s)
        start = history.grid.time(history.grid.count - count * group)
        return TimeGrid(start, step_s, count), group_means(filled, group), group_means(made_up, group) > 0.0

    def _window_days(self) -> int:
        """Return the days of history to learn from, within the budget of rows, plus the lags' own week."""
        by_rows = self._settings.tree_rows // (24 * len(self._profiles))
        longest = DAYS_PER_WEEK * self._settings.tree_weeks
        return DAYS_PER_WEEK + min(longest, max(by_rows, longest // 2))


def group_means(values: NDArray[Any], group: int) -> Floats:
    """Return means over runs of ``group`` rows, shape (T / group, K); NaN where one of them is."""
    if group == 1:
        return values.astype(np.float64)
    means: Floats = values.reshape(-1, group, values.shape[1]).mean(axis=1)
    return means


def pad_rows(values: Floats, count: int) -> Floats:
    """Return ``values`` with NaN rows appended up to ``count`` rows."""
    return np.concatenate([values, np.full((count - len(values), values.shape[1]), np.nan)])


def training_frame(grid: TimeGrid, values: Floats, known: Flags) -> pd.DataFrame:
    """Return series as mlforecast's long frame, from each series' first finite value on; made-up rows weigh 0."""
    stamps = pd.to_datetime(grid.times_s, unit="s")
    parts = []
    for column in range(values.shape[1]):
        since = int(np.argmax(np.isfinite(values[:, column])))
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": column,
                    "ds": stamps[since:],
                    "y": values[since:, column],
                    "weight": known[since:, column].astype(np.float64),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def fit_trees(frame: pd.DataFrame, features: FeatureSet, shape: TreeShape, seed: int) -> MLForecast:
    """Fit LightGBM on the absolute error, on one thread, repeatably."""
    trees = lightgbm.LGBMRegressor(
        objective="l1",  # the forecast is a median: half of what happens lies above it
        n_estimators=shape.trees,
        num_leaves=shape.leaves,
        min_child_samples=shape.least_rows,
        learning_rate=shape.learning_rate,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        n_jobs=1,
        verbose=-1,
    )
    fitted = MLForecast(models={MEMBER: trees}, freq=f"{features.step_s}s", num_threads=1, **features.for_mlforecast())
    fitted.fit(frame, static_features=[], weight_col="weight")
    return fitted


def global_trees(context: ModelContext) -> TreeForecaster:
    """Return the model that learns from all series of a kind."""
    return TreeForecaster(context.profiles, context.clock, context.settings)


def own_trees(context: ModelContext) -> TreeForecaster:
    """Return the model that learns every series by itself."""
    return TreeForecaster(context.profiles, context.clock, context.settings, shared=False)
