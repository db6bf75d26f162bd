"""Regressions on the hour wanted: one linear model per hour ahead, on asinh-scaled values.

The form is LEAR's (Lago et al. 2021, https://doi.org/10.1016/j.apenergy.2021.116983): last values, the same time of
the last days and weeks, and the calendar. How a regression is solved is handed in: ``ridge`` or ``lear``.

Invariant: an answer lies between the lowest and the highest value that the series showed in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from vpp.core.ports import SeriesTable
from vpp.forecasting.kinds import KINDS, Kind
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.hourly import Run, answer, runs
from vpp.forecasting.models.input_runs import InputRuns, input_features
from vpp.forecasting.models.lead_features import (
    DAYS_PER_WEEK,
    REACH_DAYS,
    calendar_features,
    origin_features,
    seasonal_features,
)
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import narrow

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_ORIGINS = 768
"""Decisions that one regression learns from; more are thinned evenly."""
LONGEST_DAYS = 2
"""Leads beyond are left to others: a regression on last values has nothing to say of them."""
STACK = 64
"""Series whose matrices are held at once."""
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Scale:
    """How k series are brought to one size: ``arcsinh((value - middle) / width)``, each of shape (k,)."""

    middle: Floats
    width: Floats

    @classmethod
    def of(cls, values: Floats) -> Scale:
        """Return the scale of series without gaps, shape (N, k): median and median deviation."""
        middle = np.median(values, axis=0)
        width = MAD_TO_SIGMA * np.median(np.abs(values - middle), axis=0)
        spread = values.std(axis=0)
        width = np.where(width > 1e-3 * spread, width, spread)
        return cls(middle, np.where(width > 0.0, width, 1.0))

    def scaled(self, values: Floats) -> Floats:
        """Return scaled values."""
        return np.asarray(np.arcsinh((values - self.middle) / self.width))

    def back(self, scaled: Floats) -> Floats:
        """Return values of scaled ones."""
        return np.asarray(np.sinh(scaled) * self.width + self.middle)


@dataclass(frozen=True, slots=True)
class Rows:
    """Steps of k series on one clock, scaled, with the inputs known beside and beyond them.

    Parameters
    ----------
    values : float array, shape (N, k)
        Scaled values without gaps.
    inputs : float array, shape (N + ahead, k, E)
        Inputs of the same rows and of those ahead; E is 0 where there are none.
    first_row : int
        Number of the first row, counted from the epoch on the series' clock.
    day : int
        Rows per day.
    weekly : bool
        True where weekdays matter.
    """

    values: Floats
    inputs: Floats
    first_row: int
    day: int
    weekly: bool

    def features(self, base: Floats, origins: Integers, leads: int | Integers, clock: LocalClock) -> Floats:
        """Return all features of n pairs of decision and lead, shape (n, k, F); ``base`` knows the decisions."""
        calendar = calendar_features(self.first_row + origins + leads, self.day, weekly=self.weekly, clock=clock)
        shared = np.broadcast_to(calendar[:, None, :], (*base.shape[:2], calendar.shape[1]))
        seasonal = seasonal_features(self.values, origins, leads, self.day)
        told = () if not self.inputs.shape[2] else (input_features(self.inputs, origins, leads, self.day),)
        return np.concatenate([base, seasonal, shared, *told], axis=-1)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt of k series that share a clock, a history length and a number of inputs.

    Parameters
    ----------
    columns : int array, shape (k,)
        Columns of the history, ascending.
    scale : Scale
        How they are scaled.
    rows : Rows
        The training window.
    models : dict of int to (weights, offsets)
        By centre: weights (leads, k, F) and offsets (leads, k); filled when its leads are first asked for.
    """

    columns: Integers
    scale: Scale
    rows: Rows
    models: dict[int, tuple[Floats, Floats]]


