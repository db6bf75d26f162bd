"""The engine: who was asked is who runs, time is kept, and failures are told, never painted over."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.optimization import (
    ADMMDistributedPlugin,
    CVaRStochasticPlugin,
    ModelPredictiveControlPlugin,
    OptimizationEngine,
    OptimizationPlugin,
    OptimizationResult,
    OptimizationStatus,
    benchmark_optimization_methods,
    create_distributed_problem,
    create_optimization_engine,
    create_realtime_problem,
    create_stochastic_problem,
    solve_with_fallback,
)
from vpp.testing.plugin import check_plugin

PRICES = [0.06, 0.05, 0.04, 0.08, 0.12, 0.15, 0.18, 0.20, 0.22, 0.15, 0.10, 0.08] * 2
CERTAIN = {"price_volatility": 0.0, "renewable_error": 0.0, "load_uncertainty": 0.0}
BATTERY = {"battery_capacity": 1000.0, "max_power": 250.0, "efficiency": 0.92**0.5, "time_step": 1.0}
STATE = {
    "grid_frequency": 59.85,
    "grid_voltage": 1.0,
    "battery_soc": 0.5,
    "total_load": 100.0,
    "renewable_generation": 50.0,
    "electricity_price": 0.1,
}


def day(**changes: Any) -> Any:
    data = {"base_prices": PRICES, **BATTERY, **changes}
    return create_stochastic_problem(data, 1, CERTAIN)


def sites(count: int = 20, **targets: float) -> Any:
    rows = [
        {"site_id": f"s{i}", "total_capacity": 100.0, "available_capacity": 80.0, "marginal_cost": 0.1 + 0.01 * i}
        for i in range(count)
    ]
    return create_distributed_problem(rows, targets)


class Slow(OptimizationPlugin):
    name = "slow"
    kinds = ("realtime",)

    def solve(self, problem: Any, timeout_ms: float = 5000.0) -> OptimizationResult:
        time.sleep(60.0)
        return OptimizationResult(OptimizationStatus.SUCCESS)


class Broken(Slow):
    name = "broken"

    def solve(self, problem: Any, timeout_ms: float = 5000.0) -> OptimizationResult:
        raise RuntimeError("no luck")


class Dying(Slow):
    name = "dying"

    def solve(self, problem: Any, timeout_ms: float = 5000.0) -> OptimizationResult:
        os._exit(7)


class Zeros(Slow):
    name = "zeros"

    def solve(self, problem: Any, timeout_ms: float = 5000.0) -> Any:
        return {"battery_power_setpoint": 0.0}


@pytest.mark.parametrize("name", ["cvar", "mpc"])
def test_the_known_arbitrage(name: str) -> None:
    result = solve_with_fallback(day(), ModelPredictiveControlPlugin(24) if name == "mpc" else name)
    assert result.status is OptimizationStatus.SUCCESS
    assert result.objective_value == pytest.approx(-230.13, abs=0.005)
    assert result.solution["method"] == name
    assert result.solution["expected_cost"] == pytest.approx(-230.13, abs=0.005)


def test_an_empty_start_and_a_week() -> None:
    empty = solve_with_fallback(day(initial_soc=0.0), "cvar")
    assert -empty.objective_value == pytest.approx(239.24, abs=0.005)
    week = solve_with_fallback(day(base_prices=PRICES * 7), "cvar")
    assert -week.objective_value == pytest.approx(1675.76, abs=0.005)


@pytest.mark.parametrize("name", ["cvar", "mpc", "rules", "genetic_algorithm"])
def test_stochastic_methods_keep_the_contract(name: str) -> None:
    problem = create_stochastic_problem(
        {"base_prices": PRICES, "load_forecast": [100.0] * 24, "renewable_forecast": [40.0] * 24, **BATTERY}, 20, seed=5
    )
    engine = create_optimization_engine("research")
    plugin = engine._plugins["stochastic_rules" if name == "rules" else name]
    result = check_plugin(plugin, problem, timeout_ms=20_000.0)
    assert result.status is OptimizationStatus.SUCCESS
    best = solve_with_fallback(problem, CVaRStochasticPlugin(risk_level=0.05, risk_weight=0.0))
    assert best.objective_value <= result.solution["expected_cost"] + 1e-6 * abs(best.objective_value)


def test_the_risk_averse_pay_for_a_thinner_tail() -> None:
    problem = create_stochastic_problem({"base_prices": PRICES, **BATTERY}, 200, {"price_volatility": 0.5}, seed=2)
    bold = solve_with_fallback(problem, CVaRStochasticPlugin(0.1, risk_weight=0.0)).solution
    careful = solve_with_fallback(problem, CVaRStochasticPlugin(0.1, risk_weight=1.0)).solution
    assert careful["cvar"] < bold["cvar"]
    assert careful["expected_cost"] > bold["expected_cost"]


def test_an_end_out_of_reach_is_infeasible_and_final() -> None:
    problem = day(base_prices=[0.1, 0.2], initial_soc=0.0, final_soc_min=1.0)
    for name in ("cvar", "mpc", "rules", "genetic_algorithm"):
        result = solve_with_fallback(problem, name)
        assert result.status is OptimizationStatus.INFEASIBLE
        assert not result.fallback_used
        nearest = result.metadata["least_violation"]
        assert nearest["missing_kwh"] == pytest.approx(1000.0 - 500.0 * 0.92**0.5)
        assert np.allclose(nearest["solution"]["battery_power"], -250.0)


def test_under_frequency_discharges_and_over_frequency_charges() -> None:
    low = solve_with_fallback(create_realtime_problem(STATE))
    assert low.solution["battery_power_setpoint"] == pytest.approx(75.0)
    assert low.solution["frequency_response_active"] is True
    high = solve_with_fallback(create_realtime_problem(STATE | {"grid_frequency": 60.15}))
    assert high.solution["battery_power_setpoint"] == pytest.approx(-75.0)
    assert low.solution["confidence"] == 1.0


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"battery_soc": 0.1}, "battery_power_setpoint", 0.0),
        ({"grid_frequency": 60.0}, "battery_power_setpoint", 0.0),
        ({"grid_frequency": 60.03}, "battery_power_setpoint", 0.0),
        ({"grid_frequency": 58.0}, "load_shedding", 50.0),
        ({"grid_frequency": 58.79}, "load_shedding", 10.0),
        ({"grid_frequency": 60.7}, "renewable_curtailment", 10.0),
        ({"grid_frequency": 60.0, "grid_voltage": 1.10}, "renewable_curtailment", 40.0),
        ({"grid_frequency": 60.0, "grid_voltage": 1.03}, "voltage_support_active", True),
        ({"grid_frequency": 60.0, "import_max_kw": 30.0}, "battery_power_setpoint", 20.0),
        ({"grid_frequency": 60.0, "import_max_kw": 30.0, "battery_soc": 0.0}, "load_shedding", 20.0),
        ({"grid_frequency": 60.0, "total_load": 0.0, "export_max_kw": 30.0}, "renewable_curtailment", 20.0),
    ],
)
def test_the_realtime_rule(change: dict[str, float], key: str, value: float) -> None:
    problem = create_realtime_problem(STATE | change)
    result = check_plugin(create_optimization_engine()._plugins["realtime_rules"], problem)
    assert result.solution[key] == pytest.approx(value)


def test_sites_meet_power_and_reserve() -> None:
    problem = sites(total_power=800.0, reserve=200.0)
    engine = create_optimization_engine()
    exact = check_plugin(engine._plugins["distributed_rules"], problem)
    agreed = check_plugin(engine._plugins["admm"], problem)
    assert agreed.objective_value >= exact.objective_value - 1e-9
    assert agreed.objective_value <= exact.objective_value * (1.0 + agreed.gap) + 1e-9
    assert {"primal_residual_kw", "dual_residual_per_kwh", "bound"} <= set(agreed.metadata)


@pytest.mark.parametrize("name", ["rules", "admm"])
def test_a_target_out_of_reach_names_the_largest_that_is_not(name: str) -> None:
    result = solve_with_fallback(sites(total_power=1500.0, reserve=200.0), name)
    assert result.status is OptimizationStatus.INFEASIBLE
    assert result.metadata["least_violation"]["largest_feasible"]["reserve"] == pytest.approx(100.0, rel=1e-6)


@pytest.mark.parametrize(("plugin", "status"), [(Slow(), "timeout"), (Broken(), "failed"), (Zeros(), "failed")])
def test_a_fallback_answers_and_says_for_whom(plugin: OptimizationPlugin, status: str) -> None:
    began = time.perf_counter()
    result = solve_with_fallback(create_realtime_problem(STATE), plugin, timeout_ms=300.0)
    assert result.status is OptimizationStatus.FALLBACK_USED
    assert result.fallback_used
    assert result.metadata["primary_status"] == status
    assert result.solution["battery_power_setpoint"] == pytest.approx(75.0)
    assert time.perf_counter() - began < 5.0


def test_a_worker_that_dies_is_a_timeout_not_a_hang() -> None:
    result = solve_with_fallback(create_realtime_problem(STATE), Dying(), timeout_ms=300.0)
    assert result.status is OptimizationStatus.FALLBACK_USED
    assert result.metadata["primary_status"] == "timeout"


def test_without_a_fallback_the_failure_stays() -> None:
    alone = OptimizationEngine([Slow(), Broken()])
    problem = create_realtime_problem(STATE)
    assert alone.solve(problem, 200.0, "slow").status is OptimizationStatus.TIMEOUT
    assert alone.solve(problem, 200.0, "broken").status is OptimizationStatus.FAILED
    helpless = OptimizationEngine([Slow()], [Broken()])
    assert helpless.solve(problem, 200.0).status is OptimizationStatus.FAILED


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a distribution whose plug-ins are one that keeps the contract, two that cannot start and one missing."""
    facts = tmp_path / "outsider-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[vpp.optimizers]\n"
        "good = outsider:Good\ntaken = outsider:Taken\nfails = outsider:Fails\ngone = outsider:Gone\nlost = lost:Lost\n"
    )
    (tmp_path / "outsider.py").write_text(OUTSIDER)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


