"""Voltage support: Volt-Watt, Volt-VAR and watt-var of an inverter, within its apparent power.

Signs: positive active power flows toward the grid; positive reactive power is injected and raises the voltage.
Invariant: active and reactive power together never exceed ``rated_kva``; Volt-Watt only ever lowers the power that
flows toward the grid. Where the voltage or the power is unknown (NaN) the answer is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.curves import ResponseCurve
from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageService:
    """An inverter and the curves it follows.

    Parameters
    ----------
    rated_kva : float
        Apparent power, above 0; reactive curves are per unit of it.
    rated_kw : float
        Active power that Volt-Watt and watt-var are per unit of, above 0 and at most ``rated_kva``.
    volt_var : ResponseCurve or None
        Reactive power over voltage.
    volt_watt : ResponseCurve or None
        Largest active power over voltage.
    watt_var : ResponseCurve or None
        Reactive power over active power; not together with ``volt_var``.
    reactive_first : bool
        True where active power gives way when both do not fit (IEEE 1547-2018); False where reactive power does.
    """

    rated_kva: float
    rated_kw: float
    volt_var: ResponseCurve | None = None
    volt_watt: ResponseCurve | None = None
    watt_var: ResponseCurve | None = None
    reactive_first: bool = True

    def __post_init__(self) -> None:
        """Check every range."""
        if not 0.0 < self.rated_kva < inf:
            raise InvalidInputError("rated_kva", self.rated_kva, "above 0 [kVA]")
        if not 0.0 < self.rated_kw <= self.rated_kva:
            raise InvalidInputError("rated_kw", self.rated_kw, f"above 0, at most rated_kva ({self.rated_kva}) [kW]")
        if self.volt_var is not None and self.watt_var is not None:
            raise InvalidInputError("watt_var", self.watt_var.name, "one curve for the reactive power, not two")


def support_voltage(voltage_pu: float, service: VoltageService, *, power_kw: float) -> tuple[float, float]:
    """Return active [kW] and reactive power [kvar] of one inverter, in plain Python.

    Parameters
    ----------
    voltage_pu : float
        Measured voltage, per unit of nominal.
    service : VoltageService
        The inverter and its curves.
    power_kw : float
        Active power wanted, positive toward the grid.

    Returns
    -------
    power_kw, reactive_kvar : float
        What the inverter delivers; (NaN, NaN) where the voltage or the power is NaN.

    Examples
    --------
    >>> from vpp.core.curves import VOLT_VAR_CURVES
    >>> inverter = VoltageService(rated_kva=100.0, rated_kw=100.0, volt_var=VOLT_VAR_CURVES["B"])
    >>> power_kw, reactive_kvar = support_voltage(0.95, inverter, power_kw=100.0)
    >>> round(power_kw, 3), round(reactive_kvar, 3)
    (97.55, 22.0)
    """
    if isnan(voltage_pu) or isnan(power_kw):
        return nan, nan
    rated_kva, rated_kw = service.rated_kva, service.rated_kw
    power = min(max(power_kw, -rated_kva), rated_kva)
    if service.volt_watt is not None:
        power = min(power, rated_kw * service.volt_watt(voltage_pu))
    reactive = 0.0
    if service.volt_var is not None:
        reactive = rated_kva * service.volt_var(voltage_pu)
    elif service.watt_var is not None:
        reactive = rated_kva * service.watt_var(power / rated_kw)
    if power * power + reactive * reactive <= rated_kva * rated_kva:
        return power, reactive
    if service.reactive_first:
        room = sqrt(max(rated_kva * rated_kva - reactive * reactive, 0.0))
        return min(max(power, -room), room), reactive
    room = sqrt(rated_kva * rated_kva - power * power)
    return power, min(max(reactive, -room), room)


def support_voltage_fleet(
    voltage_pu: ArrayLike, service: VoltageService, *, power_kw: ArrayLike, scale: ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """Return active [kW] and reactive power [kvar] of N inverters of one kind, each at its own voltage.

    Parameters
    ----------
    voltage_pu : float array, shape (N,)
        Measured voltages.
    service : VoltageService
        The kind; its ratings are multiplied by ``scale``.
    power_kw : float array, shape (N,)
        Active powers wanted.
    scale : float or array, shape (N,)
        Size of each inverter in units of ``service``, above 0.

    Returns
    -------
    power_kw, reactive_kvar : float arrays, shape (N,)
        As ``support_voltage``; NaN where the voltage or the power is NaN.
    """
    size = np.asarray(scale, dtype=np.float64)
    if not (size > 0.0).all():
        raise InvalidInputError("scale", float(np.min(size)), "above 0")
    voltage = np.asarray(voltage_pu, dtype=np.float64)
    rated_kva, rated_kw = service.rated_kva * size, service.rated_kw * size
    power = np.minimum(np.maximum(np.asarray(power_kw, dtype=np.float64), -rated_kva), rated_kva)
    if service.volt_watt is not None:
        power = np.minimum(power, rated_kw * service.volt_watt.response(voltage))
    reactive = np.zeros(np.broadcast_shapes(power.shape, voltage.shape))
    if service.volt_var is not None:
        reactive = reactive + rated_kva * service.volt_var.response(voltage)
    elif service.watt_var is not None:
        reactive = reactive + rated_kva * service.watt_var.response(power / rated_kw)
    fits = power * power + reactive * reactive <= rated_kva * rated_kva
    held = reactive if service.reactive_first else power
    room = np.where(fits, inf, np.sqrt(np.maximum(rated_kva * rated_kva - held * held, 0.0)))
    if service.reactive_first:
        power = np.minimum(np.maximum(power, -room), room)
    else:
        reactive = np.minimum(np.maximum(reactive, -room), room)
    known = ~(np.isnan(voltage) | np.isnan(power))
    return np.where(known, power, nan), np.where(known, reactive, nan)
