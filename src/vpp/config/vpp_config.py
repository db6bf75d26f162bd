"""VPPConfig: a plant file, read once, checked as a whole, and turned into the nouns of the house."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vpp.config.builtin import BUILTIN_PLANTS, builtin_path
from vpp.config.fields import LATER_STRATEGIES, slug
from vpp.config.plant_file import (
    BatterySpec,
    EvChargerSpec,
    FlexibleLoadSpec,
    HeatPumpSpec,
    LoadSpec,
    LocationSpec,
    PlantFile,
    SiteSpec,
    SolarSpec,
    WindSpec,
)
from vpp.config.reading import SUFFIXES, read_mapping
from vpp.config.report import ConfigIssue, ConfigReport, issues_of
from vpp.config.resources_file import ResourcesFile
from vpp.core.assets import (
    Asset,
    Battery,
    EvCharger,
    FlexibleLoad,
    GridConnection,
    HeatPump,
    Load,
    Plant,
    Site,
    SolarArray,
    WindTurbine,
)
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import MARKET


class VPPConfig:
    """A plant file and what it means.

    Parameters
    ----------
    raw : dict
        The content of the file, in the full shape (``sites``) or the short one (``resources``).
    path : Path or None
        Where it came from; relative paths inside count from there.

    Examples
    --------
    >>> config = VPPConfig({"name": "Shed", "resources": [{"name": "roof", "type": "solar", "peak_power": 4}]})
    >>> config.validate().is_valid, config.plant.id
    (True, 'shed')
    """

    def __init__(self, raw: dict[str, Any], path: Path | None = None) -> None:
        self.raw = raw
        self.path = path
        self._file: PlantFile | None = None
        self._report: ConfigReport | None = None

    @classmethod
    def from_file(cls, path: str | Path) -> VPPConfig:
        """Read a plant file; raises only for what cannot be read or parsed.

        Raises
        ------
        UnreadableFileError
            When the file is missing, too large, not text or not parseable.
        """
        where = Path(path)
        return cls(read_mapping(where), where)

    @classmethod
    def load(cls, name_or_path: str) -> VPPConfig:
        """Return a built-in plant by name, or the plant file at a path.

        Raises
        ------
        UnknownNameError
            When it is neither a built-in name nor an existing file.
        UnreadableFileError
            When the file cannot be read.
        """
        if name_or_path in BUILTIN_PLANTS:
            return cls.from_file(builtin_path(name_or_path))
        where = Path(name_or_path)
        if where.suffix.lower() not in SUFFIXES and not where.exists():
            raise UnknownNameError("plant", name_or_path, [*BUILTIN_PLANTS, "a plant file such as my-plant.yaml"])
        return cls.from_file(where)

    def validate(self) -> ConfigReport:
        """Check everything and return every finding at once."""
        if self._report is None:
            self._report = self._check()
        return self._report

    @property
    def file(self) -> PlantFile:
        """The checked content, in the full shape.

        Raises
        ------
        InvalidInputError
            When ``validate`` finds an error; the first one is named.
        """
        report = self.validate()
        if self._file is None or not report.is_valid:
            first = report.errors[0]
            more = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
            raise InvalidInputError(first.path, first.value, f"{first.message}{more}")
        return self._file

    @property
    def plant(self) -> Plant:
        """The plant in the nouns of the house."""
        file = self.file
        located = file.location if isinstance(file.location, LocationSpec) else None
        return Plant(
            id=file.id or slug(file.name),
            name=file.name,
            timezone=file.timezone,
            currency=file.currency,
            sites=tuple(_site(site) for site in file.sites),
            latitude_deg=located.latitude_deg if located else None,
            longitude_deg=located.longitude_deg if located else None,
        )

    @property
    def history_path(self) -> Path | None:
        """Where the past readings lie, if the file names them."""
        if self.file.history is None:
            return None
        base = self.path.parent if self.path is not None else Path()
        return base / self.file.history

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Return the JSON Schema of the full shape."""
        return PlantFile.model_json_schema(by_alias=True)

    def _check(self) -> ConfigReport:
        faults = _duplicates(self.raw)
        warnings: tuple[ConfigIssue, ...] = ()
        content: Any = self.raw
        if "resources" in self.raw and "sites" not in self.raw:
            short, found = _parse(ResourcesFile, self.raw)
            if not isinstance(short, ResourcesFile) or faults:
                return ConfigReport(found + faults, ())
            warnings = _later_strategy(short.optimization.strategy, "optimization.strategy")
            content = short.full_shape()
        full, found = _parse(PlantFile, content)
        if not isinstance(full, PlantFile):
            return ConfigReport(found + faults, warnings)
        self._file = full
        return ConfigReport(faults + _cross_checks(full), warnings + _cautions(full))


def _parse(model: type[BaseModel], raw: Any) -> tuple[BaseModel | None, tuple[ConfigIssue, ...]]:
    try:
        return model.model_validate(raw), ()
    except ValidationError as fault:
        return None, issues_of(fault, model, raw)


