"""How a conformance kit says that a promise was broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vpp.testing.equality import difference


def expect(got: Any, want: Any, promise: str) -> None:
    """Raise when what was given is not exactly what was promised.

    >>> expect([1, 2], [1, 2], "what was kept comes back")
    """
    found = difference(got, want)
    if found is not None:
        raise AssertionError(f"{promise}: {found}")


def refuses(action: Callable[[], object], kind: type[Exception], what: str) -> None:
    """Raise when an action that must be refused is not.

    >>> refuses(lambda: int("a"), ValueError, "a letter for a number")
    """
    try:
        action()
    except kind:
        return
    raise AssertionError(f"{what} must raise {kind.__name__}")
