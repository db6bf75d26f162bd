"""Simulations of a plant file: the export format with its own signs, streams, prices, files and the bus."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.core.messages import POWER_KW, SOC, Channel
from vpp.core.time import TimeGrid, epoch_s
from vpp.runtime.clock import DataClock
from vpp.runtime.setup import Setup
from vpp.runtime.simulation import PlantSimulation
from vpp.runtime.simulation_bus import SimulationPublisher
from vpp.runtime.simulation_files import json_lines, write_fleet, write_records
from vpp.runtime.simulation_fleet import fleet_of
from vpp.runtime.simulation_prices import SitePrices, prices_of
from vpp.runtime.simulation_record import LOAD_PARTS, record_columns, records
from vpp.runtime.simulation_stream import resolution_for, stream
from vpp.simulation.plant.runs import (
    BatteryRun,
    HeatPumpRun,
    LoadRun,
    PlantRun,
    SiteRun,
    SolarRun,
    Surroundings,
    WindRun,
)
from vpp.streams.open import open_bus
from vpp.streams.wire import decode_telemetry

START = datetime(2024, 6, 3, tzinfo=UTC)
DAY = timedelta(days=1)
ASSETS: list[dict[str, Any]] = [
    {"kind": "load", "id": "house"},
    {"kind": "solar", "id": "roof", "peak_kw": 4},
    {"kind": "wind", "id": "mill", "rated_kw": 2},
    {"kind": "battery", "id": "store", "capacity_kwh": 10, "power_kw": 5},
    {"kind": "heat_pump", "id": "heat", "rated_kw": 3},
]
SITE = {"id": "farm", "assets": ASSETS}


def one_step(**power: float) -> PlantRun:
    """Return a run of one step with the powers given, in the house's signs."""
    none = np.zeros(1)

    def kw(name: str) -> np.ndarray:
        return np.array([power.get(name, 0.0)])

    runs = {
        "house": LoadRun(kw("house"), {"base_kw": -0.25 * kw("house"), "hvac_kw": -0.75 * kw("house")}),
        "roof": SolarRun(kw("roof"), kw("roof"), np.array([500.0]), np.array([31.0])),
        "mill": WindRun(kw("mill"), kw("mill"), np.array([7.0])),
        "store": BatteryRun(
            power_kw=kw("store"),
            soc=np.array([0.4]),
            stored_kwh=np.array([4.0]),
            loss_kwh=none,
            voltage_v=np.array([51.0]),
            temperature_c=np.array([22.0]),
            equivalent_full_cycles=np.array([3.5]),
            state_of_health=np.array([0.95]),
        ),
        "heat": HeatPumpRun(kw("heat"), none, none),
    }
    grid_kw = sum(run.power_kw for run in runs.values())
    outside = Surroundings(none, none, none, np.array([0.1]), np.array([0.25]))
    return PlantRun("p", TimeGrid(START, 900, 1), outside, runs, {"farm": SiteRun(grid_kw, none, none)})


def record(config_of: Callable[..., VPPConfig], **power: float) -> dict[str, Any]:
    config = config_of(sites=[SITE])
    prices = SitePrices(np.array([0.3]), np.array([0.07]), 5.0, np.array(["peak"]), np.array([0.25]))
    (found,) = records((record_columns(config.plant.sites[0], one_step(**power), prices),))
    return found


# one row per direction: what flows, in the house's signs and in the record's
@pytest.mark.parametrize(
    ("power", "section", "name", "exported", "net"),
    [
        ({"house": -2.0}, "home_load", "total_load_kw", 2.0, 2.0),
        ({"heat": -1.5}, "home_load", "heat_pump_kw", 1.5, 1.5),
        ({"roof": 3.0}, "solar", "generation_kw", 3.0, -3.0),
        ({"mill": 1.0}, "wind", "generation_kw", 1.0, -1.0),
        ({"store": 4.0}, "battery", "power_kw", -4.0, -4.0),
        ({"store": -4.0}, "battery", "power_kw", 4.0, 4.0),
        ({"house": -2.0, "roof": 3.0, "store": -0.5}, "solar", "generation_kw", 3.0, -0.5),
    ],
    ids=["load", "heat pump", "sun", "wind", "discharging", "charging", "feeding in"],
)
def test_signs_at_the_border(
    config_of: Callable[..., VPPConfig], power: dict[str, float], section: str, name: str, exported: float, net: float
) -> None:
    found = record(config_of, **power)
    assert found[section][name] == exported
    assert found["net_grid_flow_kw"] == net
    assert one_step(**power).sites["farm"].grid_kw[0] == -net