def _duplicates(raw: dict[str, Any]) -> tuple[ConfigIssue, ...]:
    """Find ids used twice, in a file whose other fields may still be wrong."""
    named: list[tuple[str, Any]] = []
    for i, resource in enumerate(_sections(raw.get("resources"))):
        name = resource.get("name")
        named.append((f"resources[{i}].name", slug(name) if isinstance(name, str) else None))
    for i, site in enumerate(_sections(raw.get("sites"))):
        named.append((f"sites[{i}].id", site.get("id")))
        named += [
            (f"sites[{i}].assets[{j}].id", asset.get("id")) for j, asset in enumerate(_sections(site.get("assets")))
        ]
    found: list[ConfigIssue] = []
    first: dict[str, str] = {}
    for path, name in named:
        if not isinstance(name, str):
            continue
        if name == MARKET:
            found.append(ConfigIssue(path, name, "is reserved for prices; choose another"))
        elif name in first:
            found.append(ConfigIssue(path, name, f"id used twice; first by {first[name]}"))
        first.setdefault(name, path)
    return tuple(found)


def _sections(value: Any) -> list[dict[str, Any]]:
    return [part if isinstance(part, dict) else {} for part in value] if isinstance(value, list) else []


def _later_strategy(strategy: str, path: str) -> tuple[ConfigIssue, ...]:
    if strategy not in LATER_STRATEGIES:
        return ()
    return (ConfigIssue(path, strategy, "this strategy is not available in this version; the linear plan is used"),)


def _cross_checks(file: PlantFile) -> tuple[ConfigIssue, ...]:
    if file.prices.day_ahead is not None and file.prices.published is None:
        return (ConfigIssue("prices.published", None, "is required when the plant sells day-ahead"),)
    return ()


def _cautions(file: PlantFile) -> tuple[ConfigIssue, ...]:
    found = list(_later_strategy(file.planning.strategy, "planning.strategy"))
    for i, site in enumerate(file.sites):
        if not any(isinstance(asset, BatterySpec) for asset in site.assets):
            found.append(ConfigIssue(f"sites[{i}].assets", None, "no battery here: nothing to plan at this site"))
        for j, asset in enumerate(site.assets):
            if isinstance(asset, (EvChargerSpec, HeatPumpSpec, FlexibleLoadSpec)):
                path = f"sites[{i}].assets[{j}].kind"
                found.append(ConfigIssue(path, asset.kind, "is forecast and counted, but not yet shifted in time"))
    return tuple(found)


def _site(spec: SiteSpec) -> Site:
    limits = spec.connection
    connection = GridConnection(
        import_max_kw=math.inf if limits.import_max_kw is None else limits.import_max_kw,
        export_max_kw=math.inf if limits.export_max_kw is None else limits.export_max_kw,
    )
    return Site(id=spec.id, connection=connection, assets=tuple(_asset(asset) for asset in spec.assets))


def _asset(
    spec: BatterySpec | SolarSpec | WindSpec | LoadSpec | EvChargerSpec | HeatPumpSpec | FlexibleLoadSpec,
) -> Asset:
    if isinstance(spec, BatterySpec):
        return _battery(spec)
    if isinstance(spec, SolarSpec):
        return SolarArray(id=spec.id, peak_kw=spec.peak_kw, curtailable=spec.curtailable)
    if isinstance(spec, WindSpec):
        return WindTurbine(id=spec.id, rated_kw=spec.rated_kw, curtailable=spec.curtailable)
    if isinstance(spec, EvChargerSpec):
        return EvCharger(id=spec.id, rated_kw=spec.rated_kw, capacity_kwh=spec.capacity_kwh)
    if isinstance(spec, HeatPumpSpec):
        return HeatPump(id=spec.id, rated_kw=spec.rated_kw, cop=spec.cop)
    if isinstance(spec, FlexibleLoadSpec):
        return FlexibleLoad(id=spec.id, rated_kw=spec.rated_kw, energy_kwh_per_day=spec.energy_kwh_per_day)
    return Load(id=spec.id, peak_kw=math.inf if spec.peak_kw is None else spec.peak_kw)


def _battery(spec: BatterySpec) -> Battery:
    one_way = math.sqrt(spec.round_trip_efficiency)
    power_kw = spec.power_kw or 0.0
    return Battery(
        id=spec.id,
        capacity_kwh=spec.capacity_kwh,
        charge_max_kw=power_kw if spec.charge_max_kw is None else spec.charge_max_kw,
        discharge_max_kw=power_kw if spec.discharge_max_kw is None else spec.discharge_max_kw,
        charge_efficiency=one_way,
        discharge_efficiency=one_way,
        soc_min=spec.soc_min,
        soc_max=spec.soc_max,
        soc_initial=spec.soc_initial,
        backup_soc=spec.backup_soc,
        wear_cost_per_kwh=spec.wear_cost_per_kwh,
    )
