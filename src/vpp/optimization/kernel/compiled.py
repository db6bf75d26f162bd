"""The kernel's functions compiled by numba; the only module that imports it.

What is compiled is the very source of the plain functions, with their callees replaced by compiled ones. Compiled code
is kept on disk under a name that holds a checksum of every source, so a change in one module never meets stale code
made from another.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any
from zlib import crc32

import numpy as np

from vpp.optimization.kernel import price_steps, segments, site_steps

# by name, so that type checking does not depend on whether numba is installed
_numba: Any = import_module("numba")
_SOURCES = (segments, price_steps, site_steps)
# called once per plan or from Python; all others are called per step and cost more to call than to run
_WHOLE = frozenset({"solve", "value", "price_pieces", "trade", "respond", "blend", "settle", "best_site"})
# what makes arrays, or hands one back inside a tuple
_MAKES_ARRAYS = frozenset({"empty", "workspace", "empty_points", "Band"})


def _checksum() -> int:
    total = 0
    for path in (__file__, *(str(module.__file__) for module in _SOURCES)):
        total = crc32(Path(path).read_bytes(), total)
    return total


def _njit(function: FunctionType, *, inline: bool) -> Any:
    """Return a function compiled on its first call."""
    # counting references to arrays costs more than the arithmetic here, so only what makes arrays counts them: callers
    # hold every array for the whole call
    counts = not _MAKES_ARRAYS.isdisjoint(function.__code__.co_names)
    compiler = _numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=inline, _nrt=counts)
    return compiler(function)


def _compile_all() -> dict[str, Any]:
    """Return every kernel function compiled, by name; modules and functions come callees first."""
    suffix, ready = f"{_checksum():08x}", dict[str, Any]()
    for module in _SOURCES:
        for name, function in vars(module).items():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                bound = FunctionType(function.__code__, vars(module) | ready, name, function.__defaults__)
                bound.__module__, bound.__qualname__ = module.__name__, f"{name}_{suffix}"
                ready[name] = _njit(bound, inline=name not in _WHOLE)
    return ready


_FUNCTIONS = _compile_all()
_FLOATS, _DIRECTIONS = np.empty(0), np.empty(0, np.int8)
_UNIT, _BAND = price_steps.Unit(*6 * (0.0,)), segments.Band(*5 * (0.0,), _FLOATS, 0.0)
_PIECES = segments.Pieces(np.empty(0, np.int64), _FLOATS, _FLOATS, _FLOATS)
_FLEET = price_steps.FleetColumns(*10 * (_FLOATS,), np.empty(0, np.int64), _FLOATS)
# one argument list per entry, for its types
_SAMPLES: dict[str, tuple[Any, ...]] = {
    "trade": (
        _UNIT,
        _BAND,
        _FLOATS,
        _DIRECTIONS,
        _PIECES,
        segments.Workspace(_FLOATS, _FLOATS, _FLOATS),
        price_steps.Trades(_FLOATS, _FLOATS, _FLOATS),
    ),
    "price_pieces": (_UNIT, _FLOATS, _DIRECTIONS, _PIECES),
    "value": (_PIECES, _BAND, _FLOATS, _FLOATS),
    "respond": (_FLOATS, _FLEET, 0.0, (0, 0), np.empty((0, 0)), _FLOATS),
    "blend": (_FLOATS, _FLEET, 0.0, (0, 0), _FLOATS, np.empty((0, 0))),
    "best_site": (
        site_steps.Meter(*5 * (_FLOATS,), *3 * (0.0,)),
        _UNIT,
        _BAND,
        _DIRECTIONS,
        site_steps.Answer(*6 * (_FLOATS,)),
    ),
}


def entry(name: str) -> Callable[..., Any]:
    """Return a function compiled for its one set of types, called without looking at them again.

    That look costs more than planning a day of hours; so arguments must be what ``_SAMPLES`` says.
    """
    types = tuple(_numba.typeof(sample) for sample in _SAMPLES[name])
    ready: Callable[..., Any] = _FUNCTIONS[name].compile(types)
    return ready
