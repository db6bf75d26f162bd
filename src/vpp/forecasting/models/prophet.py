"""Prophet: a piecewise trend, Fourier seasons of day, week and year, and the country's holidays.

Invariant: what Prophet says is corrected by a smoothed level of how it was off in the last two weeks, so the newest
history counts without a new fit. Taylor and Letham 2018, doi:10.1080/00031305.2017.1380080.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from prophet import Prophet

from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.models.hourly import Run, answer, runs
from vpp.forecasting.models.smoothing import choose_level, continue_level
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
DAYS = 365
LEAST_DAYS = 14
YEARLY_DAYS = 360
LEVEL_DAYS = 14
_LOGGERS = ("prophet", "cmdstanpy")


class ProphetModel:
    """Prophet models of K series, with a level that follows.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock with its holidays, seed.
    """

    name = "prophet"

    def __init__(self, context: ModelContext) -> None:
        self._context = context
        self._fitted: dict[int, Prophet] = {}

    def fit(self, history: SeriesTable) -> None:
        """Fit each series that is known for two weeks, on up to a year."""
        self._fitted = {}
        found, _ = runs(self._context, history, np.arange(len(self._context.profiles)), steps=1, days=DAYS)
        with quiet():
            for run in found:
                for place, column in enumerate(run.columns):
                    count = int(run.known_rows[place])
                    if count >= LEAST_DAYS * run.day:
                        self._fitted[int(column)] = self._prophet(run, place, count)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted or lacks the last weeks."""
        return answer(self._context, history, steps, self._continue, days=LEVEL_DAYS, ahead=ahead)

    def _continue(self, run: Run, steps: int) -> Floats:
        said = np.full((steps, run.columns.size), np.nan)
        count = LEVEL_DAYS * run.day
        rows = run.last_row + np.arange(1 - count, steps + 1)
        for place, column in enumerate(run.columns):
            fitted = self._fitted.get(int(column))
            if fitted is None or run.known_rows[place] < count:
                continue
            curve = fitted.predict(pd.DataFrame({"ds": stamps(rows, run.step_s)}))["yhat"].to_numpy()
            off = (run.values[-count:, place] - curve[:count])[:, None]
            level = continue_level(off, choose_level(off, step_s=run.step_s), steps, step_s=run.step_s)
            said[:, place] = curve[count:] + level[:, 0]
        return said

    def _prophet(self, run: Run, place: int, count: int) -> Prophet:
        values = run.values[-count:, place]
        when = stamps(run.last_row + np.arange(1 - count, 1), run.step_s)
        weekly = self._context.profiles[int(run.columns[place])].follows_weekdays
        model = Prophet(
            daily_seasonality=True,
            weekly_seasonality=weekly,
            yearly_seasonality=count >= YEARLY_DAYS * run.day,
            holidays=self._holidays(run, count) if weekly else None,
            uncertainty_samples=0,
        )
        return model.fit(pd.DataFrame({"ds": when, "y": values}), seed=self._context.settings.seed)

    def _holidays(self, run: Run, count: int) -> pd.DataFrame | None:
        """Return the holidays in the rows fitted and the year after; None where there are none."""
        days = np.arange((run.last_row - count) // run.day, run.last_row // run.day + DAYS)
        days = days[self._context.clock.is_holiday_day(days)]
        if not days.size:
            return None
        return pd.DataFrame({"holiday": "public", "ds": pd.to_datetime(days * SECONDS_PER_DAY, unit="s")})


def stamps(rows: NDArray[np.int64], step_s: int) -> pd.DatetimeIndex:
    """Return rows numbered from the epoch as naive stamps of their own clock."""
    return pd.to_datetime(rows * step_s, unit="s")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Prophet and Stan from reporting every fit; warnings still come through."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    # A filter, since cmdstanpy sets its own level when it first speaks.
    for logger in loggers:
        logger.addFilter(_grave)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_grave)


def _grave(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
