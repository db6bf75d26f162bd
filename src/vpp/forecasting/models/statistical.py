"""Exponential smoothing and seasonal ARIMA as statsforecast chooses them, one model per series.

Invariant: ``fit`` chooses form and parameters on the last four weeks; ``predict`` runs the chosen model over the newest
four weeks, so its states follow without a new search. A series that never moves continues as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsforecast.models import AutoARIMA, AutoETS

from vpp.core.ports import SeriesTable
from vpp.forecasting.models.hourly import Run, answer, runs
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
DAYS = 28


class _PerSeries:
    """One statsforecast model per series.

    Parameters
    ----------
    context : ModelContext
        Profiles and clock.
    make : callable
        Returns an unfitted model for so many steps per day.
    least_days : int
        Days of history below which a series is left out.
    """

    def __init__(self, context: ModelContext, make: Callable[[int], Any], *, least_days: int) -> None:
        self._context = context
        self._make = make
        self._least_days = least_days
        self._fitted: dict[int, Any] = {}
        self._phase: dict[int, int] = {}

    def fit(self, history: SeriesTable) -> None:
        self._fitted = {}
        found, _ = runs(self._context, history, np.arange(len(self._context.profiles)), steps=1, days=DAYS)
        for run in found:
            for place, column in enumerate(run.columns):
                values = self._known(run, place)
                if values.size and np.ptp(values) > 0.0:
                    self._fitted[int(column)] = fitted(self._make(run.day), values)
                    self._phase[int(column)] = phase(run, values)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None) -> Floats:
        return answer(self._context, history, steps, self._continue, days=DAYS, ahead=ahead)

    def _continue(self, run: Run, steps: int) -> Floats:
        said = np.full((steps, run.columns.size), np.nan)
        for place, column in enumerate(run.columns):
            values = self._known(run, place)
            if not values.size:
                continue
            if np.ptp(values) == 0.0:
                said[:, place] = values[-1]
            elif int(column) in self._fitted:
                # A model's first season is that of the first row it was fitted to.
                late = (self._phase[int(column)] - phase(run, values)) % run.day
                said[:, place] = self._fitted[int(column)].forward(values[late:], steps)["mean"]
        return said

    def _known(self, run: Run, place: int) -> Floats:
        """Return a series from its first value on; empty where that is too little."""
        count = int(run.known_rows[place])
        return run.values[len(run.values) - count :, place] if count >= self._least_days * run.day else np.empty(0)


def phase(run: Run, values: Floats) -> int:
    """Return the time of day of the first of some values that end with a run, in its rows."""
    return (run.last_row + 1 - len(values)) % run.day


def fitted(model: Any, values: Floats) -> Any:
    """Return a model fitted to a series; a try that its search drops again is no news."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="possible convergence problem", category=UserWarning)
        return model.fit(values)


class AutoEts:
    """Exponential smoothing with a daily season, its form chosen by AICc.

    Parameters
    ----------
    context : ModelContext
        Profiles and clock.
    model : str
        Forms tried for error, trend and season: ``Z`` any, ``A`` additive, ``M`` multiplicative, ``N`` none.
    """

    name = "ets"

    def __init__(self, context: ModelContext, *, model: str = "ZZZ") -> None:
        self._models = _PerSeries(context, lambda day: AutoETS(season_length=day, model=model), least_days=3)

    def fit(self, history: SeriesTable) -> None:
        """Choose form and parameters of each series on the last four weeks."""
        self._models.fit(history)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted."""
        return self._models.predict(history, steps, ahead=ahead)


class AutoArima:
    """Seasonal ARIMA with a season of a day, its orders chosen by AICc.

    Parameters
    ----------
    context : ModelContext
        Profiles and clock.
    most_orders : int
        Most orders of each kind that are tried, 0 or more; seasonal ones stop at 2.
    """

    name = "auto_arima"

    def __init__(self, context: ModelContext, *, most_orders: int = 5) -> None:
        limits: dict[str, Any] = dict.fromkeys(("max_p", "max_q", "max_order"), most_orders)
        limits |= {name: min(2, most_orders) for name in ("start_p", "start_q", "max_P", "max_Q")}
        limits |= {name: min(1, most_orders) for name in ("start_P", "start_Q")}

        def make(day: int) -> Any:
            # Orders are compared by their conditional sum of squares: exact likelihoods took ten times as long.
            return AutoARIMA(season_length=day, approximation=True, **limits)

        self._models = _PerSeries(context, make, least_days=7)

    def fit(self, history: SeriesTable) -> None:
        """Choose orders and parameters of each series on the last four weeks."""
        self._models.fit(history)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted."""
        return self._models.predict(history, steps, ahead=ahead)
