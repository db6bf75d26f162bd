"""Exponential smoothing of many series at once, its constants chosen by how the last weeks would have been forecast.

Invariant: constants are judged over every lead of a day and a bit at once. One step ahead, an hourly series is best
followed closely; held for thirty hours, the same level carries one cloudy hour through the whole next day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from vpp.core.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]
HORIZON_H = 30
"""From the evening's decision to the end of the next day."""
LEVEL_HALF_LIVES_H = (6.0, 12.0, 36.0, 72.0, 144.0)
DEVIATION_HALF_LIVES_H = (0.0, 1.5, 3.0, 6.0, 12.0, 36.0)
SCALE_HALF_LIVES_H = (12.0, 24.0, 72.0)
SCALE_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
ORIGIN_STRIDE = 11
"""Coprime to the hours of a day and of a week, so that every time of them is an origin."""
BLOCK_VALUES = 250_000
BURN_IN_H = 72


@dataclass(frozen=True, slots=True)
class Constants:
    """Smoothing constants of K series.

    Parameters
    ----------
    half_life_h : float array, shape (K,)
        Age at which a value counts half in the level or the scale [h].
    share : float array, shape (K,)
        How much of the present deviation is carried on: by half-life [h] for a level, as a factor for a scale.
    """

    half_life_h: Floats
    share: Floats


def choose_level(values: Floats, *, step_s: int) -> Constants:
    """Return the constants of ``continue_level`` with the least absolute error over all leads within the values.

    Parameters
    ----------
    values : float array, shape (T, K)
        Finite and without a season.
    step_s : int
        Length of a step [s].
    """
    horizon, origin, at = _origins(len(values), step_s)
    chosen = _Best.of(values.shape[1], LEVEL_HALF_LIVES_H[2], DEVIATION_HALF_LIVES_H[2])
    for block in _blocks(values.shape[1], at.size):
        mine = values[:, block]
        later = mine[at]
        for life in LEVEL_HALF_LIVES_H:
            level = _smoothed(mine, life, step_s)[origin]
            deviation = mine[origin] - level
            off = later - level[:, None]
            for share in DEVIATION_HALF_LIVES_H:
                left = _powers(share, horizon, step_s)[:, None]
                error = np.abs(off - left * deviation[:, None] if share else off).sum(axis=(0, 1))
                chosen.improve(block, error, life, share)
    return chosen.constants


def continue_level(values: Floats, constants: Constants, steps: int, *, step_s: int) -> Floats:
    """Return the level with its fading deviation, shape (steps, K).

    >>> constants = Constants(np.array([6.0]), np.array([0.0]))
    >>> continue_level(np.full((48, 1), 2.0), constants, 2, step_s=3600).ravel().tolist()
    [2.0, 2.0]
    """
    level = np.empty(values.shape[1])
    for life in np.unique(constants.half_life_h):
        mine = constants.half_life_h == life
        level[mine] = _smoothed(values[:, mine], float(life), step_s)[-1]
    fading = np.zeros((steps, values.shape[1]))
    for life in np.unique(constants.share):
        fading[:, constants.share == life] = _powers(float(life), steps, step_s)[:, None]
    said: Floats = level + fading * (values[-1] - level)
    return said


def choose_scale(values: Floats, shape: Floats, *, step_s: int) -> Constants:
    """Return the constants of ``continue_scale`` with the least absolute error over all leads within the values.

    ``values`` and ``shape``, what is usual at each step, have shape (T, K); shapes are at or above 0.
    """
    _, origin, at = _origins(len(values), step_s)
    chosen = _Best.of(values.shape[1], SCALE_HALF_LIVES_H[1], SCALE_SHARES[2])
    for block in _blocks(values.shape[1], at.size):
        mine, usual = values[:, block], shape[:, block]
        later, coming = mine[at], usual[at]
        for life in SCALE_HALF_LIVES_H:
            ratio = _ratio(mine, usual, life, step_s)[origin]
            for share in SCALE_SHARES:
                factor = 1.0 + share * (ratio - 1.0)
                chosen.improve(block, np.abs(later - coming * factor[:, None]).sum(axis=(0, 1)), life, share)
    return chosen.constants


def continue_scale(values: Floats, shape: Floats, constants: Constants, *, step_s: int) -> Floats:
    """Return the factor on what is usual that the last values speak for, shape (K,)."""
    ratio = np.empty(values.shape[1])
    for life in np.unique(constants.half_life_h):
        mine = constants.half_life_h == life
        ratio[mine] = _ratio(values[:, mine], shape[:, mine], float(life), step_s)[-1]
    factor: Floats = 1.0 + constants.share * (ratio - 1.0)
    return factor


@dataclass(frozen=True, slots=True)
class _Best:
    """The best constants seen so far, of K series."""

    constants: Constants
    error: Floats

    @classmethod
    def of(cls, count: int, half_life_h: float, share: float) -> _Best:
        return cls(Constants(np.full(count, half_life_h), np.full(count, share)), np.full(count, np.inf))

    def improve(self, block: slice, error: Floats, half_life_h: float, share: float) -> None:
        """Take constants where their error is lower; the earlier ones win a draw."""
        better = error < self.error[block]
        self.error[block][better] = error[better]
        self.constants.half_life_h[block][better] = half_life_h
        self.constants.share[block][better] = share


def _blocks(columns: int, rows: int) -> list[slice]:
    """Return blocks of columns that keep to a few megabytes; none where there is nothing to judge by."""
    if not rows:
        return []
    width = max(1, BLOCK_VALUES // rows)
    return [slice(begin, begin + width) for begin in range(0, columns, width)]


def _origins(count: int, step_s: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Return the horizon [steps], the rows after which to forecast, and the rows forecast from each."""
    horizon = max(1, HORIZON_H * SECONDS_PER_HOUR // step_s)
    burn_in = min(max(1, BURN_IN_H * SECONDS_PER_HOUR // step_s), count // 3)
    origin = np.arange(burn_in, count - horizon, ORIGIN_STRIDE)
    return horizon, origin, origin[:, None] + np.arange(1, horizon + 1)


def _powers(half_life_h: float, steps: int, step_s: int) -> Floats:
    """Return what is left of 1 after 1, 2, ... steps, shape (steps,)."""
    if half_life_h == 0.0:
        return np.zeros(steps)
    left: Floats = 0.5 ** (np.arange(1, steps + 1) * step_s / (SECONDS_PER_HOUR * half_life_h))
    return left


def _smoothed(values: Floats, half_life_h: float, step_s: int) -> Floats:
    """Return the exponentially smoothed level after each row, shape (T, K), begun at the mean of the first week."""
    kept = 0.5 ** (step_s / (SECONDS_PER_HOUR * half_life_h))
    begin = values[: 7 * 24 * SECONDS_PER_HOUR // step_s].mean(axis=0)
    level, _ = lfilter([1.0 - kept], [1.0, -kept], values, axis=0, zi=kept * begin[None])
    return np.asarray(level, dtype=np.float64)


def _ratio(values: Floats, shape: Floats, half_life_h: float, step_s: int) -> Floats:
    """Return faded values over faded shapes, shape (T, K); 1 where nothing was to be expected."""
    kept = 0.5 ** (step_s / (SECONDS_PER_HOUR * half_life_h))
    above, below = (lfilter([1.0 - kept], [1.0, -kept], each, axis=0) for each in (values, shape))
    floor = 1e-3 * shape.max(axis=0)
    ratio: Floats = np.divide(above, below, out=np.ones_like(values), where=below > floor)
    return ratio