OUTSIDER = """
from vpp.optimization.plugins.realtime import RealtimeRules

class Good(RealtimeRules):
    name = "good"

class Taken(RealtimeRules):
    pass

class Fails(RealtimeRules):
    name = "fails"

    def initialize(self):
        return False
"""


@pytest.mark.usefixtures("installed")
def test_outsiders_come_in_by_entry_point_and_broken_ones_are_named() -> None:
    engine = create_optimization_engine("standard")
    check_plugin(engine._plugins["good"], create_realtime_problem(STATE))
    assert engine.solve(create_realtime_problem(STATE), plugin="good").status is OptimizationStatus.SUCCESS
    refused = engine.get_plugin_info()["refused"]
    assert set(refused) == {"taken", "fails", "gone", "lost"}
    assert "a name that no other plug-in has" in refused["taken"]
    assert "initialize() returns True" in refused["fails"]
    assert "Gone" in refused["gone"]
    assert "No module named 'lost'" in refused["lost"]
    info = create_optimization_engine("production").get_plugin_info()
    assert "good" not in info["plugins"]
    assert info["refused"] == {}


def test_the_active_plugin_runs() -> None:
    engine = create_optimization_engine()
    engine.set_active_plugin("mpc")
    assert engine.solve(day()).solution["method"] == "mpc"
    engine.set_active_plugin(None)
    assert engine.solve(day()).solution["method"] == "cvar"
    stats = engine.get_performance_stats()
    assert stats["mpc"]["solves"] == 1
    assert stats["mpc"]["success_rate"] == 1.0
    assert engine.get_plugin_info()["fallbacks"] == ["stochastic_rules", "realtime_rules", "distributed_rules"]


