"""How long a plan takes beside the solver's own time, and beside modelling layers on the same problem.

Single-thread CPU milliseconds (own process and finished children), medians; contestants take turns within one run, so
that a busy machine is busy for all. Modelling layers come with the ``bench`` extra; one that is missing is said so.
"""

from __future__ import annotations

import importlib.util
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vpp.core.assets import Battery
from vpp.core.time import TimeGrid, parse_time
from vpp.optimization.linear import LinearPlanner
from vpp.optimization.matrix import build
from vpp.optimization.problem import PlanProblem
from vpp.optimization.solver import Solver

AGREEMENT = 1e-6
Contestant = Callable[[PlanProblem], float]
Row = dict[str, Any]


def day_problem(batteries: int, *, steps: int = 96, seed: int = 0) -> PlanProblem:
    """Return quarter-hours of batteries behind one meter that limits them together."""
    rng = np.random.default_rng(seed)
    hour = np.arange(steps) / 4.0
    price = 0.20 + 0.08 * np.sin(hour / 24.0 * 4.0 * np.pi) + 0.02 * rng.standard_normal(steps)
    power = 3.0 * np.clip(np.sin((hour - 6.0) / 12.0 * np.pi), 0.0, None) - 0.8 - 0.5 * rng.random(steps)
    fleet = tuple(
        Battery(
            id=f"battery{i}",
            capacity_kwh=float(rng.uniform(5.0, 15.0)),
            charge_max_kw=float(rng.uniform(2.0, 7.0)),
            discharge_max_kw=float(rng.uniform(2.0, 7.0)),
            charge_efficiency=float(rng.uniform(0.93, 0.975)),
            discharge_efficiency=float(rng.uniform(0.93, 0.975)),
            wear_cost_per_kwh=float(rng.uniform(0.005, 0.025)),
        )
        for i in range(batteries)
    )
    start = parse_time("2024-06-01T00:00:00Z")
    column = (batteries * power)[:, None]
    return PlanProblem(
        plant="bench",
        issued_at=start,
        grid=TimeGrid(start, 900, steps),
        site_ids=("site",),
        batteries=fleet,
        battery_site=(0,) * batteries,
        initial_soc=np.full(batteries, 0.5),
        fixed_kw=column,
        curtailable_kw=np.zeros((steps, 1)),
        import_price_per_kwh=(price + 0.05)[:, None],
        export_price_per_kwh=(price - 0.01)[:, None],
        import_max_kw=np.array([4.0 * batteries]),
        export_max_kw=np.array([3.0 * batteries]),
        terminal_value_per_kwh=np.full(batteries, 0.18),
        committed_kw=np.full((steps, 1), np.nan),
        imbalance_spread_per_kwh=0.0,
        price_known=np.ones(steps, dtype=np.bool_),
    )


