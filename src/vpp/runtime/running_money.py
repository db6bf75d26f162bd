"""Money so far: what a running plant has cost, beside the same loads and sun without its batteries.

Both sides count the fees for missing the position sold alike, and the energy gained in the batteries is credited.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.time import TimeGrid
from vpp.runtime.documents import moment, number, numbers
from vpp.runtime.live import LivePlant
from vpp.runtime.money import delivered_of, rates_of
from vpp.runtime.setup import Setup
from vpp.trading.settlement import settle

Floats = NDArray[np.float64]


def running_money(live: LivePlant, now: datetime) -> dict[str, Any]:
    """Return both costs, cumulative per step since the start [currency].

    ``saved`` is None with a ``reason`` while a meter or a battery has not been measured in every step.
    """
    setup = live.setup
    grid = TimeGrid.between(live.start, max(now, live.start), setup.resolution_s)
    answer: dict[str, Any] = {
        "start": moment(grid.start),
        "resolution_s": grid.resolution_s,
        "currency": setup.plant.currency,
        "cost": [],
        "no_battery_cost": [],
        "saved": None,
    }
    if not grid.count:
        return answer | {"reason": "no step has been measured yet"}
    start_soc = np.array([battery.soc_initial for battery in setup.plant.batteries])
    real = delivered_of(setup, live.store, grid, start_soc=start_soc)
    soc = live.store.series(setup.plant.id, setup.soc_keys, grid).value
    if np.isnan(real.grid_kw).any() or np.isnan(real.battery_kw).any() or np.isnan(soc).any():
        return answer | {"reason": "meters or batteries were not measured in every step"}
    rates = rates_of(setup, live.assembly.prices, live.assembly.builder, grid)
    capacity = np.array([battery.capacity_kwh for battery in setup.plant.batteries])
    credit = ((soc - start_soc) * capacity * rates.energy_value_per_kwh).sum(axis=1)
    alone = replace(
        real,
        grid_kw=real.grid_kw - _by_site(setup, real.battery_kw),
        battery_kw=np.zeros_like(real.battery_kw),
        committed_kw=np.full_like(real.committed_kw, np.nan),
    )
    missed = np.where(np.isnan(real.committed_kw), 0.0, np.abs(real.grid_kw - real.committed_kw)).sum(axis=1)
    fees = missed * grid.duration_h * rates.imbalance_spread_per_kwh
    cost = np.cumsum(settle(real, rates).step_cost) - credit
    no_battery = np.cumsum(settle(alone, rates).step_cost + fees)
    return answer | {
        "cost": numbers(cost),
        "no_battery_cost": numbers(no_battery),
        "saved": number(no_battery[-1] - cost[-1]),
    }


def _by_site(setup: Setup, battery_kw: Floats) -> Floats:
    total = np.zeros((battery_kw.shape[0], len(setup.plant.sites)))
    column = 0
    for index, site in enumerate(setup.plant.sites):
        for _ in site.batteries:
            total[:, index] += battery_kw[:, column]
            column += 1
    return total
