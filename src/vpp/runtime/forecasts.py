"""Forecasts: history from the store -> the pipeline -> forecasts in the store, refit and issued when due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from vpp.core.messages import MARKET, Forecast, SeriesKey
from vpp.core.ports import SeriesTable, Store
from vpp.core.time import TimeGrid, floor_time
from vpp.runtime.setup import Setup

UNMEASURED = "no_data"
"""Flag of a forecast of what was never measured."""


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
        forecasts = self._pipeline.predict(history, self._steps, ahead=self._published(history.grid.end, now))
        self._next_issue = now + timedelta(seconds=self._setup.forecast_every_s)
        if any(UNMEASURED in forecast.flags for forecast in forecasts):
            # the first measurement is not kept waiting for the cadence
            self._next_issue, self._next_fit = now, now
        self._latest = {forecast.key: forecast for forecast in forecasts}
        self._store.write_forecasts(forecasts)
        return forecasts

    def _published(self, start: datetime, now: datetime) -> SeriesTable | None:
        """Return the prices published for the steps ahead, or None where no price is forecast."""
        market = tuple(key for key in self._keys if key.source == MARKET)
        if not market:
            return None
        grid = TimeGrid(start, self._setup.resolution_s, self._steps)
        return self._store.series(self._setup.plant.id, market, grid, known_at=now)

    def history(self, now: datetime) -> SeriesTable:
        """Return the measurements up to ``now``, as known then, without the empty time before the first."""
        resolution_s = self._setup.resolution_s
        end = floor_time(now, resolution_s)
        grid = TimeGrid(end - timedelta(seconds=self._history_s), resolution_s, self._history_s // resolution_s)
        table = self._store.series(self._setup.plant.id, self._keys, grid, known_at=now)
        known = np.flatnonzero(np.isfinite(table.value).any(axis=1))
        first = int(known[0]) if known.size else grid.count
        return SeriesTable(grid.part(first, grid.count), table.keys, table.value[first:])


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
