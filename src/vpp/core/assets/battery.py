"""Battery: a store at its terminals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from vpp.core.assets.ranges import check_choice, check_optional, check_range, check_slug
from vpp.core.storage import StorageLimits

Fidelity = Literal["simple", "physical"]
Chemistry = Literal["lfp", "nmc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """A battery at its terminals.

    Parameters
    ----------
    id : str
        Slug, unique in the plant.
    capacity_kwh : float
        Nominal energy, above 0.
    charge_max_kw, discharge_max_kw : float
        Largest terminal powers, 0 or more.
    charge_efficiency, discharge_efficiency : float
        One-way efficiencies in (0, 1].
    soc_min, soc_max, soc_initial : float
        Band and start of the state of charge (0-1).
    backup_soc : float
        Level kept for an outage (0-1): a soft floor that plans leave only when nothing else is feasible.
    wear_cost_per_kwh : float
        Cost of wear per kWh discharged at the terminals [currency/kWh], 0 or more.
    model : {"simple", "physical"}
        How it is simulated: by its efficiencies, or by cells with voltage, heat and ageing.
    chemistry : {"lfp", "nmc"}
        Which cells; for the physical model.
    standby_kw : float
        Drawn from the store by its electronics, 0 or more; for the simple model.
    ambient_c : float or None
        Temperature around it, -40 to 60; the outdoor air by default. For the physical model.
    """

    kind: ClassVar[str] = "battery"
    id: str
    capacity_kwh: float
    charge_max_kw: float
    discharge_max_kw: float
    charge_efficiency: float = 0.9**0.5
    discharge_efficiency: float = 0.9**0.5
    soc_min: float = 0.1
    soc_max: float = 0.9
    soc_initial: float = 0.5
    backup_soc: float = 0.0
    wear_cost_per_kwh: float = 0.0
    model: Fidelity = "simple"
    chemistry: Chemistry = "lfp"
    standby_kw: float = 0.0
    ambient_c: float | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "capacity_kwh", self.capacity_kwh, low=1e-9, unit="kWh")
        check_range(self.id, "charge_max_kw", self.charge_max_kw, low=0.0, unit="kW")
        check_range(self.id, "discharge_max_kw", self.discharge_max_kw, low=0.0, unit="kW")
        check_range(self.id, "charge_efficiency", self.charge_efficiency, low=1e-3, high=1.0)
        check_range(self.id, "discharge_efficiency", self.discharge_efficiency, low=1e-3, high=1.0)
        check_range(self.id, "soc_min", self.soc_min, low=0.0, high=1.0)
        check_range(self.id, "soc_max", self.soc_max, low=self.soc_min, high=1.0)
        check_range(self.id, "soc_initial", self.soc_initial, low=self.soc_min, high=self.soc_max)
        check_range(self.id, "backup_soc", self.backup_soc, low=0.0, high=self.soc_max)
        check_range(self.id, "wear_cost_per_kwh", self.wear_cost_per_kwh, low=0.0)
        check_choice(self.id, "model", self.model, get_args(Fidelity))
        check_choice(self.id, "chemistry", self.chemistry, get_args(Chemistry))
        check_range(self.id, "standby_kw", self.standby_kw, low=0.0, unit="kW")
        check_optional(self.id, "ambient_c", self.ambient_c, low=-40.0, high=60.0, unit="degC")

    @property
    def round_trip_efficiency(self) -> float:
        """Product of the one-way efficiencies."""
        return self.charge_efficiency * self.discharge_efficiency

    @property
    def limits(self) -> StorageLimits:
        """The limits that the energy balance works with."""
        return StorageLimits(
            self.soc_min * self.capacity_kwh,
            self.soc_max * self.capacity_kwh,
            self.charge_max_kw,
            self.discharge_max_kw,
            self.charge_efficiency,
            self.discharge_efficiency,
        )
