"""Clocks: the only readers of time. Live it is the wall, in a replay the wall run fast, in a back-test the data."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event

from vpp.core.errors import InvalidInputError
from vpp.core.time import require_aware

LONGEST_NAP_S = 60.0
"""A wall clock may be set while someone sleeps by it; it is looked at again at least once a minute."""


class WallClock:
    """The real present.

    Parameters
    ----------
    stopping : Event, optional
        Ends every sleep once it is set.
    """

    def __init__(self, stopping: Event | None = None) -> None:
        self._stopping = stopping or Event()

    def now(self) -> datetime:
        """Return the present, aware UTC."""
        return datetime.now(UTC)

    def sleep_until(self, moment: datetime) -> None:
        """Sleep until the wall clock reaches ``moment``."""
        while (wait_s := (moment - self.now()).total_seconds()) > 0.0:
            if self._stopping.wait(min(wait_s, LONGEST_NAP_S)):
                return


class ReplayClock:
    """The past, running ``speed`` times as fast as the wall.

    Parameters
    ----------
    start : datetime
        Present when the clock is made; aware.
    speed : float
        Seconds of data per second of wall, above 0.
    stopping : Event, optional
        Ends every sleep once it is set.
    """

    def __init__(self, start: datetime, speed: float, stopping: Event | None = None) -> None:
        if not speed > 0.0:
            raise InvalidInputError("speed", speed, "a number above 0, e.g. 1800 for an hour in two seconds")
        self._start = require_aware(start, field="start")
        self._speed = speed
        self._began_s = time.monotonic()
        self._stopping = stopping or Event()

    def now(self) -> datetime:
        """Return the replayed present."""
        return self._start + timedelta(seconds=(time.monotonic() - self._began_s) * self._speed)

    def sleep_until(self, moment: datetime) -> None:
        """Sleep until the replay reaches ``moment``."""
        wait_s = (moment - self.now()).total_seconds() / self._speed
        if wait_s > 0.0:
            self._stopping.wait(wait_s)


class DataClock:
    """The present of a back-test: it is where it was last put, and sleeping moves it."""

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start, field="start")

    def now(self) -> datetime:
        """Return the present of the data."""
        return self._now

    def sleep_until(self, moment: datetime) -> None:
        """Jump to ``moment``."""
        self._now = max(self._now, moment)
