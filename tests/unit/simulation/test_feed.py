"""The market feed: nothing is told before its publication, and everything once."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.messages import MARKET, PRICE_PER_KWH, Command, SeriesKey
from vpp.core.ports import Device, SeriesTable
from vpp.core.time import TimeGrid, local_clock, local_midnight
from vpp.simulation.feed import ReplayedFeed

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
START = datetime(2016, 3, 25, 23, tzinfo=UTC)  # local midnight of 26 March; the 27th has 23 hours
PRICE = SeriesKey(MARKET, PRICE_PER_KWH)


def known_until(moment: datetime) -> datetime:
    days = 2 if moment >= local_clock(moment, AMSTERDAM, time(13)) else 1
    return local_midnight(moment, AMSTERDAM, days=days)


def feed(values: list[float] | None = None, known=known_until) -> ReplayedFeed:
    prices = np.arange(71.0) if values is None else np.array(values)
    return ReplayedFeed("p", SeriesTable(TimeGrid(START, 3600, prices.size), (PRICE,), prices[:, None]), known)


@pytest.mark.parametrize(
    ("hours", "known"),
    [
        (0, 24),
        (12.99, 24),  # before 13:00 local
        (13, 24 + 23),  # at 13:00 the next day, of 23 hours
        (24, 47),
        (24 + 11.99, 47),  # on the short day 13:00 is twelve hours after midnight
        (24 + 12, 47 + 24),
        (999, 71),
    ],
)
def test_only_what_is_published_is_told(hours: float, known: int) -> None:
    now = START + timedelta(hours=hours)
    readings, acks = feed().poll(now)
    assert readings is not None
    assert readings.value.tolist() == list(range(known))
    assert readings.time_s[-1] == int(START.timestamp()) + 3600 * (known - 1)
    assert (readings.arrived_s == int(now.timestamp())).all()
    assert acks == []


def test_nothing_before_its_span_and_nothing_twice() -> None:
    source = feed()
    assert source.poll(START - timedelta(days=3)) == (None, [])
    readings, _ = source.poll(START - timedelta(hours=1))  # the evening before: this day is published
    assert readings is not None
    assert len(readings) == 24
    assert source.poll(START) == (None, [])
    assert source.poll(START + timedelta(hours=12)) == (None, [])
    later, _ = source.poll(START + timedelta(hours=13))
    assert later is not None
    assert later.value.tolist() == list(range(24, 47))


def test_without_a_publication_everything_is_known() -> None:
    readings, _ = feed(known=lambda _: None).poll(START - timedelta(days=99))
    assert readings is not None
    assert len(readings) == 71


def test_hours_without_a_price_are_left_out() -> None:
    readings, _ = feed([1.0, np.nan, 3.0], known=lambda _: None).poll(START)
    assert readings is not None
    assert readings.value.tolist() == [1.0, 3.0]


def test_it_is_a_device_that_commands_nothing() -> None:
    source = feed()
    assert isinstance(source, Device)
    assert source.asset_ids == ()
    source.execute(Command("c", "p", "b", START, START, START + timedelta(hours=1), 1.0))
    assert source.poll(START)[1] == []
