"""Pulses: constant powers between two moments, as the mean power of every step.

Invariant: exact at any resolution: the energy of a pulse inside the grid is its power times its length, whether a
step is a second or an hour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def pulse_power(
    start_h: Floats, end_h: Floats, power_kw: Floats, unit: Integers, *, duration_h: float, shape: tuple[int, int]
) -> Floats:
    """Return the sum of pulses by unit.

    Parameters
    ----------
    start_h, end_h : float array, shape (N,)
        From the grid's start [h], in order; what lies outside the grid is cut off.
    power_kw : float array, shape (N,)
        Of each pulse, 0 or more.
    unit : int array, shape (N,)
        Column that each belongs to.
    duration_h : float
        Length of a step.
    shape : tuple of int
        Steps and units, (T, S).

    Returns
    -------
    float array, shape (T, S)
        Mean power [kW] of every step, 0 or more.

    Examples
    --------
    >>> at = np.array([0.5]), np.array([1.25]), np.array([4.0]), np.array([0])
    >>> pulse_power(*at, duration_h=0.5, shape=(4, 1)).T.tolist()
    [[0.0, 4.0, 2.0, 0.0]]
    """
    steps, units = shape
    changes = np.zeros((steps + 2) * units)
    for moment_h, sign in ((start_h, 1.0), (end_h, -1.0)):
        at = np.clip(moment_h / duration_h, 0.0, float(steps))
        row = at.astype(np.int64)
        late = at - row
        # a power that begins inside a step counts there for the rest of it, and in full from the next step on
        cell = row * units + unit
        changes += np.bincount(cell, weights=sign * power_kw * (1.0 - late), minlength=changes.size)
        changes += np.bincount(cell + units, weights=sign * power_kw * late, minlength=changes.size)
    total = np.cumsum(changes.reshape(steps + 2, units)[:steps], axis=0)
    return np.maximum(total, 0.0, out=total)
