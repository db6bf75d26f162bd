"""Comparison of forecasts: whether one is better than another or was lucky.

Losses of neighbouring origins are related, because their horizons overlap; the variance of a mean loss counts that.
The test is Diebold and Mariano's (1995, https://doi.org/10.1080/07350015.1995.10524599) with the small-sample
correction of Harvey, Leybourne and Newbold (1997, https://doi.org/10.1016/S0169-2070(96)00719-4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEAST_ORIGINS = 8
"""With fewer origins the variance of their mean is itself a guess."""
NOTHING = 1e-12
"""Relative difference of two losses below which they are the same number."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two forecasts differ in their loss.

    Parameters
    ----------
    p_value : float or None
        Two-sided probability of a difference as large if there were none, 0 to 1; None when it cannot be told.
    difference : float or None
        Mean loss of the first less that of the second; negative where the first is better.
    reason : str
        Why there is no probability; empty when there is one.
    """

    p_value: float | None
    difference: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval, all None where there is too little to tell.

    Parameters
    ----------
    low, high : float or None
        Ends, in the unit of the mean.
    """

    low: float | None = None
    high: float | None = None


def diebold_mariano(first: Floats, second: Floats, *, origins: Integers, steps: int) -> Comparison:
    """Compare two forecasts by their losses at the same origins.

    Parameters
    ----------
    first, second : float arrays, shape (O,)
        Mean loss over the horizon of each origin; NaN where one could not be scored.
    origins : int array, shape (O,)
        Moments of decision [steps], ascending; gaps between them are allowed.
    steps : int
        Horizon [steps]; losses of origins nearer to each other than this are related.

    Raises
    ------
    SeriesMismatchError
        When the inputs differ in length.
    InvalidInputError
        When ``steps`` is below 1 or the origins do not ascend.

    Examples
    --------
    >>> loss = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.5, 2.5])
    >>> worse = loss + np.array([0.9, 1.1, 1.0, 0.8, 1.2, 1.0, 1.1, 0.9, 1.0, 1.0])
    >>> diebold_mariano(loss, worse, origins=np.arange(10) * 24, steps=24).p_value < 0.001
    True
    """
    _check(first, second, origins, steps)
    known = np.isfinite(first) & np.isfinite(second)
    count = int(known.sum())
    if count < LEAST_ORIGINS:
        return Comparison(None, reason=f"{count} origins to compare, {LEAST_ORIGINS} needed")
    difference = (first - second)[known]
    mean = float(difference.mean())
    if np.abs(difference).max() <= NOTHING * max(np.abs(first[known]).max(), np.abs(second[known]).max()):
        return Comparison(None, mean, "the two never differ")
    error = _standard_error(difference, origins[known], steps)
    if error <= 0.0:
        return Comparison(0.0, mean)
    statistic = abs(mean) / error
    return Comparison(float(2.0 * stdtr(count - 1, -statistic)), mean)


def mean_interval(losses: Floats, *, origins: Integers, steps: int, share: float = 0.95) -> Interval:
    """Return the confidence interval of a mean loss over origins, as ``diebold_mariano`` counts its variance.

    Parameters
    ----------
    losses : float array, shape (O,)
        Mean loss of each origin; NaN where it could not be scored.
    origins, steps
        As in ``diebold_mariano``.
    share : float
        Confidence, in (0, 1).
    """
    _check(losses, losses, origins, steps)
    if not 0.0 < share < 1.0:
        raise InvalidInputError("share", share, "a number in (0, 1)")
    known = np.isfinite(losses)
    count = int(known.sum())
    if count < LEAST_ORIGINS:
        return Interval()
    mean = float(losses[known].mean())
    reach = float(stdtrit(count - 1, 0.5 + share / 2.0)) * _standard_error(losses[known], origins[known], steps)
    return Interval(max(mean - reach, 0.0), mean + reach)


def _standard_error(losses: Floats, origins: Integers, steps: int) -> float:
    """Return the standard error of a mean over origins whose horizons overlap, with the small-sample correction."""
    count = losses.size
    centred = losses - losses.mean()
    apart = np.abs(origins[:, None] - origins[None, :])
    together = apart < steps
    products = np.outer(centred, centred)
    total = float(products[together].sum())
    if total <= 0.0:
        # Counting every related pair in full can go below zero; weights that fall with the distance cannot.
        total = float((products * np.maximum(1.0 - apart / steps, 0.0)).sum())
    # The correction's horizon: how many origins an error reaches over, itself included.
    reach = int(together.sum(axis=1).max() + 1) // 2
    correction = (count + 1 - 2 * reach + reach * (reach - 1) / count) / count
    variance = max(total, 0.0) / count**2
    return float(np.sqrt(variance / correction)) if correction > 0.0 else float("inf")


def _check(first: Floats, second: Floats, origins: Integers, steps: int) -> None:
    if first.shape != second.shape or first.shape != origins.shape:
        raise SeriesMismatchError("losses", (first.shape, second.shape), f"the shape of origins, {origins.shape}")
    if steps < 1:
        raise InvalidInputError("steps", steps, "1 or more")
    if (np.diff(origins) <= 0).any():
        raise InvalidInputError("origins", origins.tolist()[:5], "ascending rows")
