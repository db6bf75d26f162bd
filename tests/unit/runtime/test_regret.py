"""Regret: by hand on a battery of round numbers, and what must hold of any forecast on the built-in plants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.messages import POWER_KW, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.runtime.build import read_history
from vpp.runtime.prices import SPOT
from vpp.runtime.regret import RegretMeter
from vpp.runtime.setup import Setup, setup_of

START = datetime(2024, 5, 6, 18, tzinfo=UTC)
LOAD, PV = SeriesKey("load", POWER_KW), SeriesKey("pv", POWER_KW)
BATTERY: dict[str, Any] = {
    "kind": "battery", "id": "battery", "capacity_kwh": 4, "power_kw": 5, "round_trip_efficiency": 1.0,
    "soc_min": 0.0, "soc_max": 1.0, "soc_initial": 0.0, "wear_cost_per_kwh": 0.0,
}  # fmt: skip
ASSETS: list[dict[str, Any]] = [{"kind": "load", "id": "load"}, {"kind": "solar", "id": "pv", "peak_kw": 10}]
PRICES = np.array([0.1, 0.3, 0.5, 0.5])


def by_hand(*, assets: list[dict[str, Any]], **prices: Any) -> Setup:
    raw = {
        "id": "home", "name": "A home", "timezone": "UTC", "currency": "EUR",
        "prices": {"import": {"spot": True}, "export": {"price_per_kwh": 0.0}} | prices,
        "planning": {"resolution": "1h", "horizon": "4h"},
        "sites": [{"id": "house", "assets": assets}],
    }  # fmt: skip
    return setup_of(VPPConfig(raw))


def happened(*, pv: tuple[float, ...] = (0.0,) * 4) -> SeriesTable:
    """Two hours of rest, then two of 2 kW."""
    values = np.column_stack([[0.0, 0.0, -2.0, -2.0], pv, PRICES])
    return SeriesTable(TimeGrid(START, 3600, 4), (LOAD, PV, SPOT), values)


def said(*values: float) -> np.ndarray:
    return np.array([values])


@pytest.fixture
def meter() -> RegretMeter:
    return RegretMeter(by_hand(assets=[*ASSETS, BATTERY]), happened(), origins=(0,), steps=4)


def test_what_is_known_costs_nothing(meter: RegretMeter) -> None:
    for key, truth in ((LOAD, (0.0, 0.0, -2.0, -2.0)), (PV, (0.0,) * 4), (SPOT, tuple(PRICES))):
        regret = meter.of(key, said(*truth))
        assert (regret.value, regret.episodes) == (pytest.approx(0.0, abs=1e-9), 1)


def test_sun_that_does_not_come_costs_the_dearer_hour(meter: RegretMeter) -> None:
    # Known: 4 kWh bought at 0.1 cover the evening, 0.40. With 4 kW of sun promised for the second hour the battery
    # waits for it. A stored kWh is then worth 0.1, what the first hour asked for one, so at 0.3 it does not charge,
    # and the evening is bought at 0.5, 2.00.
    assert meter.of(PV, said(0.0, 4.0, 0.0, 0.0)).value == pytest.approx(1.6)


def test_prices_taken_for_their_opposite_cost_what_was_bought_dear(meter: RegretMeter) -> None:
    # Dear hours are taken for cheap: the battery fills in the evening, 8 kWh are bought at 0.5, 4.00, and the 4 kWh
    # left are worth the median price, 0.4 each. 4.00 - 1.60 instead of 0.40.
    assert meter.of(SPOT, said(0.5, 0.5, 0.1, 0.1)).value == pytest.approx(2.0)


def test_who_sells_ahead_pays_for_what_is_missing() -> None:
    # The day sold begins at midnight, the third hour: 4 kW of sun in it are sold and do not come.
    setup = by_hand(
        assets=[{"kind": "load", "id": "load"}, {"kind": "solar", "id": "pv", "peak_kw": 10, "curtailable": True}],
        export={"spot": True},
        published="13:00",
        day_ahead={"gate_closure": "12:00", "imbalance_spread_per_kwh": 0.25},
    )
    table = SeriesTable(
        TimeGrid(START.replace(hour=22), 3600, 4), (LOAD, PV, SPOT), np.column_stack([np.zeros((4, 2)), PRICES])
    )
    meter = RegretMeter(setup, table, origins=(0,), steps=4)
    assert meter.of(PV, said(0.0, 0.0, 4.0, 0.0)).value == pytest.approx(4.0 * 0.25)
    assert meter.of(PV, said(0.0, 4.0, 0.0, 0.0)).value == pytest.approx(0.0)  # today nothing was sold


@pytest.mark.parametrize(
    ("assets", "key", "values", "reason"),
    [
        (ASSETS, LOAD, (0.0,) * 4, "nothing at this site can be planned"),
        ([*ASSETS, BATTERY], SeriesKey("barn", POWER_KW), (0.0,) * 4, "barn is no asset of home"),
        ([*ASSETS, BATTERY], LOAD, (0.0, np.nan, 0.0, 0.0), "did not answer every step"),
    ],
)
def test_what_cannot_be_told_is_none_with_its_reason(
    assets: list[dict[str, Any]], key: SeriesKey, values: tuple[float, ...], reason: str
) -> None:
    regret = RegretMeter(by_hand(assets=assets), happened(), origins=(0,), steps=4).of(key, said(*values))
    assert regret.value is None
    assert reason in regret.reason


def test_moments_without_their_measurements_are_passed_over() -> None:
    setup = by_hand(assets=[*ASSETS, BATTERY])
    short = RegretMeter(setup, happened(), origins=(0, 2), steps=4)
    truth = np.array([[0.0, 0.0, -2.0, -2.0], [-2.0, -2.0, np.nan, np.nan]])
    assert short.of(LOAD, truth).episodes == 1
    none = RegretMeter(setup, happened(), origins=(2,), steps=4).of(LOAD, truth[1:])
    assert (none.value, none.episodes) == (None, 0)
    assert "no moment" in none.reason


def test_a_tariff_that_ignores_the_spot_price_has_no_regret_of_it() -> None:
    setup = by_hand(assets=[*ASSETS, BATTERY], **{"import": {"price_per_kwh": 0.3}})
    regret = RegretMeter(setup, happened(), origins=(0,), steps=4).of(SPOT, said(*PRICES))
    assert "no price of the plant follows the spot market" in regret.reason


@pytest.mark.parametrize("plant", ["homes", "wholesale"])
def test_no_forecast_beats_knowing(plant: str, real_plant: Callable[[str], tuple[Setup, SeriesTable]]) -> None:
    setup, table = real_plant(plant)
    day = 86_400 // setup.resolution_s
    steps = 30 * day // 24
    origins = [table.grid.count - (9 + n) * day for n in (0, 3)]
    meter = RegretMeter(setup, table, origins=origins, steps=steps)
    generator = np.random.default_rng(0)
    keys = [*setup.power_keys[:2], *([SPOT] if plant == "wholesale" else [])]
    for key in keys:
        truth = np.stack([table.column(key)[origin : origin + steps] for origin in origins])
        scale = np.nanmean(np.abs(truth))
        assert meter.of(key, truth).value == pytest.approx(0.0, abs=1e-6)
        for _ in range(3):
            wrong = meter.of(key, truth + scale * generator.normal(size=truth.shape))
            assert wrong.value > -1e-6
            assert wrong.episodes == 2


@pytest.fixture
def real_plant() -> Callable[[str], tuple[Setup, SeriesTable]]:
    def load(name: str) -> tuple[Setup, SeriesTable]:
        config = VPPConfig.load(name)
        setup = setup_of(config)
        table = read_history(config, setup)
        return replace(setup, resolution_s=table.grid.resolution_s), table

    return load


def test_a_price_that_nobody_has_is_named() -> None:
    setup = by_hand(assets=[*ASSETS, BATTERY])
    table = happened()
    bare = SeriesTable(table.grid, (LOAD, PV), table.value[:, :2])
    regret = RegretMeter(setup, bare, origins=(0,), steps=4).of(LOAD, said(0.0, 0.0, -2.0, -2.0))
    assert regret.value is None
    assert "give price_per_kwh in the data" in regret.reason
