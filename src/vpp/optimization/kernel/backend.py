"""Which form of the kernel runs: compiled by numba, or the same functions as plain Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from vpp.core.errors import InvalidInputError
from vpp.optimization.kernel import price_steps, segments, site_steps

Backend = Literal["numba", "python"]
BACKENDS: tuple[Backend, ...] = ("numba", "python")


class Functions:
    """The kernel's entries in one form; their arguments are those of the plain functions of the same name.

    Each is compiled, or loaded from disk, when it is first asked for. Arrays must be contiguous and of the stated type:
    compiled entries trust them.
    """

    def __init__(self, name: Backend) -> None:
        self.name: Backend = name

    def _entry(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        if self.name == "python":
            return plain
        entry: Callable[..., Any] = import_module("vpp.optimization.kernel.compiled").entry(plain.__name__)
        return entry

    @cached_property
    def trade(self) -> Callable[..., tuple[float, float]]:
        """``price_steps.trade``."""
        return self._entry(price_steps.trade)

    @cached_property
    def respond(self) -> Callable[..., int]:
        """``price_steps.respond``."""
        return self._entry(price_steps.respond)

    @cached_property
    def blend(self) -> Callable[..., None]:
        """``price_steps.blend``."""
        return self._entry(price_steps.blend)

    @cached_property
    def price_pieces(self) -> Callable[..., None]:
        """``price_steps.price_pieces``."""
        return self._entry(price_steps.price_pieces)

    @cached_property
    def best_site(self) -> Callable[..., tuple[float, float]]:
        """``site_steps.best_site``."""
        return self._entry(site_steps.best_site)

    @cached_property
    def value(self) -> Callable[..., None]:
        """``segments.value``."""
        return self._entry(segments.value)


@cache
def functions(backend: Backend | None = None) -> Functions:
    """Return the kernel's functions; by default compiled where numba is installed, else plain.

    Compiling takes seconds the first time on a machine and is kept on disk; loading what was kept takes about half a
    second per process.

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
    return Functions("numba" if installed and backend != "python" else "python")