def run(*, repeats: int = 15) -> list[Row]:
    """Return one row per amount of work; objectives are checked against one another to 1e-6."""
    return [
        _row("1 battery x 96 steps", day_problem(1), bar=2.0, repeats=max(repeats, 5) * 3),
        _row("100 batteries x 96 steps", day_problem(100), bar=1.25, repeats=max(repeats // 3, 3)),
        _direct_row("direct: 1 battery x 30 steps", day_problem(1, steps=30), bar=1.35, repeats=400),
        _direct_row("direct: 4 batteries x 96 steps", day_problem(4), bar=1.10, repeats=60),
        _direct_row("direct: 20 batteries x 96 steps", day_problem(20), bar=1.02, repeats=20),
    ]


def _direct_row(work: str, problem: PlanProblem, *, bar: float, repeats: int) -> Row:
    """Time the path from the problem's columns to the solution's, without schedule and reasons, beside HiGHS' run."""
    solver = Solver()
    ours, alone = [], []

    def direct(problem: PlanProblem) -> None:
        solver.load(build(problem))
        solver.run(time_limit_s=60.0)

    direct(problem)
    for turn in range(repeats):
        # other forecasts each time, and from cold: the object is kept, its basis forgotten
        solver._highs.clearSolver()
        moved = _moved(problem, turn)
        ours.append(_timed_ns(lambda moved=moved: direct(moved)))
        solver._highs.clearSolver()
        alone.append(_timed_ns(solver._highs.run))
    total, run_ms = statistics.median(ours), statistics.median(alone)
    return {
        "work": work,
        "ours_ms": round(total, 3),
        "highs_ms": round(run_ms, 3),
        "ratio": round(total / run_ms, 3),
        "bar": bar,
        "others": {},
    }


def _row(work: str, problem: PlanProblem, *, bar: float, repeats: int) -> Row:
    ready, skipped = _layers()
    times: dict[str, list[float]] = {name: [] for name in ("ours", "highs", "hot", *ready)}
    planner = LinearPlanner()
    expected = _must_be_optimal(planner, problem)
    for turn in range(repeats):
        times["ours"].append(_timed(lambda: _must_be_optimal(LinearPlanner(), problem)))
        times["highs"].append(_highs_alone(problem))
        times["hot"].append(_timed(lambda turn=turn: _must_be_optimal(planner, _moved(problem, turn))))
        # the layers are slow: a third of the turns is enough for a median
        for name, contestant in ready.items() if turn % 3 == 0 else ():
            answers: list[float] = []
            times[name].append(_timed(lambda f=contestant, a=answers: a.append(f(problem))))
            if abs(answers[0] - expected) > AGREEMENT * max(1.0, abs(expected)):
                message = f"{name} says {answers[0]}, ours {expected}: not the same problem"
                raise AssertionError(message)
    median = {name: round(statistics.median(values), 3) for name, values in times.items()}
    others: dict[str, float | str] = {"vpp, re-plan with other forecasts (hot)": median["hot"]}
    others |= {name: median[name] for name in ready} | skipped
    return {
        "work": work,
        "ours_ms": median["ours"],
        "highs_ms": median["highs"],
        "ratio": round(median["ours"] / median["highs"], 3),
        "bar": bar,
        "others": others,
    }


def _moved(problem: PlanProblem, turn: int) -> PlanProblem:
    """Return the problem with 5% noise on its power, as the next forecast would have it."""
    noise = 1.0 + 0.05 * np.random.default_rng(turn).standard_normal(problem.fixed_kw.shape)
    fields = {name: getattr(problem, name) for name in problem.__dataclass_fields__}
    return PlanProblem(**(fields | {"fixed_kw": problem.fixed_kw * noise}))


def _must_be_optimal(planner: LinearPlanner, problem: PlanProblem) -> float:
    schedule = planner.plan(problem)
    if schedule.objective is None:
        raise AssertionError(schedule.message)
    return schedule.objective


def _cpu_ms() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime)


def _timed(work: Callable[[], object]) -> float:
    before = _cpu_ms()
    work()
    return _cpu_ms() - before


def _timed_ns(work: Callable[[], object]) -> float:
    """Return the CPU milliseconds of work too short for the process times of ``getrusage``."""
    before = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - before) * 1e-6


def _highs_alone(problem: PlanProblem) -> float:
    """Return HiGHS' own time for the same matrix from cold: its run, without handing over or reading back."""
    solver = Solver()
    solver.load(build(problem))
    return _timed(solver._highs.run)


