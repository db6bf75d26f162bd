"""Semi-empirical life of a lithium manganese oxide cell from counted cycles, after Xu et al.

B. Xu et al., IEEE Trans. Smart Grid 9 (2018) 1131, doi:10.1109/TSG.2016.2578950. Stresses multiply; the surface film
costs its share early and once.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp

FILM_SHARE, FILM_SPEED = 5.75e-2, 121.0
TIME_STRESS_PER_S = 4.14e-10
REFERENCE_SOC, REFERENCE_K = 0.5, 298.15


def depth_stress(depth: float) -> float:
    """Return the stress of one cycle of a depth (0-1]."""
    return float(1.0 / (1.40e5 * depth**-0.501 - 1.23e5))


def soc_stress(soc: float) -> float:
    """Return the factor of a mean state of charge (0-1)."""
    return exp(1.04 * (soc - REFERENCE_SOC))


def temperature_stress(temperature_k: float) -> float:
    """Return the factor of a mean cell temperature; kelvin, because the law divides by it."""
    return exp(6.93e-2 * (temperature_k - REFERENCE_K) * REFERENCE_K / temperature_k)


def time_stress(duration_s: float, *, soc: float, temperature_k: float) -> float:
    """Return what a duration adds to the linear stress at a mean state of charge and temperature."""
    return TIME_STRESS_PER_S * duration_s * soc_stress(soc) * temperature_stress(temperature_k)


def cycle_stress(cycles: Iterable[tuple[float, float, float]], *, temperature_k: float) -> float:
    """Return what counted cycles add: rows of depth, mean state of charge and count (see ``cycles.counted``)."""
    warmth = temperature_stress(temperature_k)
    return sum(count * depth_stress(depth) * soc_stress(mean) * warmth for depth, mean, count in cycles)


def capacity_loss(stress: float) -> float:
    """Return the share of the capacity lost (0-1) at a linear stress of 0 or more.

    Examples
    --------
    >>> year_s = 365 * 86400.0
    >>> stress = time_stress(year_s, soc=0.5, temperature_k=298.15)
    >>> stress += cycle_stress([(0.8, 0.5, 365)], temperature_k=298.15)
    >>> round(capacity_loss(stress), 6)
    0.076611
    """
    return 1.0 - FILM_SHARE * exp(-FILM_SPEED * stress) - (1.0 - FILM_SHARE) * exp(-stress)
