"""Uncertainty: conformal quantiles from the residuals of forecasts that were really issued.

Invariant: only residuals of past issues enter, never of the sample a model was fitted on. Residuals are kept apart
by local hour and lead class; where a cell is too thin, all hours of the lead class answer; where those are, all
residuals of the series; where those are, nothing does, and NaN says so. Memory is a ring, bounded for good.

Split conformal quantiles: the level ``q`` lies at rank ``q * (n + 1)`` of ``n`` residuals (Vovk et al. 2005,
https://doi.org/10.1007/b106715). Residuals are kept in units of the difficulty that was expected of each step
(normalized conformal, Papadopoulos et al. 2011, https://doi.org/10.1613/jair.3198), and the bands of a series breathe:
they widen while too many values fall outside and narrow while too few do (after Gibbs and Candes 2021,
https://arxiv.org/abs/2106.00170).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import SeriesMismatchError
from vpp.forecasting.leads import CLASSES

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
HOURS = 24
OUTER_TAIL = 0.1
"""The band watched for its coverage lies between the levels next to 0.1 and 0.9."""
LEAST_RESIDUALS = 20
"""The 0.05 level needs 19 residuals to be more than the lowest of them."""
ADAPTATION = 0.08
"""How strongly one scored issue moves the width: by so much times the share missing from the nominal coverage."""
MARGIN = 0.03
"""Coverage aimed at above the nominal: what a month has taught was 0.03 short in the weeks that followed it."""
NARROWEST, WIDEST = 0.6, 3.0
"""Bounds of the width, so that a week of outage cannot make bands useless for a month."""
RESIDUALS_PER_HOUR = 64
"""Ring length per hourly step: about a month of six-hourly issues in the widest lead class."""


class ResidualBook:
    """Residuals of K series by local hour and lead class.

    Parameters
    ----------
    columns : int
        Number of series, K.
    levels : tuple of float
        Quantile levels, ascending in (0, 1).
    steps_per_hour : int
        Steps that share a local hour, 1 or more.
    """

    def __init__(self, columns: int, levels: tuple[float, ...], *, steps_per_hour: int = 1) -> None:
        self._levels = np.array(levels, dtype=np.float64)
        self._ring = np.full((HOURS * CLASSES, RESIDUALS_PER_HOUR * steps_per_hour, columns), np.nan)
        self._next = np.zeros(HOURS * CLASSES, dtype=np.int64)
        self.width = np.ones(columns)

    @property
    def is_empty(self) -> bool:
        """True until the first ``add``."""
        return not self._next.any()

    def add(
        self,
        issued: Floats,
        actual: Floats,
        *,
        hour: Integers,
        leads: Integers,
        difficulty: Floats | float = 1.0,
    ) -> None:
        """Take in one past issue.

        Parameters
        ----------
        issued, actual : float arrays, shape (steps, K)
            What was forecast and what happened; NaN where either is not known.
        difficulty : float array, shape (steps, K)
            What error was expected relative to other steps, above 0.
        hour : int array, shape (steps,)
            Local hour of each step, 0 to 23.
        leads : int array, shape (steps,)
            Lead class of each step.
        """
        if issued.shape != actual.shape:
            raise SeriesMismatchError("actual", actual.shape, f"the shape of issued, {issued.shape}")
        residual = (actual - issued) / difficulty
        told = np.isfinite(residual).any(axis=1)
        cell = cells(hour, leads)[told]
        order = np.argsort(cell, kind="stable")
        ordered = cell[order]
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        rank = np.arange(ordered.size) - np.repeat(first, np.diff(first, append=ordered.size))
        slot = (self._next[ordered] + rank) % self._ring.shape[1]
        self._ring[ordered, slot] = residual[told][order]
        self._next += np.bincount(cell, minlength=HOURS * CLASSES)

    def adapt(self, quantiles: Floats, actual: Floats) -> None:
        """Widen or narrow by how many values of one past issue its own central band held.

        Parameters
        ----------
        quantiles : float array, shape (levels, steps, K)
            The bands that were issued; NaN where there were none.
        actual : float array, shape (steps, K)
            What happened; NaN where not known. Steps whose band had no width, such as a roof's night, tell nothing.
        """
        inner = [i for i, level in enumerate(self._levels) if OUTER_TAIL <= level <= 1.0 - OUTER_TAIL]
        if len(inner) <= 1:
            return
        low, high = quantiles[inner[0]], quantiles[inner[-1]]
        told = np.isfinite(actual) & (high > low)
        count = told.sum(axis=0)
        inside = (told & (actual >= low) & (actual <= high)).sum(axis=0)
        share = np.divide(inside, count, out=np.full(count.shape, np.nan), where=count > 0)
        wanted = self._levels[inner[-1]] - self._levels[inner[0]] + MARGIN
        moved = self.width * np.exp(ADAPTATION * (wanted - np.where(count > 0, share, wanted)))
        self.width = np.clip(moved, NARROWEST, WIDEST)

    def offsets(self, *, hour: Integers, leads: Integers) -> Floats:
        """Return what to add per difficulty to a point forecast, shape (levels, steps, K), ascending along the levels.

        NaN for a series with fewer than ``LEAST_RESIDUALS`` residuals.
        """
        wanted, back = np.unique(cells(hour, leads), return_inverse=True)
        own = ranked(self._ring[wanted], self._levels)
        if np.isnan(own).any():
            own = np.where(np.isnan(own), self._of_lead_classes()[:, wanted % CLASSES], own)
        widened: Floats = own[:, back] * self.width
        return widened

    def _of_lead_classes(self) -> Floats:
        """Return offsets of all hours of each lead class, else of all residuals, shape (levels, CLASSES, K)."""
        columns = self._ring.shape[2]
        by_class = self._ring.reshape(HOURS, CLASSES, -1, columns).transpose(1, 0, 2, 3)
        of_class = ranked(by_class.reshape(CLASSES, -1, columns), self._levels)
        if not np.isnan(of_class).any():
            return of_class
        of_all = ranked(self._ring.reshape(1, -1, columns), self._levels)
        return np.where(np.isnan(of_class), of_all, of_class)


def cells(hour: Integers, leads: Integers) -> Integers:
    """Return the cell of each step: hours apart, lead classes within."""
    return hour * CLASSES + leads


def ranked(residuals: Floats, levels: Floats) -> Floats:
    """Return conformal quantiles of residuals along axis 1.

    Parameters
    ----------
    residuals : float array, shape (U, N, K)
        NaN where the ring is not filled.
    levels : float array, shape (Q,)
        Levels in (0, 1).

    Returns
    -------
    float array, shape (Q, U, K)
        NaN where fewer than ``LEAST_RESIDUALS`` are known.
    """
    ordered = np.sort(residuals, axis=1)  # NaN last
    count = np.isfinite(ordered).sum(axis=1)
    rank = np.clip(levels[:, None, None] * (count + 1) - 1.0, 0.0, np.maximum(count - 1, 0))
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    take = ordered.transpose(1, 0, 2)
    below, above = np.take_along_axis(take, low, axis=0), np.take_along_axis(take, high, axis=0)
    quantiles: Floats = below + (rank - low) * (above - below)
    return np.where(count >= LEAST_RESIDUALS, quantiles, np.nan)
