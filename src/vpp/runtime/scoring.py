"""Scoring: what stored forecasts were worth, once what they forecast has been measured. Nothing is forecast anew."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import MEMBER, ROLLING, Forecast, ForecastScore, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import TimeGrid, epoch_s, floor_time
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.scores import coverage, pinball_loss
from vpp.forecasting.training.evidence import hourly
from vpp.runtime.setup import Setup

Floats = NDArray[np.float64]
LOOK_BACK = timedelta(days=8)
"""Issues older than this are no longer waited for."""
SCORED = (ROLLING, MEMBER)


def score_arrived(setup: Setup, store: Store, keys: tuple[SeriesKey, ...], now: datetime) -> list[ForecastScore]:
    """Score and keep what has become known since the last time; of forecasts that serve, the first of each hour.

    Returns
    -------
    list of ForecastScore
        The new scores. A forecast of which a measurement is still missing waits for it until it is 8 days old.
    """
    plant, found = setup.plant.id, []
    since = floor_time(now - LOOK_BACK, max(SECONDS_PER_HOUR, setup.resolution_s))
    for key in keys:
        actual: tuple[TimeGrid, Floats] | None = None
        for product in SCORED:
            done = {(score.issued_at, score.model) for score in store.scores(plant, key, since, now, product=product)}
            waiting = [
                forecast
                for forecast in _first_of_each_hour(store.issued(plant, key, since, now, product=product))
                if forecast.grid.end <= now and (forecast.issued_at, forecast.model) not in done
            ]
            if not waiting:
                continue
            if actual is None:
                grid = TimeGrid.between(since, floor_time(now, setup.resolution_s), setup.resolution_s)
                actual = grid, store.series(plant, (key,), grid, known_at=now).value[:, 0]
            scores = [_score(forecast, product, *actual) for forecast in waiting]
            found += [score for score in scores if score is not None]
    store.write_scores(found)
    return found


def _first_of_each_hour(issued: list[Forecast]) -> list[Forecast]:
    """Return one issue per hour and model: those every 5 minutes repeat each other."""
    firsts: dict[tuple[int, str], Forecast] = {}
    for forecast in issued:
        firsts.setdefault((epoch_s(forecast.issued_at) // SECONDS_PER_HOUR, forecast.model), forecast)
    return list(firsts.values())


def _score(forecast: Forecast, product: str, grid: TimeGrid, actual: Floats) -> ForecastScore | None:
    """Return the score of one forecast; None while a measurement is missing."""
    happened = _on(forecast.grid, grid, actual)
    if happened is None:
        return None
    step_s = forecast.grid.resolution_s
    said, happened = hourly(forecast.value[:, None], step_s)[:, 0], hourly(happened[:, None], step_s)[:, 0]
    if not said.size or not np.isfinite(happened).all() or not np.isfinite(said).all():
        return None
    pinball = inside = None
    if forecast.levels:
        quantiles = hourly(forecast.quantiles.T, step_s).T
        pinball = pinball_loss(quantiles, forecast.levels, happened).value
        inside = coverage(quantiles, forecast.levels, happened).value
    error = float(np.abs(said - happened).mean())
    return ForecastScore(
        forecast.plant,
        forecast.key,
        forecast.model,
        product,
        forecast.issued_at,
        said.size,
        error,
        pinball,
        inside,
    )


def _on(wanted: TimeGrid, grid: TimeGrid, actual: Floats) -> Floats | None:
    """Return measurements as means over a forecast's steps; None where its steps are finer or lie between theirs."""
    each, rest = divmod(wanted.resolution_s, grid.resolution_s)
    first, between = divmod(wanted.start_s - grid.start_s, grid.resolution_s)
    if rest or not each or between or first < 0:
        return None
    rows = actual[first : first + each * wanted.count]
    return None if rows.size < each * wanted.count else np.asarray(rows.reshape(-1, each).mean(axis=1))
