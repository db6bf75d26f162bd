"""How much reserve a plan can really hold, whatever was promised."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vpp.optimization.battery_table import battery_table, initial_energy_kwh
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.reserve_columns import energy_per_kw


def available_reserve_kw(problem: PlanProblem, power_kw: Floats, energy_kwh: Floats, way: str) -> Floats:
    """Return what each battery can hold ready beside its plan, shape (T, A), without the connection's limit.

    Parameters
    ----------
    problem : PlanProblem
        With reserve.
    power_kw, energy_kwh : float arrays, shape (T, A)
        Terminal power (positive discharges) and stored energy at the end of each step.
    way : str
        ``up`` or ``down``.
    """
    assert problem.reserve is not None
    table = battery_table(problem.batteries)
    before = np.concatenate([initial_energy_kwh(problem)[None, :], energy_kwh[:-1]])
    if way == "up":
        power = table.discharge_max_kw - power_kw
        energy = np.minimum(np.minimum(before, energy_kwh), table.energy_max_kwh) - table.energy_min_kwh
    else:
        power = table.charge_max_kw + power_kw
        energy = table.energy_max_kwh - np.maximum(before, energy_kwh)
    efficiencies = (table.charge_efficiency, table.discharge_efficiency)
    held = np.minimum(power, energy / energy_per_kw(efficiencies, problem.reserve.sustain_h, way))
    outside = before[0] < table.energy_min_kwh if way == "up" else before[0] > table.energy_max_kwh
    held[:, outside] = 0.0
    return np.asarray(np.maximum(held, 0.0), dtype=np.float64)


def after_a_call_kwh(problem: PlanProblem, energy_kwh: Floats, reserve_kw: Mapping[str, Floats]) -> Floats:
    """Return the stored energy at the end of each step when a call upward beside it has taken its all, shape (T, A)."""
    if problem.reserve is None:
        return energy_kwh
    table, held = battery_table(problem.batteries), reserve_kw["up"]
    most = np.maximum(held, np.concatenate([held[1:], np.zeros_like(held[:1])]))
    per_kw = problem.reserve.sustain_h / table.discharge_efficiency
    return np.where(most > 0.0, np.minimum(energy_kwh, table.energy_max_kwh) - per_kw * most, energy_kwh)


def kept_reserve_kw(
    problem: PlanProblem, promised_kw: Floats, available_kw: Floats, exchange_kw: Floats, way: str
) -> Floats:
    """Return a promise cut to what batteries hold, and to what connections and the market take, shape (T, A).

    Parameters
    ----------
    problem : PlanProblem
        With reserve.
    promised_kw, available_kw : float arrays, shape (T, A)
        What was planned, and what there is.
    exchange_kw : float array, shape (T, S)
        Power of each meter by the plan, positive feeds in.
    way : str
        ``up`` or ``down``.
    """
    assert problem.reserve is not None
    kept = np.clip(promised_kw, 0.0, available_kw)
    sign = 1.0 if way == "up" else -1.0
    limits = problem.export_max_kw if way == "up" else problem.import_max_kw
    shared = problem.portfolio_export_max_kw if way == "up" else problem.portfolio_import_max_kw
    site = np.array(problem.battery_site, dtype=np.intp)
    for one in range(len(problem.site_ids)):
        mine = site == one
        kept[:, mine] *= _share(kept[:, mine].sum(axis=1), limits[one] - sign * exchange_kw[:, one])[:, None]
    most = np.minimum(
        shared - sign * exchange_kw.sum(axis=1), problem.reserve.series(way, "max_kw", problem.grid.count)
    )
    kept *= _share(kept.sum(axis=1), most)[:, None]
    return kept


def _share(wanted_kw: Floats, room_kw: Floats) -> Floats:
    """Return the share of what is wanted that there is room for, 0 to 1."""
    room = np.maximum(room_kw, 0.0)
    share = np.ones_like(wanted_kw)
    tight = wanted_kw > room
    share[tight] = room[tight] / wanted_kw[tight]
    return share
