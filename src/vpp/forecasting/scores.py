"""Scores of forecasts. A score without enough data is None with its reason, never 0.

Array functions over matching steps; NaN in either input is a step that is not scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
LEAST_STEPS = 24


@dataclass(frozen=True, slots=True)
class Score:
    """One metric.

    Parameters
    ----------
    value : float or None
        The metric; None when it cannot be told.
    reason : str
        Why there is no value; empty when there is one.
    """

    value: float | None
    reason: str = ""


def absolute_error(forecast: Floats, actual: Floats) -> Score:
    """Return the mean absolute error, in the unit of the series.

    >>> absolute_error(np.zeros(24), np.full(24, 2.0)).value
    2.0
    """
    return _mean(np.abs(_differences(forecast, actual)))


def root_mean_square_error(forecast: Floats, actual: Floats) -> Score:
    """Return the root of the mean squared error, in the unit of the series."""
    squared = _mean(_differences(forecast, actual) ** 2)
    return squared if squared.value is None else Score(squared.value**0.5)


def relative_error(error: Score, reference: Score) -> Score:
    """Return one error over another: rMAE over the best naive's, MASE over the past's.

    >>> relative_error(Score(1.0), Score(0.0)).reason
    'the reference error is 0'
    """
    if error.value is None:
        return error
    if reference.value is None:
        return Score(None, f"no reference: {reference.reason}")
    if reference.value == 0.0:
        return Score(None, "the reference error is 0")
    return Score(error.value / reference.value)


def seasonal_scale(past: Floats, season: int) -> Score:
    """Return the mean absolute difference of a past to itself one season of ``season`` steps before (MASE's scale)."""
    if past.size <= season:
        return Score(None, f"{past.size} steps of past, more than {season} needed")
    return absolute_error(past[:-season], past[season:])


def pinball_loss(quantiles: Floats, levels: tuple[float, ...], actual: Floats) -> Score:
    """Return the mean pinball loss over the levels.

    Parameters
    ----------
    quantiles : float array, shape (levels, n)
        Quantile forecasts.
    levels : tuple of float
        Their levels in (0, 1).
    actual : float array, shape (n,)
        What happened.
    """
    _check(quantiles, (len(levels), *actual.shape))
    above = actual - quantiles
    level = np.asarray(levels)[:, None]
    return _mean(np.maximum(level * above, (level - 1.0) * above).mean(axis=0) if levels else np.empty(0))


def continuous_ranked_probability(quantiles: Floats, levels: tuple[float, ...], actual: Floats) -> Score:
    """Return the continuous ranked probability score from quantiles, in the unit of the series.

    Twice the pinball loss integrated over the level; each level stands for the part of (0, 1) that is nearest to it.
    Of a point forecast it is the absolute error (Gneiting and Raftery 2007, https://doi.org/10.1198/016214506000001437).

    Parameters
    ----------
    quantiles : float array, shape (levels, n)
        Quantile forecasts.
    levels : tuple of float
        Their levels in (0, 1), ascending.
    actual : float array, shape (n,)
        What happened.

    Examples
    --------
    >>> continuous_ranked_probability(np.zeros((1, 24)), (0.5,), np.full(24, 2.0)).value
    2.0
    """
    _check(quantiles, (len(levels), *actual.shape))
    if not levels:
        return _mean(np.empty(0))
    level = np.asarray(levels)
    edges = np.concatenate([[0.0], 0.5 * (level[1:] + level[:-1]), [1.0]])
    above = actual - quantiles
    pinball = np.maximum(level[:, None] * above, (level[:, None] - 1.0) * above)
    return _mean(2.0 * np.diff(edges) @ pinball)


def coverage(quantiles: Floats, levels: tuple[float, ...], actual: Floats, *, share: float = 0.8) -> Score:
    """Return the share of values inside the central interval that should hold ``share`` of them.

    Raises
    ------
    InvalidInputError
        When ``share`` is not in (0, 1).
    """
    if not 0.0 < share < 1.0:
        raise InvalidInputError("share", share, "a number in (0, 1)")
    wanted = ((1.0 - share) / 2.0, (1.0 + share) / 2.0)
    ends = [int(np.flatnonzero(np.isclose(levels, level))[0]) for level in wanted if np.isclose(levels, level).any()]
    if len(ends) < len(wanted):
        return Score(None, f"the levels hold no central {share:.0%} interval")
    _check(quantiles, (len(levels), *actual.shape))
    low, high = quantiles[ends[0]], quantiles[ends[1]]
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(actual)
    slack = 1e-12
    inside = (actual >= low - slack) & (actual <= high + slack)
    return _mean(np.where(known, inside.astype(np.float64), np.nan))


def _differences(forecast: Floats, actual: Floats) -> Floats:
    _check(forecast, actual.shape)
    return np.asarray(forecast - actual, dtype=np.float64)


def _check(values: Floats, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise SeriesMismatchError("forecast", values.shape, f"shape {shape}")


def _mean(values: Floats) -> Score:
    known = values[np.isfinite(values)]
    if known.size < LEAST_STEPS:
        return Score(None, f"{known.size} steps to score, {LEAST_STEPS} needed")
    return Score(float(known.mean()))
