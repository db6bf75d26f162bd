"""Problems and plug-ins: plain data in, an honest result out, and outsiders' optimizers by the same door."""

from vpp.optimization.plugins.distributed import ADMMDistributedPlugin
from vpp.optimization.plugins.engine import OptimizationEngine
from vpp.optimization.plugins.horizon import ModelPredictiveControlPlugin
from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import (
    DistributedCase,
    RealtimeCase,
    StochasticCase,
    create_distributed_problem,
    create_realtime_problem,
    create_stochastic_problem,
)
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus
from vpp.optimization.plugins.standard import (
    benchmark_optimization_methods,
    create_optimization_engine,
    solve_with_fallback,
)
from vpp.optimization.plugins.stochastic import CVaRStochasticPlugin, GeneticAlgorithmPlugin

__all__ = [
    "ADMMDistributedPlugin",
    "CVaRStochasticPlugin",
    "DistributedCase",
    "GeneticAlgorithmPlugin",
    "ModelPredictiveControlPlugin",
    "OptimizationEngine",
    "OptimizationPlugin",
    "OptimizationResult",
    "OptimizationStatus",
    "RealtimeCase",
    "StochasticCase",
    "benchmark_optimization_methods",
    "create_distributed_problem",
    "create_optimization_engine",
    "create_realtime_problem",
    "create_stochastic_problem",
    "solve_with_fallback",
]
