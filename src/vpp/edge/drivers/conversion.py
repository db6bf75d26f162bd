"""Conversion: the number a device speaks into the house's unit and sign, and back.

Invariant: ``to_device(to_house(x)) == x`` to rounding, for every unit and either direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from vpp.core.errors import InvalidInputError
from vpp.core.units import fraction_from_percent, kw_from_mw, kw_from_w, kwh_from_mwh

Unit = Literal["W", "kW", "MW", "percent_of_full", "percent", "Wh", "kWh", "MWh", "plain"]
Direction = Literal["toward_grid", "from_grid"]

_HOUSE_OF_ONE: dict[str, float] = {
    "W": kw_from_w(1.0),
    "kW": 1.0,
    "MW": kw_from_mw(1.0),
    "percent_of_full": fraction_from_percent(1.0),
    "percent": fraction_from_percent(1.0),
    # the factors of energies are those of powers
    "Wh": kw_from_w(1.0),
    "kWh": 1.0,
    "MWh": kwh_from_mwh(1.0),
    "plain": 1.0,
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """What one step of a device's number means.

    Parameters
    ----------
    unit : str
        Unit of the number times ``scale``: ``W``, ``kW``, ``MW``, ``percent_of_full`` (a power, needs ``full_kw``),
        ``percent`` (becomes a fraction), ``Wh``, ``kWh``, ``MWh``, or ``plain`` (already the metric's unit).
    scale : float
        What the number is multiplied by, not 0; 0.1 when a register counts tenths.
    positive : {"toward_grid", "from_grid"}
        Which way a positive number flows. Inside the house positive is always toward the grid.
    full_kw : float or None
        The power that 100 % means [kW], above 0; for ``percent_of_full`` alone.

    Examples
    --------
    >>> Conversion("W", positive="from_grid").to_house(1500)
    -1.5
    >>> Conversion("percent_of_full", full_kw=8.0).to_device(2.0)
    25.0
    """

    unit: Unit = "kW"
    scale: float = 1.0
    positive: Direction = "toward_grid"
    full_kw: float | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        if self.unit not in _HOUSE_OF_ONE:
            raise InvalidInputError("unit", self.unit, f"one of {', '.join(_HOUSE_OF_ONE)}")
        if not (isfinite(self.scale) and self.scale != 0.0):
            raise InvalidInputError("scale", self.scale, "a finite number other than 0")
        if self.positive not in get_args(Direction):
            raise InvalidInputError("positive", self.positive, f"one of {', '.join(get_args(Direction))}")
        if self.unit == "percent_of_full":
            if self.full_kw is None or not (isfinite(self.full_kw) and self.full_kw > 0.0):
                raise InvalidInputError("full_kw", self.full_kw, "the power that 100 % means, above 0 [kW]")
        elif self.full_kw is not None:
            raise InvalidInputError("full_kw", self.full_kw, "nothing, unless the unit is percent_of_full")

    @property
    def factor(self) -> float:
        """What the device's number is multiplied by, sign included."""
        sign = 1.0 if self.positive == "toward_grid" else -1.0
        return sign * self.scale * _HOUSE_OF_ONE[self.unit] * (1.0 if self.full_kw is None else self.full_kw)

    def to_house(self, number: float) -> float:
        """Return the value in the house's unit and sign."""
        return number * self.factor + 0.0  # + 0.0 turns -0.0 into 0.0

    def to_device(self, value: float) -> float:
        """Return the number that the device takes for a value in the house's unit and sign."""
        return value / self.factor + 0.0
