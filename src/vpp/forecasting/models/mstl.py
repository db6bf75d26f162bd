"""MSTL: daily and weekly seasons by loess, what is left continued by exponential smoothing, for all series at once.

``fit`` decomposes the last eight weeks; ``predict`` within a day of it repeats those seasons and follows the newest
history with the level only, later it decomposes what history it is given. A season counts as far as its own noise
leaves it credible, and medians of what is left by time of day turn the mean into a median forecast. A solar array
has no level but a share of its usual day.

Invariant: ``predict`` changes no state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.forecasting.models.deseasonal import believed, continued, cycles_of, repeated, slow_level
from vpp.forecasting.models.hourly import DAYS_PER_WEEK, Run, answer, runs
from vpp.forecasting.models.loess import effective_cycles, mstl, noise_left, seasonal_window
from vpp.forecasting.models.smoothing import Constants, choose_level, choose_scale, continue_level, continue_scale
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
WEEKS = 8
LENGTHS_DAYS = (7, 10, 14, 21, 28, 35, 42, 49, 56)
LEAST_WEEKLY_DAYS = 21
MEDIAN_DAYS = 28
SOLAR_MEDIAN_DAYS = 14
STATE_DAYS = (7, 10, 14)
"""Days over which the level is followed anew at each forecast."""


@dataclass(frozen=True, slots=True)
class Decomposed:
    """What a decomposition leaves for the forecasts after it.

    Parameters
    ----------
    usual : float array, shape (R + 7 days, K)
        What is usual at the last R rows, and in the week that follows; NaN for a series without.
    constants : Constants
        How to continue what is not usual.
    last_row : int array, shape (K,)
        Row at which each series was decomposed.
    step_s : int
        Length of a step [s].
    """

    usual: Floats
    constants: Constants
    last_row: NDArray[np.int64]
    step_s: int


class Mstl:
    """The MSTL model of K series.

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
    >>> week = -np.repeat([2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0], 24)
    >>> grid = TimeGrid(datetime(2024, 6, 3, tzinfo=UTC), 3600, 4 * 168)
    >>> mstl = Mstl(ModelContext.of((profile,), ZoneInfo("UTC")))
    >>> said = mstl.predict(SeriesTable(grid, (profile.key,), np.tile(week, 4)[:, None]), 168)
    >>> bool(np.abs(said[:, 0] - week).max() < 0.2)
    True
    """

    name = "mstl"

    def __init__(self, context: ModelContext) -> None:
        self._context = context
        self._solar = np.array([profile.kind == "solar" for profile in context.profiles])
        self._weekly = np.array([profile.follows_weekdays for profile in context.profiles])
        self._fitted: tuple[Decomposed, ...] = ()

    def fit(self, history: SeriesTable) -> None:
        """Decompose the last eight weeks and choose each series' smoothing constants."""
        every = np.arange(len(self._context.profiles))
        found, _ = runs(self._context, history, every, steps=1, days=DAYS_PER_WEEK * WEEKS)
        self._fitted = tuple(self._decomposed(run) for run in found)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series with less than a week of history."""
        return answer(self._context, history, steps, self._continue, days=DAYS_PER_WEEK * WEEKS, ahead=ahead)

    def _continue(self, run: Run, steps: int) -> Floats:
        said = np.full((steps, run.columns.size), np.nan)
        state = self._state(run)
        rows = STATE_DAYS[-1] * run.day
        # A season lives on by one row per step.
        usual = state.usual[:, run.columns]
        age = run.last_row - int(state.last_row[run.columns[0]])
        for places, part in run.tail(rows).parts(STATE_DAYS, apart=self._solar):
            constants = Constants(state.constants.half_life_h[part.columns], state.constants.share[part.columns])
            begin = rows + age
            past = usual[begin - len(part.values) : begin, places]
            following = continued(usual[rows:, places], age + steps)[age:]
            if self._solar[part.columns[0]]:
                factor = continue_scale(part.values, past, constants, step_s=part.step_s)
                said[:, places] = following * factor
            else:
                rest = part.values - past
                said[:, places] = following + continue_level(rest, constants, steps, step_s=part.step_s)
        return said

    def _state(self, run: Run) -> Decomposed:
        """Return the decomposition of ``fit`` while it is younger than a day, else one of the run."""
        for fitted in self._fitted:
            age = run.last_row - fitted.last_row[run.columns]
            if fitted.step_s == run.step_s and ((age >= 0) & (age <= run.day)).all():
                return fitted
        return self._decomposed(run)

    def _decomposed(self, run: Run) -> Decomposed:
        count, week = len(self._context.profiles), DAYS_PER_WEEK * run.day
        rows = STATE_DAYS[-1] * run.day
        usual = np.full((rows + week, count), np.nan)
        half_life, share = np.full(count, np.nan), np.full(count, np.nan)
        last_row = np.full(count, -1, dtype=np.int64)
        last_row[run.columns] = run.last_row
        for _, part in run.parts(LENGTHS_DAYS, apart=self._solar):
            if self._solar[part.columns[0]]:
                past, coming = usual_sun(part.values, part.day)
                constants = choose_scale(part.values, past, step_s=part.step_s)
            else:
                past, coming = usual_swings(part.values, part.day, weekly=bool(self._weekly[part.columns[0]]))
                constants = choose_level(part.values - past, step_s=part.step_s)
            kept = past[-rows:]
            usual[rows - len(kept) : rows, part.columns] = kept
            usual[rows:, part.columns] = coming
            half_life[part.columns], share[part.columns] = constants.half_life_h, constants.share
        return Decomposed(usual, Constants(half_life, share), last_row, run.step_s)


def usual_swings(values: Floats, day: int, *, weekly: bool) -> tuple[Floats, Floats]:
    """Return the swings around the level at each row, shape (T, K), and in the week that follows, (7 * day, K).

    Parameters
    ----------
    values : float array, shape (T, K)
        Finite, whole days; whole weeks where they are three or more and ``weekly`` is asked for.
    day : int
        Rows per day.
    weekly : bool
        Whether people make the rhythm.
    """
    week = DAYS_PER_WEEK * day
    asked = (day, week) if weekly and len(values) >= LEAST_WEEKLY_DAYS * day else (day,)
    periods = tuple(period for period in asked if period > 1)
    found = mstl(values, periods)
    left = values - sum(found)
    noise = (left - slow_level(left, week)).var(axis=0)
    for i, period in enumerate(periods):
        noise = noise / noise_left(len(values) // period, seasonal_window(i))
    past, coming = np.zeros_like(values), np.zeros((week, values.shape[1]))
    for i, (period, season) in enumerate(zip(periods, found, strict=True)):
        cycles = effective_cycles(len(values) // period, seasonal_window(i))
        share = believed(season[-period:].var(axis=0), noise, cycles)
        past += share * season
        coming += share * continued(season[-period:], week)
    left = values - past
    median = np.median(cycles_of(left - slow_level(left, week), day, MEDIAN_DAYS), axis=0)
    return past + repeated(median, len(values)), coming + continued(median, week)


def usual_sun(values: Floats, day: int) -> tuple[Floats, Floats]:
    """Return the usual output at each row, shape (T, K), and in the week that follows, (7 * day, K); 0 or more."""
    week = DAYS_PER_WEEK * day
    season = mstl(values, (day,))[0] if day > 1 else np.zeros_like(values)
    left = values - season
    level = slow_level(left, week)
    median = np.median(cycles_of(left - level, day, SOLAR_MEDIAN_DAYS), axis=0)
    past = season + level + repeated(median, len(values))
    coming = season[-day:] + left[-week:].mean(axis=0) + median
    return np.maximum(past, 0.0), continued(np.maximum(coming, 0.0), week)
