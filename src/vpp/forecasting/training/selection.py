"""Selection: losses of models by a proper score, and who serves.

Invariant: a band at an origin rests on errors whose actuals were known then. Every model gets bands of the same make,
so that only what it said makes the difference. The incumbent stays unless a challenger beats it beyond noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from vpp.core.errors import InvalidInputError
from vpp.core.units import SECONDS_PER_HOUR
from vpp.forecasting.bands import ranked
from vpp.forecasting.evaluation.comparison import diebold_mariano
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.training.evidence import Group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
HOURS_PER_CELL = 3
"""Errors are kept apart by so many local hours: a week of daily issues then fills every cell."""
CELLS = 24 // HOURS_PER_CELL
DECILES = tuple(round(0.1 * i, 1) for i in range(1, 10))
MEDIAN_LEVEL = 0.5


@dataclass(frozen=True, slots=True)
class Losses:
    """What a model's forecasts were worth at each origin.

    Parameters
    ----------
    pinball, mae, coverage_80 : float arrays, shape (O, K)
        Means over the hours of an origin: pinball loss of the deciles, absolute error, share of hours inside the
        central 80 %. NaN where the model was silent, nothing was measured, or (but for ``mae``) no band was possible.
    """

    pinball: Floats
    mae: Floats
    coverage_80: Floats


@dataclass(frozen=True, slots=True)
class Decision:
    """Who serves a series.

    Parameters
    ----------
    model : str
        The champion.
    reason : str
        Why, in words with the figures.
    p_value : float or None
        Probability of so large a difference by luck, corrected for the number of challengers; None without a test.
    """

    model: str
    reason: str
    p_value: float | None = None


def hour_cells(group: Group) -> Integers:
    """Return the cell of each hour forecast, shape (O, H)."""
    grid, clock = group.history.grid, group.clock
    step_s = max(SECONDS_PER_HOUR, grid.resolution_s)
    ahead_s = step_s * np.arange(group.steps * grid.resolution_s // step_s, dtype=np.int64)
    starts_s = grid.start_s + grid.resolution_s * np.array(group.origins, dtype=np.int64)
    return cells_of(clock, starts_s[:, None] + ahead_s[None, :])


def cells_of(clock: LocalClock, times_s: Integers) -> Integers:
    """Return the cell of each time, shape as given."""
    return clock.hour_of_day(times_s).astype(np.int64) // HOURS_PER_CELL


def offsets(residuals: Floats, cells: Integers, levels: tuple[float, ...]) -> Floats:
    """Return what levels add to a point forecast, by conformal quantiles of its errors.

    Parameters
    ----------
    residuals : float array, shape (N, K)
        What happened less what was said; NaN where unknown.
    cells : int array, shape (N,)
        Cell of each.
    levels : tuple of float
        Levels in (0, 1), ascending.

    Returns
    -------
    float array, shape (levels, CELLS, K)
        Ascending along the levels, each on its own side of 0; NaN where too few errors are known.
    """
    counts = np.bincount(cells, minlength=CELLS)
    order = np.argsort(cells, kind="stable")
    rank = np.arange(cells.size) - np.repeat(np.cumsum(counts) - counts, counts)
    by_cell = np.full((CELLS, max(int(counts.max(initial=0)), 1), residuals.shape[1]), np.nan)
    by_cell[cells[order], rank] = residuals[order]
    found = ranked(by_cell, np.array(levels, dtype=np.float64))
    for i, level in enumerate(levels):
        low, high = (-np.inf, 0.0) if level < MEDIAN_LEVEL else (0.0, np.inf) if level > MEDIAN_LEVEL else (0.0, 0.0)
        np.clip(found[i], low, high, out=found[i])
    return found


def losses(value: Floats, actual: Floats, group: Group) -> Losses:
    """Return the losses of one model.

    Parameters
    ----------
    value, actual : float arrays, shape (O, H, K)
        What it said and what happened, as hourly means.
    group : Group
        Whose origins these are.
    """
    origins, cells = np.array(group.origins), hour_cells(group)
    count, _, columns = value.shape
    residual = actual - value
    known = np.isfinite(actual)
    # A model that is silent where something happened is not compared there: its easy hours alone would flatter it.
    scored = known.any(axis=1) & ~(known & np.isnan(value)).any(axis=1)
    mae = _mean(np.abs(residual), scored)
    pinball, covered = np.full((count, columns), np.nan), np.full((count, columns), np.nan)
    level = np.array(DECILES)[:, None, None]
    for o in range(count):
        past = np.flatnonzero(origins + group.steps <= origins[o])
        if not past.size:
            continue
        add = offsets(residual[past].reshape(-1, columns), cells[past].ravel(), DECILES)[:, cells[o]]
        above = residual[o] - add
        each = np.maximum(level * above, (level - 1.0) * above).mean(axis=0)
        inside = np.where(np.isfinite(above[0] + above[-1]), (above[0] >= 0.0) & (above[-1] <= 0.0), np.nan)
        ready = scored[o] & np.isfinite(add[:, :]).all(axis=(0, 1))
        pinball[o] = _mean(each[None], ready[None])[0]
        covered[o] = _mean(np.asarray(inside, dtype=np.float64)[None], ready[None])[0]
    return Losses(pinball, mae, covered)


def _mean(values: Floats, scored: NDArray[np.bool_]) -> Floats:
    """Return means over the hours, shape (O, K), of (O, H, K); NaN where not scored."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(scored & known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def luck(first: Floats, second: Floats, *, origins: Integers, steps: int) -> float | None:
    """Return the probability that two losses differ as much by luck; None when it cannot be told.

    The larger of Diebold and Mariano's and of a paired t-test's: with three weeks of origins the former's variance may
    come out far too small by chance (8 false promotions in 60 comparisons of twenty equal models, not 1).
    """
    told = diebold_mariano(first, second, origins=origins, steps=steps).p_value
    if told is None:
        return None
    difference = (first - second)[np.isfinite(first) & np.isfinite(second)]
    error = float(difference.std(ddof=1)) / difference.size**0.5
    paired = 2.0 * float(stdtr(difference.size - 1, -abs(float(difference.mean())) / error)) if error > 0.0 else 0.0
    return max(told, paired)


