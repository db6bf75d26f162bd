"""Loads against closed forms and against measured homes and cars."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from vpp.simulation.load import (
    WORKPLACE,
    EvSessions,
    House,
    HouseholdSettings,
    ev_charging,
    ev_sessions,
    heat_pump_load,
)
from vpp.simulation.load.ev import deliverable_kwh, minimum_hours
from vpp.simulation.load.household import household_load


@pytest.fixture(scope="module")
def reference(shared):
    return json.loads((shared / "reference" / "flex_loads.json").read_text())


def test_house(reference):
    case = reference["rc_house"]
    house = House(case["R_K_per_kW"], case["C_kWh_per_K"])
    assert house.time_constant_h == case["tau_h"]
    for heat, row in ((case["P_el_kW"] * case["COP"], case["T_on"]), (0.0, case["T_off"])):
        for hours, indoor in zip(case["t_h"], row, strict=True):
            found = house.temperature_after(case["T0"], heat_kw=heat, outdoor_c=case["Ta"], duration_h=hours)
            assert found == pytest.approx(indoor, abs=reference["tol"])
            small = case["T0"]
            for _ in range(100):
                small = house.temperature_after(small, heat_kw=heat, outdoor_c=case["Ta"], duration_h=hours / 100)
            assert small == pytest.approx(indoor, abs=reference["tol"])


def test_thermostat(reference):
    case, rc = reference["thermostat_cycle"], reference["rc_house"]
    house = House(rc["R_K_per_kW"], rc["C_kWh_per_K"])
    on = {"heat_kw": rc["P_el_kW"] * rc["COP"], "outdoor_c": rc["Ta"]}
    off = {"heat_kw": 0.0, "outdoor_c": rc["Ta"]}
    warm_h = float(house.hours_until(case["T_high"], case["T_low"], **on))
    cool_h = float(house.hours_until(case["T_low"], case["T_high"], **off))
    assert warm_h == pytest.approx(case["t_on_h"], abs=reference["tol"])
    assert cool_h == pytest.approx(case["t_off_h"], abs=reference["tol"])
    duty = warm_h / (warm_h + cool_h)
    assert duty == pytest.approx(case["duty"], abs=reference["tol"])
    assert duty * rc["P_el_kW"] == pytest.approx(case["mean_power_kW"], abs=reference["tol"])
    hold = (21.0 - rc["Ta"]) / (rc["R_K_per_kW"] * rc["COP"])
    assert house.steady_c(heat_kw=case["steady_hold_power_at_21C"] * rc["COP"], outdoor_c=rc["Ta"]) == 21.0
    assert hold == case["steady_hold_power_at_21C"]
    # a hundred whole cycles in steps that know nothing of them
    steps = 1000
    done = heat_pump_load(
        house,
        rated_kw=rc["P_el_kW"],
        outdoor_c=np.full((steps, 1), rc["Ta"]),
        cop=rc["COP"],
        duration_h=100.0 * (warm_h + cool_h) / steps,
        initial_c=case["T_low"],
    )
    assert done.load_kw.mean() == pytest.approx(case["mean_power_kW"], abs=1e-9)


def test_ev_sessions(reference):
    for row in reference["ev_sessions"]:
        hours = (row["dep"] - row["arr"]) % 24
        limits = {"max_kw": row["max_kW"], "charge_efficiency": row["eta"]}
        shortest = float(minimum_hours(row["need_kWh"], **limits))
        assert (shortest <= hours) == row["feasible"]
        if row["feasible"]:
            assert shortest == pytest.approx(row["min_hours"], abs=reference["tol"])
        else:
            assert deliverable_kwh(hours, **limits) == pytest.approx(row["max_deliverable_kWh"], abs=reference["tol"])
        begin = np.array([float(row["arr"])])
        session = EvSessions(np.array([0]), begin, begin + hours, np.array([float(row["need_kWh"])]))
        done = ev_charging(session, duration_h=0.25, shape=(192, 1), **limits)
        got = min(row["need_kWh"], row.get("max_deliverable_kWh", np.inf))
        assert done.delivered_kwh[0] == pytest.approx(got, abs=reference["tol"])
        assert done.unmet_kwh[0] == pytest.approx(row["need_kWh"] - got, abs=reference["tol"])
        assert done.load_kw.sum() * 0.25 * row["eta"] == pytest.approx(got, abs=reference["tol"])


QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


def household_statistics(load_kw):
    """Return what homes are compared by: (T, S) hours in, pooled quantiles, memory and ramps out."""

    def memory(lag):
        still = load_kw - load_kw.mean(axis=0)
        return ((still[lag:] * still[:-lag]).mean(axis=0) / (still**2).mean(axis=0)).mean()

    ramps = np.abs(np.diff(load_kw, axis=0))
    return {
        "mean": load_kw.mean(),
        **{f"p{round(100 * level)}": np.quantile(load_kw, level) for level in QUANTILES},
        "memory_1h": memory(1),
        "memory_24h": memory(24),
        "ramp_p95": np.quantile(ramps, 0.95),
    }


@pytest.fixture(scope="module")
def homes(shared):
    folder = shared / "data" / "fontana_homes_2016_17"
    loads, weather = (pd.read_csv(folder / f"{name}.csv.gz") for name in ("load_kw", "weather_tariff_carbon"))
    local = pd.to_datetime(loads.pop("local_wall_clock"))
    # home12's load channel is a solar curve
    measured = household_statistics(loads.drop(columns="home12").to_numpy())
    conditions = {
        "hour_of_day": local.dt.hour.to_numpy(dtype=float),
        "weekday": local.dt.weekday.to_numpy(),
        "temperature_c": weather["outdoor_dry_bulb_temperature"].to_numpy(dtype=float),
        "ghi_w_m2": (weather["diffuse_solar_irradiance"] + weather["direct_solar_irradiance"]).to_numpy(dtype=float),
        "duration_h": 1.0,
    }
    return measured, conditions


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_population_is_like_the_measured_one(homes, seed):
    measured, conditions = homes
    load = household_load(HouseholdSettings.fontana(), homes=400, seed=seed, **conditions)
    found = household_statistics(load.load_kw)
    for name, value in measured.items():
        if name.startswith("memory"):
            assert found[name] == pytest.approx(value, abs=0.1), name
        else:
            assert found[name] == pytest.approx(value, rel=0.2 if name == "ramp_p95" else 0.1), name


def test_workplace_sessions_are_like_the_measured_ones(shared):
    measured = pd.read_csv(shared / "data" / "ev_sessions" / "acn_caltech.csv.gz")
    arrival, departure = (pd.to_datetime(measured[name].str[:19]) for name in ("arrival", "departure"))
    days = 28
    at = np.arange(days * 24.0)
    clock = {"hour_of_day": at % 24.0, "weekday": (at // 24.0).astype(int) % 7, "duration_h": 1.0}
    sessions = ev_sessions(WORKPLACE, cars=1000, seed=1, **clock)
    for weekend in (False, True):
        rows = (arrival.dt.weekday >= 5) == weekend
        ours = ((sessions.arrival_h // 24.0 % 7) >= 5) == weekend
        hours = arrival[rows].dt.hour + arrival[rows].dt.minute / 60.0
        stay = (departure - arrival)[rows].dt.total_seconds() / 3600.0
        energy = measured.loc[rows, "delivered_energy (kWh)"]
        pairs = (
            (hours, sessions.arrival_h[ours] % 24.0),
            (stay, (sessions.departure_h - sessions.arrival_h)[ours]),
            (energy, sessions.energy_kwh[ours]),
        )
        for theirs, mine in pairs:
            for level in (0.1, 0.25, 0.5, 0.75, 0.9):
                assert np.quantile(mine, level) == pytest.approx(np.quantile(theirs, level), rel=0.1, abs=0.1)
        theirs = pd.DataFrame({"stay": stay.to_numpy(), "energy": energy.to_numpy(), "hour": hours.to_numpy()})
        mine = pd.DataFrame({"stay": pairs[1][1], "energy": pairs[2][1], "hour": pairs[0][1]})
        gap = theirs.corr(method="spearman") - mine.corr(method="spearman")
        assert gap.abs().to_numpy().max() < 0.1
