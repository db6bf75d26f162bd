"""Data to evaluate forecasts on: a plant with its recorded readings, or any table of series, screened.

A column of a plain table is taken for what its name says: load or demand, PV or solar, wind, price; anything else is
learnt like a load and has no bounds. Numbers keep their unit; loads are turned into the house's sign. A column whose
name says forecast is no measurement: it is handed to the models as known ahead, and must be what was forecast then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.config import BUILTIN_PLANTS, VPPConfig
from vpp.config.fields import slug
from vpp.config.reading import SUFFIXES
from vpp.core.assets import Asset, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, MissingDataError, UnreadableFileError
from vpp.core.messages import POWER_KW, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.series import align
from vpp.core.time import TimeGrid, from_epoch_s, zone
from vpp.forecasting.kinds import Kind, SeriesProfile
from vpp.runtime.build import price_book, profiles_of, read_history
from vpp.runtime.prices import SPOT
from vpp.runtime.screening import Screened, screen
from vpp.runtime.setup import Setup, setup_of
from vpp.store.memory import MemoryStore
from vpp.streams.scale import STANDBY_OF_TURBINE
from vpp.streams.source import MOST_CELLS, TIME, RawColumns, read_columns
from vpp.streams.stamps import step_length, utc_seconds

Floats = NDArray[np.float64]
FORECAST = "forecast"
OTHER = "value"
"""Metric of a column that is no power: judged by no rule about devices."""
PEAK_OVER_USUAL = 1.5
"""A column states no rating; this multiple of what it usually reaches stands in for it."""
FEW = 1e-3
"""Share of values of the other sign that are taken for slips, not for a net power."""
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"price|tariff", "price"),
    (r"(?:^|[^a-z])(?:pv|solar|photovolt)", "solar"),
    (r"(?:^|[^a-z])wind(?!ow)", "wind"),
    (r"load|demand|consumption", "load"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationData:
    """What is to be evaluated.

    Parameters
    ----------
    name : str
        As the user gave it.
    table : SeriesTable
        The series, in the sign of the house; NaN where missing or set aside.
    profiles : tuple of SeriesProfile
        One per series evaluated.
    labels : mapping of SeriesKey to str
        What a reader calls each series.
    timezone : ZoneInfo
        Zone of the local hours.
    notes : tuple of str
        What was found and done, in words.
    setup : Setup or None
        The plant behind the series, at the table's resolution; None for a plain table.
    recorded : SeriesTable or None
        All of the plant's readings, for plans; None for a plain table.
    """

    name: str
    table: SeriesTable
    profiles: tuple[SeriesProfile, ...]
    labels: dict[SeriesKey, str]
    timezone: ZoneInfo
    notes: tuple[str, ...]
    setup: Setup | None = None
    recorded: SeriesTable | None = None


def evaluation_data(
    data: str, *, plant: str | None = None, timezone: str | None = None, keep_faulty: bool = False
) -> EvaluationData:
    """Read what is to be evaluated.

    Parameters
    ----------
    data : str
        A built-in plant, a plant file that names its history, or a CSV or Parquet file.
    plant : str, optional
        The plant whose readings the file holds: its columns are then ``<asset-id>_kw`` and prices.
    timezone : str, optional
        IANA zone of local hours, and of stamps that carry none; a plant brings its own.
    keep_faulty : bool
        True evaluates also what cannot be what it is called.

    Raises
    ------
    VppError
        When it cannot be read, or nothing is left to evaluate.
    """
    is_plant = data in BUILTIN_PLANTS or Path(data).suffix.lower() in SUFFIXES
    if is_plant and plant is not None:
        raise InvalidInputError("--plant", plant, "nothing beside a plant as DATA; give its readings as DATA instead")
    if (is_plant or plant is not None) and timezone is not None:
        raise InvalidInputError("--timezone", timezone, "nothing beside a plant, which has its own time zone")
    if is_plant:
        return _of_plant(data, data, None, keep_faulty)
    path = Path(data)
    if not path.exists():
        known = ", ".join(BUILTIN_PLANTS)
        raise UnreadableFileError(data, f"no such file, nor a built-in plant ({known})")
    if plant is not None:
        return _of_plant(data, plant, path, keep_faulty)
    return _of_table(path, timezone, keep_faulty)


def _of_plant(name: str, plant: str, path: Path | None, keep_faulty: bool) -> EvaluationData:
    config = VPPConfig.load(plant)
    setup = setup_of(config)
    told: list[str] = []
    recorded = read_history(config, setup, path, on_note=told.append)
    setup = replace(setup, resolution_s=recorded.grid.resolution_s)
    screened = screen(recorded, setup.plant, keep_faulty=keep_faulty)
    wanted = profiles_of(setup, needs_spot=price_book(setup, MemoryStore()).needs_spot)
    profiles = tuple(profile for profile in wanted if profile.key in screened.table.keys)
    missing = [profile.key.source for profile in wanted if profile.key not in recorded.keys]
    notes = [*(line for line in told if "left empty" not in line), *screened.notes]
    if missing:
        notes.append(f"not in the data and not evaluated: {', '.join(missing)}")
    labels = {key: key.metric if key == SPOT else key.source for key in recorded.keys}
    return EvaluationData(
        name=name,
        table=screened.table,
        profiles=_some(profiles, name, screened),
        labels=labels,
        timezone=setup.timezone,
        notes=tuple(dict.fromkeys(notes)),
        setup=setup,
        recorded=screened.whole,
    )


def _of_table(path: Path, timezone: str | None, keep_faulty: bool) -> EvaluationData:
    raw = read_columns(path, any_time_name=True)
    measured = [name for name in raw.values if FORECAST not in name.lower()]
    if not measured:
        raise InvalidInputError(path.name, list(raw.values), "a column of measurements besides 'time'")
    times_s = utc_seconds(raw.stamps, lambda index: raw.where(index, TIME), timezone=timezone)
    grid = _grid(raw, times_s, len(measured))
    # A later row for a moment replaces an earlier one, as in every file the house reads.
    columns = {name: align(times_s, raw.values[name], grid) for name in measured}
    profiles: list[SeriesProfile] = []
    labels: dict[SeriesKey, str] = {}
    values: list[Floats] = []
    for name, column in columns.items():
        profile, signed = _taken_for(name, column, taken={p.key.source for p in profiles})
        profiles.append(profile)
        labels[profile.key] = name
        values.append(signed)
    inputs = {SeriesKey(slug(name), FORECAST): name for name in raw.values if name not in measured}
    profiles = [profile.with_inputs(*inputs) for profile in profiles]
    values += [align(times_s, raw.values[name], grid) for name in inputs.values()]
    table = SeriesTable(grid, (*(profile.key for profile in profiles), *inputs), np.column_stack(values))
    tz = zone(timezone, field="--timezone") if timezone is not None else ZoneInfo("UTC")
    screened = screen(table, _pretended_plant(table, tuple(profiles), tz), keep_faulty=keep_faulty)
    kept = tuple(profile for profile in profiles if profile.key in screened.table.keys)
    notes = list(screened.notes)
    if len(measured) < len(raw.values):
        left = ", ".join(name for name in raw.values if name not in measured)
        notes.append(f"taken as forecast beforehand, known ahead at each decision: {left}")
    if timezone is None:
        notes.append("local hours are taken in UTC; --timezone names another zone")
    return EvaluationData(
        name=str(path),
        table=screened.table,
        profiles=_some(kept, path.name, screened),
        labels=labels,
        timezone=tz,
        notes=tuple(notes),
    )


def _some(profiles: tuple[SeriesProfile, ...], name: str, screened: Screened) -> tuple[SeriesProfile, ...]:
    if not profiles:
        why = "; ".join(f"{key.source}: {words}" for key, words in screened.left_out.items())
        raise MissingDataError(f"{name}: nothing to evaluate ({why or 'no series'}); --keep-faulty keeps faulty series")
    return profiles


def _grid(raw: RawColumns, times_s: NDArray[np.int64], columns: int) -> TimeGrid:
    """Return the steps from the first stamp to the last."""
    ordered, row = np.unique(times_s, return_index=True)
    resolution_s = step_length(
        ordered, lambda index: raw.where(int(row[index]), TIME), resolution_s=None, field=raw.name
    )
    count = int(ordered[-1] - ordered[0]) // resolution_s + 1
    if count * columns > MOST_CELLS:
        span = f"{from_epoch_s(int(ordered[0])).isoformat()} to {from_epoch_s(int(ordered[-1])).isoformat()}"
        raise InvalidInputError(f"{raw.name}:{TIME}", span, f"at most {MOST_CELLS:,} cells; is a stamp's year wrong?")
    return TimeGrid(from_epoch_s(int(ordered[0])), resolution_s, count)


def _taken_for(name: str, column: Floats, *, taken: set[str]) -> tuple[SeriesProfile, Floats]:
    """Return a column's profile and its values in the sign of the house."""
    kind = next((kind for pattern, kind in _KINDS if re.search(pattern, name.lower())), None)
    known = column[np.isfinite(column) & (column != 0.0)]
    source = slug(name)
    while source in taken:
        source += "-2"
    if kind in ("solar", "wind") and known.size and np.median(known) < 0.0:
        column, known = 0.0 - column, 0.0 - known  # generation written as negative load
    scale = float(np.quantile(np.abs(known), 0.999)) if known.size else 0.0
    # What a device draws at standby, or a meter's offset, is no other direction.
    one_way = bool(known.size) and float(np.mean(known < -STANDBY_OF_TURBINE * scale)) < FEW
    if kind is None or kind == "price" or not one_way:
        profile = SeriesProfile(SeriesKey(source, OTHER), "price" if kind == "price" else kind or "load")
        return profile, column * profile.direction
    lower, upper = (-np.inf, 0.0) if kind == "load" else (0.0, np.inf)
    profile = SeriesProfile(SeriesKey(source, POWER_KW), kind, lower, upper)
    return profile, np.maximum(column, 0.0) * profile.direction + 0.0


def _pretended_plant(table: SeriesTable, profiles: tuple[SeriesProfile, ...], timezone: ZoneInfo) -> Plant:
    """Return a plant with an asset for each power, so that the rules about devices and the sun can judge it."""
    assets: list[Asset] = []
    for profile in profiles:
        values = np.abs(table.column(profile.key))
        values = values[np.isfinite(values)]
        usual_kw = float(np.quantile(values, 0.999)) if values.size else 0.0
        if profile.key.metric != POWER_KW:
            continue
        if profile.kind == "solar":
            assets.append(SolarArray(id=profile.key.source, peak_kw=PEAK_OVER_USUAL * usual_kw))
        elif profile.kind == "wind":
            assets.append(WindTurbine(id=profile.key.source, rated_kw=PEAK_OVER_USUAL * usual_kw))
        else:
            assets.append(Load(id=profile.key.source))
    site = Site(id="table-of-series", assets=tuple(assets))
    return Plant(id="table", name="table", timezone=timezone.key, currency="EUR", sites=(site,))
