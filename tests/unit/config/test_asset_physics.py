"""The physics of assets in the plant file: ranges in words, and settings that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from vpp.config import VPPConfig
from vpp.config.asset_physics import SolarPhysics, WindPhysics
from vpp.core.assets import SolarArray, WindTurbine

ASSETS: dict[str, dict[str, Any]] = {
    "battery": {"kind": "battery", "id": "a", "capacity_kwh": 10, "power_kw": 5},
    "solar": {"kind": "solar", "id": "a", "peak_kw": 5},
    "wind": {"kind": "wind", "id": "a", "rated_kw": 5},
    "load": {"kind": "load", "id": "a"},
    "ev_charger": {"kind": "ev_charger", "id": "a", "rated_kw": 7},
    "heat_pump": {"kind": "heat_pump", "id": "a", "rated_kw": 3},
    "flexible_load": {"kind": "flexible_load", "id": "a", "rated_kw": 2},
}


def config(kind: str, **change: Any) -> VPPConfig:
    return VPPConfig({"name": "Shed", "sites": [{"id": "s", "assets": [ASSETS[kind] | change]}]})


@pytest.mark.parametrize(
    ("kind", "field", "value", "words"),
    [
        ("battery", "model", "psychic", "must be 'simple' or 'physical'"),
        ("battery", "standby_kw", -0.1, "must be a power of 0 or more"),
        ("solar", "tilt_deg", 91, "must be degrees from the horizontal, 0 to 90"),
        ("solar", "azimuth_deg", -1, "must be degrees clockwise from north, 0 to 360"),
        ("solar", "inverter_kw", 0, "must be a power above 0"),
        ("solar", "inverter_efficiency", 0.49, "must be an efficiency, 0.5 to 1"),
        ("solar", "temperature_coefficient_per_c", 0.004, "must be a change of power per degree, -0.02 to 0"),
        ("solar", "loss_fraction", 14, "must be a fraction, 0 to 0.99"),
        ("solar", "soiling_fraction", 1.0, "must be a fraction, 0 to 0.99"),
        ("solar", "degradation_per_year", 0.5, "must be a fraction per year, 0 to 0.1"),
        ("solar", "age_years", -1, "must be years, 0 to 60"),
        ("wind", "hub_height_m", 0.5, "must be metres, 1 to 300"),
        ("wind", "roughness_m", 0.0, "must be metres, 1e-5 to 5"),
        ("load", "profile", "house", "must be 'household', 'office', 'shop', 'plant' or 'data_centre'"),
        ("load", "annual_energy_kwh", 0, "must be kWh a year, above 0"),
        ("ev_charger", "arrival_hour", 25, "must be a local hour, 0 to 24"),
        ("ev_charger", "sessions_per_week", 8, "must be days a week, 0 to 7"),
        ("heat_pump", "thermal_resistance_k_per_kw", 0, "must be K per kW, 1e-3 to 1000"),
        ("heat_pump", "temperature_min_c", 61, "must be degrees C, -50 to 60"),
        ("flexible_load", "latest_hour", -1, "must be a local hour, 0 to 24"),
    ],
)
def test_out_of_range(kind: str, field: str, value: Any, words: str) -> None:
    found = {issue.path: issue for issue in config(kind, **{field: value}).validate().errors}
    issue = found[f"sites[0].assets[0].{field}"]
    assert issue.message.startswith(words)
    assert issue.value == value


@pytest.mark.parametrize(
    ("kind", "change", "path", "words"),
    [
        ("battery", {"chemistry": "nmc"}, "chemistry", "belongs to model: physical; this battery's is simple"),
        ("battery", {"ambient_c": 20}, "ambient_c", "belongs to model: physical; this battery's is simple"),
        (
            "battery",
            {"model": "physical", "standby_kw": 0.1},
            "standby_kw",
            "belongs to model: simple; this battery's is physical",
        ),
        (
            "load",
            {"heating_fraction": 0.7, "cooling_fraction": 0.4},
            "heating_fraction",
            "must be at most 1 with cooling_fraction",
        ),
        (
            "load",
            {"profile": "office", "heating_fraction": 0.2},
            "heating_fraction",
            "belongs to profile: household; this load's is office",
        ),
        (
            "load",
            {"peak_kw": 500, "cooling_fraction": 0.2},
            "cooling_fraction",
            "belongs to profile: household; this load's is plant",
        ),
        (
            "ev_charger",
            {"capacity_kwh": 40, "energy_per_session_kwh": 41},
            "energy_per_session_kwh",
            "must be at most what the car's battery holds, 40 kWh",
        ),
        (
            "ev_charger",
            {"energy_per_session_kwh": 61},
            "energy_per_session_kwh",
            "must be at most what the car's battery holds, 60 kWh",
        ),
        (
            "heat_pump",
            {"temperature_min_c": 22},
            "temperature_max_c",
            "must be above temperature_min_c, 22",
        ),
        (
            "flexible_load",
            {"energy_kwh_per_day": 9, "earliest_hour": 22, "latest_hour": 2},
            "energy_kwh_per_day",
            "must be at most 4 h of rated_kw, 8",
        ),
    ],
)
def test_contradictions(kind: str, change: dict[str, Any], path: str, words: str) -> None:
    (issue,) = config(kind, **change).validate().errors
    assert issue.path == f"sites[0].assets[0].{path}"
    assert issue.message == words


def test_a_machine_may_run_over_midnight() -> None:
    good = config("flexible_load", energy_kwh_per_day=8, earliest_hour=22, latest_hour=2)
    assert good.validate().is_valid
    assert good.plant.asset("a").window_h == 4.0


def test_defaults_are_those_of_the_nouns() -> None:
    for spec, noun in (
        (SolarPhysics, SolarArray(id="a", peak_kw=1.0)),
        (WindPhysics, WindTurbine(id="a", rated_kw=1.0)),
    ):
        assert {name: field.default for name, field in spec.model_fields.items()} == {
            name: getattr(noun, name) for name in spec.model_fields
        }


def test_a_demand_charge_is_told_to_be_unplanned() -> None:
    raw = {"name": "Shed", "prices": {"demand_charge_per_kw": 4}, "sites": [{"id": "s", "assets": [ASSETS["battery"]]}]}
    (issue,) = VPPConfig(raw).validate().warnings
    assert (issue.path, issue.value) == ("prices.demand_charge_per_kw", 4.0)