def test_a_record_in_full(config_of: Callable[..., VPPConfig]) -> None:
    assert record(config_of, house=-2.0, roof=1.5, store=1.0) == {
        "timestamp": "2024-06-03T00:00:00Z",
        "device_id": "farm",
        "solar": {
            "generation_kw": 1.5,
            "irradiance_w_m2": 500.0,
            "panel_temp_celsius": 31.0,
            "efficiency_percent": 75.0,
        },
        "wind": {"generation_kw": 0.0, "hub_speed_m_s": 7.0},
        "battery": {
            "soc_percent": 40.0,
            "capacity_kwh": 9.5,
            "power_kw": -1.0,
            "voltage_v": 51.0,
            "temperature_celsius": 22.0,
            "cycles": 3.5,
            "health_percent": 95.0,
        },
        "home_load": {"total_load_kw": 2.0} | dict.fromkeys(LOAD_PARTS, 0.0) | {"base_kw": 0.5, "hvac_kw": 1.5},
        "grid_price": {
            "price_per_kwh": 0.3,
            "feed_in_tariff": 0.07,
            "demand_charge": 5.0,
            "time_of_use_period": "peak",
            "carbon_intensity_g_kwh": 250.0,
        },
        "net_grid_flow_kw": -0.5,
    }


def test_rounded_records_add_up(config_of: Callable[..., VPPConfig]) -> None:
    simulation = PlantSimulation(config_of(sites=[SITE]), seed=1)
    told = list(simulation.records(simulation.run(START, START + DAY)))
    assert len(told) == 96
    for one in told:
        load = one["home_load"]
        assert sum(load[part] for part in LOAD_PARTS) == pytest.approx(load["total_load_kw"], abs=1e-9)
        made = one["solar"]["generation_kw"] + one["wind"]["generation_kw"]
        assert one["net_grid_flow_kw"] == pytest.approx(
            load["total_load_kw"] - made + one["battery"]["power_kw"], abs=1e-9
        )


def test_a_site_without_an_asset_has_no_section_for_it(config_of: Callable[..., VPPConfig]) -> None:
    simulation = PlantSimulation(config_of(sites=[{"id": "flat", "assets": ASSETS[:1]}]))
    (told,) = simulation.at(START)
    assert told["solar"] is told["wind"] is told["battery"] is None
    assert told["net_grid_flow_kw"] == told["home_load"]["total_load_kw"] > 0.0


def test_a_moment_of_a_stream_does_not_hang_on_when_one_began_to_look(config_of: Callable[..., VPPConfig]) -> None:
    config = config_of(sites=[SITE])
    late = START + timedelta(days=3, hours=13, minutes=7)
    looked = PlantSimulation(config, seed=2)
    looked.at(START)
    assert looked.at(late) == PlantSimulation(config, seed=2).at(late) != PlantSimulation(config, seed=3).at(late)
    assert looked.at(late)[0]["timestamp"] == "2024-06-06T13:00:00Z"


def test_every_block_of_a_stream_has_a_weather_of_its_own(config_of: Callable[..., VPPConfig]) -> None:
    simulation = PlantSimulation(config_of(sites=[SITE]), resolution_s=3600)

    def wind(start: datetime) -> list[float]:
        return [simulation.at(start + hour * DAY / 24)[0]["wind"]["hub_speed_m_s"] for hour in range(48)]

    one, next_one = wind(datetime(2024, 6, 3, tzinfo=UTC)), wind(datetime(2024, 7, 1, tzinfo=UTC))
    assert abs(float(np.corrcoef(one, next_one)[0, 1])) < 0.7
    assert one != next_one


