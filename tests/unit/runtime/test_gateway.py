"""The assembled gateway on the bus in memory: from a settings file to readings and answers; and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vpp.config.edge_file import edge_file
from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError
from vpp.core.messages import Ack, AckStatus, Channel, Command, Parcel
from vpp.core.ports import Bus
from vpp.edge.gateway import Gateway
from vpp.runtime.gateway import open_gateway
from vpp.runtime.gateway_view import METRICS, metrics_text, view_of
from vpp.streams.open import open_bus
from vpp.streams.wire import decode_ack, decode_status, decode_telemetry, encode_command

PATIENCE_S = 10.0
Open = Callable[..., Gateway]


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}"


@pytest.fixture
def head(url: str) -> Iterator[Bus[Parcel]]:
    bus = open_bus(url, channels=[Channel.TELEMETRY, Channel.STATUS, Channel.ACK], group="head")
    yield bus
    bus.close()


@pytest.fixture
def gateway_of(tmp_path: Path, url: str) -> Iterator[Open]:
    opened: list[Gateway] = []

    def make(**content: Any) -> Gateway:
        drivers = [{"kind": "simulated", "interval_s": 1}]
        settings = {"plant": "homes", "nodes": ["home01"], "bus": url, "drivers": drivers, "status_every_s": 0.1}
        opened.append(open_gateway(edge_file({**settings, **content}), base=tmp_path))
        return opened[-1]

    yield make
    for gateway in opened:
        if gateway.sender._thread.is_alive():
            gateway.stop()
        else:
            gateway.buffer.close()


def collect(bus: Bus[Parcel], until: Callable[[list[Parcel]], bool]) -> list[Parcel]:
    found: list[Parcel] = []
    deadline = time.monotonic() + PATIENCE_S
    while not until(found):
        assert time.monotonic() < deadline, [parcel.channel for parcel in found]
        found += bus.consume(wait_s=0.1)
        bus.acknowledge()
    return found


def test_readings_status_and_answers_go_out_and_are_counted(gateway_of: Open, url: str, head: Bus[Parcel]) -> None:
    gateway = gateway_of()
    gateway.begin()
    now = datetime.now(UTC)
    order = Command("c1", "homes", "home01_battery", now, now, now + timedelta(minutes=5), 99.0)
    open_bus(url).publish([Parcel("homes", "home01", Channel.CONTROL, encode_command(order))])
    seen = collect(head, lambda found: {parcel.channel for parcel in found} >= {"telemetry", "status", "ack"})
    (ack,) = (decode_ack(parcel.payload) for parcel in seen if parcel.channel is Channel.ACK)
    assert (ack.status, ack.power_kw) == (AckStatus.LIMITED, 5.0)
    assert ack.message == "asked for 99 kW, home01_battery allows -5 to 5 kW"
    telemetry = next(decode_telemetry(parcel) for parcel in seen if parcel.channel is Channel.TELEMETRY)
    assert set(telemetry.assets) == {"home01", "home01_load", "home01_pv", "home01_battery"}
    status = next(decode_status(parcel.payload) for parcel in seen if parcel.channel is Channel.STATUS)
    assert (status.source, status.online, status.boot) == ("home01", True, gateway.buffer.boot)
    families = {family.name: family for family in text_string_to_metric_families(metrics_text(gateway).decode())}
    assert {name.removesuffix("_total") for name in METRICS} == families.keys()
    limited = next(s.value for s in families["vpp_edge_acks"].samples if s.labels["status"] == "limited")
    assert limited == 1.0
    assert view_of(gateway).orders[0].message == ack.message


def test_a_command_that_cannot_be_read_is_counted_and_stops_nothing(
    gateway_of: Open, url: str, head: Bus[Parcel]
) -> None:
    gateway = gateway_of()
    gateway.begin()
    now = datetime.now(UTC)
    good = encode_command(Command("c1", "homes", "home01_battery", now, now, now + timedelta(minutes=5), 1.0))
    payloads = [b"", b"\xff", b"[" * 100_000, b'{"schema": 9}', good]
    out = open_bus(url)
    out.publish([Parcel("homes", "home01", Channel.CONTROL, payload) for payload in payloads])
    out.publish([Parcel("homes", "home02", Channel.CONTROL, good), Parcel("other", "home01", Channel.CONTROL, good)])
    seen = collect(head, lambda found: any(parcel.channel is Channel.ACK for parcel in found))
    acks: list[Ack] = [decode_ack(parcel.payload) for parcel in seen if parcel.channel is Channel.ACK]
    assert [(ack.command_id, ack.status) for ack in acks] == [("c1", AckStatus.EXECUTED)]


def test_limits_of_the_file_are_narrower_than_the_rating(gateway_of: Open) -> None:
    gateway = gateway_of(limits=[{"asset": "home01_battery", "high_kw": 2.0, "slew_kw_per_min": 60.0}])
    limits = gateway.nodes["home01"].steerings["home01_battery"].limits
    assert (limits.low_kw, limits.high_kw, limits.safe_kw, limits.slew_kw_per_min) == (-5.0, 2.0, 0.0, 60.0)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (
            {"limits": [{"asset": "home01_battery", "high_kw": 9.0}]},
            InvalidInputError,
            "-5 to 5 kW, the asset's rating",
        ),
        ({"limits": [{"asset": "home01_batery"}]}, UnknownNameError, "did you mean: home01_battery"),
        ({"limits": [{"asset": "home01_battery", "safe_kw": 9.0}]}, InvalidInputError, "safe_kw"),
        ({"nodes": ["home001"]}, UnknownNameError, "did you mean: home01"),
        ({"plant": "nowhere"}, UnknownNameError, "plant"),
        ({"bus": "mqqt://h"}, UnknownNameError, "did you mean: mqtt"),
        ({"buffer": {"path": "no/such/folder/b.db"}}, StoreError, "does not exist"),
        ({"drivers": [{"kind": "simulated"}, {"kind": "simulated"}]}, InvalidInputError, "a name of its own"),
        (
            {"drivers": [{"kind": "mqtt", "url": "mqtt://h", "topics": [{"asset_id": "home02_pv", "topic": "t"}]}]},
            InvalidInputError,
            "assets of these sites",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    gateway_of: Open, tmp_path: Path, content: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        gateway_of(**content)
    if "path" not in content.get("buffer", {}):
        gateway_of().buffer.settle()


def test_silence_is_measured_by_the_plants_step_unless_the_file_says_otherwise(gateway_of: Open) -> None:
    assert gateway_of().settings.head_end_timeout_s == 3600.0 + 300.0


def test_every_kind_of_driver_is_made_from_the_file(gateway_of: Open) -> None:
    charger = {"id": "box", "password": "k7Qp2mZx9LwT4vRb", "connectors": [{"asset_id": "home01_load"}]}
    drivers = [
        {
            "kind": "modbus",
            "address": {"host": "127.0.0.1"},
            "registers": [{"asset_id": "home01_pv", "address": 1, "conversion": {"unit": "W"}, "low": 0.0}],
            "set_points": [{"asset_id": "home01_battery", "address": 9, "high_kw": 4.0}],
        },
        {"kind": "sunspec", "address": {"host": "127.0.0.1"}, "asset_id": "home02_pv", "obeys": "cap"},
        {"kind": "ocpp", "port": 0, "chargers": [charger]},
        {"kind": "mqtt", "url": "mqtt://127.0.0.1", "topics": [{"asset_id": "home02_load", "topic": "t"}]},
        {"kind": "simulated"},
    ]
    gateway = gateway_of(nodes=["home01", "home02"], drivers=drivers)
    made = {worker.name: worker.driver.asset_ids for worker in gateway.workers}
    assert set(made["modbus"]) == {"home01_pv", "home01_battery"}
    assert made["simulated"] == ("home02_battery",)
    assert (made["sunspec"], made["ocpp"], made["mqtt"]) == (("home02_pv",), ("home01_load",), ("home02_load",))


def test_a_replay_tells_the_plants_history(gateway_of: Open) -> None:
    gateway = gateway_of(drivers=[{"kind": "replay", "interval_s": 1, "speed": 3600}])
    assert "home01_pv" in gateway.workers[0].driver.asset_ids
    assert "home02_pv" not in gateway.workers[0].driver.asset_ids
