"""Occupancy: when people are up and at home, as one waking span per day and one absence on working days."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vpp.simulation.load.day import DAY_BEGINS_H
from vpp.simulation.load.household_settings import HouseholdSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
TRAITS, DAY_DRAWS = 4, 5
"""Standard normals per home, uniforms per home and day that a schedule takes."""
AT_WORK = 0.9
"""Share of weekdays on which somebody who works away from home does so."""


@dataclass(frozen=True, slots=True)
class Schedules:
    """Hours since four in the morning, arrays of shape (D, S); on a day at home leaving and returning coincide."""

    wake_h: Floats
    sleep_h: Floats
    leave_h: Floats
    return_h: Floats


def schedules(
    settings: HouseholdSettings, traits: Floats, uniforms: NDArray[np.float32], weekday: Integers
) -> Schedules:
    """Return the schedules of D days.

    Parameters
    ----------
    settings : HouseholdSettings
        Hours of the population.
    traits : float array, shape (S, 4)
        Standard normal.
    uniforms : float array, shape (D, S, 5)
        In [0, 1).
    weekday : int array, shape (D,)
        0 for Monday to 6.
    """
    routine = settings.routine_h
    # a uniform with the same standard deviation, so that no day is absurd
    stray = (uniforms[..., :4] - np.float32(0.5)) * np.float32(routine * 12.0**0.5)
    own = np.clip(traits[:, :2], -2.0, 2.0) * routine - DAY_BEGINS_H
    wake = settings.wake_hour + own[:, 0] + stray[..., 0]
    sleep = settings.sleep_hour + own[:, 1] + stray[..., 1]
    back = settings.return_hour - DAY_BEGINS_H + own_shift_h(settings, traits) + stray[..., 2]
    leave = settings.leave_hour - DAY_BEGINS_H + stray[..., 3]
    employed = traits[:, 3] < _level(settings.employed_share)
    away = employed & (weekday < 5)[:, None] & (uniforms[..., 4] < AT_WORK)
    return Schedules(wake, np.maximum(sleep, wake), np.where(away, leave, back), back)


def own_shift_h(settings: HouseholdSettings, traits: Floats) -> Floats:
    """Return by how much each home is later in the day than the population, shape (S,)."""
    return np.asarray(np.clip(traits[:, 2], -2.0, 2.0) * settings.routine_h)


def active_at(plan: Schedules, day: Integers, clock_h: Floats, home: Integers | slice) -> Flags:
    """Return whether somebody is up and at home, by day, hours since four, and home."""
    up = (clock_h >= plan.wake_h[day, home]) & (clock_h < plan.sleep_h[day, home])
    out = (clock_h >= plan.leave_h[day, home]) & (clock_h < plan.return_h[day, home])
    return np.asarray(up & ~out)


def _level(share: float) -> float:
    if share <= 0.0:
        return -np.inf
    return np.inf if share >= 1.0 else NormalDist().inv_cdf(share)
