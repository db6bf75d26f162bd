"""Origins: the moments at which forecasts are made and scored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid, epoch_s
from vpp.forecasting.local_time import LocalClock


def daily_origins(
    grid: TimeGrid, timezone: ZoneInfo, *, local_hour: int, first: datetime, days: int
) -> tuple[int, ...]:
    """Return the rows that start at a local hour on consecutive days, from ``first`` on.

    >>> from datetime import UTC
    >>> grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 72)
    >>> daily_origins(grid, ZoneInfo("Europe/Amsterdam"), local_hour=18, first=grid.start, days=2)
    (17, 41)
    """
    local = LocalClock(timezone).hour_of_day(grid.times_s)
    rows = np.flatnonzero(local == local_hour)
    rows = rows[rows >= grid.index(first)][:days]
    return tuple(int(row) for row in rows)


def last_origins(grid: TimeGrid, timezone: ZoneInfo, *, local_hour: int, steps: int, days: int) -> tuple[int, ...]:
    """Return the rows that start at a local hour on the last days whose whole horizon lies in the grid.

    Parameters
    ----------
    grid : TimeGrid
        The rows.
    timezone : ZoneInfo
        Zone of the local hour.
    local_hour : int
        Hour of decision, 0 to 23.
    steps : int
        Horizon [steps].
    days : int
        How many days at most, 1 or more.

    Examples
    --------
    >>> from datetime import UTC
    >>> grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 96)
    >>> last_origins(grid, ZoneInfo("UTC"), local_hour=18, steps=30, days=2)
    (42, 66)
    """
    if days < 1:
        raise InvalidInputError("days", days, "1 or more")
    local = LocalClock(timezone).hour_of_day(grid.times_s)
    rows = np.flatnonzero(local == local_hour)
    rows = rows[(rows >= 1) & (rows + steps <= grid.count)]
    return tuple(int(row) for row in rows[-days:])


def origins_at(grid: TimeGrid, moments: Iterable[datetime]) -> tuple[int, ...]:
    """Return the rows that start at given moments, ascending, each once.

    Raises
    ------
    InvalidInputError
        When a moment is no step of the grid, or has no row before it.
    """
    rows = set()
    for moment in moments:
        row, rest_s = divmod(epoch_s(moment) - grid.start_s, grid.resolution_s)
        if rest_s or not 1 <= row < grid.count:
            raise InvalidInputError(
                "origins",
                moment.isoformat(),
                f"the start of a step of {grid.resolution_s} s after {grid.start.isoformat()} and before "
                f"{grid.end.isoformat()}",
            )
        rows.add(int(row))
    return tuple(sorted(rows))
