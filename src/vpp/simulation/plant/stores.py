"""The batteries of a plant, each in its own fidelity, stepped together: what the clocked device executes on.

Invariant: a step reports the power the model left of the request; the band it states before is never wider than the
ratings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery
from vpp.core.storage import StorageLimits, power_band_kw
from vpp.simulation.battery import PhysicalBattery, SimpleBattery
from vpp.simulation.plant.storing import physical_model, simple_model

Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Store:
    """One battery with its state."""

    battery: Battery
    model: SimpleBattery | PhysicalBattery
    state: Any
    soc: float

    @classmethod
    def new(cls, battery: Battery, outdoor_c: float) -> _Store:
        if battery.model == "simple":
            simple = simple_model(battery, floor=battery.soc_min)
            return cls(battery, simple, simple.initial(battery.soc_initial), battery.soc_initial)
        cells = physical_model(battery, floor=battery.soc_min)
        warm = outdoor_c if battery.ambient_c is None else battery.ambient_c
        return cls(battery, cells, cells.initial(battery.soc_initial, temperature_c=warm), battery.soc_initial)

    def hold(self, request_kw: float, *, duration_h: float, outdoor_c: float) -> float:
        """Hold a power for a step and return what became of it."""
        warm = outdoor_c if self.battery.ambient_c is None else self.battery.ambient_c
        done = self.model.step(self.state, request_kw, duration_h=duration_h, ambient_c=warm)
        self.state, self.soc = done.state, float(done.record.soc[0])
        return float(done.record.power_kw[0])


class Stores:
    """A batteries in the order of the plant.

    Parameters
    ----------
    batteries : tuple of Battery
        The plant's.
    outdoor_c : float
        Temperature outside at the start.
    """

    def __init__(self, batteries: tuple[Battery, ...], *, outdoor_c: float) -> None:
        self._stores = [_Store.new(battery, outdoor_c) for battery in batteries]
        self._capacity_kwh = np.array([battery.capacity_kwh for battery in batteries])
        self._limits = StorageLimits(
            np.array([b.soc_min * b.capacity_kwh for b in batteries]),
            np.array([b.soc_max * b.capacity_kwh for b in batteries]),
            np.array([b.charge_max_kw for b in batteries]),
            np.array([b.discharge_max_kw for b in batteries]),
            np.array([b.charge_efficiency for b in batteries]),
            np.array([b.discharge_efficiency for b in batteries]),
        )

    @property
    def soc(self) -> Floats:
        """States of charge (0-1), shape (A,)."""
        return np.array([store.soc for store in self._stores])

    @property
    def energy_kwh(self) -> Floats:
        """State of charge times nominal capacity [kWh], shape (A,); what a plan counts with."""
        return np.asarray(self.soc * self._capacity_kwh)

    def band_kw(self, *, duration_h: float) -> tuple[Floats, Floats]:
        """Return the powers the batteries can be expected to hold, by the efficiencies that plans count with."""
        return power_band_kw(self.energy_kwh, self._limits, duration_h=duration_h)

    def hold(self, request_kw: Floats, *, duration_h: float, outdoor_c: float) -> Floats:
        """Hold powers for a step and return what the models left of them [kW], shape (A,)."""
        pairs = zip(self._stores, request_kw.tolist(), strict=True)
        return np.array([store.hold(kw, duration_h=duration_h, outdoor_c=outdoor_c) for store, kw in pairs])
