"""A house as one thermal resistance and one capacity (1R1C), stepped exactly, and its heat pump on a thermostat.

C dT/dt = (outdoor - T) / R + heat + gains. Invariant: heat put in = heat stored + heat lost to the outside, to
rounding, over any step; the thermostat switches at the moment a limit is met, not at the end of a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError

Floats = NDArray[np.float64]
SWITCHES = 64
"""Most switches within one step; a house that needs more has no inertia to speak of at that resolution."""
INDOOR_SUPPLY_C = 40.0


@dataclass(frozen=True, slots=True)
class House:
    """Houses, one number each or arrays of shape (S,).

    Parameters
    ----------
    resistance_k_per_kw : float or array
        Indoor minus outdoor temperature per kW of heat, above 0.
    capacity_kwh_per_k : float or array
        Heat stored per kelvin, above 0.

    Examples
    --------
    >>> house = House(resistance_k_per_kw=2.0, capacity_kwh_per_k=10.0)
    >>> round(float(house.temperature_after(20.0, heat_kw=15.0, outdoor_c=0.0, duration_h=1.0)), 9)
    20.487705755
    """

    resistance_k_per_kw: ArrayLike
    capacity_kwh_per_k: ArrayLike

    def __post_init__(self) -> None:
        """Check every range."""
        for name in ("resistance_k_per_kw", "capacity_kwh_per_k"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if not np.all((value > 0.0) & np.isfinite(value)):
                raise InvalidInputError(f"house.{name}", getattr(self, name), "finite, above 0")

    @property
    def time_constant_h(self) -> Floats:
        """Hours in which a difference falls to 1/e of itself."""
        return np.asarray(np.asarray(self.resistance_k_per_kw) * np.asarray(self.capacity_kwh_per_k))

    def steady_c(self, *, heat_kw: ArrayLike, outdoor_c: ArrayLike) -> Floats:
        """Return the temperature [C] that a heat held for good leads to."""
        return np.asarray(np.asarray(outdoor_c) + np.asarray(self.resistance_k_per_kw) * np.asarray(heat_kw))

    def temperature_after(
        self, indoor_c: ArrayLike, *, heat_kw: ArrayLike, outdoor_c: ArrayLike, duration_h: ArrayLike
    ) -> Floats:
        """Return the indoor temperature [C] after a heat [kW] (gains included) was held for a time [h]."""
        steady = self.steady_c(heat_kw=heat_kw, outdoor_c=outdoor_c)
        kept = np.exp(-np.asarray(duration_h) / self.time_constant_h)
        return np.asarray(steady + (np.asarray(indoor_c) - steady) * kept)

    def hours_until(
        self, target_c: ArrayLike, indoor_c: ArrayLike, *, heat_kw: ArrayLike, outdoor_c: ArrayLike
    ) -> Floats:
        """Return the time [h] until a temperature is reached; 0 when it is there, infinity when it never comes."""
        steady = self.steady_c(heat_kw=heat_kw, outdoor_c=outdoor_c)
        now, then = np.asarray(indoor_c) - steady, np.asarray(target_c) - steady
        between = (now * then > 0.0) & (np.abs(then) < np.abs(now))
        ratio = np.divide(now, then, out=np.ones(np.broadcast(now, then).shape), where=between)
        hours = self.time_constant_h * np.log(ratio)
        return np.asarray(np.where(between, hours, np.where(now == then, 0.0, np.inf)))


def cop_of_air_source(outdoor_c: ArrayLike, *, supply_c: ArrayLike = INDOOR_SUPPLY_C) -> Floats:
    """Return the coefficient of performance of an air-source heat pump by its temperature lift.

    The regression 6.81 - 0.121 x + 0.00063 x^2 over lifts x of 15 to 60 K (held beyond them) is from I. Staffell et
    al., Energy Environ. Sci. 5 (2012) 9291, doi:10.1039/c2ee22653g.

    >>> cop_of_air_source([-10.0, 7.0, 20.0]).round(3).tolist()
    [2.335, 3.503, 4.642]
    """
    lift = np.clip(np.asarray(supply_c, dtype=np.float64) - np.asarray(outdoor_c, dtype=np.float64), 15.0, 60.0)
    return np.asarray(6.81 - 0.121 * lift + 0.00063 * lift**2)


@dataclass(frozen=True, slots=True)
class HeatPumpLoad:
    """What S heat pumps did in T steps, arrays of shape (T, S): electricity drawn, indoor temperature at the end."""

    load_kw: Floats
    heat_kw: Floats
    indoor_c: Floats
    running: NDArray[np.bool_]


def heat_pump_load(
    house: House,
    *,
    rated_kw: ArrayLike,
    outdoor_c: ArrayLike,
    cop: ArrayLike,
    duration_h: float,
    initial_c: ArrayLike = 21.0,
    running: ArrayLike = False,
    low_c: ArrayLike = 20.0,
    high_c: ArrayLike = 22.0,
    gains_kw: ArrayLike = 0.0,
) -> HeatPumpLoad:
    """Return the load of heat pumps on thermostats: on at ``low_c``, off at ``high_c``, exact in between.

    Parameters
    ----------
    house : House
        S houses.
    rated_kw : float or array, shape (S,)
        Electrical power while running, 0 or more.
    outdoor_c, cop : array, shape (T, S)
        Outdoor temperature, and heat per electricity (above 0), held over each step.
    duration_h : float
        Length of a step, above 0.
    initial_c, running : array, shape (S,)
        Indoor temperature, and whether the pump runs, at the start.
    low_c, high_c : float or array, shape (S,)
        Band of the thermostat.
    gains_kw : float or array, shape (T, S)
        Heat from people, sun and appliances.

    Raises
    ------
    InvalidInputError
        For a value outside its range.
    """
    outdoor = np.asarray(outdoor_c, dtype=np.float64)
    if outdoor.ndim != 2:
        raise SeriesMismatchError("outdoor_c", outdoor.shape, "two dimensions, steps and houses")
    shape = outdoor.shape
    for name, value, fits in (
        ("rated_kw", rated_kw, np.all(np.asarray(rated_kw) >= 0.0)),
        ("cop", cop, np.all(np.asarray(cop) > 0.0)),
        ("high_c", high_c, np.all(np.asarray(high_c) > np.asarray(low_c))),
        ("duration_h", duration_h, duration_h > 0.0),
    ):
        if not fits:
            raise InvalidInputError(
                name, value, {"rated_kw": "0 or more", "high_c": "above low_c"}.get(name, "above 0")
            )
    performance, gains = np.broadcast_to(cop, shape), np.broadcast_to(gains_kw, shape)
    rated, low, high = (
        np.broadcast_to(np.asarray(row, dtype=np.float64), shape[1:]) for row in (rated_kw, low_c, high_c)
    )
    now = np.broadcast_to(np.asarray(initial_c, dtype=np.float64), shape[1:]).copy()
    on = np.broadcast_to(np.asarray(running, dtype=np.bool_), shape[1:]).copy()
    load, heat, indoor, states = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.bool_)
    for step in range(shape[0]):
        left, ran = np.full(shape[1:], duration_h), np.zeros(shape[1:])
        for _ in range(SWITCHES):
            on = np.where(now <= low, True, np.where(now >= high, False, on))
            warmth = np.where(on, rated * performance[step], 0.0) + gains[step]
            target = np.where(on, high, low)
            reach = house.hours_until(target, now, heat_kw=warmth, outdoor_c=outdoor[step])
            held = np.minimum(reach, left)
            after = house.temperature_after(now, heat_kw=warmth, outdoor_c=outdoor[step], duration_h=held)
            # exactly on the limit, so that the thermostat sees it
            now = np.where(reach <= left, target, after)
            ran += np.where(on, held, 0.0)
            left = left - held
            if not left.any():
                break
        else:
            raise InvalidInputError("duration_h", duration_h, f"shorter: a house switches {SWITCHES} times in one step")
        load[step] = rated * ran / duration_h
        heat[step] = load[step] * performance[step]
        indoor[step], states[step] = now, on
    return HeatPumpLoad(load, heat, indoor, states)
