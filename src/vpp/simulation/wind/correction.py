"""Corrections of a power curve: the density of the air, turbulence, and wind from aside."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.units import kw_from_w
from vpp.simulation.wind.curve import STANDARD_DENSITY_KG_M3, PowerCurve

Floats = NDArray[np.float64]

YAW_EXPONENT = 1.88
_SLOW_M_S, _FAST_M_S = 7.5, 12.5
_BLOCK_M_S = 0.5
_BLOCKS_PER_DEVIATION = 4.0


def power_in_air(curve: PowerCurve, wind_speed_m_s: ArrayLike, density_kg_m3: ArrayLike) -> Floats:
    """Return the power at wind speeds in air of another density than the curve's.

    The curve's wind speeds move by ``(1.225 / density) ** m`` with m rising from 1/3 (up to 7.5 m/s) to 2/3 (from
    12.5 m/s on): IEC 61400-12-1's correction as refined by Svenningsen (EMD, 2010). Cut-in and cut-out stay where the
    control has them, at the true wind speed.

    Parameters
    ----------
    curve : PowerCurve
        The curve at 1.225 kg/m3.
    wind_speed_m_s, density_kg_m3 : float or array, broadcast together
        Wind speed and density at hub height; density above 0.

    Returns
    -------
    float array
        Power [kW].

    Raises
    ------
    InvalidInputError
        When a density is not above 0.

    Examples
    --------
    >>> curve = PowerCurve("mine", np.array([4.0, 5.0, 6.0]), np.array([300.0, 400.0, 500.0]), diameter_m=30.0)
    >>> power_in_air(curve, [2.0, 5.5, 7.0], 1.3).round(8).tolist()
    [0.0, 461.00290572, 0.0]
    """
    speed, density = np.broadcast_arrays(
        np.asarray(wind_speed_m_s, dtype=np.float64), np.asarray(density_kg_m3, dtype=np.float64)
    )
    if (density <= 0.0).any():
        raise InvalidInputError("density_kg_m3", float(density.min()), "above 0 [kg/m3]")
    thinner = np.log(STANDARD_DENSITY_KG_M3 / density)
    knots = curve.wind_speed_m_s
    exponent = np.interp(knots, [_SLOW_M_S, _FAST_M_S], [1.0 / 3.0, 2.0 / 3.0])
    below = _segment(speed, thinner, knots, exponent)
    left = knots[below] * np.exp(exponent[below] * thinner)
    right = knots[below + 1] * np.exp(exponent[below + 1] * thinner)
    along = np.clip((speed - left) / (right - left), 0.0, 1.0)
    power = curve.power_kw[below] + along * (curve.power_kw[below + 1] - curve.power_kw[below])
    runs = (speed >= curve.cut_in_m_s) & (speed <= curve.cut_out_m_s)
    return np.where(runs, power, 0.0)


def _segment(speed: Floats, thinner: Floats, knots: Floats, exponent: Floats) -> NDArray[np.int64]:
    """Return the last knot (but the end) that lies, moved by the density, at or below each speed: by bisection."""
    log_speed = np.log(np.maximum(speed, 1e-9))
    log_knots = np.log(np.maximum(knots, 1e-9))
    low = np.zeros(speed.shape, dtype=np.int64)
    high = np.full(speed.shape, knots.size - 1, dtype=np.int64)
    for _ in range(ceil(np.log2(knots.size))):
        middle = (low + high) // 2
        left = log_knots[middle] + exponent[middle] * thinner <= log_speed
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return np.minimum(low, knots.size - 2)


def power_of_coefficient(
    wind_speed_m_s: ArrayLike,
    density_kg_m3: ArrayLike,
    *,
    diameter_m: float,
    coefficient_wind_speed_m_s: ArrayLike,
    coefficient: ArrayLike,
) -> Floats:
    """Return the power [kW] from a curve of power coefficients: ``cp * density / 2 * area * speed ** 3``.

    Parameters
    ----------
    wind_speed_m_s, density_kg_m3 : float or array, broadcast together
        Wind speed and density at hub height.
    diameter_m : float
        Diameter of the rotor.
    coefficient_wind_speed_m_s, coefficient : float arrays, shape (K,)
        The curve; outside it there is no power.
    """
    speed = np.asarray(wind_speed_m_s, dtype=np.float64)
    share = np.interp(speed, np.asarray(coefficient_wind_speed_m_s), np.asarray(coefficient), left=0.0, right=0.0)
    area_m2 = pi / 4.0 * diameter_m**2
    watts: Floats = np.asarray(share * 0.5 * np.asarray(density_kg_m3) * area_m2 * speed**3, dtype=np.float64)
    return kw_from_w(watts)


@lru_cache(maxsize=256)
def smoothed(curve: PowerCurve, turbulence_intensity: float, *, reach_m_s: float = 15.0) -> PowerCurve:
    """Return a curve as means over turbulent wind see it: its convolution with a Gaussian of ``turbulence * speed``.

    Parameters
    ----------
    curve : PowerCurve
        The curve in steady wind.
    turbulence_intensity : float
        Standard deviation of the wind over its mean, 0 (the curve itself) to 1.
    reach_m_s : float
        How far from a speed the sum goes, above 0. Blocks are 0.5 m/s wide, and a quarter of the standard deviation
        where that is less, so that slight turbulence keeps the curve.

    Returns
    -------
    PowerCurve
        From the same first speed, every 0.5 m/s at least, to where gusts no longer fall back below the cut-out (three
        deviations above the last speed). Never above the rated power.

    Notes
    -----
    Norgaard and Holttinen, A Multi-Turbine and Power Curve Approach, Nordic Wind Power Conference 2004, p. 5.

    Raises
    ------
    InvalidInputError
        When the turbulence lies outside 0 to 1 or the reach is not above 0.
    """
    if not 0.0 <= turbulence_intensity <= 1.0:
        raise InvalidInputError("turbulence_intensity", turbulence_intensity, "a fraction, 0 to 1")
    if not 0.0 < reach_m_s < np.inf:
        raise InvalidInputError("reach_m_s", reach_m_s, "above 0 [m/s]")
    if turbulence_intensity == 0.0:
        return curve
    first, last = float(curve.wind_speed_m_s[0]), float(curve.wind_speed_m_s[-1])
    # a straight stretch of the curve, such as rated power to the cut-out, does not stay straight
    between = np.arange(first, last * (1.0 + 3.0 * turbulence_intensity) + _BLOCK_M_S, _BLOCK_M_S)
    speeds = np.unique(np.append(curve.wind_speed_m_s, between))
    power = np.array([_convolved(curve, float(speed), turbulence_intensity, reach_m_s) for speed in speeds])
    return PowerCurve(curve.name, speeds, np.minimum(power, curve.rated_kw), curve.diameter_m)


def _convolved(curve: PowerCurve, speed: float, turbulence_intensity: float, reach_m_s: float) -> float:
    deviation = speed * turbulence_intensity
    if deviation == 0.0:
        return 0.0
    half = ceil(reach_m_s / min(_BLOCK_M_S, deviation / _BLOCKS_PER_DEVIATION))
    offset = np.linspace(-reach_m_s, reach_m_s, 2 * half + 1)
    weight = np.exp(-0.5 * (offset / deviation) ** 2) / (deviation * sqrt(2.0 * pi))
    return float(curve.power(speed + offset) @ weight) * reach_m_s / half


def yaw_factor(misalignment_deg: ArrayLike) -> Floats:
    """Return the share of its power that a rotor keeps when the wind meets it from aside: ``cos(yaw) ** 1.88``.

    Parameters
    ----------
    misalignment_deg : float or array
        Angle between wind and rotor axis, -90 to 90.

    Raises
    ------
    InvalidInputError
        When an angle lies outside -90 to 90.

    Examples
    --------
    >>> yaw_factor([0.0, 20.0]).round(9).tolist()
    [1.0, 0.88963802]
    """
    angle = np.asarray(misalignment_deg, dtype=np.float64)
    if not (np.abs(angle) <= 90.0).all():
        raise InvalidInputError("misalignment_deg", misalignment_deg, "-90 to 90 [deg]")
    return np.asarray(np.cos(np.radians(angle)) ** YAW_EXPONENT, dtype=np.float64)