def decide(
    by_model: Mapping[str, Floats],
    incumbent: str,
    *,
    origins: Integers,
    steps: int,
    margin: float = 0.02,
    alpha: float = 0.01,
) -> Decision:
    """Return who serves one series.

    Parameters
    ----------
    by_model : mapping of str to float array, shape (O,)
        Loss of each model at each origin; NaN where not scored.
    incumbent : str
        Who serves now.
    origins : int array, shape (O,)
        Moments of decision [steps].
    steps : int
        Horizon [steps].
    margin : float
        Least share by which a challenger's mean loss must be lower, 0 or more.
    alpha : float
        Most probability of luck, in (0, 1), shared among the challengers (Bonferroni): the best of many is lucky.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(0.0, 0.05, 21)
    >>> loss = {"median": 1.0 + noise, "theta": 0.8 + noise + rng.normal(0.0, 0.02, 21), "mstl": 0.99 + noise}
    >>> decide(loss, "median", origins=np.arange(21) * 24, steps=30).model
    'theta'
    """
    if not 0.0 < alpha < 1.0:
        raise InvalidInputError("alpha", alpha, "a number in (0, 1)")
    held = by_model.get(incumbent)
    if held is None or not np.isfinite(held).any():
        return Decision(incumbent, "nothing to compare yet")
    challengers = {name: loss for name, loss in by_model.items() if name != incumbent}
    better: list[tuple[float, str, float]] = []
    for name, loss in challengers.items():
        both = np.isfinite(held) & np.isfinite(loss)
        # A challenger that skips what the incumbent answered has not been compared.
        if not both.any() or both.sum() < np.isfinite(held).sum():
            continue
        gain = 1.0 - float(loss[both].mean()) / max(float(held[both].mean()), 1e-12)
        p_value = luck(loss, held, origins=origins, steps=steps)
        if p_value is not None and gain > margin:
            better.append((gain, name, min(1.0, p_value * len(challengers))))
    proven = [one for one in better if one[2] < alpha]
    if proven:
        gain, name, p_value = max(proven)
        return Decision(name, f"{gain:.1%} lower loss than {incumbent}, p {p_value:.3f}", p_value)
    if better:
        gain, name, p_value = max(better)
        return Decision(incumbent, f"{name} had a {gain:.1%} lower loss, not beyond noise, p {p_value:.2f}", p_value)
    return Decision(incumbent, f"no challenger of {len(challengers)} had a lower loss by more than {margin:.0%}")
