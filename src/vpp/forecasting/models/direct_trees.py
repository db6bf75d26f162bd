"""Direct trees: one LightGBM per kind over all its series and all leads at once, on features of the hour wanted.

Where the recursive trees feed on their own answers, these see only what was known at the decision, and the lead as
one more feature. They learn the difference to a plain guess, so that a tree's few leaves go into what is special.

Invariant: the rows that train read nothing after their own decision but the value to be learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.forecasting.kinds import Kind
from vpp.forecasting.local_time import EPOCH_WEEKDAY, LocalClock
from vpp.forecasting.models.hourly import Run, answer, runs
from vpp.forecasting.models.lead_features import DAYS_PER_WEEK, REACH_DAYS, same_time
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
WITHOUT_SUN: tuple[Kind, ...] = ("load", "wind", "price")
"""Under a roof the sky decides: beside yesterday, Theta and the recursive trees these made the median worse."""
LEADS_PER_DECISION = 10
"""Leads drawn for each decision learnt from: more decisions with fewer leads each say more than the reverse."""
LONGEST_DAYS = 2
HALF_LIFE_H = 8.0
"""After which a wind turbine's last value counts half in the plain guess."""
ROWS_PER_TREE_ROW = 0.5
"""Of ``settings.tree_rows``, for all series of a kind; three times as many rows gained 0.01 in rMAE."""
SHAPE: Mapping[str, Any] = {
    "objective": "l1",
    "n_estimators": 80,
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_child_samples": 200,
    "subsample": 0.7,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "deterministic": True,
    "force_row_wise": True,
    "n_jobs": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class KindTrees:
    """The trees of one kind: ``columns`` of the history, their ``scale`` of shape (k,), and the fitted booster."""

    kind: Kind
    columns: Integers
    scale: Floats
    booster: lightgbm.Booster


class DirectTrees:
    """Trees on what is known at the decision about the hour wanted.

    Parameters
    ----------
    context : ModelContext
        Profiles, clock and settings.
    """

    name = "direct_trees"

    def __init__(self, context: ModelContext) -> None:
        self._context = context
        self._models: tuple[KindTrees, ...] = ()

    def fit(self, history: SeriesTable) -> None:
        """Fit one booster per kind but solar on the series that are known for at least five weeks."""
        settings = self._context.settings
        days = DAYS_PER_WEEK * settings.tree_weeks + REACH_DAYS
        found, _ = runs(self._context, history, np.arange(len(history.keys)), steps=1, days=days)
        models = []
        for run in found:
            for kind in WITHOUT_SUN:
                mine = [
                    i
                    for i, column in enumerate(run.columns)
                    if self._context.profiles[column].kind == kind
                    and run.known_rows[i] >= (REACH_DAYS + DAYS_PER_WEEK) * run.day
                ]
                if mine:
                    models.append(self._fit_kind(kind, run, np.array(mine)))
        self._models = tuple(models)

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN beyond two days and for series that were not fitted."""
        return answer(self._context, history, steps, self._continue, days=REACH_DAYS + 1, ahead=ahead)

    def _fit_kind(self, kind: Kind, run: Run, mine: Integers) -> KindTrees:
        values = run.values[:, mine]
        direction = np.array([self._context.profiles[column].direction for column in run.columns[mine]])
        magnitude = np.nanmean(np.abs(values), axis=0)
        scale = np.where(magnitude > 0.0, magnitude, 1.0) * direction
        generator = np.random.default_rng(self._context.settings.seed)
        first_row = run.last_row - len(values) + 1
        designs, targets = [], []
        most = int(ROWS_PER_TREE_ROW * self._context.settings.tree_rows) // mine.size
        for i in range(mine.size):
            known = int(run.known_rows[mine[i]])
            begin = len(values) - known + REACH_DAYS * run.day
            leads = LONGEST_DAYS * run.day
            decisions = np.arange(begin, len(values) - leads, dtype=np.int64)
            stride = max(1, -(-decisions.size * LEADS_PER_DECISION // max(most, 1)))
            decisions = decisions[int(generator.integers(stride)) :: stride]
            origin = np.repeat(decisions, LEADS_PER_DECISION)
            lead = generator.integers(leads, size=origin.size)
            scaled = values[:, i : i + 1] / scale[i]
            guess = plain_guess(kind, scaled, origin, lead, run.day)
            designs.append(lead_design(scaled, origin, lead, run.day, first_row, self._context.clock)[:, 0])
            targets.append((scaled[origin + lead] - guess)[:, 0])
        trees = lightgbm.LGBMRegressor(**SHAPE, random_state=self._context.settings.seed)
        trees.fit(np.concatenate(designs), np.concatenate(targets))
        return KindTrees(kind, run.columns[mine], scale, trees.booster_)

    def _continue(self, run: Run, steps: int) -> Floats:
        """Continue the series of a run that were fitted; NaN for the rest."""
        said = np.full((steps, run.columns.size), np.nan)
        reach = REACH_DAYS * run.day
        if len(run.values) < reach:
            return said
        lead = np.arange(min(steps, LONGEST_DAYS * run.day), dtype=np.int64)
        origin = np.full(lead.size, len(run.values), dtype=np.int64)
        for model in self._models:
            mine = np.flatnonzero(np.isin(run.columns, model.columns) & np.isfinite(run.values[-reach:]).all(axis=0))
            if not mine.size:
                continue
            scale = model.scale[np.searchsorted(model.columns, run.columns[mine])]
            scaled = run.values[:, mine] / scale
            first_row = run.last_row - len(scaled) + 1
            design = lead_design(scaled, origin, lead, run.day, first_row, self._context.clock)
            predicted = np.asarray(model.booster.predict(design.reshape(-1, design.shape[-1]), num_threads=1))
            guess = plain_guess(model.kind, scaled, origin, lead, run.day)
            said[: lead.size, mine] = (guess + predicted.reshape(lead.size, mine.size)) * scale
        return said


def plain_guess(kind: Kind, values: Floats, origins: Integers, leads: Integers, day: int) -> Floats:
    """Return what the trees learn the difference to, shape (n, k).

    Load and price: the same time of the last three and seven days, averaged. Wind: the last value fading into the
    week's mean.
    """
    if kind == "wind":
        week = np.mean([values[origins - 1 - i] for i in range(DAYS_PER_WEEK * day)], axis=0)
        fading = 0.5 ** ((leads + 1) * 24.0 / day / HALF_LIFE_H)
        return np.asarray(week + fading[:, None] * (values[origins - 1] - week))
    daily = np.stack([values[same_time(origins, leads, day, back=back)] for back in range(1, DAYS_PER_WEEK + 1)])
    return np.asarray(0.5 * (daily[:3].mean(axis=0) + daily.mean(axis=0)))


def lead_design(
    values: Floats, origins: Integers, leads: Integers, day: int, first_row: int, clock: LocalClock
) -> Floats:
    """Return the features of n pairs of decision and lead for k series, shape (n, k, F).

    Parameters
    ----------
    values : float array, shape (N, k)
        Series without gaps in the rows read.
    origins, leads : int arrays, shape (n,)
        Rows of decision, and steps ahead from 0.
    day : int
        Rows per day.
    first_row : int
        Number of row 0, counted from the epoch on the series' clock.
    clock : LocalClock
        Knows the holidays.
    """
    week = DAYS_PER_WEEK * day
    daily = np.stack([values[same_time(origins, leads, day, back=back)] for back in range(1, REACH_DAYS + 1)])
    last = same_time(origins, leads, day, back=1)
    weekly = [values[same_time(origins, leads, week, back=back)] for back in (1, 2, 3)]
    before = same_time(origins, leads, week, back=1) - 1
    recent = np.stack([values[origins - 1 - i] for i in range(day)])
    day_before = np.stack([values[origins - 1 - day - i] for i in range(day)])
    week_before = np.stack([values[origins - 1 - week - i] for i in range(day)])
    total = np.concatenate([np.zeros((1, values.shape[1])), np.nancumsum(values, axis=0)])
    columns = [
        *(daily[i] for i in (0, 1, 2, 5, 6)),
        *weekly,
        values[before],
        values[np.minimum(before + 2, origins - 1)],
        values[last - 1],
        values[np.minimum(last + 1, origins - 1)],
        *(daily[:span].mean(axis=0) for span in (3, 7, 14, 28)),
        daily[:DAYS_PER_WEEK].min(axis=0),
        daily[:DAYS_PER_WEEK].max(axis=0),
        np.median(daily[:14], axis=0),
        *(recent[i] for i in range(4)),
        *(recent[:span].mean(axis=0) for span in (3, 6, day)),
        *(recent[:span].mean(axis=0) - day_before[:span].mean(axis=0) for span in (3, day)),
        *(recent[:span].mean(axis=0) - week_before[:span].mean(axis=0) for span in (3, day)),
        (total[origins] - total[origins - week]) / week,
    ]
    rows = first_row + origins + leads
    days = rows // day
    calendar = [
        rows % day,
        (days + EPOCH_WEEKDAY) % DAYS_PER_WEEK,
        clock.is_holiday_day(days),
        clock.is_holiday_day(days - 1) | clock.is_holiday_day(days + 1),
        leads,
    ]
    shared = [np.broadcast_to(np.asarray(each, dtype=np.float64)[:, None], columns[0].shape) for each in calendar]
    return np.stack([*columns, *shared], axis=-1)
