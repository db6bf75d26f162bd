"""From powers to a schedule: replay, meter exchange, money.

Every planner ends here, so that a plan is what the storage balance would do with it and claims what that earns.
Invariant: the power at a meter is what its assets sum to; the stored energy follows ``vpp.core.storage``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vpp.core import storage
from vpp.core.messages.planned import PlanStatus, ReasonCode, Schedule
from vpp.optimization.battery_table import battery_table, floor_kwh, initial_energy_kwh
from vpp.optimization.flexible_outcome import FlexibleOutcome, flexible_assets, flexible_outcome, uncontrolled_kw
from vpp.optimization.penalties import penalty_per_kwh
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reserve import DIRECTIONS, Reserve
from vpp.optimization.reserve_outcome import after_a_call_kwh, available_reserve_kw, kept_reserve_kw
from vpp.optimization.wear import replayed_wear_cost

# simplex noise below this is nothing at all
NOISE_KW = 1e-9
EARNED = ("terminal_value", "reserve_revenue")
"""Parts that are subtracted."""
BAND_TOLERANCE_KWH = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What a planner decided, and the prices it saw.

    Parameters
    ----------
    power_kw : float array, shape (T, A)
        Terminal power, positive discharges.
    curtailed_kw : float array, shape (T, S)
        Generation left unused.
    value_per_kwh : float array, shape (T, A), or None
        Worth of one more kWh stored at the end of each step.
    price_per_kwh : float array, shape (T, S), or None
        Worth of one more kWh at the bus of each site.
    flexible_kw, flexible_value_per_kwh : float array, shape (T, F), or None
        Consumption of the flexible assets, non-negative; worth of one more kWh in them. None: as nobody plans them.
    reserve_kw : mapping of str to float array, shape (T, A), or None
        Reserve promised by each battery, ``up`` and ``down``; None for none.
    """

    power_kw: Floats
    curtailed_kw: Floats
    value_per_kwh: Floats | None = None
    price_per_kwh: Floats | None = None
    flexible_kw: Floats | None = None
    flexible_value_per_kwh: Floats | None = None
    reserve_kw: Mapping[str, Floats] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a choice comes to. Shapes (T, A) and (T, S) as in ``Schedule``; ``parts`` sum to ``objective``.

    ``power_kw`` and ``energy_kwh`` are the batteries'; ``flexible`` and ``reserve_kw`` (by direction, batteries) are
    there where the problem has them.
    """

    power_kw: Floats
    energy_kwh: Floats
    import_kw: Floats
    export_kw: Floats
    curtailed_kw: Floats
    parts: dict[str, float]
    flexible: FlexibleOutcome | None = None
    reserve_kw: dict[str, Floats] | None = None

    @property
    def objective(self) -> float:
        """Cost of the horizon [currency]."""
        paid = sum(value for name, value in self.parts.items() if name not in EARNED)
        return paid - sum(self.parts.get(name, 0.0) for name in EARNED)


def outcome_of(problem: PlanProblem, choice: Choice) -> Outcome:
    """Return what a choice comes to when the batteries do it."""
    power = np.where(np.abs(choice.power_kw) < NOISE_KW, 0.0, choice.power_kw)
    power, energy = _replay(problem, power)
    curtailed = np.clip(choice.curtailed_kw, 0.0, problem.curtailable_kw)
    curtailed[curtailed < NOISE_KW] = 0.0
    exchange = problem.fixed_kw + problem.curtailable_kw - curtailed + _per_site(problem, power)
    flexible = None
    if problem.flexible:
        asked = uncontrolled_kw(problem) if choice.flexible_kw is None else choice.flexible_kw
        flexible = flexible_outcome(problem, np.where(asked < NOISE_KW, 0.0, asked))
        for column, site in enumerate(flexible_assets(problem).sites):
            exchange[:, site] -= flexible.power_kw[:, column]
    exchange[np.abs(exchange) < NOISE_KW] = 0.0
    imports, exports = np.maximum(-exchange, 0.0), np.maximum(exchange, 0.0)
    parts = _parts(problem, power, energy, exchange)
    if flexible is not None:
        parts |= flexible.parts
    reserve = None
    if problem.reserve is not None:
        reserve = _reserve(problem, choice, power_kw=power, energy_kwh=energy, exchange_kw=exchange)
        parts["reserve_revenue"] = _reserve_revenue(problem, problem.reserve, reserve)
        if problem.batteries:
            parts["penalty_cost"] = _penalty_cost(problem, energy, after_a_call_kwh(problem, energy, reserve))
    return Outcome(power, energy, imports, exports, curtailed, parts, flexible, reserve)


def _reserve(
    problem: PlanProblem, choice: Choice, *, power_kw: Floats, energy_kwh: Floats, exchange_kw: Floats
) -> dict[str, Floats]:
    """Return the reserve of each direction, never more than there is."""
    promised = choice.reserve_kw or {}
    kept = {}
    for way in DIRECTIONS:
        if way in promised:
            available = available_reserve_kw(problem, power_kw, energy_kwh, way)
            kept[way] = kept_reserve_kw(problem, promised[way], available, exchange_kw, way)
            kept[way][kept[way] < NOISE_KW] = 0.0
        else:
            kept[way] = np.zeros_like(power_kw)
    return kept


def _reserve_revenue(problem: PlanProblem, terms: Reserve, reserve_kw: dict[str, Floats]) -> float:
    """Return what the reserve earns [currency]."""
    steps = problem.grid.count
    earned = (terms.series(way, "price_per_kwh", steps) @ held.sum(axis=1) for way, held in reserve_kw.items())
    return problem.grid.duration_h * float(sum(earned))


def _per_site(problem: PlanProblem, power_kw: Floats) -> Floats:
    """Return the batteries' power summed per site, shape (T, S)."""
    if problem.battery_site == tuple(range(len(problem.site_ids))):
        return power_kw
    total = np.zeros((len(problem.site_ids), problem.grid.count))
    np.add.at(total, np.array(problem.battery_site, dtype=np.intp), power_kw.T)
    return total.T


