"""A simulated plant: it balances, repeats itself to the byte, and keeps its assets apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.assets import (
    Battery,
    FlexibleLoad,
    GridConnection,
    Load,
    Plant,
    Site,
    SolarArray,
    WindTurbine,
)
from vpp.core.errors import InvalidInputError, SeriesMismatchError, UnknownNameError
from vpp.core.messages import POWER_KW, SOC, SeriesKey
from vpp.core.time import TimeGrid
from vpp.simulation.plant import PlantRun, simulate
from vpp.simulation.plant.runs import BatteryRun, HeatPumpRun, LoadRun, SolarRun
from vpp.simulation.weather import Places, synthetic_weather

Plants = Callable[..., Plant]
START = datetime(2024, 6, 3, tzinfo=UTC)
DAY = timedelta(days=1)


def run(plant: Plant, *, days: float = 2, start: datetime = START, **rest: object) -> PlantRun:
    options = {"resolution_s": 900, "seed": 1} | rest
    return simulate(plant, start, start + days * DAY, **options)


def raw(done: PlantRun) -> bytes:
    parts = [getattr(done.outside, one.name) for one in fields(done.outside)]
    parts += [
        getattr(asset, one.name) for asset in done.assets.values() for one in fields(asset) if one.name != "parts_kw"
    ]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def test_same_seed_same_bytes_and_another_seed_another_plant(plant_of: Plants) -> None:
    plant = plant_of()
    assert raw(run(plant)) == raw(run(plant)) != raw(run(plant, seed=2))


def test_every_meter_balances_and_every_load_is_the_sum_of_its_parts(plant_of: Plants) -> None:
    done = run(plant_of(), days=4)
    behind = sum(asset.power_kw for asset in done.assets.values())
    np.testing.assert_allclose(done.sites["home"].grid_kw, behind, rtol=0, atol=1e-9)
    loads = [asset for asset in done.assets.values() if isinstance(asset, LoadRun)]
    assert len(loads) == 3
    for load in loads:
        np.testing.assert_allclose(-load.power_kw, sum(load.parts_kw.values()), rtol=0, atol=1e-12)
        assert all((part >= 0.0).all() for part in load.parts_kw.values())


def test_a_battery_conserves_energy_and_keeps_its_band(plant_of: Plants) -> None:
    battery = run(plant_of(), days=6).assets["battery"]
    assert isinstance(battery, BatteryRun)
    spent = 5.0 - battery.stored_kwh - np.cumsum(battery.power_kw) * 0.25 - np.cumsum(battery.loss_kwh)
    np.testing.assert_allclose(spent, 0.0, atol=1e-9)
    assert (battery.loss_kwh >= -1e-12).all()
    assert battery.soc.min() >= 0.1 - 1e-12
    assert battery.soc.max() <= 0.9 + 1e-12
    assert -5.0 - 1e-9 <= battery.power_kw.min() < 0.0 < battery.power_kw.max() <= 4.0 + 1e-9


def test_surplus_is_stored_before_anything_is_fed_in_and_load_served_before_anything_is_drawn(plant_of: Plants) -> None:
    plant = plant_of(
        Load(id="house", annual_energy_kwh=9000.0),
        SolarArray(id="roof", peak_kw=8.0),
        Battery(id="battery", capacity_kwh=10.0, charge_max_kw=50.0, discharge_max_kw=50.0),
        connection=GridConnection(),
    )
    done = run(plant, days=15)
    battery, meter = done.assets["battery"], done.sites["home"].grid_kw
    assert isinstance(battery, BatteryRun)
    assert ((meter < 1e-9) | (battery.soc > 0.9 - 1e-9)).all()
    assert ((meter > -1e-9) | (battery.soc < 0.1 + 1e-9)).all()
    assert (meter > 0.1).any()
    assert (meter < -0.1).any()


def test_sun_and_arrays_rest_at_night(plant_of: Plants) -> None:
    done = run(plant_of())
    roof = done.assets["roof"]
    assert isinstance(roof, SolarRun)
    night = done.outside.ghi_w_m2 == 0.0
    assert night.any()
    assert (roof.power_kw[night] == 0.0).all()
    assert roof.power_kw.max() > 1.0


def test_export_is_curtailed_to_the_connection_and_told(plant_of: Plants) -> None:
    done = run(plant_of(connection=GridConnection(export_max_kw=0.5)), days=4)
    home = done.sites["home"]
    assert home.grid_kw.max() <= 0.5 + 1e-9
    assert (home.violation_kw == 0.0).all()
    unused = sum(done.assets[name].available_kw - done.assets[name].power_kw for name in ("roof", "mill"))
    np.testing.assert_allclose(unused, home.curtailed_kw, atol=1e-9)
    assert home.curtailed_kw.max() > 0.5


def test_what_cannot_be_curtailed_breaks_the_limit_and_is_told(plant_of: Plants) -> None:
    done = run(plant_of(SolarArray(id="roof", peak_kw=8.0), connection=GridConnection(export_max_kw=1.0)))
    home = done.sites["home"]
    np.testing.assert_allclose(home.violation_kw, np.maximum(home.grid_kw - 1.0, 0.0), atol=1e-9)
    assert home.violation_kw.max() > 1.0


def test_the_backup_is_left_only_for_what_the_connection_cannot_carry(plant_of: Plants) -> None:
    battery = Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, backup_soc=0.5)
    free = run(plant_of(Load(id="house"), battery, connection=GridConnection())).assets["battery"]
    tight = run(plant_of(Load(id="house"), battery, connection=GridConnection(import_max_kw=0.3)))
    assert isinstance(free, BatteryRun)
    assert (free.soc == 0.5).all()
    meter, stored = tight.sites["home"].grid_kw, tight.assets["battery"]
    assert isinstance(stored, BatteryRun)
    assert meter[stored.soc > 0.1 + 1e-9].min() >= -0.3 - 1e-9
    assert stored.soc.min() < 0.4


def test_an_asset_more_changes_no_other(plant_of: Plants) -> None:
    alone = run(plant_of(Load(id="house"), SolarArray(id="roof", peak_kw=4.0))).assets
    neighbours = WindTurbine(id="mill", rated_kw=2.0), Load(id="other")
    more = run(plant_of(*neighbours, SolarArray(id="roof", peak_kw=4.0), Load(id="house"))).assets
    assert (alone["house"].power_kw == more["house"].power_kw).all()
    assert (alone["roof"].power_kw == more["roof"].power_kw).all()
    assert (more["other"].power_kw != more["house"].power_kw).any()


def test_set_points_are_executed_within_the_limits(plant_of: Plants) -> None:
    points = np.tile([-3.0, 9.0], 96)
    done = run(plant_of(), set_points_kw={"battery": points}).assets["battery"]
    assert isinstance(done, BatteryRun)
    assert done.power_kw[0] == pytest.approx(-3.0)
    assert done.power_kw[1] == pytest.approx(4.0)


def test_a_physical_battery_has_cells(plant_of: Plants) -> None:
    cells = Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0, model="physical")
    done = run(plant_of(Load(id="house"), SolarArray(id="roof", peak_kw=8.0), cells), resolution_s=3600)
    battery = done.assets["battery"]
    assert isinstance(battery, BatteryRun)
    assert 40.0 < battery.voltage_v.mean() < 60.0
    assert battery.state_of_health[-1] < 1.0
    assert np.isfinite(battery.temperature_c).all()
    stored = np.diff(battery.stored_kwh)
    np.testing.assert_allclose(stored, -(battery.power_kw + battery.loss_kwh)[1:], atol=1e-9)


@pytest.mark.parametrize(
    ("start", "steps"),
    [(datetime(2024, 3, 30, 23, tzinfo=UTC), 92), (datetime(2024, 10, 26, 22, tzinfo=UTC), 100)],
    ids=["spring", "autumn"],
)
def test_the_local_day_on_which_clocks_change(plant_of: Plants, start: datetime, steps: int) -> None:
    plant = plant_of()
    done = simulate(plant, start, start + steps * timedelta(minutes=15), 900, seed=1)
    assert done.grid.count == steps
    assert done.grid.start.astimezone(ZoneInfo("Europe/Amsterdam")).hour == 0
    assert all(np.isfinite(asset.power_kw).all() for asset in done.assets.values())


def test_a_machine_runs_once_a_day_inside_its_window(plant_of: Plants) -> None:
    machine = FlexibleLoad(id="washer", rated_kw=2.0, energy_kwh_per_day=3.0, earliest_hour=22.0, latest_hour=2.0)
    done = run(plant_of(machine), days=8, resolution_s=300).assets["washer"]
    local = [START + i * timedelta(minutes=5) for i in range(done.power_kw.size)]
    hours = np.array([one.astimezone(ZoneInfo("Europe/Amsterdam")).hour for one in local])
    assert set(hours[done.power_kw < 0.0]) <= {22, 23, 0, 1}
    by_noon = -done.power_kw[120 : 120 + 7 * 288].reshape(7, 288).sum(axis=1) / 12.0
    np.testing.assert_allclose(by_noon, 3.0, atol=1e-9)


def test_a_heat_pump_keeps_its_house_in_the_band(plant_of: Plants) -> None:
    winter = run(plant_of(), start=datetime(2024, 1, 10, tzinfo=UTC), days=4).assets["heat"]
    assert isinstance(winter, HeatPumpRun)
    assert winter.indoor_c.min() >= 20.0 - 1e-6
    assert winter.indoor_c.max() <= 22.0 + 1e-6
    assert winter.power_kw.mean() < -0.3


@pytest.mark.parametrize(
    ("load", "annual_kwh", "within"),
    [
        (Load(id="l", annual_energy_kwh=6000.0), 6000.0, 0.25),
        (Load(id="l", annual_energy_kwh=6000.0, heating_fraction=0.4, cooling_fraction=0.0), 6000.0, 0.25),
        (Load(id="l", profile="office", annual_energy_kwh=100e3), 100e3, 0.15),
        (Load(id="l", profile="shop", annual_energy_kwh=100e3), 100e3, 0.15),
        (Load(id="l", profile="plant", annual_energy_kwh=1e6), 1e6, 0.15),
        (Load(id="l", profile="data_centre", annual_energy_kwh=1e6), 1e6, 0.15),
    ],
    ids=["home", "heated home", "office", "shop", "plant", "data centre"],
)
def test_a_year_has_about_the_energy_stated(plant_of: Plants, load: Load, annual_kwh: float, within: float) -> None:
    year = run(plant_of(load), days=365, resolution_s=3600, start=datetime(2023, 1, 1, tzinfo=UTC))
    assert -year.assets["l"].power_kw.sum() == pytest.approx(annual_kwh, rel=within)


def test_no_load_exceeds_its_peak(plant_of: Plants) -> None:
    for load in (
        Load(id="l", peak_kw=1.0),
        Load(id="l", peak_kw=400.0),
        Load(id="l", peak_kw=50.0, profile="data_centre"),
    ):
        done = run(plant_of(load), days=7).assets["l"]
        assert -done.power_kw.min() <= load.peak_kw + 1e-9
        assert -done.power_kw.mean() > 0.1 * min(load.peak_kw, 3.0)


def test_weather_may_be_handed_in(plant_of: Plants) -> None:
    grid = TimeGrid(START, 3600, 48)
    weather = synthetic_weather(Places(52.1, 5.2), grid, seed=9)
    dark = replace(
        weather, ghi_w_m2=0.0 * weather.ghi_w_m2, dni_w_m2=0.0 * weather.dni_w_m2, dhi_w_m2=0.0 * weather.dhi_w_m2
    )
    done = run(plant_of(), weather=dark)
    assert (done.assets["roof"].power_kw == 0.0).all()
    assert done.outside.temperature_c.mean() == pytest.approx(weather.temperature_c.mean(), abs=0.2)


def test_the_table_holds_what_happened_or_what_would_have(plant_of: Plants) -> None:
    done = run(plant_of())
    whole, outside = done.table(), done.table(batteries=False)
    assert {SeriesKey("battery", POWER_KW), SeriesKey("battery", SOC), SeriesKey("home", POWER_KW)} <= set(whole.keys)
    assert not {key.source for key in outside.keys} & {"battery", "home"}
    assert (outside.column(SeriesKey("roof", POWER_KW)) >= whole.column(SeriesKey("roof", POWER_KW))).all()


def test_without_a_location_the_zone_says_where(plant_of: Plants) -> None:
    plant = plant_of(latitude_deg=None, longitude_deg=None, timezone="America/New_York")
    light = run(plant, days=1, resolution_s=3600).outside.ghi_w_m2
    assert 15 <= int(light.argmax()) <= 18  # noon at 75 degrees west is at 17 UTC


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"resolution_s": 7200}, InvalidInputError, "1 s to 1 h"),
        ({"days": 0}, InvalidInputError, "one or more"),
        ({"set_points_kw": {"roof": np.zeros(192)}}, InvalidInputError, "the ids of batteries"),
        ({"set_points_kw": {"batery": np.zeros(192)}}, UnknownNameError, "did you mean: battery"),
        ({"set_points_kw": {"battery": np.zeros(3)}}, SeriesMismatchError, r"\(192,\), one per step"),
        ({"set_points_kw": {"battery": np.full(192, np.nan)}}, InvalidInputError, "finite powers"),
        ({"seed": -1}, InvalidInputError, "0 or more"),
    ],
)
def test_refusals(plant_of: Plants, change: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run(plant_of(), **change)


def test_an_unknown_turbine_names_the_nearest(plant_of: Plants) -> None:
    with pytest.raises(UnknownNameError, match=r"no mill\.turbine_type called 'E-126/420'; did you mean: E-126/4200"):
        run(plant_of(WindTurbine(id="mill", rated_kw=5.0, turbine_type="E-126/420")))


def test_two_sites_have_a_meter_each(plant_of: Plants) -> None:
    first = plant_of()
    second = Site(id="shop", assets=(Load(id="till", profile="shop", peak_kw=20.0),))
    done = run(replace(first, sites=(*first.sites, second)))
    assert (done.sites["shop"].grid_kw == done.assets["till"].power_kw).all()
    assert (done.sites["home"].grid_kw == run(first).sites["home"].grid_kw).all()
