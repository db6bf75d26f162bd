"""Prices in the plant file: one base each, lines that cover every time, and clocks in every form YAML makes of them."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
import yaml

from vpp.config import VPPConfig

BATTERY = {"kind": "battery", "id": "b", "capacity_kwh": 10, "power_kw": 5}
EVENING = {"price_per_kwh": 0.4, "start": "16:00", "end": "21:00"}
REST = {"price_per_kwh": 0.2}
BASE = "must hold exactly one of price_per_kwh, time_of_use and spot: true"
CLOCK = 'must be a local time of day in quotes, "00:00" to "23:59"'


def priced(prices: Any) -> VPPConfig:
    return VPPConfig({"name": "Shed", "sites": [{"id": "s", "assets": [BATTERY]}], "prices": prices})


def lines(*periods: dict[str, Any]) -> VPPConfig:
    return priced({"import": {"time_of_use": list(periods)}})


@pytest.mark.parametrize(
    ("prices", "path", "message"),
    [
        ({"import": {}}, "import", BASE),
        ({"import": {"spot": False}}, "import", BASE),
        ({"import": {"fee_per_kwh": 0.02}}, "import", BASE),
        ({"import": {"spot": True, "price_per_kwh": 0.3}}, "import", f"{BASE}; found price_per_kwh, spot"),
        (
            {"export": {"price_per_kwh": 0.3, "time_of_use": [REST]}},
            "export",
            f"{BASE}; found price_per_kwh, time_of_use",
        ),
        ({"import": {"price_per_kwh": 300}}, "import.price_per_kwh", "must be a price [currency/kWh], -100 to 100"),
        ({"import": {"price_per_kwh": True}}, "import.price_per_kwh", "must be a price [currency/kWh], -100 to 100"),
        (
            {"import": {"spot": True, "fee_per_kwh": -1}},
            "import.fee_per_kwh",
            "must be a cost [currency/kWh], 0 to 100",
        ),
        ({"import": {"spot": True, "tax_fraction": 21}}, "import.tax_fraction", "must be a tax as a fraction, 0 to 2"),
        ({"import": {"spot": "yes"}}, "import.spot", "must be true or false"),
        ({"import": {"time_of_use": []}}, "import.time_of_use", "must not be empty"),
        ({"imprt": {"spot": True}}, "imprt", "unknown key; did you mean import, export"),
        ({"day_ahead": {}}, "published", "is required when the plant sells day-ahead"),
        (
            {"published": "13:00", "day_ahead": {"imbalance_spread_per_kwh": -1}},
            "day_ahead.imbalance_spread_per_kwh",
            "must be a cost [currency/kWh], 0 to 100",
        ),
    ],
)
def test_faults_of_prices(prices: Any, path: str, message: str) -> None:
    (issue,) = priced(prices).validate().errors
    assert (issue.path, issue.message) == (f"prices.{path}", message)


@pytest.mark.parametrize(
    ("period", "path", "message"),
    [
        ({**REST, "days": "weekday"}, "days", "must be 'all', 'weekdays' or 'weekends'"),
        ({**REST, "months": [0]}, "months[0]", "must be a month, 1 to 12"),
        ({**REST, "months": [1, 13]}, "months[1]", "must be a month, 1 to 12"),
        ({**REST, "months": []}, "months", "must not be empty"),
        ({**REST, "start": "25:00"}, "start", CLOCK),
        ({}, "price_per_kwh", "is required"),
    ],
)
def test_faults_of_a_line(period: dict[str, Any], path: str, message: str) -> None:
    (issue,) = lines(period, REST).validate().errors
    assert (issue.path, issue.message) == (f"prices.import.time_of_use[0].{path}", message)


@pytest.mark.parametrize(
    ("periods", "gap"),
    [
        ([EVENING], "month 1, weekdays, 00:00"),
        ([{**REST, "start": "00:00", "end": "23:59"}], "month 1, weekdays, 23:59"),
        ([{**REST, "days": "weekdays"}], "month 1, weekends, 00:00"),
        ([{**REST, "months": [*range(1, 12)]}, EVENING], "month 12, weekdays, 00:00"),
        (
            [{**REST, "start": "22:00", "end": "06:00"}, {**REST, "start": "06:30", "end": "22:00"}],
            "month 1, weekdays, 06:00",
        ),
    ],
)
def test_a_time_without_a_price_is_an_error(periods: list[dict[str, Any]], gap: str) -> None:
    (issue,) = lines(*periods).validate().errors
    assert issue.path == "prices.import.time_of_use"
    assert f"none holds in {gap}:" in issue.message


@pytest.mark.parametrize(
    "periods",
    [
        [EVENING, REST],
        [{**REST, "start": "22:00", "end": "06:00"}, {**REST, "start": "06:00", "end": "22:00"}],
        [{**REST, "start": "07:00", "end": "07:00"}],
        [{**REST, "days": "weekends"}, {**REST, "days": "weekdays"}],
        [{**REST, "start": "06:00"}, {**REST, "end": "06:00"}],
        [{**REST, "start": "06:00", "end": "00:00"}, {**REST, "end": "06:00"}],
    ],
)
def test_lines_that_cover_every_time(periods: list[dict[str, Any]]) -> None:
    assert lines(*periods).validate().errors == ()


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ('"13:00"', time(13)),
        ("13:00", time(13)),  # YAML 1.1 makes 780 of it
        ("780", time(13)),
        ("9:30", time(9, 30)),
        ("09:30", time(9, 30)),  # and leaves this one a text
        ('"00:00"', time(0)),
        ("23:59", time(23, 59)),
        ('"12:00:00"', time(12)),
        ("0", time(0)),
    ],
)
def test_a_clock_in_yaml(text: str, clock: time) -> None:
    config = priced(yaml.safe_load(f"published: {text}"))
    assert config.file.prices.published == clock


@pytest.mark.parametrize(
    "value", ["24:00", "25:00", "13:60", "1pm", "13", "13:00Z", "13:00:30", 1440, -1, 13.0, True, [13, 0], "13:00\n"]
)
def test_what_is_no_clock(value: Any) -> None:
    (issue,) = priced({"published": value}).validate().errors
    assert (issue.path, issue.message) == ("prices.published", CLOCK)


def test_a_clock_of_toml() -> None:
    assert priced({"published": time(13, 0)}).file.prices.published == time(13)


def test_what_is_left_out() -> None:
    prices = priced({}).file.prices
    assert prices.import_.spot
    assert (prices.export, prices.published, prices.day_ahead) == (None, None, None)
    sold = priced({"published": "13:00", "day_ahead": {}}).file.prices.day_ahead
    assert sold is not None
    assert (sold.gate_closure, sold.imbalance_spread_per_kwh) == (time(12), 0.0)
