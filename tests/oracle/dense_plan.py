"""The plan as a slow and obvious program: dense rows, plain loops, scipy. Shares no arrays with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp


def dense_objective(
    problem: Any, *, penalty: Any, exclusive: bool, forced: tuple[int, int, float] | None = None
) -> float | None:
    """Return the least cost, None when infeasible; ``exclusive`` forbids both directions at once by 0/1 variables.

    ``forced`` is (battery, step, power_kw), positive discharges.
    """
    program = _Program()
    hours, steps = problem.grid.duration_h, problem.grid.count
    for s, _ in enumerate(problem.site_ids):
        mine = [i for i, where in enumerate(problem.battery_site) if where == s]
        flows = [_battery(program, problem, i, penalty=penalty, exclusive=exclusive) for i in mine]
        if forced is not None and forced[0] in mine:
            charge, discharge = flows[mine.index(forced[0])]
            program.bounds[charge[forced[1]]] = (max(-forced[2], 0.0),) * 2
            program.bounds[discharge[forced[1]]] = (max(forced[2], 0.0),) * 2
        reach_in = sum(problem.batteries[i].charge_max_kw for i in mine)
        reach_out = sum(problem.batteries[i].discharge_max_kw for i in mine)
        for t in range(steps):
            fixed, spare = problem.fixed_kw[t, s], problem.curtailable_kw[t, s]
            most_in = min(problem.import_max_kw[s], max(0.0, reach_in - fixed) + 1.0)
            most_out = min(problem.export_max_kw[s], max(0.0, fixed + spare + reach_out) + 1.0)
            bought = program.column(hours * problem.import_price_per_kwh[t, s], 0.0, most_in)
            sold = program.column(-hours * problem.export_price_per_kwh[t, s], 0.0, most_out)
            unused = program.column(0.0, 0.0, spare)
            row = {sold: 1.0, bought: -1.0, unused: 1.0}
            for charge, discharge in flows:
                row |= {charge[t]: 1.0, discharge[t]: -1.0}
            program.equal(row, fixed + spare)
            if exclusive:
                program.one_of(bought, sold, most_in, most_out)
            if np.isfinite(problem.committed_kw[t, s]):
                cost = hours * problem.imbalance_spread_per_kwh
                short, over = program.column(cost, 0.0, np.inf), program.column(cost, 0.0, np.inf)
                program.equal({sold: 1.0, bought: -1.0, short: 1.0, over: -1.0}, problem.committed_kw[t, s])
    return program.solve(integer=exclusive)


class _Program:
    def __init__(self) -> None:
        self.cost: list[float] = []
        self.bounds: list[tuple[float, float]] = []
        self.binary: list[int] = []
        self.equalities: list[tuple[dict[int, float], float]] = []
        self.at_most: list[tuple[dict[int, float], float]] = []

    def column(self, cost: float, low: float, high: float) -> int:
        self.cost.append(cost)
        self.bounds.append((low, high))
        return len(self.cost) - 1

    def equal(self, row: dict[int, float], right: float) -> None:
        self.equalities.append((row, right))

    def one_of(self, first: int, second: int, most_first: float, most_second: float) -> None:
        pick = self.column(0.0, 0.0, 1.0)
        self.binary.append(pick)
        self.at_most.append(({first: 1.0, pick: -most_first}, 0.0))
        self.at_most.append(({second: 1.0, pick: most_second}, most_second))

    def dense(self, rows: list[tuple[dict[int, float], float]]) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.zeros((len(rows), len(self.cost)))
        for i, (row, _) in enumerate(rows):
            for column, value in row.items():
                matrix[i, column] = value
        return matrix, np.array([right for _, right in rows])

    def solve(self, *, integer: bool) -> float | None:
        left, right = self.dense(self.equalities)
        if not integer:
            found = linprog(self.cost, A_eq=left, b_eq=right, bounds=self.bounds, method="highs-ds")
            return None if found.status == 2 else float(found.fun)
        constraints = [LinearConstraint(left, right, right)]
        if self.at_most:
            upper, most = self.dense(self.at_most)
            constraints.append(LinearConstraint(upper, -np.inf, most))
        kinds = np.zeros(len(self.cost))
        kinds[self.binary] = 1
        low, high = zip(*self.bounds, strict=True)
        found = milp(
            self.cost,
            constraints=constraints,
            bounds=Bounds(low, high),
            integrality=kinds,
            options={"mip_rel_gap": 1e-9},
        )
        return None if found.status == 2 else float(found.fun)


def _battery(
    program: _Program, problem: Any, index: int, *, penalty: Any, exclusive: bool
) -> tuple[list[int], list[int]]:
    unit, hours, steps = problem.batteries[index], problem.grid.duration_h, problem.grid.count
    start = problem.initial_soc[index] * unit.capacity_kwh
    bottom, top = unit.soc_min * unit.capacity_kwh, unit.soc_max * unit.capacity_kwh
    charges, discharges, before = [], [], None
    for t in range(steps):
        soft = max(bottom, unit.backup_soc * unit.capacity_kwh)
        if problem.final_soc_min is not None and t == steps - 1:
            soft = max(soft, problem.final_soc_min[index] * unit.capacity_kwh)
        charge = program.column(0.0, 0.0, unit.charge_max_kw)
        discharge = program.column(hours * unit.wear_cost_per_kwh, 0.0, unit.discharge_max_kw)
        worth = -problem.terminal_value_per_kwh[index] if t == steps - 1 else 0.0
        energy = program.column(worth, min(bottom, start), max(top, start))
        # energy + below - spare = soft floor, energy - above + room = top
        below, above = (program.column(float(penalty[index]), 0.0, np.inf) for _ in range(2))
        spare, room = program.column(0.0, 0.0, np.inf), program.column(0.0, 0.0, np.inf)
        program.equal({energy: 1.0, below: 1.0, spare: -1.0}, soft)
        program.equal({energy: 1.0, above: -1.0, room: 1.0}, top)
        row = {energy: 1.0, charge: -hours * unit.charge_efficiency, discharge: hours / unit.discharge_efficiency}
        if before is None:
            program.equal(row, start)
        else:
            program.equal(row | {before: -1.0}, 0.0)
        if exclusive:
            program.one_of(charge, discharge, unit.charge_max_kw, unit.discharge_max_kw)
        before = energy
        charges.append(charge)
        discharges.append(discharge)
    return charges, discharges
