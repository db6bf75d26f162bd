"""Every field of the plant file does something, field by field.

The fields are read from the models, so a new one without an effect fails here. Each is changed alone and the simulated
records must change; the few that act elsewhere are named with the place where they do.
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from vpp.config import VPPConfig
from vpp.config.plant_file import PlantFile
from vpp.config.resources_file import ResourcesFile
from vpp.core.time import parse_time
from vpp.runtime.simulation import PlantSimulation

BATTERY = "sites[].assets[](battery)."
SOLAR, WIND, LOAD = "sites[].assets[](solar).", "sites[].assets[](wind).", "sites[].assets[](load)."
CAR, HEAT = "sites[].assets[](ev_charger).", "sites[].assets[](heat_pump)."
MACHINE = "sites[].assets[](flexible_load)."
TARIFF = {"import": "prices.import.", "export": "prices.export."}
KINDS = ("battery", "solar", "wind", "load", "ev_charger", "heat_pump", "flexible_load")
BASE: dict[str, Any] = {
    "id": "all",
    "name": "Everything",
    "timezone": "Europe/Amsterdam",
    "currency": "EUR",
    "location": {"latitude_deg": 45.0, "longitude_deg": 5.0},
    "prices": {
        "import": {"time_of_use": [{"price_per_kwh": 0.4, "start": "17:00", "end": "21:00"}, {"price_per_kwh": 0.2}]},
        "export": {"time_of_use": [{"price_per_kwh": 0.1, "start": "17:00", "end": "21:00"}, {"price_per_kwh": 0.05}]},
    },
    "planning": {"resolution": "1h"},
    "sites": [
        {
            "id": "home",
            "connection": {"import_max_kw": 40.0, "export_max_kw": 6.0},
            "assets": [
                {"kind": "battery", "id": "battery", "capacity_kwh": 10.0, "power_kw": 4.0, "soc_initial": 0.5},
                {"kind": "solar", "id": "roof", "peak_kw": 12.0, "curtailable": True},
                {"kind": "wind", "id": "mill", "rated_kw": 6.0, "curtailable": True},
                {"kind": "load", "id": "house", "peak_kw": 20.0},
                {"kind": "ev_charger", "id": "car", "rated_kw": 7.0},
                {"kind": "heat_pump", "id": "heat", "rated_kw": 3.0},
                {"kind": "flexible_load", "id": "washer", "rated_kw": 2.0, "energy_kwh_per_day": 3.0},
            ],
        }
    ],
}
JUNE, JANUARY = parse_time("2024-06-03T00:00Z"), parse_time("2024-01-15T00:00Z")


@dataclass(frozen=True)
class Change:
    """A field's other value, what else must stand in the file for it, and when it shows."""

    value: Any
    given: tuple[tuple[str, Any], ...] = ()
    start: datetime = JUNE
    without: tuple[str, ...] = ()


