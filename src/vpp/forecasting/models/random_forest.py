"""Random forests, one per series, straight from a decision to each step ahead.

Invariant: the features of a step read rows before the decision only, whatever the lead; so one forest answers every
lead in one call instead of step by step. It learns the difference from the last week's mean at that time of day, since
a forest alone never leaves the range it has seen; the sun keeps to its range, and its clouds do not add to a mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.local_time import EPOCH_WEEKDAY, LocalClock
from vpp.forecasting.models.hourly import DAYS_PER_WEEK, Run, answer, runs
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
DAYS = 365
LEAST_DAYS = 14
REACH_DAYS = 8
LONGEST_LEAD_H = 48
"""Longer leads are answered like this one, from the same time of day."""


class RandomForest:
    """Random forests of K series.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock, seed.
    trees : int
        Trees per forest, 1 or more.
    rows : int
        Pairs of decision and lead that each forest learns from, 1 or more; a year holds a hundred times as many,
        near copies of one another.
    """

    name = "random_forest"

    def __init__(self, context: ModelContext, *, trees: int = 100, rows: int = 4_000) -> None:
        self._context = context
        self._trees = trees
        self._rows = rows
        self._forests: dict[int, RandomForestRegressor] = {}

    def fit(self, history: SeriesTable) -> None:
        """Fit a forest for each series that is known for two weeks."""
        self._forests = {}
        found, _ = runs(self._context, history, np.arange(len(self._context.profiles)), steps=1, days=DAYS)
        for run in found:
            for place, column in enumerate(run.columns):
                count = int(run.known_rows[place])
                if count >= LEAST_DAYS * run.day:
                    self._forests[int(column)] = self._forest(run, place, count)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN for a series that was not fitted or lacks the last week."""
        return answer(self._context, history, steps, self._continue, days=LEAST_DAYS, ahead=ahead)

    def _continue(self, run: Run, steps: int) -> Floats:
        said = np.full((steps, run.columns.size), np.nan)
        for place, column in enumerate(run.columns):
            forest = self._forests.get(int(column))
            if forest is None or run.known_rows[place] < REACH_DAYS * run.day:
                continue
            values = run.values[-REACH_DAYS * run.day :, place]
            features = self._features(
                run, values, np.full(steps, len(values)), np.arange(steps), first_row=run.last_row + 1 - len(values)
            )
            said[:, place] = self._base(run, features, place) + forest.predict(features)
        return said

    def _forest(self, run: Run, place: int, count: int) -> RandomForestRegressor:
        """Fit one series on pairs of decision and lead drawn from all of its past."""
        values = run.values[-count:, place]
        draw = np.random.default_rng(self._context.settings.seed)
        lead = draw.integers(0, longest_lead(run.step_s), self._rows)
        origin = draw.integers(REACH_DAYS * run.day, count - lead)
        features = self._features(run, values, origin, lead, first_row=run.last_row + 1 - count)
        forest = RandomForestRegressor(
            n_estimators=self._trees,
            min_samples_leaf=3,
            max_features=0.5,
            random_state=self._context.settings.seed,
            n_jobs=1,
        )
        return forest.fit(features, values[origin + lead] - self._base(run, features, place))

    def _base(self, run: Run, features: Floats, place: int) -> Floats:
        """Return what the forest's target is counted from, shape (n,)."""
        solar = self._context.profiles[int(run.columns[place])].kind == "solar"
        return np.zeros(len(features)) if solar else features[:, 0]

    def _features(self, run: Run, values: Floats, origin: Integers, lead: Integers, *, first_row: int) -> Floats:
        weekly = self._context.profiles[int(run.columns[0])].follows_weekdays
        rows = first_row + origin + lead
        calendar = calendar_of(rows, run.day, clock=self._context.clock if weekly else None)
        lead = np.minimum(lead, longest_lead(run.step_s) - 1 - (longest_lead(run.step_s) - 1 - lead) % run.day)
        return np.column_stack([lag_features(values, origin, lead, run.day), calendar])


def longest_lead(step_s: int) -> int:
    """Return the leads that a forest learns [steps]."""
    return max(1, LONGEST_LEAD_H * SECONDS_PER_HOUR // step_s)


def lag_features(values: Floats, origin: Integers, lead: Integers, day: int) -> Floats:
    """Return what is known before each decision about each lead, shape (n, 15).

    Parameters
    ----------
    values : float array, shape (N,)
        A series without gaps.
    origin, lead : int array, shape (n,)
        Rows of decision, and steps from there; row ``origin`` is the first that is not known.
    day : int
        Rows per day.

    Returns
    -------
    float array
        First the mean of the last week at the same time of day.
    """
    latest = origin + lead % day - day
    week = DAYS_PER_WEEK * day
    days = np.stack([values[latest - back * day] for back in range(DAYS_PER_WEEK)])
    total = np.concatenate([[0.0], np.cumsum(values)])

    def mean(end: Integers, span: int) -> Floats:
        means: Floats = (total[end] - total[end - span]) / span
        return means

    short, quarter = max(1, day // 8), max(1, day // 4)
    return np.column_stack(
        [
            days.mean(axis=0),
            days[0],
            days[1],
            days[2],
            np.median(days, axis=0),
            values[origin + lead % week - week],
            values[latest - 1],
            values[np.minimum(latest + 1, origin - 1)],
            values[origin - 1],
            mean(origin, short),
            mean(origin, quarter) - mean(origin - day, quarter),
            mean(origin, day),
            mean(origin, week),
            mean(origin, day) - mean(origin - day, day),
            lead,
        ]
    )


def calendar_of(rows: Integers, day: int, *, clock: LocalClock | None) -> Floats:
    """Return time of day and, with a clock, weekday and holiday of rows numbered from the epoch, shape (n, 2 or 4)."""
    days, turn = rows // day, 2.0 * np.pi * (rows % day) / day
    columns = [np.sin(turn), np.cos(turn)]
    if clock is not None:
        columns += [(days + EPOCH_WEEKDAY) % DAYS_PER_WEEK, clock.is_holiday_day(days)]
    return np.column_stack(columns).astype(np.float64)
