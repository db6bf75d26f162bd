"""Tariffs: the price of a kWh at a meter, by local time or from the spot market, with fee and tax.

Invariant: a price depends on the time of the step and on the spot price of that step alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.time import from_epoch_s, utc_offsets_s
from vpp.core.units import SECONDS_PER_DAY

Floats = NDArray[np.float64]
Seconds = NDArray[np.int64]

WEEKDAYS = frozenset(range(5))
WEEKENDS = frozenset((5, 6))
MINUTES_PER_DAY = 24 * 60
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class TariffPeriod:
    """One line of a time-of-use tariff on the local clock.

    Parameters
    ----------
    price_per_kwh : float
        Price before fee and tax [currency/kWh].
    months : frozenset of int
        Months it holds, 1 to 12.
    weekdays : frozenset of int
        Days it holds, Monday 0 to Sunday 6.
    start_minute, end_minute : int
        Minutes of the local day it holds from and before (0 to 1440); an end at or before the start wraps midnight.
    """

    price_per_kwh: float
    months: frozenset[int] = frozenset(range(1, 13))
    weekdays: frozenset[int] = WEEKDAYS | WEEKENDS
    start_minute: int = 0
    end_minute: int = MINUTES_PER_DAY


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price per kWh at a meter.

    Parameters
    ----------
    base : float, tuple of TariffPeriod, or None
        A flat price, a time-of-use tariff (the first line that fits holds), or None for the spot price.
    fee_per_kwh : float
        Added when drawing, subtracted when feeding in [currency/kWh].
    tax_fraction : float
        Tax on price and fee, 0 or more.
    feed_in : bool
        True for the price of energy fed in.
    """

    base: float | tuple[TariffPeriod, ...] | None
    fee_per_kwh: float = 0.0
    tax_fraction: float = 0.0
    feed_in: bool = False

    @property
    def needs_spot(self) -> bool:
        """True when the price follows the spot market."""
        return self.base is None

    def price_per_kwh(self, times_s: Seconds, *, timezone: ZoneInfo, spot_per_kwh: Floats) -> Floats:
        """Return the price of each step.

        Parameters
        ----------
        times_s : int array, shape (T,)
            Step starts [epoch s].
        timezone : ZoneInfo
            Zone of the tariff's clock.
        spot_per_kwh : float array, shape (T,)
            Spot price of each step; used only when the tariff follows it.

        Returns
        -------
        float array, shape (T,)
            Price [currency/kWh].

        Raises
        ------
        InvalidInputError
            When no line of a time-of-use tariff fits a step.
        """
        if self.base is None:
            base = np.asarray(spot_per_kwh, dtype=np.float64)
        elif isinstance(self.base, tuple):
            base = _time_of_use(self.base, times_s, timezone)
        else:
            base = np.full(np.shape(times_s), self.base)
        fee = -self.fee_per_kwh if self.feed_in else self.fee_per_kwh
        return (base + fee) * (1.0 + self.tax_fraction)


def _time_of_use(periods: tuple[TariffPeriod, ...], times_s: Seconds, timezone: ZoneInfo) -> Floats:
    local_s = times_s + utc_offsets_s(times_s, timezone)
    day, second = np.divmod(local_s, SECONDS_PER_DAY)
    minute = second // 60
    weekday = (day + _FIRST_WEEKDAY) % 7
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    price = np.full(times_s.shape, np.nan)
    for period in periods:
        if period.start_minute < period.end_minute:
            by_clock = (minute >= period.start_minute) & (minute < period.end_minute)
        else:
            by_clock = (minute >= period.start_minute) | (minute < period.end_minute)
        fits = by_clock & np.isin(month, list(period.months)) & np.isin(weekday, list(period.weekdays))
        price[np.isnan(price) & fits] = period.price_per_kwh
    if np.isnan(price).any():
        first = from_epoch_s(int(times_s[np.isnan(price)][0])).astimezone(timezone)
        raise InvalidInputError(
            "time_of_use",
            first.isoformat(),
            "a line for every time; end the list with one without months, days and clock",
        )
    return price
