"""Wear that grows with the depth of discharge, in segments that a linear program can fill.

Rainflow-convex cost after B. Xu et al., "Factoring the cycle aging cost of batteries participating in electricity
markets", IEEE Trans. Power Systems 33 (2018), doi:10.1109/TPWRS.2017.2733339: the capacity is cut into equal segments,
each with its own store and its own price per kWh discharged; the shallow ones are the cheap ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.optimization.flexible import require

Floats = NDArray[np.float64]
STRESS_COEFFICIENT, STRESS_EXPONENT = 5.24e-4, 2.03


@dataclass(frozen=True, slots=True, kw_only=True)
class WearCurve:
    """Price of wear per kWh discharged at the terminals, by depth; takes the place of the battery's flat one.

    Parameters
    ----------
    cost_per_kwh : tuple of float, length J
        Of each segment of capacity / J, shallow first; 0 or more, never falling [currency/kWh].
    """

    cost_per_kwh: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that the curve is convex."""
        if not self.cost_per_kwh:
            raise InvalidInputError("wear_curve.cost_per_kwh", self.cost_per_kwh, "at least one segment")
        before = 0.0
        for segment, cost in enumerate(self.cost_per_kwh):
            require("wear_curve", f"cost_per_kwh[{segment}]", cost, low=before)
            before = cost


def cycle_wear_curve(
    *,
    cell_cost_per_kwh: float,
    discharge_efficiency: float,
    segments: int = 4,
    coefficient: float = STRESS_COEFFICIENT,
    exponent: float = STRESS_EXPONENT,
) -> WearCurve:
    """Return the curve of a cycle stress ``coefficient * depth ** exponent`` (share of life lost per full cycle).

    Parameters
    ----------
    cell_cost_per_kwh : float
        Price of new cells per kWh of capacity, 0 or more.
    discharge_efficiency : float
        One-way, in (0, 1].
    segments : int
        J, 1 or more.
    coefficient, exponent : float
        Of the stress, 0 or more and 1 or more.

    Examples
    --------
    >>> curve = cycle_wear_curve(cell_cost_per_kwh=300.0, discharge_efficiency=0.95)
    >>> [round(cost, 6) for cost in curve.cost_per_kwh]
    [0.039683, 0.122385, 0.207048, 0.292778]
    """
    require("wear_curve", "cell_cost_per_kwh", cell_cost_per_kwh)
    require("wear_curve", "discharge_efficiency", discharge_efficiency, low=1e-3, high=1.0)
    require("wear_curve", "segments", segments, low=1)
    require("wear_curve", "coefficient", coefficient)
    require("wear_curve", "exponent", exponent, low=1.0)
    stress = coefficient * np.linspace(0.0, 1.0, segments + 1) ** exponent
    cost = cell_cost_per_kwh / discharge_efficiency * segments * np.diff(stress)
    return WearCurve(cost_per_kwh=tuple(np.maximum.accumulate(cost).tolist()))


def initial_segments_kwh(energy_kwh: float, capacity_kwh: float, count: int) -> Floats:
    """Return the energy of each segment at the start: the shallow ones are full first, shape (J,)."""
    width = capacity_kwh / count
    return np.clip(energy_kwh - width * np.arange(count), 0.0, width)


def replayed_wear_cost(
    curve: WearCurve, *, capacity_kwh: float, energy_kwh: Floats, discharge_efficiency: float, before_kwh: float
) -> float:
    """Return the wear of a course of stored energy: shallow segments are emptied first and filled first.

    With convex prices this is the least wear that any assignment of the course to segments can have.

    Parameters
    ----------
    curve : WearCurve
        J segments.
    capacity_kwh, discharge_efficiency : float
        Of the battery.
    energy_kwh : float array, shape (T,)
        At the end of each step.
    before_kwh : float
        At the start.
    """
    held = initial_segments_kwh(before_kwh, capacity_kwh, len(curve.cost_per_kwh))
    width, prices, cost = capacity_kwh / held.size, np.array(curve.cost_per_kwh), 0.0
    for change in np.diff(energy_kwh, prepend=before_kwh).tolist():
        room = held if change < 0.0 else width - held
        # what the shallower segments leave over, segment by segment
        moved = np.clip(abs(change) - (np.cumsum(room) - room), 0.0, room)
        if change < 0.0:
            held = held - moved
            cost += discharge_efficiency * float(prices @ moved)
        else:
            held = held + moved
    return cost
