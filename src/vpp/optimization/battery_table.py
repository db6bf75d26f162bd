"""Batteries as columns: ratings, bands, the energy they start with and the floors they should keep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vpp.core.assets import Battery
from vpp.optimization.problem import Floats, PlanProblem

BAND_TOLERANCE_KWH = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class BatteryTable:
    """Batteries as columns, each of shape (A,), in kW, kWh and currency/kWh."""

    capacity_kwh: Floats
    energy_min_kwh: Floats
    energy_max_kwh: Floats
    backup_kwh: Floats
    charge_max_kw: Floats
    discharge_max_kw: Floats
    charge_efficiency: Floats
    discharge_efficiency: Floats
    wear_cost_per_kwh: Floats

    @property
    def floor_kwh(self) -> Floats:
        """Lowest energy that costs no penalty."""
        return np.maximum(self.energy_min_kwh, self.backup_kwh)


@lru_cache(maxsize=64)
def battery_table(batteries: tuple[Battery, ...]) -> BatteryTable:
    """Return the batteries as columns."""
    rows = [
        (
            battery.capacity_kwh,
            battery.soc_min * battery.capacity_kwh,
            battery.soc_max * battery.capacity_kwh,
            battery.backup_soc * battery.capacity_kwh,
            battery.charge_max_kw,
            battery.discharge_max_kw,
            battery.charge_efficiency,
            battery.discharge_efficiency,
            battery.wear_cost_per_kwh,
        )
        for battery in batteries
    ]
    return BatteryTable(*np.array(rows, dtype=np.float64).reshape(-1, 9).T.copy())


def initial_energy_kwh(problem: PlanProblem) -> Floats:
    """Return the energy stored at the start, shape (A,); rounding just outside the band is brought to its edge."""
    table = battery_table(problem.batteries)
    energy = problem.initial_soc * table.capacity_kwh
    inside = np.clip(energy, table.energy_min_kwh, table.energy_max_kwh)
    return np.where(np.abs(energy - inside) <= BAND_TOLERANCE_KWH, inside, energy)


def floor_kwh(problem: PlanProblem) -> Floats:
    """Return the soft floor of each battery at the end of each step, shape (A, T)."""
    table = battery_table(problem.batteries)
    floor = np.repeat(table.floor_kwh[:, None], problem.grid.count, axis=1)
    if problem.final_soc_min is not None:
        floor[:, -1] = np.maximum(floor[:, -1], problem.final_soc_min * table.capacity_kwh)
    return floor
