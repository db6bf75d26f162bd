"""What some stores offer beyond the port: roll-ups to bring up to date, and tables for people who ask by SQL."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vpp.core.assets import Plant


@runtime_checkable
class RollingStore(Protocol):
    """A store whose roll-ups want to be brought up to date when there is time."""

    def refresh_rollups(self, *, most: int = ..., before_s: int | None = None) -> int:
        """Bring at most ``most`` hours of series that ended by ``before_s`` up to date; return how many were."""
        ...


@runtime_checkable
class DescribedStore(Protocol):
    """A store that keeps beside the readings what the plant file says of their sources."""

    def describe(self, plant: Plant) -> None:
        """Keep the plant's sources and batteries as they are now."""
        ...
