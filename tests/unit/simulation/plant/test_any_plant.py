"""Whatever a plant file may hold within its ranges is simulated, balances, and keeps every band."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp.core.assets import (
    Battery,
    EvCharger,
    FlexibleLoad,
    GridConnection,
    HeatPump,
    Load,
    Plant,
    Site,
    SolarArray,
    WindTurbine,
)
from vpp.simulation.plant import simulate
from vpp.simulation.plant.runs import BatteryRun


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.one_of(st.just(low), st.just(high), st.floats(low, high))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


SOLAR = st.builds(
    SolarArray, id=st.just("solar"), peak_kw=number(0.0, 1e5), curtailable=st.booleans(), tilt_deg=number(0.0, 90.0),
    azimuth_deg=maybe(number(0.0, 360.0)), inverter_kw=maybe(number(1e-6, 1e5)),
    inverter_efficiency=number(0.5, 1.0), temperature_coefficient_per_c=number(-0.02, 0.0),
    loss_fraction=number(0.0, 0.99), soiling_fraction=number(0.0, 0.99), degradation_per_year=number(0.0, 0.1),
    age_years=number(0.0, 60.0),
)  # fmt: skip
WIND = st.builds(
    WindTurbine, id=st.just("wind"), rated_kw=number(0.0, 1e5), curtailable=st.booleans(),
    turbine_type=maybe(st.sampled_from(["E-126/4200", "V80/2000"])), hub_height_m=maybe(number(1.0, 300.0)),
    roughness_m=number(1e-5, 0.5),
)  # fmt: skip
LOAD = st.builds(
    Load, id=st.just("load"), peak_kw=st.just(inf) | number(0.0, 1e5), annual_energy_kwh=maybe(number(1e-3, 1e8)),
    profile=maybe(st.sampled_from(["household", "office", "shop", "plant", "data_centre"])),
    heating_fraction=maybe(number(0.0, 0.5)), cooling_fraction=maybe(number(0.0, 0.5)),
)  # fmt: skip
CAR = st.builds(
    EvCharger, id=st.just("car"), rated_kw=number(0.0, 350.0), capacity_kwh=number(0.0, 200.0),
    charge_efficiency=number(1e-3, 1.0), arrival_hour=maybe(number(0.0, 24.0)),
    departure_hour=maybe(number(0.0, 24.0)), energy_per_session_kwh=maybe(number(0.0, 200.0)),
    sessions_per_week=maybe(number(0.0, 7.0)),
)  # fmt: skip
HEAT = st.builds(
    HeatPump, id=st.just("heat"), rated_kw=number(0.0, 50.0), cop=number(0.1, 20.0),
    thermal_resistance_k_per_kw=number(0.5, 20.0), thermal_capacity_kwh_per_k=number(2.0, 100.0),
    temperature_min_c=number(10.0, 20.0), temperature_max_c=number(21.0, 30.0),
)  # fmt: skip
BATTERY = st.builds(
    Battery, id=st.just("battery"), capacity_kwh=number(1e-3, 1e5), charge_max_kw=number(0.0, 1e5),
    discharge_max_kw=number(0.0, 1e5), charge_efficiency=number(0.5, 1.0), discharge_efficiency=number(0.5, 1.0),
    soc_min=number(0.0, 0.3), soc_max=number(0.7, 1.0), soc_initial=number(0.3, 0.7), backup_soc=number(0.0, 0.7),
    model=st.sampled_from(["simple", "physical"]), chemistry=st.sampled_from(["lfp", "nmc"]),
    standby_kw=number(0.0, 1.0), ambient_c=maybe(number(-40.0, 60.0)),
)  # fmt: skip


@st.composite
def machines(draw: st.DrawFn) -> FlexibleLoad:
    earliest, latest = draw(number(0.0, 24.0)), draw(number(0.0, 24.0))
    window_h = (latest - earliest) % 24.0 or 24.0
    rated_kw = draw(number(0.1, 100.0))
    energy_kwh = draw(st.floats(0.0, 1.0)) * window_h * rated_kw
    return FlexibleLoad(
        id="machine",
        rated_kw=rated_kw,
        energy_kwh_per_day=energy_kwh,
        earliest_hour=earliest,
        latest_hour=latest,
    )


@settings(max_examples=40)
@given(
    st.tuples(SOLAR, WIND, LOAD, CAR, HEAT, BATTERY, machines()),
    st.builds(
        GridConnection, import_max_kw=st.just(inf) | number(0.0, 1e4), export_max_kw=st.just(inf) | number(0.0, 1e4)
    ),
    number(-90.0, 90.0),
    number(-180.0, 180.0),
    st.sampled_from([(60, 60), (300, 96), (900, 96), (3600, 48)]),
    st.sampled_from(["Europe/Amsterdam", "America/Los_Angeles", "Australia/Lord_Howe", "UTC"]),
    st.sampled_from([datetime(2024, 3, 30, 13, tzinfo=UTC), datetime(2024, 11, 2, 23, tzinfo=UTC)]),
)
def test_it_is_simulated(
    assets: tuple[Any, ...], connection: GridConnection, latitude: float, longitude: float, steps: tuple[int, int],
    timezone: str, start: datetime,
) -> None:  # fmt: skip
    site = Site(id="site", assets=assets, connection=connection)
    plant = Plant(
        id="p", name="P", timezone=timezone, currency="EUR", sites=(site,), latitude_deg=latitude,
        longitude_deg=longitude,
    )  # fmt: skip
    resolution_s, count = steps
    run = simulate(plant, start, start + timedelta(seconds=resolution_s * count), resolution_s, seed=1)
    size = 1.0 + sum(np.abs(one.power_kw).max() for one in run.assets.values())
    behind = sum(one.power_kw for one in run.assets.values())
    np.testing.assert_allclose(run.sites["site"].grid_kw, behind, atol=1e-9 * size)
    assert all(np.isfinite(one.power_kw).all() for one in run.assets.values())
    store, told = run.assets["battery"], assets[5]
    assert isinstance(store, BatteryRun)
    assert store.soc.min() >= told.soc_min - 1e-9
    assert store.soc.max() <= told.soc_max + 1e-9
    hours = resolution_s / 3600.0
    change = np.diff(store.stored_kwh)
    np.testing.assert_allclose(change, -(store.power_kw * hours + store.loss_kwh)[1:], atol=1e-8 * told.capacity_kwh)
