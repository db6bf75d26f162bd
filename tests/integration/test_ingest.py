"""``vpp ingest`` and ``vpp top`` as a user runs them: a process between a real broker and a real database."""

from __future__ import annotations

import json
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
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.tansu import Tansu

from vpp.core.messages import Ack, AckStatus, Channel, Parcel, SeriesKey
from vpp.runtime.build import open_store
from vpp.streams.open import open_bus
from vpp.streams.wire import NodeStatus, encode_ack, encode_status

pytestmark = pytest.mark.server
NOW = datetime.now(UTC).replace(microsecond=0)
LOAD = SeriesKey("home01_load", "power_kw")
RUN = [sys.executable, "-c", "from vpp.cli.main import run; run()"]


class Process:
    """A running ``vpp ingest homes``; its metrics tell when it listens."""

    def __init__(self, bus: str, store: str, *options: str) -> None:
        command = [*RUN, "ingest", "homes", "--bus", bus, "--store", store, "--metrics-port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._ended: tuple[int, str] | None = None
        assert self.process.stderr is not None
        told = []
        for line in self.process.stderr:
            told.append(line)
            match = re.search(r"(http://\S+)/metrics", line)
            if match:
                self.url = match.group(1)
                return
        self.process.communicate()
        raise AssertionError(f"vpp ingest ended with {self.process.returncode}: {''.join(told)}")

    def get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10.0) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                return str(refused.read().decode())

    def count(self, name: str) -> float:
        match = re.search(rf"^vpp_ingest_{name} (\S+)", self.get("/metrics"), re.MULTILINE)
        return float(match.group(1)) if match else 0.0

    def until(self, happened: Callable[[], bool], *, within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not happened():
            assert self.process.poll() is None, "vpp ingest ended"
            assert time.monotonic() < deadline, self.get("/metrics")
            time.sleep(0.05)

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        if self._ended is None:
            self.process.send_signal(how)
            _, told = self.process.communicate(timeout=30.0)
            self._ended = self.process.returncode, told
        return self._ended


@pytest.fixture
def ingest() -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(bus: str, store: str, *options: str) -> Process:
        running.append(Process(bus, store, *options))
        return running[-1]

    yield start
    for one in running:
        one.end(signal.SIGKILL)


def until_it_answers(postgres: Postgres) -> None:
    """Wait until a database that was killed has read its log."""
    for _ in range(200):
        try:
            postgres.sql("SELECT 1")
        except subprocess.CalledProcessError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("PostgreSQL did not recover")


def telemetry(sequence: int, *, boot: str = "b1", source: str = "home01") -> Parcel:
    document = {
        "schema": 2,
        "boot": boot,
        "sequence": sequence,
        "issued_at": NOW.isoformat(),
        "readings": [
            {
                "asset": "home01_load",
                "metric": "power_kw",
                "time": (NOW - timedelta(seconds=sequence)).isoformat(),
                "value": -sequence / 100.0,
            }
        ],
    }
    return Parcel("homes", source, Channel.TELEMETRY, json.dumps(document).encode())


def kept(url: str) -> list[float]:
    store = open_store(url)
    rows = store.readings("homes", [LOAD], NOW - timedelta(days=1), NOW + timedelta(days=1), most=100_000)
    store.close()
    return sorted(rows.value.tolist(), reverse=True)


def top(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, "top", "--store", url, *options], capture_output=True, text=True, check=True)


def test_from_mqtt_to_sqlite_and_on_the_screen(mosquitto: Mosquitto, ingest: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'plant.db'}"
    process = ingest(mosquitto.url, url, "--group", tmp_path.name)
    bus = open_bus(mosquitto.url)
    ack = Ack("c1", "homes", "home01_battery", NOW, AckStatus.EXECUTED, 1.5)
    bus.publish(
        [
            *(telemetry(i) for i in range(500)),
            telemetry(7),
            Parcel("homes", "home01", Channel.TELEMETRY, b"\xff"),
            Parcel("homes", "home01", Channel.ACK, encode_ack(ack)),
            Parcel("homes", "home01", Channel.STATUS, encode_status(NodeStatus("homes", "home01", "b1", True, NOW))),
        ]
    )
    bus.close()
    process.until(lambda: process.count("parcels_total") == 504)
    assert process.count("messages_total") == 500
    assert process.count("duplicates_total") == 1
    assert process.count('refusals_total{reason="encoding"}') == 1
    assert json.loads(process.get("/health")) == {"status": "ok", "fault": None}
    seen = json.loads(top(url, "--json").stdout)
    assert [one["state"] for one in seen["services"]] == ["running"]
    assert [(one["source"], one["series"]) for one in seen["sources"]] == [("home01_load", 1)]
    assert seen["quarantine"]["newest_by_reason"] == {"encoding": 1}
    code, told = process.end()
    assert (code, "Traceback" in told) == (0, False)
    assert kept(url) == [0.0 - i / 100.0 for i in range(500)]
    store = open_store(url)
    assert store.acks("homes", NOW - timedelta(days=1), NOW + timedelta(days=1)) == [ack]
    assert [event.kind for event in store.events("homes")] == ["node_online"]
    store.close()
    page = top(url, "--once", "--plant", "homes").stdout
    for word in ("ingest", "stopped", "homes/home01_load", "encoding"):
        assert word in page


