"""What a plan's steps would have cost otherwise, and why they are as they are, in plain English.

Alternatives are exact: the other power is forced and the site's program solved again, hot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from vpp.core import storage
from vpp.core.errors import InvalidInputError
from vpp.core.messages.planned import PlanStatus, ReasonCode, Schedule
from vpp.core.units import PERCENT
from vpp.optimization.matrix import Matrix, build, initial_energy_kwh
from vpp.optimization.modes import Exclusive, close_wrong, solve_exclusive
from vpp.optimization.problem import Floats, PlanProblem
from vpp.optimization.solver import Solver, SolveStatus

TOLERANCE = 1e-9
NOISE_KW = 1e-9
SMALLEST_SAID = 0.005
"""A difference that would be rounded to nothing is called none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    """The solved program of one site, ready to be solved again with something forced."""

    problem: PlanProblem
    matrix: Matrix
    solver: Solver
    answer: Exclusive
    end_s: float

    def cost_of(self, battery: int, step: int, power_kw: float) -> float:
        """Return how much dearer the plan is with this power forced [currency]; infinity when nothing is feasible."""
        steps = self.problem.grid.count
        at = np.array([battery * steps + step], dtype=np.int32)
        columns = np.concatenate(
            [at + self.matrix.layout.columns["charge"].start, at + self.matrix.layout.columns["discharge"].start]
        ).astype(np.int32)
        forced = np.array([max(-power_kw, 0.0), max(power_kw, 0.0)])
        self.solver.bound(columns, forced, forced)
        solution = self.solver.run(time_limit_s=self.end_s - perf_counter())
        solution, closed = close_wrong(self.solver, self.problem, self.matrix, solution=solution, end_s=self.end_s)
        self._restore(np.union1d(columns, closed).astype(np.int32))
        if solution.status is SolveStatus.TIME_LIMIT:
            return np.nan
        if solution.status is not SolveStatus.OPTIMAL:
            return np.inf
        return solution.objective - self.answer.solution.objective

    def _restore(self, columns: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> None:
        upper = self.matrix.upper[columns]
        upper[np.isin(columns, self.answer.closed)] = 0.0
        self.solver.bound(columns, self.matrix.lower[columns], upper)


def alternatives(
    problem: PlanProblem,
    schedule: Schedule,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    most: int = 2000,
    time_limit_s: float = 30.0,
) -> tuple[Floats, Floats]:
    """Return what batteries could have done instead and how much dearer the whole plan would then be.

    Where a battery acts, the alternative is to hold (0 kW). Where it holds, it is the cheaper of charging and
    discharging at full power: the rating, or what the energy stored at the start of that step by the plan allows.
    Everything else in the horizon is planned anew around the forced step.

    Parameters
    ----------
    problem : PlanProblem
        The problem the schedule was made for.
    schedule : Schedule
        An OPTIMAL schedule of the linear planner.
    pairs : sequence of (step, asset column), optional
        What to look at; by default every step and asset, the nearest steps first.
    most : int
        At most this many pairs, 0 or more.
    time_limit_s : float
        For everything together; what is not reached stays NaN.

    Returns
    -------
    alternative_power_kw, alternative_cost : float arrays, shape (T, A)
        Power (positive discharges) and extra cost [currency], 0 or more. NaN where not looked at, where nothing else
        is feasible, where the schedule is not an optimal plan, or where, after directions had to be fixed, forcing the
        other power happens to lead to a cheaper plan.

    Raises
    ------
    InvalidInputError
        When a pair lies outside the schedule or ``most`` is negative.
    """
    shape = schedule.power_kw.shape
    power, cost = np.full(shape, np.nan), np.full(shape, np.nan)
    if most < 0:
        raise InvalidInputError("most", most, "0 or more pairs")
    for step, column in pairs or ():
        if not (0 <= step < shape[0] and 0 <= column < shape[1]):
            raise InvalidInputError("pairs", (step, column), f"steps 0 to {shape[0] - 1}, columns 0 to {shape[1] - 1}")
    if schedule.status is not PlanStatus.OPTIMAL:
        return power, cost
    chosen = list(pairs) if pairs is not None else [(int(s), int(a)) for s, a in np.ndindex(*shape)]
    end_s = perf_counter() + time_limit_s
    sites: dict[int, _Site] = {}
    for step, column in chosen[:most]:
        where = problem.battery_site[column]
        if where not in sites:
            sites[where] = _solved_site(problem.at_site(where), end_s)
        if perf_counter() > end_s or sites[where].answer.solution.status is not SolveStatus.OPTIMAL:
            continue
        battery = problem.battery_site[:column].count(where)
        power[step, column], cost[step, column] = _cheapest(
            sites[where], battery, step, candidates=_candidates_kw(problem, schedule, step, column)
        )
    return power, cost


def _solved_site(problem: PlanProblem, end_s: float) -> _Site:
    """Return the program of one site, solved."""
    solver, matrix = Solver(), build(problem)
    answer = solve_exclusive(solver, problem, matrix, time_limit_s=end_s - perf_counter())
    return _Site(problem, matrix, solver, answer, end_s)


def _candidates_kw(problem: PlanProblem, schedule: Schedule, step: int, column: int) -> list[float]:
    """Return the powers that the alternative may have: 0 for an action, both full powers for a rest."""
    if schedule.power_kw[step, column] != 0.0:
        return [0.0]
    battery = problem.batteries[column]
    before = initial_energy_kwh(problem)[column] if step == 0 else schedule.soc[step - 1, column] * battery.capacity_kwh
    band = storage.power_band_kw(before, battery.limits, duration_h=problem.grid.duration_h)
    return [float(edge) for edge in band if abs(edge) > NOISE_KW]


def _cheapest(site: _Site, battery: int, step: int, *, candidates: list[float]) -> tuple[float, float]:
    """Return power and extra cost of the cheapest candidate; NaN twice when none is feasible."""
    tried = [(site.cost_of(battery, step, power), power) for power in candidates]
    known = [(cost, power) for cost, power in tried if np.isfinite(cost)]
    if not known:
        return np.nan, np.nan
    cost, power = min(known)
    scale = max(1.0, abs(site.answer.solution.objective))
    if cost < -TOLERANCE * scale:
        return np.nan, np.nan
    return power, max(cost, 0.0)


_LIMIT_WORDS = {
    "soc_max": "It stops at its upper charge level.",
    "soc_min": "It stops at its lower charge level.",
    "charge_max_kw": "It cannot charge faster.",
    "discharge_max_kw": "It cannot discharge faster.",
    "import_max_kw": "The connection can draw no more.",
    "export_max_kw": "The connection can feed in no more.",
    "backup_soc": "It stops at the reserve kept for outages.",
}


def sentence(
    problem: PlanProblem,
    schedule: Schedule,
    asset_id: str,
    step: int,
    *,
    currency: str,
    alternative_power_kw: float | None = None,
    alternative_cost: float | None = None,
) -> str:
    """Return why a battery does what it does in a step, as one to three sentences.

    Parameters
    ----------
    problem, schedule : PlanProblem, Schedule
        A schedule with a plan, and the problem it was made for.
    asset_id, step : str, int
        Which battery and step.
    currency : str
        Code of the prices, e.g. ``USD``.
    alternative_power_kw, alternative_cost : float, optional
        From ``alternatives``; None or NaN leaves that sentence out.

    Raises
    ------
    UnknownNameError, InvalidInputError
        For an asset or a step that the schedule does not have.
    """
    reason = schedule.reason(asset_id, step)
    column = schedule.column(asset_id)
    if np.isnan(schedule.power_kw[step, column]):
        return f"There is no plan: {schedule.message}."
    words = [_lead(problem, schedule, reason.code, step=step, column=column, currency=currency)]
    if schedule.power_kw[step, column] != 0.0 and reason.limit in _LIMIT_WORDS:
        words.append(_LIMIT_WORDS[reason.limit])
    if alternative_power_kw is not None and alternative_cost is not None and np.isfinite(alternative_cost):
        more = "the same" if alternative_cost < SMALLEST_SAID else f"{alternative_cost:.2f} {currency} more"
        words.append(f"{_action(alternative_power_kw)} instead would cost {more}.")
    return " ".join(words)


def _action(power_kw: float) -> str:
    """Return a power as a verb: positive discharges."""
    if power_kw == 0.0:
        return "Holding"
    return f"{'Discharging' if power_kw > 0.0 else 'Charging'} {abs(power_kw):.3g} kW"


def _lead(problem: PlanProblem, schedule: Schedule, code: ReasonCode, *, step: int, column: int, currency: str) -> str:
    """Return the motive in words, with the prices that make it."""
    site = problem.battery_site[column]
    doing = _action(float(schedule.power_kw[step, column]))
    value = f"{schedule.marginal_value_per_kwh[step, column]:.3g} {currency}"
    here = f"{schedule.energy_price_per_kwh[step, site]:.3g} {currency}"
    buy = f"{problem.import_price_per_kwh[step, site]:.3g} {currency}"
    sell = f"{problem.export_price_per_kwh[step, site]:.3g} {currency}"
    level = f"{PERCENT * schedule.soc[step, column]:.0f}%"
    sold = f"{problem.committed_kw[step, site]:.4g} kW"
    miss = f"{problem.imbalance_spread_per_kwh:.3g} {currency}"
    words = {
        ReasonCode.CHARGE_SURPLUS: f"from surplus: a kWh stored is worth {value} later; fed in it would earn {sell}.",
        ReasonCode.CHARGE_CHEAP: f"while energy is cheap: a kWh drawn costs {buy}; stored it is worth {value} later.",
        ReasonCode.DISCHARGE_LOAD: f"to cover consumption: a kWh drawn would cost {buy}; kept it is worth {value}.",
        ReasonCode.DISCHARGE_EXPORT: f"into the grid: a kWh fed in earns {sell}; kept it is worth {value}.",
        ReasonCode.FOLLOW_COMMITMENT: f"to deliver the {sold} sold ahead: a kWh missed costs {miss}.",
        ReasonCode.LEAST_VIOLATION: "so that the connection limits are broken as little as possible.",
        ReasonCode.RULE: "by the rule of cheap and dear hours.",
        ReasonCode.HOLD_FULL: f"at {level}: the battery is full, though a kWh more would be worth storing.",
        ReasonCode.HOLD_EMPTY: f"at {level}: the battery is empty, though a kWh here is worth {here}.",
        ReasonCode.HOLD: f"at {level}: a kWh kept is worth {value} later, one used now {here} before losses and wear.",
        ReasonCode.HOLD_NO_SPREAD: f"at {level}: a kWh here is worth {here}, stored {value}: too little for losses.",
        ReasonCode.KEEP_BACKUP: f"at {level}: the reserve kept for outages comes first.",
    }
    return f"{doing} {words[code]}"
