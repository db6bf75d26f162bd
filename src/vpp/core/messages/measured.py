"""What was measured and what is predicted: readings and forecasts.

Three times stand on every value: when it holds, when it was issued, when it arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid, epoch_s, from_epoch_s

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]

POWER_KW = "power_kw"
POWER_FORECAST_KW = "power_forecast_kw"
"""A forecast that a user brings, in the sign of ``power_kw``."""
SOC = "soc"
PRICE_PER_KWH = "price_per_kwh"
EXPORT_PRICE_PER_KWH = "export_price_per_kwh"
CARBON_KG_PER_KWH = "carbon_kg_per_kwh"
MARKET = "market"
"""Source of prices and carbon intensity; every other source is an asset or a site."""


class Quality(IntFlag):
    """What is known against a value; 0 is good. Flags add up."""

    GOOD = 0
    REPAIRED = 1
    OUT_OF_RANGE = 2
    UNIT_SUSPECT = 4
    FLAT = 8
    WRONG_SHAPE = 16
    LATE = 32


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Names one series of a plant: who measured what.

    Parameters
    ----------
    source : str
        Asset id, site id, or ``market``.
    metric : str
        Quantity with its unit, e.g. ``power_kw`` (positive toward the grid), ``soc``, ``price_per_kwh``.
    """

    source: str
    metric: str

    def __str__(self) -> str:
        """Return ``source/metric``."""
        return f"{self.source}/{self.metric}"


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value; ``value`` holds over the step that starts at ``time``."""

    plant: str
    key: SeriesKey
    time: datetime
    value: float
    issued_at: datetime
    arrived_at: datetime
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class Readings:
    """Many readings of one plant as columns.

    Parameters
    ----------
    plant : str
        Plant id.
    keys : tuple of SeriesKey
        The series that occur.
    series : int array, shape (n,)
        Index into ``keys`` of each value.
    time_s, issued_s, arrived_s : int arrays, shape (n,)
        When it holds, was issued, arrived [epoch s].
    value : float array, shape (n,)
        Values in the metric's unit; finite.
    quality : int array, shape (n,)
        ``Quality`` flags.
    """

    plant: str
    keys: tuple[SeriesKey, ...]
    series: NDArray[np.int64]
    time_s: Seconds
    issued_s: Seconds
    arrived_s: Seconds
    value: Floats
    quality: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse ragged columns, unknown series and values that are not finite."""
        size = self.value.shape
        for name in ("series", "time_s", "issued_s", "arrived_s", "quality"):
            if getattr(self, name).shape != size:
                raise SeriesMismatchError(name, getattr(self, name).shape, f"the shape of value, {size}")
        if self.value.size and not np.isfinite(self.value).all():
            raise InvalidInputError("value", "a NaN or infinite reading", "finite values; leave missing ones out")
        if self.series.size and not 0 <= int(self.series.min()) <= int(self.series.max()) < len(self.keys):
            raise InvalidInputError("series", int(self.series.max()), f"indices into {len(self.keys)} keys")

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> Readings:
        """Return the columns of single readings, which must share a plant; times are cut to whole seconds."""
        rows = list(readings)
        plants = {row.plant for row in rows}
        if len(plants) != 1:
            raise InvalidInputError("plant", sorted(plants), "readings of exactly one plant")
        keys = {key: i for i, key in enumerate(dict.fromkeys(row.key for row in rows))}
        return cls(
            plants.pop(),
            tuple(keys),
            np.array([keys[row.key] for row in rows], dtype=np.int64),
            np.array([epoch_s(row.time) for row in rows], dtype=np.int64),
            np.array([epoch_s(row.issued_at) for row in rows], dtype=np.int64),
            np.array([epoch_s(row.arrived_at) for row in rows], dtype=np.int64),
            np.array([row.value for row in rows], dtype=np.float64),
            np.array([int(row.quality) for row in rows], dtype=np.int64),
        )

    @classmethod
    def from_table(
        cls, plant: str, keys: tuple[SeriesKey, ...], times_s: Seconds, values: Floats, *, arrived_s: Seconds | int
    ) -> Readings:
        """Return the columns of a table, leaving NaN out.

        Parameters
        ----------
        times_s : int array, shape (t,)
            Step starts of the rows.
        values : float array, shape (t, len(keys))
            One column per key.
        arrived_s : int or int array, shape (t,)
            Arrival of each row; also taken as the time of issue.

        Raises
        ------
        SeriesMismatchError
            When the table has other rows than times or other columns than keys.
        """
        if values.shape != (times_s.size, len(keys)):
            raise SeriesMismatchError("values", values.shape, f"({times_s.size}, {len(keys)})")
        row, column = np.nonzero(np.isfinite(values))
        arrived = np.broadcast_to(np.asarray(arrived_s, dtype=np.int64), times_s.shape)[row]
        return cls(
            plant,
            keys,
            column.astype(np.int64),
            np.asarray(times_s, dtype=np.int64)[row],
            arrived,
            arrived,
            np.asarray(values[row, column], dtype=np.float64),
            np.zeros(row.size, dtype=np.int64),
        )

    def __len__(self) -> int:
        """Return the number of values."""
        return int(self.value.size)

    def rows(self) -> Iterable[Reading]:
        """Yield single readings, for faces and small answers."""
        for i in range(len(self)):
            yield Reading(
                self.plant,
                self.keys[int(self.series[i])],
                from_epoch_s(int(self.time_s[i])),
                float(self.value[i]),
                from_epoch_s(int(self.issued_s[i])),
                from_epoch_s(int(self.arrived_s[i])),
                Quality(int(self.quality[i])),
            )


@dataclass(frozen=True, slots=True)
class Forecast:
    """A prediction of one series, as known at one moment.

    Parameters
    ----------
    plant : str
        Plant id.
    key : SeriesKey
        What is predicted, in the metric's unit and sign.
    issued_at : datetime
        Moment of decision; nothing later was used.
    grid : TimeGrid
        Steps predicted.
    value : float array, shape (grid.count,)
        Point forecast (median).
    levels : tuple of float
        Quantile levels, ascending in (0, 1); empty when none were made.
    quantiles : float array, shape (len(levels), grid.count)
        Non-crossing quantiles.
    model : str
        What made it.
    flags : tuple of str
        What the reader should know, e.g. ``cold_start``.
    """

    plant: str
    key: SeriesKey
    issued_at: datetime
    grid: TimeGrid
    value: Floats
    model: str
    levels: tuple[float, ...] = ()
    quantiles: Floats = field(default_factory=lambda: np.empty((0, 0)))
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit the grid."""
        if self.value.shape != (self.grid.count,):
            raise SeriesMismatchError("value", self.value.shape, f"({self.grid.count},)")
        if self.levels and self.quantiles.shape != (len(self.levels), self.grid.count):
            raise SeriesMismatchError("quantiles", self.quantiles.shape, f"({len(self.levels)}, {self.grid.count})")
        if any(not low < high for low, high in pairwise((0.0, *self.levels, 1.0))):
            raise InvalidInputError("levels", self.levels, "quantile levels in (0, 1), strictly ascending")
