"""Engines: one way to spread independent tasks, in this process, over a pool of processes, or over Ray.

Invariant: at most a few tasks more than workers are alive at once, so that memory does not grow with their number;
after the deadline nothing is begun, what still runs is stopped, and what was done has been handed over.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.extras import require

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
ENGINES = ("pool", "ray", "serial")
WAITING = 1
"""Tasks made ready beyond those that run."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker per core: more threads in each would only wait for one another."""


class Engine(Protocol):
    """Runs a function over tasks."""

    def map(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], *, until: float | None = None
    ) -> Iterator[ResultT]:
        """Yield results as they come, in any order; none after ``until`` [s of ``time.monotonic``]."""
        ...


@dataclass(frozen=True, slots=True)
class SerialEngine:
    """One task after the other in this process; a task that runs at the deadline is finished."""

    def map(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], *, until: float | None = None
    ) -> Iterator[ResultT]:
        """Yield results in the order of the tasks."""
        for task in tasks:
            if _left(until) == 0.0:
                return
            yield function(task)


@dataclass(frozen=True, slots=True)
class PoolEngine:
    """A pool of processes on this machine.

    Parameters
    ----------
    workers : int
        Processes, 1 or more.
    """

    workers: int

    def map(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], *, until: float | None = None
    ) -> Iterator[ResultT]:
        """Yield results as they come; the pool lives as long as the iteration."""
        before = set(multiprocessing.active_children())
        # Spawned, not forked: a fork would inherit the threads of the numerical libraries in the middle of their work.
        pool = ProcessPoolExecutor(
            self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent
        )
        finished = False
        try:
            with _environment(ONE_THREAD):
                waiting = iter(tasks)
                running: set[Future[ResultT]] = set()
                while True:
                    while len(running) < self.workers + WAITING and _left(until) != 0.0:
                        task = next(waiting, None)
                        if task is None:
                            break
                        running.add(pool.submit(function, task))
                    if not running:
                        finished = True
                        return
                    done, running = wait(running, timeout=_left(until), return_when=FIRST_COMPLETED)
                    for one in done:
                        yield one.result()
                    if not done and _left(until) == 0.0:
                        return
        finally:
            pool.shutdown(wait=finished, cancel_futures=True)
            if not finished:
                for process in set(multiprocessing.active_children()) - before:
                    process.terminate()


@dataclass(frozen=True, slots=True)
class RayEngine:
    """A Ray cluster: the one that ``address`` names, or one of this machine's own loopback.

    Parameters
    ----------
    workers : int
        Tasks at once; CPUs of a local cluster.
    address : str
        Of a running cluster; ``local`` starts one and stops it afterwards.
    """

    workers: int
    address: str = "local"

    def map(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], *, until: float | None = None
    ) -> Iterator[ResultT]:
        """Yield results as they come.

        Raises
        ------
        MissingExtraError
            When Ray is not installed.
        """
        ray: Any = require("ray", extra="ray")
        local: dict[str, Any] = {}
        if self.address == "local":
            local = {"num_cpus": self.workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        with _environment(ONE_THREAD | {"RAY_USAGE_STATS_ENABLED": "0"}):
            started = not ray.is_initialized()
            if started:
                ray.init(address=self.address, log_to_driver=False, logging_level="ERROR", **local)
            running: list[Any] = []
            try:
                remote = ray.remote(_call)
                waiting = iter(tasks)
                while True:
                    while len(running) < self.workers + WAITING and _left(until) != 0.0:
                        task = next(waiting, None)
                        if task is None:
                            break
                        running.append(remote.remote(function, task))
                    if not running:
                        return
                    done, running = ray.wait(running, num_returns=1, timeout=_left(until))
                    for one in done:
                        yield ray.get(one)
                    if not done and _left(until) == 0.0:
                        return
            finally:
                for one in running:
                    ray.cancel(one, force=True)
                if started:
                    ray.shutdown()


def engine_of(name: str, *, workers: int | None = None) -> Engine:
    """Return the engine of a name.

    Parameters
    ----------
    name : {"pool", "ray", "serial"}
        Which.
    workers : int, optional
        1 or more; by default one per core. With one worker the pool is this process.

    Raises
    ------
    UnknownNameError
        When there is no such engine.
    InvalidInputError
        When ``workers`` is below 1.
    """
    if name not in ENGINES:
        raise UnknownNameError("training engine", name, ENGINES)
    count = os.cpu_count() or 1 if workers is None else workers
    if count < 1:
        raise InvalidInputError("workers", count, "1 or more processes")
    if name == "ray":
        return RayEngine(count)
    return SerialEngine() if name == "serial" else PoolEngine(count)


def _call(function: Callable[[TaskT], ResultT], task: TaskT) -> ResultT:
    return function(task)


def _end_with_parent() -> None:
    """End this worker when its parent is gone: one that was killed cannot tell, and its pool would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait_for_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_end, name="end-with-parent", daemon=True).start()


class _environment:  # noqa: N801, used as a function
    """Variables that the processes begun meanwhile inherit."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _left(until: float | None) -> float | None:
    """Return the seconds left, None for no deadline."""
    return None if until is None else max(0.0, until - time.monotonic())
