"""Fewer scenarios that stand for many: fast forward selection, with the probabilities of what was left out.

Source: Heitsch and Roemisch, Computational Optimization and Applications 24 (2003) 187, doi:10.1023/A:1021805924152.
Invariant: a scenario that is left out gives its probability to the nearest that was kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.optimization.problem import Floats
from vpp.optimization.stochastic.measures import check_probability

# all distances are held at once: 200 MB
MOST_SCENARIOS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """Which scenarios stand for all.

    Parameters
    ----------
    chosen : int array, shape (K,)
        Indices of those kept, in the order of their choice.
    probability : float array, shape (K,)
        Of those kept, including what they stand for.
    distance : float array, shape (K,)
        Kantorovich distance to the full set after each choice, in the unit of the points.
    stands_for : int array, shape (S,)
        For each of the full set the position in ``chosen`` of the one that stands for it.
    """

    chosen: NDArray[np.intp]
    probability: Floats
    distance: Floats
    stands_for: NDArray[np.intp]


def fast_forward_selection(points: ArrayLike, keep: int, *, probability: ArrayLike | None = None) -> Reduction:
    """Choose, one by one, the scenario that brings the reduced set nearest to the full one.

    A heuristic: each choice is the best given those before; the set need not be the best of its size.

    Parameters
    ----------
    points : float array, shape (S,) or (S, ...)
        The scenarios, at most 5,000; distances are Euclidean over all but the first axis, so bring series to one scale.
    keep : int
        The number K to keep, 1 to S.
    probability : float array, shape (S,), or None
        Of each; None: all alike.

    Raises
    ------
    InvalidInputError
        When a point is not finite, or there are too many, or ``keep`` is out of its range.

    Examples
    --------
    >>> picked = fast_forward_selection([1, 2, 3, 10, 12.5, 20], 3, probability=[0.1, 0.2, 0.2, 0.25, 0.15, 0.1])
    >>> picked.chosen.tolist(), picked.probability.round(6).tolist(), picked.distance.round(6).tolist()
    ([2, 3, 5], [0.5, 0.4, 0.1], [5.275, 1.775, 0.775])
    """
    values = np.asarray(points, dtype=np.float64)
    count = values.shape[0] if values.ndim else 0
    if not 1 <= count <= MOST_SCENARIOS or not values.size:
        raise SeriesMismatchError("points", values.shape, f"1 to {MOST_SCENARIOS} scenarios along the first axis")
    if not np.isfinite(values).all():
        raise InvalidInputError("points", "NaN or infinite", "finite numbers")
    if not 1 <= keep <= count:
        raise InvalidInputError("keep", keep, f"1 to {count} scenarios")
    weights = check_probability(probability, count)
    distance = distances(values.reshape(count, -1))
    chosen: list[int] = []
    reached, cost = np.empty(keep), np.full(count, np.inf)
    # what the full set would be away from each candidate, given those chosen
    nearest = distance.copy()
    for turn in range(keep):
        candidate = weights @ nearest
        candidate[chosen] = np.inf
        best = int(np.argmin(candidate))
        chosen.append(best)
        reached[turn] = candidate[best]
        cost = np.minimum(cost, distance[:, best])
        np.minimum(nearest, cost[:, None], out=nearest)
    order = np.array(chosen, dtype=np.intp)
    stands_for: NDArray[np.intp] = np.argmin(distance[:, order], axis=1)
    # twins are at no distance from each other: whoever was kept stands for itself
    stands_for[order] = np.arange(keep)
    carried: Floats = np.bincount(stands_for, weights, keep).astype(np.float64)
    return Reduction(order, carried, reached, stands_for)


def distances(points: Floats) -> Floats:
    """Return the Euclidean distance of every pair of rows, shape (S, S)."""
    if points.shape[1] == 1:
        return np.abs(points - points.T)
    square = np.einsum("ij,ij->i", points, points)
    gram = square[:, None] + square - 2.0 * (points @ points.T)
    np.fill_diagonal(gram, 0.0)
    away: Floats = np.sqrt(np.maximum(gram, 0.0))
    return away
