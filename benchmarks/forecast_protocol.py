"""The protocol: 30 hourly steps from 18:00, seven consecutive days from each of seven dates, one fit a week."""

from __future__ import annotations

import time
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast_data import Family
from vpp.forecasting import ForecastSettings
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.tables import part

Floats = NDArray[np.float64]
DAY, WEEK, STEPS, HOUR = 24, 168, 30, 18
WEEKS = 7
YEAR = ForecastSettings(tree_weeks=52)
"""Up to a year of history, as the protocol has it; the default is half of that."""
NAIVES = ("seasonal_naive_24h", "seasonal_naive_168h")
DECILES = np.arange(0.1, 0.95, 0.1)


@dataclass(frozen=True)
class Run:
    """What one pipeline said of a family: arrays of shape (origins, steps, K) unless stated.

    ``members`` has the members in front, ``quantiles`` the levels; ``single`` is what the member with the smallest
    past error said, chosen at each origin from errors before it.
    """

    actual: Floats
    value: Floats
    members: dict[str, Floats]
    quantiles: Floats
    single: Floats
    levels: tuple[float, ...]
    fit_cpu_s: float
    predict_cpu_s: float


def origins_of(family: Family) -> list[int]:
    """Return the rows of decision, week by week: the dates the family names, or dates spread over its data."""
    grid = family.table.grid
    midnight = (-grid.start_s) // 3600 % DAY
    if family.begins:
        starts = [int((np.datetime64(day, "s").astype(np.int64) - grid.start_s) // 3600) for day in family.begins]
    else:
        first = max(60 * DAY, grid.count // 4)
        last = grid.count - (WEEKS + 2) * DAY
        starts = [int(row) // DAY * DAY + midnight for row in np.linspace(first, last, WEEKS)]
    return [start + day * DAY + HOUR for start in starts for day in range(7)]


def run(family: Family, settings: ForecastSettings = YEAR) -> Run:
    """Take one pipeline through the protocol; between the weeks it is calibrated anew."""
    table = family.table
    pipeline = ForecastPipeline(
        family.profiles, timezone=ZoneInfo("UTC"), plant="bench", settings=settings, country=family.country
    )
    names = pipeline.member_names
    issues, actual, single = [], [], []
    fit_s = predict_s = 0.0
    for index, origin in enumerate(origins_of(family)):
        past = part(table, 0, origin)
        began = time.process_time()
        if index % 7 == 0:
            pipeline.fit(past)
            fit_s += time.process_time() - began
            began = time.process_time()
        issue = pipeline.issue(past, STEPS)
        predict_s += time.process_time() - began
        best = pipeline._combination.weights()[-1].argmax(axis=0)
        issues.append(issue)
        single.append(np.take_along_axis(issue.members, best[None, None, :], axis=0)[0])
        actual.append(table.value[origin : origin + STEPS])
    members = np.stack([issue.members for issue in issues], axis=1)
    return Run(
        actual=np.array(actual),
        value=np.array([issue.value for issue in issues]),
        members=dict(zip(names, members, strict=True)),
        quantiles=np.stack([issue.quantiles for issue in issues], axis=1),
        single=np.array(single),
        levels=settings.levels,
        fit_cpu_s=fit_s / WEEKS,
        predict_cpu_s=predict_s / len(issues),
    )


def error(said: Floats, actual: Floats) -> Floats:
    """Return the mean absolute error of each series, shape (K,); NaN steps are not counted."""
    return np.asarray(np.nanmean(np.abs(said - actual), axis=(0, 1)))


def better_naive(done: Run) -> Floats:
    """Return the error of the better seasonal naive of each series, shape (K,)."""
    return np.minimum(*(error(done.members[name], done.actual) for name in NAIVES))


def decile_pinball(done: Run) -> Floats:
    """Return the mean pinball loss of the nine deciles of each series, shape (K,)."""
    at = [int(np.argmin(np.abs(np.array(done.levels) - level))) for level in DECILES]
    above = done.actual[None] - done.quantiles[at]
    level = np.array(done.levels)[at][:, None, None, None]
    return np.asarray(np.nanmean(np.maximum(level * above, (level - 1.0) * above), axis=(0, 1, 2)))


def coverage(done: Run) -> Floats:
    """Return the share inside the central 80 % of each series where that has a width, shape (K,)."""
    low, high = (int(np.argmin(np.abs(np.array(done.levels) - level))) for level in (0.1, 0.9))
    told = (done.quantiles[high] > done.quantiles[low]) & np.isfinite(done.actual)
    inside = (done.actual >= done.quantiles[low]) & (done.actual <= done.quantiles[high])
    return np.asarray((told & inside).sum(axis=(0, 1)) / told.sum(axis=(0, 1)))


def conformal_naive(family: Family) -> Floats:
    """Return the decile pinball of the better seasonal naive with the same bands, shape (K,)."""
    single = [run(family, ForecastSettings(tree_weeks=52, members=(name,))) for name in NAIVES]
    return np.minimum(*(decile_pinball(one) for one in single))
