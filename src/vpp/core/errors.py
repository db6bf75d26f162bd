"""One tree of errors; every message gives the fault, the value and the remedy.

VppError
├── InvalidInputError (ValueError)      a field outside its range
│   ├── NaiveTimeError                  a time without a zone
│   └── SeriesMismatchError             series that do not share a length or a grid
├── UnknownNameError (LookupError)      a name that is not there, with the nearest that are
├── UnreadableFileError (OSError)       a file that cannot be read or parsed
├── MissingExtraError (ImportError)     an optional dependency that is not installed
├── MissingDataError (LookupError)      not enough measurements for what was asked
├── StoreError (RuntimeError)           what was asked to be kept could not be kept
└── ClosedError (RuntimeError)          a bus, store or device used after it was closed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class VppError(Exception):
    """Root of every error this package raises on purpose; crosses process boundaries with its fields."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from message and fields: Python would call ``__init__`` with the message alone."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[VppError], args: tuple[Any, ...], fields: dict[str, Any]) -> VppError:
    error = kind.__new__(kind, *args)
    super(VppError, error).__init__(*args)
    error.__dict__.update(fields)
    return error


class InvalidInputError(VppError, ValueError):
    """A field holds a value outside its range.

    Parameters
    ----------
    field : str
        Path of the field, e.g. ``sites.home01.battery.capacity_kwh``.
    value : object
        What was given.
    expected : str
        The range in words, e.g. ``a positive number [kWh]``.
    """

    def __init__(self, field: str, value: Any, expected: str) -> None:
        self.field = field
        self.value = value
        self.expected = expected
        super().__init__(f"{field}: got {value!r}, expected {expected}")


class NaiveTimeError(InvalidInputError):
    """A time came without a zone."""

    def __init__(self, field: str, value: Any) -> None:
        super().__init__(field, value, "a time with a zone, e.g. 2016-08-01T00:00:00Z")


class SeriesMismatchError(InvalidInputError):
    """Two series that must share a length or a time grid do not."""


class UnknownNameError(VppError, LookupError):
    """A name is not among the known ones; the message lists the nearest.

    Parameters
    ----------
    kind : str
        What was looked up, e.g. ``plant``.
    name : str
        The name that was not found.
    known : iterable of str
        The valid names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        self.nearest = nearest_names(name, self.known)
        hint = ", ".join(self.nearest or self.known[:8]) or "none is defined"
        super().__init__(f"no {kind} called {name!r}; did you mean: {hint}")


class UnreadableFileError(VppError, OSError):
    """A file is missing, unreadable, or not in the format its name says."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}")

    def __str__(self) -> str:
        """Return the message without the errno frame that OSError would add."""
        return f"{self.path}: {self.why}"


class MissingExtraError(VppError, ImportError):
    """A feature needs a package that is not installed; the message says which extra brings it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{package} is not installed; it comes with: pip install 'vpp[{extra}]'")


class MissingDataError(VppError, LookupError):
    """There are not enough measurements to answer."""


class StoreError(VppError, RuntimeError):
    """Something that was to be kept could not be kept; nothing of it was acknowledged."""


class ClosedError(VppError, RuntimeError):
    """A bus, store or device was used after it was closed."""


def nearest_names(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return up to ``most`` known names that look like ``name``, nearest first.

    >>> nearest_names("batery", ["battery", "solar", "load"])
    ('battery',)
    """
    return tuple(difflib.get_close_matches(name, list(known), n=most, cutoff=0.5))
