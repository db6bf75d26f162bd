"""VPPConfig: a plant file, read once, checked as a whole, and turned into the nouns of the house."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vpp.config.builtin import BUILTIN_PLANTS, builtin_path
from vpp.config.consistency import inconsistencies, uncovered_time
from vpp.config.fields import LATER_STRATEGIES, STRATEGIES, slug
from vpp.config.plant_file import (
    AssetSpec,
    BatterySpec,
    EvChargerSpec,
    FlexibleLoadSpec,
    HeatPumpSpec,
    LoadSpec,
    LocationSpec,
    PlantFile,
    SiteSpec,
)
from vpp.config.reading import SUFFIXES, read_mapping
from vpp.config.report import ConfigIssue, ConfigReport, issues_of
from vpp.config.resources_file import ResourcesFile
from vpp.core.assets import ASSET_KINDS, Asset, Battery, GridConnection, Load, Plant, Site
from vpp.core.errors import InvalidInputError, UnknownNameError


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
        return _plant(self.file)

    @property
    def history_paths(self) -> tuple[Path, ...]:
        """Where the past readings lie, as far as the file names them; none, one or several files."""
        return tuple(self._beside(name) for name in _history_names(self.file))

    def _beside(self, name: str) -> Path:
        base = self.path.parent if self.path is not None else Path()
        return base / name

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Return the JSON Schema of the full shape."""
        return PlantFile.model_json_schema(by_alias=True)

    def _check(self) -> ConfigReport:
        clashes = inconsistencies(self.raw)
        warnings: tuple[ConfigIssue, ...] = ()
        content: Any = self.raw
        is_short = "resources" in self.raw and "sites" not in self.raw
        if is_short:
            short, found = _parse(ResourcesFile, self.raw)
            if not isinstance(short, ResourcesFile) or clashes:
                return ConfigReport(_in_place(found + clashes), ())
            warnings = _later_strategy(short.optimization.strategy, "optimization.strategy")
            content = short.full_shape()
        full, found = _parse(PlantFile, content)
        if not isinstance(full, PlantFile):
            said_better = {issue.path for issue in clashes if issue.path == "resources"}
            found = tuple(issue for issue in found if issue.path not in said_better)
            return ConfigReport(_in_place(found + clashes), warnings)
        cautions = _cautions(full)
        warnings += tuple(_in_resources(issue) for issue in cautions) if is_short else cautions
        faults = clashes + _gaps_in_tariffs(full)
        if faults:
            return ConfigReport(_in_place(faults), warnings)
        try:
            _plant(full)
        except InvalidInputError as fault:  # a range that the nouns hold more narrowly than the file
            return ConfigReport((ConfigIssue(fault.field, fault.value, f"must be {fault.expected}"),), warnings)
        self._file = _with_known_strategy(full)
        return ConfigReport((), warnings + self._absent_history(full))

    def _absent_history(self, file: PlantFile) -> tuple[ConfigIssue, ...]:
        if self.path is None:
            return ()
        absent = [name for name in _history_names(file) if not self._beside(name).is_file()]
        return tuple(ConfigIssue("history", name, "no such file beside the plant file") for name in absent)


def _parse(model: type[BaseModel], raw: Any) -> tuple[BaseModel | None, tuple[ConfigIssue, ...]]:
    try:
        return model.model_validate(raw), ()
    except ValidationError as fault:
        return None, issues_of(fault, model, raw)


def _in_place(found: tuple[ConfigIssue, ...]) -> tuple[ConfigIssue, ...]:
    """Return the findings with those of one section together, each once."""
    order = {part: i for i, part in enumerate(dict.fromkeys(issue.path.rpartition(".")[0] for issue in found))}
    kept = {(issue.path, issue.message): issue for issue in found}
    return tuple(sorted(kept.values(), key=lambda issue: order[issue.path.rpartition(".")[0]]))


def _in_resources(issue: ConfigIssue) -> ConfigIssue:
    """Return a finding about the full shape with the path it has in the short one."""
    path = issue.path.replace("sites[0].assets", "resources").replace(".kind", ".type")
    return ConfigIssue(path, issue.value, issue.message)


def _later_strategy(strategy: str, path: str) -> tuple[ConfigIssue, ...]:
    if strategy not in LATER_STRATEGIES:
        return ()
    return (ConfigIssue(path, strategy, "this strategy is not available in this version; the linear plan is used"),)


def _with_known_strategy(file: PlantFile) -> PlantFile:
    if file.planning.strategy not in LATER_STRATEGIES:
        return file
    return file.model_copy(update={"planning": file.planning.model_copy(update={"strategy": STRATEGIES[0]})})


def _gaps_in_tariffs(file: PlantFile) -> tuple[ConfigIssue, ...]:
    found = []
    for side, tariff in (("import", file.prices.import_), ("export", file.prices.export)):
        gap = uncovered_time(tariff.time_of_use) if tariff is not None and tariff.time_of_use is not None else None
        if gap is not None:
            message = f"must cover every time; none holds in {gap}: end the list with a line that only has a price"
            found.append(ConfigIssue(f"prices.{side}.time_of_use", None, message))
    return tuple(found)


def _history_names(file: PlantFile) -> tuple[str, ...]:
    if file.history is None:
        return ()
    return (file.history,) if isinstance(file.history, str) else file.history


def _cautions(file: PlantFile) -> tuple[ConfigIssue, ...]:
    found = list(_later_strategy(file.planning.strategy, "planning.strategy"))
    if file.prices.demand_charge_per_kw:
        told = "is told by simulations, but not yet counted in plans"
        found.append(ConfigIssue("prices.demand_charge_per_kw", file.prices.demand_charge_per_kw, told))
    for i, site in enumerate(file.sites):
        if not any(isinstance(asset, BatterySpec) for asset in site.assets):
            found.append(ConfigIssue(f"sites[{i}].assets", None, "no battery here: nothing to plan at this site"))
        for j, asset in enumerate(site.assets):
            if isinstance(asset, (EvChargerSpec, HeatPumpSpec, FlexibleLoadSpec)):
                path = f"sites[{i}].assets[{j}].kind"
                found.append(ConfigIssue(path, asset.kind, "is forecast and counted, but not yet shifted in time"))
    return tuple(found)


def _plant(file: PlantFile) -> Plant:
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


def _site(spec: SiteSpec) -> Site:
    limits = spec.connection
    connection = GridConnection(
        import_max_kw=math.inf if limits.import_max_kw is None else limits.import_max_kw,
        export_max_kw=math.inf if limits.export_max_kw is None else limits.export_max_kw,
    )
    return Site(id=spec.id, connection=connection, assets=tuple(_asset(asset) for asset in spec.assets))


def _asset(spec: AssetSpec) -> Asset:
    if isinstance(spec, BatterySpec):
        return _battery(spec)
    if isinstance(spec, LoadSpec):
        return Load(**_stated(spec) | {"peak_kw": math.inf if spec.peak_kw is None else spec.peak_kw})
    return ASSET_KINDS[spec.kind](**_stated(spec))


def _stated(spec: AssetSpec) -> dict[str, Any]:
    """Return the fields of an asset as its noun takes them: under the same names."""
    return spec.model_dump(exclude={"kind"})


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
        model=spec.model,
        chemistry=spec.chemistry,
        standby_kw=spec.standby_kw,
        ambient_c=spec.ambient_c,
    )
