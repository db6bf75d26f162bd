"""The engine: the plug-in that was asked for runs, and what happens when it cannot is told.

INFEASIBLE and UNBOUNDED are final: another method cannot change what the problem is. FAILED and TIMEOUT start the
fallbacks in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from vpp.core.errors import InvalidInputError, UnknownNameError, VppError
from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import Problem
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus
from vpp.optimization.plugins.worker import solve_in_worker

DEFAULT_TIMEOUT_MS = 5000.0
_FINAL = frozenset({OptimizationStatus.SUCCESS, OptimizationStatus.INFEASIBLE, OptimizationStatus.UNBOUNDED})


@dataclass(slots=True)
class _Record:
    """What a plug-in has done so far."""

    solves: int = 0
    answered: int = 0
    spent_s: float = 0.0


class OptimizationEngine:
    """Plug-ins by name, which of them is active, and who answers when it cannot.

    Parameters
    ----------
    plugins : iterable of OptimizationPlugin
        Registered in their order; the first that solves a kind of problem is the default for it.
    fallbacks : iterable of OptimizationPlugin
        Tried in their order.
    """

    def __init__(
        self, plugins: Iterable[OptimizationPlugin] = (), fallbacks: Iterable[OptimizationPlugin] = ()
    ) -> None:
        self._plugins: dict[str, OptimizationPlugin] = {}
        self._fallbacks: list[OptimizationPlugin] = []
        self._active: str | None = None
        self._records: dict[str, _Record] = {}
        self._refused: dict[str, str] = {}
        for plugin in plugins:
            self.register_plugin(plugin)
        for plugin in fallbacks:
            self.register_fallback(plugin)

    def register_plugin(self, plugin: OptimizationPlugin) -> None:
        """Initialize a plug-in and make it known by its name.

        Raises
        ------
        InvalidInputError
            When the name is taken or the plug-in cannot be initialized.
        """
        if plugin.name in self._plugins:
            raise InvalidInputError("plugin.name", plugin.name, "a name that no other plug-in has")
        self._initialize(plugin)
        self._plugins[plugin.name] = plugin

    def refuse(self, name: str, why: str) -> None:
        """Remember that a plug-in was asked for and stays out, and why, in words."""
        self._refused[name] = why

    def register_fallback(self, plugin: OptimizationPlugin) -> None:
        """Initialize a plug-in and let it answer, after those before it, when the one asked for cannot."""
        if plugin is not self._plugins.get(plugin.name):
            self._initialize(plugin)
        self._fallbacks.append(plugin)

    def set_active_plugin(self, name: str | None) -> None:
        """Let this plug-in solve what no other is named for; None returns to the default of each kind."""
        if name is not None:
            self._named(name)
        self._active = name

    def solve(
        self,
        problem: Problem,
        timeout_ms: float = DEFAULT_TIMEOUT_MS,
        plugin: str | OptimizationPlugin | None = None,
        *,
        fallback: bool = True,
    ) -> OptimizationResult:
        """Return an answer from the plug-in asked for, or from a fallback, and say which.

        Parameters
        ----------
        problem : StochasticCase, RealtimeCase or DistributedCase
            What to solve.
        timeout_ms : float
            For each plug-in that is tried, above 0.
        plugin : str or OptimizationPlugin, optional
            Who shall solve it; by default the active plug-in, else the default of the problem's kind.
        fallback : bool
            False to get the plug-in's own answer only.

        Raises
        ------
        UnknownNameError
            When no plug-in has that name.
        InvalidInputError
            When the plug-in does not solve this kind of problem.
        """
        if not timeout_ms > 0.0:
            raise InvalidInputError("timeout_ms", timeout_ms, "above 0 [ms]")
        chosen = self._chosen(problem, plugin)
        result = self._run(chosen, problem, timeout_ms)
        if result.status in _FINAL or not fallback:
            return result
        for other in self._fallbacks:
            if other is chosen or problem.kind not in other.kinds or not other.is_available():
                continue
            answer = self._run(other, problem, timeout_ms)
            if answer.status in _FINAL:
                return _by_fallback(answer, chosen.name, result, other.name)
            result = replace(
                result,
                status=OptimizationStatus.FAILED,
                metadata={
                    **result.metadata,
                    "primary_status": result.status,
                    other.name: answer.metadata.get("message"),
                },
            )
        return result

    def get_performance_stats(self) -> dict[str, dict[str, float]]:
        """Return per plug-in how often it was asked, how often it answered, and its mean time [s]."""
        return {
            name: {
                "solves": record.solves,
                "success_rate": record.answered / record.solves,
                "avg_solve_time": record.spent_s / record.solves,
            }
            for name, record in self._records.items()
            if record.solves
        }

    def get_plugin_info(self) -> dict[str, Any]:
        """Return what is registered, what is active, the order of the fallbacks, and who was refused and why."""
        return {
            "plugins": {name: plugin.get_metadata() for name, plugin in self._plugins.items()},
            "active": self._active,
            "fallbacks": [plugin.name for plugin in self._fallbacks],
            "refused": dict(self._refused),
        }

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the plug-ins that solve a kind of problem and are available."""
        return tuple(name for name, one in self._plugins.items() if kind in one.kinds and one.is_available())

    def _initialize(self, plugin: OptimizationPlugin) -> None:
        if not plugin.initialize():
            raise InvalidInputError("plugin", plugin.name, "a plug-in whose initialize() returns True")

    def _named(self, name: str) -> OptimizationPlugin:
        if name not in self._plugins:
            raise UnknownNameError("optimization method", name, self._plugins)
        return self._plugins[name]

    def _chosen(self, problem: Problem, plugin: str | OptimizationPlugin | None) -> OptimizationPlugin:
        asked = plugin if plugin is not None else self._active
        if isinstance(asked, str):
            asked = self._named(asked)
        if asked is None:
            asked = next((one for one in self._plugins.values() if problem.kind in one.kinds), None)
        if asked is None:
            raise UnknownNameError("plug-in for problems of kind", problem.kind, self._plugins)
        if not asked.validate_problem(problem):
            kinds = ", ".join(asked.kinds) or "no kind"
            raise InvalidInputError("problem.kind", problem.kind, f"what {asked.name} solves: {kinds}")
        return asked

    def _run(self, plugin: OptimizationPlugin, problem: Problem, timeout_ms: float) -> OptimizationResult:
        began_s = perf_counter()
        if not plugin.is_available():
            result = OptimizationResult(
                OptimizationStatus.FAILED, metadata={"message": f"{plugin.name} is not available here"}
            )
        elif plugin.bounded_time:
            result = _inline(plugin, problem, timeout_ms)
        else:
            result = solve_in_worker(plugin, problem, timeout_ms=timeout_ms)
        record = self._records.setdefault(plugin.name, _Record())
        record.solves += 1
        record.answered += result.answered
        record.spent_s += perf_counter() - began_s
        return result


def _inline(plugin: OptimizationPlugin, problem: Problem, timeout_ms: float) -> OptimizationResult:
    try:
        return plugin.solve(problem, timeout_ms)
    except (VppError, ValueError, ArithmeticError, LookupError) as fault:
        return OptimizationResult(OptimizationStatus.FAILED, metadata={"message": f"{plugin.name} failed: {fault}"})


def _by_fallback(answer: OptimizationResult, asked: str, first: OptimizationResult, name: str) -> OptimizationResult:
    """Return a fallback's answer, saying what failed before it; an infeasible problem stays INFEASIBLE."""
    facts = {
        **answer.metadata,
        "primary": asked,
        "primary_status": first.status,
        "primary_message": first.metadata.get("message", ""),
        "fallback": name,
    }
    status = OptimizationStatus.FALLBACK_USED if answer.answered else answer.status
    return replace(answer, status=status, fallback_used=True, metadata=facts)
