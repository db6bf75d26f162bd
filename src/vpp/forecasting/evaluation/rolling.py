"""Rolling origin: what each model would have said at past moments, with bands from its own errors, and what it cost.

Invariant: at an origin a model sees the rows before it and nothing else; its bands rest on errors of forecasts whose
actuals were known by then. Every model passes through the same origins, refits and bands, so their scores compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.evaluation.candidates import Candidate, Combination, SingleModel, Task, chosen
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.models.seasonal_naive import SeasonalNaive
from vpp.forecasting.registry import model as model_spec
from vpp.forecasting.registry import models as known_models
from vpp.forecasting.settings import ForecastSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[str, float], None]
MEDIAN = "median"
NAIVES = (24, 168)
"""Seasons of the naive forecasts that every model is measured against [h]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """What one model said at O origins about S steps of K series, in the sign of the house.

    Parameters
    ----------
    model : str
        Its name.
    value : float array, shape (O, S, K)
        Point forecasts; NaN where it could not answer.
    quantiles : float array, shape (O, L, S, K)
        Non-crossing quantiles; NaN where there were too few errors to make them from.
    fit_cpu_s, predict_cpu_s : float
        CPU time of a fit and of a forecast, per series [s]. Of the combination a fit holds its calibration.
    """

    model: str
    value: Floats
    quantiles: Floats
    fit_cpu_s: float
    predict_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that was said and what happened.

    Parameters
    ----------
    profiles : tuple of SeriesProfile, length K
        The series.
    timezone : ZoneInfo
        Zone of their clock.
    resolution_s : int
        Length of a step [s].
    origins : int array, shape (O,)
        Rows of the table at which forecasts were made.
    origins_s : int array, shape (O,)
        The same as moments [epoch s].
    steps : int
        Horizon, S.
    levels : tuple of float, length L
        Levels of the quantiles.
    actual : float array, shape (O, S, K)
        What happened; NaN where it is not known.
    naive : mapping of str to float array, shape (O, S, K)
        The seasonal naive forecasts.
    past_scale : float array, shape (K,)
        Mean daily difference before the first origin, MASE's scale; NaN where it cannot be told.
    runs : mapping of str to ModelRun
        By model, in the order asked for.
    """

    profiles: tuple[SeriesProfile, ...]
    timezone: ZoneInfo
    resolution_s: int
    origins: Integers
    origins_s: Integers
    steps: int
    levels: tuple[float, ...]
    actual: Floats
    naive: dict[str, Floats]
    past_scale: Floats
    runs: dict[str, ModelRun]


def evaluate_series(
    table: SeriesTable,
    profiles: tuple[SeriesProfile, ...],
    *,
    timezone: ZoneInfo,
    origins: Sequence[int],
    steps: int,
    models: Sequence[str] = (MEDIAN,),
    refit_days: float = 7.0,
    settings: ForecastSettings | None = None,
    progress: Progress = lambda _model, _share: None,
) -> Evaluation:
    """Let models forecast at past moments.

    A model is fitted at the first origin and whenever ``refit_days`` have passed. Its bands are conformal: quantiles
    of its own errors of the last 28 days at the same lead; where fewer than 20 issues stand in that time, because the
    origins begin or pause there, it is fitted once more before them and issued daily. The combination (``median``)
    makes its own bands, and starts anew after a pause in the origins, as if it had run all along.

    Parameters
    ----------
    table : SeriesTable
        Measurements before, at and after the origins, in the sign of the house; at least the profiles' series. The
        series that profiles name as inputs are handed over as known ahead: they must be what was forecast of them.
    profiles : tuple of SeriesProfile
        The K series, forecast together, so that models which learn from all of them do.
    timezone : ZoneInfo
        Zone of their clock.
    origins : sequence of int
        Rows of the table, ascending; row ``o`` is the first step forecast at ``o``.
    steps : int
        Horizon [steps], 1 or more.
    models : sequence of str
        Names of ``registry.models()``, or ``median`` for the combination.
    refit_days : float
        Time between fits [d], above 0.
    settings : ForecastSettings, optional
        Levels, windows, sizes and seed.
    progress : callable, optional
        Told (model, share done 0-1).

    Returns
    -------
    Evaluation
        To be scored by ``leaderboard.leaderboard``.

    Raises
    ------
    InvalidInputError
        When the origins do not ascend or have no row before or at them, or a number is out of its range.
    UnknownNameError
        When there is no model of a name, with the nearest.
    MissingExtraError
        When a model needs a package that is not installed.
    """
    wanted = tuple(int(origin) for origin in origins)
    count = table.grid.count
    if not wanted or min(wanted) < 1 or max(wanted) >= count or any(np.diff(wanted) <= 0):
        raise InvalidInputError("origins", list(wanted[:5]), f"ascending rows from 1 to {count - 1}")
    if steps < 1:
        raise InvalidInputError("steps", steps, "1 or more")
    if not refit_days > 0.0:
        raise InvalidInputError("refit_days", refit_days, "a number of days above 0")
    keys = tuple(profile.key for profile in profiles)
    for name in models:
        if name != MEDIAN:
            model_spec(name)
    inputs = tuple(dict.fromkeys(key for profile in profiles for key in profile.inputs))
    task = Task(
        chosen(table, keys),
        chosen(table, inputs),
        profiles,
        timezone,
        wanted,
        steps,
        refit_days * SECONDS_PER_DAY / table.grid.resolution_s,
        settings or ForecastSettings(),
    )
    runs = {name: _run(name, task, progress) for name in dict.fromkeys(models)}
    return Evaluation(
        profiles=profiles,
        timezone=timezone,
        resolution_s=table.grid.resolution_s,
        origins=np.array(wanted, dtype=np.int64),
        origins_s=table.grid.start_s + table.grid.resolution_s * np.array(wanted, dtype=np.int64),
        steps=steps,
        levels=task.settings.levels,
        actual=np.stack([task.after(origin) for origin in wanted]),
        naive=_naives(task),
        past_scale=_past_scale(task),
        runs=runs,
    )


def evaluable_models(*, heavy: bool = False, inputs: bool = False) -> tuple[str, ...]:
    """Return the models that run without an extra, cheapest first, and the combination.

    Parameters
    ----------
    heavy : bool
        True adds those that cost more than two seconds per source.
    inputs : bool
        True adds those that need inputs known ahead.
    """
    plain = [
        name
        for name, spec in known_models().items()
        if spec.needs.extra is None and (inputs or not spec.needs.exogenous) and (heavy or spec.needs.cost != "heavy")
    ]
    return (*plain, MEDIAN)


def _run(name: str, task: Task, progress: Progress) -> ModelRun:
    candidate: Candidate = Combination(task) if name == MEDIAN else SingleModel(name, task)
    values, quantiles = [], []
    fitted_at: int | None = None
    for done, origin in enumerate(task.origins):
        progress(name, done / len(task.origins))
        refit = fitted_at is None or origin - fitted_at >= task.refit_steps
        restart = fitted_at is None or origin - task.origins[done - 1] > task.refit_steps
        value, bands = candidate.issue(origin, refit=refit, restart=restart)
        fitted_at = origin if refit else fitted_at
        values.append(value)
        quantiles.append(bands)
    progress(name, 1.0)
    series = len(task.profiles)
    return ModelRun(
        model=name,
        value=np.stack(values),
        quantiles=np.stack(quantiles),
        fit_cpu_s=float(np.mean(candidate.fits)) / series,
        predict_cpu_s=float(np.mean(candidate.predictions)) / series,
    )


def _naives(task: Task) -> dict[str, Floats]:
    said = {}
    for season_h in NAIVES:
        naive = SeasonalNaive(season_h)
        values = [naive.predict(task.before(origin), task.steps) for origin in task.origins]
        said[naive.name] = np.stack(values)
    return said


def _past_scale(task: Task) -> Floats:
    past = task.table.value[: task.origins[0]]
    if len(past) <= task.day:
        return np.full(len(task.profiles), np.nan)
    change = np.abs(past[task.day :] - past[: -task.day])
    known = np.isfinite(change)
    total = np.where(known, change, 0.0).sum(axis=0)
    scale: Floats = np.full(len(task.profiles), np.nan)
    np.divide(total, known.sum(axis=0), out=scale, where=known.any(axis=0))
    return scale
