"""Assets: what a plant is made of. Frozen facts with units in their names; no behaviour beyond lookups.

Powers named ``*_max_kw``, ``peak_kw`` and ``rated_kw`` are non-negative magnitudes of the terminals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf, isfinite
from typing import ClassVar, TypeAlias

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.storage import StorageLimits

_SLUG = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")


def check_slug(text: str, *, field: str = "id") -> str:
    """Return ``text`` when it is a lower-case slug of at most 63 characters."""
    if not _SLUG.fullmatch(text):
        raise InvalidInputError(field, text, "a lower-case slug of letters, digits, '-' and '_', e.g. home-01")
    return text


def _check(
    owner: str, field: str, value: float, *, low: float, high: float = inf, unit: str = "", unlimited: bool = False
) -> None:
    """Refuse a value outside [low, high]; infinity means "no limit" and is taken only where ``unlimited`` says so."""
    if not (isfinite(value) or (unlimited and value == inf)) or not low <= value <= high:
        upper = f" to {high:g}" if high != inf else " or more" + (", infinity for no limit" if unlimited else "")
        raise InvalidInputError(f"{owner}.{field}", value, f"{low:g}{upper}{f' [{unit}]' if unit else ''}")


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

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "capacity_kwh", self.capacity_kwh, low=1e-9, unit="kWh")
        _check(self.id, "charge_max_kw", self.charge_max_kw, low=0.0, unit="kW")
        _check(self.id, "discharge_max_kw", self.discharge_max_kw, low=0.0, unit="kW")
        _check(self.id, "charge_efficiency", self.charge_efficiency, low=1e-3, high=1.0)
        _check(self.id, "discharge_efficiency", self.discharge_efficiency, low=1e-3, high=1.0)
        _check(self.id, "soc_min", self.soc_min, low=0.0, high=1.0)
        _check(self.id, "soc_max", self.soc_max, low=self.soc_min, high=1.0)
        _check(self.id, "soc_initial", self.soc_initial, low=self.soc_min, high=self.soc_max)
        _check(self.id, "backup_soc", self.backup_soc, low=0.0, high=self.soc_max)
        _check(self.id, "wear_cost_per_kwh", self.wear_cost_per_kwh, low=0.0)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarArray:
    """A photovoltaic array; ``curtailable`` when its inverter obeys a cap on its power."""

    kind: ClassVar[str] = "solar"
    id: str
    peak_kw: float
    curtailable: bool = False

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "peak_kw", self.peak_kw, low=0.0, unit="kW")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindTurbine:
    """A wind turbine or farm; ``curtailable`` when it obeys a cap on its power."""

    kind: ClassVar[str] = "wind"
    id: str
    rated_kw: float
    curtailable: bool = False

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")

    @property
    def peak_kw(self) -> float:
        """Largest power; the name solar and wind share."""
        return self.rated_kw


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Consumption that is measured, not controlled. ``peak_kw`` is the largest plausible power; infinity: not known."""

    kind: ClassVar[str] = "load"
    id: str
    peak_kw: float = inf

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "peak_kw", self.peak_kw, low=0.0, unit="kW", unlimited=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvCharger:
    """A charging point and the car it usually serves."""

    kind: ClassVar[str] = "ev_charger"
    id: str
    rated_kw: float
    capacity_kwh: float = 60.0
    charge_efficiency: float = 0.9

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        _check(self.id, "capacity_kwh", self.capacity_kwh, low=0.0, unit="kWh")
        _check(self.id, "charge_efficiency", self.charge_efficiency, low=1e-3, high=1.0)

    @property
    def peak_kw(self) -> float:
        """Largest power."""
        return self.rated_kw


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatPump:
    """A heat pump and the house it warms, as one resistance and one capacity (1R1C).

    Parameters
    ----------
    rated_kw : float
        Largest electrical power.
    cop : float
        Coefficient of performance, heat per electricity, above 0.
    thermal_resistance_k_per_kw, thermal_capacity_kwh_per_k : float
        The house: indoor minus outdoor temperature per kW of heat, and heat stored per kelvin.
    temperature_min_c, temperature_max_c : float
        Comfort band.
    """

    kind: ClassVar[str] = "heat_pump"
    id: str
    rated_kw: float
    cop: float = 3.0
    thermal_resistance_k_per_kw: float = 2.0
    thermal_capacity_kwh_per_k: float = 10.0
    temperature_min_c: float = 20.0
    temperature_max_c: float = 22.0

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        _check(self.id, "cop", self.cop, low=0.1, high=20.0)
        _check(self.id, "thermal_resistance_k_per_kw", self.thermal_resistance_k_per_kw, low=1e-3, unit="K/kW")
        _check(self.id, "thermal_capacity_kwh_per_k", self.thermal_capacity_kwh_per_k, low=1e-3, unit="kWh/K")
        _check(self.id, "temperature_min_c", self.temperature_min_c, low=-50.0, high=60.0, unit="degC")
        _check(self.id, "temperature_max_c", self.temperature_max_c, low=self.temperature_min_c, high=60.0, unit="degC")

    @property
    def peak_kw(self) -> float:
        """Largest electrical power."""
        return self.rated_kw


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexibleLoad:
    """A machine that must run for a given energy and may choose when."""

    kind: ClassVar[str] = "flexible_load"
    id: str
    rated_kw: float
    energy_kwh_per_day: float = 0.0

    def __post_init__(self) -> None:
        """Check every range."""
        check_slug(self.id)
        _check(self.id, "rated_kw", self.rated_kw, low=0.0, unit="kW")
        _check(self.id, "energy_kwh_per_day", self.energy_kwh_per_day, low=0.0, high=24.0 * self.rated_kw, unit="kWh")

    @property
    def peak_kw(self) -> float:
        """Largest power."""
        return self.rated_kw


