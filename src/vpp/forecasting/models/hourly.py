"""A history as whole steps of about an hour on the clock each series keeps, and back to the plant's own steps.

Invariant: a coarse step covers the same stretch of the clock at every call, whatever the moment of decision; the one
still running holds the mean of what has passed of it. Loads and prices follow the wall clock, weather the UTC day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.repair import fill

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class Run:
    """Some columns of a history as coarse steps of one clock.

    Parameters
    ----------
    columns : int array, shape (k,)
        Columns of the history.
    values : float array, shape (N, k)
        Means over the steps up to now, gaps filled; NaN before a series' first value.
    last_row : int
        Number of the last row, counted from the epoch on the run's clock.
    wanted : int array, shape (S,)
        Which coarse row each fine step ahead lies in: 0 the last one, 1 the first after it.
    step_s : int
        Length of a coarse step [s].
    """

    columns: Integers
    values: Floats
    last_row: int
    wanted: Integers
    step_s: int

    @property
    def day(self) -> int:
        """Coarse steps per day."""
        return SECONDS_PER_DAY // self.step_s

    @property
    def known_rows(self) -> Integers:
        """Rows from each column's first value on, shape (k,); 0 for a column without any."""
        finite = np.isfinite(self.values)
        return np.asarray(np.where(finite.any(axis=0), len(self.values) - finite.argmax(axis=0), 0), dtype=np.int64)

    def tail(self, rows: int) -> Run:
        """Return the run with its last ``rows`` rows only."""
        return replace(self, values=self.values[max(0, len(self.values) - rows) :])

    def parts(self, lengths_days: tuple[int, ...], *, apart: NDArray[np.bool_]) -> list[tuple[Integers, Run]]:
        """Return the columns by the longest of some lengths that they are known for, each as a gapless run.

        Parameters
        ----------
        lengths_days : tuple of int
            Ascending; a column known for less than the first is in no part.
        apart : bool array, shape (K,)
            Columns of the history that share no part with the others.

        Returns
        -------
        list of (int array, Run)
            Places in this run, and the run of those columns.
        """
        rows = self.day * np.array(lengths_days)
        fitting = np.searchsorted(rows, self.known_rows, side="right") - 1
        found = []
        for which in np.unique(fitting[fitting >= 0]):
            for kept_apart in (False, True):
                places = np.flatnonzero((fitting == which) & (apart[self.columns] == kept_apart))
                if places.size:
                    values = self.values[len(self.values) - rows[which] :, places]
                    found.append((places, replace(self, columns=self.columns[places], values=values)))
        return found


Continue = Callable[[Run, int], Floats]
"""Continues a run by so many coarse steps, shape (steps, k)."""


