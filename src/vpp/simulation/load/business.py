"""Businesses: offices, shops and plants by opening hours and weekday.

Own parametric shapes, no published profile: a floor that never sleeps, a plateau while people work with ramps at both
ends, slow noise around it, and cooling of the plateau by the weather. Invariant: the parts sum to the load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load.streams import numbers
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessShape:
    """One kind of business.

    Parameters
    ----------
    opens_hour, closes_hour : float
        Local hours, ascending in 0 to 24.
    weekend_share : tuple of two floats
        Activity on Saturday and Sunday per that of a weekday (0-1).
    base_share : float
        Power when closed per peak power (0-1).
    ramp_h : float
        From closed to fully at work, above 0; the opening hours lie inside.
    noise_share : float
        Standard deviation of the noise per plateau, 0 to 0.5.
    noise_h : float
        Time in which the noise forgets itself, above 0.
    cooling_share_per_k : float
        What each kelvin above ``cooling_from_c`` adds while open, per plateau, 0 or more.
    cooling_from_c : float
        Outdoor temperature.
    spread_h : float
        How far the hours of one business stray from its kind's, 0 to 3.
    """

    opens_hour: float
    closes_hour: float
    weekend_share: tuple[float, float]
    base_share: float
    ramp_h: float = 1.0
    noise_share: float = 0.05
    noise_h: float = 2.0
    cooling_share_per_k: float = 0.0
    cooling_from_c: float = 18.0
    spread_h: float = 0.5

    def __post_init__(self) -> None:
        """Check every range."""
        if not 0.0 <= self.opens_hour < self.closes_hour <= 24.0:
            raise InvalidInputError("business.opens_hour", self.opens_hour, f"0 to closes_hour ({self.closes_hour})")
        ranges = {
            "base_share": (0.0, 1.0),
            "ramp_h": (1e-3, 12.0),
            "noise_share": (0.0, 0.5),
            "noise_h": (1e-3, 240.0),
            "cooling_share_per_k": (0.0, 1.0),
            "cooling_from_c": (-50.0, 60.0),
            "spread_h": (0.0, 3.0),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"business.{name}", getattr(self, name), f"{low:g} to {high:g}")
        if not all(0.0 <= share <= 1.0 for share in self.weekend_share):
            raise InvalidInputError("business.weekend_share", self.weekend_share, "two shares, 0 to 1")


OFFICE = BusinessShape(
    opens_hour=7.5, closes_hour=18.0, weekend_share=(0.1, 0.05), base_share=0.25, ramp_h=1.5, cooling_share_per_k=0.03
)
SHOP = BusinessShape(
    opens_hour=9.0, closes_hour=20.0, weekend_share=(1.0, 0.5), base_share=0.3, ramp_h=0.75, cooling_share_per_k=0.02
)
PLANT = BusinessShape(
    opens_hour=6.0,
    closes_hour=22.0,
    weekend_share=(0.4, 0.15),
    base_share=0.35,
    ramp_h=0.5,
    noise_share=0.1,
    noise_h=0.5,
)
SHAPES: dict[str, BusinessShape] = {"office": OFFICE, "shop": SHOP, "plant": PLANT}


@dataclass(frozen=True, slots=True)
class BusinessLoad:
    """What S businesses draw in T steps [kW], arrays of shape (T, S); ``load_kw`` is the sum of the parts."""

    load_kw: Floats
    base_kw: Floats
    work_kw: Floats
    cooling_kw: Floats


def business_load(
    shape: BusinessShape,
    *,
    businesses: int | ArrayLike,
    peak_kw: ArrayLike,
    hour_of_day: ArrayLike,
    weekday: ArrayLike,
    temperature_c: ArrayLike,
    duration_h: float,
    seed: int,
) -> BusinessLoad:
    """Return what businesses of one kind draw.

    Parameters
    ----------
    shape : BusinessShape
        Their kind: ``OFFICE``, ``SHOP``, ``PLANT`` or another.
    businesses : int or int array, shape (S,)
        How many, or their numbers in the fleet.
    peak_kw : float or array, shape (S,)
        Power fully at work without noise and cooling, 0 or more.
    hour_of_day, weekday : array, shape (T,)
        Local clock at the start of each step.
    temperature_c : array, shape (T,) or (T, S)
        Outdoor temperature.
    duration_h : float
        Length of a step, above 0 to 1.
    seed : int
        Of the whole simulation.
    """
    units = numbers("businesses", businesses)
    hours, weekdays = np.asarray(hour_of_day, dtype=np.float64), np.asarray(weekday, dtype=np.int64)
    size, outdoor = (hours.size, units.size), np.asarray(temperature_c, dtype=np.float64)
    outdoor = outdoor[:, None] if outdoor.ndim == 1 else outdoor
    if weekdays.shape != hours.shape or outdoor.shape not in ((size[0], 1), size):
        raise SeriesMismatchError("temperature_c", outdoor.shape, f"{size}, as hour_of_day and weekday ask")
    peak = np.broadcast_to(np.asarray(peak_kw, dtype=np.float64), (units.size,))
    if not (peak >= 0.0).all():
        raise InvalidInputError("business.peak_kw", float(peak.min()), "0 or more [kW]")
    stray, noise = np.empty((2, units.size)), np.empty(size)
    for row, unit in enumerate(units.tolist()):
        source = generator(seed, "business", unit)
        stray[:, row] = shape.spread_h * source.uniform(-1.0, 1.0, 2)
        noise[:, row] = source.standard_normal(size[0])
    calendar = np.array([*(5 * (1.0,)), *shape.weekend_share])[weekdays][:, None]
    middle = (hours + 0.5 * duration_h)[:, None] % 24.0
    rising = (middle - (shape.opens_hour + stray[0] - shape.ramp_h)) / shape.ramp_h
    falling = ((shape.closes_hour + stray[1] + shape.ramp_h) - middle) / shape.ramp_h
    open_share = np.clip(np.minimum(rising, falling), 0.0, 1.0) * calendar
    swing = np.maximum(1.0 + shape.noise_share * _slow(noise, shape.noise_h, duration_h), 0.0)
    plateau = peak * (1.0 - shape.base_share) * open_share
    base = np.broadcast_to(peak * shape.base_share, size).copy()
    work = plateau * swing
    cooling = plateau * shape.cooling_share_per_k * np.maximum(outdoor - shape.cooling_from_c, 0.0)
    return BusinessLoad(base + work + cooling, base, work, cooling)


def _slow(noise: Floats, memory_h: float, duration_h: float) -> Floats:
    """Return a first-order autoregression of unit variance from standard normals, along the first axis."""
    kept = float(np.exp(-duration_h / memory_h))
    slow, now = np.empty_like(noise), noise[0] if noise.size else noise
    for step, fresh in enumerate(noise):
        now = kept * now + (1.0 - kept**2) ** 0.5 * fresh if step else fresh
        slow[step] = now
    return slow
