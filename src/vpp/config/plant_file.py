"""The plant file in its own shape: sites with assets behind one meter, prices, and how often to plan.

Here stands what each field may hold by itself; what fields must be to each other is in ``config.consistency``.
Every field has a description; ``vpp config schema`` prints them as JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Discriminator, Field, Tag

from vpp.config.asset_physics import (
    BatteryPhysics,
    EvPhysics,
    FlexiblePhysics,
    HeatPumpPhysics,
    LoadPhysics,
    SolarPhysics,
    WindPhysics,
)
from vpp.config.fields import (
    STRATEGIES,
    CadenceS,
    Cost,
    Currency,
    DailyEnergyKwh,
    Degrees90,
    Degrees180,
    Efficiency,
    EnergyKwh,
    FileNames,
    Fraction,
    HorizonS,
    Model,
    PowerKw,
    ResolutionS,
    Slug,
    SolverTimeoutS,
    StrategyName,
    Switch,
    ZoneName,
)
from vpp.config.prices_file import Prices


class _AssetHead(Model):
    kind: str
    id: Slug


class BatterySpec(BatteryPhysics, _AssetHead):
    """A battery. Omitted fields: round-trip efficiency 0.9, state of charge 0.1 to 0.9 starting at 0.5, wear 0.02."""

    kind: Literal["battery"]
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


class SolarSpec(SolarPhysics, _AssetHead):
    """A photovoltaic array, measured by ``<id>_kw``, non-negative."""

    kind: Literal["solar"]
    peak_kw: PowerKw = Field(description="nominal power [kW], 0 or more")
    curtailable: Switch = Field(default=False, description="true when its inverter obeys a cap")


class WindSpec(WindPhysics, _AssetHead):
    """A wind turbine or farm, measured by ``<id>_kw``, non-negative."""

    kind: Literal["wind"]
    rated_kw: PowerKw = Field(description="rated power [kW], 0 or more")
    curtailable: Switch = Field(default=False, description="true when it obeys a cap")


class LoadSpec(LoadPhysics, _AssetHead):
    """Consumption that is measured, not controlled, by ``<id>_kw``, non-negative."""

    kind: Literal["load"]
    peak_kw: PowerKw | None = Field(
        default=None, description="largest plausible power [kW]; used to find faulty readings"
    )


class EvChargerSpec(EvPhysics, _AssetHead):
    """A charging point; planned as measured consumption."""

    kind: Literal["ev_charger"]
    rated_kw: PowerKw = Field(description="largest charging power [kW]")
    capacity_kwh: EnergyKwh = Field(default=60.0, description="battery of the usual car [kWh]")


class HeatPumpSpec(HeatPumpPhysics, _AssetHead):
    """A heat pump; planned as measured consumption."""

    kind: Literal["heat_pump"]
    rated_kw: PowerKw = Field(description="largest electrical power [kW]")


class FlexibleLoadSpec(FlexiblePhysics, _AssetHead):
    """A machine that may choose when it runs; planned as measured consumption."""

    kind: Literal["flexible_load"]
    rated_kw: PowerKw = Field(description="largest power [kW]")
    energy_kwh_per_day: DailyEnergyKwh = Field(
        default=0.0, description="energy it needs a day [kWh], at most what fits its window at rated_kw"
    )


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
    """Where the plant stands; ``lat`` and ``lon`` are taken too."""

    latitude_deg: Degrees90 = Field(
        validation_alias=AliasChoices("latitude_deg", "latitude", "lat"), description="degrees north, -90 to 90"
    )
    longitude_deg: Degrees180 = Field(
        validation_alias=AliasChoices("longitude_deg", "longitude", "lon"), description="degrees east, -180 to 180"
    )


def _place_or_point(value: object) -> str:
    return "place" if isinstance(value, str) else "point"


Location = Annotated[
    Annotated[str, Tag("place")] | Annotated[LocationSpec, Tag("point")], Discriminator(_place_or_point)
]


class PlanningSpec(Model):
    """How far ahead and how often the plant is planned."""

    resolution_s: ResolutionS = Field(default=900, alias="resolution", description="length of a step, divides a day")
    horizon_s: HorizonS = Field(default=36 * 3600, alias="horizon", description="how far a plan looks ahead")
    plan_every_s: CadenceS | None = Field(
        default=None, alias="plan_every", description="cadence of plans; every step when left out"
    )
    forecast_every_s: CadenceS = Field(default=3600, alias="forecast_every", description="cadence of forecasts")
    refit_every_s: CadenceS = Field(default=7 * 86_400, alias="refit_every", description="cadence of training")
    strategy: StrategyName = Field(default="linear", description=f"one of {', '.join(STRATEGIES)}")
    solver_timeout_s: SolverTimeoutS = Field(default=5.0, description="seconds a plan may take")


class PlantFile(Model):
    """A plant: its sites, prices and planning."""

    id: Slug | None = Field(default=None, description="slug of the plant; made from the name when left out")
    name: Annotated[str, Field(min_length=1, max_length=120)] = Field(description="display name")
    timezone: ZoneName = Field(default="UTC", description="IANA zone of the plant's calendar and market")
    currency: Currency = Field(default="EUR", description="ISO 4217 code")
    location: Location | None = Field(default=None, description="a place name, or latitude and longitude")
    control: Switch = Field(default=False, description="true: commands are sent; false: advice only")
    history: FileNames | None = Field(
        default=None, description="CSV or Parquet files of past readings, relative to this file: one name or a list"
    )
    prices: Prices = Field(default=Prices(), description="what a kWh costs and earns")
    planning: PlanningSpec = Field(default=PlanningSpec(), description="how far and how often to plan")
    sites: tuple[SiteSpec, ...] = Field(min_length=1, description="sites, each behind its own meter")
