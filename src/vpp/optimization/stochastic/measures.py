"""Value at risk and conditional value at risk of a cost.

Convention: costs, so high is bad; ``level`` is the confidence (0.95 looks at the worst 5%).
VaR is the smallest cost that is not exceeded with probability ``level`` or more; CVaR is the mean of the worst
``1 - level`` of the probability, with the cost at its edge split. Invariant: CVaR is never below VaR.
"""

from __future__ import annotations

from math import ceil, exp, pi, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.problem import Floats

# sums of probabilities carry this much rounding; a level is met within it
ROUNDING = 1e-12
SUM_TOLERANCE = 1e-6


def check_level(level: float) -> float:
    """Return a confidence level that lies in [0, 1)."""
    if not 0.0 <= level < 1.0:
        raise InvalidInputError("level", level, "a confidence level, 0 to below 1 (0.95 looks at the worst 5%)")
    return level


def check_probability(probability: ArrayLike | None, count: int) -> Floats:
    """Return ``count`` probabilities that sum to 1; equal ones when None is given."""
    if probability is None:
        return np.full(count, 1.0 / count)
    given = np.asarray(probability, dtype=np.float64)
    if given.shape != (count,):
        raise SeriesMismatchError("probability", given.shape, f"shape ({count},), one for each scenario")
    if not ((given >= 0.0) & (given <= 1.0)).all():
        raise InvalidInputError("probability", given.tolist(), "numbers, 0 to 1")
    total = float(given.sum())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise InvalidInputError("probability", total, "numbers that sum to 1")
    return given / total


def tail_weights(cost: Floats, probability: Floats, level: float) -> Floats:
    """Return the weight of each scenario in the CVaR, shape (S,): they sum to 1 and name the worst ``1 - level``."""
    mass = 1.0 - level
    # sorting the dearest few is enough, unless they are improbable
    few = min(cost.size, ceil(2.0 * mass * cost.size) + 1)
    dearest = np.flatnonzero(cost >= np.partition(cost, cost.size - few)[cost.size - few])
    if probability[dearest].sum() < mass:
        dearest = np.arange(cost.size)
    order = dearest[np.argsort(-cost[dearest], kind="stable")]
    before = np.cumsum(probability[order]) - probability[order]
    weight = np.zeros_like(probability)
    weight[order] = np.clip(mass - before, 0.0, probability[order]) / mass
    return weight


def value_at_risk(cost: ArrayLike, level: float, *, probability: ArrayLike | None = None) -> float:
    """Return the smallest cost that is not exceeded with probability ``level`` or more.

    Parameters
    ----------
    cost : float array, shape (S,)
        Cost in each scenario [currency].
    level : float
        Confidence, 0 to below 1.
    probability : float array, shape (S,), or None
        Of each scenario; None: all alike.

    Raises
    ------
    InvalidInputError
        When the costs are not finite, the level or the probabilities outside their range.

    Examples
    --------
    >>> value_at_risk([-3, -1, 0, 1, 2, 2.5, 4, 5, 7, 12], 0.8)
    5.0
    """
    values, weights = _checked(cost, level, probability)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= level - ROUNDING
    reached &= weights[order] > 0.0
    return float(values[order][np.argmax(reached)])


def conditional_value_at_risk(cost: ArrayLike, level: float, *, probability: ArrayLike | None = None) -> float:
    """Return the mean of the worst ``1 - level`` of the probability; parameters as for ``value_at_risk``.

    Level 0 is the mean of all. Source: Rockafellar and Uryasev, J. Banking & Finance 26 (2002) 1443,
    doi:10.1016/S0378-4266(02)00271-6.

    Examples
    --------
    >>> round(conditional_value_at_risk([-3, -1, 0, 1, 2, 2.5, 4, 5, 7, 12], 0.85), 6)
    10.333333
    """
    values, weights = _checked(cost, level, probability)
    return float(tail_weights(values, weights, level) @ values)


def _checked(cost: ArrayLike, level: float, probability: ArrayLike | None) -> tuple[Floats, Floats]:
    """Return costs and probabilities after every check."""
    values = np.asarray(cost, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise SeriesMismatchError("cost", values.shape, "one cost for each of one or more scenarios")
    if not np.isfinite(values).all():
        raise InvalidInputError("cost", values.tolist(), "finite numbers [currency]")
    check_level(level)
    return values, check_probability(probability, values.size)


def normal_value_at_risk(mean: float, deviation: float, level: float) -> float:
    """Return the VaR of a normal cost with this mean and standard deviation (0 or more).

    >>> round(normal_value_at_risk(0.0, 1.0, 0.95), 6)
    1.644854
    """
    return mean + _check_deviation(deviation) * _normal_score(level)


def normal_conditional_value_at_risk(mean: float, deviation: float, level: float) -> float:
    """Return the CVaR of a normal cost with this mean and standard deviation (0 or more).

    >>> round(normal_conditional_value_at_risk(0.0, 1.0, 0.95), 6)
    2.062713
    """
    score = _normal_score(level)
    density = exp(-0.5 * score * score) / sqrt(2.0 * pi)
    return mean + _check_deviation(deviation) * density / (1.0 - level)


def _normal_score(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise InvalidInputError("level", level, "a confidence level between 0 and 1")
    return NormalDist().inv_cdf(level)


def _check_deviation(deviation: float) -> float:
    if not 0.0 <= deviation < float("inf"):
        raise InvalidInputError("deviation", deviation, "a finite standard deviation, 0 or more")
    return deviation
