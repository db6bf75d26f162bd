"""Loess on equal steps, and the seasonal-trend decomposition made of it, over many series at once.

Invariant: for a fixed length everything here is a fixed linear operator, so K series are K columns of one product.
Sources: Cleveland et al. 1990, "STL: a seasonal-trend decomposition procedure based on loess", J. Off. Stat. 6(1);
Bandara, Hyndman and Bergmeir 2021, "MSTL", arXiv:2107.13462. Without the robustness weights.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]
INNER_LOOPS = 2
"""Rounds of season and trend; Cleveland's two suffice without robustness weights."""
JUMPS_PER_WINDOW = 10
"""Loess is evaluated this often per window and interpolated in between, as in Cleveland's own code."""
LEAST_CYCLES = 2


@lru_cache(maxsize=64)
def loess_operator(count: int, window: int, *, degree: int, beyond: int = 0, jump: int = 1) -> Any:
    """Return local regression on ``count`` equal steps as a sparse matrix.

    Parameters
    ----------
    count : int
        Steps given, 1 or more.
    window : int
        Nearest neighbours in each fit, weighted by the tricube of their distance; may exceed ``count``.
    degree : int
        0 for local means, 1 for local lines.
    beyond : int
        Steps evaluated before the first and after the last.
    jump : int
        Every how many steps the fit is evaluated; in between lies a straight line.

    Returns
    -------
    scipy CSR array, shape (count + 2 * beyond, count)
        Each row sums to 1.

    Examples
    --------
    >>> line = np.arange(5.0)
    >>> np.round(loess_operator(5, 3, degree=1, beyond=1) @ line, 9).tolist()
    [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    points = np.arange(-beyond, count + beyond)
    at = np.unique(np.append(points[::jump], points[-1]))
    near = min(window, count)
    first = np.clip(np.clip(at, 0, count - 1) - (near - 1) // 2, 0, count - near)
    neighbours = first[:, None] + np.arange(near)
    distance = np.abs(neighbours - at[:, None])
    reach = distance.max(axis=1) + max(0, (window - count) // 2)
    weight = (1.0 - np.minimum(distance / np.maximum(reach, 1)[:, None], 1.0) ** 3) ** 3
    weight /= weight.sum(axis=1, keepdims=True)
    if degree == 1:
        centre = (weight * neighbours).sum(axis=1, keepdims=True)
        spread = (weight * (neighbours - centre) ** 2).sum(axis=1, keepdims=True)
        tilted = np.sqrt(spread) > 1e-3 * (count - 1)
        slope = np.divide(at[:, None] - centre, spread, out=np.zeros_like(spread), where=tilted)
        weight *= slope * (neighbours - centre) + 1.0
    rows = np.repeat(np.arange(at.size), near)
    fit = sparse.csr_array((weight.ravel(), (rows, neighbours.ravel())), shape=(at.size, count))
    return fit if jump == 1 else sparse.csr_array(_lines_between(at, points) @ fit)


def _lines_between(at: NDArray[np.int64], points: NDArray[np.int64]) -> Any:
    """Return linear interpolation from ascending places to points among them, as a sparse matrix."""
    left = np.clip(np.searchsorted(at, points, side="right") - 1, 0, at.size - 2)
    share = (points - at[left]) / (at[left + 1] - at[left])
    rows = np.arange(points.size)
    return sparse.csr_array(
        (np.concatenate([1.0 - share, share]), (np.tile(rows, 2), np.concatenate([left, left + 1]))),
        shape=(points.size, at.size),
    )


def moving_average(values: Floats, width: int) -> Floats:
    """Return means over runs of ``width`` rows, shape (T - width + 1, K).

    >>> moving_average(np.array([[1.0], [3.0], [5.0]]), 2).ravel().tolist()
    [2.0, 4.0]
    """
    total = np.cumsum(values, axis=0)
    total[width:] -= total[:-width]
    means: Floats = total[width - 1 :] / width
    return means


def stl(
    values: Floats, period: int, *, seasonal: int, inner: int = INNER_LOOPS, jumps: int = JUMPS_PER_WINDOW
) -> tuple[Floats, Floats]:
    """Split series into season, trend and rest.

    Parameters
    ----------
    values : float array, shape (T, K)
        Finite; T is a whole number of periods, 2 or more.
    period : int
        Steps of one cycle, 2 or more.
    seasonal : int
        Window over the cycles of the season's loess of degree 0, odd, 3 or more.
    inner : int
        Rounds.
    jumps : int
        Evaluations per loess window; 0 evaluates at every step.

    Returns
    -------
    season, trend : float array, shape (T, K)

    Raises
    ------
    InvalidInputError
        When T is not a whole number of cycles, or fewer than 2.
    """
    count, columns = values.shape
    cycles = count // period
    if count % period or cycles < LEAST_CYCLES:
        raise InvalidInputError("values", count, f"whole cycles of {period} steps, at least {LEAST_CYCLES}")
    trend_window = _next_odd(1.5 * period / (1.0 - 1.5 / seasonal))
    pass_window = _next_odd(period)
    over_cycles = loess_operator(cycles, seasonal, degree=0, beyond=1)
    low_pass = loess_operator(count, pass_window, degree=1, jump=_jump(pass_window, jumps))
    smooth = loess_operator(count, trend_window, degree=1, jump=_jump(trend_window, jumps))
    trend = np.zeros_like(values)
    season = trend
    for _ in range(inner):
        cycle = (values - trend).reshape(cycles, period * columns)
        cycle = (over_cycles @ cycle).reshape(-1, columns)
        low = moving_average(moving_average(moving_average(cycle, period), period), 3)
        season = cycle[period : period + count] - low_pass @ low
        trend = smooth @ (values - season)
    return season, trend


def mstl(
    values: Floats,
    periods: tuple[int, ...],
    *,
    rounds: int = 2,
    inner: int = INNER_LOOPS,
    jumps: int = JUMPS_PER_WINDOW,
) -> tuple[Floats, ...]:
    """Return one season per period, each of shape (T, K); what is left after all of them is trend and noise.

    ``values``, ``inner`` and ``jumps`` as in ``stl``; periods ascend. Windows over cycles are 11, 15, ... as in MSTL.
    """
    seasons = [np.zeros_like(values) for _ in periods]
    rest = values
    for _ in range(rounds if len(periods) > 1 else 1):
        for i, period in enumerate(periods):
            rest = rest + seasons[i]
            seasons[i], _ = stl(rest, period, seasonal=seasonal_window(i), inner=inner, jumps=jumps)
            rest = rest - seasons[i]
    return tuple(seasons)


def seasonal_window(order: int) -> int:
    """Return MSTL's window over the cycles of the shortest period (0), the next (1), ..."""
    return 11 + 4 * order


def effective_cycles(cycles: int, window: int) -> float:
    """Return how many independent cycles the newest value of a season is a mean of.

    >>> round(effective_cycles(4, 99), 1)
    4.0
    """
    weights = loess_operator(cycles, window, degree=0).toarray()[-1]
    return float(1.0 / (weights**2).sum())


def noise_left(cycles: int, window: int) -> float:
    """Return the share of white noise that a season leaves behind: it has followed the rest of it.

    >>> round(noise_left(4, 99), 3)  # close to a mean of all four
    0.75
    """
    hat = loess_operator(cycles, window, degree=0).toarray()
    return float(1.0 + np.mean((hat**2).sum(axis=1) - 2.0 * np.diag(hat)))


def _next_odd(least: float) -> int:
    """Return the smallest odd number above ``least``, as Cleveland's windows are chosen."""
    above = int(np.floor(least)) + 1
    return above + (above + 1) % 2


def _jump(window: int, jumps: int) -> int:
    return 1 if jumps == 0 else -(-window // jumps)
