"""The worker: a foreign plug-in runs in a process of its own, which is killed when its time is over.

Invariant: ``solve_in_worker`` returns within the timeout plus a tenth of it (at least 50 ms), whatever runs in it.
"""

from __future__ import annotations

import multiprocessing
import queue
from typing import Any

from vpp.optimization.plugins.plugin import OptimizationPlugin
from vpp.optimization.plugins.problems import Problem
from vpp.optimization.plugins.result import OptimizationResult, OptimizationStatus

SECONDS_PER_MS = 0.001

_task: dict[str, Any] = {}


def solve_in_worker(plugin: OptimizationPlugin, problem: Problem, *, timeout_ms: float) -> OptimizationResult:
    """Return a plug-in's answer, TIMEOUT when it took too long, or FAILED when it raised or died.

    The plug-in and the problem reach the worker by fork, so neither has to be picklable; the answer has.
    """
    answers: queue.Queue[OptimizationResult | BaseException] = queue.Queue()
    pool = multiprocessing.get_context("fork").Pool(1, _prepare, (plugin, problem, timeout_ms))
    try:
        pool.apply_async(_solve, callback=answers.put, error_callback=answers.put)
        answer = answers.get(timeout=timeout_ms * SECONDS_PER_MS)
    except queue.Empty:
        message = f"{plugin.name} gave no answer within {timeout_ms:g} ms"
        return OptimizationResult(
            OptimizationStatus.TIMEOUT, solve_time=timeout_ms * SECONDS_PER_MS, metadata={"message": message}
        )
    finally:
        pool.terminate()
    if isinstance(answer, OptimizationResult):
        return answer
    what = f"{type(answer).__name__}: {answer}" if isinstance(answer, BaseException) else f"answered {answer!r}"
    return OptimizationResult(OptimizationStatus.FAILED, metadata={"message": f"{plugin.name} failed: {what}"})


def _prepare(plugin: OptimizationPlugin, problem: Problem, timeout_ms: float) -> None:
    _task.update(plugin=plugin, problem=problem, timeout_ms=timeout_ms)


def _solve() -> OptimizationResult:
    answer: OptimizationResult = _task["plugin"].solve(_task["problem"], _task["timeout_ms"])
    return answer
