"""Rolling-origin folds: on which past a model is fitted, and from which later moments it then forecasts.

Invariant: a fold's model is fitted on rows before ``fit_until``; every origin lies at least the gap behind it, and a
forecast made at an origin sees the rows before that origin only. In service a fit is up to a day old; so is it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid, local_clock
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

DECISION = time(18)
"""Local time of the origins: the next day is decided in the evening before."""
LEAST_FIT_DAYS = 7
"""Fewest days a fold's model is fitted on; the folds that would leave less are left out."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One fit and the origins it answers.

    Parameters
    ----------
    fit_until : int
        Rows of the history a model is fitted on.
    origins : tuple of int
        Rows known at each moment of decision, ascending.
    """

    fit_until: int
    origins: tuple[int, ...]


def rolling_folds(
    grid: TimeGrid, timezone: ZoneInfo, *, folds: int = 4, horizon_h: int = 30, gap_h: int = 24
) -> tuple[Fold, ...]:
    """Return the last folds of a history, each a week of daily origins at 18:00 local, oldest first.

    Parameters
    ----------
    grid : TimeGrid
        The history.
    timezone : ZoneInfo
        The plant's zone.
    folds : int
        Most folds, 1 to 52.
    horizon_h : int
        Hours forecast at each origin, 1 to 168; a whole horizon of actuals lies behind each.
    gap_h : int
        Hours between the last row of a fit and the first origin, 0 to 168.

    Raises
    ------
    InvalidInputError
        When a number is outside its range.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> month = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 28 * 24)
    >>> [(fold.fit_until // 24, len(fold.origins)) for fold in rolling_folds(month, ZoneInfo("UTC"), folds=2)]
    [(12, 7), (19, 7)]
    """
    for name, value, least, most in (
        ("folds", folds, 1, 52),
        ("horizon_h", horizon_h, 1, 168),
        ("gap_h", gap_h, 0, 168),
    ):
        if not least <= value <= most:
            raise InvalidInputError(name, value, f"a whole number from {least} to {most}")
    origins: list[int] = []
    latest = grid.end - timedelta(hours=horizon_h)
    day = 0
    while len(origins) < 7 * folds:
        moment = local_clock(latest, timezone, DECISION, days=-day)
        day += 1
        if moment > latest:
            continue
        row = int((moment - grid.start).total_seconds()) // grid.resolution_s
        if row <= 0:
            break
        origins.insert(0, row)
    gap = gap_h * SECONDS_PER_HOUR // grid.resolution_s
    least_rows = LEAST_FIT_DAYS * SECONDS_PER_DAY // grid.resolution_s
    weeks = [tuple(origins[max(0, stop - 7) : stop]) for stop in range(len(origins), 0, -7)][::-1]
    return tuple(Fold(week[0] - gap, week) for week in weeks if week[0] - gap >= least_rows)
