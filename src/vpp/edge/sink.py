"""A sink at the gateway: a second home of what was measured, beside the buffer that the head-end is served from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vpp.core.messages import Readings


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What a sink made of the readings it was given; the four add up to them.

    Parameters
    ----------
    written : int
        Taken by the server.
    waiting : int
        In the queue or on their way.
    dropped : int
        Lost because the queue was full, or because the sink was closed before they were written.
    rejected : int
        Refused by the server for good.
    """

    written: int
    waiting: int
    dropped: int
    rejected: int


@runtime_checkable
class Sink(Protocol):
    """Takes readings and never keeps the caller waiting."""

    def write(self, readings: Readings) -> None:
        """Take readings; returns at once, and never raises for what its server does."""
        ...

    def counts(self) -> SinkCounts:
        """Return what became of them."""
        ...

    def close(self) -> None:
        """Write what waits, for a bounded time, and let go; twice does no harm."""
        ...
