"""Levels: quality rules about the size of single values and runs of them. Each answers one flag per step."""

from __future__ import annotations

from math import isfinite

import numpy as np

from vpp.core.assets import Battery, Load, SolarArray, WindTurbine
from vpp.core.units import SECONDS_PER_HOUR
from vpp.streams.channel import WINDOW_DAYS, Channel, Flags, Floats
from vpp.streams.scale import RANGE_TOLERANCE, slipped_cells, standby_of_rating, whole_column_slipped

STUCK_H = 6.0
"""Weather and people change within hours: a mean power that repeats to its last digit for six is not measured."""
IDLE_OF_SCALE = 0.01
"""Below a hundredth of what the channel reaches it rests, and resting is constant."""
PLATEAU_OF_SCALE = 0.98
"""A turbine at its rating or an inverter at its limit is constant too, at the top of its range."""
FEWEST_DIGITS = 10
"""A value of fewer than ten of the meter's smallest steps is too coarse to show that it lives."""
TOO_SMALL_OF_RATING = 1.0 / 200.0
"""Whoever states a rating comes within a factor of 200 of it in four weeks; a slip to MW is a factor of 1000."""
SPIKE_OF_OWN = 5.0
"""A channel's own peaks stay within 3.1 times its 99th percentile on 86 clean channels, most within 2; five times it
for an hour and then as before is no device."""
SPIKE_H = 1.0
_FEWEST_FOR_SPIKE = 100
MOST_MISSING = 0.1
"""More than a tenth missing is no stray outage of the link."""


def out_of_range(channel: Channel) -> Flags:
    """Flag values above the rating by more than meters err, short of a slipped unit."""
    flags: Flags = (np.abs(channel.power_kw) > RANGE_TOLERANCE * channel.rating_kw) & ~unit_slips(channel)
    return flags


def spikes(channel: Channel) -> Flags:
    """Flag lone values, an hour at most, far above what the channel reaches otherwise, short of a slipped unit."""
    size_kw = np.nan_to_num(np.abs(channel.power_kw), nan=0.0)
    busy = size_kw[size_kw > 0.0]
    if busy.size < _FEWEST_FOR_SPIKE:
        return channel.nothing
    high: Flags = size_kw > SPIKE_OF_OWN * float(np.quantile(busy, 0.99))
    run = np.cumsum(np.diff(high, prepend=False) & high)
    length = np.bincount(run, weights=high)
    longest = max(1.0, SPIKE_H * SECONDS_PER_HOUR / channel.resolution_s)
    flags: Flags = high & (length[run] <= longest) & ~unit_slips(channel) & ~out_of_range(channel)
    return flags


def unit_slips(channel: Channel) -> Flags:
    """Flag values that are about 1000 times too large, or the whole channel."""
    size_kw = np.abs(channel.power_kw)
    if whole_column_slipped(size_kw, channel.bound_kw):
        known: Flags = np.isfinite(size_kw)
        return known
    return slipped_cells(size_kw, channel.rating_kw)


def too_small(channel: Channel) -> Flags:
    """Flag a load or generator that, over four weeks and more, stays orders below its stated rating."""
    judged = isinstance(channel.asset, (Load, SolarArray, WindTurbine)) and channel.span_days >= WINDOW_DAYS
    if judged and isfinite(channel.rating_kw) and 0.0 < channel.scale_kw < TOO_SMALL_OF_RATING * channel.rating_kw:
        known: Flags = np.isfinite(channel.power_kw)
        return known
    return channel.nothing


def is_reversed(channel: Channel) -> Flags:
    """Flag negative values of what has one direction, beyond standby draw and the meter's offset."""
    if isinstance(channel.asset, Battery):
        return channel.nothing
    reach_kw = channel.rating_kw if isfinite(channel.rating_kw) else channel.scale_kw
    flags: Flags = channel.power_kw < -standby_of_rating(channel.asset) * reach_kw
    return flags


def stuck(channel: Channel) -> Flags:
    """Flag runs of one repeated value, ``STUCK_H`` hours or longer, that are neither rest nor a plateau.

    Batteries, chargers and machines are exempt: they are driven, and may hold a set-point for hours.
    """
    if not isinstance(channel.asset, (Load, SolarArray, WindTurbine)):
        return channel.nothing
    power_kw = channel.power_kw
    alive_kw = max(IDLE_OF_SCALE * channel.scale_kw, FEWEST_DIGITS * _smallest_step_kw(power_kw))
    candidate = np.abs(power_kw) > alive_kw
    if not isinstance(channel.asset, Load):
        candidate &= power_kw < PLATEAU_OF_SCALE * channel.scale_kw
    return _long_runs(power_kw, candidate, STUCK_H * SECONDS_PER_HOUR / channel.resolution_s)


def _smallest_step_kw(power_kw: Floats) -> float:
    """Return the smallest difference between two values that occur: the meter's last digit."""
    values = np.unique(power_kw[np.isfinite(power_kw)])
    return float(np.diff(values).min()) if values.size > 1 else 0.0


def _long_runs(power_kw: Floats, candidate: Flags, fewest: float) -> Flags:
    """Flag the members of runs of equal neighbouring candidates with ``fewest`` members or more."""
    same = candidate[1:] & candidate[:-1] & (power_kw[1:] == power_kw[:-1])
    run = np.concatenate(([0], np.cumsum(~same)))
    length = np.bincount(run)
    flags: Flags = candidate & (length[run] >= max(fewest, 2.0))
    return flags


def gaps(channel: Channel) -> Flags:
    """Flag the missing steps between a channel's first and last value when they are more than a tenth."""
    known = np.flatnonzero(np.isfinite(channel.power_kw))
    flags = channel.nothing
    if known.size and 1.0 - known.size / (known[-1] - known[0] + 1) > MOST_MISSING:
        flags[known[0] : known[-1]] = np.isnan(channel.power_kw[known[0] : known[-1]])
    return flags