def coarse_steps(resolution_s: int) -> int:
    """Return how many steps of a history make a coarse one: most that fit an hour and divide the day evenly.

    >>> [coarse_steps(resolution) for resolution in (300, 900, 1080, 3600, 7200)]
    [12, 4, 2, 1, 1]
    """
    per_day = SECONDS_PER_DAY // resolution_s
    most = max(1, SECONDS_PER_HOUR // resolution_s)
    return next(group for group in range(most, 0, -1) if per_day % group == 0)


def answer(
    context: ModelContext,
    history: SeriesTable,
    steps: int,
    continue_run: Continue,
    *,
    days: int,
    ahead: Floats | None = None,
) -> Floats:
    """Return what a model of coarse runs says of every fine step ahead, shape (steps, K).

    Parameters
    ----------
    context : ModelContext
        Profiles and clock.
    history : SeriesTable
        The past; its end is the moment of decision.
    steps : int
        Fine steps ahead.
    continue_run : callable
        Continues one run; NaN where it cannot.
    days : int
        Days of history it looks at.
    ahead : float array, shape (steps, K), optional
        Values published ahead. Where they begin at once, the model continues from the last of them.
    """
    said = np.full((steps, len(history.keys)), np.nan)
    if not history.grid.count:
        return said
    published = np.zeros(len(history.keys), dtype=np.int64) if ahead is None else _known_prefix(ahead)
    for count in np.unique(published):
        columns = np.flatnonzero(published == count)
        past = history
        if ahead is not None and count:
            said[:count, columns] = ahead[:count, columns]
            grid = TimeGrid(history.grid.start, history.grid.resolution_s, history.grid.count + int(count))
            past = SeriesTable(grid, history.keys, np.concatenate([history.value, ahead[:count]]))
        if count == steps:
            continue
        open_steps = steps - int(count)
        found, shape = runs(context, past, columns, steps=open_steps, days=days)
        for run in found:
            rows = np.concatenate([run.values[-1:], continue_run(run, max(1, int(run.wanted.max())))])
            said[count:, run.columns] = rows[run.wanted] + shape[:, run.columns]
    return said


def runs(
    context: ModelContext, history: SeriesTable, columns: Integers, *, steps: int, days: int
) -> tuple[list[Run], Floats]:
    """Return the last days of some columns as runs, and what each fine step ahead adds to its coarse one.

    The second has shape (steps, K) and sums to about 0 over each coarse step.
    """
    resolution_s = history.grid.resolution_s
    day = SECONDS_PER_DAY // resolution_s
    group = coarse_steps(resolution_s)
    count = min(history.grid.count, (days + 1) * day)
    filled, _ = fill(history.value[history.grid.count - count :], steps_per_day=day)
    first = history.grid.end_s // resolution_s - count
    ahead = first + count + np.arange(steps, dtype=np.int64)
    shape = within_step(filled, first, day=day, group=group)
    shape[:, [profile.kind not in {"load", "solar"} for profile in context.profiles]] = 0.0
    coarse, row = group_rows(filled - shape[(first + np.arange(count)) % day] if group > 1 else filled, first, group)
    step_s = group * resolution_s
    ahead_row = ahead // group
    weekly = np.array([profile.follows_weekdays for profile in context.profiles])
    found = []
    for on_wall in (True, False):
        mine = columns[weekly[columns] == on_wall]
        if not mine.size or not len(coarse):
            continue
        if on_wall:
            run = on_wall_clock(coarse[:, mine], row, ahead_row, step_s=step_s, clock=context.clock, columns=mine)
        else:
            last = row + len(coarse) - 1
            run = Run(mine, coarse[:, mine], last, ahead_row - last, step_s)
        found.append(run.tail(days * run.day))
    return found, shape[ahead % day]


def within_step(values: Floats, first: int, *, day: int, group: int) -> Floats:
    """Return how each time of day of the last week deviated from its coarse mean, shape (day, K); 0 without a day.

    ``values`` are filled fine steps, the first of which has number ``first`` since the epoch.
    """
    weeks = values[-DAYS_PER_WEEK * day :]
    whole = len(weeks) // day * day
    if group == 1 or not whole:
        return np.zeros((day, values.shape[1]))
    begin = first + len(values) - whole
    mean = weeks[-whole:].reshape(-1, day, values.shape[1]).mean(axis=0)
    of_day = np.nan_to_num(np.roll(mean, begin % day, axis=0))
    parts = of_day.reshape(day // group, group, -1)
    deviation: Floats = (parts - parts.mean(axis=1, keepdims=True)).reshape(day, -1)
    return deviation


def group_rows(values: Floats, first: int, group: int) -> tuple[Floats, int]:
    """Return means over clock-aligned groups of rows and the number of the first group since the epoch.

    A group that began before the first row is left out; the last one holds the mean of what there is.

    >>> rows, number = group_rows(np.arange(7.0)[:, None], 3, 4)
    >>> rows.ravel().tolist(), number
    ([2.5, 5.5], 1)
    """
    skipped = -first % group
    kept = values[skipped:]
    whole = len(kept) // group
    means = kept[: whole * group].reshape(whole, group, values.shape[1]).mean(axis=1)
    if len(kept) % group:
        means = np.concatenate([means, kept[whole * group :].mean(axis=0, keepdims=True)])
    return means, (first + skipped) // group


def on_wall_clock(
    values: Floats, first_row: int, ahead_row: Integers, *, step_s: int, clock: LocalClock, columns: Integers
) -> Run:
    """Return rows of UTC as rows of the wall clock.

    An hour that the clock skips is the mean of its neighbours; of one that it repeats the later copy counts.
    """
    count = len(values)
    times_s = step_s * np.concatenate([first_row + np.arange(count, dtype=np.int64), ahead_row])
    row = clock.local_s(times_s) // step_s
    past, future = row[:count], row[count:]
    if past[-1] - past[0] == count - 1:
        placed = values
    else:
        placed = np.full((int(past[-1] - past[0]) + 1, values.shape[1]), np.nan)
        placed[past - past[0]] = values
        skipped = np.setdiff1d(np.arange(len(placed)), past - past[0])
        placed[skipped] = 0.5 * (placed[skipped - 1] + placed[skipped + 1])
    last = int(past[-1])
    return Run(columns, placed, last, np.maximum(future - last, 0), step_s)


def _known_prefix(ahead: Floats) -> Integers:
    """Return for each column how many of its first values are known, shape (K,)."""
    missing = np.isnan(ahead)
    return np.asarray(np.where(missing.any(axis=0), missing.argmax(axis=0), len(ahead)), dtype=np.int64)