@pytest.mark.parametrize(
    ("aligned", "minutes"), [(False, [10, 25, 40]), (True, [15, 30, 45])], ids=["continuous", "scheduled"]
)
def test_streams_on_the_clock(config_of: Callable[..., VPPConfig], aligned: bool, minutes: list[int]) -> None:
    simulation = PlantSimulation(config_of(sites=[SITE]), resolution_s=300)
    clock = DataClock(START + timedelta(minutes=10))
    told = [one[0] for one in stream(simulation, clock, interval_s=900, aligned=aligned, count=3)]
    assert [one["timestamp"] for one in told] == [f"2024-06-03T00:{minute:02d}:00Z" for minute in minutes]


def test_a_stream_that_fell_behind_goes_on_with_the_present(config_of: Callable[..., VPPConfig]) -> None:
    clock = DataClock(START)
    told = stream(PlantSimulation(config_of(sites=[SITE])), clock, interval_s=900, aligned=True, count=3)
    next(told)
    clock.sleep_until(START + timedelta(hours=2, minutes=1))
    assert [one[0]["timestamp"] for one in told] == ["2024-06-03T02:00:00Z", "2024-06-03T02:15:00Z"]


@pytest.mark.parametrize(("interval_s", "step_s"), [(1, 1), (7, 6), (900, 900), (7200, 3600), (100, 100)])
def test_steps_as_long_as_the_interval_allows(interval_s: int, step_s: int) -> None:
    assert resolution_for(interval_s) == step_s


@pytest.mark.parametrize(
    ("prices", "hour", "period"),
    [
        ({"import": {"price_per_kwh": 0.3}}, 18, "flat"),
        ({"import": {"spot": True}}, 18, "peak"),
        ({"import": {"spot": True}}, 3, "off_peak"),
    ],
)
def test_periods_of_plain_tariffs(home: Callable[..., Setup], prices: dict[str, Any], hour: int, period: str) -> None:
    assert periods(home(prices=prices))[hour] == period


def periods(setup: Setup) -> list[str]:
    grid = TimeGrid(datetime(2024, 6, 2, 22, tzinfo=UTC), 3600, 24)  # a local Monday
    each = np.full(24, 0.1)
    found = prices_of(setup, grid, Surroundings(each, each, each, each, each), demand_charge_per_kw=0.0)
    return list(found.period)


def test_periods_of_a_time_of_use_tariff_are_by_rank_in_the_day(home: Callable[..., Setup]) -> None:
    lines = [
        {"price_per_kwh": 0.9, "months": [1]},
        {"price_per_kwh": 0.4, "start": "17:00", "end": "21:00"},
        {"price_per_kwh": 0.3, "start": "07:00", "end": "17:00"},
        {"price_per_kwh": 0.2},
    ]
    found = periods(home(prices={"import": {"time_of_use": lines}}))
    assert found == ["off_peak"] * 7 + ["shoulder"] * 10 + ["peak"] * 4 + ["off_peak"] * 3


