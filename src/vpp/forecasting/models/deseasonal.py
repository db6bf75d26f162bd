"""What repeats by time of day and week, and how much of it to believe.

Invariant: a pattern is held in the order of its run, so its next row follows its last one. A pattern that the noise
alone could have made is shrunk to nothing (James and Stein 1961), so a household gets no weekly season from seven
Mondays, and a country keeps its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def believed(pattern_variance: Floats, noise_variance: Floats, cycles: float) -> Floats:
    """Return the share of a pattern that its own noise leaves credible, in [0, 1].

    Parameters
    ----------
    pattern_variance : float array, shape (K,)
        Variance of the pattern as it was found.
    noise_variance : float array, shape (K,)
        Variance of single values around it.
    cycles : float
        How many cycles each of its values is a mean of.

    Examples
    --------
    >>> believed(np.array([4.0, 0.1, 0.0]), np.array([8.0, 8.0, 0.0]), 4.0).tolist()
    [0.5, 0.0, 0.0]
    """
    noise = noise_variance / cycles
    share = np.divide(noise, pattern_variance, out=np.ones_like(noise), where=pattern_variance > 0.0)
    return np.asarray(np.clip(1.0 - share, 0.0, 1.0), dtype=np.float64)


def slow_level(values: Floats, width: int) -> Floats:
    """Return the mean over ``width`` rows around each row, shape (T, K); held at both ends.

    >>> slow_level(np.arange(6.0)[:, None], 2).ravel().tolist()
    [0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
    """
    count = len(values)
    width = min(width, count)
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    first = np.clip(np.arange(count) - width // 2, 0, count - width)
    level: Floats = (total[first + width] - total[first]) / width
    return level


def cycles_of(values: Floats, period: int, most: int) -> Floats:
    """Return the last whole cycles, shape (cycles, period, K), at most ``most``."""
    cycles = min(most, len(values) // period)
    return values[len(values) - cycles * period :].reshape(cycles, period, values.shape[1])


def repeated(pattern: Floats, count: int) -> Floats:
    """Return a pattern whose last row is the last of ``count`` rows, repeated backwards, shape (count, K).

    >>> repeated(np.array([[1.0], [2.0], [3.0]]), 5).ravel().tolist()
    [2.0, 3.0, 1.0, 2.0, 3.0]
    """
    rows: Floats = pattern[(np.arange(count) - count) % len(pattern)]
    return rows


def continued(pattern: Floats, steps: int) -> Floats:
    """Return the rows that follow a pattern when it repeats, shape (steps, K)."""
    rows: Floats = pattern[np.arange(steps) % len(pattern)]
    return rows
