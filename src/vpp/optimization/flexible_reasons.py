"""Why each flexible asset does what it does in each step.

A car or a machine that draws does so because its time runs out, from surplus, or because the step is cheap among those
of its window; one that waits is deferred. A heat pump holds comfort, or heats ahead while energy is cheap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages.planned import ReasonCode
from vpp.optimization.flexible import DeferrableRun, EvSession
from vpp.optimization.flexible_columns import goal_power_max_kw
from vpp.optimization.flexible_outcome import FlexibleAssets, flexible_assets
from vpp.optimization.outcome import Outcome
from vpp.optimization.problem import Floats, PlanProblem

TOLERANCE = 1e-6
LIMITS = ("none", "charge_max_kw", "energy_needed_kwh", "rated_kw", "temperature_min_c", "temperature_max_c", "window")
Codes = NDArray[np.int64]
Limits = NDArray[np.object_]


def flexible_reasons(problem: PlanProblem, outcome: Outcome, *, ruled: bool) -> tuple[Codes, Limits]:
    """Return ``ReasonCode`` and binding limit of every step, each of shape (T, F).

    Parameters
    ----------
    problem, outcome : PlanProblem, Outcome
        With flexible assets.
    ruled : bool
        True when nobody planned them: every code is RULE.
    """
    assert outcome.flexible is not None
    assets, shape = flexible_assets(problem), outcome.flexible.power_kw.shape
    code = np.full(shape, int(ReasonCode.NOT_AVAILABLE), dtype=np.int64)
    limit = np.full(shape, "window", dtype=object)
    _explain_goals(problem, outcome, assets, code, limit)
    _explain_houses(problem, outcome, assets, code, limit)
    for run, column in zip(problem.deferrable_runs, assets.run, strict=True):
        _explain_run(run, outcome.flexible.power_kw[:, column], code[:, column], limit[:, column])
    if ruled:
        code[:] = int(ReasonCode.RULE)
    return code, limit


def _drawn(outcome: Outcome, column: int, site: int) -> Codes:
    """Return why something draws now of all times: most of its power is surplus, or it is bought because cheap."""
    assert outcome.flexible is not None
    surplus = outcome.import_kw[:, site] < 0.5 * outcome.flexible.power_kw[:, column]
    return np.where(surplus, int(ReasonCode.CHARGE_SURPLUS), int(ReasonCode.CHARGE_CHEAP))


def _explain_goals(problem: PlanProblem, outcome: Outcome, assets: FlexibleAssets, code: Codes, limit: Limits) -> None:
    assert outcome.flexible is not None
    power, hours, most = outcome.flexible.power_kw, problem.grid.duration_h, goal_power_max_kw(problem)
    for index, (goal, column) in enumerate(zip(problem.goals, assets.goal, strict=True)):
        here = slice(*goal.window)
        drawn = power[here, column]
        taken = np.cumsum(drawn) * hours * goal.charge_efficiency
        # what full power from the next step on could still add
        left = np.arange(len(drawn) - 1, -1, -1) * goal.charge_max_kw * hours * goal.charge_efficiency
        pressed = taken + left <= goal.energy_needed_kwh + TOLERANCE
        hurry = ReasonCode.EV_DEPARTURE if isinstance(goal, EvSession) else ReasonCode.DEADLINE
        acts = np.where(pressed, int(hurry), _drawn(outcome, column, goal.site)[here])
        done = np.concatenate([[0.0], taken[:-1]]) >= goal.energy_needed_kwh - TOLERANCE
        rests = np.where(done, int(ReasonCode.HOLD_FULL), int(ReasonCode.DEFERRED))
        code[here, column] = np.where(drawn > 0.0, acts, rests)
        full = drawn >= most[index, here] - TOLERANCE
        enough = taken >= goal.energy_needed_kwh - TOLERANCE
        words = np.select([(drawn > 0.0) & full, enough], [1, 2], 0)
        limit[here, column] = np.array(LIMITS, dtype=object)[words]


def _explain_houses(problem: PlanProblem, outcome: Outcome, assets: FlexibleAssets, code: Codes, limit: Limits) -> None:
    assert outcome.flexible is not None
    for house, column in zip(problem.heated_houses, assets.house, strict=True):
        power, temperature = outcome.flexible.power_kw[:, column], outcome.flexible.temperature_c[:, column]
        cold = temperature <= house.heat_pump.temperature_min_c + TOLERANCE
        warm = temperature >= house.heat_pump.temperature_max_c - TOLERANCE
        acts = np.where(cold, int(ReasonCode.COMFORT), int(ReasonCode.PREHEAT))
        rests = np.where(warm, int(ReasonCode.HOLD_FULL), int(ReasonCode.DEFERRED))
        code[:, column] = np.where(power > 0.0, acts, rests)
        full = (power > 0.0) & (power >= house.heat_pump.rated_kw - TOLERANCE)
        words = np.select([full, cold, warm], [3, 4, 5], 0)
        limit[:, column] = np.array(LIMITS, dtype=object)[words]


def _explain_run(run: DeferrableRun, power_kw: Floats, code: Codes, limit: Limits) -> None:
    """Write the reasons of one run: before its start it waits, afterwards it is done."""
    active = np.flatnonzero(power_kw > 0.0)
    start = int(active[0]) if active.size else run.earliest_step
    end = int(active[-1]) + 1 if active.size else run.earliest_step
    code[run.earliest_step : start] = int(ReasonCode.DEFERRED)
    code[start:end] = int(ReasonCode.RUN)
    limit[run.earliest_step : end] = "none"
