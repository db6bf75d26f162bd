"""Random numbers of many homes, cars or machines: each from its own named stream, whatever chunk it is drawn in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws of S units.

    Parameters
    ----------
    traits : float array, shape (S, traits)
        Standard normal; what makes a unit itself.
    habits : float array, shape (S, habits)
        Uniform in [0, 1); the same every day.
    days : float32 array, shape (D, S, per_day)
        Uniform in [0, 1); day d is the same however many days follow.
    """

    traits: Floats
    habits: Floats
    days: NDArray[np.float32]


def numbers(name: str, units: int | ArrayLike) -> Integers:
    """Return the numbers of units in their fleet, shape (S,); a count stands for the first ones.

    Raises
    ------
    InvalidInputError
        When they are not whole numbers of 0 or more.
    """
    given = np.arange(units) if isinstance(units, int) else np.asarray(units)
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer) or (given < 0).any():
        raise InvalidInputError(name, units, "a count, or one column of whole numbers of 0 or more")
    return given.astype(np.int64)


def drawn(seed: int, name: str, units: Integers, *, traits: int, habits: int = 0, days: int, per_day: int) -> Draws:
    """Return the draws of one process for each unit."""
    own = np.empty((units.size, traits))
    fixed = np.empty((units.size, habits))
    daily = np.empty((units.size, days, per_day), dtype=np.float32)
    for row, unit in enumerate(units.tolist()):
        source = generator(seed, name, unit)
        source.standard_normal(out=own[row])
        source.random(out=fixed[row])
        source.random(dtype=np.float32, out=daily[row])
    return Draws(own, fixed, daily.transpose(1, 0, 2))
