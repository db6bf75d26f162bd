"""Tariff periods and retail prices: boundary rows on the local clock, charges by month."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.time import TimeGrid, epoch_s, parse_time
from vpp.simulation.market.periods import WEEKDAYS, PeriodWindow, time_of_use_period
from vpp.simulation.market.retail import (
    demand_charge,
    dynamic_price_per_kwh,
    feed_in_price_per_kwh,
    time_of_use_price_per_kwh,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("local", "label"),
    [
        ("2024-01-08T06:59+01:00", "off_peak"),
        ("2024-01-08T07:00+01:00", "shoulder"),
        ("2024-01-08T16:59+01:00", "shoulder"),
        ("2024-01-08T17:00+01:00", "peak"),
        ("2024-01-08T20:59+01:00", "peak"),
        ("2024-01-08T21:00+01:00", "shoulder"),
        ("2024-01-08T23:00+01:00", "off_peak"),
        ("2024-01-13T18:00+01:00", "off_peak"),  # a Saturday
        ("2024-07-08T17:00+02:00", "peak"),  # summer time
        ("2024-07-08T17:00+01:00", "peak"),
        ("2024-07-08T16:59+02:00", "shoulder"),
    ],
)
def test_periods(local: str, label: str) -> None:
    times_s = np.array([epoch_s(parse_time(local))])
    assert time_of_use_period(times_s, timezone=AMSTERDAM).tolist() == [label]


def test_windows_wrap_midnight_and_the_first_that_fits_decides() -> None:
    windows = (
        PeriodWindow("winter_night", 22 * 60, 6 * 60, months=frozenset({12, 1, 2})),
        PeriodWindow("night", 22 * 60, 6 * 60),
        PeriodWindow("work", 8 * 60, 17 * 60, WEEKDAYS),
    )
    grid = TimeGrid(parse_time("2024-02-29T00:00Z"), 6 * 3600, 8)
    labels = time_of_use_period(grid.times_s, timezone=ZoneInfo("UTC"), windows=windows, otherwise="day")
    assert labels.tolist() == ["winter_night", "day", "work", "day", "night", "day", "work", "day"]
    nothing = time_of_use_period(grid.times_s, timezone=AMSTERDAM, windows=(), otherwise="flat")
    assert set(nothing.tolist()) == {"flat"}


def test_labels_become_prices() -> None:
    labels = np.array(["peak", "off_peak", "peak"])
    assert time_of_use_price_per_kwh(labels, {"peak": 0.4, "off_peak": 0.2, "shoulder": 0.3}).tolist() == [
        0.4,
        0.2,
        0.4,
    ]
    with pytest.raises(UnknownNameError, match=r"no priced period called 'off_peak'"):
        time_of_use_price_per_kwh(labels, {"peak": 0.4, "offpeak": 0.2})


def test_dynamic_contract() -> None:
    price = dynamic_price_per_kwh([0.1, -0.2], adder_per_kwh=[0.05, 0.15], tax_fraction=0.21)
    assert price == pytest.approx([0.1815, -0.0605])
    with pytest.raises(InvalidInputError, match=r"tax_fraction: got 21.0, expected 0 to 2"):
        dynamic_price_per_kwh([0.1], tax_fraction=21.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.08, 0.08, 0.08]),
        ({"wholesale_share": 1.0}, [0.2, 0.08, 0.08]),
        ({"wholesale_share": 0.5}, [0.1, 0.08, 0.08]),
        ({"none_below_zero": True}, [0.08, 0.08, 0.0]),
    ],
)
def test_feed_in(options: dict[str, float], expected: list[float]) -> None:
    assert feed_in_price_per_kwh([0.2, 0.0, -0.01], floor_per_kwh=0.08, **options) == pytest.approx(expected)


def test_demand_charge_by_local_month() -> None:
    # 23:00 UTC on 31 January is February in Amsterdam
    grid = TimeGrid(parse_time("2024-01-31T22:00Z"), 3600, 3)
    power = [5.0, 9.0, 7.0]
    assert demand_charge(power, grid, timezone=AMSTERDAM, rate_per_kw=2.0) == {"2024-01": 10.0, "2024-02": 18.0}
    counted = demand_charge(power, grid, timezone=AMSTERDAM, rate_per_kw=2.0, counted=[False, False, True])
    assert counted == {"2024-01": 0.0, "2024-02": 14.0}
    with pytest.raises(InvalidInputError, match=r"import_kw: got -1.0, expected 0 or more"):
        demand_charge([0.0, -1.0, 0.0], grid, timezone=AMSTERDAM, rate_per_kw=1.0)
    with pytest.raises(SeriesMismatchError, match=r"import_kw: got \(1,\), expected shape \(3,\)"):
        demand_charge([0.0], grid, timezone=AMSTERDAM, rate_per_kw=1.0)
    with pytest.raises(InvalidInputError, match=r"rate_per_kw: got -1.0"):
        demand_charge(power, grid, timezone=AMSTERDAM, rate_per_kw=-1.0)


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"end_minute: got 1441, expected 0 to 1440"):
        PeriodWindow("late", 0, 1441)
    with pytest.raises(InvalidInputError, match=r"weekdays: got \[7\]"):
        PeriodWindow("eighth", weekdays=frozenset({7}))
    with pytest.raises(InvalidInputError, match=r"months: got \[\], expected one or more months"):
        PeriodWindow("never", months=frozenset())
    with pytest.raises(InvalidInputError, match=r"wholesale_share: got 2.0, expected 0 to 1"):
        feed_in_price_per_kwh([0.1], floor_per_kwh=0.0, wholesale_share=2.0)
