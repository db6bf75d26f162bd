"""The short shape: it means what it says, omits with documented defaults, and equals the full shape it stands for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from vpp.config import VPPConfig

BATTERY = {"name": "Battery Storage 1", "type": "battery", "capacity": 10, "max_power": 5}

SHORT: dict[str, Any] = {
    "name": "My plant",
    "location": {"lat": 52.1, "lon": 5.2},
    "timezone": "Europe/Amsterdam",
    "optimization": {"strategy": "rule", "time_horizon": 24, "solver_timeout": 30},
    "resources": [
        {**BATTERY, "efficiency": 0.81, "min_soc": 0.2, "max_soc": 0.8, "initial_soc": 0.4, "backup_soc": 0.3,
         "wear_cost_per_kwh": 0.05},
        {"name": "Roof", "type": "solar", "peak_power": 4, "curtailable": True},
        {"name": "Mill", "type": "wind", "rated_power": "2 MW"},
        {"name": "House", "type": "load", "peak_power": 9},
        {"name": "Car", "type": "ev_charger", "max_power": 11, "capacity": 75},
        {"name": "Heat", "type": "heat_pump", "rated_power": 3},
    ],
}  # fmt: skip
FULL: dict[str, Any] = {
    "name": "My plant",
    "location": {"latitude_deg": 52.1, "longitude_deg": 5.2},
    "timezone": "Europe/Amsterdam",
    "planning": {"strategy": "rule", "horizon": "24h", "solver_timeout_s": 30},
    "sites": [
        {
            "id": "site",
            "assets": [
                {"kind": "battery", "id": "battery-storage-1", "capacity_kwh": 10, "power_kw": 5,
                 "round_trip_efficiency": 0.81, "soc_min": 0.2, "soc_max": 0.8, "soc_initial": 0.4,
                 "backup_soc": 0.3, "wear_cost_per_kwh": 0.05},
                {"kind": "solar", "id": "roof", "peak_kw": 4, "curtailable": True},
                {"kind": "wind", "id": "mill", "rated_kw": 2000},
                {"kind": "load", "id": "house", "peak_kw": 9},
                {"kind": "ev_charger", "id": "car", "rated_kw": 11, "capacity_kwh": 75},
                {"kind": "heat_pump", "id": "heat", "rated_kw": 3},
            ],
        }
    ],
}  # fmt: skip


def short(*resources: dict[str, Any], **rest: Any) -> VPPConfig:
    return VPPConfig({"name": "Shed", "resources": list(resources or (BATTERY,)), **rest})


def only_error(config: VPPConfig) -> tuple[str, str]:
    (issue,) = config.validate().errors
    return issue.path, issue.message


def test_both_shapes_give_the_same_plant_and_planning() -> None:
    one, other = VPPConfig(SHORT), VPPConfig(FULL)
    assert one.validate().errors == other.validate().errors == ()
    assert one.plant == other.plant
    assert one.file == other.file


def test_what_it_omits() -> None:
    config = short(
        {**BATTERY}, {"name": "House", "type": "load"}, {"name": "Car", "type": "ev_charger", "max_power": 7}
    )
    file, plant = config.file, config.plant
    (battery,) = plant.batteries
    assert battery.round_trip_efficiency == pytest.approx(0.9)
    assert (battery.soc_min, battery.soc_max, battery.soc_initial, battery.backup_soc) == (0.1, 0.9, 0.5, 0.0)
    assert battery.wear_cost_per_kwh == 0.02
    assert (file.timezone, file.currency, file.control, file.history) == ("UTC", "EUR", False, None)
    assert (file.planning.strategy, file.planning.horizon_s, file.planning.solver_timeout_s) == ("linear", 129_600, 5.0)
    assert plant.sites[0].connection.import_max_kw == math.inf
    assert plant.asset("house").peak_kw == math.inf
    assert plant.asset("car").capacity_kwh == 60.0


FIELDS = [
    ("capacity", 20, lambda b: b.capacity_kwh, 20.0),
    ("max_power", 3, lambda b: (b.charge_max_kw, b.discharge_max_kw), (3.0, 3.0)),
    ("efficiency", 0.64, lambda b: (b.charge_efficiency, b.discharge_efficiency), (0.8, 0.8)),
    ("min_soc", 0.0, lambda b: b.soc_min, 0.0),
    ("max_soc", 1.0, lambda b: b.soc_max, 1.0),
    ("initial_soc", 0.1, lambda b: b.soc_initial, 0.1),
    ("backup_soc", 0.9, lambda b: b.backup_soc, 0.9),
    ("wear_cost_per_kwh", 0.0, lambda b: b.wear_cost_per_kwh, 0.0),
    ("name", "Other", lambda b: b.id, "other"),
]


@pytest.mark.parametrize(("field", "value", "read", "expected"), FIELDS, ids=[row[0] for row in FIELDS])
def test_every_battery_field_has_its_effect(field: str, value: Any, read: Any, expected: Any) -> None:
    before, after = short().plant.batteries[0], short({**BATTERY, field: value}).plant.batteries[0]
    assert read(after) == pytest.approx(expected)
    assert read(before) != read(after)


@pytest.mark.parametrize("name", ["max_power", "peak_power", "rated_power"])
def test_the_largest_power_goes_by_any_of_its_names(name: str) -> None:
    plant = short(
        {"name": "roof", "type": "solar", name: "4 kW"}, {"name": "b", "type": "battery", "capacity": 1, name: 2}
    ).plant
    assert plant.asset("roof").peak_kw == 4.0
    assert plant.batteries[0].charge_max_kw == 2.0


@pytest.mark.parametrize(
    ("resource", "field", "message"),
    [
        ({"name": "x"}, "type", "is required; one of battery, solar, wind, load, ev_charger, heat_pump"),
        ({"name": "x", "type": "solr"}, "type", "unknown type; did you mean solar"),
        ({"name": "x", "type": "solar"}, "peak_power", "is required: the largest power [kW]"),
        ({"name": "x", "type": "wind"}, "rated_power", "is required: the largest power [kW]"),
        ({"name": "x", "type": "ev_charger"}, "max_power", "is required: the largest power [kW]"),
        ({"name": "x", "type": "heat_pump"}, "rated_power", "is required: the largest power [kW]"),
        ({"name": "x", "type": "battery", "capacity": 1}, "max_power", "is required: the largest power [kW]"),
        ({"name": "x", "type": "battery", "max_power": 1}, "capacity", "is required"),
        ({"name": "x", "type": "load", "peak_power": -1}, "peak_power", "must be a power of 0 or more"),
        (
            {"name": "BATTERY storage-1", "type": "load"},
            "name",
            "must be used once; the same id stands at resources[0].name",
        ),
        ({"name": "Market", "type": "load"}, "name", "is reserved for prices; choose another"),
        ({"name": "x" * 64, "type": "load"}, "name", "must be at most 63 characters long"),
        ({**BATTERY, "name": "x", "capacity": "-5 kWh"}, "capacity", "must be an energy above 0"),
        ({**BATTERY, "name": "x", "max_soc": 90}, "max_soc", "must be a fraction, 0 to 1; for 90 % write 0.9"),
        ({**BATTERY, "name": "x", "min_soc": 0.8, "max_soc": 0.2}, "min_soc", "must be at most max_soc, 0.2"),
        ({**BATTERY, "name": "x", "initial_soc": 0.95}, "initial_soc", "must be from min_soc 0.1 to max_soc 0.9"),
        ({**BATTERY, "name": "x", "backup_soc": 0.95}, "backup_soc", "must be at most max_soc, 0.9"),
        ({**BATTERY, "name": "x", "capasity": 3}, "capasity", "unknown key; did you mean capacity"),
    ],
)
def test_a_faulty_resource_is_found_at_its_field(resource: dict[str, Any], field: str, message: str) -> None:
    path, found = only_error(short(BATTERY, resource))
    assert path == f"resources[1].{field}"
    assert found.startswith(message)


def test_two_largest_powers_that_disagree() -> None:
    assert only_error(short({**BATTERY, "peak_power": 7})) == (
        "resources[0]",
        "must state one largest power; max_power and peak_power disagree",
    )
    assert short({**BATTERY, "peak_power": "5 kW"}).validate().is_valid


@pytest.mark.parametrize(
    ("optimization", "field", "message"),
    [
        (
            {"strategy": "linaer"},
            "strategy",
            "must be one of linear, auto, pulp, rule, no_battery; did you mean linear",
        ),
        ({"time_horizon": 1.3}, "time_horizon", "must be a multiple of 0.25 hours"),
        ({"time_horizon": -1}, "time_horizon", "must be hours, 0.25 to 336"),
        ({"time_horizon": 336.25}, "time_horizon", "must be hours, 0.25 to 336"),
        ({"time_horizon": "36h"}, "time_horizon", "must be hours, 0.25 to 336"),
        ({"solver_timeout": 0}, "solver_timeout", "must be seconds, above 0 to 3600"),
        ({"horizon": 3}, "horizon", "unknown key; did you mean time_horizon"),
    ],
)
def test_faults_of_the_optimization(optimization: dict[str, Any], field: str, message: str) -> None:
    path, found = only_error(short(optimization=optimization))
    assert path == f"optimization.{field}"
    assert found.startswith(message)


@pytest.mark.parametrize(("hours", "seconds"), [(0.25, 900), (1, 3600), (48, 172_800), (336, 1_209_600)])
def test_the_horizon_is_in_hours(hours: float, seconds: int) -> None:
    assert short(optimization={"time_horizon": hours}).file.planning.horizon_s == seconds


def test_an_announced_strategy_warns_and_warnings_name_this_shape() -> None:
    config = short({"name": "Heat", "type": "heat_pump", "max_power": 3}, optimization={"strategy": "stochastic"})
    assert config.file.planning.strategy == "linear"
    assert [issue.path for issue in config.validate().warnings] == [
        "optimization.strategy",
        "resources",
        "resources[0].type",
    ]


@pytest.mark.parametrize(
    ("name", "asset_id"), [("site", "site"), ("-a_", "a"), ("_a", "a"), ("Größe 2", "groe-2"), ("太陽", "unnamed")]
)
def test_any_name_becomes_an_id(name: str, asset_id: str) -> None:
    plant = short({**BATTERY, "name": name}).plant
    assert [asset.id for asset in plant.assets] == [asset_id]
    assert plant.sites[0].id != asset_id


def test_a_long_name_of_a_plant_is_cut_to_an_id() -> None:
    assert len(VPPConfig({"name": "A plant " * 15, "resources": [BATTERY]}).plant.id) <= 63
