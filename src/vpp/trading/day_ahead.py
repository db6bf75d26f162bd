"""The day-ahead auction: when prices are known, when offers close, and what a price taker is awarded.

A local day has 92, 96 or 100 quarter-hours; the calendar is the market's, everything else is UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import Award, Offer
from vpp.core.ports import SeriesTable
from vpp.core.series import align
from vpp.core.time import TimeGrid, local_clock, local_midnight

Floats = NDArray[np.float64]
PRODUCT = "day_ahead"


@dataclass(frozen=True, slots=True)
class DayAheadCalendar:
    """The local times that rule a day-ahead market.

    Parameters
    ----------
    timezone : ZoneInfo
        The market's zone.
    published : time or None
        Local time at which the prices of the next local day are known; None when prices are known without end.
    gate_closure : time or None
        Local time before which offers for the next local day must be in; None when nothing is offered.
    """

    timezone: ZoneInfo
    published: time | None
    gate_closure: time | None = None

    def known_until(self, moment: datetime) -> datetime | None:
        """Return the end (exclusive) of the prices known at ``moment``; None when they are known without end."""
        if self.published is None:
            return None
        days = 2 if moment >= local_clock(moment, self.timezone, self.published) else 1
        return local_midnight(moment, self.timezone, days=days)

    def delivery_day(self, moment: datetime, resolution_s: int) -> TimeGrid:
        """Return the steps of the local day after the one ``moment`` lies in."""
        start = local_midnight(moment, self.timezone, days=1)
        return TimeGrid.between(start, local_midnight(moment, self.timezone, days=2), resolution_s)

    def gate_closes_within(self, start: datetime, end: datetime) -> bool:
        """Tell whether the gate closes in ``(start, end]``: the tick at ``start`` is the last that can offer."""
        if self.gate_closure is None:
            return False
        closures = (local_clock(start, self.timezone, self.gate_closure, days=days) for days in (0, 1))
        return any(start < closure <= end for closure in closures)


class DayAheadAuction:
    """A simulated auction that a small seller cannot move: it takes every offer at the price that was.

    Parameters
    ----------
    prices : SeriesTable
        One column: the price of every step [currency/kWh]. The plant itself sees it only once published.
    """

    def __init__(self, prices: SeriesTable) -> None:
        self._prices = prices

    def submit(self, offer: Offer) -> Award:
        """Award the whole offer where the price is at or above its limit; nothing where there was no price."""
        price = align(self._prices.grid.times_s, self._prices.value[:, 0], offer.grid)
        limit = -np.inf if offer.price_per_kwh is None else offer.price_per_kwh
        taken = np.where(np.isfinite(price) & ((price >= limit) | (offer.power_kw < 0.0)), offer.power_kw, 0.0)
        return Award(offer.id, offer.plant, offer.product, offer.grid, taken, price)
