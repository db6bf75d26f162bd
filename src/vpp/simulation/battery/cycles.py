"""Cycles of a recorded state of charge, counted by rainflow (ASTM E1049-85, section 5.4.4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import rainflow
from numpy.typing import ArrayLike

from vpp.core.errors import InvalidInputError


class Cycle(NamedTuple):
    """One cycle, or half of one.

    Parameters
    ----------
    depth : float
        Range of the state of charge, above 0.
    mean : float
        Its middle.
    weight : float
        1.0 for a closed cycle, 0.5 for a half one.
    start, end : int
        Where in the series it began and ended.
    """

    depth: float
    mean: float
    weight: float
    start: int
    end: int


def counted(series: ArrayLike) -> list[Cycle]:
    """Return the cycles of a series, the half cycles of its residue last.

    Parameters
    ----------
    series : array, shape (T,)
        State of charge (or any other quantity) in time order, finite.

    Raises
    ------
    InvalidInputError
        When the series is not one column of finite numbers.

    Examples
    --------
    >>> [(cycle.depth, cycle.weight) for cycle in counted([0.5, 0.9, 0.1, 0.9, 0.5])]
    [(0.4, 0.5), (0.8, 0.5), (0.8, 0.5), (0.4, 0.5)]
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InvalidInputError("series", values.shape, "one column of finite numbers")
    return [Cycle(*row) for row in rainflow.extract_cycles(values.tolist())]


def equivalent_full_cycles(series: ArrayLike) -> float:
    """Return the full equivalent cycles of a series of states of charge: half the way it went."""
    return float(np.abs(np.diff(np.asarray(series, dtype=np.float64))).sum() / 2.0)
