"""What planning under risk returns: the schedule, its cost in every scenario, and how near the best it is proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vpp.core.messages.planned import PlanStatus
from vpp.optimization.matrix import battery_table
from vpp.optimization.problem import Floats
from vpp.optimization.stochastic.measures import conditional_value_at_risk, value_at_risk
from vpp.optimization.stochastic.problem import Risk, StochasticProblem
from vpp.optimization.stochastic.recourse import Recourse
from vpp.optimization.stochastic.schedule_part import replay

# below this a cost is no measure of anything [currency]
SMALLEST_SCALE = 1e-9
# simplex noise below this is nothing at all
NOISE_KW = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class RiskPlan:
    """A schedule of the batteries, fixed before the scenario is known.

    Parameters
    ----------
    status : PlanStatus
        OPTIMAL when the gap asked for is proven; FEASIBLE when time, rounds or the exclusion of opposite directions
        left it wider; INFEASIBLE, TIMEOUT or FAILED without a plan, every figure then NaN.
    risk : Risk
        What was minimised.
    objective : float
        ``(1 - weight) * expected_cost + weight * cvar`` [currency].
    expected_cost, var, cvar : float
        Of ``scenario_costs`` at the confidence of ``risk`` [currency].
    scenario_costs : float array, shape (S,)
        Cost of each scenario: energy bought - sold + wear - value left at the end [currency].
    power_kw, energy_kwh : float arrays, shape (T, A)
        Terminal power, positive discharges; energy stored at the end of each step.
    bound : float
        Proven lower bound of the objective of any schedule [currency].
    gap : float
        ``(objective - bound) / |cost of doing nothing|``; where doing nothing costs nothing or breaks a limit, the
        divisor is the size of the objective.
    cost_of_doing_nothing : float
        Objective without moving a battery [currency]; NaN where that breaks a limit.
    iterations : int
        Runs of the solver.
    method : str
        ``cuts`` or ``extensive form``.
    message : str
        Why it is not optimal, in words; empty when it is.
    timings_s : mapping of str to float
        ``total``, ``master`` (the solver) and ``recourse`` (the second stage).
    """

    status: PlanStatus
    risk: Risk
    objective: float
    expected_cost: float
    var: float
    cvar: float
    scenario_costs: Floats
    power_kw: Floats
    energy_kwh: Floats
    bound: float
    gap: float
    cost_of_doing_nothing: float
    iterations: int
    method: str
    message: str
    timings_s: Mapping[str, float]

    @property
    def usable(self) -> bool:
        """True when there is a plan to execute."""
        return self.status in (PlanStatus.OPTIMAL, PlanStatus.FEASIBLE)


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """How a plan was found: what ``plan_of`` puts beside the figures it computes itself."""

    bound: float
    cost_of_doing_nothing: float
    iterations: int
    method: str
    message: str
    timings_s: Mapping[str, float]
    gap_asked: float


def gap_scale(cost_of_doing_nothing: float, objective: float) -> float:
    """Return the size that a gap is measured by [currency]."""
    scale = abs(cost_of_doing_nothing)
    if not scale > SMALLEST_SCALE:
        scale = abs(objective)
    return max(scale, SMALLEST_SCALE)


def cost_of_doing_nothing(problem: StochasticProblem, risk: Risk, recourse: Recourse) -> float:
    """Return the objective of keeping every battery still; NaN where that breaks a limit."""
    low, high = problem.injection_band_kw
    if (low > 0.0).any() or (high < 0.0).any():
        return float("nan")
    if (problem.initial_energy_kwh < problem.energy_floor_kwh()[:, -1]).any():
        return float("nan")
    still = recourse.evaluate(np.zeros(problem.steps)).objective(risk)
    return still - float(problem.initial_energy_kwh @ problem.terminal_values)


def plan_of(problem: StochasticProblem, risk: Risk, recourse: Recourse, *, power_kw: Floats, proof: Proof) -> RiskPlan:
    """Return the plan that holds a power (A, T), replayed through the storage balance and costed anew."""
    power, energy = replay(problem, np.where(np.abs(power_kw) < NOISE_KW, 0.0, power_kw))
    wear = battery_table(problem.batteries).wear_cost_per_kwh @ np.maximum(power, 0.0).sum(axis=1)
    own = problem.duration_h * float(wear) - float(energy[:, -1] @ problem.terminal_values)
    costs = recourse.evaluate(power.sum(axis=0)).scenario_costs + own
    expected = float(costs @ problem.weights)
    tail = conditional_value_at_risk(costs, risk.level, probability=problem.weights)
    objective = (1.0 - risk.weight) * expected + risk.weight * tail
    # rounding may put the bound a hair above what is then the optimum
    bound = min(proof.bound, objective)
    gap = (objective - bound) / gap_scale(proof.cost_of_doing_nothing, objective)
    proven = gap <= proof.gap_asked
    message = proof.message or f"stopped at a proven gap of {gap:.3g}, {proof.gap_asked:g} was asked for"
    return RiskPlan(
        PlanStatus.OPTIMAL if proven else PlanStatus.FEASIBLE,
        risk,
        objective,
        expected,
        value_at_risk(costs, risk.level, probability=problem.weights),
        tail,
        costs,
        power.T.copy(),
        energy.T.copy(),
        bound,
        gap,
        proof.cost_of_doing_nothing,
        proof.iterations,
        proof.method,
        "" if proven else message,
        proof.timings_s,
    )


def without_plan(problem: StochasticProblem, risk: Risk, *, status: PlanStatus, proof: Proof) -> RiskPlan:
    """Return a result that holds no plan: every figure NaN, the status and the reason in words."""
    unknown = float("nan")
    per_battery = np.full((problem.steps, len(problem.batteries)), unknown)
    return RiskPlan(
        status,
        risk,
        unknown,
        unknown,
        unknown,
        unknown,
        np.full(problem.scenarios, unknown),
        per_battery,
        per_battery,
        unknown,
        unknown,
        proof.cost_of_doing_nothing,
        proof.iterations,
        proof.method,
        proof.message,
        proof.timings_s,
    )
