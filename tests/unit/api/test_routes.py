"""What the addresses of a plant give, and how they refuse."""

from __future__ import annotations

import json
import math
from importlib.resources import files

import pytest

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
PLANT = "/api/v1/plants/two"
NOW = "2016-08-15T11:00:00Z"
ROW = {"source": "home01_load", "metric": "power_kw", "time": "2016-08-15T10:00:00Z", "value": -1.25}


def test_health_is_told_to_anyone_and_tells_no_secret(server) -> None:
    assert server.client().get("/healthz").json() == {"status": "ok"}
    ready = server.client().get("/readyz")
    assert ready.status_code == 200
    assert TOKEN not in ready.text


def test_a_plant_that_has_not_ticked_is_not_ready(make_server, view, monkeypatch) -> None:
    monkeypatch.setattr(view._live, "ticks", 0)
    assert make_server(two=view).client().get("/readyz").status_code == 503


def test_plants_are_listed_and_described(script) -> None:
    assert script.get("/api/v1/plants").json() == [{"id": "two", "name": "Eleven homes in Fontana"}]
    plant = script.get(PLANT).json()
    assert plant["now"] == NOW
    assert (plant["timezone"], plant["currency"], plant["mode"]) == ("America/Los_Angeles", "USD", "replay")
    assert [site["id"] for site in plant["sites"]] == ["home01", "home02"]
    assert plant["sites"][0]["assets"][2]["capacity_kwh"] == 6.4


def test_assets_have_their_latest_state(script) -> None:
    assets = {asset["id"]: asset for asset in script.get(f"{PLANT}/assets").json()}
    assert len(assets) == 6
    assert assets["home01_load"]["power_kw"] < 0.0
    assert assets["home01_load"]["soc"] is None
    assert 0.0 <= assets["home01_battery"]["soc"] <= 1.0


def test_readings_are_columns_on_a_grid(script) -> None:
    query = {"start": "2016-08-15T00:00:00Z", "end": "2016-08-15T08:00:00Z", "key": ["home01_load/power_kw"]}
    answer = script.get(f"{PLANT}/readings", params=query).json()
    assert answer["start"] == query["start"]
    assert list(answer["series"]) == query["key"]
    assert len(answer["series"]["home01_load/power_kw"]) == 8 * 3600 // answer["resolution_s"]
    few = script.get(f"{PLANT}/readings", params={**query, "most_points": 4}).json()
    assert len(few["series"]["home01_load/power_kw"]) <= 4


def test_readings_are_of_the_last_day_unless_asked_otherwise(script) -> None:
    assert script.get(f"{PLANT}/readings").json()["start"] == "2016-08-14T11:00:00Z"


def test_the_overview_adds_up_and_goes_on_into_the_plan(script) -> None:
    query = {"start": "2016-08-15T07:00:00Z", "end": "2016-08-16T00:00:00Z"}
    whole = script.get(f"{PLANT}/overview", params=query).json()
    parts = [script.get(f"{PLANT}/overview", params={**query, "site": site}).json() for site in ("home01", "home02")]
    for name in ("load_kw", "solar_kw", "battery_kw", "grid_kw"):
        for where in (lambda one: one, lambda one: one["plan"]):
            total = [a + b for a, b in zip(*(where(part)[name] for part in parts), strict=True)]
            assert where(whole)[name] == pytest.approx(total)
    balance = [
        s + w + b - ld
        for s, w, b, ld in zip(*(whole[f"{n}_kw"] for n in ("solar", "wind", "battery", "load")), strict=True)
    ]
    assert whole["grid_kw"] == pytest.approx(balance)
    assert whole["plan"]["start"] == NOW


