from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid
from vpp.runtime.setup import Setup, setup_of


def test_a_plant_file_means_what_it_says(home: Callable[..., Setup]) -> None:
    setup = home()
    assert (setup.plant.id, setup.timezone.key, setup.control, setup.strategy) == (
        "home", "Europe/Amsterdam", True, "linear"
    )  # fmt: skip
    assert (setup.resolution_s, setup.horizon_s, setup.horizon_steps, setup.plan_every_s) == (900, 86_400, 96, 3600)
    assert [asset.id for asset in setup.uncontrolled] == ["load", "pv"]
    assert [str(key) for key in setup.power_keys] == ["load/power_kw", "pv/power_kw"]
    assert [str(key) for key in setup.battery_keys] == ["battery/power_kw"]
    assert [str(key) for key in setup.soc_keys] == ["battery/soc"]
    assert [str(key) for key in setup.meter_keys] == ["house/power_kw"]
    assert not setup.sells_day_ahead
    assert setup.imbalance_spread_per_kwh == 0.0


def test_without_a_cadence_every_step_is_planned(home: Callable[..., Setup]) -> None:
    assert home(planning={"resolution": "5min"}).plan_every_s == 300


def test_spot_with_fee_and_tax_and_a_market_to_sell_to(home: Callable[..., Setup]) -> None:
    prices = {
        "import": {"spot": True, "fee_per_kwh": 0.02, "tax_fraction": 0.21},
        "published": "13:00",
        "day_ahead": {"gate_closure": "12:00", "imbalance_spread_per_kwh": 0.01},
    }
    setup = home(prices=prices)
    assert setup.sells_day_ahead
    assert (setup.calendar.published, setup.calendar.gate_closure) == (time(13), time(12))
    assert setup.imbalance_spread_per_kwh == 0.01
    assert setup.export_tariff is None
    grid = TimeGrid(datetime(2024, 5, 6, tzinfo=UTC), 900, 2)
    price = setup.import_tariff.price_per_kwh(
        grid.times_s, timezone=setup.timezone, spot_per_kwh=np.array([0.10, -0.05])
    )
    assert price == pytest.approx([0.12 * 1.21, -0.03 * 1.21])


def test_time_of_use_is_read_on_the_local_clock_and_a_feed_in_fee_is_taken_off(home: Callable[..., Setup]) -> None:
    prices = {
        "import": {
            "time_of_use": [
                {"price_per_kwh": 0.4, "days": "weekdays", "start": "17:00", "end": "21:00"},
                {"price_per_kwh": 0.1, "start": "23:00", "end": "06:00"},
                {"price_per_kwh": 0.25},
            ]
        },
        "export": {"price_per_kwh": 0.07, "fee_per_kwh": 0.01},
    }
    setup = home(prices=prices)
    day = TimeGrid(datetime(2024, 5, 5, 22, tzinfo=UTC), 3600, 24)  # Monday from midnight in Amsterdam
    nothing = np.full(24, np.nan)
    price = setup.import_tariff.price_per_kwh(day.times_s, timezone=setup.timezone, spot_per_kwh=nothing)
    assert price.tolist() == [0.1] * 6 + [0.25] * 11 + [0.4] * 4 + [0.25] * 2 + [0.1]
    assert setup.export_tariff is not None
    fed = setup.export_tariff.price_per_kwh(day.times_s, timezone=setup.timezone, spot_per_kwh=nothing)
    assert fed == pytest.approx(np.full(24, 0.06))


def test_an_invalid_file_names_its_first_fault(config_of: Callable[..., VPPConfig]) -> None:
    with pytest.raises(InvalidInputError, match="timezone"):
        setup_of(config_of(timezone="Europe/Amsterdan"))
