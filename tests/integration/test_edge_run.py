"""``vpp edge run`` on a real broker: commands, a frozen gateway, a broker that restarts, a gateway that is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers.mosquitto import Mosquitto

from vpp.core.messages import Ack, AckStatus, Channel, Command, Parcel
from vpp.core.ports import Bus
from vpp.edge.sparkplug_payload import payload_type
from vpp.streams.open import open_bus
from vpp.streams.wire import NodeStatus, decode_ack, decode_status, decode_telemetry, encode_command

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]
PATIENCE_S = 30.0
GATEWAY = """
plant: homes
nodes: [home01]
drivers: [{kind: simulated, interval_s: 1}]
status_every_s: 1
"""


class Running:
    """A gateway process."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self.said = ""
        (folder / "gateway.yaml").write_text(GATEWAY)
        self.process = subprocess.Popen(
            [
                sys.executable, "-c", "from vpp.cli.main import run; run()",
                "edge", "run", str(folder / "gateway.yaml"), "--bus", url, "--status-port", "0", *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )  # fmt: skip
        for line in self.process.stdout:
            self.said += line
            if found := re.search(r"Status page: (http://\S+)", line):
                self.page = found.group(1)
                break
        else:
            raise AssertionError(self.said)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.page + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as fault:
            return fault.code, fault.read().decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(30)


Run = Callable[..., Running]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    begun: list[Running] = []

    def start(url: str, *options: str) -> Running:
        begun.append(Running(tmp_path, url, *options))
        return begun[-1]

    yield start
    for one in begun:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()


class HeadEnd:
    """What arrives for one test, by channel."""

    def __init__(self, url: str, name: str) -> None:
        self.bus: Bus[Parcel] = open_bus(
            url, plants=["homes"], channels=[Channel.TELEMETRY, Channel.STATUS, Channel.ACK], client_id=name
        )
        self.acks: list[Ack] = []
        self.statuses: list[NodeStatus] = []
        self.messages: dict[tuple[str, str, int], int] = {}

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, what
            for parcel in self.bus.consume(wait_s=0.1):
                if parcel.channel is Channel.ACK:
                    self.acks.append(decode_ack(parcel.payload))
                elif parcel.channel is Channel.STATUS:
                    self.statuses.append(decode_status(parcel.payload))
                else:
                    told = decode_telemetry(parcel)
                    key = parcel.source, told.boot, told.sequence
                    self.messages[key] = self.messages.get(key, 0) + 1
            self.bus.acknowledge()

    def order(self, name: str, power_kw: float, *, lasts_s: float = 900.0) -> None:
        now = datetime.now(UTC)
        command = Command(name, "homes", "home01_battery", now, now, now + timedelta(seconds=lasts_s), power_kw)
        self.bus.publish([Parcel("homes", "home01", Channel.CONTROL, encode_command(command))])


@pytest.fixture
def broker(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Mosquitto]:
    """Return a broker of this test's own: what an earlier test left is retained on the common one."""
    with Mosquitto(tmp_path / "broker") as own:
        yield own


@pytest.fixture
def head(broker: Mosquitto) -> Iterator[HeadEnd]:
    head = HeadEnd(broker.url, "head")
    yield head
    head.bus.close()


def test_commands_are_answered_and_the_page_shows_them(run: Run, broker: Mosquitto, head: HeadEnd) -> None:
    gateway = run(broker.url)
    head.until(lambda: bool(head.messages), "no telemetry")
    head.order("c1", 2.5)
    head.until(lambda: bool(head.acks), "no answer")
    assert [(ack.command_id, ack.status, ack.power_kw) for ack in head.acks] == [("c1", AckStatus.EXECUTED, 2.5)]
    assert json.loads(gateway.get("/health")[1]) == {"healthy": True, "faults": []}
    document = json.loads(gateway.get("/status")[1])
    assert [(one["id"], one["status"], one["measured_kw"]) for one in document["orders"]] == [("c1", "executed", 2.5)]
    assert 'vpp_edge_acks_total{status="executed"} 1.0' in gateway.get("/metrics")[1]
    assert "home01_battery" in gateway.get("/")[1]
    assert gateway.end() == 0
    head.until(lambda: not head.statuses[-1].online, "it did not say that it stops")
    assert "Traceback" not in gateway.said


def test_a_frozen_gateway_answers_lapsed_commands_as_expired(run: Run, broker: Mosquitto, head: HeadEnd) -> None:
    gateway = run(broker.url)
    head.until(lambda: bool(head.messages), "no telemetry")
    gateway.process.send_signal(signal.SIGSTOP)
    head.order("late", 4.0, lasts_s=1.0)
    time.sleep(2.0)
    gateway.process.send_signal(signal.SIGCONT)
    head.until(lambda: bool(head.acks), "no answer")
    assert (head.acks[0].command_id, head.acks[0].status) == ("late", AckStatus.EXPIRED)
    nodes = json.loads(gateway.get("/status")[1])["nodes"]
    assert nodes[0]["set_points"] == [["home01_battery", 0.0, "safe"]]


def test_what_is_measured_while_the_broker_is_away_arrives_afterwards(
    run: Run, broker: Mosquitto, head: HeadEnd
) -> None:
    gateway = run(broker.url)
    head.until(lambda: bool(head.messages), "no telemetry")
    broker.kill()
    deadline = time.monotonic() + PATIENCE_S
    while not json.loads(gateway.get("/status")[1])["waiting_rows"] >= 10:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    broker.start()
    head.until(lambda: json.loads(gateway.get("/status")[1])["waiting_rows"] == 0, "the buffer is not drained")
    (boot,) = {boot for _, boot, _ in head.messages}
    sequences = sorted(sequence for _, _, sequence in head.messages)
    assert sequences == list(range(len(sequences))), f"messages of boot {boot} are missing"


def test_a_killed_gateway_is_told_offline_and_comes_back_with_what_it_had(
    run: Run, broker: Mosquitto, head: HeadEnd
) -> None:
    gateway = run(broker.url)
    head.until(lambda: len(head.messages) > 1, "no telemetry")
    gateway.process.kill()
    head.until(lambda: bool(head.statuses) and not head.statuses[-1].online, "the last will was not told")
    run(broker.url)
    head.until(lambda: head.statuses[-1].online, "it did not come back")
    head.until(lambda: len({boot for _, boot, _ in head.messages}) == 2, "no new boot")


def test_a_gateway_without_a_broker_buffers_and_says_so(run: Run, broker: Mosquitto) -> None:
    broker.kill()
    gateway = run(broker.url)
    deadline = time.monotonic() + PATIENCE_S
    while (document := json.loads(gateway.get("/status")[1]))["waiting_rows"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not document["link_up"]
    code, told = gateway.get("/health")
    assert code == 503
    assert json.loads(told)["faults"] == ["link: down; readings wait in the buffer"]
    assert gateway.end(signal.SIGINT) == 0


class Eavesdropper:
    """Everything on a broker, raw."""

    def __init__(self, port: int, *topics: str) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _c, _u, message: self.heard.append(
            (message.topic, bytes(message.payload), message.retain)
        )
        self.client.connect("127.0.0.1", port)
        self.client.subscribe([(topic, 1) for topic in topics])
        self.client.loop_start()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, [topic for topic, _, _ in self.heard]
            time.sleep(0.05)

    def of(self, kind: str) -> list[Any]:
        payload = payload_type()
        return [payload.FromString(told) for topic, told, _ in self.heard if topic.split("/")[2] == kind]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_sparkplug_is_born_counts_is_born_again_when_asked_and_dies(run: Run, broker: Mosquitto) -> None:
    ear = Eavesdropper(broker.port, "spBv1.0/#")
    try:
        gateway = run(broker.url, "--sparkplug")
        ear.until(lambda: len(ear.of("DDATA")) >= 3)
        (birth,) = ear.of("NBIRTH")
        assert birth.seq == 0
        bd_seq = next(metric.long_value for metric in birth.metrics if metric.name == "bdSeq")
        assert {topic.split("/")[-1] for topic, _, _ in ear.heard if "/DBIRTH/" in topic} == {
            "home01", "home01_load", "home01_pv", "home01_battery",
        }  # fmt: skip
        told = [payload_type().FromString(payload).seq for _, payload, _ in ear.heard]
        assert told == [i % 256 for i in range(len(told))]
        again = payload_type()()
        again.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
        ear.client.publish("spBv1.0/vpp:homes/NCMD/home01", again.SerializeToString(), 1)
        ear.until(lambda: len(ear.of("NBIRTH")) == 2)
        assert ear.of("NBIRTH")[1].seq == 0
        gateway.process.kill()
        ear.until(lambda: bool(ear.of("NDEATH")))
        (death,) = ear.of("NDEATH")
        assert [metric.long_value for metric in death.metrics] == [bd_seq]
        assert not death.HasField("seq")
    finally:
        ear.close()


def test_home_assistant_finds_the_sensors_and_their_values(run: Run, broker: Mosquitto) -> None:
    gateway = run(broker.url, "--home-assistant")
    ear = Eavesdropper(broker.port, "homeassistant/#", "vpp-home-assistant/#")
    try:
        ear.until(lambda: any(topic.endswith("home01_battery/soc") for topic, _, _ in ear.heard))
        configs = [json.loads(told) for topic, told, _ in ear.heard if topic.endswith("/config")]
        soc = next(one for one in configs if one["unique_id"] == "vpp_homes_home01_battery_soc")
        (value,) = {told for topic, told, _ in ear.heard if topic == soc["state_topic"]}
        assert 0.0 <= float(value) <= 100.0
        assert (soc["availability_topic"], b"online") in {(topic, told) for topic, told, _ in ear.heard}
        assert gateway.end() == 0
        ear.until(lambda: (soc["availability_topic"], b"offline", False) in ear.heard)
    finally:
        ear.close()
