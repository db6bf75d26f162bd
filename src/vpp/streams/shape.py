"""Shape: quality rules about how a channel follows the sun, or rests. Each answers one flag per step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vpp.core.assets import Load, SolarArray, WindTurbine
from vpp.core.units import SECONDS_PER_DAY
from vpp.streams.channel import SHORTEST_SHAPE_DAYS, WINDOW_DAYS, Channel, Flags, Floats
from vpp.streams.sun import Sky

NOTHING_AT_NIGHT = 0.02
"""Mean power in the dark over mean power at all: a PV channel gives 0; what consumes by day keeps at least its
standby, lights and refrigerators at night, a tenth and more in shops that close."""
FOLLOWS_SUN = 0.6
"""Correlation with the clear sky: clouds leave a PV channel 0.6 and more over four weeks, working hours with their
flat top and their days off stay below when the first rule holds too."""
POWER_AT_NIGHT = 0.1
"""Mean PV power in the dark over its mean: a tenth is what no stray light, filled gap or clock offset of an hour
brings, and half of what the most day-bound load has."""
SHIFT_STATED_H = 2.0
"""Arrays that face east or west are centred up to 1.5 hours off noon."""
SHIFT_UNSTATED_H = 3.0
"""Another hour off is possible where the place is known only by its time zone."""
CONCENTRATED = 0.5
"""Length of the mean vector of power over the hours of the day, 0 for even and 1 for one moment: PV has 0.8."""
DEAD_LOAD_DAYS = 7
"""A metered consumer draws standby power; a week of exact nothing is a meter that does not count."""
DEAD_GENERATOR_DAYS = WINDOW_DAYS
"""Snow, calm or a repair last days to weeks; four weeks below 2 % of the rating is a dead channel."""
DEAD_OF_RATING = 0.02
SYSTEM_FACTOR = 0.8
"""What cell heat, inverter, cables and dirt leave of the light, the usual performance ratio."""
UNDERSIZED = 0.5
"""Half of what a flat array gives under a clear sky is reached by any orientation but a wall's in some clear hour."""
_FEWEST_DARK = 0.05
_DAYLIGHT_KW_PER_M2 = 0.1

WindowRule = Callable[[Floats, Sky], bool]


def solar_load(channel: Channel) -> Flags:
    """Flag windows in which a load or a turbine gives nothing at night and follows the sun by day."""
    if not isinstance(channel.asset, (Load, WindTurbine)):
        return channel.nothing

    def follows_sun(power_kw: Floats, sky: Sky) -> bool:
        rests = _night_over_mean(power_kw, sky) <= NOTHING_AT_NIGHT
        return rests and bool(np.corrcoef(power_kw, sky.clear)[0, 1] >= FOLLOWS_SUN)

    return _windows_where(channel, follows_sun)


def night_power(channel: Channel) -> Flags:
    """Flag windows in which a PV channel gives power in the dark."""
    if not isinstance(channel.asset, SolarArray):
        return channel.nothing
    return _windows_where(channel, lambda power_kw, sky: _night_over_mean(power_kw, sky) > POWER_AT_NIGHT)


def shifted(channel: Channel) -> Flags:
    """Flag windows in which a PV channel's energy is centred hours off solar noon."""
    if not isinstance(channel.asset, SolarArray) or channel.place is None:
        return channel.nothing
    most_h = SHIFT_STATED_H if channel.place.stated else SHIFT_UNSTATED_H

    def off_noon(power_kw: Floats, sky: Sky) -> bool:
        weight = np.maximum(power_kw, 0.0)
        mean = np.sum(weight * np.exp(1j * sky.hour_angle_rad)) / weight.sum()
        return bool(abs(mean) >= CONCENTRATED and abs(np.angle(mean)) * 12.0 / np.pi > most_h)

    return _windows_where(channel, off_noon)


def dead(channel: Channel) -> Flags:
    """Flag a load without any power for a week, a generator without for four.

    PV is excused while the sun does not rise above a tenth of a clear noon, and needs the place to be known.
    """
    live = np.nan_to_num(np.abs(channel.power_kw), nan=0.0)
    known = np.isfinite(channel.power_kw)
    if isinstance(channel.asset, Load):
        return _rests(live > 0.0, known, channel, days=DEAD_LOAD_DAYS)
    reach_kw = channel.rating_kw if np.isfinite(channel.rating_kw) else channel.scale_kw
    rests = _rests(live > DEAD_OF_RATING * reach_kw, known, channel, days=DEAD_GENERATOR_DAYS)
    if isinstance(channel.asset, WindTurbine):
        return rests
    if isinstance(channel.asset, SolarArray) and channel.sky is not None:
        for window in channel.windows():
            rests[window] &= bool(channel.sky.clear[window].max(initial=0.0) > _DAYLIGHT_KW_PER_M2)
        return rests
    return channel.nothing


def _rests(live: Flags, known: Flags, channel: Channel, *, days: int) -> Flags:
    """Flag the known steps of spells without a live one that last ``days`` days or longer, at least half known."""
    spell = np.cumsum(live)
    length = np.bincount(spell, weights=~live)
    measured = np.bincount(spell, weights=known & ~live)
    long = (length * channel.resolution_s >= days * SECONDS_PER_DAY) & (measured >= 0.5 * length)
    flags: Flags = ~live & known & long[spell]
    return flags


def undersized(channel: Channel) -> Flags:
    """Flag a PV channel that, while alive, never reaches half of what its rating gives under a clear sky."""
    if not isinstance(channel.asset, SolarArray) or channel.sky is None or not np.isfinite(channel.rating_kw):
        return channel.nothing
    alive = np.isfinite(channel.power_kw) & ~dead(channel)
    if alive.sum() * channel.resolution_s < WINDOW_DAYS * SECONDS_PER_DAY:
        return channel.nothing
    reached = float(np.quantile(channel.power_kw[alive], 0.999)) / channel.rating_kw
    offered = SYSTEM_FACTOR * float(np.quantile(channel.sky.clear[alive], 0.999))
    return alive if reached < UNDERSIZED * offered else channel.nothing


def _night_over_mean(power_kw: Floats, sky: Sky) -> float:
    """Return mean power in the dark over mean power; NaN, which no rule takes, where nights are too short to tell."""
    mean = float(power_kw.mean())
    if sky.dark.mean() < _FEWEST_DARK or mean <= 0.0:
        return float("nan")
    return float(power_kw[sky.dark].mean()) / mean


def _windows_where(channel: Channel, rule: WindowRule) -> Flags:
    """Flag the known steps of the windows in which a rule holds.

    A window is judged when it has a week of values and is not at rest, so that its shape is one.
    """
    flags = channel.nothing
    if channel.sky is None:
        return flags
    for window in channel.windows():
        known = np.isfinite(channel.power_kw[window])
        power_kw = channel.power_kw[window][known]
        enough = power_kw.size * channel.resolution_s >= SHORTEST_SHAPE_DAYS * SECONDS_PER_DAY
        if not enough or np.max(power_kw) <= DEAD_OF_RATING * channel.scale_kw:
            continue
        part = channel.sky
        sky = Sky(part.dark[window][known], part.clear[window][known], part.hour_angle_rad[window][known])
        if rule(power_kw, sky):
            flags[window] = known
    return flags
