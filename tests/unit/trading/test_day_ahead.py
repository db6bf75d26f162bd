"""The day-ahead calendar on days of 23, 24 and 25 hours, and an auction that a small seller cannot move."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.messages import MARKET, PRICE_PER_KWH, Offer, SeriesKey
from vpp.core.ports import Market, SeriesTable
from vpp.core.time import TimeGrid
from vpp.trading.day_ahead import PRODUCT, DayAheadAuction, DayAheadCalendar

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
CALENDAR = DayAheadCalendar(AMSTERDAM, time(13), time(12))
SECOND = timedelta(seconds=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2016-05-04T00:00", "2016-05-05T00:00"),
        ("2016-05-04T12:59:59", "2016-05-05T00:00"),
        ("2016-05-04T13:00", "2016-05-06T00:00"),
        ("2016-05-04T23:59:59", "2016-05-06T00:00"),
        ("2016-05-05T00:00", "2016-05-06T00:00"),
        ("2016-03-26T13:00", "2016-03-28T00:00"),  # the next day has 23 hours
        ("2016-03-27T12:59:59", "2016-03-28T00:00"),
        ("2016-03-27T13:00", "2016-03-29T00:00"),
        ("2016-10-29T13:00", "2016-10-31T00:00"),  # the next day has 25 hours
        ("2016-10-30T12:59:59", "2016-10-31T00:00"),
        ("2016-10-30T13:00", "2016-11-01T00:00"),
    ],
)
def test_prices_are_known_from_their_publication(now: str, until: str) -> None:
    assert CALENDAR.known_until(local(now)) == local(until)


def test_without_a_publication_there_is_no_end() -> None:
    assert DayAheadCalendar(AMSTERDAM, None).known_until(local("2016-05-04T00:00")) is None


@given(minute=st.integers(0, 366 * 24 * 60), more=st.integers(0, 3000))
def test_what_is_known_never_shrinks_and_reaches_11_to_36_hours(minute: int, more: int) -> None:
    now = datetime(2016, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    until, later = CALENDAR.known_until(now), CALENDAR.known_until(now + timedelta(minutes=more))
    assert until is not None
    assert later is not None
    assert until <= later
    assert timedelta(hours=11) < until - now <= timedelta(hours=36)


@pytest.mark.parametrize(
    ("now", "resolution_s", "first", "steps"),
    [
        ("2016-05-04T12:00", 900, "2016-05-05T00:00", 96),
        ("2016-05-04T23:59:59", 900, "2016-05-05T00:00", 96),
        ("2016-05-05T00:00", 900, "2016-05-06T00:00", 96),
        ("2016-03-26T11:45", 900, "2016-03-27T00:00", 92),
        ("2016-03-27T11:45", 900, "2016-03-28T00:00", 96),
        ("2016-10-29T11:45", 900, "2016-10-30T00:00", 100),
        ("2016-10-29T11:45", 3600, "2016-10-30T00:00", 25),
    ],
)
def test_the_day_of_delivery(now: str, resolution_s: int, first: str, steps: int) -> None:
    grid = CALENDAR.delivery_day(local(now), resolution_s)
    assert (grid.start, grid.count, grid.resolution_s) == (local(first), steps, resolution_s)


@pytest.mark.parametrize(
    ("start", "end", "closes"),
    [
        ("2016-05-04T11:45", "2016-05-04T12:00", True),  # the last tick that can offer
        ("2016-05-04T11:59:59", "2016-05-04T12:00", True),
        ("2016-05-04T12:00", "2016-05-04T12:15", False),  # at the closure it is too late
        ("2016-05-04T11:30", "2016-05-04T11:45", False),
        ("2016-05-04T11:45", "2016-05-04T11:59:59", False),
        ("2016-05-04T23:00", "2016-05-05T00:00", False),
        ("2016-05-04T23:00", "2016-05-05T12:00", True),
        ("2016-03-27T11:45", "2016-03-27T12:00", True),
        ("2016-10-30T11:00", "2016-10-30T12:00", True),
    ],
)
def test_the_gate(start: str, end: str, closes: bool) -> None:
    assert CALENDAR.gate_closes_within(local(start), local(end)) is closes
    assert DayAheadCalendar(AMSTERDAM, time(13)).gate_closes_within(local(start), local(end)) is False


@pytest.mark.parametrize("step_min", [5, 15, 30, 60])
@pytest.mark.parametrize("first", ["2016-03-20T00:00", "2016-10-25T00:00"])
def test_of_the_ticks_of_a_week_one_a_day_is_the_last_before_the_gate(first: str, step_min: int) -> None:
    step = timedelta(minutes=step_min)
    ticks = [local(first) + i * step for i in range(10 * 24 * 60 // step_min)]
    last = [tick.astimezone(AMSTERDAM) for tick in ticks if CALENDAR.gate_closes_within(tick, tick + step)]
    assert len({tick.date() for tick in last}) == len(last) == 10
    assert all((tick.astimezone(UTC) + step).astimezone(AMSTERDAM).time() == time(12) for tick in last)


# --- the auction

GRID = TimeGrid(datetime(2016, 5, 4, 22, tzinfo=UTC), 3600, 4)


def auction(values: list[float]) -> DayAheadAuction:
    grid = TimeGrid(GRID.start, GRID.resolution_s, len(values))
    return DayAheadAuction(SeriesTable(grid, (SeriesKey(MARKET, PRICE_PER_KWH),), np.array(values)[:, None]))


@pytest.mark.parametrize(
    ("limit", "taken"),
    [
        (None, [1.0, 2.0, 0.0, -4.0]),
        (0.03, [0.0, 2.0, 0.0, -4.0]),  # at or above its limit; what is bought is bought at any price
        (0.031, [0.0, 0.0, 0.0, -4.0]),
        (-1.0, [1.0, 2.0, 0.0, -4.0]),
    ],
)
def test_what_is_taken(limit: float | None, taken: list[float]) -> None:
    offer = Offer("o", "p", PRODUCT, GRID.start, GRID, np.array([1.0, 2.0, 3.0, -4.0]), limit)
    award = auction([-0.01, 0.03, np.nan, 0.5]).submit(offer)
    assert award.power_kw.tolist() == taken
    assert (award.offer_id, award.plant, award.product, award.grid) == ("o", "p", PRODUCT, GRID)
    np.testing.assert_array_equal(award.price_per_kwh, [-0.01, 0.03, np.nan, 0.5])


def test_beyond_its_prices_it_takes_nothing() -> None:
    market = auction([0.03, 0.04])
    assert isinstance(market, Market)
    award = market.submit(Offer("o", "p", PRODUCT, GRID.start, GRID, np.ones(4)))
    assert award.power_kw.tolist() == [1.0, 1.0, 0.0, 0.0]
