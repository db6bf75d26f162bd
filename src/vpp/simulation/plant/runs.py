"""What a simulated plant did: columns by asset and by site.

Power is positive toward the grid. Invariant: at every meter the grid power is the sum of the powers behind it, and the
parts of a load sum to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import CARBON_KG_PER_KWH, MARKET, POWER_KW, PRICE_PER_KWH, SOC, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SolarRun:
    """An array in T steps: power after curtailment, what was to be had, and what made it; arrays of shape (T,)."""

    power_kw: Floats
    available_kw: Floats
    irradiance_w_m2: Floats
    panel_temperature_c: Floats


@dataclass(frozen=True, slots=True)
class WindRun:
    """A turbine in T steps: power after curtailment, what was to be had, wind at the hub; arrays of shape (T,)."""

    power_kw: Floats
    available_kw: Floats
    hub_speed_m_s: Floats


@dataclass(frozen=True, slots=True)
class LoadRun:
    """A consumer in T steps: power (0 or less) and its parts, non-negative; arrays of shape (T,)."""

    power_kw: Floats
    parts_kw: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class HeatPumpRun:
    """A heat pump in T steps: power (0 or less), heat, and the house's temperature at the end; arrays of shape (T,)."""

    power_kw: Floats
    heat_kw: Floats
    indoor_c: Floats


@dataclass(frozen=True, slots=True)
class BatteryRun:
    """A battery in T steps, arrays of shape (T,); NaN where its model has no such number.

    Parameters
    ----------
    power_kw : float array
        At the terminals; positive discharges.
    soc, stored_kwh : float array
        At the end of each step.
    loss_kwh : float array
        Energy that left the store and did not pass the terminals.
    voltage_v, temperature_c : float array
        At the end of each step.
    equivalent_full_cycles, state_of_health : float array
        So far.
    """

    power_kw: Floats
    soc: Floats
    stored_kwh: Floats
    loss_kwh: Floats
    voltage_v: Floats
    temperature_c: Floats
    equivalent_full_cycles: Floats
    state_of_health: Floats


AssetRun: TypeAlias = SolarRun | WindRun | LoadRun | HeatPumpRun | BatteryRun


@dataclass(frozen=True, slots=True)
class SiteRun:
    """A site's meter in T steps: power, generation left unused, power beyond its limits; arrays of shape (T,)."""

    grid_kw: Floats
    curtailed_kw: Floats
    violation_kw: Floats


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the world outside was like in T steps, arrays of shape (T,)."""

    ghi_w_m2: Floats
    temperature_c: Floats
    wind_speed_m_s: Floats
    price_per_kwh: Floats
    carbon_kg_per_kwh: Floats


@dataclass(frozen=True, slots=True)
class PlantRun:
    """A simulated plant.

    Parameters
    ----------
    plant : str
        Plant id.
    grid : TimeGrid
        T steps.
    outside : Surroundings
        Weather and wholesale market.
    assets : mapping of str to AssetRun
        By asset id.
    sites : mapping of str to SiteRun
        By site id.
    """

    plant: str
    grid: TimeGrid
    outside: Surroundings
    assets: Mapping[str, AssetRun]
    sites: Mapping[str, SiteRun]

    def table(self, *, batteries: bool = True) -> SeriesTable:
        """Return powers, states of charge, meters, price and carbon as one table of series.

        Parameters
        ----------
        batteries : bool
            False for the world that happens whatever the batteries do: no batteries, no meters, and generation before
            curtailment.
        """
        columns: dict[SeriesKey, Floats] = {}
        for name, run in self.assets.items():
            if isinstance(run, BatteryRun):
                if batteries:
                    columns[SeriesKey(name, POWER_KW)] = run.power_kw
                    columns[SeriesKey(name, SOC)] = run.soc
            elif isinstance(run, (SolarRun, WindRun)) and not batteries:
                columns[SeriesKey(name, POWER_KW)] = run.available_kw
            else:
                columns[SeriesKey(name, POWER_KW)] = run.power_kw
        if batteries:
            columns |= {SeriesKey(name, POWER_KW): site.grid_kw for name, site in self.sites.items()}
        columns[SeriesKey(MARKET, PRICE_PER_KWH)] = self.outside.price_per_kwh
        columns[SeriesKey(MARKET, CARBON_KG_PER_KWH)] = self.outside.carbon_kg_per_kwh
        return SeriesTable(self.grid, tuple(columns), np.column_stack(list(columns.values())))
