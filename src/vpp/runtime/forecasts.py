"""Forecasts: history from the store -> the pipeline -> forecasts in the store, refit and issued when due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from vpp.core.messages import MARKET, Forecast, SeriesKey
from vpp.core.ports import SeriesTable, Store
from vpp.core.time import TimeGrid, floor_time
from vpp.runtime.setup import Setup

UNMEASURED = "no_data"
"""Flag of a forecast of what was never measured."""
OVERDUE = "overdue"
"""Flag of a forecast that should have been replaced long ago; nothing is planned on it."""
MOST_CADENCES = 2
"""A forecast older than so many of its cadences is overdue: the run that was to replace it failed twice."""


def is_overdue(forecast: Forecast, now: datetime, every_s: int) -> bool:
    """Return whether a forecast was issued more than two cadences before ``now``."""
    return now - forecast.issued_at > MOST_CADENCES * timedelta(seconds=every_s)


def with_age(forecast: Forecast, now: datetime, every_s: int) -> Forecast:
    """Return a forecast, flagged when it is overdue."""
    if not is_overdue(forecast, now, every_s) or OVERDUE in forecast.flags:
        return forecast
    return replace(forecast, flags=(*forecast.flags, OVERDUE))


def known_history(setup: Setup, store: Store, keys: tuple[SeriesKey, ...], now: datetime, span_s: int) -> SeriesTable:
    """Return the measurements up to ``now``, as known then, without the empty time before the first."""
    resolution_s = setup.resolution_s
    end = floor_time(now, resolution_s)
    grid = TimeGrid(end - timedelta(seconds=span_s), resolution_s, span_s // resolution_s)
    table = store.series(setup.plant.id, keys, grid, known_at=now)
    known = np.flatnonzero(np.isfinite(table.value).any(axis=1))
    first = int(known[0]) if known.size else grid.count
    return SeriesTable(grid.part(first, grid.count), table.keys, table.value[first:])


def published_ahead(
    setup: Setup, store: Store, keys: tuple[SeriesKey, ...], grid: TimeGrid, now: datetime
) -> SeriesTable | None:
    """Return the prices published for the steps of a grid, or None where no price is forecast."""
    market = tuple(key for key in keys if key.source == MARKET)
    return store.series(setup.plant.id, market, grid, known_at=now) if market else None


class Pipeline(Protocol):
    """What the service needs of a forecasting pipeline."""

    def fit(self, history: SeriesTable) -> None:
        """Learn from the past."""
        ...

    def predict(self, history: SeriesTable, steps: int, *, ahead: SeriesTable | None = None) -> list[Forecast]:
        """Return forecasts of the steps after the history; what is published ahead comes out unchanged."""
        ...


class ForecastSource(Protocol):
    """Where plans get their forecasts."""

    @property
    def latest(self) -> Mapping[SeriesKey, Forecast]:
        """The newest forecast of each series."""
        ...

    def run(self, now: datetime) -> list[Forecast]:
        """Bring ``latest`` up to date and return what was newly issued."""
        ...


class ForecastService:
    """Trains and forecasts on the plant's own measurements.

    Parameters
    ----------
    setup : Setup
        The plant and its cadences.
    store : Store
        Measurements in, forecasts out.
    pipeline : Pipeline
        Does the work.
    keys : tuple of SeriesKey
        Series to forecast.
    history_s : int
        How much past to learn from [s].
    steps : int
        Steps to forecast; covers the plan's horizon until the next issue.
    """

    def __init__(
        self,
        setup: Setup,
        store: Store,
        pipeline: Pipeline,
        *,
        keys: tuple[SeriesKey, ...],
        history_s: int,
        steps: int,
    ) -> None:
        self._setup = setup
        self._store = store
        self._pipeline = pipeline
        self._keys = keys
        self._history_s = history_s
        self._steps = steps
        self._next_issue: datetime | None = None
        self._next_fit: datetime | None = None
        self._latest: dict[SeriesKey, Forecast] = {}

    @property
    def latest(self) -> Mapping[SeriesKey, Forecast]:
        """The newest forecast of each series."""
        return self._latest

    def run(self, now: datetime) -> list[Forecast]:
        """Issue new forecasts when they are due, after retraining when that is due."""
        if self._next_issue is not None and now < self._next_issue:
            return []
        history = self.history(now)
        if self._next_fit is None or now >= self._next_fit:
            self._pipeline.fit(history)
            self._next_fit = now + timedelta(seconds=self._setup.refit_every_s)
        steps = TimeGrid(history.grid.end, self._setup.resolution_s, self._steps)
        ahead = published_ahead(self._setup, self._store, self._keys, steps, now)
        forecasts = self._pipeline.predict(history, self._steps, ahead=ahead)
        self._next_issue = now + timedelta(seconds=self._setup.forecast_every_s)
        if any(UNMEASURED in forecast.flags for forecast in forecasts):
            # the first measurement is not kept waiting for the cadence
            self._next_issue, self._next_fit = now, now
        self._latest = {forecast.key: forecast for forecast in forecasts}
        self._store.write_forecasts(forecasts)
        return forecasts

    def history(self, now: datetime) -> SeriesTable:
        """Return the measurements up to ``now``, as known then, without the empty time before the first."""
        return known_history(self._setup, self._store, self._keys, now, self._history_s)


class StoredForecasts:
    """The forecasts another run issued, as they were known at each moment: shared by the strategies compared.

    Parameters
    ----------
    issued : list of (datetime, list of Forecast)
        Issues in ascending order of time.
    """

    def __init__(self, issued: list[tuple[datetime, list[Forecast]]]) -> None:
        self._issued = issued
        self._next = 0
        self._latest: dict[SeriesKey, Forecast] = {}

    @property
    def latest(self) -> Mapping[SeriesKey, Forecast]:
        """The newest forecast of each series."""
        return self._latest

    def run(self, now: datetime) -> list[Forecast]:
        """Take over what had been issued by ``now``."""
        taken: list[Forecast] = []
        while self._next < len(self._issued) and self._issued[self._next][0] <= now:
            taken = self._issued[self._next][1]
            self._latest = {forecast.key: forecast for forecast in taken}
            self._next += 1
        return taken
