"""From powers to a schedule: replay, meter exchange, money.

Every planner ends here, so that a plan is what the storage balance would do with it and claims what that earns.
Invariant: the power at a meter is what its assets sum to; the stored energy follows ``vpp.core.storage``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpp.core import storage
from vpp.core.messages.planned import PlanStatus, ReasonCode, Schedule
from vpp.optimization.matrix import battery_table, floor_kwh, initial_energy_kwh, penalty_per_kwh
from vpp.optimization.problem import Floats, PlanProblem

# simplex noise below this is nothing at all
NOISE_KW = 1e-9
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
    """

    power_kw: Floats
    curtailed_kw: Floats
    value_per_kwh: Floats | None = None
    price_per_kwh: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a choice comes to. Shapes (T, A) and (T, S) as in ``Schedule``; ``parts`` sum to ``objective``."""

    power_kw: Floats
    energy_kwh: Floats
    import_kw: Floats
    export_kw: Floats
    curtailed_kw: Floats
    parts: dict[str, float]

    @property
    def objective(self) -> float:
        """Cost of the horizon [currency]."""
        paid = sum(value for name, value in self.parts.items() if name != "terminal_value")
        return paid - self.parts["terminal_value"]


def outcome_of(problem: PlanProblem, choice: Choice) -> Outcome:
    """Return what a choice comes to when the batteries do it."""
    power = np.where(np.abs(choice.power_kw) < NOISE_KW, 0.0, choice.power_kw)
    power, energy = _replay(problem, power)
    curtailed = np.clip(choice.curtailed_kw, 0.0, problem.curtailable_kw)
    curtailed[curtailed < NOISE_KW] = 0.0
    exchange = problem.fixed_kw + problem.curtailable_kw - curtailed + _per_site(problem, power)
    exchange[np.abs(exchange) < NOISE_KW] = 0.0
    imports, exports = np.maximum(-exchange, 0.0), np.maximum(exchange, 0.0)
    parts = _parts(problem, power, energy, exchange)
    return Outcome(power, energy, imports, exports, curtailed, parts)


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
    table, hours = battery_table(problem.batteries), problem.grid.duration_h
    price = np.where(exchange_kw < 0.0, problem.import_price_per_kwh, problem.export_price_per_kwh)
    # maximum with NaN is NaN, which nansum leaves out: steps without a commitment miss nothing
    missed = float(np.nansum(np.abs(exchange_kw - problem.committed_kw)))
    discharged = np.maximum(power_kw, 0.0).sum(axis=0)
    parts = {
        "energy_cost": -hours * float(np.vdot(price, exchange_kw)),
        "wear_cost": hours * float(discharged @ table.wear_cost_per_kwh),
        "imbalance_cost": hours * problem.imbalance_spread_per_kwh * missed,
        "penalty_cost": 0.0,
        "terminal_value": 0.0,
    }
    if problem.batteries:
        parts["penalty_cost"] = _penalty_cost(problem, energy_kwh)
        parts["terminal_value"] = float(energy_kwh[-1] @ problem.terminal_value_per_kwh)
    return parts


def _penalty_cost(problem: PlanProblem, energy_kwh: Floats) -> float:
    """Return the penalty for energy outside the soft band [currency]."""
    table = battery_table(problem.batteries)
    floor = table.floor_kwh if problem.final_soc_min is None else floor_kwh(problem).T
    below, above = floor - energy_kwh, energy_kwh - table.energy_max_kwh
    if max(float(below.max()), float(above.max())) <= BAND_TOLERANCE_KWH:
        return 0.0
    outside = np.maximum(below, 0.0).sum(axis=0) + np.maximum(above, 0.0).sum(axis=0)
    return float(outside @ penalty_per_kwh(problem))


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
    table = battery_table(problem.batteries)
    unknown = np.nan
    return Schedule(
        plant=problem.plant,
        issued_at=problem.issued_at,
        grid=problem.grid,
        status=PlanStatus.OPTIMAL,
        objective=outcome.objective,
        parts=outcome.parts,
        asset_ids=tuple(battery.id for battery in problem.batteries),
        site_ids=problem.site_ids,
        asset_site=problem.battery_site,
        power_kw=outcome.power_kw,
        soc=outcome.energy_kwh / table.capacity_kwh,
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


def without_plan(problem: PlanProblem, status: PlanStatus, *, method: str, message: str) -> Schedule:
    """Return a schedule that holds no plan: every figure NaN, the status and the reason in words."""
    steps, batteries, sites = problem.grid.count, len(problem.batteries), len(problem.site_ids)
    per_asset, per_site = np.full((steps, batteries), np.nan), np.full((steps, sites), np.nan)
    return Schedule(
        plant=problem.plant,
        issued_at=problem.issued_at,
        grid=problem.grid,
        status=status,
        objective=None,
        parts={},
        asset_ids=tuple(battery.id for battery in problem.batteries),
        site_ids=problem.site_ids,
        asset_site=problem.battery_site,
        power_kw=per_asset,
        soc=per_asset,
        import_kw=per_site,
        export_kw=per_site,
        curtailed_kw=per_site,
        marginal_value_per_kwh=per_asset,
        energy_price_per_kwh=per_site,
        code=np.full((steps, batteries), int(ReasonCode.HOLD), dtype=np.int64),
        limit=np.full((steps, batteries), "none", dtype=object),
        method=method,
        message=message,
    )
