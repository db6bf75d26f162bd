"""The contract of an optimization plug-in, as code: ``check_plugin(MyPlugin(), problem)``."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np

from vpp.optimization.plugins import DistributedCase, OptimizationPlugin, OptimizationResult, OptimizationStatus
from vpp.optimization.plugins.battery_day import replay
from vpp.optimization.plugins.problems import Problem, RealtimeCase, StochasticCase

KEYS = {
    "stochastic": ("battery_power", "battery_soc", "scenario_costs", "var", "cvar", "expected_cost", "method"),
    "realtime": (
        "battery_power_setpoint",
        "renewable_curtailment",
        "load_shedding",
        "frequency_response_active",
        "voltage_support_active",
        "confidence",
        "method",
    ),
    "distributed": (
        "target_power",
        "reserve_allocations",
        "price_signals",
        "convergence_achieved",
        "iterations",
        "method",
    ),
}
_TOLERANCE_KW = 1e-6
_LATE_MS = 50.0


def check_plugin(plugin: OptimizationPlugin, problem: Problem, *, timeout_ms: float = 5000.0) -> OptimizationResult:
    """Check that a plug-in keeps the contract on a problem, and return its answer.

    Raises
    ------
    AssertionError
        Naming what does not hold: the kinds, the keys of the solution, the time, or the physics.
    """
    facts = plugin.get_metadata()
    assert facts["name"] == plugin.name, "get_metadata() names another plug-in"
    assert plugin.initialize(), "initialize() must return True"
    assert plugin.is_available(), "is_available() must return True where it is checked"
    assert problem.kind in plugin.kinds, f"kinds {plugin.kinds} lack {problem.kind!r}"
    assert plugin.validate_problem(problem), "validate_problem() refuses the problem"
    began_s = perf_counter()
    result = plugin.solve(problem, timeout_ms)
    spent_ms = (perf_counter() - began_s) * 1000.0  # house: allow-1000, milliseconds
    assert isinstance(result, OptimizationResult), f"solve() returned {type(result).__name__}"
    assert spent_ms <= timeout_ms + max(0.1 * timeout_ms, _LATE_MS), f"took {spent_ms:.0f} of {timeout_ms:g} ms"
    if result.status is OptimizationStatus.INFEASIBLE:
        assert "least_violation" in result.metadata, "INFEASIBLE without metadata['least_violation']"
    if not result.answered:
        return result
    missing = [key for key in KEYS[problem.kind] if key not in result.solution]
    assert not missing, f"the solution lacks {', '.join(missing)}"
    if isinstance(problem, StochasticCase):
        _check_battery(problem, result)
    elif isinstance(problem, RealtimeCase):
        _check_realtime(problem, result)
    else:
        _check_sites(problem, result)
    return result


def _check_battery(case: StochasticCase, result: OptimizationResult) -> None:
    power = np.asarray(result.solution["battery_power"], dtype=np.float64)
    assert power.shape == (case.steps,), f"battery_power has shape {power.shape}"
    held, energy = replay(case, power)
    assert np.abs(held - power).max() <= _TOLERANCE_KW, "the battery cannot hold these powers"
    soc = energy / max(case.battery_capacity, 1e-9)
    assert soc[-1] >= case.final_soc_min - _TOLERANCE_KW, f"ends at {soc[-1]:.3f}, below {case.final_soc_min:g}"
    assert np.abs(np.asarray(result.solution["battery_soc"]) - soc).max() <= _TOLERANCE_KW, (
        "battery_soc is not its replay"
    )
    assert result.solution["cvar"] >= result.solution["var"] - _TOLERANCE_KW, "CVaR below VaR"


def _check_realtime(case: RealtimeCase, result: OptimizationResult) -> None:
    power = float(result.solution["battery_power_setpoint"])
    assert abs(power) <= case.max_power_kw + _TOLERANCE_KW, "beyond the battery's power"
    assert power <= 0.0 or case.soc > case.min_soc, "discharges an empty battery"
    assert power >= 0.0 or case.soc < case.max_soc, "charges a full battery"
    assert 0.0 <= float(result.solution["renewable_curtailment"]) <= case.renewable_kw + _TOLERANCE_KW
    assert 0.0 <= float(result.solution["load_shedding"]) <= case.load_kw + _TOLERANCE_KW
    assert 0.0 <= float(result.solution["confidence"]) <= 1.0


def _check_sites(case: DistributedCase, result: OptimizationResult) -> None:
    power, reserve = result.solution["target_power"], result.solution["reserve_allocations"]
    assert set(power) == set(reserve) == set(case.site_ids), "not one entry per site"
    for name, available_kw in zip(case.site_ids, case.available_kw, strict=True):
        used = power[name] + reserve[name]
        assert used <= available_kw + _TOLERANCE_KW, f"{name}: power + reserve {used:g} over {available_kw:g} kW"
    met = math.isclose(sum(power.values()), case.target_kw, rel_tol=1e-6, abs_tol=_TOLERANCE_KW)
    assert met, f"{sum(power.values()):g} kW of {case.target_kw:g} kW"
    assert sum(reserve.values()) >= case.reserve_kw - _TOLERANCE_KW, "less reserve than asked for"