def _replay(problem: PlanProblem, power_kw: Floats) -> tuple[Floats, Floats]:
    """Return power and stored energy (T, A) as the storage balance gives them, cutting what it would cut."""
    table, hours = battery_table(problem.batteries), problem.grid.duration_h
    power = np.clip(power_kw, -table.charge_max_kw, table.discharge_max_kw)
    first = initial_energy_kwh(problem)
    change = storage.energy_change_kwh(
        power,
        duration_h=hours,
        charge_efficiency=table.charge_efficiency,
        discharge_efficiency=table.discharge_efficiency,
    )
    energy = first + np.cumsum(change, axis=0)
    above = (energy > table.energy_max_kwh + BAND_TOLERANCE_KWH) & (power < 0.0)
    below = (energy < table.energy_min_kwh - BAND_TOLERANCE_KWH) & (power > 0.0)
    if above.any() or below.any():
        return _replay_stepwise(problem, power, first)
    inside = (first >= table.energy_min_kwh) & (first <= table.energy_max_kwh)
    return power, np.where(inside, np.clip(energy, table.energy_min_kwh, table.energy_max_kwh), energy)


def _replay_stepwise(problem: PlanProblem, power_kw: Floats, energy_kwh: Floats) -> tuple[Floats, Floats]:
    """Replay step by step; only for the rare plan that rounding or an outside start carries over a limit."""
    table = battery_table(problem.batteries)
    limits = storage.StorageLimits(
        table.energy_min_kwh,
        table.energy_max_kwh,
        table.charge_max_kw,
        table.discharge_max_kw,
        table.charge_efficiency,
        table.discharge_efficiency,
    )
    power, energy = np.empty_like(power_kw), np.empty_like(power_kw)
    for step in range(power_kw.shape[0]):
        done = storage.execute(energy_kwh, power_kw[step], limits, duration_h=problem.grid.duration_h)
        power[step], energy[step] = done.power_kw, done.energy_kwh
        energy_kwh = done.energy_kwh
    return power, energy


