"""Plans: problem -> sparse matrices -> HiGHS, with duals, reasons and honest statuses.

The names below are loaded when first used, so that reading a problem does not load a solver.
"""

from __future__ import annotations

import importlib
from typing import Any

_PLUGINS = "vpp.optimization.plugins"
_LAZY = {
    "ADMMDistributedPlugin": _PLUGINS,
    "CVaRStochasticPlugin": _PLUGINS,
    "GeneticAlgorithmPlugin": _PLUGINS,
    "LinearPlanner": "vpp.optimization.linear",
    "ModelPredictiveControlPlugin": _PLUGINS,
    "OptimizationEngine": _PLUGINS,
    "OptimizationPlugin": _PLUGINS,
    "OptimizationResult": _PLUGINS,
    "OptimizationStatus": _PLUGINS,
    "PlanProblem": "vpp.optimization.problem",
    "benchmark_optimization_methods": _PLUGINS,
    "create_distributed_problem": _PLUGINS,
    "create_optimization_engine": _PLUGINS,
    "create_realtime_problem": _PLUGINS,
    "create_stochastic_problem": _PLUGINS,
    "solve_with_fallback": _PLUGINS,
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    message = f"module 'vpp.optimization' has no attribute {name!r}"
    raise AttributeError(message)
