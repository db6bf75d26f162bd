from __future__ import annotations

import numpy as np
import pytest

from vpp.core.assets import Asset, Battery, EvCharger, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.errors import UnknownNameError
from vpp.core.messages import MARKET, POWER_KW, PRICE_PER_KWH, SOC, Quality, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid, parse_time
from vpp.streams.quality import Fault, FaultKind, find_faults, flag
from vpp.streams.sun import place_of, sky_at

ASSETS: tuple[Asset, ...] = (
    Load(id="load", peak_kw=10.0),
    SolarArray(id="solar", peak_kw=5.0),
    WindTurbine(id="wind", rated_kw=8.0),
    Battery(id="cell", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0),
    EvCharger(id="car", rated_kw=7.0),
)
GRID = TimeGrid(parse_time("2017-03-01T00:00Z"), 3600, 60 * 24)


def plant(timezone: str = "America/Los_Angeles") -> Plant:
    return Plant(id="p", name="p", timezone=timezone, currency="USD", sites=(Site(id="s", assets=ASSETS),))


def clean(name: str) -> np.ndarray:
    """Return a plausible magnitude of an asset: noise on the sun, a base load with evenings, gusts."""
    random = np.random.default_rng(7)
    place = place_of(plant())
    assert place is not None
    sky = sky_at(place, GRID.times_s, GRID.resolution_s)
    noise = random.uniform(0.2, 1.0, GRID.count)
    if name == "solar":
        return 4.0 * sky.clear * np.repeat(random.uniform(0.3, 1.0, 60), 24) * random.uniform(0.9, 1.0, GRID.count)
    if name == "load":
        return 0.3 + noise + 2.0 * noise * (np.cos(sky.hour_angle_rad - 2.0) > 0.7)
    if name == "wind":
        return 8.0 * np.clip(np.convolve(noise, np.ones(9) / 9, mode="same") * 2.0 - 0.7, 0.0, 1.0)
    return np.where(noise > 0.8, 5.0, 0.0)


def faults(name: str, power_kw: np.ndarray, *, timezone: str = "America/Los_Angeles") -> tuple[Fault, ...]:
    return find_faults(table_of(name, power_kw), plant(timezone))


def table_of(name: str, power_kw: np.ndarray) -> SeriesTable:
    sign = -1.0 if name in ("load", "car") else 1.0
    return SeriesTable(GRID, (SeriesKey(name, POWER_KW),), sign * power_kw[:, None])


def kinds(name: str, power_kw: np.ndarray, **options: str) -> set[FaultKind]:
    return {fault.kind for fault in faults(name, power_kw, **options)}


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.id)
def test_a_clean_channel_has_no_fault(asset: Asset) -> None:
    assert faults(asset.id, clean(asset.id)) == ()


def changed(power_kw: np.ndarray, start: int, count: int, value: float) -> np.ndarray:
    result = power_kw.copy()
    result[start : start + count] = value
    return result


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12.0, set()), (12.1, {FaultKind.RANGE}), (100.0, {FaultKind.UNIT}), (-0.1, set()), (-0.11, {FaultKind.NEGATIVE})],
)
def test_single_values_at_the_bounds_of_a_load(value: float, expected: set[FaultKind]) -> None:
    assert kinds("load", changed(clean("load"), 100, 1, value)) == expected


def test_a_fault_tells_its_channel_share_and_words() -> None:
    power_kw = changed(clean("load"), 100, 3, 500.0)
    (fault,) = faults("load", power_kw)
    assert fault.key == SeriesKey("load", POWER_KW)
    assert fault.share == pytest.approx(3 / GRID.count)
    assert fault.message.startswith("load/power_kw: about 1000 times too large")
    flags = flag(table_of("load", power_kw), plant())
    assert np.flatnonzero(flags[:, 0]).tolist() == [100, 101, 102]
    assert set(flags[100:103, 0]) == {int(Quality.UNIT_SUSPECT)}


@pytest.mark.parametrize(("hours", "expected"), [(5, set()), (6, {FaultKind.STUCK}), (24, {FaultKind.STUCK})])
@pytest.mark.parametrize("name", ["load", "wind"])
def test_a_stuck_value_is_found_from_six_hours_on(name: str, hours: int, expected: set[FaultKind]) -> None:
    assert kinds(name, changed(clean(name), 200, hours, 3.21)) == expected