def _parts(problem: PlanProblem, power_kw: Floats, energy_kwh: Floats, exchange_kw: Floats) -> dict[str, float]:
    """Return the cost by cause [currency]."""
    hours = problem.grid.duration_h
    price = np.where(exchange_kw < 0.0, problem.import_price_per_kwh, problem.export_price_per_kwh)
    # maximum with NaN is NaN, which nansum leaves out: steps without a commitment miss nothing
    missed = float(np.nansum(np.abs(exchange_kw - problem.committed_kw)))
    discharged = np.maximum(power_kw, 0.0).sum(axis=0)
    parts = {
        "energy_cost": -hours * float(np.vdot(price, exchange_kw)),
        "wear_cost": _wear_cost(problem, discharged, energy_kwh),
        "imbalance_cost": hours * problem.imbalance_spread_per_kwh * missed,
        "penalty_cost": 0.0,
        "terminal_value": 0.0,
    }
    if problem.batteries:
        parts["penalty_cost"] = _penalty_cost(problem, energy_kwh, energy_kwh)
        parts["terminal_value"] = float(energy_kwh[-1] @ problem.terminal_value_per_kwh)
    if problem.demand_charge_per_kw is not None:
        so_far = 0.0 if problem.peak_so_far_kw is None else problem.peak_so_far_kw
        above = np.maximum(np.maximum(-exchange_kw, 0.0).max(axis=0) - so_far, 0.0)
        parts["demand_charge_cost"] = float(above @ problem.demand_charge_per_kw)
    if problem.carbon_kg_per_kwh is not None:
        emitted_kg = hours * float(np.vdot(problem.carbon_kg_per_kwh, np.maximum(-exchange_kw, 0.0)))
        parts["carbon_cost"] = problem.carbon_price_per_kg * emitted_kg
    return parts


def _wear_cost(problem: PlanProblem, discharged_kw: Floats, energy_kwh: Floats) -> float:
    """Return the cost of wear [currency]: flat, or by depth where the battery has a curve."""
    table, hours = battery_table(problem.batteries), problem.grid.duration_h
    flat = table.wear_cost_per_kwh
    if not problem.wear_curves:
        return hours * float(discharged_kw @ flat)
    first, cost = initial_energy_kwh(problem), 0.0
    for index, curve in enumerate(problem.wear_curves):
        if curve is None:
            cost += hours * float(discharged_kw[index] * flat[index])
            continue
        cost += replayed_wear_cost(
            curve,
            capacity_kwh=float(table.capacity_kwh[index]),
            energy_kwh=energy_kwh[:, index],
            discharge_efficiency=float(table.discharge_efficiency[index]),
            before_kwh=float(first[index]),
        )
    return cost


def _penalty_cost(problem: PlanProblem, energy_kwh: Floats, lowest_kwh: Floats) -> float:
    """Return the penalty for energy outside the soft band, or below it once reserve is called [currency]."""
    table = battery_table(problem.batteries)
    floor = table.floor_kwh if problem.final_soc_min is None else floor_kwh(problem).T
    below, above = floor - lowest_kwh, energy_kwh - table.energy_max_kwh
    if max(float(below.max()), float(above.max())) <= BAND_TOLERANCE_KWH:
        return 0.0
    outside = np.maximum(below, 0.0).sum(axis=0) + np.maximum(above, 0.0).sum(axis=0)
    return float(outside @ penalty_per_kwh(problem))


def asset_columns(problem: PlanProblem) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return ids and sites of a schedule's columns: batteries, then flexible assets."""
    ids, sites = tuple(battery.id for battery in problem.batteries), problem.battery_site
    if not problem.flexible:
        return ids, sites
    assets = flexible_assets(problem)
    return ids + assets.ids, sites + assets.sites


