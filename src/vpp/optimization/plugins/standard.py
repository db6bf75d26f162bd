"""The engines that come with the house, one call to solve, and a fair comparison of methods."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from time import perf_counter

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.optimization.plugins.distributed import ADMMDistributedPlugin, DistributedRules
from vpp.optimization.plugins.engine import DEFAULT_TIMEOUT_MS, OptimizationEngine
from vpp.optimization.plugins.horizon import ModelPredictiveControlPlugin
from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import Problem
from vpp.optimization.plugins.realtime import RealtimeRules
from vpp.optimization.plugins.result import OptimizationResult
from vpp.optimization.plugins.stochastic import CVaRStochasticPlugin, GeneticAlgorithmPlugin, StochasticRules

ENGINE_TYPES = ("standard", "production", "research")
ENTRY_POINTS = "vpp.optimizers"
RULES = "rules"


def create_optimization_engine(engine_type: str = "standard") -> OptimizationEngine:
    """Return an engine with its plug-ins and fallbacks.

    ``standard`` and ``production`` hold CVaR, receding horizon, ADMM and the rules, which are also the fallbacks;
    ``production`` adds nothing that was not asked for: outsiders' plug-ins stay out. ``standard`` and ``research`` take
    in plug-ins of the entry-point group ``vpp.optimizers``; ``research`` adds the genetic algorithm. One that cannot be
    loaded or registered stays out, and ``get_plugin_info()["refused"]`` says why.

    Raises
    ------
    UnknownNameError
        For any other type.
    """
    if engine_type not in ENGINE_TYPES:
        raise UnknownNameError("engine type", engine_type, ENGINE_TYPES)
    rules: tuple[OptimizationPlugin, ...] = (StochasticRules(), RealtimeRules(), DistributedRules())
    engine = OptimizationEngine(
        (CVaRStochasticPlugin(), ModelPredictiveControlPlugin(), *rules[1:], ADMMDistributedPlugin(), rules[0]), rules
    )
    if engine_type == "research":
        engine.register_plugin(GeneticAlgorithmPlugin())
    if engine_type != "production":
        for point in entry_points(group=ENTRY_POINTS):
            try:
                engine.register_plugin(point.load()())
            except (ImportError, AttributeError, TypeError, InvalidInputError) as fault:
                engine.refuse(point.name, str(fault))
    return engine


@cache
def _engine() -> OptimizationEngine:
    return create_optimization_engine("research")


def solve_with_fallback(
    problem: Problem, plugin: str | OptimizationPlugin | None = None, timeout_ms: float = DEFAULT_TIMEOUT_MS
) -> OptimizationResult:
    """Return an answer from the plug-in asked for, or from the rules when it cannot, and say which.

    Parameters
    ----------
    problem : StochasticCase, RealtimeCase or DistributedCase
        From one of the three factories.
    plugin : str or OptimizationPlugin, optional
        A name (``cvar``, ``mpc``, ``admm``, ``genetic_algorithm``, ``rules``), or a plug-in of your own; by default the
        house's choice for the kind of problem.
    timeout_ms : float
        For each that is tried.
    """
    return _engine().solve(problem, timeout_ms, _name(problem, plugin))


def benchmark_optimization_methods(
    problem: Problem, methods: Sequence[str] | None = None, num_runs: int = 10
) -> dict[str, dict[str, float | None]]:
    """Measure methods on one problem, each by itself, without fallbacks.

    Parameters
    ----------
    problem : StochasticCase, RealtimeCase or DistributedCase
        What to solve.
    methods : sequence of str, optional
        Names; by default every method that solves this kind of problem.
    num_runs : int
        Runs of each, 1 or more.

    Returns
    -------
    dict
        Per method ``avg_solve_time``, ``min_solve_time``, ``max_solve_time`` [s], ``avg_objective`` (None when nothing
        was answered) and ``success_rate``.

    Raises
    ------
    UnknownNameError
        For a method that no plug-in has.
    InvalidInputError
        For a method that does not solve this kind of problem.
    """
    if num_runs < 1:
        raise InvalidInputError("num_runs", num_runs, "1 or more")
    engine = _engine()
    chosen = [_said(problem, name) for name in engine.names(problem.kind)] if methods is None else list(methods)
    return {name: _measured(engine, problem, name, num_runs) for name in chosen}


def _measured(engine: OptimizationEngine, problem: Problem, name: str, runs: int) -> dict[str, float | None]:
    times, objectives, answered = [], [], 0
    for _ in range(runs):
        began_s = perf_counter()
        result = engine.solve(problem, plugin=_name(problem, name), fallback=False)
        times.append(perf_counter() - began_s)
        answered += result.answered
        if result.objective_value is not None:
            objectives.append(result.objective_value)
    return {
        "avg_solve_time": sum(times) / runs,
        "min_solve_time": min(times),
        "max_solve_time": max(times),
        "avg_objective": sum(objectives) / len(objectives) if objectives else None,
        "success_rate": answered / runs,
    }


def _name(problem: Problem, plugin: str | OptimizationPlugin | None) -> str | OptimizationPlugin | None:
    """Return the plug-in's own name: ``rules`` means the rules of the problem's kind."""
    return f"{problem.kind}_{RULES}" if plugin == RULES else plugin


def _said(problem: Problem, name: str) -> str:
    return RULES if name == f"{problem.kind}_{RULES}" else name