Asset: TypeAlias = Battery | SolarArray | WindTurbine | Load | EvCharger | HeatPump | FlexibleLoad
Generator: TypeAlias = SolarArray | WindTurbine
ASSET_KINDS: dict[str, type[Asset]] = {
    kind.kind: kind for kind in (Battery, SolarArray, WindTurbine, Load, EvCharger, HeatPump, FlexibleLoad)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridConnection:
    """The meter of a site: how much it may draw and feed in [kW], non-negative; infinity for no limit."""

    import_max_kw: float = inf
    export_max_kw: float = inf

    def __post_init__(self) -> None:
        """Check every range."""
        _check("connection", "import_max_kw", self.import_max_kw, low=0.0, unit="kW", unlimited=True)
        _check("connection", "export_max_kw", self.export_max_kw, low=0.0, unit="kW", unlimited=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Assets behind one meter."""

    id: str
    assets: tuple[Asset, ...]
    connection: GridConnection = GridConnection()

    def __post_init__(self) -> None:
        """Check the id."""
        check_slug(self.id)

    @property
    def batteries(self) -> tuple[Battery, ...]:
        """Batteries, in the order of the file."""
        return tuple(asset for asset in self.assets if isinstance(asset, Battery))

    @property
    def generators(self) -> tuple[Generator, ...]:
        """Solar arrays and wind turbines, in the order of the file."""
        return tuple(asset for asset in self.assets if isinstance(asset, (SolarArray, WindTurbine)))

    @property
    def consumers(self) -> tuple[Load | EvCharger | HeatPump | FlexibleLoad, ...]:
        """Everything that only consumes, in the order of the file."""
        return tuple(a for a in self.assets if isinstance(a, (Load, EvCharger, HeatPump, FlexibleLoad)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Sites run as one power plant.

    Parameters
    ----------
    id, name : str
        Slug and display name.
    timezone : str
        IANA zone of the plant's market and calendar.
    currency : str
        ISO 4217 code of every price.
    sites : tuple of Site
        At least one; asset and site ids are unique in the plant.
    latitude_deg, longitude_deg : float or None
        Where it stands, if stated; north and east positive.
    """

    id: str
    name: str
    timezone: str
    currency: str
    sites: tuple[Site, ...]
    latitude_deg: float | None = None
    longitude_deg: float | None = None

    def __post_init__(self) -> None:
        """Check ids for shape and uniqueness."""
        check_slug(self.id)
        for field, value, limit_deg in (
            ("latitude_deg", self.latitude_deg, 90.0),
            ("longitude_deg", self.longitude_deg, 180.0),
        ):
            if value is not None:
                _check(self.id, field, value, low=-limit_deg, high=limit_deg, unit="deg")
        if not self.sites:
            raise InvalidInputError("sites", self.sites, "at least one site")
        seen: set[str] = set()
        for name in (*(site.id for site in self.sites), *(asset.id for asset in self.assets)):
            if name in seen:
                raise InvalidInputError("id", name, "an id used once in the plant (sites and assets share one space)")
            seen.add(name)

    @property
    def assets(self) -> tuple[Asset, ...]:
        """All assets, site by site."""
        return tuple(asset for site in self.sites for asset in site.assets)

    @property
    def batteries(self) -> tuple[Battery, ...]:
        """All batteries, site by site."""
        return tuple(battery for site in self.sites for battery in site.batteries)

    def asset(self, asset_id: str) -> Asset:
        """Return the asset with this id; an unknown id names the nearest."""
        for asset in self.assets:
            if asset.id == asset_id:
                return asset
        raise UnknownNameError("asset", asset_id, [asset.id for asset in self.assets])

    def site(self, site_id: str) -> Site:
        """Return the site with this id; an unknown id names the nearest."""
        for site in self.sites:
            if site.id == site_id:
                return site
        raise UnknownNameError("site", site_id, [site.id for site in self.sites])

    def site_of(self, asset_id: str) -> Site:
        """Return the site an asset stands on."""
        self.asset(asset_id)
        return next(site for site in self.sites if any(asset.id == asset_id for asset in site.assets))
