"""Simulated telemetry as it would arrive: at once, again and again, or on the strokes of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from vpp.core.ports import Clock
from vpp.core.time import floor_time
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.runtime.simulation import PlantSimulation


def resolution_for(interval_s: int) -> int:
    """Return the longest step, a part of a day and at most an hour, that is no longer than an interval.

    >>> resolution_for(5), resolution_for(7), resolution_for(7200)
    (5, 6, 3600)
    """
    return next(step for step in range(min(interval_s, SECONDS_PER_HOUR), 0, -1) if SECONDS_PER_DAY % step == 0)


def stream(
    simulation: PlantSimulation, clock: Clock, *, interval_s: int, aligned: bool, count: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of all sites, over and over.

    Parameters
    ----------
    simulation : PlantSimulation
        What is told.
    clock : Clock
        Whose present it is.
    interval_s : int
        Time between two tellings [s], 1 or more.
    aligned : bool
        True tells on whole multiples of the interval (UTC), False at once and then at that distance.
    count : int, optional
        How often; for ever by default.
    """
    interval = timedelta(seconds=interval_s)
    moment = clock.now()
    if aligned and floor_time(moment, interval_s) != moment:
        moment = floor_time(moment, interval_s) + interval
    told = 0
    while count is None or told < count:
        clock.sleep_until(moment)
        yield simulation.at(moment)
        told += 1
        moment += interval
        # one that fell behind goes on with the present instead of telling the past in a burst
        behind = (clock.now() - moment) // interval
        moment += max(behind, 0) * interval
