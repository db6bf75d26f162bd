"""Bidding: before the gate closes, the schedule of the next local day is sold to the day-ahead market."""

from __future__ import annotations

from datetime import datetime, timedelta

from vpp.core.errors import MissingDataError
from vpp.core.messages import Award, Offer
from vpp.core.ports import Market, Store
from vpp.runtime.planning import Forecasts, PlanningService
from vpp.runtime.setup import Setup
from vpp.trading.day_ahead import PRODUCT


class BiddingService:
    """Offers the plant's planned exchange at the last tick before the gate closes.

    Parameters
    ----------
    setup : Setup
        The plant.
    planning : PlanningService
        Says what the plant would deliver.
    market : Market or None
        Takes offers; None when the plant does not sell day-ahead.
    store : Store
        Where awards go.

    Attributes
    ----------
    missed : str or None
        Why nothing was offered though the gate was closing, in words; None while no offer was missed.
    """

    def __init__(self, setup: Setup, planning: PlanningService, market: Market | None, store: Store) -> None:
        self._setup = setup
        self._planning = planning
        self._market = market
        self._store = store
        self._awards: list[Award] = []
        self.missed: str | None = None

    def awards(self, now: datetime) -> list[Award]:
        """Return the positions that still matter for plans made now."""
        self._awards = [award for award in self._awards if award.grid.end > now]
        return list(self._awards)

    def run(self, now: datetime, forecasts: Forecasts) -> Award | None:
        """Sell the next local day if the gate closes before the next tick; return what was awarded."""
        self.missed = None
        step = timedelta(seconds=self._setup.resolution_s)
        if self._market is None or not self._setup.calendar.gate_closes_within(now, now + step):
            return None
        day = self._setup.calendar.delivery_day(now, self._setup.resolution_s)
        try:
            outlook = self._planning.outlook(now, day.end, forecasts, self.awards(now))
        except MissingDataError as fault:
            self.missed = str(fault)
            return None
        if not outlook.usable:
            self.missed = f"no plan to sell ({outlook.status}): {outlook.message}"
            return None
        if outlook.grid.end < day.end:  # recorded data end before the day does
            return None
        rows = slice(outlook.grid.index(day.start), outlook.grid.index(day.start) + day.count)
        sold_kw = (outlook.export_kw[rows] - outlook.import_kw[rows]).sum(axis=1)
        offer = Offer(f"{PRODUCT}-{day.start:%Y%m%dT%H%M}", self._setup.plant.id, PRODUCT, now, day, sold_kw)
        award = self._market.submit(offer)
        self._awards.append(award)
        self._store.write_award(award)
        return award
