"""What the URL of a store says: which kind, and of a file, where."""

from __future__ import annotations

from pathlib import Path

from vpp.core.errors import InvalidInputError, UnknownNameError

SCHEMES = ("memory", "sqlite", "postgresql")


def store_scheme(url: str) -> str:
    """Return which kind of store a URL names.

    Raises
    ------
    UnknownNameError
        When no store has that scheme; ``known`` lists the valid ones.
    InvalidInputError
        When something stands behind ``memory://``.

    Examples
    --------
    >>> store_scheme("sqlite:///plant.db")
    'sqlite'
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in SCHEMES:
        raise UnknownNameError("store URL scheme", scheme, [f"{name}://" for name in SCHEMES])
    if scheme == "memory" and rest:
        raise InvalidInputError("store", url, "memory:// and nothing behind it")
    return scheme


def sqlite_path(url: str) -> Path:
    """Return the file that a SQLite URL names.

    Raises
    ------
    InvalidInputError
        When it names none.

    Examples
    --------
    >>> sqlite_path("sqlite:////var/lib/vpp/plant.db").as_posix()
    '/var/lib/vpp/plant.db'
    """
    rest = url.partition("://")[2]
    if not rest.startswith("/") or rest.endswith("/"):
        raise InvalidInputError("store", url, "sqlite:///relative/plant.db or sqlite:////absolute/plant.db")
    return Path(rest[1:])
