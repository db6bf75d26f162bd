"""The gateway's page: what it shows, that it escapes what others wrote, and who may read it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from vpp.api.edge_status import create_status_app, faults_of
from vpp.runtime.gateway_view import DriverView, GatewayView, NodeView, OrderView

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
VIEW = GatewayView(
    plant="homes",
    boot="9f2c",
    at=NOW,
    link_up=True,
    waiting_rows=12_345,
    kept_rows=7,
    oldest_at=NOW - timedelta(minutes=5),
    dropped_rows=3,
    shed_rows=4,
    halted="",
    disk_full=False,
    clock_off_s=0.0,
    sent_rows=99,
    sent_messages=9,
    counts={"commands": 1},
    drivers=(DriverView("inverter", True, "", 0, 10, 5.0, 1),),
    nodes=(NodeView("home01", False, 12.0, (("store", 2.5, "command"),)),),
    orders=(OrderView("home01", "store", "c1", NOW, 2.5, "limited", 2.0, "a limit held"),),
    events=((NOW, "info", "started"),),
)


def client(view: GatewayView = VIEW, *, host: str = "127.0.0.1:8081") -> TestClient:
    app = create_status_app(lambda: view, lambda: b"vpp_edge_link_up 1.0\n")
    return TestClient(app, base_url=f"http://{host}")


def test_the_page_shows_drivers_buffer_commands_and_events() -> None:
    page = client().get("/").text
    for words in ("inverter", "12,345", "oldest 5 min", "+2.50", "limited", "a limit held", "+2.00", "started"):
        assert words in page
    assert client().get("/style.css").headers["content-type"].startswith("text/css")


def test_what_others_wrote_is_text_and_no_markup() -> None:
    bad = "<script>alert(1)</script>"
    view = replace(VIEW, orders=(replace(VIEW.orders[0], id=bad, message=bad, asset=bad),), events=((NOW, bad, bad),))
    view = replace(view, drivers=(replace(VIEW.drivers[0], message=bad, healthy=False),), halted=bad)
    assert "<script>" not in client(view).get("/").text


def test_the_document_is_json_and_the_metrics_are_plain() -> None:
    document = client().get("/status").json()
    assert document["orders"][0]["measured_kw"] == 2.0
    assert document["nodes"][0]["set_points"] == [["store", 2.5, "command"]]
    assert client().get("/metrics").text == "vpp_edge_link_up 1.0\n"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"link_up": False}, "link: down; readings wait in the buffer"),
        ({"halted": "b.db: disk I/O error"}, "disk: b.db: disk I/O error"),
        ({"disk_full": True}, "disk: full; readings are shed, commands are kept"),
        ({"drivers": (replace(VIEW.drivers[0], healthy=False, message="no answer"),)}, "driver inverter: no answer"),
    ],
)
def test_health_is_red_with_what_is_wrong(changes: dict[str, object], fault: str | None) -> None:
    view = replace(VIEW, **changes)
    answer = client(view).get("/health")
    assert answer.status_code == (200 if fault is None else 503)
    assert answer.json()["faults"] == faults_of(view) == ([] if fault is None else [fault])


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.2", "127.0.0.1.evil.example"])
def test_a_page_from_elsewhere_cannot_read_it(host: str) -> None:
    assert client(host=host).get("/status").status_code == 400


def test_every_answer_carries_the_headers_and_nothing_can_be_changed() -> None:
    for path in ("/", "/status", "/health", "/metrics"):
        answer = client().get(path)
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert client().post(path).status_code == 405
