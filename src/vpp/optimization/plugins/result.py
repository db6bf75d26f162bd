"""What a plug-in answers: a status that never flatters, and the solution under fixed names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class OptimizationStatus(StrEnum):
    """How an answer came about.

    INFEASIBLE is final: no fallback can help, and ``metadata["least_violation"]`` holds the nearest plan and the
    conflict. FALLBACK_USED: the plug-in asked for failed or timed out, ``metadata["primary_status"]`` says which, and
    a fallback answered. TIMEOUT: nothing answered in time.
    """

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    FALLBACK_USED = "fallback_used"


@dataclass(frozen=True, slots=True)
class OptimizationResult:
    """An answer.

    Parameters
    ----------
    status : OptimizationStatus
        How it came about.
    objective_value : float or None
        Cost of the solution [currency]; None without one.
    solution : mapping of str to object
        The decision, under the names of its kind of problem; empty without one.
    solve_time : float
        Time spent [s].
    iterations : int or None
        Iterations, where the method has them.
    gap : float or None
        Proven relative distance to the best possible cost; None where nothing was proven.
    metadata : mapping of str to object
        Facts about the answer, e.g. ``bound``, ``message``, ``primary_status``, ``least_violation``.
    fallback_used : bool
        True when a fallback answered.
    solver_info : mapping of str to object
        Method and solver.
    """

    status: OptimizationStatus
    objective_value: float | None = None
    solution: Mapping[str, Any] = field(default_factory=dict)
    solve_time: float = 0.0
    iterations: int | None = None
    gap: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    fallback_used: bool = False
    solver_info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """True when there is a solution to act on."""
        return self.status in (OptimizationStatus.SUCCESS, OptimizationStatus.FALLBACK_USED)