PHYSICAL = ((BATTERY + "model", "physical"),)
CHANGES: dict[str, Change] = {
    "timezone": Change("America/New_York"),
    "location": Change(None),
    "location.latitude_deg": Change(30.0),
    "location.longitude_deg": Change(-20.0),
    "prices": Change({"import": {"price_per_kwh": 0.3}}),
    "prices.import": Change({"price_per_kwh": 0.3}),
    "prices.export": Change({"price_per_kwh": 0.3}),
    "prices.demand_charge_per_kw": Change(5.0),
    "planning": Change({"resolution": "30min"}),
    "planning.resolution": Change("30min"),
    "sites": Change([BASE["sites"][0] | {"assets": BASE["sites"][0]["assets"][:2]}]),
    "sites[].id": Change("house-1"),
    "sites[].connection": Change({}),
    "sites[].connection.import_max_kw": Change(0.5, ((BATTERY + "backup_soc", 0.5),), JANUARY),
    "sites[].connection.export_max_kw": Change(2.0),
    "sites[].assets": Change(BASE["sites"][0]["assets"][:3]),
    **{
        f"sites[].assets[]({kind}).kind": Change(
            {"kind": "load" if kind != "load" else "solar", "id": "other", "peak_kw": 3.0}
        )
        for kind in KINDS
    },
    **{f"sites[].assets[]({kind}).id": Change("other") for kind in ("load", "ev_charger", "flexible_load")},
    BATTERY + "capacity_kwh": Change(5.0),
    BATTERY + "power_kw": Change(1.0),
    BATTERY + "charge_max_kw": Change(1.0),
    BATTERY + "discharge_max_kw": Change(0.2),
    BATTERY + "round_trip_efficiency": Change(0.6),
    BATTERY + "soc_min": Change(0.4),
    BATTERY + "soc_max": Change(0.7),
    BATTERY + "soc_initial": Change(0.8),
    BATTERY + "backup_soc": Change(0.5),
    BATTERY + "model": Change("physical"),
    BATTERY + "chemistry": Change("nmc", PHYSICAL),
    BATTERY + "standby_kw": Change(0.05),
    BATTERY + "ambient_c": Change(45.0, PHYSICAL),
    SOLAR + "peak_kw": Change(3.0),
    SOLAR + "curtailable": Change(False),
    SOLAR + "tilt_deg": Change(60.0),
    SOLAR + "azimuth_deg": Change(90.0),
    SOLAR + "inverter_kw": Change(2.0),
    SOLAR + "inverter_efficiency": Change(0.8),
    SOLAR + "temperature_coefficient_per_c": Change(-0.01),
    SOLAR + "loss_fraction": Change(0.3),
    SOLAR + "soiling_fraction": Change(0.2),
    SOLAR + "degradation_per_year": Change(0.05, ((SOLAR + "age_years", 10.0),)),
    SOLAR + "age_years": Change(20.0),
    WIND + "rated_kw": Change(12.0),
    WIND + "curtailable": Change(False),
    WIND + "turbine_type": Change("E-126/4200"),
    WIND + "hub_height_m": Change(80.0),
    WIND + "roughness_m": Change(0.5),
    LOAD + "peak_kw": Change(0.3),
    LOAD + "profile": Change("office"),
    LOAD + "annual_energy_kwh": Change(9000.0),
    LOAD + "heating_fraction": Change(0.5, start=JANUARY),
    LOAD + "cooling_fraction": Change(0.6),
    CAR + "rated_kw": Change(2.0),
    CAR + "capacity_kwh": Change(3.0),
    CAR + "arrival_hour": Change(9.0),
    CAR + "departure_hour": Change(19.0),
    CAR + "energy_per_session_kwh": Change(25.0),
    CAR + "sessions_per_week": Change(0.0),
    HEAT + "rated_kw": Change(1.0, start=JANUARY),
    HEAT + "cop": Change(4.5, start=JANUARY),
    HEAT + "thermal_resistance_k_per_kw": Change(6.0, start=JANUARY),
    HEAT + "thermal_capacity_kwh_per_k": Change(2.0, start=JANUARY),
    HEAT + "temperature_min_c": Change(18.0, start=JANUARY),
    HEAT + "temperature_max_c": Change(24.0, start=JANUARY),
    MACHINE + "rated_kw": Change(1.0),
    MACHINE + "energy_kwh_per_day": Change(6.0),
    MACHINE + "earliest_hour": Change(12.0),
    MACHINE + "latest_hour": Change(6.0),
    **{
        TARIFF[side] + name: change
        for side in TARIFF
        for name, change in {
            "price_per_kwh": Change(0.3, without=(f"prices.{side}.time_of_use",)),
            "time_of_use": Change([{"price_per_kwh": 0.9}]),
            "time_of_use[].price_per_kwh": Change(0.7),
            "time_of_use[].months": Change([1, 2]),
            "time_of_use[].days": Change("weekends"),
            "time_of_use[].start": Change("10:00"),
            "time_of_use[].end": Change("23:00"),
            "spot": Change(True, without=(f"prices.{side}.time_of_use",)),
            "fee_per_kwh": Change(0.05),
            "tax_fraction": Change(0.21),
        }.items()
    },
}
PLANS, FACES = "vpp.optimization: what is planned", "vpp.api, vpp.cli: how it is named"
ELSEWHERE: dict[str, str] = {
    "id": f"{FACES}; in vpp.store it separates plants",
    "name": FACES,
    "currency": f"{FACES}: the unit of prices, which are numbers here",
    "control": "vpp.runtime.dispatching: whether commands are sent",
    "history": "vpp.runtime.build: what forecasts learn from; a simulation needs no past",
    "prices.published": "vpp.trading.day_ahead: what a plan knows of tomorrow",
    "prices.day_ahead": "vpp.trading.day_ahead: whether the plant sells",
    "prices.day_ahead.gate_closure": "vpp.trading.day_ahead: when offers close",
    "prices.day_ahead.imbalance_spread_per_kwh": "vpp.trading.settlement: what deviations cost",
    "planning.horizon": PLANS,
    "planning.plan_every": PLANS,
    "planning.forecast_every": "vpp.runtime.forecasts: how often",
    "planning.refit_every": "vpp.runtime.forecasts: how often models learn",
    "planning.strategy": PLANS,
    "planning.solver_timeout_s": PLANS,
    BATTERY + "wear_cost_per_kwh": f"{PLANS}; vpp.runtime.money: what wear costs",
    **dict.fromkeys(
        (f"sites[].assets[]({kind}).id" for kind in ("battery", "solar", "wind", "heat_pump")),
        f"{FACES}; it names the asset's readings and commands",
    ),
}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in models_in(part)]


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        many = "[]" if "tuple[" in str(field.annotation) else ""
        for inner in models_in(field.annotation):
            tags = (inner.model_fields[tag].annotation for tag in ("kind", "type") if tag in inner.model_fields)
            kind = next((tag.__args__[0] for tag in tags), None)
            yield from fields_of(inner, f"{path}{many}({kind})." if kind else f"{path}{many}.")


