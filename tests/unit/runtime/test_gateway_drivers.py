"""Drivers without devices: a simulated world that obeys, and a recording told as if measured now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Readings, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.edge.driver import Driver, DriverError
from vpp.runtime.clock import DataClock
from vpp.runtime.gateway_drivers import ReplayDriver, SimulatedDriver, plant_of

START = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)
STEP_S = 300


@pytest.fixture(scope="module")
def plant() -> Plant:
    return plant_of(VPPConfig.load("homes").plant, ["home01"])


@pytest.fixture
def driver(plant: Plant) -> SimulatedDriver:
    driver = SimulatedDriver(plant, DataClock(START), interval_s=STEP_S)
    driver.open()
    return driver


def after(steps: float) -> datetime:
    return START + timedelta(seconds=STEP_S * steps)


def latest(readings: Readings | None) -> dict[tuple[str, str], float]:
    assert readings is not None
    return {(row.key.source, row.key.metric): row.value for row in readings.rows()}


def test_it_is_a_driver_that_reports_each_step_once(driver: SimulatedDriver) -> None:
    assert isinstance(driver, Driver)
    assert driver.poll(after(0.5)) is None
    first = driver.poll(after(1))
    assert {key for key, _ in latest(first)} == {"home01", "home01_load", "home01_pv", "home01_battery"}
    assert driver.poll(after(1.5)) is None
    assert set(driver.poll(after(2)).time_s.tolist()) == {int(after(1).timestamp())}


@pytest.mark.parametrize(("asked", "given"), [(2.0, 2.0), (-2.0, -2.0), (99.0, 5.0), (-99.0, -5.0)])
def test_a_battery_does_what_it_was_told_within_its_means(driver: SimulatedDriver, asked: float, given: float) -> None:
    driver.poll(after(1))
    driver.apply("home01_battery", asked)
    assert driver.read_back("home01_battery") == pytest.approx(given)
    before = latest(driver.poll(after(2)))
    now = latest(driver.poll(after(3)))
    assert now["home01_battery", POWER_KW] == pytest.approx(given)
    assert (now["home01_battery", SOC] < before["home01_battery", SOC]) == (asked > 0.0)
    powers = [now[f"home01{part}", POWER_KW] for part in ("_load", "_pv", "_battery")]
    assert now["home01", POWER_KW] == pytest.approx(sum(powers))


def test_a_battery_that_is_empty_says_so_when_it_is_read_back(driver: SimulatedDriver) -> None:
    driver.apply("home01_battery", 5.0)
    # 120 s behind is the most that is lived through
    for step in range(1, 40):
        driver.poll(after(step))
    assert driver.read_back("home01_battery") == pytest.approx(0.0, abs=1e-6)


def test_the_world_goes_on_over_midnight_with_the_same_batteries(plant: Plant) -> None:
    evening = datetime(2026, 6, 20, 23, 50, tzinfo=UTC)
    driver = SimulatedDriver(plant, DataClock(evening), interval_s=STEP_S)
    driver.open()
    driver.apply("home01_battery", 3.0)
    moments = [evening + timedelta(seconds=STEP_S * step) for step in range(1, 5)]
    socs = [latest(driver.poll(moment))["home01_battery", SOC] for moment in moments]
    assert np.diff(socs) == pytest.approx(np.full(3, -3.0 * STEP_S / 3600.0 / 6.4 / 0.9**0.5), rel=1e-6)


def test_after_a_long_sleep_it_goes_on_with_the_present(driver: SimulatedDriver) -> None:
    driver.poll(after(1))
    readings = driver.poll(after(50.5))
    assert readings is None
    assert set(driver.poll(after(51)).time_s.tolist()) == {int(after(50).timestamp())}


def test_an_asset_without_set_points_refuses_one(driver: SimulatedDriver) -> None:
    with pytest.raises(DriverError, match="takes no set-point; those that do: home01_battery"):
        driver.apply("home01_load", 1.0)


def test_before_it_is_opened_it_says_so(plant: Plant) -> None:
    with pytest.raises(DriverError, match="not opened yet"):
        SimulatedDriver(plant, DataClock(START), interval_s=5).poll(START)


def table() -> SeriesTable:
    keys = (SeriesKey("load", POWER_KW), SeriesKey("other", POWER_KW))
    value = np.array([[-1.0, 9.0], [np.nan, 9.0], [-3.0, 9.0]])
    return SeriesTable(TimeGrid(datetime(2016, 8, 1, tzinfo=UTC), 3600, 3), keys, value)


def test_a_recording_is_told_as_of_now_at_its_speed_again_and_again() -> None:
    driver = ReplayDriver("homes", table(), ["load"], speed=3600.0, clock=DataClock(START))
    driver.open()
    told = [driver.poll(START + timedelta(seconds=second)) for second in (0.0, 0.5, 1.0, 2.0, 3.0)]
    values = [
        None if one is None else (int(one.time_s[0]) - int(START.timestamp()), one.value.tolist()) for one in told
    ]
    assert values == [(0, [-1.0]), None, None, (2, [-3.0]), (3, [-1.0])]
    assert driver.asset_ids == ("load",)
    with pytest.raises(DriverError, match="takes no set-point"):
        driver.apply("load", 1.0)


def test_a_recording_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="a recording of these assets"):
        ReplayDriver("homes", table(), ["battery"], speed=1.0, clock=DataClock(START))
