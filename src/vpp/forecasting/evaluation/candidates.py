"""Candidates: one model or the combination on its way through the moments of decision, with the bands it earns.

Invariant: at an origin a candidate is handed the rows before it and the inputs known ahead, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import process_time
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.bands import LEAST_RESIDUALS, ranked
from vpp.forecasting.kinds import SeriesProfile, bounds, night_hours
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.registry import model as model_spec
from vpp.forecasting.settings import ForecastSettings

Floats = NDArray[np.float64]
BAND_DAYS = 28
"""Age beyond which an error no longer widens a band."""


@dataclass(slots=True)
class Task:
    """What all models of one evaluation share."""

    table: SeriesTable
    inputs: SeriesTable
    profiles: tuple[SeriesProfile, ...]
    timezone: ZoneInfo
    origins: tuple[int, ...]
    steps: int
    refit_steps: float
    settings: ForecastSettings
    clock: LocalClock = field(init=False)

    def __post_init__(self) -> None:
        """Make the clock once for all models."""
        self.clock = LocalClock(self.timezone)

    def bounds(self, origin: int) -> tuple[Floats, Floats]:
        """Return the bounds of each step ahead, each of shape (S, K): those of the series, and 0 for solar at night.

        The combination keeps them, and so does every model when it is served.
        """
        resolution_s = self.table.grid.resolution_s
        past = self.table.value[max(0, origin - self.settings.night_days * self.day) : origin]
        hour = self.clock.hour_of_day(
            self.table.grid.start_s + resolution_s * np.arange(origin - len(past), origin + self.steps)
        ).astype(np.int64)
        dark = night_hours(self.profiles, past, hour=hour[: len(past)], resolution_s=resolution_s)[hour[len(past) :]]
        lower, upper = bounds(self.profiles)
        return np.where(dark, 0.0, lower), np.where(dark, 0.0, upper)

    @property
    def day(self) -> int:
        """Steps per day."""
        return SECONDS_PER_DAY // self.table.grid.resolution_s

    def before(self, origin: int, *, wide: bool = False) -> SeriesTable:
        """Return the rows known at an origin; ``wide`` with those of the inputs beside."""
        grid, keys, value = self.table.grid.part(0, origin), self.table.keys, self.table.value[:origin]
        if not wide:
            return SeriesTable(grid, keys, value)
        return SeriesTable(grid, (*keys, *self.inputs.keys), np.hstack([value, self.inputs.value[:origin]]))

    def ahead(self, origin: int) -> SeriesTable | None:
        """Return the inputs of the steps from an origin on, which were known then; None where there are none."""
        if not self.inputs.keys:
            return None
        grid = TimeGrid(self.table.grid.time(origin), self.table.grid.resolution_s, self.steps)
        return SeriesTable(grid, self.inputs.keys, padded(self.inputs.value[origin : origin + self.steps], self.steps))

    def after(self, origin: int) -> Floats:
        """Return what happened from an origin on, shape (S, K); NaN beyond the table."""
        return padded(self.table.value[origin : origin + self.steps], self.steps)


class Candidate(Protocol):
    """A model on its way through the origins."""

    fits: list[float]
    predictions: list[float]

    def issue(self, origin: int, *, refit: bool, restart: bool) -> tuple[Floats, Floats]:
        """Return point forecasts (S, K) and quantiles (L, S, K) made at an origin."""
        ...


class SingleModel:
    """One model with conformal bands from its own errors."""

    def __init__(self, name: str, task: Task) -> None:
        self._spec = model_spec(name)
        self._task = task
        self._context = ModelContext(profiles=task.profiles, clock=task.clock, settings=task.settings)
        self._model = self._spec.make(self._context)
        self._wide = self._spec.needs.exogenous
        self._told: list[tuple[int, Floats]] = []
        self.fits: list[float] = []
        self.predictions: list[float] = []

    def issue(self, origin: int, *, refit: bool, restart: bool) -> tuple[Floats, Floats]:
        """Return point forecasts (S, K) and quantiles (L, S, K) made at an origin."""
        if refit or restart:
            self._calibrate(origin)
            began = process_time()
            self._model.fit(self._task.before(origin, wide=self._wide))
            self.fits.append(process_time() - began)
        began = process_time()
        value = self._say(origin)
        self.predictions.append(process_time() - began)
        offsets = self._offsets(origin)
        self._told.append((origin, value))
        lower, upper = self._task.bounds(origin)
        return value, np.clip(value + offsets, lower, upper)

    def _say(self, origin: int) -> Floats:
        task = self._task
        ahead = task.ahead(origin) if self._wide else None
        own = np.full((task.steps, len(task.profiles)), np.nan)
        said = self._model.predict(
            task.before(origin, wide=self._wide),
            task.steps,
            ahead=None if ahead is None else np.hstack([own, ahead.value]),
        )
        return np.asarray(np.clip(said, *task.bounds(origin)), dtype=np.float64)

    def _calibrate(self, origin: int) -> None:
        """Issue daily over the band's days with a fit before them, where the last days hold too few issues."""
        day = self._task.day
        begin = origin - BAND_DAYS * day
        recent = [told for told in self._told if told[0] >= begin]
        if len(recent) >= LEAST_RESIDUALS or begin < day:
            return
        self._model.fit(self._task.before(begin, wide=self._wide))
        own = {told[0] for told in recent}
        made = [(at, self._say(at)) for at in range(begin, origin, day) if at not in own]
        self._told = sorted([*recent, *made], key=lambda told: told[0])
        self._model = self._spec.make(self._context)

    def _offsets(self, origin: int) -> Floats:
        """Return what the levels add to the point forecast, shape (L, S, K).

        A step's errors are those of the same lead, and so of the same local hour, as far as they are known; the point
        forecast is served as the median, and every other level keeps to its side of it.
        """
        task, levels = self._task, np.array(self._task.settings.levels)
        self._told = [told for told in self._told if told[0] >= origin - BAND_DAYS * task.day]
        shape = (len(levels), task.steps, len(task.profiles))
        if not self._told or not levels.size:
            return np.full(shape, np.nan)
        errors = np.full((task.steps, len(self._told), len(task.profiles)), np.nan)
        for i, (at, said) in enumerate(self._told):
            known = min(origin - at, task.steps)
            errors[:known, i] = (task.after(at) - said)[:known]
        offsets = ranked(errors, levels)
        short = np.isnan(offsets)
        if short.any():
            # At the longest leads the newest issues are not over: all leads together say more than nothing.
            pooled = ranked(errors.reshape(1, -1, len(task.profiles)), levels)
            offsets = np.where(short, pooled, offsets)
        return sided(offsets, levels)