FIELDS = tuple(dict.fromkeys(fields_of(PlantFile)))


def holder(raw: Any, path: str) -> tuple[Any, str]:
    """Return the section a path's last part lies in, and that part; lists are entered at their first fitting member."""
    here = raw
    parts = path.split(".")
    for part in parts[:-1]:
        name, _, rest = part.partition("[]")
        here = here[name]
        kind = rest.strip("()")
        if isinstance(here, list):
            here = next(one for one in here if one["kind"] == kind) if kind else here[0]
    return here, parts[-1].removesuffix("[]")


def put(raw: dict[str, Any], path: str, value: Any) -> None:
    section, name = holder(raw, path)
    if name == "kind":
        section.clear()
        section.update(value)
    elif value is None:
        section.pop(name, None)
    else:
        section[name] = value


def told(raw: dict[str, Any], start: datetime) -> str:
    simulation = PlantSimulation(VPPConfig(raw), seed=3)
    return json.dumps(list(simulation.records(simulation.run(start, start + timedelta(days=3)))))


def test_every_field_is_here() -> None:
    assert set(CHANGES) | set(ELSEWHERE) == set(FIELDS)
    assert not set(CHANGES) & set(ELSEWHERE)


@pytest.mark.parametrize("path", sorted(CHANGES))
def test_a_field_changes_what_is_simulated(path: str) -> None:
    change = CHANGES[path]
    before = copy.deepcopy(BASE)
    for other, value in change.given:
        put(before, other, value)
    after = copy.deepcopy(before)
    for other in change.without:
        put(after, other, None)
    put(after, path, change.value)
    assert told(before, change.start) != told(after, change.start)


@pytest.mark.parametrize("path", ["name", "currency", "control", BATTERY + "wear_cost_per_kwh", "planning.horizon"])
def test_what_acts_elsewhere_changes_nothing_here(path: str) -> None:
    other = {"name": "Other", "currency": "USD", "control": True, "planning.horizon": "12h"}.get(path, 0.5)
    after = copy.deepcopy(BASE)
    put(after, path, other)
    assert told(BASE, JUNE) == told(after, JUNE)


SHORT: dict[str, Any] = {
    "name": "Short",
    "resources": [
        {"type": "battery", "name": "b", "capacity": 10, "max_power": 5},
        {"type": "solar", "name": "s", "peak_power": 5},
        {"type": "wind", "name": "w", "rated_power": 5},
        {"type": "load", "name": "l", "peak_power": 12},
        {"type": "ev_charger", "name": "e", "max_power": 11},
        {"type": "heat_pump", "name": "h", "rated_power": 3},
    ],
}
SHORT_VALUES: dict[str, Any] = {
    "capacity": 20, "max_power": 2, "peak_power": 2, "rated_power": 2, "efficiency": 0.7, "min_soc": 0.2,
    "max_soc": 0.8, "initial_soc": 0.6, "name": "other", "curtailable": True,
}  # fmt: skip


def short_fields() -> list[tuple[int, str, str]]:
    found = []
    for model in models_in(ResourcesFile.model_fields["resources"].annotation):
        kind = model.model_fields["type"].annotation.__args__[0]
        row = next(i for i, one in enumerate(SHORT["resources"]) if one["type"] == kind)
        found += [(row, kind, name) for name in model.model_fields if name != "type"]
    return found


@pytest.mark.parametrize(("row", "kind", "name"), short_fields())
def test_a_field_of_the_short_shape_becomes_one_of_the_full(row: int, kind: str, name: str) -> None:
    """Together with the test above: what it becomes has an effect."""
    value = SHORT_VALUES.get(name)
    given: tuple[tuple[str, Any], ...] = ()
    if value is None:
        path = f"sites[].assets[]({kind}).{name}"
        change = CHANGES.get(path, Change(0.3))
        value, given = change.value, tuple((other.rpartition(".")[2], one) for other, one in change.given)
    before = copy.deepcopy(SHORT)
    resource = before["resources"][row]
    resource.update(dict(given))
    after = copy.deepcopy(before)
    if name in ("max_power", "peak_power", "rated_power"):
        for power in ("max_power", "peak_power", "rated_power"):
            after["resources"][row].pop(power, None)
    after["resources"][row][name] = value
    assert VPPConfig(before).plant != VPPConfig(after).plant
