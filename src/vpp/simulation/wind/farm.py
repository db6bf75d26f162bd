"""Farms: turbines in each other's wakes.

Wakes add up as the root of the sum of their squares, each as a share of the free wind (Katic, Hojstrup and Jensen,
EWEC 1986; IEA Wind Task 37). A turbine's thrust follows from the wind that reaches it.
Invariant: no turbine sees more than the free wind, and one alone sees all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.wind.correction import power_in_air
from vpp.simulation.wind.curve import STANDARD_DENSITY_KG_M3, PowerCurve, thrust_coefficient
from vpp.simulation.wind.wake import GaussianWake, Wake

Floats = NDArray[np.float64]

_STEPS_AT_ONCE = 2048


@dataclass(frozen=True, eq=False, kw_only=True)
class FarmLayout:
    """Where the turbines of one type stand.

    Parameters
    ----------
    east_m, north_m : float arrays, shape (N,)
        Places, no two the same.
    curve : PowerCurve
        Their power curve and rotor.
    thrust : float, array of shape (K,), or None
        Thrust coefficient (0-1): one for every wind speed, or at the curve's own speeds; None derives it from the
        power curve (``thrust_coefficient``).

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When places do not pair up, two turbines share one, or the thrust lies outside 0 to 1.
    """

    east_m: Floats
    north_m: Floats
    curve: PowerCurve
    thrust: ArrayLike | None = None

    def __post_init__(self) -> None:
        """Check that the places are pairs and differ, and the thrust's range."""
        for field in ("east_m", "north_m"):
            object.__setattr__(self, field, np.asarray(getattr(self, field), dtype=np.float64))
        if self.east_m.ndim != 1 or self.east_m.shape != self.north_m.shape or not self.east_m.size:
            raise SeriesMismatchError("north_m", self.north_m.shape, f"the shape of east_m, {self.east_m.shape}")
        if len(set(zip(self.east_m.tolist(), self.north_m.tolist(), strict=True))) != self.east_m.size:
            raise InvalidInputError("east_m, north_m", self.east_m.size, "places that differ from each other")
        given = np.zeros(1) if self.thrust is None else np.asarray(self.thrust, dtype=np.float64)
        if not ((given >= 0.0) & (given < 1.0)).all() or given.size not in (1, self.curve.wind_speed_m_s.size):
            raise InvalidInputError("thrust", self.thrust, "0 to below 1, one or one per speed of the curve")

    @property
    def turbines(self) -> int:
        """Number of turbines, N."""
        return int(self.east_m.size)

    @cached_property
    def thrust_by_speed(self) -> Floats:
        """Thrust coefficient at the speeds of the curve, shape (K,)."""
        if self.thrust is None:
            return thrust_coefficient(self.curve)
        return np.broadcast_to(np.asarray(self.thrust, dtype=np.float64), self.curve.wind_speed_m_s.shape)


@dataclass(frozen=True, slots=True, eq=False)
class FarmYield:
    """What a farm delivers.

    Parameters
    ----------
    power_kw : float array, shape (T, N)
        Power of each turbine, 0 or more.
    wind_speed_m_s : float array, shape (T, N)
        Wind that reaches each.
    free_power_kw : float array, shape (T,)
        Power of the farm without wakes.
    """

    power_kw: Floats
    wind_speed_m_s: Floats
    free_power_kw: Floats

    @property
    def wake_loss(self) -> float:
        """Share of the energy that the wakes cost (0-1); 0 where there is none to lose."""
        free = float(self.free_power_kw.sum())
        return 1.0 - float(self.power_kw.sum()) / free if free > 0.0 else 0.0


