"""Why each battery does what it does in each step, from the plan and its prices. Vectorised over steps and assets.

A battery charges where a kWh stored is worth more than the kWh it costs at the bus, discharges where the bus pays more
than the kWh taken and the wear, and holds in between; the limit that stops it from doing more is the one that binds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages.planned import ReasonCode
from vpp.optimization.flexible_reasons import LIMITS as FLEXIBLE_LIMITS
from vpp.optimization.flexible_reasons import flexible_reasons
from vpp.optimization.matrix import battery_table, floor_kwh, initial_energy_kwh
from vpp.optimization.outcome import Choice, Outcome
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reserve_outcome import available_reserve_kw

LIMITS = np.array(
    [
        "none",
        "soc_max",
        "soc_min",
        "charge_max_kw",
        "discharge_max_kw",
        "import_max_kw",
        "export_max_kw",
        "backup_soc",
        "portfolio_import_max_kw",
        "portfolio_export_max_kw",
        "reserve",
        *FLEXIBLE_LIMITS[2:],
    ],
    dtype=object,
)
_NONE, _SOC_MAX, _SOC_MIN, _CHARGE, _DISCHARGE, _IMPORT, _EXPORT, _BACKUP, _SHARED_IN, _SHARED_OUT, _RESERVE = range(11)
TOLERANCE = 1e-6
Flags = NDArray[np.bool_]


def reasons(problem: PlanProblem, outcome: Outcome, choice: Choice) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Return ``ReasonCode`` and binding limit of every step and column of a schedule.

    A choice without prices (a rule's) gets the code RULE and the limits that its powers touch.
    """
    code, limit = _battery_reasons(problem, outcome, choice)
    if outcome.flexible is None:
        return code, limit
    more_code, more_limit = flexible_reasons(problem, outcome, ruled=choice.price_per_kwh is None)
    return np.concatenate([code, more_code], axis=1), np.concatenate([limit, more_limit], axis=1)


def _battery_reasons(
    problem: PlanProblem, outcome: Outcome, choice: Choice
) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Return code and limit of every battery, each of shape (T, A)."""
    table = battery_table(problem.batteries)
    site = list(problem.battery_site)
    floor = floor_kwh(problem).T
    power, energy = outcome.power_kw, outcome.energy_kwh
    full = energy >= table.energy_max_kwh - TOLERANCE
    empty = energy <= floor + TOLERANCE
    at_import = (outcome.import_kw >= problem.import_max_kw - TOLERANCE)[:, site]
    at_export = (outcome.export_kw >= problem.export_max_kw - TOLERANCE)[:, site]
    # a floor above the hard one is the reserve, not the bottom
    bottom = np.where(floor > table.energy_min_kwh + TOLERANCE, _BACKUP, _SOC_MIN)
    charging, discharging = power < 0.0, power > 0.0
    moving = np.select(
        [
            charging & (power <= -table.charge_max_kw + TOLERANCE),
            discharging & (power >= table.discharge_max_kw - TOLERANCE),
            charging & full,
            discharging & empty,
            charging & at_import,
            discharging & at_export,
        ],
        [_CHARGE, _DISCHARGE, _SOC_MAX, bottom, _IMPORT, _EXPORT],
        _NONE,
    )
    if problem.coupled or problem.reserve is not None:
        moving = _shared_limits(problem, outcome, moving)
    if choice.value_per_kwh is None or choice.price_per_kwh is None:
        return np.full(power.shape, int(ReasonCode.RULE), dtype=np.int64), LIMITS[moving]
    held, held_limit = _holding(problem, choice, full=full, empty=empty, bottom=bottom)
    code = np.where(charging, _charging(problem, outcome), np.where(discharging, _discharging(problem, outcome), held))
    if problem.imbalance_spread_per_kwh > 0.0:
        exchange = outcome.export_kw - outcome.import_kw
        kept = np.abs(exchange - problem.committed_kw) <= TOLERANCE
        code = np.where((power != 0.0) & kept[:, site], int(ReasonCode.FOLLOW_COMMITMENT), code)
    before = np.concatenate([initial_energy_kwh(problem)[None, :], energy[:-1]])
    code = np.where(charging & (before < floor - TOLERANCE), int(ReasonCode.KEEP_BACKUP), code)
    limit = np.where(power == 0.0, held_limit, moving)
    if outcome.reserve_kw is not None:
        kept = _held_by_reserve(problem, outcome)
        idle = kept & (power == 0.0) & np.isin(code, [int(ReasonCode.HOLD), int(ReasonCode.HOLD_NO_SPREAD)])
        code = np.where(idle, int(ReasonCode.RESERVE), code)
        limit = np.where((limit == _NONE) & kept, _RESERVE, limit)
    return code.astype(np.int64), LIMITS[limit]


def _shared_limits(problem: PlanProblem, outcome: Outcome, limit: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the limits of moving batteries, with those of the portfolio where nothing nearer binds."""
    exchange = (outcome.export_kw - outcome.import_kw).sum(axis=1)[:, None]
    power, free = outcome.power_kw, limit == _NONE
    at_import = free & (power < 0.0) & (-exchange >= problem.portfolio_import_max_kw - TOLERANCE)
    at_export = free & (power > 0.0) & (exchange >= problem.portfolio_export_max_kw - TOLERANCE)
    return np.where(at_import, _SHARED_IN, np.where(at_export, _SHARED_OUT, limit))


