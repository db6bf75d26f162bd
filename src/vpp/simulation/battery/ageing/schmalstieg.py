"""Ageing of a nickel manganese cobalt cell (Sanyo UR18650E, 2.05 Ah) after Schmalstieg et al.

J. Schmalstieg, S. Kabitz, M. Ecker and D. U. Sauer, J. Power Sources 257 (2014) 325,
doi:10.1016/j.jpowsour.2014.02.012. Charge throughput is that of one such cell, both directions counted [Ah]. Where a
fit turns negative (very low voltage, very shallow cycles) nothing is lost or gained: a cell does not heal.
"""

from __future__ import annotations

from math import exp

CALENDAR_EXPONENT, CYCLE_EXPONENT = 0.75, 0.5


def loss_by_time(temperature_k: float, voltage_v: float) -> float:
    """Return k of the calendar loss ``k * days ** 0.75`` at an open-circuit voltage."""
    return float(max(7.543 * voltage_v - 23.75, 0.0) * 1e6 * exp(-6976.0 / temperature_k))


def loss_by_throughput(voltage_v: float, depth: float) -> float:
    """Return k of the cycle loss ``k * ampere_hours ** 0.5`` at the cycle's mean voltage and depth (0-1)."""
    return float(7.348e-3 * (voltage_v - 3.667) ** 2 + 7.6e-4 + 4.081e-3 * depth)


def gain_by_time(temperature_k: float, voltage_v: float) -> float:
    """Return k of the resistance gained with time, ``k * days ** 0.75``."""
    return float(max(5.270 * voltage_v - 16.32, 0.0) * 1e5 * exp(-5986.0 / temperature_k))


def gain_by_throughput(voltage_v: float, depth: float) -> float:
    """Return k of the resistance gained with use, ``k * ampere_hours``."""
    return float(max(2.153e-4 * (voltage_v - 3.725) ** 2 - 1.521e-5 + 2.798e-4 * depth, 0.0))
