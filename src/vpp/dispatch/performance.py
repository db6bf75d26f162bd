"""Performance: how well a resource followed a regulation signal, scored as PJM does.

The hour is cut into blocks. In each, correlation is the best Pearson correlation over shifts of the response by up to
one block, delay is one minus the share of the block by which that shift is late, and precision is one minus the mean
deviation over the mean signal. The score is the mean of the three, each averaged over the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
# a spread this small beside the values is the rounding of a constant
_CONSTANT = 1e-12


class Precision(StrEnum):
    """What the mean deviation of a block is divided by."""

    BLOCK = "block"
    """The mean absolute signal of that block, as in GMLC-1.4.2's code."""
    HOUR = "hour"
    """The mean absolute signal of the hour."""


@dataclass(frozen=True, slots=True, eq=False)
class PerformanceScore:
    """Scores of one hour, 0 to 1.

    Parameters
    ----------
    performance : float
        Mean of the three below; NaN where one of them is.
    delay, correlation, precision : float
        Means over the blocks. Blocks in which the signal did not move have no correlation and no delay, blocks in
        which the divisor is zero have no precision; they are left out, and NaN says that none remained.
    block_delay, block_correlation, block_precision : float arrays, one entry per block
        The scores of the blocks; NaN where left out.
    """

    performance: float
    delay: float
    correlation: float
    precision: float
    block_delay: Floats
    block_correlation: Floats
    block_precision: Floats


def performance_score(
    signal: ArrayLike,
    response: ArrayLike,
    *,
    precision: Precision | str = Precision.BLOCK,
    samples_per_block: int = 30,
    blocks: int = 12,
) -> PerformanceScore:
    """Score a response to a regulation signal.

    Parameters
    ----------
    signal, response : float arrays, shape (blocks + 1) * samples_per_block or longer
        What was asked for and what was delivered, both per unit of the capacity, evenly sampled (PJM: every 10 s, so
        65 minutes for an hour: the last block's response may come a block late).
    precision : Precision
        What deviations are measured against.
    samples_per_block, blocks : int
        Length of a block, 2 or more, and their number, 1 or more (PJM: 30 samples of 10 s, 12 blocks).

    Returns
    -------
    PerformanceScore
        The scores. A response that does not move, or never along with the signal, scores 0 in correlation and delay;
        a deviation greater than the signal scores 0 in precision.

    Raises
    ------
    SeriesMismatchError, InvalidInputError
        When the series are too short, differ in length or hold NaN.

    Examples
    --------
    >>> import numpy as np
    >>> signal = np.sin(np.arange(390) / 20.0)
    >>> round(performance_score(signal, 0.8 * signal).performance, 6)
    0.933333

    Sources
    -------
    PJM Manual 12 (the design before 2025) as coded in GMLC-1.4.2 battery_interface, ``reg_service.perf_score``.
    """
    measure = Precision(precision)
    asked, given = np.asarray(signal, dtype=np.float64), np.asarray(response, dtype=np.float64)
    _check(asked, given, samples_per_block=samples_per_block, blocks=blocks)
    count = samples_per_block * blocks
    blocked = asked[:count].reshape(blocks, samples_per_block)
    correlation, delay = _follow(blocked, given)
    deviation = np.abs(given[:count].reshape(blocked.shape) - blocked).mean(axis=1)
    size = np.abs(blocked).mean(axis=1)
    if measure is Precision.HOUR:
        size = np.full(blocks, size.mean())
    exact = np.full(blocks, np.nan)
    np.divide(deviation, size, out=exact, where=size > 0.0)
    exact = np.maximum(1.0 - exact, 0.0)
    means = _mean(delay), _mean(correlation), _mean(exact)
    return PerformanceScore(sum(means) / 3.0, *means, delay, correlation, exact)


def mileage(signal: ArrayLike) -> float:
    """Return the distance a signal asks to be travelled, the sum of its absolute changes [per unit].

    >>> mileage([0.0, 0.5, -0.5])
    1.5
    """
    return float(np.abs(np.diff(np.asarray(signal, dtype=np.float64))).sum())


def _check(signal: Floats, response: Floats, *, samples_per_block: int, blocks: int) -> None:
    if samples_per_block < 2 or blocks < 1:
        raise InvalidInputError("samples_per_block", samples_per_block, "2 or more, and at least one block")
    needed = samples_per_block * (blocks + 1)
    if signal.ndim != 1 or signal.size < needed:
        raise SeriesMismatchError("signal", signal.shape, f"one series of {needed} samples or more")
    if response.shape != signal.shape:
        raise SeriesMismatchError("response", response.shape, f"shape {signal.shape}, as the signal")
    for name, values in (("signal", signal), ("response", response)):
        if not np.isfinite(values).all():
            where = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InvalidInputError(f"{name}[{where}]", float(values[where]), "a finite number")


def _follow(signal: Floats, response: Floats) -> tuple[Floats, Floats]:
    """Return correlation and delay score of each block, shape (blocks,); NaN where the signal is constant."""
    blocks, samples = signal.shape
    every_shift = np.lib.stride_tricks.sliding_window_view(response, samples)
    windows = np.stack([every_shift[k * samples : (k + 1) * samples + 1] for k in range(blocks)])
    asked = signal - signal.mean(axis=1, keepdims=True)
    given = windows - windows.mean(axis=2, keepdims=True)
    asked_size = np.sqrt((asked**2).sum(axis=1))
    given_size = np.sqrt((given**2).sum(axis=2))
    moved = asked_size > _CONSTANT * np.abs(signal).max(axis=1)
    moves = given_size > _CONSTANT * np.abs(windows).max(axis=2)
    size = asked_size[:, None] * given_size
    pearson = np.zeros_like(size)
    np.divide(np.einsum("bs,bks->bk", asked, given), size, out=pearson, where=moves & moved[:, None])
    best = pearson.argmax(axis=1)
    correlation = np.maximum(pearson[np.arange(blocks), best], 0.0)
    delay = np.where(correlation > 0.0, 1.0 - best / samples, 0.0)
    return np.where(moved, np.minimum(correlation, 1.0), np.nan), np.where(moved, delay, np.nan)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
