"""What a series is: load, solar, wind or price, and the bounds its values can never leave.

Invariant: values stay in the sign of the house, positive toward the grid, so a load lies in ``[-peak, 0]``
and a generator in ``[0, peak]``. Only the tree model looks at magnitudes, through ``direction``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import MARKET, POWER_KW, PRICE_PER_KWH, SeriesKey
from vpp.core.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Kind = Literal["load", "solar", "wind", "price"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class SeriesProfile:
    """A series with its kind and bounds.

    Parameters
    ----------
    key : SeriesKey
        Which series.
    kind : {"load", "solar", "wind", "price"}
        What makes it move.
    lower, upper : float
        Bounds of every forecast in the metric's unit and sign; infinite where there is none.
    inputs : tuple of SeriesKey
        Series whose future is known at the decision and moves this one, such as forecast weather.

    Raises
    ------
    UnknownNameError
        When the kind is none of the four.
    InvalidInputError
        When ``lower`` is not at or below ``upper``.

    Examples
    --------
    >>> profile = SeriesProfile.load("home01", peak_kw=9.0)
    >>> profile.lower, profile.upper, profile.direction
    (-9.0, 0.0, -1.0)
    """

    key: SeriesKey
    kind: Kind
    lower: float = -math.inf
    upper: float = math.inf
    inputs: tuple[SeriesKey, ...] = ()

    def __post_init__(self) -> None:
        """Check the kind and the order of the bounds."""
        if self.kind not in KINDS:
            raise UnknownNameError("kind of series", self.kind, KINDS)
        if not self.lower <= self.upper:
            raise InvalidInputError(f"{self.key}.lower", self.lower, f"a number at or below upper, {self.upper}")
        if self.key in self.inputs:
            raise InvalidInputError(f"{self.key}.inputs", str(self.key), "other series than the one to forecast")

    def with_inputs(self, *inputs: SeriesKey) -> SeriesProfile:
        """Return the profile with series that are known ahead.

        >>> SeriesProfile.wind("north").with_inputs(SeriesKey("weather", "wind_speed_m_s")).inputs[0].source
        'weather'
        """
        return replace(self, inputs=inputs)

    @classmethod
    def load(cls, source: str, *, peak_kw: float = math.inf) -> SeriesProfile:
        """Return the profile of a consumer: values in ``[-peak_kw, 0]``."""
        return cls(SeriesKey(source, POWER_KW), "load", -peak_kw, 0.0)

    @classmethod
    def solar(cls, source: str, *, peak_kw: float = math.inf) -> SeriesProfile:
        """Return the profile of a solar array: values in ``[0, peak_kw]``, 0 at night."""
        return cls(SeriesKey(source, POWER_KW), "solar", 0.0, peak_kw)

    @classmethod
    def wind(cls, source: str, *, peak_kw: float = math.inf) -> SeriesProfile:
        """Return the profile of a wind turbine: values in ``[0, peak_kw]``."""
        return cls(SeriesKey(source, POWER_KW), "wind", 0.0, peak_kw)

    @classmethod
    def price(cls, source: str = MARKET, *, metric: str = PRICE_PER_KWH) -> SeriesProfile:
        """Return the profile of a price, which has no bounds and may be negative."""
        return cls(SeriesKey(source, metric), "price")

    @property
    def direction(self) -> float:
        """Sign that makes the usual value positive: -1 for a load, otherwise 1."""
        return -1.0 if self.kind == "load" else 1.0

    @property
    def follows_weekdays(self) -> bool:
        """True where people make the rhythm; the weather knows no weekdays."""
        return self.kind in {"load", "price"}


def bounds(profiles: tuple[SeriesProfile, ...]) -> tuple[Floats, Floats]:
    """Return the lower and the upper bounds of K profiles, each of shape (K,)."""
    lower = np.array([profile.lower for profile in profiles], dtype=np.float64)
    upper = np.array([profile.upper for profile in profiles], dtype=np.float64)
    return lower, upper


def night_hours(
    profiles: tuple[SeriesProfile, ...],
    values: Floats,
    *,
    hour: NDArray[np.int64],
    resolution_s: int,
    least_days: int = 2,
) -> NDArray[np.bool_]:
    """Return the local hours at which each solar series never produced.

    Parameters
    ----------
    profiles : tuple of SeriesProfile
        The K series.
    values : float array, shape (T, K)
        The last weeks; NaN where nothing is known.
    hour : int array, shape (T,)
        Local hour of day of each step, 0 to 23.
    resolution_s : int
        Length of a step [s].
    least_days : int
        On how many days an hour must have been seen to be called dark.

    Returns
    -------
    bool array, shape (24, K)
        True where it is night. Below a thousandth of the highest value seen counts as nothing:
        inverters report their own noise in the dark. Always False for other kinds.
    """
    night = np.zeros((24, len(profiles)), dtype=bool)
    solar = np.flatnonzero([profile.kind == "solar" for profile in profiles])
    if not solar.size or not len(values):
        return night
    seen = np.isfinite(values[:, solar])
    produced = np.where(seen, np.abs(values[:, solar]), 0.0)
    threshold = 1e-3 * produced.max(axis=0)
    steps_per_hour = max(1, SECONDS_PER_HOUR // resolution_s)
    for each in range(24):
        rows = hour == each
        if not rows.any():
            continue
        often = seen[rows].sum(axis=0) >= least_days * steps_per_hour
        night[each, solar] = often & (produced[rows].max(axis=0) <= threshold)
    return night