class Combination:
    """The combination, as it runs live: its members, its votes, its bands."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._pipeline = self._new()
        self.fits: list[float] = []
        self.predictions: list[float] = []

    def _new(self) -> ForecastPipeline:
        task = self._task
        return ForecastPipeline(task.profiles, timezone=task.timezone, plant="evaluation", settings=task.settings)

    def issue(self, origin: int, *, refit: bool, restart: bool) -> tuple[Floats, Floats]:
        """Return point forecasts (S, K) and quantiles (L, S, K) made at an origin."""
        past = self._task.before(origin, wide=True)
        if restart:
            self._pipeline = self._new()
        if refit or restart:
            began = process_time()
            self._pipeline.fit(past)
            self.fits.append(process_time() - began)
        began = process_time()
        issue = self._pipeline.issue(past, self._task.steps, ahead=self._task.ahead(origin))
        self.predictions.append(process_time() - began)
        return issue.value, issue.quantiles


def chosen(table: SeriesTable, keys: tuple[SeriesKey, ...]) -> SeriesTable:
    """Return some columns of a table."""
    columns = [table.column(key) for key in keys]
    return SeriesTable(table.grid, keys, np.column_stack([np.empty((table.grid.count, 0)), *columns]))


def padded(values: Floats, count: int) -> Floats:
    """Return rows with NaN appended up to ``count``."""
    return np.concatenate([values, np.full((count - len(values), values.shape[1]), np.nan)])


def sided(offsets: Floats, levels: Floats) -> Floats:
    """Return offsets whose levels keep to their side of the median, ascending along the first axis."""
    kept = offsets.copy()
    kept[levels < 0.5] = np.minimum(kept[levels < 0.5], 0.0)
    kept[levels > 0.5] = np.maximum(kept[levels > 0.5], 0.0)
    kept[np.isclose(levels, 0.5)] = np.where(np.isnan(offsets[np.isclose(levels, 0.5)]), np.nan, 0.0)
    return kept
