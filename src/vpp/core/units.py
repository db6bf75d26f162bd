"""Units: the sole home of the factor 1000 and of every conversion at a border.

Inside the house: kW, kWh, currency per kWh, seconds, fractions, UTC. Other units exist only at borders,
in names that say so, and pass through the functions below.
"""

from __future__ import annotations

import re
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError

KILO = 1000.0
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400
PERCENT = 100.0

Number = TypeVar("Number", float, NDArray[np.float64])

_TO_KILO = {"": 1.0, "k": 1.0, "m": KILO, "g": KILO * KILO, "w": 1.0 / KILO}
_QUANTITY = re.compile(r"^\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*([kKMG]?)(W|Wh)\s*$")


def kw_from_w(power_w: Number) -> Number:
    """Return kilowatts from watts."""
    return power_w / KILO


def w_from_kw(power_kw: Number) -> Number:
    """Return watts from kilowatts."""
    return power_kw * KILO


def kw_from_mw(power_mw: Number) -> Number:
    """Return kilowatts from megawatts."""
    return power_mw * KILO


def mw_from_kw(power_kw: Number) -> Number:
    """Return megawatts from kilowatts."""
    return power_kw / KILO


def kwh_from_mwh(energy_mwh: Number) -> Number:
    """Return kilowatt-hours from megawatt-hours."""
    return energy_mwh * KILO


def mwh_from_kwh(energy_kwh: Number) -> Number:
    """Return megawatt-hours from kilowatt-hours."""
    return energy_kwh / KILO


def price_per_kwh_from_mwh(price_per_mwh: Number) -> Number:
    """Return a price per kWh from a price per MWh."""
    return price_per_mwh / KILO


def price_per_mwh_from_kwh(price_per_kwh: Number) -> Number:
    """Return a price per MWh from a price per kWh."""
    return price_per_kwh * KILO


def fraction_from_percent(value_percent: Number) -> Number:
    """Return a fraction (0-1) from a percentage (0-100)."""
    return value_percent / PERCENT


def percent_from_fraction(value: Number) -> Number:
    """Return a percentage (0-100) from a fraction (0-1)."""
    return value * PERCENT


def hours_from_seconds(duration_s: Number) -> Number:
    """Return hours from seconds."""
    return duration_s / SECONDS_PER_HOUR


def energy_kwh(power_kw: Number, duration_h: float) -> Number:
    """Return the energy [kWh] of a mean power [kW] held for a duration [h]."""
    return power_kw * duration_h


def mean_power_kw(energy_kwh: Number, duration_h: float) -> Number:
    """Return the mean power [kW] that carries an energy [kWh] in a duration [h], which must be positive."""
    if not duration_h > 0.0:
        raise InvalidInputError("duration_h", duration_h, "a positive duration [h]")
    return energy_kwh / duration_h


def parse_power_kw(text: str | float, *, field: str = "power") -> float:
    """Read a power as kW from a bare number (kW) or a text with its unit.

    >>> parse_power_kw("2.5 MW"), parse_power_kw("800 W"), parse_power_kw(5)
    (2500.0, 0.8, 5.0)
    """
    return _parse(text, unit="W", field=field)


def parse_energy_kwh(text: str | float, *, field: str = "energy") -> float:
    """Read an energy as kWh from a bare number (kWh) or a text with its unit.

    >>> parse_energy_kwh("20 MWh"), parse_energy_kwh(13.5)
    (20000.0, 13.5)
    """
    return _parse(text, unit="Wh", field=field)


def _parse(text: str | float, *, unit: str, field: str) -> float:
    if isinstance(text, bool):
        raise InvalidInputError(field, text, f"a number [k{unit}] or a text such as '5 k{unit}'")
    if isinstance(text, (int, float)):
        return float(text)
    match = _QUANTITY.match(text)
    if match is None or match.group(3) != unit:
        raise InvalidInputError(field, text, f"a number [k{unit}] or a text such as '5 k{unit}'")
    prefix = match.group(2).lower() or "w"
    return float(match.group(1)) * _TO_KILO[prefix]
