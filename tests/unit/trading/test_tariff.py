"""Tariffs: the first line that fits, on the local clock through every change of it; fee and tax on both sides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.time import local_day
from vpp.trading.tariff import WEEKDAYS, WEEKENDS, Tariff, TariffPeriod

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
REST = TariffPeriod(0.2)


def prices(
    tariff: Tariff, times_s: np.ndarray, spot: np.ndarray | None = None, zone: ZoneInfo = AMSTERDAM
) -> np.ndarray:
    spot = np.full(times_s.shape, np.nan) if spot is None else spot
    return tariff.price_per_kwh(times_s, timezone=zone, spot_per_kwh=spot)


def at(*local: int) -> np.ndarray:
    return np.array([int(datetime(*local, tzinfo=AMSTERDAM).timestamp())])


def minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


@pytest.mark.parametrize(
    ("day", "quarters", "dear"),
    [
        (date(2016, 3, 26), 96, 20),
        (date(2016, 3, 27), 92, 20),  # the hour from 2:00 does not exist
        (date(2016, 10, 30), 100, 20),  # the hour from 2:00 comes twice
        (date(2016, 10, 31), 96, 20),
    ],
)
def test_the_evening_is_dear_on_every_length_of_day(day: date, quarters: int, dear: int) -> None:
    tariff = Tariff((TariffPeriod(0.5, start_minute=minutes("16:00"), end_minute=minutes("21:00")), REST))
    grid = local_day(day, AMSTERDAM)
    price = prices(tariff, grid.times_s)
    assert price.size == quarters
    assert (price == 0.5).sum() == dear
    local = [time.astimezone(AMSTERDAM).hour for time in grid]
    assert [p == 0.5 for p in price] == [16 <= hour < 21 for hour in local]


@pytest.mark.parametrize(("day", "quarters"), [(date(2016, 3, 27), 0), (date(2016, 10, 30), 8), (date(2016, 5, 1), 4)])
def test_the_hour_of_the_change(day: date, quarters: int) -> None:
    tariff = Tariff((TariffPeriod(0.5, start_minute=minutes("02:00"), end_minute=minutes("03:00")), REST))
    assert (prices(tariff, local_day(day, AMSTERDAM).times_s) == 0.5).sum() == quarters


@pytest.mark.parametrize(
    ("start", "end", "inside", "outside"),
    [
        ("16:00", "21:00", ["16:00", "20:59"], ["15:59", "21:00", "00:00"]),
        ("22:00", "06:00", ["22:00", "23:59", "00:00", "05:59"], ["21:59", "06:00", "12:00"]),  # over midnight
        ("22:00", "00:00", ["22:00", "23:59"], ["21:59", "00:00"]),
        ("00:00", "24:00", ["00:00", "12:00", "23:59"], []),
        ("07:00", "07:00", ["07:00", "06:59", "00:00"], []),  # once round the clock
        ("00:00", "00:00", ["00:00", "23:59"], []),
    ],
)
def test_a_span_of_the_clock(start: str, end: str, inside: list[str], outside: list[str]) -> None:
    tariff = Tariff((TariffPeriod(0.5, start_minute=minutes(start), end_minute=minutes(end)), REST))
    for clock, price in [*((c, 0.5) for c in inside), *((c, 0.2) for c in outside)]:
        assert prices(tariff, at(2016, 5, 4, *divmod(minutes(clock), 60))) == [price]


def test_the_first_line_that_fits_holds() -> None:
    summer = TariffPeriod(0.4, months=frozenset({6, 7, 8}))
    weekend = TariffPeriod(0.3, weekdays=WEEKENDS)
    a_saturday_in_july = at(2016, 7, 2, 12)
    assert prices(Tariff((summer, weekend, REST)), a_saturday_in_july) == [0.4]
    assert prices(Tariff((weekend, summer, REST)), a_saturday_in_july) == [0.3]
    assert prices(Tariff((REST, weekend, summer)), a_saturday_in_july) == [0.2]


@pytest.mark.parametrize(
    ("local", "price"),
    [
        ((2016, 1, 1, 0), 0.1),  # a Friday, in UTC still of December
        ((2015, 12, 31, 23), 0.2),
        ((2016, 1, 31, 23), 0.3),  # a Sunday
        ((2016, 2, 1, 0), 0.2),
        ((2016, 1, 2, 0), 0.3),
        ((2016, 1, 4, 0), 0.1),
    ],
)
def test_months_and_weekdays_are_local(local: tuple[int, ...], price: float) -> None:
    january = frozenset({1})
    tariff = Tariff((TariffPeriod(0.1, january, WEEKDAYS), TariffPeriod(0.3, january, WEEKENDS), REST))
    assert prices(tariff, at(*local)) == [price]


def test_a_time_without_a_line_is_an_error_that_names_it() -> None:
    tariff = Tariff((TariffPeriod(0.5, start_minute=0, end_minute=minutes("21:00")),))
    assert prices(tariff, at(2016, 5, 4, 20, 59)) == [0.5]
    with pytest.raises(InvalidInputError, match=r"2016-05-04T21:00:00\+02:00.*a line for every time"):
        prices(tariff, np.concatenate([at(2016, 5, 4, 20), at(2016, 5, 4, 21)]))


@pytest.mark.parametrize(
    ("tariff", "price"),
    [
        (Tariff(0.3), 0.3),
        (Tariff(0.3, 0.02, 0.5), 0.48),
        (Tariff(None, 0.02, 0.5), 0.18),
        (Tariff((REST,), 0.02, 0.5), 0.33),
        (Tariff(None, 0.02, 0.0, feed_in=True), 0.08),
        (Tariff(0.05, 0.02, 0.5, feed_in=True), 0.045),
        (Tariff(0.01, 0.02, feed_in=True), -0.01),
    ],
)
def test_fee_and_tax(tariff: Tariff, price: float) -> None:
    assert prices(tariff, at(2016, 5, 4, 12), np.array([0.1])) == pytest.approx([price])


@pytest.mark.parametrize(("tariff", "needed"), [(Tariff(None), True), (Tariff(0.0), False), (Tariff((REST,)), False)])
def test_who_needs_the_spot_price(tariff: Tariff, needed: bool) -> None:
    assert tariff.needs_spot is needed
    assert np.isnan(prices(tariff, at(2016, 5, 4, 12))).all() == needed


def reference(periods: tuple[TariffPeriod, ...], second: int, zone: ZoneInfo) -> float | None:
    """Ask the calendar for one moment, line by line."""
    local = datetime.fromtimestamp(second, UTC).astimezone(zone)
    minute = local.hour * 60 + local.minute
    for period in periods:
        start, end = period.start_minute, period.end_minute
        inside = start <= minute < end if start < end else minute >= start or minute < end
        if inside and local.month in period.months and local.weekday() in period.weekdays:
            return period.price_per_kwh
    return None


lines = st.builds(
    TariffPeriod,
    st.floats(-1, 1),
    st.frozensets(st.integers(1, 12), min_size=1),
    st.sampled_from([WEEKDAYS, WEEKENDS, WEEKDAYS | WEEKENDS]),
    st.integers(0, 1439),
    st.integers(0, 1440),
)


@given(
    periods=st.lists(lines, max_size=4).map(lambda made: (*made, TariffPeriod(9.0))),
    seconds=st.lists(st.integers(1_400_000_000, 1_600_000_000), min_size=1, max_size=8),
    zone=st.sampled_from(["Europe/Amsterdam", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_it_equals_the_slow_reference(periods: tuple[TariffPeriod, ...], seconds: list[int], zone: str) -> None:
    found = prices(Tariff(periods), np.array(seconds), zone=ZoneInfo(zone))
    assert found.tolist() == [reference(periods, second, ZoneInfo(zone)) for second in seconds]
