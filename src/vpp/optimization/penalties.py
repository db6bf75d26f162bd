"""Prices of soft limits: each above everything that breaking it could earn, unless the owner states one.

A soft limit with such a price is left only where nothing else is feasible.
"""

from __future__ import annotations

import numpy as np

from vpp.optimization.battery_table import battery_table
from vpp.optimization.flexible import warming_k_per_kw
from vpp.optimization.problem import Floats, PlanProblem


def penalty_per_kwh(problem: PlanProblem) -> Floats:
    """Return the price of a kWh outside the soft band, per step [currency/kWh], shape (A,).

    It is above everything that a kWh moved in time can earn at the battery's site, so a plan leaves the band only where
    nothing else is feasible: twice the widest spread of value, over the lesser efficiency.
    """
    table, site = battery_table(problem.batteries), list(problem.battery_site)
    highest, lowest = _prices(problem)
    worth = problem.terminal_value_per_kwh
    spread = np.maximum(np.maximum(highest[site], worth), 0.0) - np.minimum(np.minimum(lowest[site], worth), 0.0)
    spread += 2.0 * problem.imbalance_spread_per_kwh + _wear(problem)
    spread += _surcharge(problem)[site]
    penalty: Floats = 2.0 * spread / np.minimum(table.charge_efficiency, table.discharge_efficiency)
    return np.where(penalty > 0.0, penalty, 1.0)


def _prices(problem: PlanProblem) -> tuple[Floats, Floats]:
    """Return the highest and lowest price that a kWh can meet, shape (S,); of all sites where they share a limit."""
    buy, sell = problem.import_cost_per_kwh, problem.export_price_per_kwh
    highest, lowest = np.maximum(buy, sell).max(axis=0), np.minimum(buy, sell).min(axis=0)
    if problem.coupled:
        highest, lowest = np.full_like(highest, highest.max()), np.full_like(lowest, lowest.min())
    return highest, lowest


def _wear(problem: PlanProblem) -> Floats:
    """Return the dearest wear of each battery [currency/kWh], shape (A,)."""
    wear = battery_table(problem.batteries).wear_cost_per_kwh
    if not problem.wear_curves:
        return wear
    curves = zip(problem.wear_curves, wear.tolist(), strict=True)
    return np.array([flat if curve is None else curve.cost_per_kwh[-1] for curve, flat in curves])


def _surcharge(problem: PlanProblem) -> Floats:
    """Return what a kWh can earn at a site besides its price: a peak shaved, reserve held [currency/kWh], (S,)."""
    extra: Floats = np.zeros(len(problem.site_ids))
    if problem.demand_charge_per_kw is not None:
        extra += problem.demand_charge_per_kw / problem.grid.duration_h
        if problem.coupled:
            extra[:] = extra.sum()
    if problem.reserve is not None:
        steps, sustain_h = problem.grid.count, problem.reserve.sustain_h
        price = sum(float(problem.reserve.series(way, "price_per_kwh", steps).max()) for way in ("up", "down"))
        # a kWh of headroom is held over two steps, and gives 1 / sustain kW in each
        extra += price * (1.0 + 2.0 * problem.grid.duration_h / sustain_h)
    return extra


def value_spread_per_kwh(problem: PlanProblem) -> Floats:
    """Return the most that a kWh consumed elsewhere or never could earn at each site [currency/kWh], shape (S,).

    A kWh from a battery costs its losses and its wear besides.
    """
    highest, lowest = _prices(problem)
    highest, lowest = np.maximum(highest, 0.0), np.minimum(lowest, 0.0)
    table, site, worth = battery_table(problem.batteries), list(problem.battery_site), problem.terminal_value_per_kwh
    np.maximum.at(highest, site, worth)
    np.minimum.at(lowest, site, worth)
    wear, efficiency = np.zeros_like(highest), np.ones_like(highest)
    np.maximum.at(wear, site, _wear(problem))
    np.minimum.at(efficiency, site, table.charge_efficiency * table.discharge_efficiency)
    if problem.coupled:
        for values, extreme in ((highest, highest.max()), (lowest, lowest.min()), (wear, wear.max())):
            values[:] = extreme
        efficiency[:] = efficiency.min()
    spread = highest - lowest + 2.0 * problem.imbalance_spread_per_kwh + _surcharge(problem)
    total: Floats = (spread + wear) / efficiency
    return total


def shortfall_cost_per_kwh(problem: PlanProblem) -> Floats:
    """Return the price of a kWh missing in each goal (cars, then deferrable loads) [currency/kWh], shape (G,)."""
    spread = value_spread_per_kwh(problem)
    derived = [max(2.0 * float(spread[one.site]) / one.charge_efficiency, 1.0) for one in problem.goals]
    stated = [one.shortfall_cost_per_kwh for one in problem.goals]
    return np.array([own if given is None else given for own, given in zip(derived, stated, strict=True)])


def discomfort_cost_per_kh(problem: PlanProblem) -> Floats:
    """Return the price of a kelvin outside the comfort band for an hour of each house [currency/(K h)], shape (H,)."""
    spread, hours = value_spread_per_kwh(problem), problem.grid.duration_h
    prices = []
    for house in problem.heated_houses:
        derived = max(2.0 * float(spread[house.site]) / warming_k_per_kw(house.heat_pump, hours), 1.0)
        prices.append(derived if house.discomfort_cost_per_kh is None else house.discomfort_cost_per_kh)
    return np.array(prices)


def violation_per_kwh(problem: PlanProblem) -> Floats:
    """Return the price of a kWh over a connection limit [currency/kWh], shape (S,).

    Dearer than leaving every soft floor of the site through the whole horizon, and than every price.
    """
    prices = np.maximum(np.abs(problem.import_cost_per_kwh), np.abs(problem.export_price_per_kwh))
    dearest = 2.0 * (prices.max(axis=0) + problem.imbalance_spread_per_kwh) + 1.0 + 2.0 * _surcharge(problem)
    penalty = np.zeros(len(problem.site_ids))
    np.maximum.at(penalty, list(problem.battery_site), penalty_per_kwh(problem))
    if problem.flexible:
        for cost, goal in zip(shortfall_cost_per_kwh(problem), problem.goals, strict=True):
            penalty[goal.site] = max(penalty[goal.site], cost)
        for cost, house in zip(discomfort_cost_per_kh(problem), problem.heated_houses, strict=True):
            penalty[house.site] = max(penalty[house.site], cost * warming_k_per_kw(house.heat_pump, 1.0))
    if problem.coupled:
        penalty[:], dearest = penalty.max(), np.full_like(dearest, dearest.max())
    price: Floats = (problem.grid.count + 1) * (penalty + dearest)
    return price
