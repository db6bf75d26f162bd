"""Scale: how large a channel's power can be, and which values are off by the factor 1000.

The reader of files and the quality flags ask the same questions, so the answers stand here once.
"""

from __future__ import annotations

from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from vpp.core.assets import Asset, Battery, Plant, SolarArray, WindTurbine

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RANGE_TOLERANCE = 1.2
"""A sound reading stays below this multiple of the rating: meters err by percents, and the edge of a cloud lifts
a PV array to 1.2 times what a clear sky gives."""
SLIP_OF_RATING = 10.0
"""No device runs at ten times its rating; a value there has lost its unit."""
SLIP_OF_USUAL = 3.0
"""A device that is not idle cannot run above three times its rating half of the time."""
SLIP_OF_OWN = 20.0
"""A value in W among values in kW is 1000 times its neighbours, so 20 times the channel's usual high value even
when it was itself only 2 % of that; a channel's own peaks stay within 10 times of it."""
UNUSUAL_LOAD_OF_SITE = 30.0
"""A load without a stated peak that usually draws this multiple of all other ratings of its site is taken for W."""
STANDBY_OF_RATING = 0.01
"""What an inverter draws at night, or a meter's offset: a negative reading this small is none."""
STANDBY_OF_TURBINE = 0.02
"""Pitch, yaw, cooling and heating of a resting wind turbine draw more."""
_FEWEST_FOR_OWN = 20


def rated_kw(asset: Asset) -> float:
    """Return the largest magnitude of an asset's power [kW]; infinite when it is not stated."""
    if isinstance(asset, Battery):
        return max(asset.charge_max_kw, asset.discharge_max_kw)
    return asset.peak_kw if asset.peak_kw > 0.0 else inf


def is_generator(asset: Asset) -> bool:
    """Return whether a file gives the asset's power as generation."""
    return isinstance(asset, (SolarArray, WindTurbine))


def standby_of_rating(asset: Asset) -> float:
    """Return the share of its rating by which an asset's one-way power may be negative."""
    return STANDBY_OF_TURBINE if isinstance(asset, WindTurbine) else STANDBY_OF_RATING


def bound_kw(plant: Plant, asset: Asset) -> float:
    """Return what an asset's usual power cannot exceed [kW]: its rating, else what its site suggests, else infinity."""
    rating_kw = rated_kw(asset)
    if isfinite(rating_kw):
        return rating_kw
    site = plant.site_of(asset.id)
    generation_kw = sum(generator.peak_kw for generator in site.generators)
    discharge_kw = sum(battery.discharge_max_kw for battery in site.batteries)
    supply_kw = site.connection.import_max_kw + generation_kw + discharge_kw
    if isfinite(supply_kw) and supply_kw > 0.0:
        return supply_kw
    others_kw = sum(rated_kw(other) for other in site.assets if isfinite(rated_kw(other)))
    return UNUSUAL_LOAD_OF_SITE / SLIP_OF_USUAL * others_kw if others_kw > 0.0 else inf


def whole_column_slipped(magnitude_kw: Floats, bound: float) -> bool:
    """Return whether a channel as a whole is too large by orders: its median while not idle is far over its bound."""
    busy = magnitude_kw[np.isfinite(magnitude_kw) & (magnitude_kw > 0.0)]
    return bool(busy.size and np.median(busy) > SLIP_OF_USUAL * bound)


def slipped_cells(magnitude_kw: Floats, rating_kw: float) -> Flags:
    """Return which single values are off by about 1000.

    Parameters
    ----------
    magnitude_kw : float array
        Magnitudes of power [kW]; NaN for missing.
    rating_kw : float
        The asset's rating [kW], infinite when unknown.

    Returns
    -------
    bool array
        True where a value is above ten times the rating, or above the rating and twenty times what the channel
        usually reaches (95th percentile of what is not idle).
    """
    known = np.nan_to_num(magnitude_kw, nan=0.0, posinf=inf)
    slipped: Flags = known > SLIP_OF_RATING * rating_kw
    busy = known[(known > 0.0) & ~slipped]
    if busy.size >= _FEWEST_FOR_OWN:
        usual_kw = float(np.quantile(busy, 0.95))
        over_rating = known > RANGE_TOLERANCE * rating_kw if isfinite(rating_kw) else True
        slipped = slipped | ((known > SLIP_OF_OWN * usual_kw) & over_rating)
    return slipped
