"""The physical battery's loop compiled by numba; the only module here that imports it.

What is compiled is the very source of the plain functions, with their callees replaced by compiled ones. Compiled code
is kept on disk under a name that holds a checksum of every source, so a change in one module never meets stale code
made from another.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any
from zlib import crc32

from vpp.simulation.battery import circuit, counting, steps, wear
from vpp.simulation.battery.ageing import naumann, power_law, schmalstieg

# by name, so that type checking does not depend on whether numba is installed
_numba: Any = import_module("numba")
_SOURCES = (power_law, naumann, schmalstieg, circuit, counting, wear, steps)


def _checksum() -> int:
    total = 0
    for path in (__file__, *(str(module.__file__) for module in _SOURCES)):
        total = crc32(Path(path).read_bytes(), total)
    return total


def _compiled_loop() -> Any:
    """Return the loop compiled on its first call; modules and the functions in them come callees first."""
    suffix, ready = f"{_checksum():08x}", dict[Any, Any]()
    for module in _SOURCES:
        own = [f for f in vars(module).values() if isinstance(f, FunctionType) and f.__module__ == module.__name__]
        for function in sorted(own, key=lambda f: (f is steps.run_steps, f.__code__.co_firstlineno)):
            names = {name: ready.get(value, value) for name, value in _functions(vars(module)).items()}
            bound = FunctionType(function.__code__, vars(module) | names, function.__name__, function.__defaults__)
            bound.__module__, bound.__qualname__ = module.__name__, f"{function.__name__}_{suffix}"
            ready[function] = _numba.njit(cache=True, nogil=True, error_model="numpy")(bound)
    return ready[steps.run_steps]


def _functions(names: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in names.items() if isinstance(value, FunctionType)}


run_steps = _compiled_loop()