def _held_by_reserve(problem: PlanProblem, outcome: Outcome) -> Flags:
    """Return where a battery has promised all that it has left, in some direction."""
    assert outcome.reserve_kw is not None
    kept: Flags = np.zeros(outcome.power_kw.shape, dtype=np.bool_)
    for way, held in outcome.reserve_kw.items():
        available = available_reserve_kw(problem, outcome.power_kw, outcome.energy_kwh, way)
        kept |= (held > TOLERANCE) & (held >= available - TOLERANCE)
    return kept


def _charging(problem: PlanProblem, outcome: Outcome) -> NDArray[np.int64]:
    """Return why a battery that charges does: most of the power is surplus, or it was bought because cheap."""
    taken = _site_sum(problem, np.maximum(-outcome.power_kw, 0.0))
    surplus = outcome.import_kw < 0.5 * taken
    code = np.where(surplus, int(ReasonCode.CHARGE_SURPLUS), int(ReasonCode.CHARGE_CHEAP))
    return code[:, list(problem.battery_site)]


def _discharging(problem: PlanProblem, outcome: Outcome) -> NDArray[np.int64]:
    """Return why a battery that discharges does: most of the power covers load, or it is sold."""
    given = _site_sum(problem, np.maximum(outcome.power_kw, 0.0))
    sold = outcome.export_kw > 0.5 * given
    code = np.where(sold, int(ReasonCode.DISCHARGE_EXPORT), int(ReasonCode.DISCHARGE_LOAD))
    return code[:, list(problem.battery_site)]


def _site_sum(problem: PlanProblem, power_kw: Floats) -> Floats:
    total = np.zeros((len(problem.site_ids), problem.grid.count))
    np.add.at(total, list(problem.battery_site), power_kw.T)
    return total.T


def _holding(
    problem: PlanProblem, choice: Choice, *, full: Flags, empty: Flags, bottom: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return code and limit of a battery at rest: no room, nothing left, kept for later, or not worth it."""
    assert choice.value_per_kwh is not None
    assert choice.price_per_kwh is not None
    table = battery_table(problem.batteries)
    price = choice.price_per_kwh[:, list(problem.battery_site)]
    value = choice.value_per_kwh
    # at a limit the value at the end of the step contains the limit's own price; the next step's does not
    ahead = np.concatenate([value[1:], value[-1:]])
    would_charge = full & (table.charge_efficiency * np.maximum(value, ahead) > price + TOLERANCE)
    paid = price - table.wear_cost_per_kwh
    worth = np.minimum(value, ahead) / table.discharge_efficiency
    would_discharge = empty & (paid > TOLERANCE) & (paid >= worth - TOLERANCE)
    backup = would_discharge & (bottom == _BACKUP)
    keeps = ~empty & (paid > TOLERANCE)
    codes = [ReasonCode.HOLD_FULL, ReasonCode.KEEP_BACKUP, ReasonCode.HOLD_EMPTY, ReasonCode.HOLD]
    cases = [would_charge, backup, would_discharge, keeps]
    code = np.select(cases, [int(code) for code in codes], int(ReasonCode.HOLD_NO_SPREAD))
    return code, np.select(cases[:3], [_SOC_MAX, _BACKUP, _SOC_MIN], _NONE)
