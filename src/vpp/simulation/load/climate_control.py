"""Heating and cooling of homes by the weather: a lag, a band of comfort, a compressor that cycles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpp.simulation.load.household_settings import HouseholdSettings

Floats = NDArray[np.float64]
TRAITS = 4
"""Standard normals per home: cooling, heating, comfort, phase of the compressor."""
COMFORT_SPREAD_K = 1.0


def lagged(temperature_c: Floats, *, inertia_h: float, duration_h: float) -> Floats:
    """Return temperatures after a first-order lag, exact for a temperature held over each step; shape (T, S)."""
    if inertia_h <= 0.0:
        return temperature_c
    kept = float(np.exp(-duration_h / inertia_h))
    slow = np.empty_like(temperature_c)
    now = temperature_c[0]
    for step, outdoor in enumerate(temperature_c):
        now = outdoor + (now - outdoor) * kept
        slow[step] = now
    return slow


def climate_power(
    settings: HouseholdSettings,
    outdoor_c: Floats,
    active: NDArray[np.bool_],
    traits: Floats,
    day_uniform: NDArray[np.float32],
    *,
    duration_h: float,
) -> Floats:
    """Return the mean power [kW] of heating and cooling, shape (T, S).

    Parameters
    ----------
    outdoor_c : float array, shape (T, S) or (T, 1)
        Outdoor temperature, lagged.
    active : bool array, shape (T, S)
        Somebody is up and at home.
    traits : float array, shape (S, 4)
        Standard normal.
    day_uniform : float array, shape (T, S)
        In [0, 1), constant over a day.
    duration_h : float
        Length of a step.
    """
    spread = settings.climate_spread
    own = np.exp(spread * traits[:, :2] - 0.5 * spread**2)
    comfort = COMFORT_SPREAD_K * traits[:, 2]
    wanted = np.maximum(outdoor_c - (settings.cooling_from_c + comfort), 0.0) * (settings.cooling_kw_per_k * own[:, 0])
    if settings.heating_kw_per_k > 0.0:
        cold = np.maximum(settings.heating_below_c + comfort - outdoor_c, 0.0)
        wanted += cold * (settings.heating_kw_per_k * own[:, 1])
    wanted *= 1.0 + settings.day_spread * (2.0 * day_uniform - 1.0)
    wanted *= np.where(active, 1.0, settings.empty_share)
    duty = np.minimum(wanted / settings.climate_rated_kw, 1.0)
    return np.asarray(settings.climate_rated_kw * running_share(duty, traits[:, 3], settings, duration_h))


def running_share(duty: Floats, phase: Floats, settings: HouseholdSettings, duration_h: float) -> Floats:
    """Return the share of every step in which a compressor runs that is on for ``duty`` of each of its cycles."""
    cycles = duration_h / settings.climate_cycle_h
    begins = np.arange(duty.shape[0])[:, None] * cycles + (phase - np.floor(phase))
    begins -= np.floor(begins)
    ends = begins + cycles
    whole = np.floor(ends)
    before = np.minimum(begins, duty)
    after = whole * duty + np.minimum(ends - whole, duty)
    return np.asarray((after - before) / cycles)
