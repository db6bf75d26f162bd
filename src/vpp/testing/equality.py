"""Exact equality of messages, whose columns are arrays that ``==`` compares one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def difference(got: Any, want: Any, *, path: str = "") -> str | None:
    """Return where two values first differ, or None when they are exactly equal; NaN equals NaN.

    Parameters
    ----------
    got, want : object
        Messages, or what messages are made of.
    path : str
        Name of the value, for the answer.

    Examples
    --------
    >>> difference(np.array([1.0, np.nan]), np.array([1.0, np.nan])) is None
    True
    >>> difference({"a": [1, 2]}, {"a": [1, 3]})
    "['a'][1]: got 2, want 3"
    """
    if isinstance(want, np.ndarray):
        same = isinstance(got, np.ndarray) and got.shape == want.shape and got.dtype.kind == want.dtype.kind
        if same and np.array_equal(got, want, equal_nan=want.dtype.kind == "f"):
            return None
        return f"{path}: got {got!r}, want {want!r}"
    pairs: list[tuple[Any, Any, str]] = []
    if is_dataclass(want) and type(got) is type(want):
        pairs = [(getattr(got, f.name), getattr(want, f.name), f"{path}.{f.name}") for f in fields(want)]
    elif isinstance(want, Mapping) and isinstance(got, Mapping) and set(got) == set(want):
        pairs = [(got[name], want[name], f"{path}[{name!r}]") for name in want]
    elif isinstance(want, list | tuple) and type(got) is type(want) and len(got) == len(want):
        pairs = [(got[i], want[i], f"{path}[{i}]") for i in range(len(want))]
    # NaN is what does not equal itself.
    elif got == want or (got != got and want != want):
        return None
    else:
        return f"{path}: got {got!r}, want {want!r}"
    return next((found for found in (difference(a, b, path=name) for a, b, name in pairs) if found), None)