def waked_speeds(
    layout: FarmLayout, wind_speed_m_s: ArrayLike, wind_direction_deg: ArrayLike, *, wake: Wake | None = None
) -> Floats:
    """Return the wind speed that reaches each turbine.

    Parameters
    ----------
    layout : FarmLayout
        Where the turbines stand.
    wind_speed_m_s : float array, shape (T,)
        Free wind at hub height, 0 or more.
    wind_direction_deg : float array, shape (T,)
        Where the wind comes from, clockwise from north.
    wake : Wake or None
        ``GaussianWake()`` when None.

    Returns
    -------
    float array, shape (T, N)
        Wind speed [m/s].

    Raises
    ------
    SeriesMismatchError
        When speeds and directions do not pair up.

    Examples
    --------
    >>> from vpp.simulation.wind.curve import generic_power_curve
    >>> pair = FarmLayout(east_m=[0.0, 0.0], north_m=[0.0, 500.0], curve=generic_power_curve(3000.0), thrust=0.8)
    >>> waked_speeds(pair, [10.0, 10.0], [0.0, 90.0]).round(3).tolist()
    [[7.835, 10.0], [10.0, 10.0]]
    """
    speed, direction = (np.atleast_1d(np.asarray(a, dtype=np.float64)) for a in (wind_speed_m_s, wind_direction_deg))
    if speed.ndim != 1 or speed.shape != direction.shape:
        raise SeriesMismatchError("wind_direction_deg", direction.shape, f"the shape of wind_speed_m_s, {speed.shape}")
    answer = np.empty((speed.size, layout.turbines))
    for first in range(0, speed.size, _STEPS_AT_ONCE):  # what is worked on stays in the processor's cache
        part = slice(first, first + _STEPS_AT_ONCE)
        answer[part] = _waked(layout, speed[part], np.radians(direction[part]), wake or GaussianWake())
    return answer


def _waked(layout: FarmLayout, speed: Floats, direction: Floats, wake: Wake) -> Floats:
    """Go through the turbines from the first in the wind to the last; turbines stand along axis 0 here."""
    sine, cosine = np.sin(direction), np.cos(direction)
    downwind = -(layout.east_m[:, None] * sine + layout.north_m[:, None] * cosine)
    crosswind = layout.east_m[:, None] * cosine - layout.north_m[:, None] * sine
    order = np.argsort(downwind, axis=0, kind="stable")
    along, across = np.take_along_axis(downwind, order, axis=0), np.take_along_axis(crosswind, order, axis=0)
    squares = np.zeros_like(along)
    diameter = np.asarray(layout.curve.diameter_m)
    knots, thrusts = layout.curve.wind_speed_m_s, layout.thrust_by_speed
    constant = float(thrusts[0]) if (thrusts == thrusts[0]).all() else None
    for i in range(layout.turbines - 1):
        reached = speed * (1.0 - np.minimum(np.sqrt(squares[i]), 1.0))
        thrust = (
            np.asarray(constant) if constant is not None else np.interp(reached, knots, thrusts, left=0.0, right=0.0)
        )
        missing = wake.deficit(
            along[i + 1 :] - along[i], across[i + 1 :] - across[i], diameter_m=diameter, thrust=thrust
        )
        squares[i + 1 :] += missing**2
    reached = speed * (1.0 - np.minimum(np.sqrt(squares), 1.0))
    answer = np.empty_like(reached)
    np.put_along_axis(answer, order, reached, axis=0)
    return np.ascontiguousarray(answer.T)


def farm_power(
    layout: FarmLayout,
    wind_speed_m_s: ArrayLike,
    wind_direction_deg: ArrayLike,
    *,
    wake: Wake | None = None,
    density_kg_m3: ArrayLike = STANDARD_DENSITY_KG_M3,
    available: ArrayLike = 1.0,
) -> FarmYield:
    """Return the power of a farm over time, its turbines in each other's wakes.

    Parameters
    ----------
    layout, wind_speed_m_s, wind_direction_deg, wake
        As for ``waked_speeds``.
    density_kg_m3 : float or array, shape (T,)
        Density of the air at hub height, above 0.
    available : float or array, shape (T, N)
        Share of each step in which a turbine is in order (0-1). One that stands still is counted as if it still cast
        its wake.

    Returns
    -------
    FarmYield
        Power and wind of each turbine.
    """
    free = np.atleast_1d(np.asarray(wind_speed_m_s, dtype=np.float64))
    density = np.broadcast_to(np.asarray(density_kg_m3, dtype=np.float64), free.shape)
    share = np.broadcast_to(np.asarray(available, dtype=np.float64), (free.size, layout.turbines))
    speeds = waked_speeds(layout, free, wind_direction_deg, wake=wake)
    if (density == STANDARD_DENSITY_KG_M3).all():
        power, alone = layout.curve.power(speeds), layout.curve.power(free)
    else:
        power = power_in_air(layout.curve, speeds, density[:, None])
        alone = power_in_air(layout.curve, free, density)
    return FarmYield(power * share, speeds, (alone[:, None] * share).sum(axis=1))
