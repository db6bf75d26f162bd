"""Cadence: the same thing again and again, on any clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from vpp.core.errors import VppError
from vpp.core.ports import Clock
from vpp.core.time import floor_time


def repeat(
    action: Callable[[datetime], None],
    clock: Clock,
    every_s: int,
    *,
    until: datetime | None = None,
    on_fault: Callable[[VppError], None],
) -> None:
    """Act now and then at every whole multiple of a cadence that the clock reaches.

    A round that takes longer than the cadence skips those it missed; one that fails is told and the next is tried.

    Parameters
    ----------
    action : callable
        Told the moment.
    clock : Clock
        The present.
    every_s : int
        Cadence [s], 1 or more.
    until : datetime, optional
        No round begins after it; without, it never ends.
    on_fault : callable
        Told what a round failed by.

    Examples
    --------
    >>> from vpp.core.time import from_epoch_s
    >>> from vpp.runtime.clock import DataClock
    >>> rounds = []
    >>> repeat(rounds.append, DataClock(from_epoch_s(100)), 60, until=from_epoch_s(240), on_fault=print)
    >>> [int(moment.timestamp()) for moment in rounds]
    [100, 120, 180, 240]
    """
    moment = clock.now()
    while until is None or moment <= until:
        try:
            action(moment)
        except VppError as fault:
            on_fault(fault)
        following = floor_time(moment, every_s) + timedelta(seconds=every_s)
        moment = max(following, floor_time(clock.now(), every_s))
        if until is None or moment <= until:
            clock.sleep_until(moment)
