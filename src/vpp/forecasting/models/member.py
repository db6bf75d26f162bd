"""What a member of the combination can do: the core port, and values already known ahead.

A day-ahead price is published before it holds. A member that is handed it as ``ahead`` may build on it;
it is never asked to forecast it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import Forecaster, SeriesTable

Floats = NDArray[np.float64]


class Member(Forecaster, Protocol):
    """A ``Forecaster`` that also takes what is known ahead."""

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return point forecasts, shape (steps, K); NaN where it cannot answer.

        ``ahead`` has the same shape and holds what was published by the moment of decision, NaN elsewhere.
        """
        ...


def extended(history: Floats, steps: int, ahead: Floats | None) -> Floats:
    """Return the history followed by what is known ahead, shape (T + steps, K)."""
    future = np.full((steps, history.shape[1]), np.nan) if ahead is None else ahead
    return np.concatenate([history, future])