def test_unknown_methods_and_kinds_are_errors() -> None:
    with pytest.raises(UnknownNameError, match="cvar"):
        solve_with_fallback(day(), "cvr")
    with pytest.raises(InvalidInputError, match="what admm solves: distributed"):
        solve_with_fallback(day(), ADMMDistributedPlugin())
    with pytest.raises(UnknownNameError, match="engine type"):
        create_optimization_engine("best")
    with pytest.raises(InvalidInputError, match="timeout_ms"):
        solve_with_fallback(day(), timeout_ms=0.0)


@pytest.mark.parametrize("kind", ["standard", "production", "research"])
def test_every_engine_comes_with_fallbacks(kind: str) -> None:
    engine = create_optimization_engine(kind)
    assert len(engine.get_plugin_info()["fallbacks"]) == 3
    assert ("genetic_algorithm" in engine.names("stochastic")) == (kind == "research")


def test_methods_are_compared_each_by_itself() -> None:
    figures = benchmark_optimization_methods(day(), num_runs=2)
    assert set(figures) == {"cvar", "mpc", "rules", "genetic_algorithm"}
    assert figures["cvar"]["avg_objective"] == pytest.approx(-230.13, abs=0.005)
    assert figures["cvar"]["avg_objective"] <= figures["rules"]["avg_objective"]
    for one in figures.values():
        assert one["min_solve_time"] <= one["avg_solve_time"] <= one["max_solve_time"]
        assert one["success_rate"] == 1.0
    with pytest.raises(UnknownNameError):
        benchmark_optimization_methods(day(), ["simplex"])
