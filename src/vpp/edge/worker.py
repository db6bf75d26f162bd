"""Workers: each driver has a thread of its own, so that a device that hangs delays no other.

Invariant: of several set-points that wait for one asset only the newest is told to the device, and a command that
ended while it waited is not told at all.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vpp.core.errors import VppError
from vpp.core.messages import POWER_KW, Readings
from vpp.core.ports import Clock
from vpp.edge.driver import Driver, DriverError, DriverHealth
from vpp.edge.steady import steady_s
from vpp.edge.steering import Order, Why

log = logging.getLogger(__name__)
_SHORTEST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
_HANGS_S = 30.0


@runtime_checkable
class ReadsBack(Protocol):
    """A driver that can tell at once what an asset does, without a polling."""

    def read_back(self, asset_id: str) -> float:
        """Return the power of an asset now [kW, positive toward the grid]."""
        ...


@dataclass(frozen=True, slots=True)
class Telling:
    """A set-point on its way to a device.

    Parameters
    ----------
    asset_id : str
        Whose.
    power_kw : float
        Set-point [kW].
    why : Why
        What it comes from.
    order : Order or None
        The command it carries out.
    """

    asset_id: str
    power_kw: float
    why: Why
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a set-point.

    Parameters
    ----------
    telling : Telling
        Which one.
    measured_kw : float or None
        What the asset did right after [kW]; None when that is not known.
    fault : str
        Why the device did not take it; empty when it did.
    is_exact : bool
        True when the power was read back for this very set-point.
    """

    telling: Telling
    measured_kw: float | None = None
    fault: str = ""
    is_exact: bool = False


class Worker:
    """Polls one driver at its interval and tells it set-points as they come.

    Parameters
    ----------
    name : str
        What messages call the driver.
    driver : Driver
        Used by this worker's thread alone.
    interval_s : float
        Time between two pollings [s], above 0.
    clock : Clock
        Stamps what is measured.
    on_readings : callable
        Given what was measured.
    on_told : callable
        Given what became of set-points.
    on_superseded : callable
        Given a set-point that a newer one replaced before it was told.
    """

    def __init__(
        self,
        name: str,
        driver: Driver,
        *,
        interval_s: float,
        clock: Clock,
        on_readings: Callable[[Readings], None],
        on_told: Callable[[list[Told]], None],
        on_superseded: Callable[[Telling], None],
    ) -> None:
        self.name = name
        self.driver = driver
        self.interval_s = interval_s
        self._clock = clock
        self._on_readings = on_readings
        self._on_told = on_told
        self._on_superseded = on_superseded
        self._changed = threading.Condition()
        self._waiting: dict[str, Telling] = {}
        self._stopping = False
        self._open = False
        self._failed = 0
        self._fault = "not connected yet"
        self._errors = 0
        self._busy_since_s: float | None = None
        self.polls = 0
        self.readings = 0
        self._thread = threading.Thread(target=self._work, name=f"vpp-edge-{name}", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def tell(self, tellings: list[Telling]) -> None:
        """Tell set-points as soon as the driver is free; returns at once."""
        with self._changed:
            replaced = [self._waiting.pop(one.asset_id) for one in tellings if one.asset_id in self._waiting]
            self._waiting.update((one.asset_id, one) for one in tellings)
            self._changed.notify()
        for one in replaced:
            self._on_superseded(one)

    def health(self) -> DriverHealth:
        """Return how the driver is, one that hangs included."""
        since_s = self._busy_since_s
        if since_s is not None and steady_s() - since_s > _HANGS_S:
            return DriverHealth(False, f"no answer for {steady_s() - since_s:.0f} s", self._errors)
        if self._fault:
            return DriverHealth(False, self._fault, self._errors)
        told = self.driver.health()
        return DriverHealth(told.healthy, told.message, max(told.errors, self._errors))

    def stop(self, *, wait_s: float) -> None:
        """Tell what waits, let go of the devices and end; a driver that hangs is left behind."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(wait_s)

    def _work(self) -> None:
        due_s = steady_s()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping, max(due_s - steady_s(), 0.0))
                tellings, self._waiting = list(self._waiting.values()), {}
                stopping = self._stopping
            self._busy_since_s = steady_s()
            if tellings:
                self._on_told(self._tell_all(tellings))
            if stopping:
                self._close()
                return
            if steady_s() >= due_s:
                self._poll_or_open()
                due_s = self._next_s(due_s)
            self._busy_since_s = None

    def _next_s(self, due_s: float) -> float:
        if not self._open:
            wait_s = min(_SHORTEST_WAIT_S * 2.0 ** min(self._failed, 10), _LONGEST_WAIT_S)
            return steady_s() + wait_s * random.uniform(0.5, 1.0)  # noqa: S311, jitter
        # a polling that took longer than its interval is not made up for
        missed = max((steady_s() - due_s) // self.interval_s, 0.0)
        return due_s + (missed + 1.0) * self.interval_s

    def _poll_or_open(self) -> None:
        if not self._open and not self._try_open():
            return
        self._poll()

    def _try_open(self) -> bool:
        try:
            self.driver.open()
        except (VppError, OSError) as fault:
            self._failed += 1
            self._complain(fault)
            return False
        self._open, self._failed, self._fault = True, 0, ""
        return True

    def _poll(self) -> Readings | None:
        try:
            readings = self.driver.poll(self._clock.now())
        except (VppError, OSError) as fault:
            self._complain(fault)
            return None
        self.polls += 1
        self._fault = ""
        if readings is not None and len(readings):
            self.readings += len(readings)
            self._on_readings(readings)
        return readings

    def _tell_all(self, tellings: list[Telling]) -> list[Told]:
        """Tell set-points one after the other, then find out what they did."""
        now_s = steady_s()
        live = [one for one in tellings if one.order is None or one.order.end_s > now_s]
        done = [self._tell(one) for one in live]
        reads_back = isinstance(self.driver, ReadsBack)
        if reads_back or not any(told.telling.order is not None and not told.fault for told in done):
            return done
        readings = self._poll()
        return done if readings is None else [_with_measured(told, readings) for told in done]

    def _tell(self, telling: Telling) -> Told:
        if not self._open:
            return Told(telling, fault=self._fault)
        try:
            self.driver.apply(telling.asset_id, telling.power_kw)
            if isinstance(self.driver, ReadsBack):
                return Told(telling, self.driver.read_back(telling.asset_id), is_exact=True)
        except (VppError, OSError) as fault:
            self._complain(fault)
            return Told(telling, fault=str(fault))
        return Told(telling)

    def _complain(self, fault: Exception) -> None:
        if str(fault) != self._fault:
            log.warning("driver %s: %s", self.name, fault)
        self._fault = str(fault)
        self._errors += 1

    def _close(self) -> None:
        if self._open:
            try:
                self.driver.close()
            except (DriverError, OSError) as fault:
                log.warning("driver %s: %s", self.name, fault)


def _with_measured(told: Told, readings: Readings) -> Told:
    """Return what became of a set-point with the power that was measured after it."""
    for index in range(len(readings) - 1, -1, -1):
        key = readings.keys[int(readings.series[index])]
        if key.source == told.telling.asset_id and key.metric == POWER_KW:
            return Told(told.telling, float(readings.value[index]), told.fault)
    return told
