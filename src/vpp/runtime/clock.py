"""Clocks: the only readers of time. Live it is the wall, in a replay the wall run fast, in a back-test the data."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from vpp.core.errors import InvalidInputError
from vpp.core.time import require_aware


class WallClock:
    """The real present."""

    def now(self) -> datetime:
        """Return the present, aware UTC."""
        return datetime.now(UTC)

    def sleep_until(self, moment: datetime) -> None:
        """Sleep until the wall clock reaches ``moment``."""
        wait_s = (moment - self.now()).total_seconds()
        if wait_s > 0.0:
            time.sleep(wait_s)


class ReplayClock:
    """The past, running ``speed`` times as fast as the wall.

    Parameters
    ----------
    start : datetime
        Present when the clock is made; aware.
    speed : float
        Seconds of data per second of wall, above 0.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        if not speed > 0.0:
            raise InvalidInputError("speed", speed, "a number above 0, e.g. 1800 for an hour in two seconds")
        self._start = require_aware(start, field="start")
        self._speed = speed
        self._began_s = time.monotonic()

    def now(self) -> datetime:
        """Return the replayed present."""
        return self._start + timedelta(seconds=(time.monotonic() - self._began_s) * self._speed)

    def sleep_until(self, moment: datetime) -> None:
        """Sleep until the replay reaches ``moment``."""
        wait_s = (moment - self.now()).total_seconds() / self._speed
        if wait_s > 0.0:
            time.sleep(wait_s)


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
