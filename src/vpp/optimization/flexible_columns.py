"""Columns and rows of flexible consumers.

Columns: per goal (car or interruptible load) ``goal`` power and one ``goal_short``; per house ``heat`` power,
``temperature`` within the band, ``cold`` and ``hot`` beyond it; per run ``run``, the share that starts in each step.
Rows: ``goal`` (energy delivered + short = needed), ``house`` (1R1C), ``run`` (one start).
"""

from __future__ import annotations

import numpy as np

from vpp.core.units import SECONDS_PER_HOUR
from vpp.optimization.flexible import temperature_kept, warming_k_per_kw
from vpp.optimization.layout import Additions, Entries, Matrix
from vpp.optimization.penalties import discomfort_cost_per_kh, shortfall_cost_per_kwh
from vpp.optimization.problem import Floats, PlanProblem


def flexible_sizes(additions: Additions, steps: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the lengths of the blocks of columns and of rows."""
    goals, houses, runs = len(additions.goals), len(additions.houses), len(additions.runs)
    columns = {"goal": goals * steps, "goal_short": goals}
    columns |= dict.fromkeys(("heat", "temperature", "cold", "hot"), houses * steps) | {"run": runs * steps}
    return columns, {"goal": goals, "house": houses * steps, "run": runs}


def put_flexible(additions: Additions, entries: Entries) -> None:
    """Add the coefficients of flexible consumers, buses included."""
    hours = entries.structure.resolution_s / SECONDS_PER_HOUR
    bus = entries.row("bus")
    if additions.goals:
        places = [place for place, _ in additions.goals]
        efficiency = np.array([factor for _, factor in additions.goals])
        rows = entries.single_rows("goal")
        entries.put(entries.column("goal"), bus[places], 1.0)
        entries.put(entries.column("goal"), rows[:, None], hours * efficiency[:, None])
        entries.put(entries.single_columns("goal_short"), rows, 1.0)
    if additions.houses:
        _put_houses(additions, entries, hours)
    for run, (site, profile) in enumerate(additions.runs):
        column, steps = entries.column("run")[run], entries.structure.steps
        for later, power in enumerate(profile):
            entries.put(column[: steps - later], bus[site][later:], power)
        entries.put(column, entries.single_rows("run")[run : run + 1], 1.0)


def _put_houses(additions: Additions, entries: Entries, hours: float) -> None:
    site = [where for where, _ in additions.houses]
    kept = np.array([[temperature_kept(pump, hours)] for _, pump in additions.houses])
    warming = np.array([[warming_k_per_kw(pump, hours)] for _, pump in additions.houses])
    rows = entries.row("house")
    entries.put(entries.column("heat"), entries.row("bus")[site], 1.0)
    entries.put(entries.column("heat"), rows, -warming)
    for name, sign in (("temperature", 1.0), ("cold", -1.0), ("hot", 1.0)):
        column = entries.column(name)
        entries.put(column, rows, sign)
        entries.put(column[:, :-1], rows[:, 1:], -sign * kept)


def fill_flexible(problem: PlanProblem, matrix: Matrix) -> None:
    """Write windows, needs, bands, weather and the prices of what is missed."""
    if problem.goals:
        _fill_goals(problem, matrix)
    if problem.heated_houses:
        _fill_houses(problem, matrix)
    if problem.deferrable_runs:
        starts = matrix.layout.block(matrix.upper, "run")
        starts[:] = 0.0
        for run, one in enumerate(problem.deferrable_runs):
            starts[run, one.starts.start : one.starts.stop] = 1.0
        for right in (matrix.row_lower, matrix.row_upper):
            right[matrix.layout.rows["run"]] = 1.0


def goal_power_max_kw(problem: PlanProblem) -> Floats:
    """Return the largest power of each goal in each step, shape (G, T): 0 outside its window."""
    most = np.zeros((len(problem.goals), problem.grid.count))
    for index, one in enumerate(problem.goals):
        most[index, one.window[0] : one.window[1]] = one.charge_max_kw
    return most


def _fill_goals(problem: PlanProblem, matrix: Matrix) -> None:
    layout, needed = matrix.layout, np.array([one.energy_needed_kwh for one in problem.goals])
    layout.block(matrix.upper, "goal")[:] = goal_power_max_kw(problem)
    matrix.upper[layout.columns["goal_short"]] = needed
    matrix.cost[layout.columns["goal_short"]] = shortfall_cost_per_kwh(problem)
    for right in (matrix.row_lower, matrix.row_upper):
        right[layout.rows["goal"]] = needed


def _fill_houses(problem: PlanProblem, matrix: Matrix) -> None:
    layout, hours = matrix.layout, problem.grid.duration_h
    price = hours * discomfort_cost_per_kh(problem)
    for name in ("cold", "hot"):
        layout.block(matrix.cost, name)[:] = price[:, None]
        layout.block(matrix.upper, name)[:] = np.inf
    for index, house in enumerate(problem.heated_houses):
        pump, kept = house.heat_pump, temperature_kept(house.heat_pump, hours)
        layout.block(matrix.upper, "heat")[index] = pump.rated_kw
        layout.block(matrix.lower, "temperature")[index] = pump.temperature_min_c
        layout.block(matrix.upper, "temperature")[index] = pump.temperature_max_c
        idle = house.outdoor_temperature_c + pump.thermal_resistance_k_per_kw * house.gains
        right = (1.0 - kept) * idle
        right[0] += kept * house.initial_temperature_c
        for side in (matrix.row_lower, matrix.row_upper):
            layout.row_block(side, "house")[index] = right


def flexible_power_max_kw(problem: PlanProblem) -> Floats:
    """Return the most that the flexible consumers of each site can draw in a step, shape (S, T)."""
    most = np.zeros((len(problem.site_ids), problem.grid.count))
    for power, goal in zip(goal_power_max_kw(problem), problem.goals, strict=True):
        most[goal.site] += power
    for house in problem.heated_houses:
        most[house.site] += house.heat_pump.rated_kw
    for run in problem.deferrable_runs:
        most[run.site, run.window[0] : run.window[1]] += max(run.profile_kw)
    return most
