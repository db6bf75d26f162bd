"""Uncertainty: conformal quantiles from the residuals of forecasts that were really issued.

Invariant: only residuals of past issues enter, never of the sample a model was fitted on. Residuals are kept apart
by local hour and lead class; where a cell is too thin, all hours of the lead class answer; where those are, all
residuals of the series; where those are, nothing does, and NaN says so. Memory is a ring, bounded for good.

Split conformal quantiles: the level ``q`` lies at rank ``q * (n + 1)`` of ``n`` residuals (Vovk et al. 2005,
https://doi.org/10.1007/b106715).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import SeriesMismatchError
from vpp.forecasting.leads import CLASSES

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
HOURS = 24
LEAST_RESIDUALS = 20
"""The 0.05 level needs 19 residuals to be more than the lowest of them."""
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

    @property
    def is_empty(self) -> bool:
        """True until the first ``add``."""
        return not self._next.any()

    def add(self, issued: Floats, actual: Floats, *, hour: Integers, leads: Integers) -> None:
        """Take in one past issue.

        Parameters
        ----------
        issued, actual : float arrays, shape (steps, K)
            What was forecast and what happened; NaN where either is not known.
        hour : int array, shape (steps,)
            Local hour of each step, 0 to 23.
        leads : int array, shape (steps,)
            Lead class of each step.
        """
        if issued.shape != actual.shape:
            raise SeriesMismatchError("actual", actual.shape, f"the shape of issued, {issued.shape}")
        residual = actual - issued
        told = np.isfinite(residual).any(axis=1)
        cell = cells(hour, leads)[told]
        order = np.argsort(cell, kind="stable")
        ordered = cell[order]
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        rank = np.arange(ordered.size) - np.repeat(first, np.diff(first, append=ordered.size))
        slot = (self._next[ordered] + rank) % self._ring.shape[1]
        self._ring[ordered, slot] = residual[told][order]
        self._next += np.bincount(cell, minlength=HOURS * CLASSES)

    def offsets(self, *, hour: Integers, leads: Integers) -> Floats:
        """Return what to add to a point forecast, shape (levels, steps, K), ascending along the levels.

        NaN for a series with fewer than ``LEAST_RESIDUALS`` residuals.
        """
        wanted, back = np.unique(cells(hour, leads), return_inverse=True)
        own = ranked(self._ring[wanted], self._levels)
        if np.isnan(own).any():
            own = np.where(np.isnan(own), self._of_lead_classes()[:, wanted % CLASSES], own)
        return own[:, back]

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
