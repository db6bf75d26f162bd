"""Plant: assets behind meters, run as one."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from vpp.core.assets.battery import Battery
from vpp.core.assets.consumers import Consumer, EvCharger, FlexibleLoad, HeatPump, Load
from vpp.core.assets.generators import Generator, SolarArray, WindTurbine
from vpp.core.assets.ranges import check_range, check_slug
from vpp.core.errors import InvalidInputError, UnknownNameError

Asset: TypeAlias = Battery | Generator | Consumer
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
        check_range("connection", "import_max_kw", self.import_max_kw, low=0.0, unit="kW", unlimited=True)
        check_range("connection", "export_max_kw", self.export_max_kw, low=0.0, unit="kW", unlimited=True)


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
    def consumers(self) -> tuple[Consumer, ...]:
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
                check_range(self.id, field, value, low=-limit_deg, high=limit_deg, unit="deg")
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