def schedule_of(
    problem: PlanProblem,
    outcome: Outcome,
    *,
    choice: Choice,
    code: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    limit: np.ndarray[tuple[int, ...], np.dtype[np.object_]],
    method: str,
    message: str = "",
    solve_time_s: float = 0.0,
    bound: float | None = None,
) -> Schedule:
    """Return an outcome and its reasons as an OPTIMAL schedule; a caller that means otherwise replaces the status."""
    ids, sites = asset_columns(problem)
    unknown = np.nan
    soc = outcome.energy_kwh / battery_table(problem.batteries).capacity_kwh
    schedule = Schedule(
        plant=problem.plant,
        issued_at=problem.issued_at,
        grid=problem.grid,
        status=PlanStatus.OPTIMAL,
        objective=outcome.objective,
        parts=outcome.parts,
        asset_ids=ids,
        site_ids=problem.site_ids,
        asset_site=sites,
        power_kw=outcome.power_kw,
        soc=soc,
        import_kw=outcome.import_kw,
        export_kw=outcome.export_kw,
        curtailed_kw=outcome.curtailed_kw,
        marginal_value_per_kwh=(
            np.full_like(outcome.power_kw, unknown) if choice.value_per_kwh is None else choice.value_per_kwh
        ),
        energy_price_per_kwh=(
            np.full_like(outcome.import_kw, unknown) if choice.price_per_kwh is None else choice.price_per_kwh
        ),
        code=code,
        limit=limit,
        method=method,
        message=message,
        solve_time_s=solve_time_s,
        bound=bound,
    )
    return schedule if outcome.flexible is None and outcome.reserve_kw is None else _widened(schedule, outcome, choice)


def _widened(schedule: Schedule, outcome: Outcome, choice: Choice) -> Schedule:
    """Return the schedule of the batteries with the flexible assets' columns, and with reserve."""
    flexible, more = outcome.flexible, schedule
    shape = (schedule.grid.count, 0) if flexible is None else flexible.power_kw.shape
    unknown = np.full(shape, np.nan)

    def wide(left: Floats, right: Floats) -> Floats:
        return np.concatenate([left, right], axis=1)

    if flexible is not None:
        value = unknown if choice.flexible_value_per_kwh is None else choice.flexible_value_per_kwh
        notes = (schedule.message, *flexible.notes)
        more = replace(
            schedule,
            power_kw=wide(schedule.power_kw, 0.0 - flexible.power_kw),
            soc=wide(schedule.soc, unknown),
            marginal_value_per_kwh=wide(schedule.marginal_value_per_kwh, value),
            temperature_c=wide(np.full_like(schedule.soc, np.nan), flexible.temperature_c),
            goals_missed=flexible.missed,
            message="; ".join(note for note in notes if note),
        )
    if outcome.reserve_kw is not None:
        held = {way: wide(kept, np.zeros(shape)) for way, kept in outcome.reserve_kw.items()}
        more = replace(more, reserve_up_kw=held["up"], reserve_down_kw=held["down"])
    return more


def without_plan(problem: PlanProblem, status: PlanStatus, *, method: str, message: str) -> Schedule:
    """Return a schedule that holds no plan: every figure NaN, the status and the reason in words."""
    ids, asset_site = asset_columns(problem)
    steps, assets, sites = problem.grid.count, len(ids), len(problem.site_ids)
    per_asset, per_site = np.full((steps, assets), np.nan), np.full((steps, sites), np.nan)
    return Schedule(
        plant=problem.plant,
        issued_at=problem.issued_at,
        grid=problem.grid,
        status=status,
        objective=None,
        parts={},
        asset_ids=ids,
        site_ids=problem.site_ids,
        asset_site=asset_site,
        power_kw=per_asset,
        soc=per_asset,
        import_kw=per_site,
        export_kw=per_site,
        curtailed_kw=per_site,
        marginal_value_per_kwh=per_asset,
        energy_price_per_kwh=per_site,
        code=np.full((steps, assets), int(ReasonCode.HOLD), dtype=np.int64),
        limit=np.full((steps, assets), "none", dtype=object),
        method=method,
        message=message,
    )
