"""Evaluation: models judged side by side on recorded data, by their errors and, on a plant, by what these cost it.

Decisions are made at 18:00 local time, daily, each model fitted once a week; what is scored has always happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import SeriesKey
from vpp.core.time import from_epoch_s
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.evaluation.leaderboard import ModelScores, SeriesScores, leaderboard
from vpp.forecasting.evaluation.origins import last_origins, origins_at
from vpp.forecasting.evaluation.rolling import Evaluation, evaluable_models, evaluate_series
from vpp.forecasting.settings import ForecastSettings
from vpp.runtime.documents import moment
from vpp.runtime.evaluation_data import EvaluationData
from vpp.runtime.regret import Regret, RegretMeter

LOCAL_HOUR = 18
HORIZON_S = 30 * 3600
DAYS = 28
REFIT_DAYS = 7.0
LEAST_PAST_DAYS = 8
"""A weekly naive and a day to score it on need this much before the first decision."""
NO_PLANT = "no plant: give --plant to price errors"
FIGURES = 6
Progress = Callable[[str, float], None]
Board: TypeAlias = SeriesScores
"""What faces show of one series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What came out.

    Parameters
    ----------
    data : EvaluationData
        What was evaluated.
    evaluation : Evaluation
        What was said and what happened.
    boards : tuple of SeriesScores
        The leaderboard of each series.
    regrets : mapping of (SeriesKey, str) to Regret
        By series and model.
    """

    data: EvaluationData
    evaluation: Evaluation
    boards: tuple[SeriesScores, ...]
    regrets: dict[tuple[SeriesKey, str], Regret]

    @property
    def horizon_s(self) -> int:
        """Horizon [s]."""
        return self.evaluation.steps * self.evaluation.resolution_s

    def document(self) -> dict[str, Any]:
        """Return the result as JSON values.

        A number that cannot be told is null, with its reason in ``reason`` (``regret_reason``, ``dm_reason``).
        ``dm_p`` is of the best model against the second.
        """
        return {
            "data": self.data.name,
            "horizon": f"{self.horizon_s / 3600:g}h",
            "origins": [moment(from_epoch_s(int(at))) for at in self.evaluation.origins_s],
            "series": {self.data.labels[board.key]: self._series(board) for board in self.boards},
        }

    def _series(self, board: SeriesScores) -> dict[str, Any]:
        compared = board.against_second
        document: dict[str, Any] = {
            "models": {row.model: self._model(board.key, row) for row in board.models},
            "best": board.best,
            "dm_p": compared.p_value,
        }
        return document if compared.p_value is not None else document | {"dm_reason": compared.reason}

    def _model(self, key: SeriesKey, row: ModelScores) -> dict[str, Any]:
        scores = {
            "mae": row.mae,
            "rmse": row.rmse,
            "rmae": row.rmae,
            "pinball": row.pinball,
            "coverage_80": row.coverage_80,
        }
        regret = self.regrets[key, row.model]
        document: dict[str, Any] = {name: score.value for name, score in scores.items()}
        document |= {"regret": regret.value, "fit_cpu_s": row.fit_cpu_s, "predict_cpu_s": row.predict_cpu_s}
        if regret.value is None:
            document["regret_reason"] = regret.reason
        reasons = dict.fromkeys(f"{name}: {score.reason}" for name, score in scores.items() if score.value is None)
        return document | ({"reason": "; ".join(reasons)} if reasons else {})


def models_for(data: EvaluationData, *, heavy: bool = False) -> tuple[str, ...]:
    """Return every model that needs no extra and has what it needs in the data, and the combination.

    Parameters
    ----------
    data : EvaluationData
        What to forecast.
    heavy : bool
        True adds the models that cost more than two seconds per source.
    """
    return evaluable_models(heavy=heavy, inputs=any(profile.inputs for profile in data.profiles))


def evaluate(
    data: EvaluationData,
    *,
    models: Sequence[str] = (),
    horizon_s: int = HORIZON_S,
    days: int = DAYS,
    origins: Sequence[datetime] = (),
    settings: ForecastSettings | None = None,
    progress: Progress = lambda _what, _share: None,
) -> Evaluated:
    """Evaluate models on data.

    Parameters
    ----------
    data : EvaluationData
        What to forecast.
    models : sequence of str
        Names of models; by default all that need no extra and no inputs known ahead and are not heavy, and
        ``median``, the combination.
    horizon_s : int
        How far to forecast [s], at least one step.
    days : int
        Decisions on the last days whose whole horizon lies in the data, 1 or more.
    origins : sequence of datetime
        The moments of decision themselves, instead of ``days``.
    settings : ForecastSettings, optional
        Settings of the models.
    progress : callable, optional
        Told (what, share done 0-1).

    Raises
    ------
    InvalidInputError
        When a number is out of its range, or a moment no step of the data.
    UnknownNameError
        When there is no model of a name.
    MissingDataError
        When the data are too short for one decision.
    """
    grid = data.table.grid
    steps = horizon_s // grid.resolution_s
    if steps < 1 or horizon_s % grid.resolution_s:
        raise InvalidInputError("--horizon", f"{horizon_s} s", f"whole steps of {grid.resolution_s} s, one or more")
    if origins:
        rows = origins_at(grid, origins)
    else:
        rows = last_origins(grid, data.timezone, local_hour=LOCAL_HOUR, steps=steps, days=days)
        least = LEAST_PAST_DAYS * SECONDS_PER_DAY // grid.resolution_s
        rows = tuple(row for row in rows if row >= least)
    if not rows:
        span_days = grid.count * grid.resolution_s / SECONDS_PER_DAY
        raise MissingDataError(
            f"{data.name} spans {span_days:.1f} days; a first decision at {LOCAL_HOUR}:00 needs {LEAST_PAST_DAYS} days "
            f"before it and the horizon of {horizon_s / 3600:g} h after it"
        )
    evaluation = evaluate_series(
        data.table,
        data.profiles,
        timezone=data.timezone,
        origins=rows,
        steps=steps,
        models=tuple(models) or models_for(data),
        refit_days=REFIT_DAYS,
        settings=settings,
        progress=progress,
    )
    boards = leaderboard(evaluation)
    return Evaluated(data=data, evaluation=evaluation, boards=boards, regrets=_regrets(data, evaluation, progress))


def _regrets(data: EvaluationData, evaluation: Evaluation, progress: Progress) -> dict[tuple[SeriesKey, str], Regret]:
    """Return the regret of every model on every series."""
    keys = [profile.key for profile in evaluation.profiles]
    names = list(evaluation.runs)
    if data.setup is None or data.recorded is None:
        return {(key, name): Regret(None, NO_PLANT) for key in keys for name in names}
    origins = [int(origin) for origin in evaluation.origins]
    try:
        meter = RegretMeter(data.setup, data.recorded, origins=origins, steps=evaluation.steps)
    except MissingDataError as fault:
        return {(key, name): Regret(None, str(fault)) for key in keys for name in names}
    found = {}
    for k, key in enumerate(keys):
        progress("regret", k / len(keys))
        for name in names:
            found[key, name] = meter.of(key, np.asarray(evaluation.runs[name].value[:, :, k]))
    progress("regret", 1.0)
    return found
