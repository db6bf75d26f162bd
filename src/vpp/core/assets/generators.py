"""Generators: solar arrays and wind turbines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from vpp.core.assets.ranges import check_optional, check_range, check_slug


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarArray:
    """A photovoltaic array.

    Parameters
    ----------
    peak_kw : float
        Power of the modules at 1000 W/m2 and 25 degrees, 0 or more.
    curtailable : bool
        True when its inverter obeys a cap on its power.
    tilt_deg : float
        From the horizontal, 0 to 90.
    azimuth_deg : float or None
        Where it looks, clockwise from north, 0 to 360; by default toward the equator.
    inverter_kw : float or None
        Largest power of the inverter, above 0; by default ``peak_kw`` over 1.2.
    inverter_efficiency : float
        Nominal, 0.5 to 1.
    temperature_coefficient_per_c : float
        Change of power per degree of cell temperature, -0.02 to 0.
    loss_fraction, soiling_fraction : float
        Shares of the modules' power lost to wiring, mismatch, shading and outages, and to dirt, 0 to 0.99.
    degradation_per_year : float
        Power lost per year of age, 0 to 0.1.
    age_years : float
        Age when a simulation starts, 0 to 60.
    """

    kind: ClassVar[str] = "solar"
    id: str
    peak_kw: float
    curtailable: bool = False
    tilt_deg: float = 30.0
    azimuth_deg: float | None = None
    inverter_kw: float | None = None
    inverter_efficiency: float = 0.96
    temperature_coefficient_per_c: float = -0.004
    loss_fraction: float = 0.12
    soiling_fraction: float = 0.02
    degradation_per_year: float = 0.005
    age_years: float = 0.0

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "peak_kw", self.peak_kw, low=0.0, unit="kW")
        check_range(self.id, "tilt_deg", self.tilt_deg, low=0.0, high=90.0, unit="deg")
        check_optional(self.id, "azimuth_deg", self.azimuth_deg, low=0.0, high=360.0, unit="deg")
        check_optional(self.id, "inverter_kw", self.inverter_kw, low=1e-6, unit="kW")
        check_range(self.id, "inverter_efficiency", self.inverter_efficiency, low=0.5, high=1.0)
        check_range(self.id, "temperature_coefficient_per_c", self.temperature_coefficient_per_c, low=-0.02, high=0.0)
        check_range(self.id, "loss_fraction", self.loss_fraction, low=0.0, high=0.99)
        check_range(self.id, "soiling_fraction", self.soiling_fraction, low=0.0, high=0.99)
        check_range(self.id, "degradation_per_year", self.degradation_per_year, low=0.0, high=0.1)
        check_range(self.id, "age_years", self.age_years, low=0.0, high=60.0, unit="years")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindTurbine:
    """A wind turbine or farm.

    Parameters
    ----------
    rated_kw : float
        Rated power, 0 or more.
    curtailable : bool
        True when it obeys a cap on its power.
    turbine_type : str or None
        Name in the catalogue of power curves, scaled to the rated power; a generic curve by default.
    hub_height_m : float or None
        Height of the hub, 1 to 300; by default 100, or 20 under 100 kW.
    roughness_m : float
        Roughness length of the ground, 1e-5 to 5 (0.0002 open water, 0.03 grass, 0.1 farmland).
    """

    kind: ClassVar[str] = "wind"
    id: str
    rated_kw: float
    curtailable: bool = False
    turbine_type: str | None = None
    hub_height_m: float | None = None
    roughness_m: float = 0.1

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        check_range(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        check_optional(self.id, "hub_height_m", self.hub_height_m, low=1.0, high=300.0, unit="m")
        check_range(self.id, "roughness_m", self.roughness_m, low=1e-5, high=5.0, unit="m")

    @property
    def peak_kw(self) -> float:
        """Largest power; the name solar and wind share."""
        return self.rated_kw


Generator: TypeAlias = SolarArray | WindTurbine
