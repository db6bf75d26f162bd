"""One cell as a Thevenin circuit: voltages, currents, heat, in closed form over a step of constant current.

Current is positive on discharge. Scalars in, scalars out, plain arithmetic: the same source runs as Python and
compiled. What closes exactly, for any step: energy at the terminals = charge times open-circuit voltage (the integral
over the charge moved) - heat of the series resistance - energy put into the RC pair.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAR = 1e-6
"""States of charge closer than this count as one: the mean over less would be rounding noise."""
ROUNDS = 40


class Tables(NamedTuple):
    """What one kind of cell looks up, on equal spacing of the state of charge from 0 to 1.

    Parameters
    ----------
    ocv_v, area_v, entropy_v_per_k : float arrays, shape (P,)
        Open-circuit voltage, its integral from 0, and its change with temperature.
    resistance_ohm : float array, shape (P, K)
        Series resistance when new, by temperature.
    temperature_k : float array, shape (K,)
        Ascending.
    rc_ohm, rc_tau_s : float
        The RC pair.
    capacity_as : float
        Charge of the new cell [ampere-seconds].
    voltage_min_v, voltage_max_v : float
        Limits at the terminals.
    heat_j_per_k, cooling_w_per_k : float
        Heat stored and shed.
    law : int
        Which ageing law, see ``wear``.
    """

    ocv_v: Floats
    area_v: Floats
    entropy_v_per_k: Floats
    resistance_ohm: Floats
    temperature_k: Floats
    rc_ohm: float
    rc_tau_s: float
    capacity_as: float
    voltage_min_v: float
    voltage_max_v: float
    heat_j_per_k: float
    cooling_w_per_k: float
    law: int


def looked_up(column: Floats, soc: float) -> float:
    """Return a column's value at a state of charge (0-1), linear between its points."""
    at = soc * (column.size - 1)
    left = min(int(at), column.size - 2)
    return float(column[left] + (at - left) * (column[left + 1] - column[left]))


def area(tables: Tables, soc: float) -> float:
    """Return the integral of the open-circuit voltage from 0 to a state of charge [V]; exact for its lines."""
    cells = tables.ocv_v.size - 1
    left = min(int(soc * cells), cells - 1)
    over = soc - left / cells
    slope = (tables.ocv_v[left + 1] - tables.ocv_v[left]) * cells
    return float(tables.area_v[left] + over * (tables.ocv_v[left] + 0.5 * slope * over))


def series_resistance(tables: Tables, soc: float, temperature_k: float) -> float:
    """Return the series resistance [ohm] of the new cell; held beyond the coldest and warmest column."""
    warm = tables.temperature_k
    last = warm.size - 1
    column = 0
    while column < last - 1 and temperature_k > warm[column + 1]:
        column += 1
    share = (temperature_k - warm[column]) / (warm[column + 1] - warm[column])
    share = min(max(share, 0.0), 1.0)
    at = soc * (tables.resistance_ohm.shape[0] - 1)
    row = min(int(at), tables.resistance_ohm.shape[0] - 2)
    low = tables.resistance_ohm[row, column] * (1.0 - share) + tables.resistance_ohm[row, column + 1] * share
    high = tables.resistance_ohm[row + 1, column] * (1.0 - share) + tables.resistance_ohm[row + 1, column + 1] * share
    return float(low + (at - row) * (high - low))


def current_at_power(power_w: float, emf_v: float, ohm: float) -> float:
    """Return the current [A] that gives a power behind a resistance; the most it can give where that is less.

    The root of ``power = current * (emf - current * ohm)`` that is 0 at power 0, without cancellation.
    """
    inside = emf_v * emf_v - 4.0 * ohm * power_w
    if inside <= 0.0:
        return emf_v / (2.0 * ohm)
    return 2.0 * power_w / (emf_v + sqrt(inside))


def mean_emf(tables: Tables, before: float, after: float) -> float:
    """Return the mean open-circuit voltage [V] on the way between two states of charge."""
    if abs(before - after) < NEAR:
        return looked_up(tables.ocv_v, 0.5 * (before + after))
    return (area(tables, before) - area(tables, after)) / (before - after)


def relaxed(value: float, target: float, decay: float) -> float:
    """Return a value after an exponential approach to its target; ``decay`` is exp(-time / time constant)."""
    return target + (value - target) * decay


def current_for(tables: Tables, ohm: float, state: tuple[float, float, float], step: tuple[float, float]) -> float:
    """Return the constant current [A] whose mean power over a step is what was asked for.

    Parameters
    ----------
    ohm : float
        Series resistance.
    state : tuple of float
        State of charge, voltage of the RC pair [V], capacity today [As].
    step : tuple of float
        Power at the cell's terminals [W] and length [s].
    """
    soc, rc_v, capacity_as = state
    power_w, seconds = step
    kept = tables.rc_tau_s / seconds * (1.0 - exp(-seconds / tables.rc_tau_s))
    all_ohm = ohm + tables.rc_ohm * (1.0 - kept)
    emf = looked_up(tables.ocv_v, soc)
    current = 0.0
    for _ in range(ROUNDS):
        current = current_at_power(power_w, emf - rc_v * kept, all_ohm)
        after = min(max(soc - current * seconds / capacity_as, 0.0), 1.0)
        found = mean_emf(tables, soc, after)
        if abs(found - emf) < 1e-13 * emf:
            break
        emf = found
    return current


def end_voltage(tables: Tables, ohm: float, state: tuple[float, float, float], current: float, seconds: float) -> float:
    """Return the terminal voltage [V] at the end of a step of constant current."""
    soc, rc_v, capacity_as = state
    after = min(max(soc - current * seconds / capacity_as, 0.0), 1.0)
    pair = relaxed(rc_v, current * tables.rc_ohm, exp(-seconds / tables.rc_tau_s))
    return looked_up(tables.ocv_v, after) - current * ohm - pair


def within_voltage(
    tables: Tables, ohm: float, state: tuple[float, float, float], current: float, seconds: float
) -> float:
    """Return the current nearest to the given one that keeps the terminal voltage in its limits at start and end."""
    limit = tables.voltage_min_v if current > 0.0 else tables.voltage_max_v
    sign = 1.0 if current > 0.0 else -1.0
    emf = looked_up(tables.ocv_v, state[0]) - state[1]
    # at the start the voltage is a line in the current
    most = max(sign * (emf - limit) / ohm, 0.0)
    current = sign * min(abs(current), most)
    if sign * (end_voltage(tables, ohm, state, current, seconds) - limit) >= 0.0:
        return current
    low, high = 0.0, abs(current)
    for _ in range(60):
        middle = 0.5 * (low + high)
        if sign * (end_voltage(tables, ohm, state, sign * middle, seconds) - limit) >= 0.0:
            low = middle
        else:
            high = middle
    return sign * low
