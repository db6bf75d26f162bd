"""Tuning: sizes of the trees by Optuna within a time budget. Off by default: where measured, it made things worse.

Invariant: a trial is judged on the first half of the folds only, so that the comparison on the second half is one the
tuned model has not seen; there it is a candidate like any other, and serves only if it wins.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.forecasting.kinds import KINDS
from vpp.forecasting.settings import ForecastSettings, TreeShape
from vpp.forecasting.training.candidate import Candidate
from vpp.forecasting.training.evidence import Group, actuals, of_single

TUNABLE = "trees"
TUNED = "trees_tuned"
MOST_TRIALS = 200


def tune(group: Group, settings: ForecastSettings, *, budget_s: float) -> tuple[Candidate, int] | None:
    """Return the best tree sizes found as a candidate, with the number of trials; None where no fold is left to judge.

    Parameters
    ----------
    group : Group
        The series; needs two folds or more.
    settings : ForecastSettings
        The defaults, which are the first trial.
    budget_s : float
        Time for trials [s], above 0; the trial that runs at the end is finished.

    Raises
    ------
    MissingExtraError
        When Optuna is not installed.
    InvalidInputError
        When the budget is not above 0.
    """
    if not budget_s > 0.0:
        raise InvalidInputError("budget_s", budget_s, "seconds above 0")
    optuna: Any = require("optuna", extra="tune")
    half = len(group.folds) // 2
    if half == 0:
        return None
    early = replace(group, folds=group.folds[:half])
    actual = actuals(early)
    scale = np.nanmean(np.abs(np.diff(actual, axis=1)), axis=(0, 1))
    scale = np.where(np.isfinite(scale) & (scale > 0.0), scale, 1.0)

    def error_of(shape: TreeShape) -> float:
        made = Candidate(TUNED, TUNABLE, shaped(settings, shape))
        off = np.abs(of_single(early, made).value - actual) / scale
        known = off[np.isfinite(off)]
        return float(known.mean()) if known.size else float("inf")

    def trial_error(trial: Any) -> float:
        return error_of(
            TreeShape(
                trees=trial.suggest_int("trees", 30, 300, log=True),
                leaves=trial.suggest_int("leaves", 7, 63, log=True),
                least_rows=trial.suggest_int("least_rows", 10, 80, log=True),
                learning_rate=trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            )
        )

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=settings.seed))
    usual = TreeShape()
    study.enqueue_trial(
        {
            "trees": usual.trees,
            "leaves": usual.leaves,
            "least_rows": usual.least_rows,
            "learning_rate": usual.learning_rate,
        }
    )
    began = time.monotonic()
    while len(study.trials) < MOST_TRIALS and time.monotonic() - began < budget_s:
        study.optimize(trial_error, n_trials=1)
    best = TreeShape(**study.best_params)
    return Candidate(TUNED, TUNABLE, shaped(settings, best)), len(study.trials)


def shaped(settings: ForecastSettings, shape: TreeShape) -> ForecastSettings:
    """Return settings with one tree size for every kind."""
    return replace(settings, trees=MappingProxyType(dict.fromkeys(KINDS, shape)))
