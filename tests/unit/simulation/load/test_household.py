"""Households: parts, seeds, chunks, resolutions and the energy that was asked for."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.load import Appliance, HouseholdSettings, household_load
from vpp.simulation.load.climate_control import lagged, running_share

PARTS = ("base_kw", "appliances_kw", "lighting_kw", "climate_kw")


def clock(days=7, resolution_s=900, *, start_hour=0.0):
    at = start_hour + np.arange(days * 86_400 // resolution_s) * resolution_s / 3600.0
    return {"hour_of_day": at % 24.0, "weekday": (at // 24.0).astype(int) % 7, "duration_h": resolution_s / 3600.0}


def sky(times, *, mean_c=20.0):
    hour = times["hour_of_day"]
    return {
        "temperature_c": mean_c - 8.0 * np.cos((hour - 3.0) / 12.0 * np.pi),
        "ghi_w_m2": 900.0 * np.clip(np.cos((hour - 12.5) / 13.0 * np.pi), 0.0, None),
    }


def load(settings=None, *, homes=20, seed=1, days=7, resolution_s=900, mean_c=20.0, **more):
    times = clock(days, resolution_s)
    return household_load(settings, homes=homes, seed=seed, **times, **sky(times, mean_c=mean_c), **more)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_sum_to_the_load_and_none_is_negative(dtype):
    found = load(HouseholdSettings(heating_kw_per_k=0.1), mean_c=15.0, dtype=dtype)
    parts = [getattr(found, name) for name in PARTS]
    assert found.load_kw.dtype == dtype
    assert (found.load_kw == parts[0] + parts[1] + parts[2] + parts[3]).all()
    assert all((part >= 0.0).all() and part.any() for part in parts)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    one, same, other = load(seed=1), load(seed=1), load(seed=2)
    assert one.load_kw.tobytes() == same.load_kw.tobytes()
    assert not np.allclose(one.load_kw, other.load_kw)


def test_a_home_is_the_same_in_any_chunk():
    whole = load(homes=37)
    for numbers in (np.arange(5), np.array([36, 3]), np.arange(10, 37)):
        chunk = load(homes=numbers)
        for name in (*PARTS, "load_kw"):
            assert getattr(chunk, name).tobytes() == np.ascontiguousarray(getattr(whole, name)[:, numbers]).tobytes()


def test_a_longer_horizon_changes_nothing_before():
    np.testing.assert_allclose(load(days=9).load_kw[: 6 * 96], load(days=7).load_kw[: 6 * 96], rtol=1e-12, atol=1e-12)


def test_events_are_the_same_at_any_resolution():
    settings = HouseholdSettings(cooling_kw_per_k=0.0, lighting_share=0.0)
    kwh = [load(settings, resolution_s=s).appliances_kw.sum(axis=0) * s / 3600.0 for s in (60, 900, 3600)]
    np.testing.assert_allclose(kwh[0], kwh[1], rtol=1e-9)
    # at an hour, whether somebody is at home is the only thing that could differ, and events do not ask the grid
    np.testing.assert_allclose(kwh[2], kwh[1], rtol=1e-9)


def test_the_annual_energy_is_what_was_asked_for():
    settings = HouseholdSettings(annual_energy_kwh=3500.0, cooling_kw_per_k=0.0)
    found = load(settings, homes=1500, days=28, resolution_s=3600)
    assert found.load_kw.mean() * 8766.0 == pytest.approx(3500.0, rel=0.03)
    given = load(settings, homes=400, days=28, resolution_s=3600, annual_energy_kwh=np.linspace(1000.0, 5000.0, 400))
    yearly = given.load_kw.mean(axis=0) * 8766.0
    assert yearly[:100].mean() == pytest.approx(1500.0, rel=0.1)
    assert yearly[300:].mean() == pytest.approx(4500.0, rel=0.1)


def test_people_lights_and_weather_leave_their_marks():
    found = load(homes=400, days=14, mean_c=27.0)
    hour = clock(14)["hour_of_day"]
    weekend = clock(14)["weekday"] >= 5
    at_home = found.active.mean(axis=1)
    assert at_home[(hour >= 2.0) & (hour < 4.0)].max() < 0.1
    noon = (hour >= 11.0) & (hour < 14.0)
    assert at_home[noon & weekend].mean() > 0.9
    assert 0.3 < at_home[noon & ~weekend].mean() < 0.6
    assert found.lighting_kw[noon].max() == 0.0
    assert found.lighting_kw[(hour >= 20.0) & (hour < 22.0)].mean() > 0.02
    warm, mild = found.climate_kw.mean(), load(homes=400, days=14, mean_c=18.0).climate_kw.mean()
    assert warm > 3.0 * mild
    per_home = found.load_kw[:, :50]
    steps = np.diff(per_home, axis=0)
    # appliances switch: single homes ramp, the crowd is smooth
    assert np.quantile(np.abs(steps), 0.99) > 1.0
    assert np.quantile(np.abs(np.diff(found.load_kw.mean(axis=1))), 0.99) < 0.25
    still = per_home - per_home.mean(axis=0)
    memory = (still[1:] * still[:-1]).mean(axis=0) / (still**2).mean(axis=0)
    assert 0.4 < memory.mean() < 0.95


def test_a_timer_repeats_and_what_is_not_owned_never_runs():
    timer = Appliance(
        name="timer", power_kw=2.0, run_h=1.0, runs_per_day=1.0, windows=((8.0, 20.0, 1.0),), needs_people=False,
        habit=1.0, owned_share=0.5,
    )  # fmt: skip
    settings = HouseholdSettings(appliances=(timer,), cooling_kw_per_k=0.0)
    found = load(settings, homes=60, days=21, resolution_s=300).appliances_kw
    owns = found.any(axis=0)
    assert 15 < owns.sum() < 45
    at = clock(21, 300)["hour_of_day"]
    begins = [at[1:][np.flatnonzero((column[1:] > 0) & (column[:-1] == 0))] for column in found[:, owns].T]
    # three slots a day, each at its own hour every day
    assert all(np.unique(np.round(hours, 6)).size <= 6 for hours in begins)


@given(duty=st.floats(0.0, 1.0), phase=st.floats(-3.0, 3.0), duration_h=st.sampled_from([1 / 3600, 1 / 60, 0.25, 1.0]))
def test_a_compressor_runs_its_share(duty, phase, duration_h):
    settings = HouseholdSettings(climate_cycle_h=0.5)
    steps = round(2.0 / duration_h)
    share = running_share(np.full((steps, 1), duty), np.array([phase]), settings, duration_h)
    assert share.min() >= -1e-9
    assert share.max() <= 1.0 + 1e-9
    # two hours are four whole cycles
    assert share.mean() == pytest.approx(duty, abs=1e-9)


def test_the_lag_is_exact_at_any_step():
    fine = lagged(np.concatenate(([0.0], np.full(60, 10.0)))[:, None], inertia_h=3.0, duration_h=1 / 60)
    coarse = lagged(np.array([[0.0], [10.0]]), inertia_h=3.0, duration_h=1.0)
    assert fine[-1, 0] == pytest.approx(coarse[-1, 0], rel=1e-12)
    assert coarse[-1, 0] == pytest.approx(10.0 * (1.0 - np.exp(-1 / 3)))


def test_nobody_works_and_everybody_works():
    for share, least, most in ((0.0, 0.9, 1.0), (1.0, 0.0, 0.3)):
        found = load(HouseholdSettings(employed_share=share), homes=100, days=5)
        noon = (clock(5)["hour_of_day"] >= 11.0) & (clock(5)["hour_of_day"] < 13.0)
        assert least <= found.active[noon].mean() <= most


def test_a_calm_household_has_no_appliances():
    settings = HouseholdSettings(
        base_share=1.0, lighting_share=0.0, appliances=(), cooling_kw_per_k=0.0, size_spread=0.0, base_spread=0.0
    )
    found = load(settings, homes=3)
    np.testing.assert_allclose(found.load_kw, settings.annual_energy_kwh / 8766.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annual_energy_kwh": 0.0}, r"household.annual_energy_kwh.*0.0.*above 0"),
        ({"base_share": 0.95, "lighting_share": 0.1}, "household.base_share"),
        ({"empty_share": 1.5}, r"household.empty_share.*1.5.*0 to 1"),
        ({"wake_hour": 2.0}, "household.wake_hour"),
        ({"appliances": ()}, "household.appliances"),
    ],
)
def test_a_setting_outside_its_range_is_named(change, message):
    with pytest.raises(InvalidInputError, match=message):
        HouseholdSettings(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"power_kw": 0.0}, r"household.appliances.oven.power_kw"),
        ({"run_h": 13.0}, "run_h"),
        ({"habit": 1.1}, "habit"),
        ({"owned_share": 0.0}, "owned_share"),
        ({"windows": ((9.0, 8.0, 1.0),)}, "windows"),
        ({"windows": ((8.0, 12.0, 1.0), (11.0, 13.0, 1.0))}, "windows"),
    ],
)
def test_an_appliance_outside_its_range_is_named(change, message):
    oven = Appliance(name="oven", power_kw=2.0, run_h=1.0, runs_per_day=1.0)
    with pytest.raises(InvalidInputError, match=message):
        replace(oven, **change)


def test_what_is_handed_in_is_checked():
    times = clock(1)
    good = {"homes": 2, "seed": 1, **times, **sky(times)}
    for change, error, message in (
        ({"homes": np.array([-1])}, InvalidInputError, "homes"),
        ({"hour_of_day": times["hour_of_day"] + 1.0}, InvalidInputError, "hour_of_day"),
        ({"weekday": np.full(96, 7)}, InvalidInputError, "weekday"),
        ({"weekday": np.zeros(3, dtype=int)}, SeriesMismatchError, "weekday"),
        ({"temperature_c": np.zeros(3)}, SeriesMismatchError, "temperature_c"),
        ({"ghi_w_m2": np.full(96, np.nan)}, InvalidInputError, "ghi_w_m2"),
        ({"duration_h": 2.0}, InvalidInputError, "duration_h"),
        ({"annual_energy_kwh": -1.0}, InvalidInputError, "annual_energy_kwh"),
        ({"annual_energy_kwh": [1.0, 2.0, 3.0]}, SeriesMismatchError, "annual_energy_kwh"),
        ({"seed": -1}, InvalidInputError, "seed"),
    ):
        with pytest.raises(error, match=message):
            household_load(**{**good, **change})


def test_every_setting_is_documented():
    for owner in (HouseholdSettings, Appliance):
        assert all(field.name in (owner.__doc__ or "") for field in fields(owner))
