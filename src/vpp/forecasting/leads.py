"""Lead times: how far ahead a step lies, in the few classes by which errors are kept apart.

Invariant: classes ascend with the lead, so the steps of one forecast that share a class are neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.units import SECONDS_PER_HOUR

UPPER_EDGES_H = np.array([1.0, 3.0, 6.0, 12.0, 24.0])
"""A step belongs to the first edge that its end does not pass; later ones form the last class."""
CLASSES = UPPER_EDGES_H.size + 1


def lead_classes(steps: int, resolution_s: int) -> NDArray[np.int64]:
    """Return the class of each step ahead, shape (steps,), 0 to 5.

    >>> lead_classes(4, 3600).tolist()
    [0, 1, 1, 2]
    """
    end_h = np.arange(1, steps + 1) * (resolution_s / SECONDS_PER_HOUR)
    return np.searchsorted(UPPER_EDGES_H, end_h, side="left").astype(np.int64)