Solve = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""From a design (k, n, F) and targets (k, n) to weights (k, F) and offsets (k,)."""


class LeadRegression:
    """One linear model per hour ahead and hour of decision.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock and settings.
    name : str
        Name of the model.
    solve : callable
        Fits the series of a stack at once.
    centres : int
        Decisions about what people do are learnt apart around so many hours of the day, a divisor of 24; weather has
        no such hours.
    kinds : tuple of Kind
        Kinds of series it answers for.
    """

    def __init__(
        self, context: ModelContext, *, name: str, solve: Solve, centres: int, kinds: tuple[Kind, ...] = KINDS
    ) -> None:
        self.name = name
        self._kinds = kinds
        self._context = context
        self._inputs = InputRuns(context)
        self._solve = solve
        self._centres = centres
        self._days = DAYS_PER_WEEK * context.settings.tree_weeks
        self._learnt: list[Learnt] = []

    def fit(self, history: SeriesTable) -> None:
        """Keep the training window; the regressions of an hour of decision are made when it is first asked for.

        ``history`` holds the profiles' columns and, after them, those of their inputs.
        """
        days = self._days + REACH_DAYS
        columns = np.arange(len(self._context.profiles))
        found, _ = runs(self._context, narrow(history, columns.size), columns, steps=1, days=days)
        self._learnt = [learnt for run in found for learnt in self._parts(run, history, days)]

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K).

        NaN beyond two days, where an input is not known ahead, and for series with less than five weeks.
        """
        columns = len(self._context.profiles)

        def continue_run(run: Run, coarse: int) -> Floats:
            return self._continue(run, coarse, history, ahead)

        return answer(
            self._context,
            narrow(history, columns),
            steps,
            continue_run,
            days=REACH_DAYS + 1,
            ahead=None if ahead is None else ahead[:, :columns],
        )

    def _parts(self, run: Run, history: SeriesTable, days: int) -> list[Learnt]:
        """Return the series of a run grouped by how long they have been known and how many inputs they have."""
        known = run.known_rows
        profiles = [self._context.profiles[column] for column in run.columns]
        number = np.array([len(profile.inputs) for profile in profiles])
        known = np.where([profile.kind in self._kinds for profile in profiles], known, 0)
        parts = []
        for rows, inputs in sorted({(int(a), int(b)) for a, b in zip(known, number, strict=True)}):
            if rows < (REACH_DAYS + DAYS_PER_WEEK) * run.day:
                continue
            mine = (known == rows) & (number == inputs)
            values = run.values[-rows:, mine]
            scale = Scale.of(values)
            first_row = run.last_row - rows + 1
            told = self._inputs.of(history, None, run.columns[mine], first_row, rows, days=days)
            weekly = profiles[0].follows_weekdays
            window = Rows(scale.scaled(values), told, first_row, run.day, weekly)
            parts.append(Learnt(run.columns[mine], scale, window, {}))
        return parts

    def _continue(self, run: Run, steps: int, history: SeriesTable, ahead: Floats | None) -> Floats:
        """Continue the series of a run that were learnt; NaN for the rest."""
        said = np.full((steps, run.columns.size), np.nan)
        leads = min(steps, LONGEST_DAYS * run.day)
        if len(run.values) < REACH_DAYS * run.day:
            return said
        whole = np.isfinite(run.values[-REACH_DAYS * run.day :]).all(axis=0)
        for learnt in self._learnt:
            mine = np.flatnonzero(np.isin(run.columns, learnt.columns) & whole)
            if not mine.size:
                continue
            known = min(leads, self._leads_with_inputs(run, learnt, history, ahead))
            if not known:
                continue
            of = np.searchsorted(learnt.columns, run.columns[mine])
            first_row = run.last_row + 1 - len(run.values)
            reach = len(run.values) + known
            told = self._inputs.of(history, ahead, run.columns[mine], first_row, reach, days=REACH_DAYS + 1)
            scale = Scale(learnt.scale.middle[of], learnt.scale.width[of])
            rows = Rows(scale.scaled(run.values[:, mine]), told, first_row, run.day, learnt.rows.weekly)
            said[:known, mine] = scale.back(self._answer(learnt, of, rows, known))
        return said

    def _leads_with_inputs(self, run: Run, learnt: Learnt, history: SeriesTable, ahead: Floats | None) -> int:
        """Return for how many coarse steps ahead the inputs of some series are known; all where they have none."""
        wanted = [history.keys.index(key) for k in learnt.columns for key in self._context.profiles[k].inputs]
        if not wanted:
            return int(run.wanted.max())
        if ahead is None:
            return 0
        missing = ~np.isfinite(ahead[:, wanted]).all(axis=1)
        steps = (int(missing.argmax()) if missing.any() else len(ahead)) - (len(ahead) - run.wanted.size)
        return int(run.wanted[steps - 1]) if steps > 0 else 0

    def _answer(self, learnt: Learnt, of: Integers, rows: Rows, leads: int) -> Floats:
        """Return the next scaled values of the series ``of`` a training window, shape (leads, k)."""
        origin = np.full(leads, len(rows.values), dtype=np.int64)
        weights, offsets = self._model(learnt, rows.first_row + len(rows.values), leads)
        base = np.repeat(origin_features(rows.values, origin[:1], rows.day), leads, axis=0)
        features = rows.features(base, origin, np.arange(leads, dtype=np.int64), self._context.clock)
        said = (features * weights[:, of]).sum(axis=-1) + offsets[:, of]
        seen = learnt.rows.values[:, of]
        return np.asarray(np.clip(said, seen.min(axis=0), seen.max(axis=0)))

    def _model(self, learnt: Learnt, row: int, leads: int) -> tuple[Floats, Floats]:
        """Return weights (leads, k, F) and offsets (leads, k) for decisions around the hour of a row."""
        day = learnt.rows.day
        centre = int(centre_of(np.array(row), day, self._centres)) if learnt.rows.weekly else 0
        if centre not in learnt.models or len(learnt.models[centre][0]) < leads:
            learnt.models[centre] = self._regress(learnt.rows, centre, leads)
        weights, offsets = learnt.models[centre]
        return weights[:leads], offsets[:leads]

    def _regress(self, rows: Rows, centre: int, leads: int) -> tuple[Floats, Floats]:
        """Fit the leads of one centre, a stack of series at a time."""
        origins = np.arange(REACH_DAYS * rows.day, len(rows.values) - 1, dtype=np.int64)
        if rows.weekly:
            origins = origins[centre_of(rows.first_row + origins, rows.day, self._centres) == centre]
        origins = origins[:: -(-origins.size // MOST_ORIGINS)]
        found = []
        for start in range(0, rows.values.shape[1], STACK):
            stack = slice(start, start + STACK)
            part = replace(rows, values=rows.values[:, stack], inputs=rows.inputs[:, stack])
            # Threads cost more than they save on matrices this small: on a busy machine a LASSO took far longer.
            with algebra().limit(limits=1, user_api="blas"):
                found.append(self._regress_stack(part, origins, leads))
        return np.concatenate([each[0] for each in found], axis=1), np.concatenate([each[1] for each in found], axis=1)

    def _regress_stack(self, rows: Rows, origins: Integers, leads: int) -> tuple[Floats, Floats]:
        """Fit the leads of a stack of series; the last origins lack the longest leads and are left out there."""
        base = origin_features(rows.values, origins, rows.day)
        weights, offsets = [], []
        for lead in range(leads):
            told = origins[origins + lead < len(rows.values)]
            design = rows.features(base[: told.size], told, lead, self._context.clock)
            solved = self._solve(design.transpose(1, 0, 2), rows.values[told + lead].T)
            weights.append(solved[0])
            offsets.append(solved[1])
        return np.stack(weights), np.stack(offsets)


@cache
def algebra() -> ThreadpoolController:
    """Return the handle on the threads of linear algebra; finding its libraries takes milliseconds."""
    return ThreadpoolController()


def centre_of(row: Integers, day: int, centres: int) -> Integers:
    """Return around which of the centres of the day a row lies, 0 to ``centres`` - 1.

    >>> centre_of(np.array([0, 2, 3, 18, 23]), 24, 4).tolist()
    [0, 0, 1, 3, 0]
    """
    return np.asarray((row % day * centres + day // 2) // day % centres)
