"""One URL chooses the store."""

from __future__ import annotations

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.ports import Store
from vpp.store.memory import MemoryStore
from vpp.store.sqlite import SqliteStore

SCHEMES = ("memory", "sqlite")


def open_store(url: str) -> Store:
    """Open the store that a URL names.

    Parameters
    ----------
    url : str
        ``memory://`` keeps everything in this process. ``sqlite:///plant.db`` is a file beside the working
        directory, ``sqlite:////var/lib/vpp/plant.db`` one with an absolute path.

    Raises
    ------
    UnknownNameError
        When no store has that scheme; ``known`` lists the valid ones.
    InvalidInputError
        When the rest of the URL does not fit the scheme.
    StoreError
        When the file cannot be opened.

    Examples
    --------
    >>> type(open_store("memory://")).__name__
    'MemoryStore'
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in SCHEMES:
        raise UnknownNameError("store URL scheme", scheme, [f"{name}://" for name in SCHEMES])
    if scheme == "memory":
        if rest:
            raise InvalidInputError("store", url, "memory:// and nothing behind it")
        return MemoryStore()
    if not rest.startswith("/") or rest.endswith("/"):
        raise InvalidInputError("store", url, "sqlite:///relative/plant.db or sqlite:////absolute/plant.db")
    return SqliteStore(rest[1:])
