"""Cars of a plant: sessions as the plant file describes them, shaped like those of a usual home."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vpp.core.assets import EvCharger
from vpp.simulation.load import HOME, EvSettings, SessionShape

SHORTEST_STAY_H = 0.5
_DAY_BEGINS_H, _DAY_ENDS_H = 4.0, 28.0


def car_settings(charger: EvCharger, usual: EvSettings = HOME) -> EvSettings:
    """Return the sessions of one charging point.

    What is not stated is as usual at home. A stated hour or energy moves the whole distribution there, and keeps its
    spread; no session needs more than the car's battery holds.
    """
    share = charger.sessions_per_week
    return EvSettings(
        weekday=_shaped(usual.weekday, charger),
        weekend=_shaped(usual.weekend, charger),
        weekday_share=usual.weekday_share if share is None else share / 7.0,
        weekend_share=usual.weekend_share if share is None else share / 7.0,
        max_kw=charger.rated_kw,
        charge_efficiency=charger.charge_efficiency,
    )


def _shaped(usual: SessionShape, charger: EvCharger) -> SessionShape:
    arrival, stay = np.array(usual.arrival_hour), np.array(usual.stay_h)
    energy = np.array(usual.energy_kwh)
    middle = len(arrival) // 2
    leaves = arrival[middle] + stay[middle]
    if charger.arrival_hour is not None:
        arrival = arrival + (_within_day(charger.arrival_hour) - arrival[middle])
    if charger.arrival_hour is not None or charger.departure_hour is not None:
        until = leaves if charger.departure_hour is None else charger.departure_hour
        wanted = (until - arrival[middle]) % 24.0 or 24.0
        stay = stay * (wanted / stay[middle])
    if charger.energy_per_session_kwh is not None:
        energy = energy * (charger.energy_per_session_kwh / _mean(usual.levels, usual.energy_kwh))
    return replace(
        usual,
        arrival_hour=tuple(np.clip(arrival, _DAY_BEGINS_H, _DAY_ENDS_H).tolist()),
        stay_h=tuple(np.maximum(stay, SHORTEST_STAY_H).tolist()),
        energy_kwh=tuple(np.minimum(energy, charger.capacity_kwh).tolist()),
    )


def _within_day(hour: float) -> float:
    """Return a local hour in the household's day, which begins at four."""
    return (hour - _DAY_BEGINS_H) % 24.0 + _DAY_BEGINS_H


def _mean(levels: tuple[float, ...], quantiles: tuple[float, ...]) -> float:
    return float(np.trapezoid(quantiles, levels))
