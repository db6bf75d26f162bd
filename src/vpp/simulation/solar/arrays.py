"""Photovoltaic arrays by their parameters: size, orientation, surroundings, losses, inverter, age.

Invariant: every parameter is one number, or one per site, within its stated range.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.simulation.solar.models import CellModel, Mounting, SkyModel
from vpp.simulation.weather.ranges import site_values

Floats = NDArray[np.float64]
LOSSES = (
    "soiling",
    "nearby_shading",
    "snow",
    "mismatch",
    "wiring",
    "connections",
    "light_induced",
    "nameplate",
    "unavailability",
)
"""Losses of the DC side, each a share of what reaches it, in the order PVWatts names them."""

_RANGES = {
    "dc_rated_kw": (0.0, 1e7, "kW", False),
    "ac_rated_kw": (0.0, 1e7, "kW", True),
    "tilt_deg": (0.0, 90.0, "deg", False),
    "azimuth_deg": (0.0, 360.0, "deg, clockwise from north", False),
    "temperature_coefficient_per_c": (-0.02, 0.0, "1/degC", False),
    "inverter_efficiency": (0.5, 1.0, "", False),
    "albedo": (0.0, 1.0, "", False),
    "ground_coverage_ratio": (0.0, 0.95, "", False),
    "age_years": (0.0, 60.0, "years", False),
    "degradation_per_year": (0.0, 0.1, "1/year", False),
    **dict.fromkeys(LOSSES, (0.0, 0.99, "", False)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarArrays:
    """S arrays with one inverter each; scalars count for every site.

    Parameters
    ----------
    dc_rated_kw : float or array, shape (S,)
        Power at 1000 W/m2 and 25 degrees, 0 to 1e7.
    ac_rated_kw : float or array, optional
        Largest power of the inverter, above 0 to 1e7; by default ``dc_rated_kw`` over 1.2.
    tilt_deg : float or array, optional
        From the horizontal, 0 to 90.
    azimuth_deg : float or array, optional
        Where the array looks, clockwise from north, 0 to 360; south by default.
    temperature_coefficient_per_c : float or array, optional
        Change of power per degree of cell temperature, -0.02 to 0.
    inverter_efficiency : float or array, optional
        Nominal efficiency, 0.5 to 1.
    albedo : float or array, optional
        Share of light the ground reflects, 0 to 1.
    ground_coverage_ratio : float or array, optional
        Width of a row over the pitch of rows, 0 to 0.95; 0 for a single row.
    soiling, nearby_shading, snow, mismatch, wiring, connections, light_induced, nameplate, unavailability : optional
        Losses as shares, 0 to 0.99; defaults of PVWatts version 5 (14.08 % together). Mismatch includes what the
        tracking of the maximum power point misses. Rows and horizon, where given, are computed: lower
        ``nearby_shading`` then.
    age_years, degradation_per_year : float or array, optional
        Age when the simulation starts, 0 to 60, and linear loss of power per year, 0 to 0.1 (median of crystalline
        silicon 0.005, Jordan and Kurtz 2013, https://doi.org/10.1002/pip.1182).
    horizon_deg : array, shape (A,) or (S, A), optional
        Height of the horizon at A evenly spaced azimuths from north clockwise, 0 to 90.
    sky_model : {"haydavies", "perez", "perez-driesse"}, optional
        How diffuse light is laid on the plane.
    cell_model : {"sapm", "faiman", "pvsyst"}, optional
        How warm cells get.
    mounting : {"open_rack", "close_mount", "insulated_back"}, optional
        How air reaches the modules.

    Raises
    ------
    InvalidInputError
        When a number lies outside its range.
    SeriesMismatchError
        When arrays do not share a length.
    UnknownNameError
        When a model or mounting is not among those above.

    Examples
    --------
    >>> arrays = SolarArrays(dc_rated_kw=[5.0, 8.0], tilt_deg=30.0)
    >>> len(arrays), round(1.0 - float(arrays.kept()[0]), 4)
    (2, 0.1408)
    """

    dc_rated_kw: ArrayLike
    ac_rated_kw: ArrayLike | None = None
    tilt_deg: ArrayLike = 30.0
    azimuth_deg: ArrayLike = 180.0
    temperature_coefficient_per_c: ArrayLike = -0.004
    inverter_efficiency: ArrayLike = 0.96
    albedo: ArrayLike = 0.25
    ground_coverage_ratio: ArrayLike = 0.0
    soiling: ArrayLike = 0.02
    nearby_shading: ArrayLike = 0.03
    snow: ArrayLike = 0.0
    mismatch: ArrayLike = 0.02
    wiring: ArrayLike = 0.02
    connections: ArrayLike = 0.005
    light_induced: ArrayLike = 0.015
    nameplate: ArrayLike = 0.01
    unavailability: ArrayLike = 0.03
    age_years: ArrayLike = 0.0
    degradation_per_year: ArrayLike = 0.005
    horizon_deg: ArrayLike | None = None
    sky_model: SkyModel = "haydavies"
    cell_model: CellModel = "sapm"
    mounting: Mounting = "open_rack"

    def __post_init__(self) -> None:
        """Check every range and give all per-site fields the one length."""
        for name, known in (("sky_model", SkyModel), ("cell_model", CellModel), ("mounting", Mounting)):
            if getattr(self, name) not in get_args(known):
                raise UnknownNameError(name.replace("_", " "), str(getattr(self, name)), get_args(known))
        if self.ac_rated_kw is None:
            object.__setattr__(self, "ac_rated_kw", np.asarray(self.dc_rated_kw, dtype=np.float64) / DC_OVER_AC)
        values = {
            name: site_values(f"arrays.{name}", getattr(self, name), low=low, high=high, unit=unit, low_open=low_open)
            for name, (low, high, unit, low_open) in _RANGES.items()
        }
        horizon = None if self.horizon_deg is None else _horizon(self.horizon_deg)
        sizes = {name: value.size for name, value in values.items() if value.size != 1}
        if horizon is not None and horizon.shape[0] != 1:
            sizes["horizon_deg"] = horizon.shape[0]
        if len(set(sizes.values())) > 1:
            raise SeriesMismatchError("arrays", sizes, "one number for all sites, or arrays of one length")
        size = next(iter(sizes.values()), 1)
        for name, value in values.items():
            object.__setattr__(self, name, np.broadcast_to(value, (size,)))
        if horizon is not None:
            object.__setattr__(self, "horizon_deg", np.broadcast_to(horizon, (size, horizon.shape[1])))

    def __len__(self) -> int:
        """Return the number of arrays, S."""
        return int(self.of("dc_rated_kw").size)

    def of(self, name: str) -> Floats:
        """Return one parameter of every site, shape (S,)."""
        return np.asarray(getattr(self, name), dtype=np.float64)

    @property
    def horizon(self) -> Floats | None:
        """Horizon heights [deg], shape (S, A), or None."""
        return None if self.horizon_deg is None else np.asarray(self.horizon_deg, dtype=np.float64)

    def kept(self) -> Floats:
        """Return the share of DC power that all stated losses leave, shape (S,)."""
        kept = np.ones(len(self))
        for name in LOSSES:
            kept = kept * (1.0 - self.of(name))
        return kept

    def part(self, start: int, stop: int) -> SolarArrays:
        """Return arrays ``start`` to before ``stop``."""
        cut: dict[str, Any] = {
            one.name: value[start:stop] if isinstance(value := getattr(self, one.name), np.ndarray) else value
            for one in fields(self)
        }
        return replace(self, **cut)


DC_OVER_AC = 1.2
"""PVWatts' default ratio of modules to inverter."""


def _horizon(heights_deg: ArrayLike) -> Floats:
    horizon = np.atleast_2d(np.asarray(heights_deg, dtype=np.float64))
    if horizon.ndim != 2 or horizon.shape[1] < 2:
        raise InvalidInputError("arrays.horizon_deg", f"shape {horizon.shape}", "two or more heights per site")
    for site, heights in enumerate(horizon):
        site_values(f"arrays.horizon_deg[{site}]", heights, low=0.0, high=90.0, unit="deg")
    return horizon
