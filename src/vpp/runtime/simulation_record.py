"""The export format of simulations: one record per site and time, in its own signs and units.

Import and charging are positive here, powers of loads and generators are magnitudes, shares are percentages. This is
the one place where the house's signs are turned. Invariant, on the rounded numbers themselves: parts of the load sum to
it, and net grid flow = load - solar - wind + battery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Site, SolarArray
from vpp.core.time import TimeGrid
from vpp.core.units import KILO, PERCENT, percent_from_fraction
from vpp.runtime.simulation_prices import SitePrices
from vpp.simulation.plant.runs import BatteryRun, HeatPumpRun, LoadRun, PlantRun, SolarRun, WindRun

Floats = NDArray[np.float64]
Section: TypeAlias = dict[str, Floats]
DIGITS = 6
LOAD_PARTS = (
    "base_kw",
    "appliances_kw",
    "lighting_kw",
    "hvac_kw",
    "process_kw",
    "ev_charging_kw",
    "heat_pump_kw",
    "flexible_kw",
)
"""Parts of a load, in the order of the record; every record has them all."""
FULL_SUN_W_M2 = KILO
_DARK_W_M2 = 1.0


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """One site's records as columns.

    Parameters
    ----------
    device_id : str
        Site id.
    grid : TimeGrid
        T steps.
    sections : dict
        Columns of shape (T,) by section and name; None for a section the site has no asset for. NaN stands for null.
    net_grid_flow_kw : float array, shape (T,)
        Positive draws from the grid.
    """

    device_id: str
    grid: TimeGrid
    sections: dict[str, dict[str, Any] | None]
    net_grid_flow_kw: Floats

    def rows(self, start: int, stop: int) -> RecordColumns:
        """Return steps ``start`` to before ``stop``."""
        cut = {
            name: None if columns is None else {key: column[start:stop] for key, column in columns.items()}
            for name, columns in self.sections.items()
        }
        return RecordColumns(self.device_id, self.grid.part(start, stop), cut, self.net_grid_flow_kw[start:stop])

    def flat(self) -> dict[str, Any]:
        """Return the columns by dotted names, e.g. ``solar.generation_kw``; absent sections leave none."""
        table: dict[str, Any] = {"timestamp": stamps(self.grid), "device_id": [self.device_id] * self.grid.count}
        for name, columns in self.sections.items():
            table |= {f"{name}.{key}": column for key, column in (columns or {}).items()}
        return table | {"net_grid_flow_kw": self.net_grid_flow_kw}


def record_columns(site: Site, run: PlantRun, prices: SitePrices) -> RecordColumns:
    """Return one site of a run in the export format."""
    count = run.grid.count
    solar = _solar(site, run)
    wind = _wind(site, run)
    load = _load(site, run)
    battery = _battery(site, run)
    net = load["total_load_kw"].copy()
    for made in (solar, wind):
        net -= made["generation_kw"] if made is not None else 0.0
    net += battery["power_kw"] if battery is not None else 0.0
    return RecordColumns(
        site.id,
        run.grid,
        {
            "solar": solar,
            "wind": wind,
            "battery": battery,
            "home_load": load,
            "grid_price": {
                "price_per_kwh": _rounded(prices.import_per_kwh),
                "feed_in_tariff": _rounded(prices.export_per_kwh),
                "demand_charge": np.full(count, prices.demand_charge_per_kw),
                "time_of_use_period": prices.period,
                "carbon_intensity_g_kwh": _rounded(prices.carbon_kg_per_kwh * KILO),
            },
        },
        _rounded(net),
    )


def records(tables: Sequence[RecordColumns]) -> Iterator[dict[str, Any]]:
    """Yield records by time, then site; what is not known is None."""
    rows = [_rows(table) for table in tables]
    for together in zip(*rows, strict=True):
        yield from together


def stamps(grid: TimeGrid) -> list[str]:
    """Return the starts of the steps as ISO 8601 in UTC."""
    return list(np.datetime_as_string(grid.times_s.astype("datetime64[s]"), unit="s", timezone="UTC").tolist())


def _rows(table: RecordColumns) -> Iterator[dict[str, Any]]:
    parts: list[tuple[str, tuple[str, ...], list[tuple[Any, ...]] | None]] = []
    for name, columns in table.sections.items():
        if columns is None:
            parts.append((name, (), None))
        else:
            parts.append((name, tuple(columns), list(zip(*map(_values, columns.values()), strict=True))))
    flows = table.net_grid_flow_kw.tolist()
    for step, stamp in enumerate(stamps(table.grid)):
        record: dict[str, Any] = {"timestamp": stamp, "device_id": table.device_id}
        for name, keys, found in parts:
            record[name] = None if found is None else dict(zip(keys, found[step], strict=True))
        record["net_grid_flow_kw"] = flows[step]
        yield record


def _values(column: Any) -> list[Any]:
    values = column.tolist()
    if column.dtype.kind == "f" and np.isnan(column).any():
        return [None if value != value else value for value in values]
    return list(values)


def _rounded(column: Floats) -> Floats:
    return np.asarray(np.round(column, DIGITS) + 0.0)


def _solar(site: Site, run: PlantRun) -> Section | None:
    arrays = [(asset.peak_kw, run.assets[asset.id]) for asset in site.generators if isinstance(asset, SolarArray)]
    runs = [(peak, made) for peak, made in arrays if isinstance(made, SolarRun)]
    if not runs:
        return None
    size = sum(peak for peak, _ in runs)
    shares = [peak / size if size else 1.0 / len(runs) for peak, _ in runs]
    power = sum((made.power_kw for _, made in runs), np.zeros(run.grid.count))
    light = sum((share * made.irradiance_w_m2 for share, (_, made) in zip(shares, runs, strict=True)), 0.0 * power)
    warm = sum((share * made.panel_temperature_c for share, (_, made) in zip(shares, runs, strict=True)), 0.0 * power)
    expected = size * light / FULL_SUN_W_M2
    bright = (light > _DARK_W_M2) & (expected > 0.0)
    efficiency = np.divide(power, expected, out=np.full_like(power, np.nan), where=bright) * PERCENT
    return {
        "generation_kw": _rounded(power),
        "irradiance_w_m2": _rounded(light),
        "panel_temp_celsius": _rounded(warm),
        "efficiency_percent": _rounded(efficiency),
    }


def _wind(site: Site, run: PlantRun) -> Section | None:
    runs = [made for asset in site.generators if isinstance(made := run.assets[asset.id], WindRun)]
    if not runs:
        return None
    power = sum((made.power_kw for made in runs), np.zeros(run.grid.count))
    return {"generation_kw": _rounded(power), "hub_speed_m_s": _rounded(runs[0].hub_speed_m_s)}


def _battery(site: Site, run: PlantRun) -> Section | None:
    pairs = [(battery.capacity_kwh, run.assets[battery.id]) for battery in site.batteries]
    runs = [(capacity, done) for capacity, done in pairs if isinstance(done, BatteryRun)]
    if not runs:
        return None
    size = sum(capacity for capacity, _ in runs)
    shares = [capacity / size for capacity, _ in runs]

    def mean(name: str) -> Floats:
        parts = (share * getattr(done, name) for share, (_, done) in zip(shares, runs, strict=True))
        return np.asarray(sum(parts, np.zeros(run.grid.count)))

    power = sum((done.power_kw for _, done in runs), np.zeros(run.grid.count))
    return {
        "soc_percent": _rounded(percent_from_fraction(mean("soc"))),
        "capacity_kwh": _rounded(size * mean("state_of_health")),
        "power_kw": _rounded(0.0 - power),
        "voltage_v": _rounded(mean("voltage_v")),
        "temperature_celsius": _rounded(mean("temperature_c")),
        "cycles": _rounded(mean("equivalent_full_cycles")),
        "health_percent": _rounded(percent_from_fraction(mean("state_of_health"))),
    }


def _load(site: Site, run: PlantRun) -> Section:
    parts = {name: np.zeros(run.grid.count) for name in LOAD_PARTS}
    for asset in site.consumers:
        drawn = run.assets[asset.id]
        if isinstance(drawn, LoadRun):
            for name, part in drawn.parts_kw.items():
                parts[name] += part
        elif isinstance(drawn, HeatPumpRun):
            parts["heat_pump_kw"] -= drawn.power_kw
    rounded = {name: _rounded(part) for name, part in parts.items()}
    total = sum(rounded.values(), np.zeros(run.grid.count))
    return {"total_load_kw": _rounded(total), **rounded}