def test_the_tariff_is_the_plants_own(config_of: Callable[..., VPPConfig]) -> None:
    prices = {"import": {"spot": True, "fee_per_kwh": 0.02, "tax_fraction": 0.21}, "demand_charge_per_kw": 3}
    simulation = PlantSimulation(config_of(sites=[SITE], prices=prices))
    run = simulation.run(START, START + DAY)
    found = simulation.prices(run)
    np.testing.assert_allclose(found.import_per_kwh, (run.outside.price_per_kwh + 0.02) * 1.21)
    assert (found.export_per_kwh == run.outside.price_per_kwh).all()
    assert found.demand_charge_per_kw == 3.0


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_files_hold_the_records(config_of: Callable[..., VPPConfig], tmp_path: Path, suffix: str) -> None:
    sites = [SITE, {"id": "flat", "assets": [{"kind": "load", "id": "tenant"}]}]
    simulation = PlantSimulation(config_of(sites=sites), resolution_s=3600)
    tables = simulation.columns(simulation.run(START, START + DAY))
    path, seen = tmp_path / f"out.{suffix}", []
    assert write_records(tables, path, progress=lambda done, all_: seen.append((done, all_))) == 48
    assert seen[-1] == (48, 48)
    expected = [json.loads(line) for line in json_lines(tables)]
    if suffix == "jsonl":
        assert [json.loads(line) for line in path.read_text().splitlines()] == expected
        return
    frame = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert list(frame["timestamp"]) == [one["timestamp"] for one in expected]
    assert list(frame["device_id"][:3]) == ["farm", "flat", "farm"]
    assert frame["home_load.total_load_kw"].tolist() == pytest.approx(
        [one["home_load"]["total_load_kw"] for one in expected]
    )
    assert frame["net_grid_flow_kw"].tolist() == pytest.approx([one["net_grid_flow_kw"] for one in expected])
    assert frame["solar.generation_kw"].isna().tolist() == [one["solar"] is None for one in expected]
    again = tmp_path / f"again.{suffix}"
    write_records(tables, again)
    assert again.read_bytes() == path.read_bytes()


def test_a_fleet_is_written_as_it_comes(config_of: Callable[..., VPPConfig], tmp_path: Path) -> None:
    simulation = PlantSimulation(config_of(), resolution_s=3600)
    path = tmp_path / "fleet.parquet"
    rows = write_fleet(fleet_of(simulation, 30, START, START + DAY), path, homes=30)
    table = pq.read_table(path)
    assert rows == table.num_rows == 30 * 24
    assert table["home"].to_pylist()[:25] == [0] * 24 + [1]
    assert table["time"][0].as_py() == START
    net = table["solar_kw"].to_numpy() - table["load_kw"].to_numpy() - table["ev_kw"].to_numpy()
    net = net - table["heat_pump_kw"].to_numpy() + table["battery_kw"].to_numpy()
    np.testing.assert_allclose(table["grid_kw"].to_numpy(), net, atol=1e-4)


def test_the_bus_carries_the_houses_signs(config_of: Callable[..., VPPConfig]) -> None:
    simulation = PlantSimulation(config_of(sites=[SITE]))
    told = simulation.at(START + timedelta(hours=12))
    listener = open_bus("memory://simulated-signs", channels=[Channel.TELEMETRY])
    publisher = SimulationPublisher("memory://simulated-signs", "plant")
    assert publisher.publish(told, issued_s=epoch_s(START) + 60) == 2
    assert publisher.publish(told, issued_s=epoch_s(START) + 65) == 2
    heard = [decode_telemetry(parcel) for parcel in listener.consume()]
    assert [(one.sequence, one.issued_s - epoch_s(START)) for one in heard] == [(0, 60), (1, 65)]
    assert (heard[0].assets, heard[0].metrics) == (["farm", "farm"], [POWER_KW, SOC])
    assert heard[0].values == [-told[0]["net_grid_flow_kw"], told[0]["battery"]["soc_percent"] / 100.0]
    publisher.close()


def test_without_a_name_nobody_listens_and_nothing_piles_up(config_of: Callable[..., VPPConfig]) -> None:
    simulation = PlantSimulation(config_of(sites=[SITE]))
    told = simulation.at(START)
    publisher = SimulationPublisher("memory://", "plant")
    assert [publisher.publish(told, issued_s=0) for _ in range(3)] == [2, 2, 2]
    assert publisher._bus.counts().held == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resolution_s": 7000}, "1s to 1h, a part of a day"),
        ({"resolution_s": 0}, "1s to 1h"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_refusals(config_of: Callable[..., VPPConfig], options: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        PlantSimulation(config_of(), **options)


def test_spans_that_are_none_or_too_long(config_of: Callable[..., VPPConfig]) -> None:
    simulation = PlantSimulation(config_of(), resolution_s=1)
    with pytest.raises(InvalidInputError, match="at most 2000000 steps"):
        simulation.run(START, START + 30 * DAY)
    with pytest.raises(InvalidInputError, match="a time after the start"):
        simulation.run(START, START)
