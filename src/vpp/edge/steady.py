"""A clock that a jump of the wall clock does not move: it counts on by itself and follows the wall slowly.

Invariant: between two readings it advances by what a steady counter says, corrected by at most ``_MOST_DRIFT`` of
that. A wall that is far off for longer than ``patience_s`` is believed: then it was this clock that was wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from vpp.core.ports import Clock

_MOST_DRIFT = 0.01
_JUMP_S = 2.0
_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def steady_s() -> float:
    """Return seconds on a counter that no clock setting moves; where the system has one, it counts sleep too."""
    return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)


class SteadyClock:
    """The present by a wall clock that may jump.

    Parameters
    ----------
    wall : Clock
        The wall clock.
    patience_s : float
        How long a wall that jumped must stay where it is to be believed [s], 0 or more.
    counter : callable
        Returns steady seconds.
    """

    def __init__(self, wall: Clock, *, patience_s: float = 900.0, counter: Callable[[], float] = steady_s) -> None:
        self._wall = wall
        self._patience_s = patience_s
        self._counter = counter
        self._lock = threading.Lock()
        self._now = wall.now()
        self._at_s = counter()
        self._off_since_s: float | None = None
        self._off_by_s = 0.0

    @property
    def off_by_s(self) -> float:
        """How far the wall is ahead of this clock [s]; 0 while they agree."""
        return self._off_by_s

    def now(self) -> datetime:
        """Return the present, aware UTC."""
        with self._lock:
            at_s = self._counter()
            passed_s = max(at_s - self._at_s, 0.0)
            self._at_s = at_s
            self._now += timedelta(seconds=passed_s)
            ahead_s = (self._wall.now() - self._now).total_seconds()
            if abs(ahead_s) <= _JUMP_S:
                self._off_since_s, self._off_by_s = None, 0.0
                most_s = passed_s * _MOST_DRIFT
                self._now += timedelta(seconds=min(max(ahead_s, -most_s), most_s))
                return self._now
            # a wall that goes on jumping is not a wall that stayed
            if self._off_since_s is None or abs(ahead_s - self._off_by_s) > _JUMP_S:
                self._off_since_s = at_s
            self._off_by_s = ahead_s
            if at_s - self._off_since_s >= self._patience_s:
                self._now += timedelta(seconds=ahead_s)
                self._off_since_s, self._off_by_s = None, 0.0
            return self._now

    def sleep_until(self, moment: datetime) -> None:
        """Return when this clock has reached ``moment``."""
        wait_s = (moment - self.now()).total_seconds()
        if wait_s > 0.0:
            time.sleep(wait_s)
