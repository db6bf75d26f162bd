"""Drivers: how a gateway reads what devices measure and tells them what to do, whatever protocol they speak.

A driver calls its devices and waits no longer than its timeouts; the gateway gives every driver a thread of its own.
Powers cross this line in the house's sign, positive toward the grid; what a device speaks is turned inside the driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from vpp.core.errors import VppError
from vpp.core.messages import Readings


class DriverError(VppError, RuntimeError):
    """A device did not answer, answered what cannot be, or refused.

    Parameters
    ----------
    device : str
        Which one, as the settings call it.
    what : str
        The register, topic or message that was asked for.
    why : str
        Fault, value and remedy in words.
    """

    def __init__(self, device: str, what: str, why: str) -> None:
        self.device = device
        self.what = what
        self.why = why
        super().__init__(f"{device}: {what}: {why}")


@dataclass(frozen=True, slots=True)
class DriverHealth:
    """How a driver's devices are.

    Parameters
    ----------
    healthy : bool
        True when the last exchange with every device went well.
    message : str
        What is wrong and since when, or what there is to know; empty when there is nothing to say.
    errors : int
        Failed exchanges since the driver was opened.
    """

    healthy: bool
    message: str = ""
    errors: int = 0


@runtime_checkable
class Driver(Protocol):
    """Devices behind one protocol. All methods but ``asset_ids`` are called from one thread, the driver's own."""

    asset_ids: tuple[str, ...]
    """Assets it reads or steers; those that obey are named by ``controllable``."""
    controllable: tuple[str, ...]
    """Assets among them that take a set-point."""

    def open(self) -> None:
        """Connect; raises ``DriverError`` when that fails, and may be called again later."""
        ...

    def poll(self, now: datetime) -> Readings | None:
        """Return what was measured and not yet reported, None when there is nothing new.

        Raises
        ------
        DriverError
            When a device did not answer in time or answered what cannot be.
        """
        ...

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Set the terminal power of an asset [kW, positive toward the grid]; for a generator, a cap on it.

        Returns when the device has taken it.

        Raises
        ------
        DriverError
            When the device did not take it.
        """
        ...

    def health(self) -> DriverHealth:
        """Return how the devices are, without asking them."""
        ...

    def close(self) -> None:
        """Disconnect; twice does no harm."""
        ...
