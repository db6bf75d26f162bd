"""The physical battery's loop: every battery through every step, limits first, then charge, heat and ageing.

Plain arithmetic on arrays: the same source runs as Python and compiled (see ``backend``). All energies are those of
one cell [J]; positive power and current discharge.
"""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

from vpp.simulation.battery.circuit import (
    Tables,
    area,
    current_for,
    looked_up,
    relaxed,
    series_resistance,
    within_voltage,
)
from vpp.simulation.battery.wear import (
    CALENDAR_GAIN,
    CALENDAR_LOSS,
    CYCLE_GAIN,
    CYCLE_LOSS,
    MOVED_AS,
    NO_LAW,
    RC_V,
    SOC,
    TEMPERATURE_K,
    TRIPPED,
    age_by_time,
    follow,
)

Floats = NDArray[np.float64]
LONGEST_S = 900.0
"""Longer steps are cut: resistance and temperature are taken as constant in between."""
LEAST_CAPACITY = 0.05
"""Share of the capacity that ageing leaves at the least; the laws are no guide so far beyond the end of life."""

SOC_MIN, SOC_MAX, CHARGE_A, DISCHARGE_A = range(4)
COLD_TRIP_K, COLD_DERATE_K, HOT_DERATE_K, HOT_TRIP_K = range(4, 8)
UNIT_COLUMNS = 8
"""Columns of one battery's limits."""

FREE, CURRENT, TEMPERATURE, CHARGE, VOLTAGE, TRIP = range(6)
"""What bound a step, the strongest last."""

TERMINAL_J, HEAT_J, FADE_J, STORED_J, SOC_END, TERMINAL_V, CELL_K, LIMIT = range(8)
CYCLES, HEALTH, GROWTH = range(8, 11)
RESULTS = 11
"""Rows of what comes out of a step."""


def run_steps(
    tables: Tables,
    units: Floats,
    states: Floats,
    stacks: Floats,
    request_w: Floats,
    ambient_k: Floats,
    seconds: float,
    out: Floats,
) -> None:
    """Advance A batteries by T steps.

    Parameters
    ----------
    tables : Tables
        The kind of cell.
    units : float array, shape (A, UNIT_COLUMNS)
        Limits of each battery.
    states, stacks : float arrays, shapes (A, STATE_COLUMNS) and (A, DEPTH, COLUMNS)
        Changed in place.
    request_w : float array, shape (T, A)
        Power wanted from one cell.
    ambient_k : float array, shape (T, A)
        Temperature around the battery.
    seconds : float
        Length of a step.
    out : float array, shape (RESULTS, T, A)
        Filled.
    """
    pieces = max(1, int(np.ceil(seconds / LONGEST_S)))
    cycle = np.empty(4)
    for step in range(request_w.shape[0]):
        for unit in range(request_w.shape[1]):
            state, stack, found = states[unit], stacks[unit], out[:, step, unit]
            found[:] = 0.0
            for _ in range(pieces):
                one_step(
                    tables,
                    units[unit],
                    state,
                    (stack, cycle),
                    (request_w[step, unit], ambient_k[step, unit], seconds / pieces),
                    found,
                )


def temperature_share(unit: Floats, kelvin: float) -> float:
    """Return the share of the current (0-1) that the temperature leaves: a ramp from derating down to tripping."""
    cold = (kelvin - unit[COLD_TRIP_K]) / (unit[COLD_DERATE_K] - unit[COLD_TRIP_K])
    hot = (unit[HOT_TRIP_K] - kelvin) / (unit[HOT_TRIP_K] - unit[HOT_DERATE_K])
    return float(min(max(min(cold, hot), 0.0), 1.0))


def allowed(
    tables: Tables, unit: Floats, state: Floats, electrical: tuple[float, float], step: tuple[float, float]
) -> tuple[float, int]:
    """Return the current [A] after every limit, and which limit bound it.

    Parameters
    ----------
    electrical : tuple of float
        Series resistance [ohm] and capacity [As] today.
    step : tuple of float
        Power wanted [W] and length [s].
    """
    ohm, capacity_as = electrical
    power_w, seconds = step
    share = temperature_share(unit, state[TEMPERATURE_K])
    # a trip holds until the temperature is back where nothing is derated
    state[TRIPPED] = 1.0 if share <= 0.0 or (state[TRIPPED] > 0.0 and share < 1.0) else 0.0
    if state[TRIPPED] > 0.0:
        return 0.0, TRIP
    if power_w == 0.0:
        return 0.0, FREE
    before = (state[SOC], state[RC_V], capacity_as)
    current, limit = current_for(tables, ohm, before, (power_w, seconds)), FREE
    rated = unit[DISCHARGE_A] if current > 0.0 else unit[CHARGE_A]
    sign, size = (1.0, current) if current > 0.0 else (-1.0, -current)
    if size > rated * share:
        size, limit = rated * share, TEMPERATURE if share < 1.0 else CURRENT
    room = state[SOC] - unit[SOC_MIN] if current > 0.0 else unit[SOC_MAX] - state[SOC]
    most = max(room, 0.0) * capacity_as / seconds
    if size > most:
        size, limit = most, CHARGE
    held = within_voltage(tables, ohm, before, sign * size, seconds)
    return (held, VOLTAGE) if abs(held) < size else (held, limit)