def _layers() -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return the modelling layers that are installed, and why the others are left out."""
    known: dict[str, tuple[str, Contestant]] = {
        "PuLP + CBC": ("pulp", lambda problem: _pulp(problem, "PULP_CBC_CMD")),
        "PuLP + HiGHS": ("pulp", lambda problem: _pulp(problem, "HiGHS")),
        "linopy + HiGHS": ("linopy", _linopy),
        "cvxpy + HiGHS": ("cvxpy", _cvxpy),
    }
    ready = {name: solve for name, (package, solve) in known.items() if importlib.util.find_spec(package)}
    skipped = {name: f"skipped: {known[name][0]} is not installed" for name in known if name not in ready}
    return ready, skipped


def _pulp(problem: PlanProblem, solver: str) -> float:
    import pulp

    steps, hours = range(problem.grid.count), problem.grid.duration_h
    model, cost, flow = pulp.LpProblem("plan", pulp.LpMinimize), [], {t: [] for t in steps}
    for i, unit in enumerate(problem.batteries):
        low, high = unit.soc_min * unit.capacity_kwh, unit.soc_max * unit.capacity_kwh
        charge = [pulp.LpVariable(f"c{i}_{t}", 0, unit.charge_max_kw) for t in steps]
        discharge = [pulp.LpVariable(f"d{i}_{t}", 0, unit.discharge_max_kw) for t in steps]
        energy = [pulp.LpVariable(f"e{i}_{t}", low, high) for t in steps]
        for t in steps:
            before = energy[t - 1] if t else float(problem.initial_soc[i]) * unit.capacity_kwh
            gain = hours * unit.charge_efficiency * charge[t] - hours / unit.discharge_efficiency * discharge[t]
            model += energy[t] == before + gain
            cost.append(hours * unit.wear_cost_per_kwh * discharge[t])
            flow[t] += [discharge[t], -charge[t]]
        cost.append(-float(problem.terminal_value_per_kwh[i]) * energy[-1])
    for t in steps:
        bought = pulp.LpVariable(f"i{t}", 0, float(problem.import_max_kw[0]))
        sold = pulp.LpVariable(f"x{t}", 0, float(problem.export_max_kw[0]))
        model += sold - bought == pulp.lpSum(flow[t]) + float(problem.fixed_kw[t, 0])
        cost.append(hours * float(problem.import_price_per_kwh[t, 0]) * bought)
        cost.append(-hours * float(problem.export_price_per_kwh[t, 0]) * sold)
    model += pulp.lpSum(cost)
    model.solve(pulp.getSolver(solver, msg=False, threads=1))
    return float(pulp.value(model.objective))


def _columns(problem: PlanProblem) -> dict[str, np.ndarray]:
    """Return the fleet as columns for the array-minded layers."""
    names = ("capacity_kwh", "charge_max_kw", "discharge_max_kw", "charge_efficiency", "discharge_efficiency")
    names += ("soc_min", "soc_max", "wear_cost_per_kwh")
    return {name: np.array([getattr(unit, name) for unit in problem.batteries]) for name in names}


def _linopy(problem: PlanProblem) -> float:
    import linopy
    import xarray

    fleet, hours, steps = _columns(problem), problem.grid.duration_h, problem.grid.count

    def per_battery(values: np.ndarray) -> Any:
        return xarray.DataArray(np.repeat(values[:, None], steps, axis=1), dims=("unit", "step"))

    def per_step(values: np.ndarray) -> Any:
        return xarray.DataArray(values, dims=("step",))

    model = linopy.Model()
    charge = model.add_variables(0, per_battery(fleet["charge_max_kw"]), name="charge")
    discharge = model.add_variables(0, per_battery(fleet["discharge_max_kw"]), name="discharge")
    low, high = fleet["soc_min"] * fleet["capacity_kwh"], fleet["soc_max"] * fleet["capacity_kwh"]
    energy = model.add_variables(per_battery(low), per_battery(high), name="energy")
    bought = model.add_variables(0, per_step(np.full(steps, problem.import_max_kw[0])), name="bought")
    sold = model.add_variables(0, per_step(np.full(steps, problem.export_max_kw[0])), name="sold")
    first = np.zeros((len(problem.batteries), steps))
    first[:, 0] = problem.initial_soc * fleet["capacity_kwh"]
    stored = charge * per_battery(hours * fleet["charge_efficiency"])
    taken = discharge * per_battery(hours / fleet["discharge_efficiency"])
    model.add_constraints(
        energy - energy.shift(step=1).fillna(0) - stored + taken == xarray.DataArray(first, dims=("unit", "step"))
    )
    model.add_constraints(
        sold - bought - discharge.sum("unit") + charge.sum("unit") == per_step(problem.fixed_kw[:, 0])
    )
    wear = (discharge * per_battery(hours * fleet["wear_cost_per_kwh"])).sum()
    paid = (bought * per_step(hours * problem.import_price_per_kwh[:, 0])).sum()
    earned = (sold * per_step(hours * problem.export_price_per_kwh[:, 0])).sum()
    worth = np.zeros((len(problem.batteries), steps))
    worth[:, -1] = problem.terminal_value_per_kwh
    left = (energy * xarray.DataArray(worth, dims=("unit", "step"))).sum()
    model.add_objective(wear + paid - earned - left)
    model.solve("highs", io_api="direct", output_flag=False, threads=1)
    return float(model.objective.value)


def _cvxpy(problem: PlanProblem) -> float:
    import cvxpy

    fleet, hours = _columns(problem), problem.grid.duration_h
    shape = (len(problem.batteries), problem.grid.count)
    charge, discharge, energy = (cvxpy.Variable(shape, nonneg=True) for _ in range(3))
    bought, sold = (cvxpy.Variable(problem.grid.count, nonneg=True) for _ in range(2))

    def column(name: str) -> np.ndarray:
        return fleet[name][:, None]

    capacity = column("capacity_kwh")
    gain = hours * cvxpy.multiply(column("charge_efficiency"), charge)
    gain -= hours * cvxpy.multiply(1.0 / column("discharge_efficiency"), discharge)
    constraints = [
        charge <= column("charge_max_kw"),
        discharge <= column("discharge_max_kw"),
        energy >= column("soc_min") * capacity,
        energy <= column("soc_max") * capacity,
        energy[:, :1] == problem.initial_soc[:, None] * capacity + gain[:, :1],
        energy[:, 1:] == energy[:, :-1] + gain[:, 1:],
        bought <= problem.import_max_kw[0],
        sold <= problem.export_max_kw[0],
        sold - bought == cvxpy.sum(discharge, axis=0) - cvxpy.sum(charge, axis=0) + problem.fixed_kw[:, 0],
    ]
    cost = hours * (problem.import_price_per_kwh[:, 0] @ bought - problem.export_price_per_kwh[:, 0] @ sold)
    cost += hours * cvxpy.sum(cvxpy.multiply(column("wear_cost_per_kwh"), discharge))
    cost -= problem.terminal_value_per_kwh @ energy[:, -1]
    model = cvxpy.Problem(cvxpy.Minimize(cost), constraints)
    return float(model.solve(solver=cvxpy.HIGHS, threads=1))


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
