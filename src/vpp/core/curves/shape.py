"""Shapes of a response: a piecewise-linear curve, and a trigger that releases everything at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, isnan, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]
Segment = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class ResponseCurve:
    """A piecewise-linear response, constant beyond its first and last point.

    Parameters
    ----------
    name : str
        Product or standard.
    points : tuple of (float, float)
        (measured quantity, response per unit), strictly ascending in the first.
    nominal : float
        Nominal value of the measured quantity [Hz or pu], where the response is 0; NaN for a curve without one, such
        as a limit on power.
    source : str
        Where the points come from.
    dead_band : float
        Half-width around ``nominal`` inside which no delivery is asked for, 0 or more.
    confirmed : bool
        False while a point rests on memory and must be confirmed with the publisher.
    full_s : float or None
        Time to the full response [s], where published.
    sustain_s : float or None
        How long the full response must be held [s], where published.

    Examples
    --------
    >>> curve = ResponseCurve("mine", ((49.8, 1.0), (50.2, -1.0)), 50.0, "an example")
    >>> round(curve(49.9), 9)
    0.5
    """

    name: str
    points: tuple[tuple[float, float], ...]
    nominal: float
    source: str
    dead_band: float = 0.0
    confirmed: bool = True
    full_s: float | None = None
    sustain_s: float | None = None
    _segments: tuple[Segment, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        """Refuse curves that are no function; lay out the segments for the scalar path."""
        measured = [point[0] for point in self.points]
        if len(measured) < 2 or any(not b > a for a, b in pairwise(measured)):
            raise InvalidInputError("points", self.points, "two or more points, strictly ascending")
        if not self.dead_band >= 0.0:
            raise InvalidInputError("dead_band", self.dead_band, "0 or more")
        segments = tuple((x1, x0, y0, y1 - y0, x1 - x0) for (x0, y0), (x1, y1) in pairwise(self.points))
        object.__setattr__(self, "_segments", segments)

    def __call__(self, measured: float) -> float:
        """Return the response per unit at one measured value, in plain Python for the scalar path; NaN for NaN."""
        if -self.dead_band <= measured - self.nominal <= self.dead_band:
            return 0.0
        first = self.points[0]
        if measured <= first[0]:
            return first[1]
        for end, start, value, rise, run in self._segments:
            if measured <= end:
                return value + rise * (measured - start) / run
        return nan if isnan(measured) else self.points[-1][1]

    def response(self, measured: ArrayLike) -> Floats:
        """Return the response per unit at many measured values, shape as given; NaN where nothing was measured."""
        values = np.asarray(measured, dtype=np.float64)
        xs, ys = zip(*self.points, strict=True)
        answer = np.interp(values, xs, ys)
        return np.where(np.abs(values - self.nominal) <= self.dead_band, 0.0, answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyTrigger:
    """A relay: at or below its frequency everything is released, reached after ``full_s`` and held.

    Parameters
    ----------
    name : str
        Product.
    trigger_hz, nominal_hz : float
        Frequency that releases the response, and the nominal one above it [Hz].
    full_s : float
        Time from the trigger to the full response [s], 0 or more; between them the response rises linearly.
    source : str
        Where the figures come from.
    hold_s : float
        Least time the response is held [s]; infinity where it lasts until the operator recalls it.
    confirmed : bool
        False while a figure rests on memory and must be confirmed with the publisher.

    Examples
    --------
    >>> relay = FrequencyTrigger(name="mine", trigger_hz=59.85, nominal_hz=60.0, full_s=0.25, source="an example")
    >>> began = relay.activation(59.84, now_s=7.0)
    >>> began, relay.response(now_s=7.125, began_s=began), relay.response(now_s=9.0, began_s=began)
    (7.0, 0.5, 1.0)
    """

    name: str
    trigger_hz: float
    nominal_hz: float
    full_s: float
    source: str
    hold_s: float = inf
    confirmed: bool = True

    def __post_init__(self) -> None:
        """Check every range."""
        if not 0.0 < self.trigger_hz < self.nominal_hz:
            raise InvalidInputError("trigger_hz", self.trigger_hz, f"above 0 and below {self.nominal_hz} Hz")
        for name in ("full_s", "hold_s"):
            if not getattr(self, name) >= 0.0:
                raise InvalidInputError(name, getattr(self, name), "0 or more [s]")

    def activation(self, frequency_hz: float, *, now_s: float, began_s: float | None = None) -> float | None:
        """Return when the running activation began [s], None where none runs.

        An activation lasts for ``hold_s``, and on while the frequency is at or below the trigger. A frequency that
        was not measured (NaN) neither begins nor prolongs one.
        """
        low = frequency_hz <= self.trigger_hz
        if began_s is not None and (low or now_s - began_s < self.hold_s):
            return began_s
        return now_s if low else None

    def response(self, *, now_s: float, began_s: float | None) -> float:
        """Return the response per unit (0-1) of an activation that began at ``began_s``; 0 where none runs."""
        if began_s is None:
            return 0.0
        elapsed_s = now_s - began_s
        return 1.0 if elapsed_s >= self.full_s else max(elapsed_s, 0.0) / self.full_s
