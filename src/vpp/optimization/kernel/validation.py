"""What the kernel accepts: numbers and series in range, named when they are not."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.storage import StorageLimits
from vpp.optimization.kernel.price_steps import Unit
from vpp.optimization.kernel.segments import TOLERANCE, Band, Floats

NO_FLOOR: Floats = np.empty(0)


def check_number(field: str, value: float, *, low: float | None = None) -> float:
    """Return a finite number, at least ``low`` where one is given."""
    if not isfinite(value) or (low is not None and value < low):
        raise InvalidInputError(field, value, "a finite number" + ("" if low is None else f", {low:g} or more"))
    return float(value)


def check_series(field: str, values: ArrayLike, *, steps: int | None = None, low: float | None = None) -> Floats:
    """Return a contiguous series of finite numbers, of a given length and at least ``low`` where they are given."""
    series = np.ascontiguousarray(values, dtype=np.float64)
    if series.ndim != 1 or (steps is not None and series.size != steps):
        wanted = "one value per step" if steps is None else f"one value for each of the {steps} steps"
        raise SeriesMismatchError(field, series.shape, wanted)
    good = np.isfinite(series) if low is None else np.isfinite(series) & (series >= low)
    if not good.all():
        at = int(np.flatnonzero(~good)[0])
        expected = "a finite number" + ("" if low is None else f", {low:g} or more")
        raise InvalidInputError(f"{field}[{at}]", float(series[at]), expected)
    return series


def unit_of(limits: StorageLimits, *, wear_cost_per_kwh: float, duration_h: float) -> Unit:
    """Return the powers of one storage as the kernel takes them."""
    if not (isfinite(duration_h) and duration_h > 0.0):
        raise InvalidInputError("duration_h", duration_h, "a positive duration [h]")
    names = ("charge_max_kw", "discharge_max_kw", "charge_efficiency", "discharge_efficiency")
    # signs and efficiencies were checked when the limits were made; a single storage and infinity were not
    charge, discharge, into, out = (check_number(name, _scalar(limits, name), low=0.0) for name in names)
    wear = check_number("wear_cost_per_kwh", wear_cost_per_kwh, low=0.0)
    return Unit(charge, discharge, into, out, wear, float(duration_h))


def band_of(
    limits: StorageLimits,
    *,
    initial_energy_kwh: float,
    final_energy_min_kwh: float | None,
    terminal_value_per_kwh: float,
) -> Band:
    """Return the energies of one storage as the kernel takes them; rounding outside the band is brought to its edge."""
    low = check_number("energy_min_kwh", _scalar(limits, "energy_min_kwh"))
    high = check_number("energy_max_kwh", _scalar(limits, "energy_max_kwh"))
    slack = TOLERANCE * max(1.0, high)
    start = check_number("initial_energy_kwh", initial_energy_kwh)
    if not low - slack <= start <= high + slack:
        raise InvalidInputError("initial_energy_kwh", start, f"{low:g} to {high:g} [kWh]")
    end = low if final_energy_min_kwh is None else check_number("final_energy_min_kwh", final_energy_min_kwh)
    if end > high + slack:
        raise InvalidInputError("final_energy_min_kwh", end, f"at most {high:g} [kWh], the top of the band")
    worth = check_number("terminal_value_per_kwh", terminal_value_per_kwh)
    return Band(low, high, min(max(start, low), high), min(max(end, low), high), worth, NO_FLOOR, 0.0)


def _scalar(limits: StorageLimits, name: str) -> float:
    value = np.asarray(getattr(limits, name), dtype=np.float64)
    if value.ndim:
        raise SeriesMismatchError(name, value.shape, "one number: the limits of a single storage")
    return float(value)
