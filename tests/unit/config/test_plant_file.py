"""The full shape: each field's range at its edges, texts with units, and what fields must be to each other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vpp.config import VPPConfig
from vpp.core.units import kw_from_mw

BATTERY = {"kind": "battery", "id": "b", "capacity_kwh": 10, "power_kw": 5}
ENERGY = "an energy above 0"
POWER = "a power of 0 or more"
FRACTION = "a fraction, 0 to 1"

STRATEGIES_SAID = "one of linear, auto, pulp, rule, no_battery"


def plant(*assets: dict[str, Any], **rest: Any) -> VPPConfig:
    return VPPConfig({"name": "Shed", "sites": [{"id": "s", "assets": list(assets or (BATTERY,))}], **rest})


def battery(**change: Any) -> VPPConfig:
    return plant({**BATTERY, **change})


def only_error(config: VPPConfig) -> tuple[str, str]:
    (issue,) = config.validate().errors
    return issue.path, issue.message


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        *(("capacity_kwh", bad, ENERGY) for bad in (0, -1, 1e-12, True, None, "20", "lots", "-5 kWh", "5 MW", [1])),
        *(("capacity_kwh", bad, ENERGY) for bad in (math.nan, math.inf, -math.inf, "9" * 400 + " kWh")),
        *(("power_kw", bad, POWER) for bad in (-1e-9, False, "5", "5 kWh", "five", math.nan, math.inf, {})),
        *(("charge_max_kw", bad, POWER) for bad in (-1, True, "x")),
        *((soc, bad, FRACTION) for soc in ("soc_min", "soc_max", "soc_initial", "backup_soc") for bad in (-0.1, 1.01)),
        *(("soc_max", bad, FRACTION) for bad in (True, None, "90%", math.nan)),
        ("soc_max", 90, "a fraction, 0 to 1; for 90 % write 0.9"),
        ("soc_max", 100, "a fraction, 0 to 1; for 100 % write 1"),
        ("round_trip_efficiency", 90, "an efficiency, above 0 (1e-6) to 1; for 90 % write 0.9"),
        *(("round_trip_efficiency", bad, "an efficiency") for bad in (0, -0.9, 1.0001, 1e-9, True)),
        *(("wear_cost_per_kwh", bad, "a cost [currency/kWh], 0 to 100") for bad in (-0.01, 101, True, "free")),
    ],
)
def test_a_battery_field_out_of_range(field: str, value: Any, words: str) -> None:
    path, message = only_error(battery(**{field: value}))
    assert path == f"sites[0].assets[0].{field}"
    assert message.startswith(f"must be {words}")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"soc_min": 0.8, "soc_max": 0.2}, "soc_min", "must be at most soc_max, 0.2"),
        ({"soc_min": 0.95}, "soc_min", "must be at most soc_max, 0.9"),
        ({"soc_initial": 0.05}, "soc_initial", "must be from soc_min 0.1 to soc_max 0.9"),
        ({"soc_initial": 0.91}, "soc_initial", "must be from soc_min 0.1 to soc_max 0.9"),
        ({"soc_min": 0.6}, "soc_initial", "must be from soc_min 0.6 to soc_max 0.9 (0.5 when left out)"),
        ({"backup_soc": 0.91}, "backup_soc", "must be at most soc_max, 0.9"),
        ({"power_kw": None}, "power_kw", "is required, or both charge_max_kw and discharge_max_kw"),
        ({"power_kw": None, "charge_max_kw": 3}, "power_kw", "is required, or both charge_max_kw and discharge_max_kw"),
    ],
)
def test_fields_that_clash(change: dict[str, Any], field: str, message: str) -> None:
    assert only_error(battery(**change)) == (f"sites[0].assets[0].{field}", message)


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        ({"capacity_kwh": 1e-9}, "capacity_kwh", 1e-9),
        ({"capacity_kwh": "20 MWh"}, "capacity_kwh", 20_000.0),
        ({"capacity_kwh": "20 kWh"}, "capacity_kwh", 20.0),
        ({"power_kw": 0}, "charge_max_kw", 0.0),
        ({"power_kw": "2.5 MW"}, "discharge_max_kw", kw_from_mw(2.5)),
        ({"power_kw": "800 W"}, "charge_max_kw", 0.8),
        ({"charge_max_kw": 1}, "charge_max_kw", 1.0),
        ({"charge_max_kw": 1}, "discharge_max_kw", 5.0),
        ({"power_kw": None, "charge_max_kw": 1, "discharge_max_kw": 2}, "discharge_max_kw", 2.0),
        ({"soc_min": 0, "soc_max": 1}, "soc_min", 0.0),
        ({"soc_min": 0.5, "soc_max": 0.5}, "soc_max", 0.5),
        ({"soc_initial": 0.9}, "soc_initial", 0.9),
        ({"backup_soc": 0.9}, "backup_soc", 0.9),
        ({"wear_cost_per_kwh": 0}, "wear_cost_per_kwh", 0.0),
        ({"round_trip_efficiency": 1}, "charge_efficiency", 1.0),
        ({"round_trip_efficiency": 0.81}, "discharge_efficiency", 0.9),
        ({"round_trip_efficiency": 1e-6}, "charge_efficiency", 1e-3),
    ],
)
def test_values_at_the_edge_are_taken_and_mean_what_they_say(
    change: dict[str, Any], attribute: str, value: float
) -> None:
    config = battery(**change)
    assert config.validate().errors == ()
    assert getattr(config.plant.batteries[0], attribute) == pytest.approx(value, rel=1e-12)


def test_what_a_battery_omits_is_as_documented() -> None:
    (found,) = battery().plant.batteries
    assert found.round_trip_efficiency == pytest.approx(0.9)
    assert (found.soc_min, found.soc_max, found.soc_initial, found.backup_soc) == (0.1, 0.9, 0.5, 0.0)
    assert found.wear_cost_per_kwh == 0.02


@pytest.mark.parametrize(
    ("asset", "field", "message"),
    [
        ({"kind": "solar", "id": "x"}, "peak_kw", "is required"),
        ({"kind": "solar", "id": "x", "peak_kw": -1}, "peak_kw", f"must be {POWER}"),
        ({"kind": "solar", "id": "x", "peak_kw": 1, "curtailable": "no"}, "curtailable", "must be true or false"),
        ({"kind": "wind", "id": "x", "peak_kw": 1, "rated_kw": 1}, "peak_kw", "unknown key; did you mean rated_kw"),
        ({"kind": "load", "id": "x", "peak_kw": math.inf}, "peak_kw", f"must be {POWER}"),
        ({"kind": "ev_charger", "id": "x", "rated_kw": 11, "capacity_kwh": 0}, "capacity_kwh", f"must be {ENERGY}"),
        ({"kind": "heat_pump", "id": "x", "rated_kw": 1, "cop": 0.05}, "cop", "must be a coefficient of performance"),
        ({"kind": "heat_pump", "id": "x", "rated_kw": 1, "cop": 20.1}, "cop", "must be a coefficient of performance"),
        (
            {"kind": "flexible_load", "id": "x", "rated_kw": 1, "energy_kwh_per_day": 24.1},
            "energy_kwh_per_day",
            "must be at most 24 h of rated_kw, 24",
        ),
        ({"kind": "batery", "id": "x"}, "kind", "unknown kind; did you mean battery"),
        ({"kind": 3, "id": "x"}, "kind", "unknown kind; one of battery, solar, wind, load, ev_charger"),
        ({"kind": "load", "id": "X 1"}, "id", "must be a lower-case slug"),
        ({"kind": "load", "id": 5}, "id", "must be text"),
        ({"kind": "load", "id": "x" * 64}, "id", "must be a lower-case slug of at most 63"),
        ({"kind": "load", "id": "market"}, "id", "is reserved for prices; choose another"),
        ({"kind": "load", "id": "b"}, "id", "must be used once; the same id stands at sites[0].assets[0].id"),
        ({"kind": "load", "id": "s"}, "id", "must be used once; the same id stands at sites[0].id"),
        ({"kind": "load", "id": "x", "pesk_kw": 1}, "pesk_kw", "unknown key; did you mean peak_kw"),
    ],
)
def test_a_faulty_asset_is_found_at_its_field(asset: dict[str, Any], field: str, message: str) -> None:
    path, found = only_error(plant(BATTERY, asset))
    assert path == f"sites[0].assets[1].{field}"
    assert found.startswith(message)


DIVIDES = "must be a duration of 1min to 1h that divides a day"
HORIZON = "must be a duration of 1min to 14d"
CADENCE = "must be a duration of 1min to 366d"


@pytest.mark.parametrize(
    ("planning", "field", "message"),
    [
        *(({"resolution": bad}, "resolution", DIVIDES) for bad in ("30s", "7min", "2h", 0, -900, 901, True, "quick")),
        *(({"resolution": bad}, "resolution", DIVIDES) for bad in (900.5, None, math.nan)),
        *(({"horizon": bad}, "horizon", HORIZON) for bad in (-3, "long", "15d", "9999999d", "1" + "0" * 400 + "h")),
        ({"horizon": "20min"}, "horizon", "must be a multiple of the resolution, 15 min"),
        ({"resolution": "1h", "plan_every": "15min"}, "plan_every", "must be a multiple of the resolution, 60 min"),
        ({"forecast_every": "1000s"}, "forecast_every", "must be a multiple of the resolution, 15 min"),
        ({"refit_every": "367d"}, "refit_every", CADENCE),
        ({"solver_timeout_s": 0}, "solver_timeout_s", "must be seconds, above 0 to 3600"),
        ({"solver_timeout_s": "5s"}, "solver_timeout_s", "must be seconds, above 0 to 3600"),
        ({"strategy": "no_batery"}, "strategy", f"must be {STRATEGIES_SAID}; did you mean no_battery"),
        ({"strategy": "zzz"}, "strategy", f"must be {STRATEGIES_SAID}"),
        ({"horizn": "36h"}, "horizn", "unknown key; did you mean horizon"),
    ],
)
def test_faults_of_the_planning(planning: dict[str, Any], field: str, message: str) -> None:
    path, found = only_error(plant(planning=planning))
    assert path == f"planning.{field}"
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("planning", "name", "seconds"),
    [
        ({}, "resolution_s", 900),
        ({}, "horizon_s", 129_600),
        ({}, "plan_every_s", None),
        ({"resolution": "1min"}, "resolution_s", 60),
        ({"resolution": "1h"}, "resolution_s", 3600),
        ({"resolution": 300}, "resolution_s", 300),
        ({"horizon": "14d"}, "horizon_s", 1_209_600),
        ({"horizon": "1.5h"}, "horizon_s", 5400),
        ({"plan_every": "30min"}, "plan_every_s", 1800),
    ],
)
def test_durations_are_read(planning: dict[str, Any], name: str, seconds: int | None) -> None:
    assert getattr(plant(planning=planning).file.planning, name) == seconds


@pytest.mark.parametrize("strategy", ["stochastic", "cvar", "robust", "mpc", "distributed", "admm"])
def test_an_announced_strategy_warns_and_plans_linearly(strategy: str) -> None:
    config = plant(planning={"strategy": strategy})
    (warning,) = config.validate().warnings
    assert (warning.path, warning.value) == ("planning.strategy", strategy)
    assert config.file.planning.strategy == "linear"


def test_what_cannot_be_planned_yet_is_said() -> None:
    report = plant({"kind": "ev_charger", "id": "car", "rated_kw": 11}).validate()
    assert report.is_valid
    assert [str(issue) for issue in report.warnings] == [
        "sites[0].assets: no battery here: nothing to plan at this site",
        "sites[0].assets[0].kind: is forecast and counted, but not yet shifted in time (got 'ev_charger')",
    ]


def test_the_connection_and_the_place() -> None:
    raw = yaml.safe_load("""
        name: Shed
        location: {lat: 52.1, lon: 5.2}
        sites:
          - id: s
            connection: {import_max_kw: 17 kW}
            assets: [{kind: load, id: load}]
        """)
    plant = VPPConfig(raw).plant
    assert plant.sites[0].connection.import_max_kw == 17.0
    assert plant.sites[0].connection.export_max_kw == math.inf
    assert (plant.latitude_deg, plant.longitude_deg) == (52.1, 5.2)
    assert VPPConfig({**raw, "location": "Utrecht"}).plant.latitude_deg is None


@pytest.mark.parametrize(
    ("history", "names"), [(None, []), ("a.csv", ["a.csv"]), (["a.csv", "b/c.parquet"], ["a.csv", "b/c.parquet"])]
)
def test_the_history_is_one_file_or_several(tmp_path: Path, history: Any, names: list[str]) -> None:
    raw = {"name": "Shed", "history": history, "sites": [{"id": "s", "assets": [BATTERY]}]}
    assert VPPConfig(raw).history_paths == tuple(Path(name) for name in names)
    config = VPPConfig(raw, tmp_path / "p.yaml")
    assert config.history_paths == tuple(tmp_path / name for name in names)
    assert [issue.value for issue in config.validate().warnings] == names  # none of them is there
    assert config.validate().is_valid


@given(
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    start=st.floats(0, 1),
    backup=st.floats(0, 1),
    efficiency=st.floats(1e-6, 1),
)
def test_a_battery_is_valid_exactly_when_its_levels_are_in_order(
    low: float, high: float, start: float, backup: float, efficiency: float
) -> None:
    config = battery(soc_min=low, soc_max=high, soc_initial=start, backup_soc=backup, round_trip_efficiency=efficiency)
    assert config.validate().is_valid == (low <= start <= high and backup <= high)
    if config.validate().is_valid:
        assert config.plant.batteries[0].round_trip_efficiency == pytest.approx(efficiency, rel=1e-12)
