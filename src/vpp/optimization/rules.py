"""Plans without a solver: the rule that most installations run today, and the battery left alone.

The rule looks at published prices only to tell cheap hours from dear ones, and at each step's own surplus; it does not
look ahead at quantities. Cars, houses and machines run as nobody plans them, and no reserve is promised. It is a
yardstick and the fallback, so it must be decent: it never trades at a loss that the prices already show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vpp.core import storage
from vpp.core.messages.planned import PlanStatus, Schedule
from vpp.optimization.flexible_outcome import as_fixed
from vpp.optimization.infeasible import conflicts, summary
from vpp.optimization.matrix import BatteryTable, battery_table, initial_energy_kwh
from vpp.optimization.outcome import Choice, outcome_of, schedule_of, without_plan
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reasons import reasons

QUARTER = 0.25
NO_CLAIM = "follows a rule: keeps every limit, claims no least cost"


@dataclass(frozen=True, slots=True, eq=False)
class _Hours:
    """Which steps are worth what, each of shape (T, S)."""

    buy: NDArray[np.bool_]
    store_surplus: NDArray[np.bool_]
    cover_load: NDArray[np.bool_]
    sell: NDArray[np.bool_]


class RulePlanner:
    """Charge from surplus and in the cheapest quarter of the known hours; discharge in the dearest quarter.

    Buys only when the dearest quarter pays for losses and wear; discharges to cover consumption; sells only when the
    feed-in price itself is among its dearest quarter and pays. What was sold ahead is not looked at.
    A plan that would break a connection limit is FAILED, with that plan as ``least_violation``.
    """

    def __init__(self, name: str = "rule") -> None:
        self.name = name

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the rule's schedule; every step carries the code RULE."""
        began_s = perf_counter()
        return _finish(problem, _follow_rule(as_fixed(problem)), name=self.name, began_s=began_s)


class IdlePlanner:
    """Every battery at 0 kW: what the site would do without one. Curtails only what the connection cannot take."""

    def __init__(self, name: str = "no_battery") -> None:
        self.name = name

    def plan(self, problem: PlanProblem) -> Schedule:
        """Return the schedule without a battery."""
        began_s = perf_counter()
        power = np.zeros((problem.grid.count, len(problem.batteries)))
        exchange = as_fixed(problem).fixed_kw + problem.curtailable_kw
        choice = Choice(power, _curtail(problem, exchange))
        return _finish(problem, choice, name=self.name, began_s=began_s)


def _finish(problem: PlanProblem, choice: Choice, *, name: str, began_s: float) -> Schedule:
    """Return the schedule of a rule's choice, FAILED when it breaks a connection limit."""
    outcome = outcome_of(problem, choice)
    code, limit = reasons(problem, outcome, choice)
    schedule = schedule_of(
        problem,
        outcome,
        choice=choice,
        code=code,
        limit=limit,
        method=name,
        message=NO_CLAIM,
        solve_time_s=perf_counter() - began_s,
    )
    broken = conflicts(problem, outcome)
    if not broken:
        return replace(schedule, status=PlanStatus.FEASIBLE)
    message = f"{name}: {summary(broken)}"
    failed = without_plan(problem, PlanStatus.FAILED, method=name, message=message)
    nearest = replace(schedule, status=PlanStatus.FAILED, message=message, conflicts=broken)
    return replace(failed, conflicts=broken, least_violation=nearest)


def _curtail(problem: PlanProblem, exchange_kw: Floats) -> Floats:
    """Return what is left unused: what the connection cannot take, and what would be fed in at a loss."""
    excess = np.maximum(exchange_kw - problem.export_max_kw, 0.0)
    unpaid = np.where(problem.export_price_per_kwh < 0.0, np.maximum(exchange_kw, 0.0), 0.0)
    curtailed: Floats = np.minimum(np.maximum(excess, unpaid), problem.curtailable_kw)
    return curtailed


