"""Wakes: the share of the wind that is missing behind one rotor.

Distances are in the wind's own axes: downwind (positive behind the rotor) and crosswind. Invariant: a deficit lies in
0 to 1, and there is none beside or before the rotor.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]

IEA37_EXPANSION = 0.0324555
"""Growth of the wake of IEA Wind Task 37's case study 1 (turbulence 0.075)."""
IEA37_THRUST = 8.0 / 9.0


def jensen_deficit(
    downwind_m: ArrayLike, crosswind_m: ArrayLike, *, diameter_m: ArrayLike, thrust: ArrayLike, expansion: float
) -> Floats:
    """Return the missing share of the wind in a wake of constant width angle, the same across it.

    Parameters
    ----------
    downwind_m, crosswind_m : float arrays, broadcast together
        Place relative to the rotor.
    diameter_m, thrust : float or array
        Diameter of the rotor [m] and its thrust coefficient (0-1).
    expansion : float
        Growth of the wake's radius per distance: 0.075 to 0.1 on land, 0.05 at sea.

    Returns
    -------
    float array
        ``(1 - sqrt(1 - ct)) / (1 + 2 k x / D) ** 2`` inside the wake (Jensen, Riso-M-2411, 1983, with Katic's
        momentum theory, EWEC 1986), 0 outside. A place counts as inside by its centre.

    Examples
    --------
    >>> float(jensen_deficit(500.0, 0.0, diameter_m=100.0, thrust=0.8, expansion=0.1).round(9))
    0.138196601
    """
    downwind, radius = np.asarray(downwind_m, dtype=np.float64), np.asarray(diameter_m) / 2.0
    grown = 1.0 + expansion * np.maximum(downwind, 0.0) / radius
    centre = (1.0 - np.sqrt(1.0 - np.asarray(thrust))) / grown**2
    inside = (downwind > 0.0) & (np.abs(crosswind_m) <= radius * grown)
    return np.asarray(np.where(inside, centre, 0.0), dtype=np.float64)


def gaussian_deficit(
    downwind_m: ArrayLike,
    crosswind_m: ArrayLike,
    *,
    diameter_m: ArrayLike,
    thrust: ArrayLike,
    expansion: float,
    initial_width: float = 1.0 / sqrt(8.0),
) -> Floats:
    """Return the missing share of the wind in a wake with a Gaussian profile.

    Parameters
    ----------
    downwind_m, crosswind_m, diameter_m, thrust
        As for ``jensen_deficit``.
    expansion : float
        Growth of the profile's standard deviation per distance.
    initial_width : float
        Standard deviation at the rotor, per diameter; at least ``sqrt(ct / 8)``, below which momentum has no answer.

    Returns
    -------
    float array
        ``(1 - sqrt(1 - ct / (8 s ** 2))) exp(-(y / (s D)) ** 2 / 2)`` with ``s = k x / D + initial_width``
        (Bastankhah and Porte-Agel 2014, https://doi.org/10.1016/j.renene.2014.01.002); with the default width it is
        the simplified form of IEA Wind Task 37.

    Examples
    --------
    >>> float(gaussian_deficit(0.001, 0.0, diameter_m=100.0, thrust=8.0 / 9.0, expansion=0.03).round(4))
    0.6667
    """
    downwind, diameter = np.asarray(downwind_m, dtype=np.float64), np.asarray(diameter_m, dtype=np.float64)
    width = expansion * np.maximum(downwind, 0.0) + initial_width * diameter
    # behind the disc itself the sum may round to a hair above 1
    blocked = np.minimum(np.asarray(thrust) / 8.0 * (diameter / width) ** 2, 1.0)
    profile = np.exp(-0.5 * (np.asarray(crosswind_m) / width) ** 2)
    return np.asarray(np.where(downwind > 0.0, (1.0 - np.sqrt(1.0 - blocked)) * profile, 0.0), dtype=np.float64)


class Wake(Protocol):
    """A model of the wake of one rotor."""

    def deficit(self, downwind_m: Floats, crosswind_m: Floats, *, diameter_m: Floats, thrust: Floats) -> Floats:
        """Return the missing share of the wind (0-1) at places behind a rotor."""
        ...


@dataclass(frozen=True, slots=True)
class JensenWake:
    """Jensen's wake; ``expansion`` 0.075 to 0.1 on land, 0.05 at sea."""

    expansion: float = 0.05

    def __post_init__(self) -> None:
        """Check the range."""
        _check_expansion(self.expansion)

    def deficit(self, downwind_m: Floats, crosswind_m: Floats, *, diameter_m: Floats, thrust: Floats) -> Floats:
        """Return the missing share of the wind."""
        return jensen_deficit(downwind_m, crosswind_m, diameter_m=diameter_m, thrust=thrust, expansion=self.expansion)


@dataclass(frozen=True, slots=True)
class GaussianWake:
    """Bastankhah and Porte-Agel's wake, by default as in IEA Wind Task 37; ``initial_width`` in rotor diameters."""

    expansion: float = IEA37_EXPANSION
    initial_width: float = 1.0 / sqrt(8.0)

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check_expansion(self.expansion)
        if not 1.0 / sqrt(8.0) - 1e-12 <= self.initial_width <= 1.0:
            raise InvalidInputError("initial_width", self.initial_width, "0.3536 (1/sqrt(8)) to 1 rotor diameters")

    def deficit(self, downwind_m: Floats, crosswind_m: Floats, *, diameter_m: Floats, thrust: Floats) -> Floats:
        """Return the missing share of the wind."""
        return gaussian_deficit(
            downwind_m,
            crosswind_m,
            diameter_m=diameter_m,
            thrust=thrust,
            expansion=self.expansion,
            initial_width=self.initial_width,
        )


def _check_expansion(expansion: float) -> None:
    if not 0.0 < expansion <= 1.0:
        raise InvalidInputError("expansion", expansion, "above 0, up to 1")
