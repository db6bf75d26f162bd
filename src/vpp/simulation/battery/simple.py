"""Simple batteries: power, energy, one-way efficiencies, standby loss. The planner's own view of a battery.

Invariant: every step is ``core.storage``'s energy balance; the standby loss is taken from the store first, down to
the band's floor and no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.assets import Battery
from vpp.core.errors import InvalidInputError
from vpp.core.storage import StorageLimits, execute
from vpp.simulation.battery.model import LIMITS, BatteryRecord, BatteryStep, parameter, requested

Floats = NDArray[np.float64]
ROUNDING_KW = 1e-9


@dataclass(frozen=True, slots=True)
class SimpleState:
    """Where A simple batteries stand.

    Parameters
    ----------
    energy_kwh : float array, shape (A,)
        Energy stored.
    moved_kwh : float array, shape (A,)
        Energy put into and taken out of the store so far.
    """

    energy_kwh: Floats
    moved_kwh: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleBattery:
    """A batteries side by side; every parameter is one number for all or an array of shape (A,).

    Parameters
    ----------
    count : int
        A, 1 or more.
    capacity_kwh : float or array
        Above 0.
    charge_max_kw, discharge_max_kw : float or array
        At the terminals, 0 or more.
    charge_efficiency, discharge_efficiency : float or array
        One-way, in (0, 1].
    soc_min, soc_max : float or array
        Band of the state of charge (0-1).
    standby_kw : float or array
        Drawn from the store by electronics and self-discharge, 0 or more.

    Examples
    --------
    >>> home = SimpleBattery(capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0)
    >>> done = home.step(home.initial(0.5), -9.0, duration_h=0.25)
    >>> done.record.power_kw.tolist(), round(float(done.record.soc[0]), 6)
    ([-5.0], 0.618585)
    """

    count: int = 1
    capacity_kwh: ArrayLike
    charge_max_kw: ArrayLike
    discharge_max_kw: ArrayLike
    charge_efficiency: ArrayLike = 0.9**0.5
    discharge_efficiency: ArrayLike = 0.9**0.5
    soc_min: ArrayLike = 0.0
    soc_max: ArrayLike = 1.0
    standby_kw: ArrayLike = 0.0

    def __post_init__(self) -> None:
        """Check every range and give every parameter its shape (A,)."""
        if self.count < 1:
            raise InvalidInputError("battery.count", self.count, "1 or more batteries")
        ranges = {
            "capacity_kwh": (0.0, np.inf, "kWh", True),
            "charge_max_kw": (0.0, np.inf, "kW", False),
            "discharge_max_kw": (0.0, np.inf, "kW", False),
            "charge_efficiency": (0.0, 1.0, "one-way", True),
            "discharge_efficiency": (0.0, 1.0, "one-way", True),
            "soc_min": (0.0, 1.0, "of capacity", False),
            "soc_max": (0.0, 1.0, "of capacity", False),
            "standby_kw": (0.0, np.inf, "kW", False),
        }
        for name, (low, high, unit, above) in ranges.items():
            given = getattr(self, name)
            checked = parameter("battery", name, given, self.count, low=low, high=high, unit=unit, above=above)
            object.__setattr__(self, name, checked)
        if not np.all(np.asarray(self.soc_min) <= np.asarray(self.soc_max)):
            raise InvalidInputError("battery.soc_min", self.soc_min, f"at most soc_max ({self.soc_max})")

    @classmethod
    def of(cls, batteries: Sequence[Battery]) -> SimpleBattery:
        """Return the model of a plant's batteries, in their order."""
        shared = {field.name for field in fields(cls)} & {field.name for field in fields(Battery)}
        columns = {name: np.array([getattr(battery, name) for battery in batteries]) for name in shared}
        return cls(count=len(batteries), **columns)

    @property
    def limits(self) -> StorageLimits:
        """The limits that the energy balance works with, arrays of shape (A,)."""
        capacity = np.asarray(self.capacity_kwh)
        return StorageLimits(
            np.asarray(self.soc_min) * capacity,
            np.asarray(self.soc_max) * capacity,
            self.charge_max_kw,
            self.discharge_max_kw,
            self.charge_efficiency,
            self.discharge_efficiency,
        )

    def initial(self, soc: ArrayLike = 0.5) -> SimpleState:
        """Return batteries at a state of charge inside their bands."""
        start = parameter("battery", "soc", soc, self.count, low=0.0, high=1.0, unit="of capacity")
        if not np.all((start >= np.asarray(self.soc_min)) & (start <= np.asarray(self.soc_max))):
            raise InvalidInputError("battery.soc", soc, f"inside the band, {self.soc_min} to {self.soc_max}")
        return SimpleState(start * np.asarray(self.capacity_kwh), np.zeros(self.count))

    def step(
        self, state: SimpleState, request_kw: ArrayLike, *, duration_h: float, ambient_c: ArrayLike = 25.0
    ) -> BatteryStep[SimpleState]:
        """Hold a requested power for one step; the ambient temperature has no effect."""
        request = requested("request_kw", request_kw, (self.count,))
        return self.run(state, request[None, :], duration_h=duration_h, ambient_c=ambient_c).first()

    def run(
        self, state: SimpleState, request_kw: ArrayLike, *, duration_h: float, ambient_c: ArrayLike = 25.0
    ) -> BatteryStep[SimpleState]:
        """Hold requested powers of shape (T, A) one after the other; the ambient temperature has no effect."""
        given = np.asarray(request_kw, dtype=np.float64)
        request = requested("request_kw", given, (given.shape[0], self.count))
        requested("ambient_c", ambient_c, request.shape)
        limits, capacity = self.limits, np.asarray(self.capacity_kwh)
        idle_kwh = np.asarray(self.standby_kw) * duration_h
        power, loss, energy, moved = (np.empty(request.shape) for _ in range(4))
        now_kwh, moved_kwh = state.energy_kwh, state.moved_kwh
        for step, wanted in enumerate(request):
            drained = np.minimum(idle_kwh, np.maximum(now_kwh - np.asarray(limits.energy_min_kwh), 0.0))
            kept = now_kwh - drained
            done = execute(kept, wanted, limits, duration_h=duration_h)
            moved_kwh = moved_kwh + np.abs(done.energy_kwh - kept)
            power[step], loss[step], energy[step] = done.power_kw, done.loss_kwh + drained, done.energy_kwh
            moved[step], now_kwh = moved_kwh, done.energy_kwh
        rated = np.clip(request, -np.asarray(self.charge_max_kw), self.discharge_max_kw)
        limit = np.where(np.abs(power - rated) > ROUNDING_KW, LIMITS.index("charge"), 0)
        limit = np.where((limit == 0) & (np.abs(power - request) > ROUNDING_KW), LIMITS.index("power"), limit)
        record = BatteryRecord(
            power_kw=power,
            loss_kwh=loss,
            fade_kwh=np.zeros(request.shape),
            stored_kwh=energy,
            soc=energy / capacity,
            voltage_v=np.full(request.shape, np.nan),
            temperature_c=np.full(request.shape, np.nan),
            equivalent_full_cycles=0.5 * moved / capacity,
            state_of_health=np.ones(request.shape),
            resistance_growth=np.ones(request.shape),
            limit=limit.astype(np.int8),
        )
        return BatteryStep(SimpleState(now_kwh, moved_kwh), record)
