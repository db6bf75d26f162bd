"""The plant file in its own shape: sites with assets behind one meter, prices, and how often to plan.

Every field has a description; ``vpp config schema`` prints them as JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vpp.config.fields import (
    STRATEGIES,
    Cost,
    DurationS,
    Efficiency,
    EnergyKwh,
    Fraction,
    Model,
    PowerKw,
    ResolutionS,
    Slug,
    StrategyName,
    ZoneName,
)
from vpp.config.prices_file import Prices


class BatterySpec(Model):
    """A battery. Omitted fields: round-trip efficiency 0.9, state of charge 0.1 to 0.9 starting at 0.5, wear 0.02."""

    kind: Literal["battery"]
    id: Slug
    capacity_kwh: EnergyKwh = Field(description="nominal energy [kWh], above 0")
    power_kw: PowerKw | None = Field(default=None, description="largest power both ways [kW]")
    charge_max_kw: PowerKw | None = Field(default=None, description="largest charging power [kW], instead of power_kw")
    discharge_max_kw: PowerKw | None = Field(
        default=None, description="largest discharging power [kW], instead of power_kw"
    )
    round_trip_efficiency: Efficiency = Field(default=0.9, description="energy out per energy in, above 0 to 1")
    soc_min: Fraction = Field(default=0.1, description="lowest state of charge, 0 to 1")
    soc_max: Fraction = Field(default=0.9, description="highest state of charge, 0 to 1")
    soc_initial: Fraction = Field(default=0.5, description="state of charge before the first measurement, 0 to 1")
    backup_soc: Fraction = Field(default=0.0, description="level kept for an outage, 0 to soc_max")
    wear_cost_per_kwh: Cost = Field(default=0.02, description="wear per kWh discharged [currency/kWh], 0 or more")

    @model_validator(mode="after")
    def _consistent(self) -> BatterySpec:
        if self.power_kw is None and (self.charge_max_kw is None or self.discharge_max_kw is None):
            raise ValueError("power_kw, or both charge_max_kw and discharge_max_kw")
        if self.soc_min > self.soc_max:
            raise ValueError(f"soc_min at most soc_max; got soc_min {self.soc_min:g} over soc_max {self.soc_max:g}")
        if not self.soc_min <= self.soc_initial <= self.soc_max:
            raise ValueError(
                f"soc_initial between soc_min {self.soc_min:g} and soc_max {self.soc_max:g}; got {self.soc_initial:g}"
            )
        if self.backup_soc > self.soc_max:
            raise ValueError(f"backup_soc at most soc_max {self.soc_max:g}; got {self.backup_soc:g}")
        return self


class SolarSpec(Model):
    """A photovoltaic array, measured by ``<id>_kw``, non-negative."""

    kind: Literal["solar"]
    id: Slug
    peak_kw: PowerKw = Field(description="nominal power [kW], 0 or more")
    curtailable: bool = Field(default=False, description="true when its inverter obeys a cap")


class WindSpec(Model):
    """A wind turbine or farm, measured by ``<id>_kw``, non-negative."""

    kind: Literal["wind"]
    id: Slug
    rated_kw: PowerKw = Field(description="rated power [kW], 0 or more")
    curtailable: bool = Field(default=False, description="true when it obeys a cap")


class LoadSpec(Model):
    """Consumption that is measured, not controlled, by ``<id>_kw``, non-negative."""

    kind: Literal["load"]
    id: Slug
    peak_kw: PowerKw | None = Field(
        default=None, description="largest plausible power [kW]; used to find faulty readings"
    )


class EvChargerSpec(Model):
    """A charging point; planned as measured consumption."""

    kind: Literal["ev_charger"]
    id: Slug
    rated_kw: PowerKw = Field(description="largest charging power [kW]")
    capacity_kwh: EnergyKwh = Field(default=60.0, description="battery of the usual car [kWh]")


class HeatPumpSpec(Model):
    """A heat pump; planned as measured consumption."""

    kind: Literal["heat_pump"]
    id: Slug
    rated_kw: PowerKw = Field(description="largest electrical power [kW]")
    cop: Annotated[float, Field(gt=0.0, le=20.0)] = Field(
        default=3.0, description="heat per electricity, above 0 to 20"
    )


class FlexibleLoadSpec(Model):
    """A machine that may choose when it runs; planned as measured consumption."""

    kind: Literal["flexible_load"]
    id: Slug
    rated_kw: PowerKw = Field(description="largest power [kW]")
    energy_kwh_per_day: Annotated[float, Field(ge=0.0)] = Field(default=0.0, description="energy it needs a day [kWh]")


AssetSpec = Annotated[
    BatterySpec | SolarSpec | WindSpec | LoadSpec | EvChargerSpec | HeatPumpSpec | FlexibleLoadSpec,
    Field(discriminator="kind"),
]


class ConnectionSpec(Model):
    """The limits of a site's meter."""

    import_max_kw: PowerKw | None = Field(default=None, description="largest power drawn [kW]; no limit when left out")
    export_max_kw: PowerKw | None = Field(default=None, description="largest power fed in [kW]; no limit when left out")


