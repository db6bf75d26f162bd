"""Random one-battery sites, many of them degenerate, and their relaxation as a plain linear program."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

from vpp.core.storage import StorageLimits
from vpp.optimization.kernel import SiteProblem


def random_case(seed: int) -> SiteProblem:
    """Anything goes: tied and negative prices, no power, full and empty, one step, no losses, forced surplus."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(1, 25)) if seed % 7 else 1
    grid = bool(rng.random() < 0.5)

    def numbers(low: float, high: float) -> np.ndarray:
        # a coarse grid makes ties; a fine one does not
        raw = rng.uniform(low, high, steps)
        return np.round(raw * 5.0) / 5.0 if grid else raw

    capacity = float(rng.integers(1, 12)) if grid else float(rng.uniform(0.5, 12.0))
    low = float(rng.choice([0.0, 0.1, 1.0 if rng.random() < 0.1 else 0.2])) * capacity
    start = float(rng.choice([low, capacity, 0.5 * (low + capacity), rng.uniform(low, capacity)]))
    end = float(rng.choice([low, start, capacity, 0.5 * (low + capacity)]))
    efficiency = rng.choice([1.0, 0.95, 0.9, 0.7], 2)
    buy = 0.3 * numbers(-1.0 if rng.random() < 0.4 else 0.1, 1.0)
    margin = float(rng.choice([0.0, 0.06, 0.2, -0.06 if rng.random() < 0.2 else 0.0]))
    tight = bool(rng.random() < 0.5)
    sold = numbers(-3.0, 3.0) if rng.random() < 0.3 else None
    if sold is not None:
        sold[rng.random(steps) < 0.4] = np.nan
    soft = bool(rng.random() < 0.2)
    return SiteProblem(
        duration_h=float(rng.choice([0.25, 0.5, 1.0])),
        limits=StorageLimits(
            low,
            capacity,
            float(rng.choice([0.0, 1.0, 3.0, rng.uniform(0.0, 6.0)])),
            float(rng.choice([0.0, 1.0, 3.0, rng.uniform(0.0, 6.0)])),
            float(efficiency[0]),
            float(efficiency[1]),
        ),
        initial_energy_kwh=start,
        final_energy_min_kwh=end if rng.random() < 0.6 else None,
        import_price_per_kwh=buy,
        export_price_per_kwh=buy - margin,
        fixed_kw=numbers(-4.0, 4.0) if rng.random() < 0.8 else np.zeros(steps),
        curtailable_kw=numbers(0.0, 3.0) if rng.random() < 0.5 else None,
        import_max_kw=float(rng.choice([2.0, 4.0, 6.0])) if tight else np.inf,
        export_max_kw=float(rng.choice([0.0, 2.0, 5.0])) if tight else np.inf,
        wear_cost_per_kwh=float(rng.choice([0.0, 0.01, 0.05])),
        terminal_value_per_kwh=float(rng.choice([0.0, 0.1, -0.1])),
        sold_kw=sold,
        imbalance_spread_per_kwh=float(rng.choice([0.0, 0.02, 0.4])),
        floor_kwh=np.full(steps, low + 0.4 * (capacity - low)) if soft else None,
        floor_penalty_per_kwh=float(rng.choice([0.0, 0.05, 2.0])),
    )


class Program:
    """Rows and columns, one at a time, into HiGHS at its tightest tolerances."""

    def __init__(self) -> None:
        self.highs = highspy.Highs()
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("presolve", "off")
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            self.highs.setOptionValue(name, 1e-10)
        self.columns: list[tuple[float, float, float]] = []
        self.rows: list[tuple[dict[int, float], float]] = []

    def column(self, cost: float, low: float, high: float) -> int:
        self.columns.append((cost, low, high))
        return len(self.columns) - 1

    def equal(self, row: dict[int, float], right: float) -> None:
        self.rows.append((row, right))

    def solve(self) -> float | None:
        cost, low, high = (np.array(part) for part in zip(*self.columns, strict=True))
        right = np.array([right for _, right in self.rows])
        start = np.cumsum([0] + [len(row) for row, _ in self.rows]).astype(np.int32)
        index = np.array([at for row, _ in self.rows for at in row], dtype=np.int32)
        value = np.array([number for row, _ in self.rows for number in row.values()])
        by_row, minimise = 2, 1
        self.highs.passModel(
            cost.size,
            right.size,
            index.size,
            by_row,
            minimise,
            0.0,
            cost,
            low,
            high,
            right,
            right,
            start,
            index,
            value,
            np.zeros(cost.size, dtype=np.int32),
        )
        self.highs.run()
        status = self.highs.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return float(self.highs.getInfo().objective_function_value)
        assert status == highspy.HighsModelStatus.kInfeasible, status
        return None


def relaxed_cost(case: SiteProblem, extra_kw: dict[int, float] | None = None) -> float | None:
    """Return the least cost of the relaxation, None when infeasible; ``extra_kw`` adds free power to steps."""
    program, limits, hours = Program(), case.limits, case.duration_h
    before: int | None = None
    steps = case.fixed_kw.size
    for t in range(steps):
        fixed = float(case.fixed_kw[t]) + (extra_kw or {}).get(t, 0.0)
        spare = 0.0 if case.curtailable_kw is None else float(case.curtailable_kw[t])
        charge_max, discharge_max = float(limits.charge_max_kw), float(limits.discharge_max_kw)
        most_in = min(case.import_max_kw, max(charge_max - fixed, 0.0) + 1.0)
        most_out = min(case.export_max_kw, max(fixed + spare + discharge_max, 0.0) + 1.0)
        charge = program.column(0.0, 0.0, charge_max)
        discharge = program.column(hours * case.wear_cost_per_kwh, 0.0, discharge_max)
        last = t == steps - 1
        bottom = float(limits.energy_min_kwh)
        if last and case.final_energy_min_kwh is not None:
            bottom = max(bottom, case.final_energy_min_kwh)
        energy = program.column(-case.terminal_value_per_kwh if last else 0.0, bottom, float(limits.energy_max_kwh))
        bought = program.column(hours * float(case.import_price_per_kwh[t]), 0.0, most_in)
        sold = program.column(-hours * float(case.export_price_per_kwh[t]), 0.0, most_out)
        used = program.column(0.0, 0.0, spare)
        program.equal({sold: 1.0, bought: -1.0, used: -1.0, charge: 1.0, discharge: -1.0}, fixed)
        gain, loss = hours * float(limits.charge_efficiency), hours / float(limits.discharge_efficiency)
        row = {energy: 1.0, charge: -gain, discharge: loss}
        if before is None:
            program.equal(row, case.initial_energy_kwh)
        else:
            program.equal(row | {before: -1.0}, 0.0)
        before = energy
        if case.floor_kwh is not None:
            below = program.column(case.floor_penalty_per_kwh, 0.0, np.inf)
            room = program.column(0.0, 0.0, np.inf)
            program.equal({energy: 1.0, below: 1.0, room: -1.0}, float(case.floor_kwh[t]))
        if case.sold_kw is not None and np.isfinite(case.sold_kw[t]):
            price = hours * case.imbalance_spread_per_kwh
            short, over = program.column(price, 0.0, np.inf), program.column(price, 0.0, np.inf)
            program.equal({sold: 1.0, bought: -1.0, short: 1.0, over: -1.0}, float(case.sold_kw[t]))
    return program.solve()


def facts(case: SiteProblem) -> dict[str, Any]:
    """Return a case's given fields, to make a changed one."""
    made = ("meter", "unit", "band", "open")
    return {name: getattr(case, name) for name in case.__dataclass_fields__ if name not in made}
