"""Seasonal naive: what was measured at the same time one season ago.

Invariant: looks up, never computes; where the season ago is unknown it takes the latest known same time of day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY
from vpp.forecasting.models.member import extended
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.repair import carry_days

Floats = NDArray[np.float64]
HOURS_PER_DAY = 24
CARRY_DAYS = 9


class SeasonalNaive:
    """Repeats the last season.

    Parameters
    ----------
    season_h : int
        Length of the season [h], whole days: 24 or 168.
    """

    def __init__(self, season_h: int) -> None:
        if season_h < HOURS_PER_DAY or season_h % HOURS_PER_DAY:
            raise InvalidInputError("season_h", season_h, "whole days in hours, e.g. 24 or 168")
        self.name = f"seasonal_naive_{season_h}h"
        self._season_days = season_h // HOURS_PER_DAY

    def fit(self, history: SeriesTable) -> None:
        """Learn nothing: the history handed to ``predict`` is the model."""

    def predict(self, history: SeriesTable, steps: int, *, ahead: Floats | None = None) -> Floats:
        """Return the values one season before, shape (steps, K); NaN at times of day never seen."""
        day = SECONDS_PER_DAY // history.grid.resolution_s
        tail = history.value[-max(CARRY_DAYS, self._season_days) * day :]
        series = extended(tail, steps, ahead)
        now = len(tail)
        latest = carry_days(series, day)
        if self._season_days > 1:
            season = self._season_days * day
            for start in range(now, now + steps, season):
                stop = min(start + season, now + steps)
                if stop - season < 0:
                    continue
                first = max(start, season)
                before = series[first - season : stop - season]
                # Only what was not known ahead is taken from the season before.
                open_ = np.isnan(series[first:stop])
                latest[first:stop] = np.where(open_ & np.isfinite(before), before, latest[first:stop])
                series[first:stop] = latest[first:stop]
        return latest[now:]


def day(context: ModelContext) -> SeasonalNaive:  # noqa: ARG001 - the door gives every model the same
    """Return the model of yesterday."""
    return SeasonalNaive(24)


def week(context: ModelContext) -> SeasonalNaive:  # noqa: ARG001 - the door gives every model the same
    """Return the model of last week."""
    return SeasonalNaive(168)
