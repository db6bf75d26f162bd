"""Curves: how grid services answer frequency and voltage. Pure functions of the measured quantity.

Sign: positive is power toward the grid, so under-frequency asks for positive power and under-voltage for positive
(capacitive) reactive power. Values are per unit of the contracted or rated power.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isnan, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, UnknownNameError

Floats = NDArray[np.float64]


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
        Nominal value of the measured quantity [Hz or pu].
    dead_band : float
        Half-width around ``nominal`` inside which no delivery is asked for, 0 or more.
    source : str
        Where the points come from.
    confirmed : bool
        False while a point rests on memory and must be confirmed with the publisher.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    nominal: float
    source: str
    dead_band: float = 0.0
    confirmed: bool = True

    def __post_init__(self) -> None:
        """Refuse curves that are no function."""
        measured = [point[0] for point in self.points]
        if len(measured) < 2 or any(b <= a for a, b in pairwise(measured)):
            raise InvalidInputError("points", self.points, "two or more points, strictly ascending")

    def __call__(self, measured: float) -> float:
        """Return the response per unit at one measured value, in plain Python for the scalar path; NaN for NaN."""
        if isnan(measured):
            return nan
        if abs(measured - self.nominal) <= self.dead_band:
            return 0.0
        points = self.points
        if measured <= points[0][0]:
            return points[0][1]
        for (x0, y0), (x1, y1) in pairwise(points):
            if measured <= x1:
                return y0 + (y1 - y0) * (measured - x0) / (x1 - x0)
        return points[-1][1]

    def response(self, measured: ArrayLike) -> Floats:
        """Return the response per unit at many measured values, shape as given; NaN where nothing was measured."""
        values = np.asarray(measured, dtype=np.float64)
        xs, ys = zip(*self.points, strict=True)
        answer = np.interp(values, xs, ys)
        return np.where(np.abs(values - self.nominal) <= self.dead_band, 0.0, answer)


FREQUENCY_CURVES: dict[str, ResponseCurve] = {
    curve.name: curve
    for curve in (
        ResponseCurve(
            "FCR_CE",
            ((49.8, 1.0), (50.2, -1.0)),
            50.0,
            "EU 2017/1485 Art. 154 and Annex V; regelleistung.net",
            dead_band=0.01,
        ),
        ResponseCurve(
            "DC",
            ((49.5, 1.0), (49.8, 0.05), (49.985, 0.0), (50.015, 0.0), (50.2, -0.05), (50.5, -1.0)),
            50.0,
            "NESO Dynamic Containment product page",
        ),
        ResponseCurve(
            "DM",
            ((49.8, 1.0), (49.9, 0.05), (49.985, 0.0), (50.015, 0.0), (50.1, -0.05), (50.2, -1.0)),
            50.0,
            "NESO Dynamic Moderation; breakpoints to be confirmed",
            confirmed=False,
        ),
        ResponseCurve(
            "DR",
            ((49.8, 1.0), (49.985, 0.0), (50.015, 0.0), (50.2, -1.0)),
            50.0,
            "NESO Dynamic Regulation; breakpoints to be confirmed",
            confirmed=False,
        ),
        ResponseCurve("FCR_N", ((49.9, 1.0), (50.1, -1.0)), 50.0, "Nordic FCR technical requirements"),
        ResponseCurve("FCR_D_up", ((49.5, 1.0), (49.9, 0.0)), 50.0, "Nordic FCR technical requirements"),
    )
}

VOLT_VAR_CURVES: dict[str, ResponseCurve] = {
    "A": ResponseCurve(
        "volt-var A", ((0.9, 0.25), (1.0, 0.0), (1.1, -0.25)), 1.0, "IEEE 1547-2018, Category A default"
    ),
    "B": ResponseCurve(
        "volt-var B",
        ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44)),
        1.0,
        "IEEE 1547-2018, Category B default",
    ),
}


def frequency_curve(name: str) -> ResponseCurve:
    """Return a frequency product's curve by name, e.g. ``FCR_CE``."""
    if name not in FREQUENCY_CURVES:
        raise UnknownNameError("frequency curve", name, FREQUENCY_CURVES)
    return FREQUENCY_CURVES[name]


def droop_1547(
    frequency_hz: ArrayLike,
    power_before_pu: ArrayLike,
    *,
    power_min_pu: ArrayLike = 0.0,
    power_available_pu: ArrayLike = 1.0,
    nominal_hz: float = 60.0,
    dead_band_hz: float = 0.036,
    droop: float = 0.05,
) -> Floats:
    """Return the active power [pu] that IEEE 1547-2018's frequency droop asks for.

    Parameters
    ----------
    frequency_hz : float or array
        Measured frequency.
    power_before_pu : float or array
        Power before the event, per unit of rating; positive toward the grid.
    power_min_pu, power_available_pu : float or array
        Bounds of the answer [pu].
    nominal_hz, dead_band_hz, droop : float
        Nominal frequency [Hz], half dead band [Hz], per-unit droop.

    Returns
    -------
    float array
        Power after the response [pu]; NaN where the frequency is NaN.

    Raises
    ------
    InvalidInputError
        When the power before the event lies outside its bounds: the answer would then point the wrong way.

    Examples
    --------
    >>> round(float(droop_1547(60.1, 0.8)), 6)
    0.778667
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    slope_hz = nominal_hz * droop
    over = np.maximum(frequency - (nominal_hz + dead_band_hz), 0.0) / slope_hz
    under = np.maximum((nominal_hz - dead_band_hz) - frequency, 0.0) / slope_hz
    before = np.asarray(power_before_pu, dtype=np.float64)
    if not np.all((before >= np.asarray(power_min_pu)) & (before <= np.asarray(power_available_pu))):
        raise InvalidInputError("power_before_pu", power_before_pu, "power_min_pu to power_available_pu")
    lowered = np.where(over > 0.0, np.maximum(before - over, power_min_pu), before)
    answer = np.where(under > 0.0, np.minimum(before + under, power_available_pu), lowered)
    return np.asarray(np.where(np.isnan(frequency), nan, answer), dtype=np.float64)