def test_forecasts_schedule_and_money_are_there(script) -> None:
    sources = {(one["source"], one["metric"]) for one in script.get(f"{PLANT}/forecasts").json()}
    assert {("home01_load", "power_kw"), ("home02_pv", "power_kw")} <= sources
    schedule = script.get(f"{PLANT}/schedule").json()
    assert schedule["status"] == "optimal"
    assert set(schedule["steps"][0]["assets"]) == {"home01_battery", "home02_battery"}
    money = script.get(f"{PLANT}/money").json()
    assert money["currency"] == "USD"
    assert len(money["cost"]) == len(money["no_battery_cost"]) == 4
    assert isinstance(script.get(f"{PLANT}/commands").json(), list)
    assert isinstance(script.get(f"{PLANT}/events", params={"most": 5}).json(), list)


def test_a_step_ahead_is_explained(script) -> None:
    answer = script.get(f"{PLANT}/explain", params={"asset": "home01_battery", "time": "2016-08-16T00:00:00Z"}).json()
    assert answer["asset"] == "home01_battery"
    assert answer["sentence"]
    assert answer["currency"] == "USD"


def test_what_is_posted_is_there_and_again_changes_nothing(script) -> None:
    first = script.post(f"{PLANT}/readings", json=[ROW])
    assert (first.status_code, first.json()["accepted"]) == (200, 1)
    assert script.post(f"{PLANT}/readings", json=[ROW]).json() == {"accepted": 1, "new": 0}
    query = {"start": ROW["time"], "end": "2016-08-15T11:00:00Z", "key": "home01_load/power_kw"}
    assert script.get(f"{PLANT}/readings", params=query).json()["series"]["home01_load/power_kw"] == [-1.25]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"value": True}, "value"),
        ({"value": "1.0"}, "value"),
        ({"value": None}, "value"),
        ({"value": 1e308}, "value"),
        ({"value": -1e308}, "value"),
        ({"value": math.nan}, "value"),
        ({"value": math.inf}, "value"),
        ({"value": -math.inf}, "value"),
        ({"value": [1]}, "value"),
        ({"value": 1.25}, "value"),
        ({"time": "2016-08-15T10:00:00"}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "1970-01-01T00:00:00Z"}, "time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time"),
        ({"time": "9999-12-31T23:59:59-12:00"}, "time"),
        ({"time": "2016-08-17T10:00:00Z"}, "time"),
        ({"time": 1471255200}, "time"),
        ({"source": "home99_load"}, "home99_load"),
        ({"source": ""}, "source"),
        ({"source": "x" * 1000}, "source"),
        ({"metric": "power_w"}, "metric"),
        ({"more": 1}, "more"),
    ],
)
def test_a_row_that_is_wrong_is_named_and_nothing_is_kept(script, change, names: str) -> None:
    good = {**ROW, "time": "2016-08-15T09:00:00Z", "value": -7.5}
    body = json.dumps([good, ROW | change])
    answer = script.post(f"{PLANT}/readings", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (404, 422)
    assert names in answer.text
    assert "1" in answer.text
    query = {"start": good["time"], "end": "2016-08-15T10:00:00Z", "key": "home01_load/power_kw"}
    assert script.get(f"{PLANT}/readings", params=query).json()["series"]["home01_load/power_kw"] != [-7.5]


@pytest.mark.parametrize(
    ("query", "kind", "names"),
    [
        ({"start": "2016-08-15"}, "naive_time", "start"),
        ({"start": "2016-08-15T00:00:00"}, "naive_time", "start"),
        ({"end": "soon"}, "invalid_input", "end"),
        ({"end": "1"}, "invalid_input", "end"),
        ({"start": "2016-08-15T00:00:00Z", "end": "2016-08-15T00:00:00Z"}, "invalid_input", "start"),
        ({"start": "2016-08-16T00:00:00Z", "end": "2016-08-15T00:00:00Z"}, "invalid_input", "start"),
        ({"start": "1980-01-01T00:00:00Z", "end": "2016-08-15T00:00:00Z"}, "invalid_input", "start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "invalid_input", "start"),
        ({"start": "9999-12-31T23:00:00-12:00"}, "invalid_input", "start"),
        ({"start": "x" * 41}, "invalid_input", "start"),
        ({"most_points": "0"}, "invalid_input", "most_points"),
        ({"most_points": "5001"}, "invalid_input", "most_points"),
        ({"most_points": "9" * 400}, "invalid_input", "most_points"),
        ({"most_points": "many"}, "invalid_input", "most_points"),
        ({"key": ["k"] * 201}, "invalid_input", "key"),
        ({"key": "k" * 131}, "invalid_input", "key"),
        ({"key": "home01_load/none"}, "invalid_input", "home01_load/none"),
        ({"key": "x' OR 1=1 --"}, "invalid_input", "keys"),
    ],
)
def test_queries_out_of_bounds_are_named(script, query, kind: str, names: str) -> None:
    answer = script.get(f"{PLANT}/readings", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"urn:vpp:problem:{kind}"
    assert document["status"] == 422
    assert names in document["detail"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("explain", {"asset": "home01_battry", "time": NOW}, 404),
        ("explain", {"asset": "home01_load", "time": NOW}, 404),
        ("explain", {"asset": "home01_battery", "time": "2015-08-15T11:00:00Z"}, 409),
        ("explain", {"asset": "home01_battery"}, 422),
        ("explain", {"asset": "home01_battery", "time": "2016-08-15T11:00:00"}, 422),
        ("overview", {"site": "home99"}, 404),
        ("overview", {"start": "2016-08-15T11:00:00"}, 422),
        ("commands", {"end": "2016-08-15T11:00:00"}, 422),
        ("events", {"most": 0}, 422),
        ("events", {"most": 501}, 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem(script, path: str, query, status: int) -> None:
    answer = script.get(f"{PLANT}/{path}", params=query)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status


@pytest.mark.parametrize("plant", ["none", "homes", "two%00", "..", "'%20or%201=1", "x" * 63])
def test_a_plant_that_is_not_there_looks_like_one_that_is_anothers(make_server, view, plant: str) -> None:
    script = make_server(two=view).client(token=TOKEN)
    for path in ("", "/assets", "/readings", "/overview", "/schedule", "/money", "/events"):
        answer = script.get(f"/api/v1/plants/{plant}{path}")
        assert answer.status_code == 404
        assert "two" not in answer.text


def test_the_openapi_document_shows_every_address_with_words_and_problems(script) -> None:
    document = script.get("/api/v1/openapi.json").json()
    wanted = (
        "",
        "/assets",
        "/readings",
        "/forecasts",
        "/schedule",
        "/overview",
        "/money",
        "/commands",
        "/events",
        "/explain",
    )
    assert {f"/api/v1/plants/{{plant}}{path}" for path in wanted} <= set(document["paths"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
    readings = document["paths"]["/api/v1/plants/{plant}/readings"]["post"]
    assert readings["requestBody"]["content"]["application/json"]["examples"]
    assert {"401", "404", "413", "422"} <= set(readings["responses"])
    assert TOKEN not in script.get("/api/v1/openapi.json").text


def test_what_the_document_promises_is_given(script) -> None:
    """Also fields that are null are there: nothing promised is left out."""
    schemas = script.get("/api/v1/openapi.json").json()["components"]["schemas"]
    for path, name in (("", "PlantDocument"), ("/overview", "OverviewDocument"), ("/money", "MoneyDocument")):
        assert set(schemas[name]["required"]) <= set(script.get(f"{PLANT}{path}").json())


def test_the_page_is_there_with_everything_it_names(server) -> None:
    client = server.client()
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    named = [part.split('"')[0] for part in page.text.split('="')[1:] if part.startswith("/static/")]
    assert len(named) >= 5
    for address in named:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert client.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_the_page_writes_text_never_markup(server) -> None:
    scripts = [path for path in (files("vpp") / "web").iterdir() if path.name.endswith(".js")]
    assert len(scripts) > 10
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert way not in text, (path.name, way)
        assert len(text.splitlines()) <= 400
