from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vpp.core.errors import MissingDataError
from vpp.core.messages import Forecast, Readings, SeriesKey
from vpp.core.time import TimeGrid
from vpp.runtime.build import price_book
from vpp.runtime.prices import FEED_IN, SPOT, PriceBook
from vpp.runtime.setup import Setup
from vpp.store.memory import MemoryStore

NOW = datetime(2024, 5, 6, 10, tzinfo=UTC)
GRID = TimeGrid(NOW, 3600, 6)
SPOT_PRICES = {"import": {"spot": True, "fee_per_kwh": 0.02}}


def keep(store: MemoryStore, key: SeriesKey, start: datetime, values: list[float], *, arrived: datetime) -> None:
    grid = TimeGrid(start, 3600, len(values))
    column = np.array(values)[:, None]
    arrived_s = int(arrived.timestamp())
    store.write_readings(Readings.from_table("home", (key,), grid.times_s, column, arrived_s=arrived_s))


def forecast(value: float, *, steps: int = 6, flags: tuple[str, ...] = ()) -> Forecast:
    return Forecast("home", SPOT, NOW, TimeGrid(NOW, 3600, steps), np.full(steps, value), "m", flags=flags)


@pytest.fixture
def book_of(home: Callable[..., Setup]) -> Callable[..., tuple[PriceBook, MemoryStore]]:
    def make(**prices: object) -> tuple[PriceBook, MemoryStore]:
        store = MemoryStore()
        return price_book(home(prices=prices), store), store

    return make


def test_a_tariff_needs_no_market(book_of: Callable[..., tuple[PriceBook, MemoryStore]]) -> None:
    book, _ = book_of(**{"import": {"price_per_kwh": 0.3}, "export": {"price_per_kwh": 0.07}})
    view = book.view(GRID, now=NOW)
    assert not book.needs_spot
    assert (view.import_per_kwh.tolist(), view.export_per_kwh.tolist()) == ([0.3] * 6, [0.07] * 6)
    assert view.known.all()


def test_what_is_published_comes_first_and_the_forecast_after(
    book_of: Callable[..., tuple[PriceBook, MemoryStore]],
) -> None:
    book, store = book_of(**SPOT_PRICES)
    keep(store, SPOT, NOW, [0.1, 0.2, 0.3], arrived=NOW)
    view = book.view(GRID, now=NOW, spot_forecast=forecast(0.5))
    assert view.import_per_kwh == pytest.approx([0.12, 0.22, 0.32, 0.52, 0.52, 0.52])
    assert view.export_per_kwh == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.5, 0.5])
    assert view.known.tolist() == [True] * 3 + [False] * 3


def test_what_arrives_later_is_not_known_yet(book_of: Callable[..., tuple[PriceBook, MemoryStore]]) -> None:
    book, store = book_of(**SPOT_PRICES)
    keep(store, SPOT, NOW, [0.1] * 6, arrived=NOW + timedelta(hours=1))
    early = book.view(GRID, now=NOW, spot_forecast=forecast(0.5))
    assert not early.known.any()
    assert book.view(GRID, now=NOW + timedelta(hours=1)).known.all()
    assert book.view(GRID, now=None).known.all()


def test_past_the_forecast_its_last_day_comes_again(book_of: Callable[..., tuple[PriceBook, MemoryStore]]) -> None:
    book, store = book_of(**SPOT_PRICES)
    long = TimeGrid(NOW, 3600, 30)
    keep(store, SPOT, NOW, [0.01 * step for step in range(24)], arrived=NOW)
    view = book.view(long, now=NOW, spot_forecast=forecast(9.0))
    assert view.export_per_kwh[24:] == pytest.approx(view.export_per_kwh[:6])


@pytest.mark.parametrize("known", [None, forecast(0.0, flags=("no_data", "fallback_zero"))])
def test_no_price_at_all_is_an_error_and_never_zero(
    book_of: Callable[..., tuple[PriceBook, MemoryStore]], known: Forecast | None
) -> None:
    book, _ = book_of(**SPOT_PRICES)
    with pytest.raises(MissingDataError, match=r"2024-05-06T10:00:00.*price_per_kwh.*tariff"):
        book.view(GRID, now=NOW, spot_forecast=known)


def test_a_feed_in_series_stands_without_a_spot_price(
    book_of: Callable[..., tuple[PriceBook, MemoryStore]],
) -> None:
    """Beyond its last value the day before comes again, said not to be known; the spot price is never put for it."""
    book, store = book_of(**{"import": {"price_per_kwh": 0.3}})
    keep(store, FEED_IN, NOW - timedelta(hours=24), [0.01 * hour for hour in range(26)], arrived=NOW)
    view = book.view(GRID, now=NOW)
    assert view.export_per_kwh == pytest.approx([0.24, 0.25, 0.02, 0.03, 0.04, 0.05])
    assert view.known.tolist() == [True, True, False, False, False, False]
    assert view.import_per_kwh.tolist() == [0.3] * 6


def test_without_a_feed_in_series_the_spot_price_is_earned(
    book_of: Callable[..., tuple[PriceBook, MemoryStore]],
) -> None:
    book, store = book_of(**{"import": {"price_per_kwh": 0.3}})
    keep(store, SPOT, NOW, [0.1] * 6, arrived=NOW)
    assert book.view(GRID, now=NOW).export_per_kwh.tolist() == [0.1] * 6
