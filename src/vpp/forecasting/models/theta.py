"""Theta on the deseasonalised series, for all series at once.

The forecast is a smoothed level with half the slope of the straight line through the last weeks (Assimakopoulos and
Nikolopoulos 2000, doi:10.1016/S0169-2070(00)00066-2), on what is left when the medians by time of day, and by time of
week where people make the rhythm, are taken off. A solar array has no level but a share of its usual day.

Invariant: works at about hourly steps; ``fit`` only chooses smoothing constants, so ``predict`` follows the newest
history. Seasons are added, never multiplied: prices and nights pass through zero.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.forecasting.models.deseasonal import believed, continued, cycles_of, repeated, slow_level
from vpp.forecasting.models.hourly import DAYS_PER_WEEK, Run, answer, runs
from vpp.forecasting.models.smoothing import (
    Constants,
    choose_level,
    choose_scale,
    continue_level,
    continue_scale,
)
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
DAYS = 28
LENGTHS_DAYS = (3, 5, 7, 10, 14, 21, 28)
MEDIAN_DAYS = 14
LEAST_WEEKS = 3
LINE_SHARE = 0.5
MEDIAN_NOISE = 0.5 * np.pi
"""Variance of a median over that of a mean, of normal values."""


class Theta:
    """The Theta model of K series.

    Parameters
    ----------
    context : ModelContext
        Profiles and clock.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from zoneinfo import ZoneInfo
    >>> from vpp.core.time import TimeGrid
    >>> from vpp.forecasting import SeriesProfile
    >>> profile = SeriesProfile.load("home")
    >>> day = -np.array([1.0] * 18 + [3.0] * 6)
    >>> grid = TimeGrid(datetime(2024, 6, 1, tzinfo=UTC), 3600, 240)
    >>> theta = Theta(ModelContext.of((profile,), ZoneInfo("UTC")))
    >>> said = theta.predict(SeriesTable(grid, (profile.key,), np.tile(day, 10)[:, None]), 24)
    >>> bool(np.allclose(said[:, 0], day))
    True
    """

    name = "theta"

    def __init__(self, context: ModelContext) -> None:
        self._context = context
        self._solar = np.array([profile.kind == "solar" for profile in context.profiles])
        self._weekly = np.array([profile.follows_weekdays for profile in context.profiles])
        self._constants: Constants | None = None

    def fit(self, history: SeriesTable) -> None:
        """Choose each series' smoothing constants on the last four weeks."""
        count = len(self._context.profiles)
        chosen = Constants(np.full(count, np.nan), np.full(count, np.nan))
        found, _ = runs(self._context, history, np.arange(count), steps=1, days=DAYS)
        for run in found:
            for _, part in run.parts(LENGTHS_DAYS, apart=self._solar):
                constants = self._choose(part, self._usual(part)[0])
                chosen.half_life_h[part.columns] = constants.half_life_h
                chosen.share[part.columns] = constants.share
        self._constants = chosen

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series with less than three days of history."""
        return answer(self._context, history, steps, self._continue, days=DAYS, ahead=ahead)

    def _continue(self, run: Run, steps: int) -> Floats:
        said = np.full((steps, run.columns.size), np.nan)
        for places, part in run.parts(LENGTHS_DAYS, apart=self._solar):
            usual, coming = self._usual(part)
            constants = self._constants_of(part, usual)
            following = continued(coming, steps)
            if self._solar[part.columns[0]]:
                factor = continue_scale(part.values, usual, constants, step_s=part.step_s)
                said[:, places] = following * factor
            else:
                rest = part.values - usual
                line = LINE_SHARE * slope(rest) * np.arange(1, steps + 1)[:, None]
                said[:, places] = following + line + continue_level(rest, constants, steps, step_s=part.step_s)
        return said

    def _usual(self, part: Run) -> tuple[Floats, Floats]:
        """Return what is usual at each row of a part, and the cycle that follows."""
        if self._solar[part.columns[0]]:
            pattern = np.median(cycles_of(part.values, part.day, MEDIAN_DAYS), axis=0)
        else:
            pattern = seasons(part.values, part.day, weekly=bool(self._weekly[part.columns[0]]))
        return repeated(pattern, len(part.values)), pattern

    def _choose(self, part: Run, usual: Floats) -> Constants:
        if self._solar[part.columns[0]]:
            return choose_scale(part.values, usual, step_s=part.step_s)
        return choose_level(part.values - usual, step_s=part.step_s)

    def _constants_of(self, part: Run, usual: Floats) -> Constants:
        """Return the constants from ``fit``; a series that was not there yet gets its own now."""
        if self._constants is None:
            return self._choose(part, usual)
        half_life_h, share = self._constants.half_life_h[part.columns], self._constants.share[part.columns]
        new = np.isnan(half_life_h)
        if new.any():
            own = replace(part, columns=part.columns[new], values=part.values[:, new])
            chosen = self._choose(own, usual[:, new])
            half_life_h[new], share[new] = chosen.half_life_h, chosen.share
        return Constants(half_life_h, share)


def seasons(values: Floats, day: int, *, weekly: bool) -> Floats:
    """Return the pattern of a day, or of a week, that ends with the last row, shape (day or 7 * day, K).

    Parameters
    ----------
    values : float array, shape (T, K)
        Finite; at least a day.
    day : int
        Rows per day.
    weekly : bool
        Whether to look for a weekly pattern, in three weeks or more.
    """
    week = DAYS_PER_WEEK * day
    swings = values - slow_level(values, week)
    # Medians: a day out of the ordinary says nothing about the next.
    days = cycles_of(swings, day, MEDIAN_DAYS)
    of_day: Floats = np.median(days, axis=0)
    if not weekly:
        noise = (days - of_day).var(axis=0).mean(axis=0)
        of_day *= believed((of_day**2).mean(axis=0), noise, len(days) / MEDIAN_NOISE)
    if not weekly or len(values) < LEAST_WEEKS * week:
        return of_day
    weeks = cycles_of(swings - repeated(of_day, len(values)), week, len(values) // week)
    of_week = weeks.mean(axis=0)
    noise = weeks.var(axis=0, ddof=1).mean(axis=0)
    pattern: Floats = repeated(of_day, week) + believed((of_week**2).mean(axis=0), noise, len(weeks)) * of_week
    return pattern


def slope(values: Floats) -> Floats:
    """Return the slope per row of the least-squares line through each column, shape (K,).

    >>> slope(np.array([[1.0], [3.0], [5.0]])).tolist()
    [2.0]
    """
    at = np.arange(len(values)) - 0.5 * (len(values) - 1)
    steepness: Floats = at @ values / (at @ at)
    return steepness