def test_a_consumer_that_was_killed_goes_on_where_it_was(mosquitto: Mosquitto, ingest: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'plant.db'}"
    bus = open_bus(mosquitto.url)
    first = ingest(mosquitto.url, url, "--group", tmp_path.name)
    bus.publish([telemetry(i) for i in range(1000)])
    first.until(lambda: first.count("rows_total") > 0)
    first.end(signal.SIGKILL)
    bus.publish([telemetry(i) for i in range(1000, 2000)])
    second = ingest(mosquitto.url, url, "--group", tmp_path.name)
    second.until(lambda: len(kept(url)) == 2000)
    assert second.end()[0] == 0
    assert kept(url) == [0.0 - i / 100.0 for i in range(2000)]
    bus.close()


def test_while_the_database_is_away_nothing_is_acknowledged_and_health_is_red(
    mosquitto: Mosquitto, tmp_path_factory: pytest.TempPathFactory, ingest: Any, tmp_path: Path
) -> None:
    with Postgres(tmp_path_factory.mktemp("frozen")) as postgres:
        url = postgres.new_database("vpp")
        process = ingest(mosquitto.url, url, "--group", tmp_path.name)
        bus = open_bus(mosquitto.url)
        bus.publish([telemetry(i) for i in range(100)])
        process.until(lambda: process.count("rows_total") == 100)
        postgres.kill()
        bus.publish([telemetry(i) for i in range(100, 200)])
        process.until(lambda: json.loads(process.get("/health"))["status"] == "failing")
        assert process.count("store_up") == 0
        assert process.count("rows_total") == 100
        postgres.start()
        process.until(lambda: process.count("rows_total") == 200)
        assert json.loads(process.get("/health"))["status"] == "ok"
        assert process.end()[0] == 0
        assert kept(url) == [0.0 - i / 100.0 for i in range(200)]
        store = open_store(url)
        assert "ingest_stalled" in {event.kind for event in store.events("homes")}
        store.close()
        bus.close()


def test_stopped_while_the_database_is_away_it_ends_with_1_and_loses_nothing(
    mosquitto: Mosquitto, tmp_path_factory: pytest.TempPathFactory, ingest: Any, tmp_path: Path
) -> None:
    with Postgres(tmp_path_factory.mktemp("away")) as postgres:
        url = postgres.new_database("vpp")
        process = ingest(mosquitto.url, url, "--group", tmp_path.name)
        postgres.kill()
        bus = open_bus(mosquitto.url)
        bus.publish([telemetry(i) for i in range(50)])
        process.until(lambda: process.count("store_errors_total") > 0 and process.count("store_up") == 0)
        code, told = process.end()
        assert code == 1
        assert "not kept" in told
        assert "Traceback" not in told
        postgres.start()
        until_it_answers(postgres)
        again = ingest(mosquitto.url, url, "--group", tmp_path.name)
        again.until(lambda: again.count("rows_total") == 50)
        bus.close()


def test_two_consumers_share_a_kafka_group(tansu: Tansu, postgres: Postgres, ingest: Any, tmp_path: Path) -> None:
    url = postgres.new_database(f"shared_{tmp_path.name}")
    bus_url = f"{tansu.url}?session_ms=6000"
    both = [ingest(bus_url, url, "--group", tmp_path.name, "--name", f"ingest-{i}") for i in (1, 2)]
    bus = open_bus(bus_url)
    count = 3000
    bus.publish([telemetry(i, source=f"home{i % 20:02d}") for i in range(count)])
    both[0].until(lambda: sum(one.count("rows_total") for one in both) >= count, within_s=60.0)
    assert kept(url) == [0.0 - i / 100.0 for i in range(count)]
    assert [one.end()[0] for one in both] == [0, 0]
    bus.close()
