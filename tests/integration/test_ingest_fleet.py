"""A running plant and its nodes on a real broker: readings in, commands out, answers back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from servers.mosquitto import Mosquitto

from vpp.config import VPPConfig
from vpp.core.messages import Ack, AckStatus, Channel, Command, Parcel
from vpp.runtime.build import open_store
from vpp.runtime.ingestion.running import open_listening_bus
from vpp.runtime.live import LivePlant, start_live
from vpp.streams.open import open_bus
from vpp.streams.wire import decode_command, encode_ack

pytestmark = pytest.mark.server
BATTERY = "home01_battery"


def until(happened: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Node:
    """The gateway of one home: executes every command once and answers every copy of it."""

    def __init__(self, url: str) -> None:
        self.executed: list[Command] = []
        self.silent = False
        self._bus = open_bus(url, plants=["homes"], channels=[Channel.CONTROL], client_id="node-home01")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def tell(self, value_kw: float) -> None:
        at = datetime.now(UTC).replace(microsecond=0)
        reading = {"asset": "home01_load", "metric": "power_kw", "time": at.isoformat(), "value": value_kw}
        told = {"schema": 2, "boot": "b1", "sequence": 0, "issued_at": at.isoformat(), "readings": [reading]}
        self._bus.publish([Parcel("homes", "home01", Channel.TELEMETRY, json.dumps(told).encode())])

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._bus.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for parcel in self._bus.consume(wait_s=0.05):
                assert parcel.source == "home01"
                command = decode_command(parcel.payload)
                if command not in self.executed:
                    self.executed.append(command)
                ack = Ack(command.id, "homes", command.asset_id, command.start, AckStatus.EXECUTED, command.power_kw)
                if not self.silent:
                    self._bus.publish([Parcel("homes", "home01", Channel.ACK, encode_ack(ack))])
            self._bus.acknowledge()


@pytest.fixture
def live(mosquitto: Mosquitto) -> Iterator[LivePlant]:
    bus = open_listening_bus(mosquitto.url, "homes")
    live = start_live(VPPConfig.load("homes"), open_store("memory://"), bus=bus)
    assert live.listening is not None
    live.listening.begin()
    yield live
    live.stop()


@pytest.fixture
def node(mosquitto: Mosquitto) -> Iterator[Node]:
    node = Node(mosquitto.url)
    yield node
    node.close()


def test_readings_commands_and_answers_cross_the_broker(live: LivePlant, node: Node) -> None:
    assert live.listening is not None
    fleet = live.listening.fleet
    subscription = live.hub.subscribe()
    node.tell(-1.25)
    until(lambda: live.store.latest("homes") is not None)
    latest = live.store.latest("homes")
    assert latest is not None
    assert [(str(key), value) for key, value in zip(latest.keys, latest.value, strict=True)] == [
        ("home01_load/power_kw", -1.25)
    ]
    assert subscription.get(timeout=5.0) == {"topic": "readings", "count": 1}
    start = datetime.now(UTC)
    command = Command("c1", "homes", BATTERY, start, start, start + timedelta(minutes=15), 1.5)
    live.store.write_commands([command])
    fleet.execute(command)
    acks: list[Ack] = []
    until(lambda: bool(acks.extend(fleet.poll(start)[1]) or acks))
    assert node.executed == [command]
    assert [(ack.command_id, ack.status, ack.power_kw) for ack in acks] == [("c1", AckStatus.EXECUTED, 1.5)]
    assert live.store.acks("homes", start - timedelta(days=1), start + timedelta(days=1)) == acks
    assert fleet.waiting() == ()


def test_assets_of_every_site_are_reached(live: LivePlant) -> None:
    assert live.listening is not None
    assert set(live.listening.fleet.asset_ids) == {asset.id for asset in live.setup.plant.assets}
