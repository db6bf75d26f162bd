"""Compilation: loops over thousands of devices go through numba where it is installed, and work without it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., object])


@cache
def compiled(function: Function, signature: str) -> Function | None:
    """Return a function compiled for one signature, None where numba is not installed.

    The work is done here, ahead of the first call: a frequency event must not wait for a compiler. What was compiled
    is kept on disk where a folder can be written.

    Parameters
    ----------
    function : callable
        A plain function over arrays and numbers.
    signature : str
        Numba's type signature, e.g. ``"void(float64, float64[:,::1], float64[::1])"``.
    """
    if find_spec("numba") is None:
        return None
    njit = importlib.import_module("numba").njit
    try:
        return cast(Function, njit(signature, cache=True, nogil=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's can be written
        return cast(Function, njit(signature, nogil=True)(function))
