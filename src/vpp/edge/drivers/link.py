"""A link: whether a device answers, how often it did not, and when it may be tried again.

Invariant: after n failures in a row the next try comes no earlier than ``first_s * 2 ** (n - 1)`` later, at most
``most_s``; one success resets this. The wait is measured by the monotonic clock, which no change of the wall clock
moves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.time import epoch_s
from vpp.edge.driver import DriverError, DriverHealth


class Link:
    """State of the line to one device.

    Parameters
    ----------
    device : str
        Its name in the settings.
    first_s, most_s : float
        Shortest and longest wait before another try [s].
    """

    def __init__(self, device: str, *, first_s: float = 1.0, most_s: float = 60.0) -> None:
        if not 0.0 < first_s <= most_s:
            raise InvalidInputError("first_s", first_s, f"above 0 and at most most_s = {most_s} [s]")
        self.device = device
        self._first_s = first_s
        self._most_s = most_s
        self._in_a_row = 0
        self._due = 0.0
        self._errors = 0
        self._fault = ""
        self._remark = ""

    def require_due(self) -> None:
        """Raise ``DriverError`` while it is too early to try again; that refusal is not counted as a failure."""
        wait_s = self._due - time.monotonic()
        if self._in_a_row and wait_s > 0.0:
            raise DriverError(self.device, f"not tried for another {wait_s:.1f} s", self._fault)

    def lost(self, what: str, why: str) -> DriverError:
        """Count a failure that asks for a new connection, and return the error to raise."""
        wait_s = min(self._first_s * 2.0**self._in_a_row, self._most_s)
        self._in_a_row = min(self._in_a_row + 1, 32)
        self._due = time.monotonic() + wait_s
        return self.refused(what, why)

    def refused(self, what: str, why: str) -> DriverError:
        """Count a failure on a connection that lives on, and return the error to raise."""
        self._errors += 1
        self._fault = f"{what}: {why}"
        return DriverError(self.device, what, why)

    def remark(self, text: str) -> None:
        """Count something wrong that does not stop an exchange, such as a value out of its range."""
        self._errors += 1
        self._remark = text

    def answered(self) -> None:
        """Note that an exchange went well."""
        self._in_a_row = 0
        self._fault = ""

    def health(self) -> DriverHealth:
        """Return how the device is."""
        return DriverHealth(not self._fault, self._fault or self._remark, self._errors)


def readings_at(plant: str, now: datetime, values: Mapping[SeriesKey, float]) -> Readings | None:
    """Return values that hold now as readings, None when there are none."""
    if not values:
        return None
    moment = epoch_s(now)
    table = np.array([list(values.values())], dtype=np.float64)
    return Readings.from_table(plant, tuple(values), np.array([moment], dtype=np.int64), table, arrived_s=moment)
