from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from vpp.core.messages import Award, Forecast, Offer, PlanStatus, Schedule, SeriesKey
from vpp.core.ports import Planner
from vpp.core.time import TimeGrid
from vpp.optimization.outcome import without_plan
from vpp.optimization.problem import PlanProblem
from vpp.runtime.bidding import BiddingService
from vpp.runtime.build import assemble, planner_of, price_book
from vpp.runtime.planning import PlanningService, ProblemBuilder
from vpp.runtime.setup import Setup
from vpp.store.memory import MemoryStore

PRICES = {
    "import": {"price_per_kwh": 0.3},
    "export": {"price_per_kwh": 0.07},
    "published": "13:00",
    "day_ahead": {"gate_closure": "12:00", "imbalance_spread_per_kwh": 0.01},
}


class _Market:
    """Takes everything and remembers it."""

    def __init__(self) -> None:
        self.offers: list[Offer] = []

    def submit(self, offer: Offer) -> Award:
        self.offers.append(offer)
        return Award(offer.id, offer.plant, offer.product, offer.grid, offer.power_kw, np.full(offer.grid.count, 0.1))


@pytest.fixture
def desk(
    home: Callable[..., Setup], forecasts_of: Callable[..., dict[SeriesKey, Forecast]]
) -> Callable[[datetime, int], tuple[_Market, MemoryStore, BiddingService]]:
    """Tick a desk for some hours and return what it did."""

    def tick(start: datetime, hours: int, forecast_h: float = 48.0) -> tuple[_Market, MemoryStore, BiddingService]:
        setup, store, market = home(prices=PRICES), MemoryStore(), _Market()
        builder = ProblemBuilder(setup, store, price_book(setup, store))
        planning = PlanningService(setup, builder, planner_of("no_battery"), store, every_s=3600)
        service = BiddingService(setup, planning, market, store)
        for now in TimeGrid(start, 900, hours * 4):
            service.run(now, forecasts_of(setup, now, hours=forecast_h))
        return market, store, service

    return tick


@pytest.mark.parametrize(
    ("start", "steps"),
    [
        ("2024-03-29T23:00Z", 92),  # the day sold, 31 March, loses an hour
        ("2024-05-05T22:00Z", 96),
        ("2024-10-25T22:00Z", 100),  # 27 October gains one
    ],
)
def test_one_offer_before_the_gate_covers_the_local_day(
    desk: Callable[..., tuple[_Market, MemoryStore, BiddingService]], start: str, steps: int
) -> None:
    begin = datetime.fromisoformat(start)
    market, store, _ = desk(begin, 24)
    (offer,) = market.offers
    gate = begin + timedelta(hours=12)
    assert gate - timedelta(minutes=15) <= offer.issued_at < gate
    assert (offer.grid.count, offer.grid.resolution_s) == (steps, 900)
    assert offer.grid.start == begin + timedelta(hours=24)
    assert offer.power_kw == pytest.approx(np.full(steps, -0.5)), "1 kW of load less 0.5 kW of sun"
    (award,) = store.awards("home", begin, begin + timedelta(days=3))
    assert award.offer_id == offer.id


def test_every_day_has_one_offer_and_the_days_meet(
    desk: Callable[..., tuple[_Market, MemoryStore, BiddingService]],
) -> None:
    market, _, _ = desk(datetime(2024, 10, 24, 22, tzinfo=UTC), 5 * 24)
    assert [offer.grid.count for offer in market.offers] == [96, 100, 96, 96, 96]
    for before, after in zip(market.offers, market.offers[1:], strict=False):
        assert before.grid.end == after.grid.start
    assert len({offer.id for offer in market.offers}) == 5


def test_positions_are_kept_until_they_are_delivered(
    desk: Callable[..., tuple[_Market, MemoryStore, BiddingService]],
) -> None:
    begin = datetime(2024, 5, 5, 22, tzinfo=UTC)
    _, _, service = desk(begin, 24)
    assert len(service.awards(begin + timedelta(hours=47, minutes=45))) == 1
    assert service.awards(begin + timedelta(hours=48)) == []


class _NoWay:
    """Finds every problem infeasible."""

    name = "no way"

    def plan(self, problem: PlanProblem) -> Schedule:
        return without_plan(problem, PlanStatus.INFEASIBLE, method=self.name, message="the load is above the limit")


@pytest.mark.parametrize(
    ("planner", "forecast_h", "missed"),
    [
        (planner_of("no_battery"), 48.0, None),
        (planner_of("no_battery"), 30.0, "ends before the plan does"),
        (_NoWay(), 48.0, "no plan to sell (infeasible): the load is above the limit"),
    ],
)
def test_a_missed_gate_says_why(
    home: Callable[..., Setup],
    forecasts_of: Callable[..., dict[SeriesKey, Forecast]],
    planner: Planner[PlanProblem],
    forecast_h: float,
    missed: str | None,
) -> None:
    setup, store, market = home(prices=PRICES), MemoryStore(), _Market()
    planning = PlanningService(setup, ProblemBuilder(setup, store, price_book(setup, store)), planner, store, every_s=1)
    service = BiddingService(setup, planning, market, store)
    gate = datetime(2024, 5, 6, 9, 45, tzinfo=UTC)
    service.run(gate, forecasts_of(setup, gate, hours=forecast_h))
    assert bool(market.offers) is (missed is None)
    assert (service.missed or "").endswith(missed or "")
    assert (service.missed is None) is (missed is None)
    service.run(gate + timedelta(hours=1), {})
    assert service.missed is None, "an hour later no gate closes"


def test_a_missed_gate_is_an_event(
    home: Callable[..., Setup], forecasts_of: Callable[..., dict[SeriesKey, Forecast]]
) -> None:
    setup, store = home(prices=PRICES), MemoryStore()
    gate = datetime(2024, 5, 6, 9, 45, tzinfo=UTC)
    flat = SimpleNamespace(run=lambda now: [], latest=forecasts_of(setup, gate))
    loop = assemble(setup, store, [], planner=_NoWay(), forecasts=flat, market=_Market()).loop
    loop.tick(gate)
    assert {event.kind for event in store.events("home")} == {"no_plan", "no_offer"}


def test_without_a_market_nothing_is_offered(home: Callable[..., Setup]) -> None:
    setup, store = home(prices=PRICES), MemoryStore()
    builder = ProblemBuilder(setup, store, price_book(setup, store))
    planning = PlanningService(setup, builder, planner_of("no_battery"), store, every_s=3600)
    assert BiddingService(setup, planning, None, store).run(datetime(2024, 5, 6, 9, 45, tzinfo=UTC), {}) is None
