"""Rolling-origin evaluation: what the pipeline would have said at past moments, beside what happened.

Invariant: an origin sees only the rows before it, through the same ``ForecastPipeline`` that runs live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting import scores
from vpp.forecasting.combination import MedianCombination
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.pipeline import ForecastPipeline, Issue, part
from vpp.forecasting.scores import Score
from vpp.forecasting.settings import ForecastSettings

Floats = NDArray[np.float64]
NAIVE = "seasonal_naive"


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """How one model did on one series.

    Parameters
    ----------
    key : SeriesKey
        The series.
    model : str
        A member's name, or ``median`` for the combination.
    origins : int
        Moments of decision tried.
    mae, rmse : Score
        Errors in the unit of the series.
    rmae : Score
        Mean absolute error over that of the better seasonal naive at the same steps.
    mase : Score
        Mean absolute error over the mean daily difference of the past before the first origin.
    pinball, coverage_80 : Score
        Mean pinball loss and the share inside the central 80 %; only of the combination.
    """

    key: SeriesKey
    model: str
    origins: int
    mae: Score
    rmse: Score
    rmae: Score
    mase: Score
    pinball: Score
    coverage_80: Score


def daily_origins(
    grid: TimeGrid, timezone: ZoneInfo, *, local_hour: int, first: datetime, days: int
) -> tuple[int, ...]:
    """Return the rows that start at a local hour on consecutive days, from ``first`` on.

    >>> from datetime import UTC
    >>> grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 72)
    >>> daily_origins(grid, ZoneInfo("Europe/Amsterdam"), local_hour=18, first=grid.start, days=2)
    (17, 41)
    """
    local = LocalClock(timezone).hour_of_day(grid.times_s)
    rows = np.flatnonzero(local == local_hour)
    rows = rows[rows >= grid.index(first)][:days]
    return tuple(int(row) for row in rows)


def evaluate(
    history: SeriesTable,
    profiles: tuple[SeriesProfile, ...],
    *,
    timezone: ZoneInfo,
    origins: Sequence[int],
    steps: int,
    refit_days: float = 7.0,
    settings: ForecastSettings | None = None,
) -> tuple[EvaluationRow, ...]:
    """Score the combination and each member by rolling origin.

    Parameters
    ----------
    history : SeriesTable
        Measurements before, at and after the origins.
    profiles : tuple of SeriesProfile
        The K series to forecast.
    timezone : ZoneInfo
        The plant's zone.
    origins : sequence of int
        Rows of ``history``, ascending, 1 or more; row ``o`` is the first step forecast.
    steps : int
        Horizon [steps].
    refit_days : float
        Models are fitted at the first origin and whenever this time has passed [d].

    Returns
    -------
    tuple of EvaluationRow
        One row per series and model: the members, then ``median``.

    Raises
    ------
    InvalidInputError
        When there is no origin, or one without a row before it or after it.

    Examples
    --------
    See ``benchmarks/forecasting.py``.
    """
    if not origins or not 1 <= min(origins) <= max(origins) < history.grid.count:
        raise InvalidInputError("origins", list(origins)[:5], f"rows from 1 to {history.grid.count - 1}")
    pipeline = ForecastPipeline(profiles, timezone=timezone, plant="evaluation", settings=settings)
    table = SeriesTable(history.grid, pipeline.keys, np.column_stack([history.column(key) for key in pipeline.keys]))
    refit_steps = refit_days * SECONDS_PER_DAY / history.grid.resolution_s
    issues: list[Issue] = []
    fitted_at: int | None = None
    for origin in origins:
        past = part(table, 0, origin)
        if fitted_at is None or origin - fitted_at >= refit_steps:
            pipeline.fit(past)
            fitted_at = origin
        issues.append(pipeline.issue(past, min(steps, table.grid.count - origin)))
    return tuple(row for k in range(len(profiles)) for row in _rows(pipeline, table, k, issues=issues, origins=origins))


def _rows(
    pipeline: ForecastPipeline, table: SeriesTable, k: int, *, issues: list[Issue], origins: Sequence[int]
) -> list[EvaluationRow]:
    """Return the rows of series ``k``."""
    levels = pipeline.settings.levels
    actual = np.concatenate(
        [table.value[o : o + issue.grid.count, k] for o, issue in zip(origins, issues, strict=True)]
    )
    quantiles = np.concatenate([issue.quantiles[:, :, k] for issue in issues], axis=1)
    said = {
        name: np.concatenate([issue.members[m, :, k] for issue in issues])
        for m, name in enumerate(pipeline.member_names)
    }
    naives = [scores.absolute_error(said[name], actual) for name in said if name.startswith(NAIVE)]
    told = [naive for naive in naives if naive.value is not None]
    best_naive = min(told, key=lambda score: score.value or 0.0) if told else naives[0]
    scale = scores.seasonal_scale(table.value[: origins[0], k], SECONDS_PER_DAY // table.grid.resolution_s)
    said[MedianCombination.name] = np.concatenate([issue.value[:, k] for issue in issues])
    rows = []
    for name, forecast in said.items():
        error = scores.absolute_error(forecast, actual)
        combined = name == MedianCombination.name
        unbanded = Score(None, "a member makes no quantiles")
        rows.append(
            EvaluationRow(
                key=pipeline.keys[k],
                model=name,
                origins=len(issues),
                mae=error,
                rmse=scores.root_mean_square_error(forecast, actual),
                rmae=scores.relative_error(error, best_naive),
                mase=scores.relative_error(error, scale),
                pinball=scores.pinball_loss(quantiles, levels, actual) if combined else unbanded,
                coverage_80=scores.coverage(quantiles, levels, actual) if combined else unbanded,
            )
        )
    return rows
