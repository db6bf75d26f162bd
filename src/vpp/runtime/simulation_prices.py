"""Prices at the meters of a simulated plant: its own tariffs on the simulated wholesale price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.time import TimeGrid, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY
from vpp.runtime.setup import Setup
from vpp.simulation.market.periods import time_of_use_period
from vpp.simulation.plant.runs import Surroundings

Floats = NDArray[np.float64]
_QUARTERS_S = np.arange(0, SECONDS_PER_DAY, 900, dtype=np.int64)
_SAME_PRICE = 1e-12


@dataclass(frozen=True, slots=True)
class SitePrices:
    """What holds in T steps, arrays of shape (T,).

    Parameters
    ----------
    import_per_kwh, export_per_kwh : float array
        Paid per kWh drawn, earned per kWh fed in.
    demand_charge_per_kw : float
        Price of a month's highest import.
    period : str array
        peak, shoulder, off_peak, or flat where the price never changes.
    carbon_kg_per_kwh : float array
        Carbon intensity of the grid.
    """

    import_per_kwh: Floats
    export_per_kwh: Floats
    demand_charge_per_kw: float
    period: NDArray[np.str_]
    carbon_kg_per_kwh: Floats


def prices_of(setup: Setup, grid: TimeGrid, outside: Surroundings, *, demand_charge_per_kw: float) -> SitePrices:
    """Return the prices of a plant's tariffs."""
    times_s, spot = grid.times_s, outside.price_per_kwh
    tariff = setup.import_tariff
    export = spot
    if setup.export_tariff is not None:
        export = setup.export_tariff.price_per_kwh(times_s, timezone=setup.timezone, spot_per_kwh=spot)
    if tariff.base is None:
        period = time_of_use_period(times_s, timezone=setup.timezone)
    elif isinstance(tariff.base, tuple):
        period = _periods(setup, grid)
    else:
        period = np.full(grid.count, "flat")
    return SitePrices(
        tariff.price_per_kwh(times_s, timezone=setup.timezone, spot_per_kwh=spot),
        export,
        demand_charge_per_kw,
        period,
        outside.carbon_kg_per_kwh,
    )


def _periods(setup: Setup, grid: TimeGrid) -> NDArray[np.str_]:
    """Return the label of every step by where its price stands among those of its local day."""
    tariff, times_s = setup.import_tariff, grid.times_s
    local_s = times_s + utc_offsets_s(times_s, setup.timezone)
    days, day_of_step = np.unique(local_s // SECONDS_PER_DAY, return_inverse=True)
    wall_s = (days[:, None] * SECONDS_PER_DAY + _QUARTERS_S).ravel()
    moments_s = wall_s - utc_offsets_s(wall_s, setup.timezone)
    quarters = tariff.price_per_kwh(moments_s, timezone=setup.timezone, spot_per_kwh=np.zeros(wall_s.size))
    quarters = quarters.reshape(days.size, -1)
    lowest, highest = quarters.min(axis=1)[day_of_step], quarters.max(axis=1)[day_of_step]
    price = tariff.price_per_kwh(times_s, timezone=setup.timezone, spot_per_kwh=np.zeros(times_s.size))
    which = [highest - lowest <= _SAME_PRICE, price <= lowest + _SAME_PRICE, price >= highest - _SAME_PRICE]
    return np.select(which, [np.array(label) for label in ("flat", "off_peak", "peak")], np.array("shoulder"))
