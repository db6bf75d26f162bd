"""The household's day: it begins at four in the morning, when almost everybody sleeps, and not at midnight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
HOURS = 24.0
DAY_BEGINS_H = 4.0


@dataclass(frozen=True, slots=True)
class Days:
    """A grid's steps in local days that begin at four.

    Parameters
    ----------
    clock_h : float array, shape (T,)
        Hours since the day began, at the middle of each step.
    day : int array, shape (T,)
        Which day, from 0.
    begins_h : float array, shape (D,)
        Start of each day, in hours from the grid's start; the first is 0 or less.
    weekday : int array, shape (D,)
        0 for Monday to 6.
    """

    clock_h: Floats
    day: Integers
    begins_h: Floats
    weekday: Integers

    @classmethod
    def of(cls, hour_of_day: ArrayLike, weekday: ArrayLike, *, duration_h: float) -> Days:
        """Return the days of local hours (0 to 24) and weekdays at the starts of the steps, shape (T,).

        Raises
        ------
        InvalidInputError
            When an hour or a weekday is out of range, or the step is not above 0 and at most an hour.
        SeriesMismatchError
            When they do not share their length.
        """
        hours, weekdays = np.asarray(hour_of_day, dtype=np.float64), np.asarray(weekday, dtype=np.int64)
        if hours.ndim != 1 or hours.shape != weekdays.shape or not hours.size:
            raise SeriesMismatchError("weekday", weekdays.shape, f"one per hour of day, {hours.shape}, at least one")
        if not ((hours >= 0.0) & (hours < HOURS)).all():
            raise InvalidInputError("hour_of_day", (hours.min(), hours.max()), "local hours from 0 to below 24")
        if not ((weekdays >= 0) & (weekdays <= 6)).all():
            raise InvalidInputError("weekday", (weekdays.min(), weekdays.max()), "0 (Monday) to 6")
        if not 0.0 < duration_h <= 1.0:
            raise InvalidInputError("duration_h", duration_h, "above 0 to 1 [h]")
        since = (hours - DAY_BEGINS_H) % HOURS
        first = np.concatenate(([True], since[1:] < since[:-1]))
        # an autumn clock change repeats an hour: a day does not begin anew within itself
        first[1:] &= since[:-1] - since[1:] > HOURS / 2.0
        at = np.flatnonzero(first)
        # before four the calendar already shows the next day
        began_on = np.where(hours[at] < DAY_BEGINS_H, weekdays[at] - 1, weekdays[at]) % 7
        return cls(
            (since + 0.5 * duration_h) % HOURS,
            np.cumsum(first) - 1,
            at * duration_h - since[at],
            began_on,
        )
