"""What flexible consumers do with the power a planner gives them, and which of their goals are missed.

Invariant: a car takes no more than it needs, a house follows its own physics, a run is its profile from one start.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from vpp.optimization.flexible import (
    DeferrableRun,
    EvSession,
    house_temperature_c,
    temperature_kept,
    warming_k_per_kw,
)
from vpp.optimization.flexible_columns import goal_power_max_kw
from vpp.optimization.penalties import discomfort_cost_per_kh, shortfall_cost_per_kwh
from vpp.optimization.problem import Floats, PlanProblem

NOISE_KWH = 1e-9
SAID_KWH = 1e-6
"""Less missing than this is rounding: it is paid for, not reported."""


class FlexibleAssets(NamedTuple):
    """The F flexible assets as columns: ids, sites, and the column of each goal, house and run."""

    ids: tuple[str, ...]
    sites: tuple[int, ...]
    goal: tuple[int, ...]
    house: tuple[int, ...]
    run: tuple[int, ...]


def flexible_assets(problem: PlanProblem) -> FlexibleAssets:
    """Return the columns of the flexible assets: charging points, loads, houses, runs; one column per id."""
    sites: dict[str, int] = {}
    for one in (*problem.goals, *problem.heated_houses, *problem.deferrable_runs):
        sites.setdefault(one.asset_id, one.site)
    place = {asset_id: column for column, asset_id in enumerate(sites)}
    return FlexibleAssets(
        tuple(sites),
        tuple(sites.values()),
        tuple(place[one.asset_id] for one in problem.goals),
        tuple(place[one.asset_id] for one in problem.heated_houses),
        tuple(place[one.asset_id] for one in problem.deferrable_runs),
    )


@dataclass(frozen=True, slots=True, eq=False)
class FlexibleOutcome:
    """What the flexible assets do.

    Parameters
    ----------
    power_kw : float array, shape (T, F)
        Consumption, non-negative.
    temperature_c : float array, shape (T, F)
        Of the house at the end of each step; NaN for what is no heat pump.
    parts : dict of str to float
        ``shortfall_cost`` and ``discomfort_cost`` [currency], where there are such goals.
    missed : dict of str to float
        ``<asset>.energy_kwh`` and ``<asset>.comfort_kh``: by how much a goal is missed.
    notes : tuple of str
        The same in words.
    """

    power_kw: Floats
    temperature_c: Floats
    parts: dict[str, float] = field(default_factory=dict)
    missed: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def flexible_outcome(problem: PlanProblem, power_kw: Floats) -> FlexibleOutcome:
    """Return what flexible assets do with some power, cut to what they can.

    Parameters
    ----------
    problem : PlanProblem
        T steps, F flexible assets in the order of ``flexible_assets``.
    power_kw : float array, shape (T, F)
        Consumption asked for.
    """
    assets = flexible_assets(problem)
    done = np.zeros((problem.grid.count, len(assets.ids)))
    answer = FlexibleOutcome(done, np.full_like(done, np.nan))
    notes: list[str] = []
    if problem.goals:
        notes += _serve_goals(problem, assets, power_kw, answer)
    if problem.heated_houses:
        notes += _heat_houses(problem, assets, power_kw, answer)
    for run, column in zip(problem.deferrable_runs, assets.run, strict=True):
        start = nearest_start(run, power_kw[:, column])
        done[start : start + len(run.profile_kw), column] = run.profile_kw
    return FlexibleOutcome(done, answer.temperature_c, answer.parts, answer.missed, tuple(notes))


def _serve_goals(problem: PlanProblem, assets: FlexibleAssets, asked_kw: Floats, answer: FlexibleOutcome) -> list[str]:
    """Charge cars and run loads; return what to say of those that miss energy."""
    hours, most, notes = problem.grid.duration_h, goal_power_max_kw(problem), []
    missing = np.zeros(len(problem.goals))
    for index, (goal, column) in enumerate(zip(problem.goals, assets.goal, strict=True)):
        power = np.clip(asked_kw[:, column], 0.0, most[index])
        per_kw = hours * goal.charge_efficiency
        taken = np.cumsum(power) * per_kw
        if taken[-1] > goal.energy_needed_kwh + NOISE_KWH:
            power = np.diff(np.minimum(taken, goal.energy_needed_kwh), prepend=0.0) / per_kw
        answer.power_kw[:, column] += power
        short = goal.energy_needed_kwh - float(power.sum()) * per_kw
        missing[index] = short if short > NOISE_KWH else 0.0
        if missing[index] > SAID_KWH:
            key = f"{goal.asset_id}.energy_kwh"
            answer.missed[key] = answer.missed.get(key, 0.0) + float(missing[index])
            got, by = goal.energy_needed_kwh - missing[index], problem.grid.time(goal.window[1])
            what = "when its car leaves" if isinstance(goal, EvSession) else "when its window ends"
            notes.append(
                f"{goal.asset_id} has {got:.4g} of {goal.energy_needed_kwh:.4g} kWh {what} at {by:%Y-%m-%d %H:%M} UTC: "
                f"{missing[index]:.4g} kWh short"
            )
    answer.parts["shortfall_cost"] = float(missing @ shortfall_cost_per_kwh(problem))
    return notes


def _heat_houses(problem: PlanProblem, assets: FlexibleAssets, asked_kw: Floats, answer: FlexibleOutcome) -> list[str]:
    """Run heat pumps; return what to say of houses that leave their comfort band."""
    hours, notes, cost = problem.grid.duration_h, [], 0.0
    prices = discomfort_cost_per_kh(problem).tolist()
    for house, column, price in zip(problem.heated_houses, assets.house, prices, strict=True):
        power = np.clip(asked_kw[:, column], 0.0, house.heat_pump.rated_kw)
        temperature = house_temperature_c(house, power, duration_h=hours)
        low, high = house.heat_pump.temperature_min_c, house.heat_pump.temperature_max_c
        outside = np.maximum(low - temperature, 0.0) + np.maximum(temperature - high, 0.0)
        answer.power_kw[:, column], answer.temperature_c[:, column] = power, temperature
        missed = hours * float(outside.sum())
        cost += price * missed
        if missed > SAID_KWH:
            answer.missed[f"{house.asset_id}.comfort_kh"] = missed
            worst = int(np.argmax(outside))
            notes.append(
                f"the house of {house.asset_id} leaves {low:g} to {high:g} degC for {missed:.4g} K h, at worst "
                f"{temperature[worst]:.4g} degC at {problem.grid.time(worst + 1):%Y-%m-%d %H:%M} UTC"
            )
    answer.parts["discomfort_cost"] = cost
    return notes


def nearest_start(run: DeferrableRun, power_kw: Floats) -> int:
    """Return the start whose profile is nearest to a course of power, shape (T,)."""
    profile, most = np.array(run.profile_kw), len(run.profile_kw)
    overlap = [float(power_kw[start : start + most] @ profile) for start in run.starts]
    return run.starts[int(np.argmax(overlap))]


def uncontrolled_kw(problem: PlanProblem) -> Floats:
    """Return what flexible assets draw when nobody plans, shape (T, F).

    Cars charge and machines run at once and at full power; a heat pump holds the lower edge of its band.
    """
    assets, hours, most = flexible_assets(problem), problem.grid.duration_h, goal_power_max_kw(problem)
    power = np.zeros((problem.grid.count, len(assets.ids)))
    for index, (goal, column) in enumerate(zip(problem.goals, assets.goal, strict=True)):
        per_kw = hours * goal.charge_efficiency
        taken = np.minimum(np.cumsum(most[index]) * per_kw, goal.energy_needed_kwh)
        power[:, column] += np.diff(taken, prepend=0.0) / per_kw
    for house, column in zip(problem.heated_houses, assets.house, strict=True):
        power[:, column] = _thermostat_kw(problem, problem.heated_houses.index(house))
    for run, column in zip(problem.deferrable_runs, assets.run, strict=True):
        power[run.earliest_step : run.earliest_step + len(run.profile_kw), column] = run.profile_kw
    return power


def as_fixed(problem: PlanProblem) -> PlanProblem:
    """Return the problem without flexible assets: what they draw when nobody plans is part of the fixed power."""
    if not problem.flexible:
        return problem
    fixed = problem.fixed_kw.copy()
    for power, site in zip(uncontrolled_kw(problem).T, flexible_assets(problem).sites, strict=True):
        fixed[:, site] -= power
    return replace(problem, fixed_kw=fixed, ev_sessions=(), heated_houses=(), deferrable_loads=(), deferrable_runs=())


def _thermostat_kw(problem: PlanProblem, index: int) -> Floats:
    """Return the power that brings a house to the lower edge of its band at the end of each step, as far as it can."""
    house, hours = problem.heated_houses[index], problem.grid.duration_h
    pump, kept = house.heat_pump, temperature_kept(house.heat_pump, hours)
    warming, now = warming_k_per_kw(pump, hours), house.initial_temperature_c
    power = np.zeros(problem.grid.count)
    idle = house.outdoor_temperature_c + pump.thermal_resistance_k_per_kw * house.gains
    for step, target in enumerate(idle.tolist()):
        now = kept * now + (1.0 - kept) * target
        power[step] = min(max((pump.temperature_min_c - now) / warming, 0.0), pump.rated_kw)
        now += warming * power[step]
    return power