def _quarters(price_per_kwh: Floats, known: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which steps of one site belong to the cheapest and to the dearest quarter of the known ones.

    Where one price fills most hours it is neither cheap nor dear beside a rarer one; where all are equal, each is both.
    """
    if not known.any():
        return np.zeros_like(known), np.zeros_like(known)
    ordered = np.sort(price_per_kwh[known])
    count = ceil(QUARTER * ordered.size)
    cheap, dear = ordered[count - 1], ordered[-count]
    if ordered[0] == ordered[-1]:
        return known.copy(), known.copy()
    is_dear = known & (price_per_kwh >= dear) & (price_per_kwh > cheap)
    is_cheap = known & (price_per_kwh <= cheap) & (price_per_kwh < ordered[-1])
    return is_cheap, is_dear


def _hours(problem: PlanProblem, table: BatteryTable) -> _Hours:
    """Sort the steps by what they are good for, site by site."""
    shape = problem.fixed_kw.shape
    hours = _Hours(*(np.zeros(shape, dtype=np.bool_) for _ in range(4)))
    for site in range(shape[1]):
        mine = [index for index, where in enumerate(problem.battery_site) if where == site]
        if not mine:
            continue
        efficiency = float((table.charge_efficiency[mine] * table.discharge_efficiency[mine]).min())
        wear = float(table.wear_cost_per_kwh[mine].max())
        buy, sell = problem.import_price_per_kwh[:, site], problem.export_price_per_kwh[:, site]
        cheap, dear = _quarters(buy, problem.price_known)
        _, dear_sale = _quarters(sell, problem.price_known)
        if not dear.any():
            continue
        surplus = problem.fixed_kw[:, site] + problem.curtailable_kw[:, site] > 0.0
        # what a kWh stored earns in the dear hours, and what it costs where it comes cheapest
        earns = efficiency * (float(buy[dear].mean()) - wear)
        source = min(float(buy[cheap].mean()) if cheap.any() else np.inf, float(sell[surplus].min(initial=np.inf)))
        hours.buy[:, site] = cheap & (buy < earns)
        hours.store_surplus[:, site] = sell < earns
        hours.cover_load[:, site] = dear & (efficiency * (buy - wear) > source)
        hours.sell[:, site] = dear_sale & (efficiency * (sell - wear) > source)
    return hours


def _follow_rule(problem: PlanProblem) -> Choice:
    """Return the powers of the rule, step by step, each battery of a site sharing by what it can do."""
    table, hours_h = battery_table(problem.batteries), problem.grid.duration_h
    limits = storage.StorageLimits(
        table.floor_kwh,
        table.energy_max_kwh,
        table.charge_max_kw,
        table.discharge_max_kw,
        table.charge_efficiency,
        table.discharge_efficiency,
    )
    low, high = _wanted_kw(problem, _hours(problem, table))
    site, sites = np.array(problem.battery_site, dtype=np.intp), len(problem.site_ids)
    power, energy = np.zeros((problem.grid.count, site.size)), initial_energy_kwh(problem)
    for step in range(problem.grid.count):
        lowest, highest = storage.power_band_kw(energy, limits, duration_h=hours_h)
        can_charge, can_give = -np.bincount(site, lowest, sites), np.bincount(site, highest, sites)
        # shares of what is wanted; 0 where nothing is possible
        charge = np.clip(-low[step], 0.0, can_charge) / np.where(can_charge > 0.0, can_charge, 1.0)
        give = np.clip(high[step], 0.0, can_give) / np.where(can_give > 0.0, can_give, 1.0)
        power[step] = lowest * charge[site] + highest * give[site]
        # within the band by construction, so the balance alone gives the next energy
        energy = energy + storage.energy_change_kwh(
            power[step],
            duration_h=hours_h,
            charge_efficiency=table.charge_efficiency,
            discharge_efficiency=table.discharge_efficiency,
        )
    exchange = problem.fixed_kw + problem.curtailable_kw
    for index, where in enumerate(problem.battery_site):
        exchange[:, where] += power[:, index]
    return Choice(power, _curtail(problem, exchange))


def _wanted_kw(problem: PlanProblem, hours: _Hours) -> tuple[Floats, Floats]:
    """Return the wanted charge (0 or less) and discharge (0 or more) of each site, at most one of them not 0."""
    available = problem.fixed_kw + problem.curtailable_kw
    surplus, deficit = np.maximum(available, 0.0), np.maximum(-available, 0.0)
    room_in, room_out = problem.import_max_kw + available, problem.export_max_kw - available
    forced_in, forced_out = np.maximum(-room_out, 0.0), np.maximum(-room_in, 0.0)
    give = np.where(hours.sell, np.maximum(room_out, 0.0), np.where(hours.cover_load, deficit, 0.0))
    charge = np.where(hours.store_surplus, surplus, 0.0)
    charge = np.where(hours.buy, np.maximum(room_in, 0.0), charge)
    charge = np.where(give > 0.0, 0.0, charge)
    # a connection that would be overrun comes before every price
    charge, give = np.maximum(charge, forced_in), np.maximum(give, forced_out)
    charge = np.where(forced_out > 0.0, 0.0, charge)
    give = np.where(forced_in > 0.0, 0.0, give)
    return -charge, give
