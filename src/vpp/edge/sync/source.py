"""Where a sync reads: messages in the order in which they were buffered, each at a position of its own."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from vpp.core.messages import Origin, Readings


class Buffered(NamedTuple):
    """One message of telemetry as it lies in a buffer.

    Parameters
    ----------
    position : int
        Place in the buffer, 1 or more; a later message has a higher one, and none is used twice.
    origin : Origin
        What tells it from every other message; the same on every way it takes.
    readings : Readings
        What it says.
    """

    position: int
    origin: Origin
    readings: Readings


@runtime_checkable
class RowSource(Protocol):
    """Something that holds messages and can be read while it is written."""

    @property
    def identity(self) -> str:
        """What tells this source from another, and a buffer from one that was made anew in its place."""
        ...

    def after(self, position: int, *, most: int) -> list[Buffered]:
        """Return the messages behind ``position``, ascending: about ``most`` readings in all, one message at least."""
        ...

    def span(self) -> tuple[int, int] | None:
        """Return the lowest and the highest position held; None when nothing is."""
        ...
