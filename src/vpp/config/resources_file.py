"""The short shape of a plant file: a flat list of ``resources`` behind one meter.

It is read, checked in its own terms, and turned into the full shape. What it omits takes the defaults of that shape.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from vpp.config.asset_physics import (
    BatteryPhysics,
    EvPhysics,
    HeatPumpPhysics,
    LoadPhysics,
    SolarPhysics,
    WindPhysics,
)
from vpp.config.fields import (
    LATER_STRATEGIES,
    Cost,
    Currency,
    Efficiency,
    EnergyKwh,
    FileNames,
    Fraction,
    Model,
    PowerKw,
    SolverTimeoutS,
    StrategyName,
    Switch,
    ZoneName,
    said,
    slug,
)
from vpp.config.plant_file import ConnectionSpec, Location
from vpp.config.prices_file import Prices
from vpp.core.units import SECONDS_PER_HOUR

PlanHours = Annotated[float, Field(ge=0.25, le=24 * 14), said("hours, 0.25 to 336")]


class _Resource(Model):
    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="display name; its slug becomes the id"
    )
    max_power: PowerKw | None = Field(default=None, description="largest power [kW]")
    peak_power: PowerKw | None = Field(default=None, description="largest power [kW]")
    rated_power: PowerKw | None = Field(default=None, description="largest power [kW]")

    @property
    def power_kw(self) -> float | None:
        """The largest power, under whichever name it was given."""
        return next((p for p in (self.max_power, self.peak_power, self.rated_power) if p is not None), None)


class BatteryResource(BatteryPhysics, _Resource):
    """A battery: capacity [kWh] and max_power [kW]."""

    type: Literal["battery"]
    capacity: EnergyKwh = Field(description="nominal energy [kWh], above 0")
    efficiency: Efficiency = Field(default=0.9, description="round-trip efficiency, above 0 to 1")
    min_soc: Fraction = Field(default=0.1, description="lowest state of charge, 0 to 1")
    max_soc: Fraction = Field(default=0.9, description="highest state of charge, 0 to 1")
    initial_soc: Fraction = Field(default=0.5, description="state of charge at the start, 0 to 1")
    backup_soc: Fraction = Field(default=0.0, description="level kept for an outage, 0 to 1")
    wear_cost_per_kwh: Cost = Field(default=0.02, description="wear per kWh discharged [currency/kWh]")


class SolarResource(SolarPhysics, _Resource):
    """A photovoltaic array: peak_power [kW]."""

    type: Literal["solar"]
    curtailable: Switch = Field(default=False, description="true when its inverter obeys a cap")


class WindResource(WindPhysics, _Resource):
    """A wind turbine: rated_power [kW]."""

    type: Literal["wind"]
    curtailable: Switch = Field(default=False, description="true when it obeys a cap")


class LoadResource(LoadPhysics, _Resource):
    """Consumption: peak_power [kW], if known. Every other type needs its largest power."""

    type: Literal["load"]


class EvChargerResource(EvPhysics, _Resource):
    """A charging point: max_power [kW], and the car's capacity [kWh] if known."""

    type: Literal["ev_charger"]
    capacity: EnergyKwh = Field(default=60.0, description="battery of the usual car [kWh]")


class HeatPumpResource(HeatPumpPhysics, _Resource):
    """A heat pump: rated_power [kW]."""

    type: Literal["heat_pump"]


Resource = Annotated[
    BatteryResource | SolarResource | WindResource | LoadResource | EvChargerResource | HeatPumpResource,
    Field(discriminator="type"),
]


class OptimizationSection(Model):
    """How the plant is planned."""

    strategy: StrategyName = Field(default="linear", description="name of the planner")
    time_horizon: PlanHours = Field(default=36.0, description="hours planned ahead, a multiple of 0.25")
    solver_timeout: SolverTimeoutS = Field(default=5.0, description="seconds a plan may take")


class ResourcesFile(Model):
    """A plant as a list of resources behind one meter."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = Field(description="display name")
    location: Location | None = Field(default=None, description="a place name, or latitude and longitude")
    timezone: ZoneName = Field(default="UTC", description="IANA zone")
    currency: Currency = Field(default="EUR", description="ISO 4217 code")
    control: Switch = Field(default=False, description="true: commands are sent; false: advice only")
    history: FileNames | None = Field(
        default=None, description="CSV or Parquet files of past readings, relative to this file: one name or a list"
    )
    optimization: OptimizationSection = Field(default=OptimizationSection(), description="how the plant is planned")
    connection: ConnectionSpec = Field(default=ConnectionSpec(), description="limits of the meter")
    prices: Prices = Field(default=Prices(), description="what a kWh costs and earns")
    resources: tuple[Resource, ...] = Field(min_length=1, description="what stands behind the meter")

    def _site_id(self) -> str:
        """Return an id for the one site that no resource has."""
        taken = {slug(resource.name) for resource in self.resources}
        return next(name for name in ("site", *(f"site-{i}" for i in range(len(taken)))) if name not in taken)

    def full_shape(self) -> dict[str, Any]:
        """Return the same plant in the full shape, as a mapping that ``PlantFile`` reads."""
        strategy = "linear" if self.optimization.strategy in LATER_STRATEGIES else self.optimization.strategy
        return {
            "name": self.name,
            "location": self.location,
            "timezone": self.timezone,
            "currency": self.currency,
            "control": self.control,
            "history": self.history,
            "prices": self.prices,
            "planning": {
                "horizon": round(self.optimization.time_horizon * SECONDS_PER_HOUR),
                "solver_timeout_s": self.optimization.solver_timeout,
                "strategy": strategy,
            },
            "sites": [
                {
                    "id": self._site_id(),
                    "connection": self.connection,
                    "assets": [_asset(resource) for resource in self.resources],
                }
            ],
        }


def _asset(resource: Resource) -> dict[str, Any]:
    shared: dict[str, Any] = {"kind": resource.type, "id": slug(resource.name)} | _physics(resource)
    power_kw = resource.power_kw
    if isinstance(resource, BatteryResource):
        return shared | {
            "capacity_kwh": resource.capacity,
            "power_kw": power_kw,
            "round_trip_efficiency": resource.efficiency,
            "soc_min": resource.min_soc,
            "soc_max": resource.max_soc,
            "soc_initial": resource.initial_soc,
            "backup_soc": resource.backup_soc,
            "wear_cost_per_kwh": resource.wear_cost_per_kwh,
        }
    if isinstance(resource, SolarResource):
        return shared | {"peak_kw": power_kw, "curtailable": resource.curtailable}
    if isinstance(resource, WindResource):
        return shared | {"rated_kw": power_kw, "curtailable": resource.curtailable}
    if isinstance(resource, EvChargerResource):
        return shared | {"rated_kw": power_kw, "capacity_kwh": resource.capacity}
    if isinstance(resource, HeatPumpResource):
        return shared | {"rated_kw": power_kw}
    return shared | {"peak_kw": power_kw}


def _physics(resource: Resource) -> dict[str, Any]:
    """Return the fields that both shapes share."""
    kinds = (BatteryPhysics, SolarPhysics, WindPhysics, LoadPhysics, EvPhysics, HeatPumpPhysics)
    names = {name for kind in kinds if isinstance(resource, kind) for name in kind.model_fields}
    return resource.model_dump(include=names)
