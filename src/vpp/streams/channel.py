"""Channel: one series of power as the quality rules see it: magnitudes, its asset, and the sun above it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Asset, Battery, Plant
from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY
from vpp.streams.scale import bound_kw, is_generator, rated_kw
from vpp.streams.sun import Place, Sky

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SHORTEST_SHAPE_DAYS = 7
"""A day's shape is judged over a week at least: it holds days off and days of clouds."""
WINDOW_DAYS = 28
"""Shapes are judged four weeks at a time, so that a fault that begins later is found and its share told."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A series of power.

    Parameters
    ----------
    asset : Asset
        Whose power it is.
    power_kw : float array, shape (T,)
        As files give it: consumption and generation positive; a battery's discharge positive; NaN for missing.
    resolution_s : int
        Step length [s].
    rating_kw, bound_kw : float
        Stated rating, and what the power cannot exceed when that is missing [kW]; infinite when unknown.
    scale_kw : float
        What the channel reaches itself: 99.9th percentile of its magnitude [kW], so that no single value sets it.
    sky : Sky or None
        The sun over the steps; None when the place is unknown.
    place : Place or None
        Where the plant stands.
    """

    asset: Asset
    power_kw: Floats
    resolution_s: int
    rating_kw: float
    bound_kw: float
    scale_kw: float
    sky: Sky | None
    place: Place | None

    @property
    def nothing(self) -> Flags:
        """An answer that flags nothing."""
        return np.zeros(self.power_kw.shape, dtype=bool)

    @property
    def span_days(self) -> float:
        """Length of the series [days]."""
        return self.power_kw.size * self.resolution_s / SECONDS_PER_DAY

    def windows(self) -> list[slice]:
        """Return equal windows of about ``WINDOW_DAYS``; a shorter series is one."""
        count = max(1, round(self.span_days / WINDOW_DAYS))
        edges = np.linspace(0, self.power_kw.size, count + 1).astype(int).tolist()
        return [slice(start, stop) for start, stop in pairwise(edges)]


def channel_of(table: SeriesTable, index: int, plant: Plant, sky: Sky | None, place: Place | None) -> Channel:
    """Return a table's column as a channel."""
    asset = plant.asset(table.keys[index].source)
    values = table.value[:, index]
    power_kw = values if isinstance(asset, Battery) or is_generator(asset) else 0.0 - values
    known = np.abs(power_kw[np.isfinite(power_kw)])
    scale_kw = float(np.quantile(known, 0.999)) if known.size else 0.0
    rating_kw, bound = rated_kw(asset), bound_kw(plant, asset)
    return Channel(asset, power_kw, table.grid.resolution_s, rating_kw, bound, scale_kw, sky, place)
