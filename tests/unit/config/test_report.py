"""The report: every finding in the file's own terms, one line each, and never pydantic's."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.config import ConfigIssue, ConfigReport, VPPConfig
from vpp.config.report import path_text

BATTERY = {"kind": "battery", "id": "b", "capacity_kwh": 10, "power_kw": 5}


def lines(raw: dict[str, Any]) -> list[str]:
    return [str(issue) for issue in VPPConfig(raw).validate().errors]


@pytest.mark.parametrize(
    ("location", "text"),
    [((), "(file)"), (("name",), "name"), (("sites", 0, "assets", 11, "id"), "sites[0].assets[11].id"), ((1,), "[1]")],
)
def test_paths(location: tuple[str | int, ...], text: str) -> None:
    assert path_text(location) == text


@pytest.mark.parametrize(
    ("issue", "line"),
    [
        (ConfigIssue("a.b", 3, "must be less"), "a.b: must be less (got 3)"),
        (ConfigIssue("a.b", "3", "must be less"), "a.b: must be less (got '3')"),
        (ConfigIssue("a.b", None, "is required"), "a.b: is required"),
        (ConfigIssue("a.b", "x" * 90, "is too long"), "a.b: is too long"),
    ],
)
def test_a_finding_is_one_line(issue: ConfigIssue, line: str) -> None:
    assert str(issue) == line


def test_a_report_is_valid_without_errors_whatever_it_warns_of() -> None:
    issue = ConfigIssue("a", 1, "x")
    assert ConfigReport((), (issue,)).is_valid
    assert not ConfigReport((issue,), ()).is_valid


def test_everything_is_found_at_once() -> None:
    raw = {
        "timezone": "Europe/Amsterdm",
        "currency": "euro",
        "controll": True,
        "prices": {"import": {"spot": True, "price_per_kwh": 300}, "day_ahead": {}},
        "planning": {"horizon": "20min", "strategy": "liner"},
        "sites": [
            {
                "id": "home",
                "assets": [
                    {**BATTERY, "capacity_kwh": -1, "soc_min": 0.8, "soc_max": 0.2, "colour": "red"},
                    {"kind": "soler", "id": "pv"},
                    {"kind": "load", "id": "b"},
                    {"id": "x"},
                    {"kind": "solar", "id": "home"},
                ],
            },
            {"id": "empty", "assets": []},
        ],
    }
    assert sorted(lines(raw)) == sorted(
        [
            "name: is required",
            (
                "timezone: must be an IANA time zone; did you mean Europe/Amsterdam, Europe/Athens, Europe/Astrakhan "
                "(got 'Europe/Amsterdm')"
            ),
            "currency: must be a currency code of three capitals, e.g. EUR (got 'euro')",
            "controll: unknown key; did you mean control",
            "prices.import.price_per_kwh: must be a price [currency/kWh], -100 to 100 (got 300)",
            (
                "prices.import: must hold exactly one of price_per_kwh, time_of_use and spot: true; "
                "found price_per_kwh, spot"
            ),
            "prices.published: is required when the plant sells day-ahead",
            "planning.horizon: must be a multiple of the resolution, 15 min (got '20min')",
            "planning.strategy: must be one of linear, auto, pulp, rule, no_battery; did you mean linear (got 'liner')",
            (
                "sites[0].assets[0].capacity_kwh: must be an energy above 0: a number [kWh] or a text such as '20 kWh' "
                "(got -1)"
            ),
            "sites[0].assets[0].soc_min: must be at most soc_max, 0.2 (got 0.8)",
            (
                "sites[0].assets[0].colour: unknown key; known: ambient_c, backup_soc, capacity_kwh, charge_max_kw, "
                "chemistry, discharge_max_kw, id, kind, model, power_kw, round_trip_efficiency, soc_initial, soc_max, "
                "soc_min, standby_kw, wear_cost_per_kwh"
            ),
            "sites[0].assets[1].kind: unknown kind; did you mean solar (got 'soler')",
            "sites[0].assets[2].id: must be used once; the same id stands at sites[0].assets[0].id (got 'b')",
            (
                "sites[0].assets[3].kind: is required; one of battery, solar, wind, load, ev_charger, heat_pump, "
                "flexible_load"
            ),
            "sites[0].assets[4].id: must be used once; the same id stands at sites[0].id (got 'home')",
            "sites[0].assets[4].peak_kw: is required",
            "sites[1].assets: must not be empty",
        ]
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sites": None}, "sites: must be a list"),
        ({"sites": "home"}, "sites: must be a list (got 'home')"),
        ({"sites": []}, "sites: must not be empty"),
        ({"sites": ["home"]}, "sites[0]: must be a section of keys and values (got 'home')"),
        ({"sites": [{"id": "s", "assets": [None]}]}, "sites[0].assets[0]: must be a section of keys and values"),
        ({"planning": 3}, "planning: must be a section of keys and values (got 3)"),
        ({"name": ""}, "name: must not be empty (got '')"),
        ({"name": 5}, "name: must be text (a number or yes/no stands in quotes) (got 5)"),
        ({"name": "x" * 121}, "name: must be at most 120 characters long"),
        ({"id": "A b"}, "id: must be a lower-case slug of at most 63 letters, digits, '-' and '_' (got 'A b')"),
        ({"control": "yes"}, "control: must be true or false (got 'yes')"),
        ({"control": 1}, "control: must be true or false (got 1)"),
        ({"location": 5}, "location: must be a place name, or a section with latitude_deg and longitude_deg (got 5)"),
        ({"location": [1, 2]}, "location: must be a place name, or a section with latitude_deg and longitude_deg"),
        (
            {"location": {"latitude_deg": 91, "longitude_deg": 0}},
            "location.latitude_deg: must be degrees, -90 to 90 (got 91)",
        ),
        ({"location": {"longitude_deg": 0}}, "location.latitude_deg: is required"),
        ({"history": 5}, "history: must be a file name or a list of file names (got 5)"),
        ({"history": []}, "history: must be a file name or a list of file names"),
        ({"history": ["a.csv", ""]}, "history: must be a file name or a list of file names"),
        ({1: 2}, "[1]: a key must be text (got 1)"),
    ],
)
def test_a_fault_of_form_in_words(change: dict[Any, Any], line: str) -> None:
    assert lines({"name": "Shed", "sites": [{"id": "s", "assets": [BATTERY]}], **change}) == [line]


def test_both_shapes_at_once_are_one_too_many() -> None:
    raw = {"name": "x", "sites": [{"id": "s", "assets": [BATTERY]}], "resources": [{"name": "b", "type": "load"}]}
    assert lines(raw) == ["resources: give either sites or resources, not both"]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(math.inf),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["name", "id", "kind", "type", "assets", "capacity_kwh", "soc_min", "power_kw", "months", "time_of_use",
        "import", "spot", "resolution", "horizon", "max_power", "energy_kwh_per_day", "rated_kw"]  # fmt: skip


@given(
    raw=st.dictionaries(
        st.sampled_from(["name", "sites", "resources", "prices", "planning", "optimization", "location", "history"]),
        junk
        | st.lists(st.dictionaries(st.sampled_from(KEYS), junk, max_size=5), max_size=2)
        | st.dictionaries(st.sampled_from(KEYS), junk, max_size=4),
    )
)
def test_no_content_breaks_the_check_and_every_finding_is_printable(raw: dict[str, Any]) -> None:
    report = VPPConfig(raw).validate()
    for issue in (*report.errors, *report.warnings):
        assert issue.path
        assert "Input" not in issue.message
        json.dumps({"path": issue.path, "value": issue.value, "message": str(issue)}, allow_nan=False)
