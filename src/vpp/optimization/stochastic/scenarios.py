"""Scenarios from forecast quantiles, by a Gaussian copula that is correlated over time and across series.

Each series keeps its own quantiles at every step. What ties them together is a normal field: an AR(1) in time, whose
correlation falls to 1/e within the stated decay, times a correlation matrix across the series.
Invariant: the same seed gives the same scenarios; a higher normal score never gives a lower value.
Source: Pinson et al., Wind Energy 12 (2009) 51, doi:10.1002/we.284.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from statistics import NormalDist

import numpy as np

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.messages.measured import Forecast
from vpp.optimization.problem import Floats

SYMMETRY_TOLERANCE = 1e-9
# eigenvalues this far below 0 are rounding
EIGENVALUE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """What is known of one series: its quantiles at every step.

    Between two levels the value runs straight over the normal score, so that a normal series is met exactly from any
    two levels; beyond the outer levels it goes on with the slope of the last piece (a normal tail) up to the bounds.

    Parameters
    ----------
    name : str
        Of the series.
    levels : tuple of float
        The L >= 2 quantile levels, ascending in (0, 1).
    quantiles : float array, shape (L, T)
        Values at the levels, never falling from one level to the next.
    lowest, highest : float
        Bounds of what can be, such as 0 for generation.
    """

    name: str
    levels: tuple[float, ...]
    quantiles: Floats
    lowest: float = -np.inf
    highest: float = np.inf

    def __post_init__(self) -> None:
        """Check levels, shape and order."""
        if len(self.levels) < 2 or not all(0.0 < level < 1.0 for level in self.levels):
            raise InvalidInputError(f"{self.name}.levels", self.levels, "two or more quantile levels in (0, 1)")
        if (np.diff(self.levels) <= 0.0).any():
            raise InvalidInputError(f"{self.name}.levels", self.levels, "strictly ascending levels")
        if self.quantiles.ndim != 2 or self.quantiles.shape[0] != len(self.levels) or not self.quantiles.shape[1]:
            expected = f"shape ({len(self.levels)}, steps), one row for each level"
            raise SeriesMismatchError(f"{self.name}.quantiles", self.quantiles.shape, expected)
        if not np.isfinite(self.quantiles).all():
            raise InvalidInputError(f"{self.name}.quantiles", "NaN or infinite", "finite numbers")
        falls = np.diff(self.quantiles, axis=0) < 0.0
        if falls.any():
            step = int(np.argwhere(falls)[0, 1])
            got = self.quantiles[:, step].tolist()
            raise InvalidInputError(f"{self.name}.quantiles[:, {step}]", got, "values that never fall with the level")
        if not self.lowest <= self.highest:
            raise InvalidInputError(f"{self.name}.lowest", self.lowest, f"at most highest, {self.highest:g}")

    @classmethod
    def from_forecast(cls, forecast: Forecast, *, lowest: float = -np.inf, highest: float = np.inf) -> Marginal:
        """Return the marginal of a forecast that has quantiles."""
        return cls(forecast.key.metric, forecast.levels, forecast.quantiles, lowest, highest)

    @property
    def steps(self) -> int:
        """The number T of steps."""
        return int(self.quantiles.shape[1])

    def at(self, score: Floats) -> Floats:
        """Return values at normal scores, shape (S, T) as ``score``."""
        knots = np.array([NormalDist().inv_cdf(level) for level in self.levels])
        slope = np.diff(self.quantiles, axis=0) / np.diff(knots)[:, None]
        piece = np.clip(np.searchsorted(knots, score, side="right") - 1, 0, len(knots) - 2)
        step = np.arange(self.steps)
        value = self.quantiles[piece, step] + slope[piece, step] * (score - knots[piece])
        bounded: Floats = np.clip(value, self.lowest, self.highest)
        return bounded

    def quantile(self, level: float) -> Floats:
        """Return the value that is not exceeded with probability ``level`` at each step, shape (T,).

        >>> Marginal("wind", (0.1, 0.5), np.array([[1.0], [3.0]])).quantile(0.9).tolist()
        [5.0]
        """
        if not 0.0 < level < 1.0:
            raise InvalidInputError("level", level, "a quantile level between 0 and 1")
        value: Floats = self.at(np.full((1, self.steps), NormalDist().inv_cdf(level)))[0]
        return value


def sample_scenarios(
    marginals: Sequence[Marginal],
    count: int,
    *,
    seed: int,
    duration_h: float,
    decay_h: float = 6.0,
    correlation: Floats | None = None,
) -> Floats:
    """Return scenarios of several series, shape (K, S, T), in the units of the marginals.

    Parameters
    ----------
    marginals : sequence of Marginal
        The K series, over the same T steps.
    count : int
        The number S of scenarios, 1 or more; all alike probable.
    seed : int
        The same seed gives the same scenarios.
    duration_h : float
        Length of a step [h], above 0.
    decay_h : float
        Time in which the correlation of the normal scores falls to 1/e [h], 0 or more; 0: independent steps,
        infinity: one score for the whole horizon.
    correlation : float array, shape (K, K), or None
        Of the normal scores across the series; None: independent series. The rank correlation (Spearman) that
        ``rho`` comes to is ``6 / pi * asin(rho / 2)``.

    Raises
    ------
    InvalidInputError
        When a number is out of its range, or the matrix is no correlation matrix.

    Examples
    --------
    >>> load = Marginal("load", (0.1, 0.5, 0.9), np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]]))
    >>> scenarios = sample_scenarios([load], 2_000, seed=1, duration_h=1.0)
    >>> scenarios.shape, np.quantile(scenarios[0], 0.9, axis=0).round(1).tolist()
    ((1, 2000, 2), [4.0, 5.0])
    """
    if not marginals:
        raise InvalidInputError("marginals", marginals, "at least one series")
    steps = marginals[0].steps
    for one in marginals:
        if one.steps != steps:
            raise SeriesMismatchError(f"{one.name}.quantiles", one.steps, f"{steps} steps, as {marginals[0].name} has")
    score = normal_scores(
        len(marginals),
        count,
        steps,
        seed=seed,
        persistence=_persistence(duration_h, decay_h),
        correlation=correlation,
    )
    return np.stack([one.at(score[index]) for index, one in enumerate(marginals)])


def normal_scores(
    series: int, count: int, steps: int, *, seed: int, persistence: float, correlation: Floats | None = None
) -> Floats:
    """Return standard normal fields, shape (series, count, steps).

    Parameters
    ----------
    series, count, steps : int
        K, S and T, each 1 or more.
    seed : int
        The same seed gives the same field.
    persistence : float
        Correlation from one step to the next, 0 to 1.
    correlation : float array, shape (K, K), or None
        Across the series; None: independent.
    """
    for name, value in (("series", series), ("count", count), ("steps", steps)):
        if value < 1:
            raise InvalidInputError(name, value, "1 or more")
    if not 0.0 <= persistence <= 1.0:
        raise InvalidInputError("persistence", persistence, "a correlation from one step to the next, 0 to 1")
    root = _root(correlation, series)
    noise = np.random.default_rng(seed).standard_normal((steps, series, count))
    score = np.einsum("ij,tjs->its", root, noise)
    fresh = (1.0 - persistence**2) ** 0.5
    for step in range(1, steps):
        score[:, step] = persistence * score[:, step - 1] + fresh * score[:, step]
    return np.ascontiguousarray(score.transpose(0, 2, 1))


def _persistence(duration_h: float, decay_h: float) -> float:
    """Return the correlation from one step to the next."""
    if not (np.isfinite(duration_h) and duration_h > 0.0):
        raise InvalidInputError("duration_h", duration_h, "a positive duration [h]")
    if not decay_h >= 0.0:
        raise InvalidInputError("decay_h", decay_h, "0 or more [h], infinity for no decay")
    return exp(-duration_h / decay_h) if decay_h > 0.0 else 0.0


def _root(correlation: Floats | None, series: int) -> Floats:
    """Return a matrix whose product with its transpose is the correlation; also for singular ones."""
    if correlation is None:
        return np.eye(series)
    if correlation.shape != (series, series):
        raise SeriesMismatchError("correlation", correlation.shape, f"shape {(series, series)}")
    unit = np.isfinite(correlation).all() and np.allclose(np.diag(correlation), 1.0, atol=SYMMETRY_TOLERANCE)
    if not unit or not np.allclose(correlation, correlation.T, atol=SYMMETRY_TOLERANCE):
        raise InvalidInputError("correlation", correlation.tolist(), "a symmetric matrix with ones on its diagonal")
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < -EIGENVALUE_TOLERANCE:
        raise InvalidInputError("correlation", correlation.tolist(), "a positive semidefinite matrix")
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
