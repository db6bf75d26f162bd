"""Storage: the one energy balance, used by simulation, plans, dispatch, edge and learning.

Sign: positive power discharges (flows toward the grid), negative charges.
Charging at ``c`` kW stores ``c * charge_efficiency``; discharging at ``d`` kW takes
``d / discharge_efficiency`` out of the store.
Invariant: the energy that leaves the store is what passed the terminals plus the stated loss;
a limit that binds cuts the power that is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """Limits of one storage (floats) or of a fleet (arrays that broadcast together).

    Parameters
    ----------
    energy_min_kwh, energy_max_kwh : float or array
        Band of the stored energy [kWh].
    charge_max_kw, discharge_max_kw : float or array
        Largest power at the terminals [kW], non-negative.
    charge_efficiency, discharge_efficiency : float or array
        One-way efficiencies (0-1].
    """

    energy_min_kwh: ArrayLike
    energy_max_kwh: ArrayLike
    charge_max_kw: ArrayLike
    discharge_max_kw: ArrayLike
    charge_efficiency: ArrayLike
    discharge_efficiency: ArrayLike

    def __post_init__(self) -> None:
        """Refuse limits that no storage can have."""
        if not np.all(np.asarray(self.energy_max_kwh) >= np.asarray(self.energy_min_kwh)):
            raise InvalidInputError("energy_max_kwh", self.energy_max_kwh, "at least energy_min_kwh")
        for name in ("charge_max_kw", "discharge_max_kw", "energy_min_kwh"):
            if not np.all(np.asarray(getattr(self, name)) >= 0.0):
                raise InvalidInputError(name, getattr(self, name), "0 or more")
        for name in ("charge_efficiency", "discharge_efficiency"):
            value = np.asarray(getattr(self, name))
            if not np.all((value > 0.0) & (value <= 1.0)):
                raise InvalidInputError(name, getattr(self, name), "a one-way efficiency in (0, 1]")


@dataclass(frozen=True, slots=True)
class StorageStep:
    """What one step did.

    Parameters
    ----------
    power_kw : array
        Power at the terminals, after every limit; positive discharges.
    energy_kwh : array
        Energy stored at the end of the step.
    loss_kwh : array
        Energy turned to heat in the step, 0 or more.
    """

    power_kw: Floats
    energy_kwh: Floats
    loss_kwh: Floats


def energy_change_kwh(
    power_kw: ArrayLike, *, duration_h: float, charge_efficiency: ArrayLike, discharge_efficiency: ArrayLike
) -> Floats:
    """Return the change of the stored energy [kWh] for a terminal power (positive discharges) held for a step.

    >>> float(energy_change_kwh(-2.0, duration_h=1.0, charge_efficiency=0.9, discharge_efficiency=0.9))
    1.8
    """
    power = np.asarray(power_kw, dtype=np.float64)
    stored = np.maximum(-power, 0.0) * np.asarray(charge_efficiency)
    taken = np.maximum(power, 0.0) / np.asarray(discharge_efficiency)
    return np.asarray((stored - taken) * duration_h, dtype=np.float64)


def power_band_kw(energy_kwh: ArrayLike, limits: StorageLimits, *, duration_h: float) -> tuple[Floats, Floats]:
    """Return the lowest and highest terminal power [kW] that a step can hold, given the energy at its start.

    A store outside its band may only move back toward it: above the band it cannot charge, below it cannot discharge.
    """
    energy = np.asarray(energy_kwh, dtype=np.float64)
    room = np.maximum(np.asarray(limits.energy_max_kwh) - energy, 0.0)
    content = np.maximum(energy - np.asarray(limits.energy_min_kwh), 0.0)
    charge = np.minimum(limits.charge_max_kw, room / (np.asarray(limits.charge_efficiency) * duration_h))
    discharge = np.minimum(limits.discharge_max_kw, content * np.asarray(limits.discharge_efficiency) / duration_h)
    # 0.0 - x rather than -x: a full store answers 0, not -0
    return np.asarray(0.0 - charge, dtype=np.float64), np.asarray(discharge, dtype=np.float64)


def execute(energy_kwh: ArrayLike, request_kw: ArrayLike, limits: StorageLimits, *, duration_h: float) -> StorageStep:
    """Hold a requested power for a step, cut to what the store can do.

    Parameters
    ----------
    energy_kwh : float or array
        Energy at the start of the step [kWh].
    request_kw : float or array
        Requested terminal power [kW]; positive discharges.
    limits : StorageLimits
        Limits of the storage or the fleet.
    duration_h : float
        Length of the step [h], positive.

    Returns
    -------
    StorageStep
        Power after the limits, energy at the end, loss.

    Raises
    ------
    InvalidInputError
        When the duration is not positive, or the energy or the request is NaN: a hole in the data must not become
        a state of charge.

    Examples
    --------
    >>> limits = StorageLimits(0.0, 10.0, 5.0, 5.0, 0.9, 0.9)
    >>> step = execute(0.9, 5.0, limits, duration_h=1.0)
    >>> round(float(step.power_kw), 9), round(float(step.energy_kwh), 9)
    (0.81, 0.0)
    """
    if not duration_h > 0.0:
        raise InvalidInputError("duration_h", duration_h, "a positive duration [h]")
    for name, given in (("energy_kwh", energy_kwh), ("request_kw", request_kw)):
        if np.isnan(given).any():
            raise InvalidInputError(name, given, "numbers; decide what a missing value means before it gets here")
    lowest, highest = power_band_kw(energy_kwh, limits, duration_h=duration_h)
    power = np.clip(np.asarray(request_kw, dtype=np.float64), lowest, highest)
    change = energy_change_kwh(
        power,
        duration_h=duration_h,
        charge_efficiency=limits.charge_efficiency,
        discharge_efficiency=limits.discharge_efficiency,
    )
    after = np.asarray(energy_kwh, dtype=np.float64) + change
    # a step that ends on a limit must not overshoot it by rounding; a store that began beyond one is not moved to it
    after = np.where(np.asarray(energy_kwh) >= limits.energy_min_kwh, np.maximum(after, limits.energy_min_kwh), after)
    after = np.where(np.asarray(energy_kwh) <= limits.energy_max_kwh, np.minimum(after, limits.energy_max_kwh), after)
    loss = -power * duration_h - change
    return StorageStep(power, np.asarray(after, dtype=np.float64), np.asarray(loss, dtype=np.float64))
