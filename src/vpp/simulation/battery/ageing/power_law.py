"""Power laws ``value = rate * amount ** exponent`` whose rate changes on the way.

Invariant: the value is the only memory. The law at today's rate is inverted for the amount (time, throughput) that
would have led to the value reached, and goes on from there; so equal conditions give the closed form, however the
time is cut.
"""

from __future__ import annotations


def advanced(value: float, rate: float, amount: float, exponent: float) -> float:
    """Return the value after ``amount`` more at ``rate``.

    Parameters
    ----------
    value : float
        What was lost before, 0 or more.
    rate : float
        Coefficient of the law under today's conditions; at 0 or less nothing is added.
    amount : float
        Time or throughput to add, 0 or more, in the unit of the law.
    exponent : float
        Above 0.

    Examples
    --------
    >>> round(advanced(advanced(0.0, 0.01, 3.0, 0.5), 0.01, 6.0, 0.5), 12)
    0.03
    """
    if rate <= 0.0 or amount <= 0.0:
        return value
    if value <= 0.0:
        return float(rate * amount**exponent)
    return float(rate * ((value / rate) ** (1.0 / exponent) + amount) ** exponent)
