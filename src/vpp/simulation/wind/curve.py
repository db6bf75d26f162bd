"""Power curves: what a turbine delivers at a wind speed, in standard air.

Invariant: power is 0 below the cut-in and above the cut-out speed, and never above the rated power.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.units import w_from_kw

Floats = NDArray[np.float64]

STANDARD_DENSITY_KG_M3 = 1.225
SPECIFIC_POWER_W_M2 = 350.0
IDEAL_POWER_DELIVERED = 0.75
HIGHEST_THRUST = 0.82


@dataclass(frozen=True, slots=True, eq=False)
class PowerCurve:
    """A power curve.

    Parameters
    ----------
    name : str
        What the curve is called.
    wind_speed_m_s : float array, shape (K,)
        Wind speeds at hub height, two or more, strictly ascending from 0 or more.
    power_kw : float array, shape (K,)
        Power at each, 0 or more and somewhere above 0.
    diameter_m : float
        Diameter of the rotor, above 0.

    Examples
    --------
    >>> curve = PowerCurve("mine", np.array([3.0, 12.0, 25.0]), np.array([0.0, 90.0, 90.0]), diameter_m=20.0)
    >>> curve.power([2.0, 6.0, 25.0, 25.1]).tolist(), curve.rated_kw
    ([0.0, 30.0, 90.0, 0.0], 90.0)
    """

    name: str
    wind_speed_m_s: Floats
    power_kw: Floats
    diameter_m: float

    def __post_init__(self) -> None:
        """Check every range and keep copies that nobody can write."""
        for field in ("wind_speed_m_s", "power_kw"):
            values = np.array(getattr(self, field), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, field, values)
        speeds, power = self.wind_speed_m_s, self.power_kw
        if speeds.ndim != 1 or speeds.size < 2 or not (speeds[0] >= 0.0 and (np.diff(speeds) > 0.0).all()):
            raise InvalidInputError(
                "wind_speed_m_s", speeds.tolist(), "two or more speeds, strictly ascending from 0 or more [m/s]"
            )
        if power.shape != speeds.shape or not (np.isfinite(power).all() and power.min() >= 0.0 < power.max()):
            raise InvalidInputError("power_kw", power.tolist(), f"{speeds.size} powers, 0 or more, one above 0 [kW]")
        if not 0.0 < self.diameter_m < np.inf:
            raise InvalidInputError("diameter_m", self.diameter_m, "above 0 [m]")

    @property
    def rated_kw(self) -> float:
        """Largest power of the curve."""
        return float(self.power_kw.max())

    @property
    def rated_m_s(self) -> float:
        """Lowest wind speed at which the largest power is reached."""
        return float(self.wind_speed_m_s[self.power_kw.argmax()])

    @property
    def cut_in_m_s(self) -> float:
        """Wind speed below which there is no power."""
        first = int(np.flatnonzero(self.power_kw)[0])
        return float(self.wind_speed_m_s[max(first - 1, 0)])

    @property
    def cut_out_m_s(self) -> float:
        """Wind speed above which there is no power."""
        last = int(np.flatnonzero(self.power_kw)[-1])
        return float(self.wind_speed_m_s[min(last + 1, self.wind_speed_m_s.size - 1)])

    @property
    def rotor_area_m2(self) -> float:
        """Area that the rotor sweeps."""
        return pi / 4.0 * self.diameter_m**2

    def power(self, wind_speed_m_s: ArrayLike) -> Floats:
        """Return the power [kW] at wind speeds [m/s] of standard air, shape as given; linear between the points."""
        answer = np.interp(np.asarray(wind_speed_m_s), self.wind_speed_m_s, self.power_kw, left=0.0, right=0.0)
        return np.asarray(answer, dtype=np.float64)

    def scaled(self, rated_kw: float) -> PowerCurve:
        """Return the curve of another size with the same power per rotor area.

        Raises
        ------
        InvalidInputError
            When the rated power is not above 0.
        """
        if not 0.0 < rated_kw < np.inf:
            raise InvalidInputError("rated_kw", rated_kw, "above 0 [kW]")
        size = rated_kw / self.rated_kw
        return PowerCurve(self.name, self.wind_speed_m_s, self.power_kw * size, self.diameter_m * sqrt(size))


def generic_power_curve(rated_kw: float) -> PowerCurve:
    """Return the curve of a turbine of which only the rated power is known.

    A cubic rise from 3 m/s to the rated power at 12 m/s, held to 25 m/s: between them the power in the wind less what
    it holds at the cut-in speed. The rotor has 350 W of rated power per m2, the middle of turbines on land.

    Parameters
    ----------
    rated_kw : float
        Rated power, above 0.

    Examples
    --------
    >>> generic_power_curve(100.0).power([3.0, 12.0, 30.0]).tolist()
    [0.0, 100.0, 0.0]
    """
    if not 0.0 < rated_kw < np.inf:
        raise InvalidInputError("rated_kw", rated_kw, "above 0 [kW]")
    cut_in, rated, cut_out = 3.0, 12.0, 25.0
    speeds = np.append(np.arange(cut_in, rated + 0.25, 0.5), cut_out)
    power = rated_kw * np.minimum((speeds**3 - cut_in**3) / (rated**3 - cut_in**3), 1.0)
    area = w_from_kw(rated_kw) / SPECIFIC_POWER_W_M2
    return PowerCurve("generic", speeds, power, diameter_m=2.0 * sqrt(area / pi))


def thrust_coefficient(curve: PowerCurve, *, efficiency: float = IDEAL_POWER_DELIVERED) -> Floats:
    """Return the thrust coefficient at the curve's own wind speeds, shape (K,), from its power alone.

    The power coefficient ``4 a (1 - a)^2`` of an ideal rotor is solved for the induction ``a`` (0 to 1/3), and the
    thrust is ``4 a (1 - a)``: momentum theory (Burton et al., Wind Energy Handbook, section 3.2), at most 0.82, which
    turbines in service rarely exceed. It is an estimate; give a measured curve where there is one. 0 without power.

    Parameters
    ----------
    curve : PowerCurve
        The curve in standard air.
    efficiency : float
        Share of an ideal rotor's power that the turbine delivers after drag, tips, gears and generator, above 0, up
        to 1. With 0.75 a Vestas V80 has 0.74 at 10 m/s, where its measured thrust is 0.79.

    Raises
    ------
    InvalidInputError
        When the efficiency is out of its range.
    """
    if not 0.0 < efficiency <= 1.0:
        raise InvalidInputError("efficiency", efficiency, "above 0, up to 1")
    speeds = np.maximum(curve.wind_speed_m_s, 1e-9)
    in_wind_w = 0.5 * STANDARD_DENSITY_KG_M3 * curve.rotor_area_m2 * speeds**3
    wanted = np.minimum(w_from_kw(curve.power_kw) / (efficiency * in_wind_w), 16.0 / 27.0)
    # the cubic 4 b^2 (1 - b) = cp of b = 1 - a has its upper root at b = (1 + 2 cos(t)) / 3
    angle = np.arccos(np.clip(1.0 - 27.0 / 8.0 * wanted, -1.0, 1.0)) / 3.0
    induction = 1.0 - (1.0 + 2.0 * np.cos(angle)) / 3.0
    return np.asarray(np.minimum(4.0 * induction * (1.0 - induction), HIGHEST_THRUST), dtype=np.float64)
