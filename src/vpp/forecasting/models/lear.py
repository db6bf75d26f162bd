"""LEAR: the regressions with an absolute penalty chosen by AIC, as Lago et al. 2021 describe them.

https://doi.org/10.1016/j.apenergy.2021.116983. With fewer samples than features AIC has no estimate of the noise;
it is then taken as a fixed share of the target's variance.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoLarsIC

from vpp.forecasting.models.lead_regression import LeadRegression
from vpp.forecasting.needs import ModelContext

Floats = NDArray[np.float64]
CENTRES = 24
NOISE_SHARE = 0.7
MOST_STEPS = 150
CONSTANT = 1e-9


def lear(context: ModelContext) -> LeadRegression:
    """Return the model."""
    return LeadRegression(context, name="lear", solve=lasso, centres=CENTRES)


def lasso(design: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Solve k LASSO regressions with standardized columns, each penalty by AIC.

    Parameters
    ----------
    design : float array, shape (k, n, F)
    target : float array, shape (k, n)

    Returns
    -------
    weights : float array, shape (k, F)
        Of the columns as given.
    offsets : float array, shape (k,)
    """
    mean, spread = design.mean(axis=1), design.std(axis=1)
    spread = np.where(spread > CONSTANT, spread, 1.0)
    weights = np.zeros_like(mean)
    offsets = target.mean(axis=1)
    for k in range(len(target)):
        variance = float(target[k].var())
        if variance <= CONSTANT:
            continue
        samples, features = design[k].shape
        noise = NOISE_SHARE * variance if samples <= features + 1 else None
        model = LassoLarsIC(criterion="aic", max_iter=MOST_STEPS, noise_variance=noise)
        with warnings.catch_warnings():
            # Near-collinear lags end the path early; what AIC chose up to there stands.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((design[k] - mean[k]) / spread[k], target[k])
        weights[k] = model.coef_ / spread[k]
        offsets[k] = model.intercept_ - weights[k] @ mean[k]
    return weights, offsets
