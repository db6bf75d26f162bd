"""Which form of the physical battery's loop runs: compiled by numba, or the same functions as plain Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from vpp.core.errors import InvalidInputError
from vpp.simulation.battery import steps

Backend = Literal["numba", "python"]
BACKENDS: tuple[Backend, ...] = ("numba", "python")


@cache
def runner(backend: Backend | None = None) -> Callable[..., None]:
    """Return ``steps.run_steps``; by default compiled where numba is installed (extra ``fast``), else plain.

    Compiling takes seconds the first time on a machine and is kept on disk.

    Raises
    ------
    InvalidInputError
        For a backend that does not exist or is not installed.
    """
    if backend is not None and backend not in BACKENDS:
        raise InvalidInputError("backend", backend, f"one of {', '.join(BACKENDS)}, or None for the fastest installed")
    installed = find_spec("numba") is not None
    if backend == "numba" and not installed:
        raise InvalidInputError("backend", backend, "python or None: numba is not installed")
    if backend == "python" or not installed:
        return steps.run_steps
    compiled: Callable[..., None] = import_module("vpp.simulation.battery.compiled").run_steps
    return compiled
