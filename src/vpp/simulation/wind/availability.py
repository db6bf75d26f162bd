"""Availability: when turbines are out of order, drawn from mean times between failures and to repair.

Invariant: the outages of a turbine depend on the seed and its own name alone, and a longer span only adds to them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]

_DRAWN_AT_ONCE = 64


def availability(
    grid: TimeGrid,
    names: Sequence[str | int],
    *,
    mean_time_between_failures_h: ArrayLike,
    mean_time_to_repair_h: ArrayLike,
    seed: int,
) -> Floats:
    """Return the share of each step in which each turbine is in order.

    Running and repair times are exponential, and the first state is drawn from their long-run shares, so that the
    mean availability is ``between / (between + repair)`` from the first step on.

    Parameters
    ----------
    grid : TimeGrid
        The steps, T of them.
    names : sequence of str or int, length S
        Names of the turbines; each has its own random numbers.
    mean_time_between_failures_h : float or array, shape (S,)
        Mean running time until a failure [h], above 0; infinity for a turbine that never fails.
    mean_time_to_repair_h : float or array, shape (S,)
        Mean length of an outage [h], 0 or more.
    seed : int
        Seed of the simulation.

    Returns
    -------
    float array, shape (T, S)
        0 (out of order) to 1; between them where a failure or a repair falls inside a step.

    Raises
    ------
    InvalidInputError
        When a time is out of its range.
    """
    between = np.broadcast_to(np.asarray(mean_time_between_failures_h, dtype=np.float64), (len(names),))
    repair = np.broadcast_to(np.asarray(mean_time_to_repair_h, dtype=np.float64), (len(names),))
    if not (between > 0.0).all():
        raise InvalidInputError(
            "mean_time_between_failures_h", mean_time_between_failures_h, "above 0 [h], infinity for never"
        )
    if not ((repair >= 0.0) & np.isfinite(repair)).all():
        raise InvalidInputError("mean_time_to_repair_h", mean_time_to_repair_h, "0 or more [h]")
    edges_h = np.asarray(np.arange(grid.count + 1) * grid.duration_h, dtype=np.float64)
    share = np.ones((grid.count, len(names)))
    for column, name in enumerate(names):
        if np.isfinite(between[column]) and repair[column] > 0.0:
            changes_h, up_first = _changes_h(
                generator(seed, "wind-availability", name), between[column], repair[column], float(edges_h[-1])
            )
            share[:, column] = _share_up(edges_h, changes_h, up_first=up_first)
    return share


def _changes_h(rng: np.random.Generator, between_h: float, repair_h: float, until_h: float) -> tuple[Floats, bool]:
    """Return when the state changes, up to after ``until_h``, and whether the turbine begins in order."""
    up_first = bool(rng.random() < between_h / (between_h + repair_h))
    lengths = np.array([between_h, repair_h] if up_first else [repair_h, between_h])
    changes = np.zeros(1)
    while changes[-1] <= until_h:
        # an exponential time has no memory: what is left of the first one is like a whole one
        spans = (rng.standard_exponential((_DRAWN_AT_ONCE, 2)) * lengths).ravel()
        changes = np.append(changes, changes[-1] + np.cumsum(spans))
    return changes[1:], up_first


def _share_up(edges_h: Floats, changes_h: Floats, *, up_first: bool) -> Floats:
    """Return the share of each step in the up state: differences of the time spent up until each edge."""
    knots: Floats = np.append(0.0, changes_h)
    up = (np.arange(changes_h.size) % 2 == 0) == up_first
    spent = np.append(0.0, np.cumsum(np.diff(knots) * up))
    share: Floats = np.diff(np.interp(edges_h, knots, spent)) / np.diff(edges_h)
    return np.clip(share, 0.0, 1.0)
