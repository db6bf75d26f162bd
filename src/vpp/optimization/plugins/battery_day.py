"""A battery over a stochastic case: replay, scenario costs, risk measures, and whether the case can be met at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Battery
from vpp.core.storage import execute
from vpp.optimization.plugins.problems import StochasticCase
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus
from vpp.optimization.stochastic.measures import conditional_value_at_risk, value_at_risk

Floats = NDArray[np.float64]
UNREACHED_KWH = 1e-9


def battery_of(case: StochasticCase) -> Battery:
    """Return the case's battery in the house's nouns."""
    return Battery(
        id="battery",
        capacity_kwh=max(case.battery_capacity, 1e-9),
        charge_max_kw=case.max_power,
        discharge_max_kw=case.max_power,
        charge_efficiency=case.efficiency,
        discharge_efficiency=case.efficiency,
        soc_min=case.min_soc,
        soc_max=case.max_soc,
        soc_initial=case.initial_soc,
    )


def replay(case: StochasticCase, power_kw: Floats) -> tuple[Floats, Floats]:
    """Return the powers the battery can hold of those asked for, and the energy at the end of each step [kWh]."""
    battery = battery_of(case)
    held, energy = np.empty(case.steps), np.empty(case.steps)
    stored = case.initial_soc * battery.capacity_kwh
    for step in range(case.steps):
        done = execute(stored, power_kw[step], battery.limits, duration_h=case.time_step)
        held[step], stored = float(done.power_kw), float(done.energy_kwh)
        energy[step] = stored
    return held, energy


def solution_of(
    case: StochasticCase, power_kw: Floats, *, risk_level: float, method: str
) -> tuple[dict[str, Any], float]:
    """Return a schedule's solution and its expected cost.

    ``battery_power`` [kW] is positive when discharging, ``battery_soc`` (0-1) stands at the end of each step;
    ``scenario_costs`` count load, generation and battery at each scenario's prices. ``var`` and ``cvar`` are at the
    confidence ``1 - risk_level``.
    """
    held, energy = replay(case, power_kw)
    net_kw = case.load - case.renewable - held
    costs = (case.price * net_kw).sum(axis=1) * case.time_step
    level = 1.0 - risk_level
    expected = float(costs @ case.probability)
    solution = {
        "battery_power": held,
        "battery_soc": energy / battery_of(case).capacity_kwh,
        "scenario_costs": costs,
        "var": value_at_risk(costs, level, probability=case.probability),
        "cvar": conditional_value_at_risk(costs, level, probability=case.probability),
        "expected_cost": expected,
        "method": method,
    }
    return solution, expected


def infeasible(case: StochasticCase, *, risk_level: float, method: str) -> OptimizationResult | None:
    """Return INFEASIBLE, with the nearest plan and the conflict, when the final state of charge cannot be reached."""
    battery = battery_of(case)
    start = case.initial_soc * battery.capacity_kwh
    most = min(
        start + case.steps * case.time_step * case.max_power * case.efficiency, case.max_soc * battery.capacity_kwh
    )
    asked = case.final_soc_min * battery.capacity_kwh
    if most >= asked - UNREACHED_KWH:
        return None
    nearest, _ = solution_of(case, np.full(case.steps, -case.max_power), risk_level=risk_level, method=method)
    conflict = (
        f"final_soc_min {case.final_soc_min:g} asks for {asked:g} kWh; charging {case.max_power:g} kW in every step "
        f"reaches {most:g} kWh"
    )
    return OptimizationResult(
        OptimizationStatus.INFEASIBLE,
        metadata={
            "message": conflict,
            "least_violation": {"solution": nearest, "conflict": conflict, "missing_kwh": asked - most},
        },
        solver_info={"method": method},
    )


def needed_kwh(case: StochasticCase) -> Floats:
    """Return the energy that must be stored at the end of each step so that the final one can still be reached."""
    left_h = case.time_step * np.arange(case.steps - 1, -1, -1)
    asked = case.final_soc_min * battery_of(case).capacity_kwh
    return np.asarray(np.maximum(asked - left_h * case.max_power * case.efficiency, 0.0), dtype=np.float64)
