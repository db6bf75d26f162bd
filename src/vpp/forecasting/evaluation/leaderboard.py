"""The leaderboard: every model's scores on every series, who is best, and whether that could be luck.

Invariant: nobody gains by staying silent at hard hours: relative errors take the naive at the same steps, and a model
that answers less than ``LEAST_ANSWERED`` of the known steps is listed but never best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import SeriesKey
from vpp.forecasting import scores
from vpp.forecasting.evaluation.comparison import Comparison, Interval, diebold_mariano, mean_interval
from vpp.forecasting.evaluation.rolling import Evaluation, ModelRun
from vpp.forecasting.kinds import Kind
from vpp.forecasting.scores import Score

Floats = NDArray[np.float64]
LEAST_ANSWERED = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScores:
    """How one model did on one series.

    Parameters
    ----------
    model : str
        Its name.
    answered : float
        Share of the known steps that it forecast, 0 to 1.
    mae, rmse, crps, pinball : Score
        In the unit of the series; of the quantiles where they are one score for all levels.
    mae_interval : Interval
        95 % confidence interval of ``mae``.
    rmae : Score
        Mean absolute error over that of the better seasonal naive (24 h, 168 h) at the same steps.
    mase : Score
        Mean absolute error over the mean daily difference of the past before the first origin.
    coverage_80 : Score
        Share of what happened inside the central 80 %.
    against_naive : Comparison
        Against the better seasonal naive; a negative difference is better than it.
    fit_cpu_s, predict_cpu_s : float
        CPU time per series [s].
    """

    model: str
    answered: float
    mae: Score
    mae_interval: Interval
    rmse: Score
    rmae: Score
    mase: Score
    pinball: Score
    crps: Score
    coverage_80: Score
    against_naive: Comparison
    fit_cpu_s: float
    predict_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesScores:
    """The leaderboard of one series.

    Parameters
    ----------
    key : SeriesKey
        The series.
    kind : Kind
        What it is.
    models : tuple of ModelScores
        Best first; those that could not be scored last.
    best : str or None
        The first, None where no model answered enough to be scored.
    naive : str
        Name of the better seasonal naive.
    naive_mae : Score
        Its error.
    against_second : Comparison
        The best against the second.
    """

    key: SeriesKey
    kind: Kind
    models: tuple[ModelScores, ...]
    best: str | None
    naive: str
    naive_mae: Score
    against_second: Comparison

    def of(self, model: str) -> ModelScores:
        """Return one model's scores."""
        return next(row for row in self.models if row.model == model)


def leaderboard(evaluation: Evaluation) -> tuple[SeriesScores, ...]:
    """Return the scores of every series, in the order of the evaluation's profiles."""
    return tuple(_series(evaluation, k) for k in range(len(evaluation.profiles)))


def _series(evaluation: Evaluation, k: int) -> SeriesScores:
    actual = evaluation.actual[:, :, k]
    naives = {name: said[:, :, k] for name, said in evaluation.naive.items()}
    errors = {name: scores.absolute_error(said.ravel(), actual.ravel()) for name, said in naives.items()}
    naive = min(errors, key=lambda name: np.inf if errors[name].value is None else float(errors[name].value or 0.0))
    rows = [_model(evaluation, run, k, naives[naive]) for run in evaluation.runs.values()]
    rows.sort(key=_rank)
    profile = evaluation.profiles[k]
    ranked = [row for row in rows if row.mae.value is not None and row.answered >= LEAST_ANSWERED]
    return SeriesScores(
        key=profile.key,
        kind=profile.kind,
        models=tuple(rows),
        best=ranked[0].model if ranked else None,
        naive=naive,
        naive_mae=errors[naive],
        against_second=_against_second(evaluation, k, [row.model for row in ranked[:2]]),
    )


def _rank(row: ModelScores) -> tuple[bool, float]:
    error = row.mae.value
    return error is None or row.answered < LEAST_ANSWERED, np.inf if error is None else error


def _against_second(evaluation: Evaluation, k: int, leaders: list[str]) -> Comparison:
    if len(leaders) < 2:
        return Comparison(None, reason="fewer than two models answered enough to be compared")
    first, second = (losses(evaluation.runs[name].value[:, :, k], evaluation.actual[:, :, k]) for name in leaders)
    return diebold_mariano(first, second, origins=evaluation.origins, steps=evaluation.steps)


def _model(evaluation: Evaluation, run: ModelRun, k: int, naive: Floats) -> ModelScores:
    actual, said = evaluation.actual[:, :, k], run.value[:, :, k]
    known = np.isfinite(actual)
    flat, truth = said.ravel(), actual.ravel()
    levels = evaluation.levels
    quantiles = run.quantiles[:, :, :, k].transpose(1, 0, 2).reshape(len(levels), -1)
    error = scores.absolute_error(flat, truth)
    same_steps = np.where(np.isfinite(said), naive, np.nan)
    own, other = losses(said, actual), losses(same_steps, actual)
    scale = evaluation.past_scale[k]
    past = Score(float(scale)) if np.isfinite(scale) else Score(None, "less than two days before the first origin")
    return ModelScores(
        model=run.model,
        answered=float((np.isfinite(said) & known).sum() / max(int(known.sum()), 1)),
        mae=error,
        mae_interval=mean_interval(own, origins=evaluation.origins, steps=evaluation.steps),
        rmse=scores.root_mean_square_error(flat, truth),
        rmae=scores.relative_error(error, scores.absolute_error(same_steps.ravel(), truth)),
        mase=scores.relative_error(error, past),
        pinball=scores.pinball_loss(quantiles, levels, truth),
        crps=scores.continuous_ranked_probability(quantiles, levels, truth),
        coverage_80=scores.coverage(quantiles, levels, truth),
        against_naive=diebold_mariano(own, other, origins=evaluation.origins, steps=evaluation.steps),
        fit_cpu_s=run.fit_cpu_s,
        predict_cpu_s=run.predict_cpu_s,
    )


def losses(said: Floats, actual: Floats) -> Floats:
    """Return the mean absolute error of each origin, shape (O,), from (O, S); NaN where no step can be scored."""
    off = np.abs(said - actual)
    known = np.isfinite(off)
    mean: Floats = np.full(len(off), np.nan)
    np.divide(np.where(known, off, 0.0).sum(axis=1), known.sum(axis=1), out=mean, where=known.any(axis=1))
    return mean
