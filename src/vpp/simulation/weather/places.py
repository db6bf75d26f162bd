"""Places on Earth, as arrays: where a site stands, and which sites stand at the same spot.

Invariant: latitudes, longitudes and altitudes share one length S and lie in their ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.units import KILO
from vpp.simulation.weather.ranges import site_values

Floats = NDArray[np.float64]
EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG), used for distances between sites."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where S sites stand; scalars count for every site.

    Parameters
    ----------
    latitude_deg : float or array, shape (S,)
        North positive, -90 to 90.
    longitude_deg : float or array, shape (S,)
        East positive, -180 to 180.
    altitude_m : float or array, shape (S,), optional
        Height above the sea, -500 to 9000; 0 by default.

    Raises
    ------
    InvalidInputError
        When a value lies outside its range.
    SeriesMismatchError
        When the arrays do not share a length.

    Examples
    --------
    >>> places = Places([52.1, -33.9], [5.2, 151.2])
    >>> len(places), round(float(places.distances_km(places)[0, 1]))
    (2, 16638)
    """

    latitude_deg: ArrayLike
    longitude_deg: ArrayLike
    altitude_m: ArrayLike = 0.0

    def __post_init__(self) -> None:
        """Check every range and give all fields the one length."""
        bounds = {"latitude_deg": (-90.0, 90.0), "longitude_deg": (-180.0, 180.0), "altitude_m": (-500.0, 9000.0)}
        values = {
            name: site_values(f"places.{name}", getattr(self, name), low=low, high=high, unit=name.rsplit("_", 1)[1])
            for name, (low, high) in bounds.items()
        }
        sizes = {value.size for value in values.values()} - {1}
        if len(sizes) > 1:
            shapes = tuple(value.shape for value in values.values())
            raise SeriesMismatchError("places", shapes, "latitude, longitude and altitude of one length")
        size = sizes.pop() if sizes else 1
        for name, value in values.items():
            object.__setattr__(self, name, np.broadcast_to(value, (size,)).copy() if value.size != size else value)

    def __len__(self) -> int:
        """Return the number of sites, S."""
        return int(self.latitudes.size)

    @property
    def latitudes(self) -> Floats:
        """Latitudes [deg], shape (S,)."""
        return np.asarray(self.latitude_deg, dtype=np.float64)

    @property
    def longitudes(self) -> Floats:
        """Longitudes [deg], shape (S,)."""
        return np.asarray(self.longitude_deg, dtype=np.float64)

    @property
    def altitudes_m(self) -> Floats:
        """Altitudes [m], shape (S,)."""
        return np.asarray(self.altitude_m, dtype=np.float64)

    @property
    def positions_km(self) -> Floats:
        """Points in space [km] from the Earth's centre, shape (S, 3), on a sphere of the mean radius."""
        latitude, longitude = np.radians(self.latitudes), np.radians(self.longitudes)
        ring = np.cos(latitude)
        unit = np.column_stack((ring * np.cos(longitude), ring * np.sin(longitude), np.sin(latitude)))
        return EARTH_RADIUS_KM * unit

    def part(self, start: int, stop: int) -> Places:
        """Return sites ``start`` to before ``stop``."""
        if not 0 <= start <= stop <= len(self):
            raise InvalidInputError("start, stop", (start, stop), f"0 <= start <= stop <= {len(self)}")
        return Places(self.latitudes[start:stop], self.longitudes[start:stop], self.altitudes_m[start:stop])

    def distinct(self) -> tuple[Places, NDArray[np.int64]]:
        """Return the different places among them, and for each site which of those it is."""
        rows = np.column_stack((self.latitudes, self.longitudes, self.altitudes_m))
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        return Places(unique[:, 0], unique[:, 1], unique[:, 2]), inverse.reshape(-1).astype(np.int64)

    def distances_km(self, other: Places) -> Floats:
        """Return great-circle distances [km] to other places, shape (S, other S); altitude does not count."""
        chord = np.linalg.norm(self.positions_km[:, None, :] - other.positions_km[None, :, :], axis=2)
        return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / (2.0 * EARTH_RADIUS_KM), 0.0, 1.0)))


def altitude_km(places: Places) -> Floats:
    """Return altitudes in kilometres, shape (S,)."""
    return places.altitudes_m / KILO
