"""One house and its heat pump in plain numbers: for a single house several times as fast as arrays.

Invariant: the answer is that of ``heat_pump_load`` for the same house, to rounding.
"""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
from numpy.typing import ArrayLike

from vpp.core.errors import InvalidInputError
from vpp.simulation.load.house import SWITCHES, HeatPumpLoad, House


def one_heat_pump(
    house: House,
    *,
    rated_kw: float,
    outdoor_c: ArrayLike,
    cop: ArrayLike,
    duration_h: float,
    initial_c: float,
    low_c: float,
    high_c: float,
) -> HeatPumpLoad:
    """Return the load of one heat pump on its thermostat; columns have the shape (T, 1).

    Parameters
    ----------
    house : House
        One house.
    rated_kw : float
        Electrical power while running, 0 or more.
    outdoor_c, cop : array, shape (T,)
        Outdoor temperature, and heat per electricity (above 0), held over each step.
    duration_h : float
        Length of a step, above 0.
    initial_c : float
        Indoor temperature at the start; the pump rests.
    low_c, high_c : float
        Band of the thermostat.
    """
    if not (rated_kw >= 0.0 and high_c > low_c and duration_h > 0.0):
        given = {"rated_kw": rated_kw, "band": (low_c, high_c), "duration_h": duration_h}
        raise InvalidInputError("heat_pump", given, "a power of 0 or more, a band that rises, a step above 0")
    resistance, time_h = float(np.asarray(house.resistance_k_per_kw)), float(house.time_constant_h)
    whole_step = exp(-duration_h / time_h)
    outdoor, performance = np.asarray(outdoor_c, dtype=np.float64), np.asarray(cop, dtype=np.float64)
    lift_k = (resistance * rated_kw * performance).tolist()
    now, on = float(initial_c), False
    shares, indoor, states = [], [], []
    for outside, lift in zip(outdoor.tolist(), lift_k, strict=True):
        left, ran = duration_h, 0.0
        for _ in range(SWITCHES):
            if now <= low_c:
                on = True
            elif now >= high_c:
                on = False
            steady, target = (outside + lift, high_c) if on else (outside, low_c)
            away, then = now - steady, target - steady
            if away * then > 0.0 and abs(then) < abs(away):
                reach = time_h * log(away / then)
            else:
                reach = 0.0 if away == then else inf
            if reach <= left:
                held, now = reach, target
            else:
                held = left
                now = steady + away * (whole_step if left == duration_h else exp(-left / time_h))
            ran += held if on else 0.0
            left -= held
            if left == 0.0:
                break
        else:
            raise InvalidInputError("duration_h", duration_h, f"shorter: a house switches {SWITCHES} times in one step")
        shares.append(ran)
        indoor.append(now)
        states.append(on)
    load = rated_kw * np.array(shares) / duration_h
    heat, warmth = load * performance, np.array(indoor)
    return HeatPumpLoad(load[:, None], heat[:, None], warmth[:, None], np.array(states, dtype=np.bool_)[:, None])
