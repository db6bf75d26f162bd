"""What a user may know about an asset beyond its size: the fields both shapes of a plant file share.

They make simulations his; what is left out takes a usual value. Ranges are those of the nouns in ``core.assets``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vpp.config.fields import Cop, Fraction, Model, PowerKw, said

Degrees = Annotated[float, Field(ge=0.0, le=360.0), said("degrees clockwise from north, 0 to 360")]
Tilt = Annotated[float, Field(ge=0.0, le=90.0), said("degrees from the horizontal, 0 to 90")]
InverterKw = Annotated[PowerKw, Field(ge=1e-6), said("a power above 0: a number [kW] or a text such as '5 kW'")]
InverterEfficiency = Annotated[float, Field(ge=0.5, le=1.0), said("an efficiency, 0.5 to 1")]
PerDegree = Annotated[float, Field(ge=-0.02, le=0.0), said("a change of power per degree, -0.02 to 0")]
Loss = Annotated[float, Field(ge=0.0, le=0.99), said("a fraction, 0 to 0.99")]
PerYear = Annotated[float, Field(ge=0.0, le=0.1), said("a fraction per year, 0 to 0.1")]
Years = Annotated[float, Field(ge=0.0, le=60.0), said("years, 0 to 60")]
HubHeight = Annotated[float, Field(ge=1.0, le=300.0), said("metres, 1 to 300")]
Roughness = Annotated[float, Field(ge=1e-5, le=5.0), said("metres, 1e-5 to 5")]
Standby = Annotated[PowerKw, said("a power of 0 or more: a number [kW] or a text such as '20 W'")]
Ambient = Annotated[float, Field(ge=-40.0, le=60.0), said("degrees C, -40 to 60")]
AnnualKwh = Annotated[float, Field(ge=1e-3, le=1e12), said("kWh a year, above 0 (1e-3) to 1e12")]
Hour = Annotated[float, Field(ge=0.0, le=24.0), said("a local hour, 0 to 24, such as 18.5")]
SessionKwh = Annotated[float, Field(ge=0.0, le=1e4), said("kWh, 0 to 1e4")]
PerWeek = Annotated[float, Field(ge=0.0, le=7.0), said("days a week, 0 to 7")]
Resistance = Annotated[float, Field(ge=1e-3, le=1e3), said("K per kW, 1e-3 to 1000")]  # house: allow-1000, kelvin
Capacity = Annotated[float, Field(ge=1e-3, le=1e6), said("kWh per K, 1e-3 to 1e6")]
Comfort = Annotated[float, Field(ge=-50.0, le=60.0), said("degrees C, -50 to 60")]


class BatteryPhysics(Model):
    """How a battery is simulated."""

    model: Literal["simple", "physical"] = Field(
        default="simple", description="simple: by its efficiencies; physical: cells with voltage, heat and ageing"
    )
    chemistry: Literal["lfp", "nmc"] = Field(default="lfp", description="cells of the physical model: lfp or nmc")
    standby_kw: Standby = Field(default=0.0, description="drawn by the electronics of the simple model [kW], 0 or more")
    ambient_c: Ambient | None = Field(
        default=None, description="temperature around the physical model [degC]; the outdoor air when left out"
    )


class SolarPhysics(Model):
    """How a photovoltaic array is built."""

    tilt_deg: Tilt = Field(default=30.0, description="from the horizontal [deg], 0 to 90")
    azimuth_deg: Degrees | None = Field(
        default=None, description="where it looks, clockwise from north [deg]; toward the equator when left out"
    )
    inverter_kw: InverterKw | None = Field(
        default=None, description="largest power of the inverter [kW]; the modules' over 1.2 when left out"
    )
    inverter_efficiency: InverterEfficiency = Field(default=0.96, description="nominal, 0.5 to 1")
    temperature_coefficient_per_c: PerDegree = Field(
        default=-0.004, description="change of power per degree of the cells, -0.02 to 0"
    )
    loss_fraction: Loss = Field(default=0.12, description="lost to wiring, mismatch, shading and outages, 0 to 0.99")
    soiling_fraction: Loss = Field(default=0.02, description="lost to dirt, 0 to 0.99")
    degradation_per_year: PerYear = Field(default=0.005, description="power lost per year of age, 0 to 0.1")
    age_years: Years = Field(default=0.0, description="age when a simulation starts, 0 to 60")


class WindPhysics(Model):
    """How a wind turbine is built and where it stands."""

    turbine_type: Annotated[str, Field(min_length=1, max_length=80)] | None = Field(
        default=None, description="power curve of the catalogue, e.g. E-126/4200; a generic one when left out"
    )
    hub_height_m: HubHeight | None = Field(
        default=None, description="height of the hub [m]; 100 when left out, 20 under 100 kW"
    )
    roughness_m: Roughness = Field(
        default=0.1, description="roughness of the ground [m]: 0.0002 water, 0.03 grass, 0.1 farmland"
    )


class LoadPhysics(Model):
    """What draws the power of a load."""

    profile: Literal["household", "office", "shop", "plant", "data_centre"] | None = Field(
        default=None, description="what draws; a household up to 30 kW or without a peak, a plant beyond"
    )
    annual_energy_kwh: AnnualKwh | None = Field(
        default=None, description="energy of a usual year [kWh]; 4000 for a household, else what fits the peak"
    )
    heating_fraction: Fraction | None = Field(
        default=None, description="share of a household's energy that heats it; 0 when left out"
    )
    cooling_fraction: Fraction | None = Field(
        default=None, description="share of a household's energy that cools it; 0.1 when left out"
    )


class EvPhysics(Model):
    """When a car comes and what it needs."""

    arrival_hour: Hour | None = Field(default=None, description="usual local hour of arrival; about 18 when left out")
    departure_hour: Hour | None = Field(default=None, description="usual local hour of leaving; about 7 when left out")
    energy_per_session_kwh: SessionKwh | None = Field(
        default=None, description="mean energy the car needs [kWh], at most its battery; about 9 when left out"
    )
    sessions_per_week: PerWeek | None = Field(
        default=None, description="days on which it is plugged in, 0 to 7; about 4 when left out"
    )


class HeatPumpPhysics(Model):
    """A heat pump and the house it warms."""

    cop: Cop = Field(default=3.0, description="heat per electricity at 7 degrees outside, 0.1 to 20")
    thermal_resistance_k_per_kw: Resistance = Field(
        default=2.0, description="how many kelvin warmer than outside each kW of heat keeps the house"
    )
    thermal_capacity_kwh_per_k: Capacity = Field(
        default=10.0, description="heat stored in the house per kelvin [kWh/K]"
    )
    temperature_min_c: Comfort = Field(default=20.0, description="lowest indoor temperature [degC]")
    temperature_max_c: Comfort = Field(default=22.0, description="highest indoor temperature [degC], above the lowest")


class FlexiblePhysics(Model):
    """When a machine may run."""

    earliest_hour: Hour = Field(default=0.0, description="local hour from which it may run, 0 to 24")
    latest_hour: Hour = Field(
        default=24.0, description="local hour by which it must be done; at or before the earliest: on the next day"
    )
