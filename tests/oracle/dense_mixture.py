"""The plan over every asset kind as a slow and obvious program: dense rows, plain loops, scipy.

Shares no arrays with the planner; the prices of soft goals are given. Stores with wear by depth are written as in Xu
2018, every segment with its own charge, discharge and energy.
"""

from __future__ import annotations

import importlib.util
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


def _dense() -> Any:
    path = Path(__file__).with_name("dense_plan.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dense_plan = _dense()


class Prices(NamedTuple):
    """Of soft limits: per battery, per goal (cars, then loads), per house."""

    penalty: Any
    shortfall: Any
    discomfort: Any


class Flow(NamedTuple):
    """Columns of a battery by step."""

    charge: list[int]
    discharge: list[int]
    energy: list[int]


def mixture_objective(
    problem: Any, prices: Prices, *, exclusive: bool, forced: tuple[str, int, float] | None = None
) -> float | None:
    """Return the least cost, None when infeasible; ``exclusive`` makes directions and starts whole.

    ``forced`` is (asset, step, power_kw), positive discharges.
    """
    program = dense_plan._Program()
    program.more = []  # rows (coefficients, low, high)
    steps = problem.grid.count
    drawn = [[{} for _ in range(len(problem.site_ids))] for _ in range(steps)]
    named: dict[str, list[dict[int, float]]] = {}
    flows = []
    for i, unit in enumerate(problem.batteries):
        flows.append(_battery(program, problem, i, prices.penalty[i], exclusive=exclusive))
        named[unit.id] = [{flows[i].discharge[t]: 1.0, flows[i].charge[t]: -1.0} for t in range(steps)]
        for t in range(steps):
            drawn[t][problem.battery_site[i]] |= {flows[i].charge[t]: 1.0, flows[i].discharge[t]: -1.0}
    _goals(program, problem, prices.shortfall, drawn, named)
    _houses(program, problem, prices.discomfort, drawn, named)
    _runs(program, problem, drawn, exclusive=exclusive)
    exchange = _meters(program, problem, drawn, exclusive=exclusive)
    if problem.reserve is not None:
        _reserve(program, problem, flows, exchange)
    if forced is not None:
        program.equal(named[forced[0]][forced[1]], forced[2])
    return _solve(program, integer=exclusive)


def _battery(program: Any, problem: Any, index: int, penalty: float, *, exclusive: bool) -> Flow:
    unit, hours, steps = problem.batteries[index], problem.grid.duration_h, problem.grid.count
    first = len(program.cost)
    curve = problem.wear_curves[index] if problem.wear_curves else None
    charges, discharges = dense_plan._battery(
        program, problem, index, penalty=[penalty] * (index + 1), exclusive=exclusive
    )
    width = (charges[1] - charges[0]) if steps > 1 else len(program.cost) - first
    energies = [charge + 2 for charge in charges]
    assert all(charge == first + t * width for t, charge in enumerate(charges))
    if curve is None:
        return Flow(charges, discharges, energies)
    count, room = len(curve.cost_per_kwh), unit.capacity_kwh / len(curve.cost_per_kwh)
    start = float(problem.initial_soc[index]) * unit.capacity_kwh
    before: list[Any] = [min(max(start - room * j, 0.0), room) for j in range(count)]
    for t in range(steps):
        program.cost[discharges[t]] = 0.0
        into = [program.column(0.0, 0.0, np.inf) for _ in range(count)]
        out = [program.column(hours * cost, 0.0, np.inf) for cost in curve.cost_per_kwh]
        held = [program.column(0.0, 0.0, room) for _ in range(count)]
        program.equal({charges[t]: 1.0} | dict.fromkeys(into, -1.0), 0.0)
        program.equal({discharges[t]: 1.0} | dict.fromkeys(out, -1.0), 0.0)
        for j in range(count):
            row = {held[j]: 1.0, into[j]: -hours * unit.charge_efficiency, out[j]: hours / unit.discharge_efficiency}
            if t == 0:
                program.equal(row, before[j])
            else:
                program.equal(row | {before[j]: -1.0}, 0.0)
        before = held
    return Flow(charges, discharges, energies)


def _goals(program: Any, problem: Any, shortfall: Any, drawn: Any, named: Any) -> None:
    hours = problem.grid.duration_h
    for goal, price in zip((*problem.ev_sessions, *problem.deferrable_loads), shortfall, strict=True):
        row = {program.column(float(price), 0.0, np.inf): 1.0}
        course = named.setdefault(goal.asset_id, [{} for _ in range(problem.grid.count)])
        for t in range(*goal.window):
            power = program.column(0.0, 0.0, goal.charge_max_kw)
            row[power] = hours * goal.charge_efficiency
            drawn[t][goal.site][power] = 1.0
            course[t][power] = -1.0
        program.equal(row, goal.energy_needed_kwh)


def _houses(program: Any, problem: Any, discomfort: Any, drawn: Any, named: Any) -> None:
    hours = problem.grid.duration_h
    for house, price in zip(problem.heated_houses, discomfort, strict=True):
        pump, before = house.heat_pump, None
        kept = exp(-hours / (pump.thermal_resistance_k_per_kw * pump.thermal_capacity_kwh_per_k))
        named[pump.id] = []
        for t in range(problem.grid.count):
            power = program.column(0.0, 0.0, pump.rated_kw)
            temperature = program.column(0.0, -np.inf, np.inf)
            cold, hot = (program.column(hours * float(price), 0.0, np.inf) for _ in range(2))
            program.more.append(({temperature: 1.0, cold: 1.0}, pump.temperature_min_c, np.inf))
            program.more.append(({temperature: 1.0, hot: -1.0}, -np.inf, pump.temperature_max_c))
            steady = float(house.outdoor_temperature_c[t])
            gains = 0.0 if house.gains_kw is None else float(house.gains_kw[t])
            right = (1.0 - kept) * (steady + pump.thermal_resistance_k_per_kw * gains)
            row = {temperature: 1.0, power: -(1.0 - kept) * pump.thermal_resistance_k_per_kw * pump.cop}
            if before is None:
                program.equal(row, right + kept * house.initial_temperature_c)
            else:
                program.equal(row | {before: -kept}, right)
            drawn[t][house.site][power] = 1.0
            named[pump.id].append({power: -1.0})
            before = temperature


def _runs(program: Any, problem: Any, drawn: Any, *, exclusive: bool) -> None:
    for run in problem.deferrable_runs:
        once = {}
        for start in range(run.earliest_step, run.end_step - len(run.profile_kw) + 1):
            share = program.column(0.0, 0.0, 1.0)
            once[share] = 1.0
            if exclusive:
                program.binary.append(share)
            for later, power in enumerate(run.profile_kw):
                drawn[start + later][run.site][share] = power
        program.equal(once, 1.0)


def _meters(program: Any, problem: Any, drawn: Any, *, exclusive: bool) -> list[list[dict[int, float]]]:
    hours, sites = problem.grid.duration_h, len(problem.site_ids)
    peaks = []
    for s in range(sites):
        rate = 0.0 if problem.demand_charge_per_kw is None else float(problem.demand_charge_per_kw[s])
        peaks.append(program.column(rate, 0.0, np.inf))
    exchange = []
    # nobody can draw or feed in more than this; keeps the pair of directions switchable
    for t in range(problem.grid.count):
        now = []
        for s in range(sites):
            fixed, spare = problem.fixed_kw[t, s], problem.curtailable_kw[t, s]
            carbon = 0.0
            if problem.carbon_kg_per_kwh is not None:
                carbon = problem.carbon_price_per_kg * problem.carbon_kg_per_kwh[t, s]
            most_in, most_out = min(problem.import_max_kw[s], 200.0), min(problem.export_max_kw[s], 200.0)
            bought = program.column(hours * (problem.import_price_per_kwh[t, s] + carbon), 0.0, most_in)
            sold = program.column(-hours * problem.export_price_per_kwh[t, s], 0.0, most_out)
            unused = program.column(0.0, 0.0, spare)
            program.equal({sold: 1.0, bought: -1.0, unused: 1.0} | drawn[t][s], fixed + spare)
            if exclusive:
                program.one_of(bought, sold, most_in, most_out)
            if np.isfinite(problem.committed_kw[t, s]):
                cost = hours * problem.imbalance_spread_per_kwh
                short, over = program.column(cost, 0.0, np.inf), program.column(cost, 0.0, np.inf)
                program.equal({sold: 1.0, bought: -1.0, short: 1.0, over: -1.0}, problem.committed_kw[t, s])
            so_far = 0.0 if problem.peak_so_far_kw is None else float(problem.peak_so_far_kw[s])
            program.more.append(({bought: 1.0, peaks[s]: -1.0}, -np.inf, so_far))
            now.append({sold: 1.0, bought: -1.0})
        total = {column: value for one in now for column, value in one.items()}
        program.more.append((total, -problem.portfolio_import_max_kw, problem.portfolio_export_max_kw))
        exchange.append(now)
    return exchange


def _reserve(program: Any, problem: Any, flows: list[Flow], exchange: Any) -> None:
    terms, steps, hours = problem.reserve, problem.grid.count, problem.grid.duration_h
    for way, sign in (("up", 1.0), ("down", -1.0)):
        price, owed, most = (getattr(terms, f"{way}_{name}") for name in ("price_per_kwh", "required_kw", "max_kw"))
        if price is None and owed is None:
            continue
        for t in range(steps):
            worth = 0.0 if price is None else -hours * float(price[t])
            held = []
            for i, unit in enumerate(problem.batteries):
                held.append(program.column(worth, 0.0, np.inf))
                _hold(program, problem, flows[i], i, t, held[i], way)
                rating = unit.discharge_max_kw if way == "up" else unit.charge_max_kw
                row = {held[i]: 1.0, flows[i].discharge[t]: sign, flows[i].charge[t]: -sign}
                program.more.append((row, -np.inf, rating))
            total = dict.fromkeys(held, 1.0)
            upper = np.inf if most is None else float(most[t])
            program.more.append((total, 0.0 if owed is None else float(owed[t]), upper))
            limit = problem.export_max_kw if way == "up" else problem.import_max_kw
            for s in range(len(problem.site_ids)):
                row = {column: sign * value for column, value in exchange[t][s].items()}
                row |= {held[i]: 1.0 for i, where in enumerate(problem.battery_site) if where == s}
                program.more.append((row, -np.inf, float(limit[s])))
            shared = problem.portfolio_export_max_kw if way == "up" else problem.portfolio_import_max_kw
            row = {column: sign * value for one in exchange[t] for column, value in one.items()}
            program.more.append((row | total, -np.inf, shared))


def _hold(program: Any, problem: Any, flow: Flow, index: int, step: int, held: int, way: str) -> None:
    """Energy for the sustain time above the floors, or room below the top, at the step's start and at its end."""
    unit, sustain_h = problem.batteries[index], problem.reserve.sustain_h
    bottom, top = (level * unit.capacity_kwh for level in (unit.soc_min, unit.soc_max))
    floor = [max(bottom, unit.backup_soc * unit.capacity_kwh)] * problem.grid.count
    if problem.final_soc_min is not None:
        floor[-1] = max(floor[-1], float(problem.final_soc_min[index]) * unit.capacity_kwh)
    per_kw = sustain_h / unit.discharge_efficiency if way == "up" else sustain_h * unit.charge_efficiency
    start = float(problem.initial_soc[index]) * unit.capacity_kwh
    if (start < bottom - 1e-9) if way == "up" else (start > top + 1e-9):
        program.more.append(({held: 1.0}, -np.inf, 0.0))
    for when in (step - 1, step):
        if when < 0:
            usable = min(start, top) - bottom if way == "up" else top - start
            program.more.append(({held: per_kw}, -np.inf, max(usable, 0.0)))
            continue
        energy = flow.energy[when]
        below, above = energy + 1, energy + 2
        if way == "down":
            if start <= top + 1e-9:
                program.more.append(({held: per_kw, energy: 1.0}, -np.inf, top))
            continue
        # never below the hard floor; below the soft one at its price; above the top only what fits below it
        program.more.append(({held: per_kw, energy: -1.0}, -np.inf, -min(bottom, start)))
        inside = program.column(0.0, floor[when], top)
        program.equal({inside: 1.0, energy: -1.0, below: -1.0, above: 1.0}, 0.0)
        program.more.append(({held: per_kw, inside: -1.0}, -np.inf, -floor[when]))


def _solve(program: Any, *, integer: bool) -> float | None:
    """Solve with the rows that have two sides written as two."""
    rows: list[tuple[dict[int, float], float]] = []
    for row, low, high in program.more:
        if np.isfinite(high):
            rows.append((row, high))
        if np.isfinite(low):
            rows.append(({column: -value for column, value in row.items()}, -low))
    program.at_most += rows
    if integer:
        return program.solve(integer=True)
    left, right = program.dense(program.equalities)
    upper, most = program.dense(program.at_most) if program.at_most else (None, None)
    found = dense_plan.linprog(
        program.cost, A_ub=upper, b_ub=most, A_eq=left, b_eq=right, bounds=program.bounds, method="highs-ds"
    )
    assert found.status in (0, 2), found.message
    return None if found.status == 2 else float(found.fun)