def test_rest_and_plateau_are_not_stuck() -> None:
    assert kinds("wind", changed(clean("wind"), 200, 48, 0.0)) == set()
    assert kinds("wind", changed(clean("wind"), 200, 48, 8.0)) == set()
    assert kinds("cell", changed(clean("cell"), 200, 48, 2.5)) == set()
    assert kinds("car", changed(clean("car"), 200, 48, 6.9)) == set()
    coarse = np.round(clean("load"))
    assert FaultKind.STUCK not in kinds("load", coarse)


@pytest.mark.parametrize(
    ("name", "days", "expected"),
    [
        ("load", 6.9, False),
        ("load", 7, True),
        ("wind", 27, False),
        ("wind", 28, True),
        ("solar", 27, False),
        ("solar", 30, True),
    ],
)
def test_a_dead_channel_is_told_from_one_that_rests(name: str, days: float, expected: bool) -> None:
    assert (FaultKind.DEAD in kinds(name, changed(clean(name), 240, round(24 * days), 0.0))) == expected


def test_gaps_are_a_fault_from_a_tenth_on() -> None:
    load = clean("load")
    assert kinds("load", changed(load, 100, GRID.count // 12, np.nan)) == set()
    assert kinds("load", changed(load, 100, GRID.count // 8, np.nan)) == {FaultKind.GAPS}
    assert kinds("load", changed(load, 1200, GRID.count, np.nan)) == set()
    assert kinds("load", np.full(GRID.count, np.nan)) == set()


def test_swapped_channels_are_found_also_when_they_swap_later() -> None:
    load, solar = clean("load"), clean("solar")
    assert kinds("load", solar) == {FaultKind.SOLAR_LOAD}
    assert kinds("wind", solar) == {FaultKind.SOLAR_LOAD}
    assert FaultKind.NIGHT_POWER in kinds("solar", load)
    (fault,) = faults("load", np.where(np.arange(GRID.count) < 720, load, solar))
    assert (fault.kind, fault.share) == (FaultKind.SOLAR_LOAD, 0.5)


@pytest.mark.parametrize("hours", [-12, -7, 4, 8])
def test_shifted_solar_stamps_are_found(hours: int) -> None:
    assert kinds("solar", np.roll(clean("solar"), hours)) & {FaultKind.SHIFTED, FaultKind.NIGHT_POWER}


@pytest.mark.parametrize(("factor", "expected"), [(0.6, set()), (0.25, {FaultKind.SIZE})])
def test_an_array_of_a_quarter_of_its_size_is_found(factor: float, expected: set[FaultKind]) -> None:
    assert kinds("solar", factor * clean("solar")) == expected


@pytest.mark.parametrize("name", ["load", "solar", "wind"])
def test_a_channel_in_another_unit_is_found(name: str) -> None:
    assert FaultKind.UNIT in kinds(name, 1000.0 * clean(name))
    assert FaultKind.UNIT in kinds(name, clean(name) / 1000.0)


def test_without_a_place_the_rules_of_the_sun_are_silent() -> None:
    assert kinds("load", clean("solar"), timezone="UTC") == set()
    assert kinds("solar", clean("load"), timezone="UTC") == set()


def test_prices_and_sites_are_not_judged_but_a_state_of_charge_is() -> None:
    keys = (SeriesKey(MARKET, PRICE_PER_KWH), SeriesKey("s", POWER_KW), SeriesKey("cell", SOC))
    value = np.tile([5000.0, -1e6, 0.5], (GRID.count, 1))
    value[3, 2] = 1.2
    table = SeriesTable(GRID, keys, value)
    (fault,) = find_faults(table, plant())
    assert (fault.key, fault.kind) == (keys[2], FaultKind.RANGE)
    assert np.argwhere(flag(table, plant())).tolist() == [[3, 2]]


def test_an_unknown_source_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: load"):
        find_faults(SeriesTable(GRID, (SeriesKey("lod", POWER_KW),), np.zeros((GRID.count, 1))), plant())
