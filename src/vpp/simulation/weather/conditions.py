"""Weather as columns: light, warmth, wind and pressure of S sites over T steps.

Invariant: every column has the shape (T, S), is finite, and the irradiances and the wind are 0 or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid
from vpp.simulation.weather.places import Places

Floats = NDArray[np.float64]
COLUMNS = {
    "ghi_w_m2": (0.0, 2000.0, "W/m2"),
    "dni_w_m2": (0.0, 2000.0, "W/m2"),
    "dhi_w_m2": (0.0, 1500.0, "W/m2"),
    "temperature_c": (-95.0, 65.0, "degC"),
    "wind_speed_m_s": (0.0, 120.0, "m/s"),
    "pressure_pa": (25_000.0, 115_000.0, "Pa"),
}
"""Name, range and unit of every column, as they stand in files too."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Weather of S sites; a value holds over its step.

    Parameters
    ----------
    grid : TimeGrid
        T steps.
    ghi_w_m2, dni_w_m2, dhi_w_m2 : float arrays, shape (T, S)
        Global horizontal, direct normal and diffuse horizontal irradiance, 0 to 2000 (diffuse 1500).
    temperature_c : float array, shape (T, S)
        Air temperature, -95 to 65.
    wind_speed_m_s : float array, shape (T, S)
        Wind at 10 m, 0 to 120.
    pressure_pa : float array, shape (T, S)
        Air pressure, 25,000 to 115,000.
    places : Places, optional
        Where the S sites stand, when it is known.

    Raises
    ------
    SeriesMismatchError
        When a column is not of shape (T, S).
    InvalidInputError
        When a value lies outside its range; the message names column, step and site.
    """

    grid: TimeGrid
    ghi_w_m2: Floats
    dni_w_m2: Floats
    dhi_w_m2: Floats
    temperature_c: Floats
    wind_speed_m_s: Floats
    pressure_pa: Floats
    places: Places | None = None

    def __post_init__(self) -> None:
        """Check shapes and ranges."""
        shape = (len(self.grid), self.sites)
        for name, (low, high, unit) in COLUMNS.items():
            values = getattr(self, name)
            if values.shape != shape:
                raise SeriesMismatchError(f"weather.{name}", values.shape, f"the shape (steps, sites) {shape}")
            # min and max alone: NaN fails the comparison too, and no array of truths is made
            if values.size and not (values.min() >= low and values.max() <= high):
                step, site = np.argwhere(~((values >= low) & (values <= high)))[0]
                raise InvalidInputError(
                    f"weather.{name}[{step}, {site}]", float(values[step, site]), f"{low:g} to {high:g} [{unit}]"
                )
        if self.places is not None and len(self.places) != self.sites:
            raise SeriesMismatchError("weather.places", len(self.places), f"as many places as sites: {self.sites}")

    @property
    def sites(self) -> int:
        """Number of sites, S."""
        return int(self.ghi_w_m2.shape[-1])

    def part(self, start: int, stop: int) -> Weather:
        """Return sites ``start`` to before ``stop``."""
        columns = {name: getattr(self, name)[:, start:stop] for name in COLUMNS}
        return Weather(self.grid, **columns, places=self.places.part(start, stop) if self.places else None)

    def steps(self, start: int, stop: int) -> Weather:
        """Return steps ``start`` to before ``stop``."""
        columns = {name: getattr(self, name)[start:stop] for name in COLUMNS}
        return Weather(self.grid.part(start, stop), **columns, places=self.places)
