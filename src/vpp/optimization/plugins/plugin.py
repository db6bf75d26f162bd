"""The plug-in contract: what every optimizer, ours or an outsider's, must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from vpp.optimization.plugins.problems import Problem
from vpp.optimization.plugins.result import OptimizationResult


class OptimizationPlugin(ABC):
    """An optimizer for some kinds of problem.

    Class data
    ----------
    name : str
        Unique name.
    kinds : tuple of str
        Kinds of problem it solves: ``stochastic``, ``realtime``, ``distributed``.
    bounded_time : bool
        True when ``solve`` keeps its own time limit and may run inside the caller; anything else runs in a worker
        process that is killed when its time is over.
    """

    name: ClassVar[str] = "unnamed"
    kinds: ClassVar[tuple[str, ...]] = ()
    bounded_time: ClassVar[bool] = False

    def initialize(self, config: Mapping[str, Any] | None = None) -> bool:  # noqa: ARG002, a hook with nothing to do
        """Prepare for solving; called once, before the first problem. Return False when it cannot work here."""
        return True

    def is_available(self) -> bool:
        """Return True when everything it needs is installed."""
        return True

    def validate_problem(self, problem: Problem) -> bool:
        """Return True when it can solve this problem."""
        return problem.kind in self.kinds

    @abstractmethod
    def solve(self, problem: Problem, timeout_ms: float = 5000.0) -> OptimizationResult:
        """Return an answer within the time; never raises for a problem that has none."""

    def get_metadata(self) -> dict[str, Any]:
        """Return the name, kinds and facts of the plug-in."""
        return {
            "name": self.name,
            "kinds": list(self.kinds),
            "bounded_time": self.bounded_time,
            "available": self.is_available(),
        }
