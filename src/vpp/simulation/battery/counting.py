"""Rainflow while it happens: turning points of one state of charge go on a stack, closed cycles come off it.

The same cycles as ASTM E1049-85, section 5.4.4, finds in the whole record; only the residue stays open. Plain
arithmetic on arrays: the same source runs as Python and compiled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DEPTH = 64
"""Turning points kept; the residue of a longer record gives its oldest range as half a cycle."""
LEAST_TURN = 1e-3
"""Ways back shorter than this share of the capacity are no turn: measurement noise is not a cycle."""
SOC, RATE, VOLTAGE = range(3)
"""Columns of the stack: the turning point, then mean C-rate and mean voltage of the leg that led to it."""
COLUMNS = 3


def closed(stack: Floats, held: int, out: Floats) -> int:
    """Take the oldest closed cycle off the stack; return how many turning points stay, ``held`` when there is none.

    Parameters
    ----------
    stack : float array, shape (DEPTH, COLUMNS)
        Changed in place.
    held : int
        Turning points on it.
    out : float array, shape (4,)
        Filled with depth, count (0.5 or 1), C-rate and voltage of the cycle.
    """
    if held < 3:
        return held
    last = abs(stack[held - 1, SOC] - stack[held - 2, SOC])
    before = abs(stack[held - 2, SOC] - stack[held - 3, SOC])
    full_stack = held == stack.shape[0]
    if last < before and not full_stack:
        return held
    if held == 3 or last < before:
        out[0], out[1] = abs(stack[1, SOC] - stack[0, SOC]), 0.5
        out[2], out[3] = stack[1, RATE], stack[1, VOLTAGE]
        for row in range(held - 1):
            for column in range(stack.shape[1]):
                stack[row, column] = stack[row + 1, column]
        return held - 1
    out[0], out[1] = before, 1.0
    out[2], out[3] = stack[held - 2, RATE], stack[held - 2, VOLTAGE]
    for column in range(stack.shape[1]):
        stack[held - 3, column] = stack[held - 1, column]
    return held - 2
