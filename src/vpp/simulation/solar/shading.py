"""What stands before an array: rows in front of it, and the horizon.

Rows are long, equal and level: the beam loses the shaded share of the row's width (Anderson and Jensen 2024,
https://doi.org/10.1063/5.0202220), the sky's diffuse light the share under the average masking angle (Passias and
Källbäck 1984, https://doi.org/10.1016/0379-6787(84)90017-6). A horizon hides the beam while the sun is under it, and of
an even sky the share under it, as a level plane sees it. The bright ring around the sun counts as sky.
Invariant: shares lie between 0 and 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pvlib import shading

Floats = NDArray[np.float64]
_FULL_TURN_DEG = 360.0
LEAST_COVERAGE = 1e-3
"""Rows further apart than this share of their width count as single ones; the formulas overflow toward 0."""


def row_beam_share(
    zenith_deg: Floats, sun_azimuth_deg: Floats, tilt_deg: Floats, azimuth_deg: Floats, coverage: Floats
) -> Floats:
    """Return the share of a row's width the beam reaches, shape (T, S); 1 where rows do not exist.

    Parameters
    ----------
    zenith_deg, sun_azimuth_deg : float arrays, shape (T, S)
        Where the sun stands.
    tilt_deg, azimuth_deg : float arrays, shape (S,)
        Orientation of the rows.
    coverage : float array, shape (S,)
        Width of a row over the pitch; 0 for a single row.
    """
    rows = coverage > LEAST_COVERAGE
    with np.errstate(divide="ignore", invalid="ignore"):  # the sun in the plane of the rows: its beam is 0 anyway
        shaded = shading.shaded_fraction1d(
            zenith_deg,
            sun_azimuth_deg,
            (azimuth_deg - 90.0) % _FULL_TURN_DEG,
            tilt_deg,
            collector_width=np.where(rows, coverage, 1.0),
            pitch=np.where(rows, 1.0, np.inf),
        )
    return np.where(rows, 1.0 - np.clip(np.nan_to_num(shaded), 0.0, 1.0), 1.0)


def row_sky_share(tilt_deg: Floats, coverage: Floats) -> Floats:
    """Return the share of the sky's diffuse light that rows in front leave, shape (S,)."""
    angle = np.zeros(np.shape(coverage))
    rows = coverage > LEAST_COVERAGE
    with np.errstate(over="ignore"):  # rows that lie all but flat
        angle[rows] = shading.masking_angle_passias(tilt_deg[rows], coverage[rows])
    return np.asarray(1.0 - shading.sky_diffuse_passias(angle))


def horizon_beam_share(zenith_deg: Floats, sun_azimuth_deg: Floats, horizon_deg: Floats) -> Floats:
    """Return 1 where the sun stands above the horizon, else 0, shape (T, S).

    Parameters
    ----------
    zenith_deg, sun_azimuth_deg : float arrays, shape (T, S)
        Where the sun stands.
    horizon_deg : float array, shape (S, A)
        Heights at evenly spaced azimuths from north clockwise; linear between them.
    """
    count = horizon_deg.shape[1]
    place = sun_azimuth_deg / _FULL_TURN_DEG * count
    left = np.floor(place).astype(np.int64)
    site = np.arange(horizon_deg.shape[0])
    low, high = horizon_deg[site, left % count], horizon_deg[site, (left + 1) % count]
    return np.where(90.0 - zenith_deg > low + (place - left) * (high - low), 1.0, 0.0)


def horizon_sky_share(horizon_deg: Floats) -> Floats:
    """Return the share of an even sky's light on level ground that comes from above the horizon, shape (S,)."""
    return np.asarray(np.mean(np.cos(np.radians(horizon_deg)) ** 2, axis=1))
