"""Retail prices: what a supplier makes of a wholesale price, series by series.

These are inputs of a simulation. What a plant's own tariff costs is evaluated where contracts are settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.time import TimeGrid, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY

Floats = NDArray[np.float64]


def dynamic_price_per_kwh(
    wholesale_per_kwh: ArrayLike, *, adder_per_kwh: ArrayLike = 0.0, tax_fraction: float = 0.0
) -> Floats:
    """Return the price of a dynamic contract: ``(wholesale + adders) * (1 + tax)``.

    Parameters
    ----------
    wholesale_per_kwh : float array, shape (T,)
        Wholesale price of each step.
    adder_per_kwh : float or array, shape (T,)
        Supplier's margin, network fee and levies [currency/kWh]; an array for a network fee by time of use.
    tax_fraction : float
        Tax on all of it, 0 to 2.

    Raises
    ------
    InvalidInputError
        When the tax is out of its range.

    Examples
    --------
    >>> dynamic_price_per_kwh([0.10, -0.05], adder_per_kwh=0.05, tax_fraction=0.2).round(9).tolist()
    [0.18, 0.0]
    """
    if not 0.0 <= tax_fraction <= 2.0:
        raise InvalidInputError("tax_fraction", tax_fraction, "0 to 2")
    price = np.asarray(wholesale_per_kwh, dtype=np.float64) + np.asarray(adder_per_kwh)
    return np.asarray(price * (1.0 + tax_fraction), dtype=np.float64)


def time_of_use_price_per_kwh(labels: NDArray[np.str_], price_per_kwh: Mapping[str, float]) -> Floats:
    """Return the price of each step from its label.

    Raises
    ------
    UnknownNameError
        When a label has no price.

    Examples
    --------
    >>> time_of_use_price_per_kwh(np.array(["peak", "off_peak"]), {"peak": 0.4, "off_peak": 0.2}).tolist()
    [0.4, 0.2]
    """
    names, back = np.unique(labels, return_inverse=True)
    for name in names.tolist():
        if name not in price_per_kwh:
            raise UnknownNameError("priced period", name, price_per_kwh)
    return np.array([price_per_kwh[name] for name in names.tolist()], dtype=np.float64)[back]


def feed_in_price_per_kwh(
    wholesale_per_kwh: ArrayLike, *, floor_per_kwh: float, wholesale_share: float = 0.0, none_below_zero: bool = False
) -> Floats:
    """Return what a kWh fed in earns: at least a guaranteed rate.

    Parameters
    ----------
    wholesale_per_kwh : float array, shape (T,)
        Wholesale price of each step.
    floor_per_kwh : float
        Guaranteed rate [currency/kWh]; the whole of a fixed feed-in tariff.
    wholesale_share : float
        Share of the wholesale price paid where that is more, 0 (fixed) to 1 (market premium).
    none_below_zero : bool
        True where nothing is paid while the wholesale price is negative.

    Raises
    ------
    InvalidInputError
        When the share is out of its range.

    Examples
    --------
    >>> feed_in_price_per_kwh([0.12, 0.02, -0.01], floor_per_kwh=0.08, wholesale_share=1.0).tolist()
    [0.12, 0.08, 0.08]
    """
    if not 0.0 <= wholesale_share <= 1.0:
        raise InvalidInputError("wholesale_share", wholesale_share, "0 to 1")
    wholesale = np.asarray(wholesale_per_kwh, dtype=np.float64)
    paid = np.maximum(wholesale_share * wholesale, floor_per_kwh)
    return np.asarray(np.where(none_below_zero & (wholesale < 0.0), 0.0, paid), dtype=np.float64)


def demand_charge(
    import_kw: ArrayLike, grid: TimeGrid, *, timezone: ZoneInfo, rate_per_kw: float, counted: ArrayLike = True
) -> dict[str, float]:
    """Return what the highest import of each local month costs.

    Parameters
    ----------
    import_kw : float array, shape (T,)
        Power drawn at the meter, 0 or more: mean of each step.
    grid : TimeGrid
        The steps, T of them; their length is that over which the meter averages.
    timezone : ZoneInfo
        The clock of the months.
    rate_per_kw : float
        Price of a month's peak [currency/kW], 0 or more.
    counted : bool or array, shape (T,)
        Steps that count, e.g. those of the peak period.

    Returns
    -------
    dict of str to float
        Charge by local month, e.g. ``{"2024-01": 120.0}``; 0 where no step counted.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When the power or the rate is below 0, or there is not one power per step.
    """
    power = np.asarray(import_kw, dtype=np.float64)
    if power.shape != (grid.count,):
        raise SeriesMismatchError("import_kw", power.shape, f"shape ({grid.count},), one power per step")
    if not (power >= 0.0).all():
        raise InvalidInputError("import_kw", float(power.min()), "0 or more [kW]")
    if not 0.0 <= rate_per_kw < np.inf:
        raise InvalidInputError("rate_per_kw", rate_per_kw, "0 or more [currency/kW]")
    local_s = grid.times_s + utc_offsets_s(grid.times_s, timezone)
    month = (local_s // SECONDS_PER_DAY).astype("datetime64[D]").astype("datetime64[M]")
    months, back = np.unique(month, return_inverse=True)
    peak_kw = np.zeros(months.size)
    np.maximum.at(peak_kw, back, np.where(np.asarray(counted, dtype=np.bool_), power, 0.0))
    return {str(name): float(kw * rate_per_kw) for name, kw in zip(months, peak_kw, strict=True)}