def one_step(
    tables: Tables,
    unit: Floats,
    state: Floats,
    room: tuple[Floats, Floats],
    asked: tuple[float, float, float],
    found: Floats,
) -> None:
    """Advance one battery by one piece of a step and add what happened to ``found``.

    ``asked``: power wanted [W], ambient temperature [K], length [s]; ``room`` as in ``wear.follow``.
    """
    power_w, ambient_k, seconds = asked
    health = max(1.0 - state[CALENDAR_LOSS] - state[CYCLE_LOSS], LEAST_CAPACITY)
    growth = 1.0 + state[CALENDAR_GAIN] + state[CYCLE_GAIN]
    capacity_as = tables.capacity_as * health
    before = state[SOC]
    ohm = series_resistance(tables, before, state[TEMPERATURE_K]) * growth
    current, limit = allowed(tables, unit, state, (ohm, capacity_as), (power_w, seconds))

    after = before - current * seconds / capacity_as
    # a step that ends on a limit must not overshoot it by rounding
    if current > 0.0:
        after = max(after, min(unit[SOC_MIN], before))
    elif current < 0.0:
        after = min(after, max(unit[SOC_MAX], before))
    chemical_j = capacity_as * (area(tables, before) - area(tables, after))
    decay = exp(-seconds / tables.rc_tau_s)
    steady_v, rc_before = current * tables.rc_ohm, state[RC_V]
    rc_after = relaxed(rc_before, steady_v, decay)
    pair_j = current * (steady_v * seconds + (rc_before - steady_v) * tables.rc_tau_s * (1.0 - decay))
    farad = tables.rc_tau_s / tables.rc_ohm
    series_j = current * current * ohm * seconds
    heat_j = series_j + pair_j - 0.5 * farad * (rc_after * rc_after - rc_before * rc_before)
    terminal_j = chemical_j - series_j - pair_j
    ocv = looked_up(tables.ocv_v, after)
    terminal_v = ocv - current * ohm - rc_after

    entropic_w = -current * state[TEMPERATURE_K] * looked_up(tables.entropy_v_per_k, 0.5 * (before + after))
    steady_k = ambient_k + (heat_j / seconds + entropic_w) / tables.cooling_w_per_k
    cooling = exp(-seconds * tables.cooling_w_per_k / tables.heat_j_per_k)
    state[TEMPERATURE_K] = relaxed(state[TEMPERATURE_K], steady_k, cooling)
    state[RC_V] = rc_after
    state[MOVED_AS] += abs(current) * seconds
    if tables.law != NO_LAW:
        follow(state, room, tables.law, tables.capacity_as, (after, current, terminal_v, seconds))
    state[SOC] = after
    if tables.law != NO_LAW:
        age_by_time(state, tables.law, ocv, seconds)
    aged = max(1.0 - state[CALENDAR_LOSS] - state[CYCLE_LOSS], LEAST_CAPACITY)
    # capacity that is lost takes its share of the charge with it: the state of charge stays where it is
    content_v = area(tables, after)
    found[TERMINAL_J] += terminal_j
    found[HEAT_J] += heat_j
    found[FADE_J] += tables.capacity_as * (health - aged) * content_v
    found[STORED_J] = tables.capacity_as * aged * content_v + 0.5 * farad * rc_after * rc_after
    found[SOC_END], found[TERMINAL_V], found[CELL_K] = after, terminal_v, state[TEMPERATURE_K]
    found[LIMIT] = max(found[LIMIT], float(limit))
    found[CYCLES] = 0.5 * state[MOVED_AS] / tables.capacity_as
    found[HEALTH], found[GROWTH] = aged, 1.0 + state[CALENDAR_GAIN] + state[CYCLE_GAIN]