class SiteSpec(Model):
    """Assets behind one meter."""

    id: Slug
    connection: ConnectionSpec = Field(default=ConnectionSpec(), description="limits of the meter")
    assets: tuple[AssetSpec, ...] = Field(min_length=1, description="what stands behind the meter")


class LocationSpec(Model):
    """Where the plant stands."""

    latitude_deg: Annotated[float, Field(ge=-90.0, le=90.0)] = Field(description="degrees north, -90 to 90")
    longitude_deg: Annotated[float, Field(ge=-180.0, le=180.0)] = Field(description="degrees east, -180 to 180")


class PlanningSpec(Model):
    """How far ahead and how often the plant is planned."""

    resolution_s: ResolutionS = Field(default=900, alias="resolution", description="length of a step, divides a day")
    horizon_s: DurationS = Field(default=36 * 3600, alias="horizon", description="how far a plan looks ahead")
    plan_every_s: DurationS | None = Field(
        default=None, alias="plan_every", description="cadence of plans; every step when left out"
    )
    forecast_every_s: DurationS = Field(default=3600, alias="forecast_every", description="cadence of forecasts")
    refit_every_s: DurationS = Field(default=7 * 86_400, alias="refit_every", description="cadence of training")
    strategy: StrategyName = Field(default="linear", description=f"one of {', '.join(STRATEGIES)}")
    solver_timeout_s: Annotated[float, Field(gt=0.0, le=3600.0)] = Field(
        default=5.0, description="seconds a plan may take"
    )

    @model_validator(mode="after")
    def _whole_steps(self) -> PlanningSpec:
        for name in ("horizon", "plan_every", "forecast_every", "refit_every"):
            seconds = getattr(self, f"{name}_s")
            if seconds is not None and seconds % self.resolution_s:
                raise ValueError(f"{name} a multiple of the resolution, {self.resolution_s} s; got {seconds} s")
        return self


class PlantFile(Model):
    """A plant: its sites, prices and planning."""

    id: Slug | None = Field(default=None, description="slug of the plant; made from the name when left out")
    name: Annotated[str, Field(min_length=1, max_length=120)] = Field(description="display name")
    timezone: ZoneName = Field(default="UTC", description="IANA zone of the plant's calendar and market")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(default="EUR", description="ISO 4217 code")
    location: LocationSpec | str | None = Field(default=None, description="a place name, or latitude and longitude")
    control: bool = Field(default=False, description="true: commands are sent; false: advice only")
    history: str | None = Field(default=None, description="CSV or Parquet of past readings, relative to this file")
    prices: Prices = Field(default=Prices(), description="what a kWh costs and earns")
    planning: PlanningSpec = Field(default=PlanningSpec(), description="how far and how often to plan")
    sites: tuple[SiteSpec, ...] = Field(min_length=1, description="sites, each behind its own meter")
