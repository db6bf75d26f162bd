"""Wholesale prices: a day-ahead market with its shape, spikes and negative hours, and the intraday market around it.

Invariant: the same seed, grid and process give the same bytes; the quarter-hours of an hour average to its price.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.core.time import TimeGrid
from vpp.core.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.simulation.market.fitted import NL_2019
from vpp.simulation.market.process import HOURS, SeasonalProcess, Seconds, fit_process, hours_of
from vpp.simulation.seeds import generator

Floats = NDArray[np.float64]

RENEWABLE_CORRELATION = 0.5
PRODUCTS_S = (900, 1800, 3600)


def fit_prices(times_s: Seconds, price_per_kwh: Floats, *, timezone: ZoneInfo, source: str) -> SeasonalProcess:
    """Return the price process of an hourly series of day-ahead prices.

    Parameters
    ----------
    times_s : int array, shape (T,)
        Starts of consecutive hours [epoch s], eight weeks of them or more.
    price_per_kwh : float array, shape (T,)
        Prices; NaN where none is known.
    timezone : ZoneInfo
        The clock of the market.
    source : str
        What the series is.

    Raises
    ------
    SeriesMismatchError, MissingDataError
        As ``fit_process``.
    """
    return fit_process(times_s, price_per_kwh, timezone=timezone, source=source)


def day_ahead_prices(
    grid: TimeGrid,
    *,
    timezone: ZoneInfo,
    seed: int,
    process: SeasonalProcess = NL_2019,
    product_s: int = SECONDS_PER_HOUR,
    renewable_share: ArrayLike | None = None,
    renewable_correlation: float = RENEWABLE_CORRELATION,
) -> Floats:
    """Return day-ahead prices.

    Parameters
    ----------
    grid : TimeGrid
        The steps, T of them.
    timezone : ZoneInfo
        The clock of the market: prices follow the local day and week.
    seed : int
        Seed of the simulation.
    process : SeasonalProcess
        What the prices are like; by default those of the Netherlands in 2019.
    product_s : int
        Length of the products traded: 3600, 1800 or 900. Products shorter than an hour rise and fall with the hours
        around them; steps that a product does not fill share its price.
    renewable_share : float array, shape (T,), or None
        Share of wind and sun in the demand, or any measure of them: prices are lower when there is more than usual
        for the hour of the day.
    renewable_correlation : float
        Size of that (negative) correlation, 0 to 1; it does not change how prices are distributed.

    Returns
    -------
    float array, shape (T,)
        Price [currency/kWh]; spikes and negative hours as in the process.

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When a value is out of its range, or the renewable share does not have one value per step.

    Examples
    --------
    >>> from vpp.core.time import parse_time, zone
    >>> year = TimeGrid(parse_time("2024-01-01T00:00Z"), 3600, 8784)
    >>> prices = day_ahead_prices(year, timezone=zone("Europe/Amsterdam"), seed=1)
    >>> bool(0.037 < prices.mean() < 0.045)
    True
    """
    if product_s not in PRODUCTS_S:
        raise InvalidInputError("product_s", product_s, f"one of {PRODUCTS_S} [s]")
    if not 0.0 <= renewable_correlation <= 1.0:
        raise InvalidInputError("renewable_correlation", renewable_correlation, "0 to 1")
    hours_s, hour_of_step = hours_of(grid)
    pull = None
    if renewable_share is not None:
        share = np.asarray(renewable_share, dtype=np.float64)
        if share.shape != (grid.count,):
            raise SeriesMismatchError("renewable_share", share.shape, f"shape ({grid.count},), one value per step")
        if not np.isfinite(share).all():
            raise InvalidInputError("renewable_share", float("nan"), "numbers; decide what a missing value means")
        hourly = np.bincount(hour_of_step, weights=share) / np.bincount(hour_of_step)
        pull = -renewable_correlation * _unusual(hourly, hours_s)
    hourly_price = process.sample(hours_s, timezone=timezone, rng=generator(seed, "day-ahead"), pull=pull)
    if product_s == SECONDS_PER_HOUR or hours_s.size < 2:
        return hourly_price[hour_of_step]
    middle_s = (grid.times_s - hours_s[0]) // product_s * product_s + product_s / 2.0
    from_middle_h = middle_s / SECONDS_PER_HOUR - hour_of_step - 0.5
    return np.asarray(hourly_price[hour_of_step] + np.gradient(hourly_price)[hour_of_step] * from_middle_h)


def _unusual(hourly: Floats, hours_s: Seconds) -> Floats:
    """Return by how many standard deviations each hour differs from the mean of its hour of the day."""
    hour = hours_s % SECONDS_PER_DAY // SECONDS_PER_HOUR
    count = np.maximum(np.bincount(hour, minlength=HOURS), 1)
    rest = hourly - (np.bincount(hour, weights=hourly, minlength=HOURS) / count)[hour]
    spread = float(rest.std())
    return rest / spread if spread > 0.0 else np.zeros_like(rest)


def intraday_prices(
    day_ahead_per_kwh: ArrayLike,
    grid: TimeGrid,
    *,
    seed: int,
    spread_fraction: float = 0.35,
    memory_h: float = 4.0,
) -> Floats:
    """Return intraday prices: the day-ahead price and what was learned since.

    What was learned is a first-order memory with mean 0. The defaults are an assumption, not fitted to a market: no
    intraday series that may be redistributed was at hand.

    Parameters
    ----------
    day_ahead_per_kwh : float array, shape (T,)
        Day-ahead price of each step.
    grid : TimeGrid
        The steps, T of them.
    seed : int
        Seed of the simulation.
    spread_fraction : float
        Standard deviation of the difference, per standard deviation of the day-ahead price, 0 or more.
    memory_h : float
        Its time constant [h], above 0.

    Returns
    -------
    float array, shape (T,)
        Price [currency/kWh].

    Raises
    ------
    InvalidInputError, SeriesMismatchError
        When a value is out of its range, or there is not one price per step.
    """
    day_ahead = np.asarray(day_ahead_per_kwh, dtype=np.float64)
    if day_ahead.shape != (grid.count,):
        raise SeriesMismatchError("day_ahead_per_kwh", day_ahead.shape, f"shape ({grid.count},), one price per step")
    if not 0.0 <= spread_fraction < np.inf:
        raise InvalidInputError("spread_fraction", spread_fraction, "0 or more")
    if not 0.0 < memory_h < np.inf:
        raise InvalidInputError("memory_h", memory_h, "above 0 [h]")
    if not grid.count:
        return day_ahead
    kept = np.exp(-grid.duration_h / memory_h)
    noise = generator(seed, "intraday").standard_normal(grid.count)
    noise[1:] *= np.sqrt(1.0 - kept**2)
    learned = lfilter([1.0], [1.0, -kept], noise)
    return np.asarray(day_ahead + spread_fraction * day_ahead.std() * learned, dtype=np.float64)
