"""Cycle loss of a graphite/LFP cell (A123 26650) by throughput, temperature and rate, after Wang et al.

J. Wang et al., J. Power Sources 196 (2011) 3942, doi:10.1016/j.jpowsour.2010.11.134.
"""

from __future__ import annotations

from math import exp

from vpp.core.errors import InvalidInputError
from vpp.core.units import PERCENT

EXPONENT = 0.55
GAS_CONSTANT_J_PER_MOL_K = 8.314
PRE_EXPONENTIAL = {0.5: 31630.0, 2.0: 21681.0, 6.0: 12934.0, 10.0: 15512.0}
"""B of the law by C-rate, as fitted at the four rates measured."""


def cycle_loss(throughput_ah: float, *, temperature_k: float, c_rate: float, pre_exponential: float) -> float:
    """Return the share of the capacity lost (0-1).

    Parameters
    ----------
    throughput_ah : float
        Charge drawn from one cell [Ah], 0 or more.
    temperature_k : float
        Cell temperature, above 0.
    c_rate : float
        Rate [1/h], 0 or more.
    pre_exponential : float
        B of the law, above 0; see ``PRE_EXPONENTIAL``.

    Raises
    ------
    InvalidInputError
        For a value outside its range.

    Examples
    --------
    >>> loss = cycle_loss(1e3, temperature_k=298.15, c_rate=0.5, pre_exponential=PRE_EXPONENTIAL[0.5])
    >>> round(loss, 6)
    0.042524
    """
    for name, value, least in (("throughput_ah", throughput_ah, 0.0), ("c_rate", c_rate, 0.0)):
        if not value >= least:
            raise InvalidInputError(name, value, "0 or more")
    for name, value in (("temperature_k", temperature_k), ("pre_exponential", pre_exponential)):
        if not value > 0.0:
            raise InvalidInputError(name, value, "above 0")
    activation = (-31700.0 + 370.3 * c_rate) / (GAS_CONSTANT_J_PER_MOL_K * temperature_k)
    return float(pre_exponential * exp(activation) * throughput_ah**EXPONENT / PERCENT)
