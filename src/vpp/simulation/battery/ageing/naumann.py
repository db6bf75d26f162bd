"""Ageing of a lithium iron phosphate cell (Sony/Murata US26650, 3 Ah) after Naumann et al.

Calendar: M. Naumann et al., J. Energy Storage 17 (2018) 153, doi:10.1016/j.est.2018.01.019. Cycles: M. Naumann,
F. Spingler and A. Jossen, J. Power Sources 451 (2020) 227666, doi:10.1016/j.jpowsour.2019.227666. Losses are shares of
the capacity when new, gains shares of the resistance when new.
"""

from __future__ import annotations

from math import exp

CALENDAR_EXPONENT, CYCLE_EXPONENT = 0.5, 0.5
GAS_CONSTANT_J_PER_MOL_K, REFERENCE_K = 8.314462618, 298.15


def loss_by_time(temperature_k: float, soc: float) -> float:
    """Return k of the calendar loss ``k * seconds ** 0.5``, at a state of charge (0-1)."""
    warmth = exp(-17126.0 / GAS_CONSTANT_J_PER_MOL_K * (1.0 / temperature_k - 1.0 / REFERENCE_K))
    return float(1.2571e-5 * warmth * (2.8575 * (soc - 0.5) ** 3 + 0.60225))


def loss_by_cycles(c_rate: float, depth: float) -> float:
    """Return k of the cycle loss ``k * cycles ** 0.5`` in full equivalent cycles, of a depth (0-1) at a rate [1/h]."""
    return float(0.01 * (0.0630 * c_rate + 0.0971) * (4.0253 * (depth - 0.6) ** 3 + 1.0923))


def gain_by_time(temperature_k: float, soc: float) -> float:
    """Return k of the resistance gained with time, ``k * seconds``."""
    warmth = exp(-71827.0 / GAS_CONSTANT_J_PER_MOL_K * (1.0 / temperature_k - 1.0 / REFERENCE_K))
    return float(3.4194e-10 * warmth * (-3.3903 * (soc - 0.5) ** 2 + 1.5604))


def gain_by_cycles(c_rate: float, depth: float) -> float:
    """Return k of the resistance gained with cycles, ``k * cycles``; 0 above the rate where the fit turns negative."""
    return float(0.01 * max(-0.0020 * c_rate + 0.0021, 0.0) * (6.8477 * (depth - 0.5) ** 3 + 0.9182))
