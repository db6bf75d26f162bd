"""Pitch: how far the blades turn out of the wind to hold the rated power.

Heier's power coefficient of a three-bladed rotor (Grid Integration of Wind Energy, 3rd ed. 2014, section 2.1), with
the widely used constants whose largest value is 0.48 at a tip speed ratio of 8.1 and a pitch of 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError

Floats = NDArray[np.float64]

FINEST_RATIO = 8.1
STEEPEST_DEG = 45.0
_HALVINGS = 40


def power_coefficient(tip_speed_ratio: ArrayLike, pitch_deg: ArrayLike) -> Floats:
    """Return the share of the power in the wind that a rotor takes.

    Parameters
    ----------
    tip_speed_ratio : float or array
        Speed of the blade's tip over the wind speed, above 0.
    pitch_deg : float or array
        Angle of the blades, 0 or more.

    Returns
    -------
    float array
        Power coefficient, 0 to 0.48.

    Raises
    ------
    InvalidInputError
        When a value is out of its range.

    Examples
    --------
    >>> float(power_coefficient(8.1, 0.0).round(3))
    0.48
    """
    ratio, pitch = np.asarray(tip_speed_ratio, dtype=np.float64), np.asarray(pitch_deg, dtype=np.float64)
    if not (ratio > 0.0).all():
        raise InvalidInputError("tip_speed_ratio", tip_speed_ratio, "above 0")
    if not (pitch >= 0.0).all():
        raise InvalidInputError("pitch_deg", pitch_deg, "0 or more [deg]")
    inverse = 1.0 / (ratio + 0.08 * pitch) - 0.035 / (pitch**3 + 1.0)
    share = 0.5176 * (116.0 * inverse - 0.4 * pitch - 5.0) * np.exp(-21.0 * inverse) + 0.0068 * ratio
    return np.asarray(np.maximum(share, 0.0), dtype=np.float64)


def pitch_at_rated_deg(wind_speed_m_s: ArrayLike, *, rated_m_s: float) -> Floats:
    """Return the pitch that holds the rated power in wind above the rated speed.

    The rotor turns at its finest tip speed ratio up to the rated wind speed, and at the speed reached there above it.

    Parameters
    ----------
    wind_speed_m_s : float array
        Wind speed at hub height, 0 or more.
    rated_m_s : float
        Lowest wind speed at which the rated power is reached, above 0.

    Returns
    -------
    float array
        Pitch [deg], 0 up to the rated wind speed, rising above it to 45 at most.

    Raises
    ------
    InvalidInputError
        When the rated speed is not above 0.

    Examples
    --------
    >>> pitch_at_rated_deg([8.0, 12.0, 16.0], rated_m_s=12.0).round(1).tolist()
    [0.0, 0.0, 13.4]
    """
    if not 0.0 < rated_m_s < np.inf:
        raise InvalidInputError("rated_m_s", rated_m_s, "above 0 [m/s]")
    over = np.maximum(np.asarray(wind_speed_m_s, dtype=np.float64) / rated_m_s, 1.0)
    wanted = power_coefficient(FINEST_RATIO, 0.0) / over**3
    ratio = FINEST_RATIO / over
    low, high = np.zeros_like(over), np.full_like(over, STEEPEST_DEG)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        takes_more = power_coefficient(ratio, middle) > wanted
        low, high = np.where(takes_more, middle, low), np.where(takes_more, high, middle)
    return np.asarray(np.where(over > 1.0, 0.5 * (low + high), 0.0), dtype=np.float64)
