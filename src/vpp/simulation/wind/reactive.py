"""Reactive power of a turbine or a farm: what its converter can give beside its active power.

Sign: positive is toward the grid (capacitive, over-excited, raises the voltage), as for active power.
Invariant: active and reactive power together never exceed the apparent power of the converter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveCapability:
    """The area of active and reactive power in which a converter works.

    Parameters
    ----------
    rated_kva : float or array, shape (S,)
        Apparent power: the circle; above 0.
    power_factor_min : float
        Least power factor at which it may be asked to run (0 to 1]: the triangle. 0.95 is common; 1 for none at all.
    reactive_max_pu : float
        Most reactive power per rated kVA, whatever the active power: the lid; 0 to 1.
    night : bool
        True where it can give reactive power, up to circle and lid, with little or no active power (a full converter).

    Examples
    --------
    >>> farm = ReactiveCapability(rated_kva=100.0, power_factor_min=0.8)
    >>> low, high = farm.limits_kvar([0.0, 40.0, 100.0])
    >>> high.round(6).tolist(), low.round(6).tolist()
    ([0.0, 30.0, 0.0], [-0.0, -30.0, -0.0])
    """

    rated_kva: ArrayLike
    power_factor_min: float = 0.95
    reactive_max_pu: float = 1.0
    night: bool = False

    def __post_init__(self) -> None:
        """Check every range."""
        if not ((np.asarray(self.rated_kva) > 0.0) & np.isfinite(self.rated_kva)).all():
            raise InvalidInputError("rated_kva", self.rated_kva, "above 0 [kVA]")
        if not 0.0 < self.power_factor_min <= 1.0:
            raise InvalidInputError("power_factor_min", self.power_factor_min, "above 0, up to 1")
        if not 0.0 <= self.reactive_max_pu <= 1.0:
            raise InvalidInputError("reactive_max_pu", self.reactive_max_pu, "0 to 1 [pu of rated_kva]")

    def limits_kvar(self, power_kw: ArrayLike) -> tuple[Floats, Floats]:
        """Return the lowest and highest reactive power [kvar] at an active power of either sign, 0 at the rating."""
        power, rated = np.asarray(power_kw, dtype=np.float64), np.asarray(self.rated_kva, dtype=np.float64)
        most = np.minimum(np.sqrt(np.maximum(rated**2 - power**2, 0.0)), self.reactive_max_pu * rated)
        if not self.night:
            most = np.minimum(most, np.abs(power) * np.tan(np.arccos(self.power_factor_min)))
        return np.asarray(-most, dtype=np.float64), np.asarray(most, dtype=np.float64)

    def delivered(self, power_kw: ArrayLike, request_kvar: ArrayLike) -> tuple[Floats, Floats]:
        """Return active [kW] and reactive power [kvar] for a request; active power comes first, cut at the rating."""
        rated = np.asarray(self.rated_kva, dtype=np.float64)
        power = np.asarray(np.clip(np.asarray(power_kw, dtype=np.float64), -rated, rated), dtype=np.float64)
        low, high = self.limits_kvar(power)
        return power, np.asarray(np.clip(np.asarray(request_kvar, dtype=np.float64), low, high), dtype=np.float64)

    def at_power_factor(
        self, power_kw: ArrayLike, power_factor: float, *, absorbing: bool = False
    ) -> tuple[Floats, Floats]:
        """Return active [kW] and reactive power [kvar] at a power factor.

        Parameters
        ----------
        power_kw : float array
            Active power.
        power_factor : float
            From ``power_factor_min`` to 1.
        absorbing : bool
            True to draw reactive power (inductive), False to give it.

        Raises
        ------
        InvalidInputError
            When the power factor lies outside the range.
        """
        if not self.power_factor_min <= power_factor <= 1.0:
            raise InvalidInputError("power_factor", power_factor, f"{self.power_factor_min} to 1")
        wanted = np.abs(np.asarray(power_kw, dtype=np.float64)) * np.tan(np.arccos(power_factor))
        return self.delivered(power_kw, -wanted if absorbing else wanted)
