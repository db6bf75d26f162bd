"""Money: the statement of a window from what the store measured, by the one definition of ``trading.settlement``."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from vpp.core.ports import Store
from vpp.core.series import align
from vpp.core.time import TimeGrid
from vpp.runtime.planning import ProblemBuilder
from vpp.runtime.prices import PriceBook
from vpp.runtime.setup import Setup
from vpp.trading.settlement import Delivered, Rates, Statement, settle

Floats = NDArray[np.float64]


def rates_of(setup: Setup, prices: PriceBook, builder: ProblemBuilder, grid: TimeGrid) -> Rates:
    """Return what things cost over a window: the prices that came to be, wear, and the worth of energy left."""
    view = prices.view(grid, now=None)
    wide = (grid.count, len(setup.plant.sites))
    return Rates(
        import_price_per_kwh=np.broadcast_to(view.import_per_kwh[:, None], wide),
        export_price_per_kwh=np.broadcast_to(view.export_per_kwh[:, None], wide),
        imbalance_spread_per_kwh=setup.imbalance_spread_per_kwh,
        wear_cost_per_kwh=np.array([battery.wear_cost_per_kwh for battery in setup.plant.batteries]),
        energy_value_per_kwh=builder.energy_value(view),
    )


def delivered_of(setup: Setup, store: Store, grid: TimeGrid, *, start_soc: Floats) -> Delivered:
    """Return what was measured over a window.

    Parameters
    ----------
    start_soc : float array, shape (A,)
        State of charge before the first step.
    """
    plant = setup.plant
    meters = store.series(plant.id, setup.meter_keys, grid).value
    batteries = store.series(plant.id, setup.battery_keys, grid).value
    soc = store.series(plant.id, setup.soc_keys, grid).value
    capacity = np.array([battery.capacity_kwh for battery in plant.batteries])
    end_soc = soc[-1] if grid.count else start_soc
    return Delivered(
        duration_h=grid.duration_h,
        grid_kw=meters,
        battery_kw=batteries,
        energy_start_kwh=start_soc * capacity,
        energy_end_kwh=end_soc * capacity,
        committed_kw=committed_of(setup, store, grid),
    )


def committed_of(setup: Setup, store: Store, grid: TimeGrid) -> Floats:
    """Return the position sold ahead at each meter [kW], NaN where none was; it is sold at the first site's meter."""
    committed = np.full((grid.count, len(setup.plant.sites)), np.nan)
    for award in store.awards(setup.plant.id, grid.start - timedelta(days=2), grid.end):
        sold = align(award.grid.times_s, award.power_kw, grid)
        committed[np.isfinite(sold), 0] = sold[np.isfinite(sold)]
    return committed


def statement_of(
    setup: Setup, store: Store, prices: PriceBook, builder: ProblemBuilder, grid: TimeGrid, *, start_soc: Floats
) -> Statement:
    """Return the statement of a window that has been measured in full."""
    return settle(delivered_of(setup, store, grid, start_soc=start_soc), rates_of(setup, prices, builder, grid))
