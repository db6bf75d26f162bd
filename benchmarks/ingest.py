"""What ingestion costs from broker to disk, beside a bare subscriber and a bare COPY in the same run.

CPU is that of all processes that take part but the producer: consumer, broker and, where there is one, database. Every
message holds one reading. Run: python -m benchmarks.ingest [FOLDER], on the disk to be judged; it needs Mosquitto,
PostgreSQL and a Kafka-protocol broker, see servers/.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTProtocolVersion
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.tansu import Tansu

from benchmarks.store_postgres import bare_rows_per_s, delivery
from vpp.config import VPPConfig
from vpp.core.messages import Channel, Parcel
from vpp.runtime.build import open_store
from vpp.runtime.clock import WallClock
from vpp.runtime.ingestion.reception import Received, Reception
from vpp.runtime.ingestion.running import CHANNELS
from vpp.runtime.ingestion.service import Ingestion
from vpp.streams.open import open_bus

PLANT = "homes"
LOADS = tuple(asset.id for asset in VPPConfig.load(PLANT).plant.assets if asset.kind == "load")
ROUNDS = 5
MESSAGES = 30_000
KAFKA_MESSAGES = 100_000
FRESH_RATE = 5_000
FRESH_S = 10
STALL_S = 30
BATCH = 10_000
_PRODUCED_AT_ONCE = 500


def messages(count: int, *, boot: str) -> Iterator[Parcel]:
    """Yield parcels of one reading each; a value tells when it was made: minus the seconds of the clock modulo 10."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    for sequence in range(count):
        load = LOADS[sequence % len(LOADS)]
        now_s = time.time()
        document = {
            "schema": 2,
            "boot": boot,
            "sequence": sequence,
            "issued_at": datetime.fromtimestamp(now_s, UTC).isoformat(),
            "readings": [
                {
                    "asset": load,
                    "metric": "power_kw",
                    "time": (begin + timedelta(seconds=sequence // len(LOADS))).isoformat(),
                    "value": -(now_s % 10.0),
                }
            ],
        }
        yield Parcel(PLANT, load.partition("_")[0], Channel.TELEMETRY, json.dumps(document).encode())


def produce(url: str, count: int, *, per_s: float = 0.0, for_s: float = 0.0) -> None:
    """Publish messages, as fast as the broker takes them or at a rate, so many or for so long."""
    bus = open_bus(url)
    begin_s = time.monotonic()
    at_once = _PRODUCED_AT_ONCE if not per_s else max(1, int(per_s / 50))
    sent = 0
    held: list[Parcel] = []
    for parcel in messages(count, boot=f"{os.getpid():x}{time.time_ns():x}"):
        held.append(parcel)
        if len(held) == at_once:
            bus.publish(held)
            sent += len(held)
            held = []
            if per_s:
                time.sleep(max(0.0, begin_s + sent / per_s - time.monotonic()))
            if for_s and time.monotonic() > begin_s + for_s:
                break
    if held:
        bus.publish(held)
    bus.close()


def subscribe(url: str, count: int) -> None:
    """Read so many messages by paho at QoS 1, parse each as JSON, keep none; print the CPU seconds it took."""
    done = threading.Event()
    seen = [0]

    def on_message(_client: Client, _data: Any, message: Any) -> None:
        json.loads(message.payload)
        seen[0] += 1
        if seen[0] == count:
            done.set()

    client = Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = on_message
    host, _, port = url.removeprefix("mqtt://").partition(":")
    client.connect(host, int(port))
    client.subscribe(f"vpp/{PLANT}/edge/+/telemetry", qos=1)
    client.loop_start()
    time.sleep(0.5)
    print("ready", flush=True)
    begin_s = time.process_time()
    done.wait()
    print(time.process_time() - begin_s, flush=True)
    client.disconnect()
    client.loop_stop()


def cpu_s(group: int) -> float:
    """Return the CPU seconds of a process group and of its leader's children, ended ones among them."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The children of PostgreSQL leave its process group.
        if group in (int(fields[1]), int(fields[2])):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process [MB]."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(match.group(1)) / 1024.0 if match else 0.0


class Ingest:
    """A running ``vpp ingest``."""

    def __init__(self, bus: str, store: str) -> None:
        program = "from vpp.cli.main import run; run()"
        options = ["ingest", PLANT, "--bus", bus, "--store", store, "--metrics-port", "0"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *options],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            match = re.search(r"http://\S+/metrics", line)
            if match:
                self._url = match.group(0)
                return
        raise RuntimeError("vpp ingest did not start")

    def count(self, name: str) -> float:
        """Return one of its counters."""
        with urllib.request.urlopen(self._url, timeout=30.0) as answer:
            match = re.search(rf"^vpp_ingest_{name} (\S+)", answer.read().decode(), re.MULTILINE)
        return float(match.group(1)) if match else 0.0

    def rate_until(self, count: float) -> float:
        """Return rows per second from the first that are durable to the last of so many."""
        while not self.count("rows_total"):
            time.sleep(0.01)
        first, begin_s = self.count("rows_total"), time.monotonic()
        self.wait_for(count)
        return (count - first) / (time.monotonic() - begin_s)

    def wait_for(self, count: float, *, within_s: float = 120.0) -> None:
        """Return when so many rows are durable."""
        deadline = time.monotonic() + within_s
        while self.count("rows_total") < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.count('rows_total'):.0f} of {count:.0f} rows after {within_s:.0f} s")
            time.sleep(0.1)

    def close(self) -> None:
        """Ask it to stop."""
        self.process.terminate()
        self.process.wait(30.0)


@contextmanager
def ingesting(bus: str, store: str) -> Iterator[Ingest]:
    """Run ``vpp ingest`` for as long as the block."""
    ingest = Ingest(bus, store)
    try:
        yield ingest
    finally:
        ingest.close()


def role(name: str, *arguments: object) -> subprocess.Popen[str]:
    """Start this module in another role."""
    command = [sys.executable, "-m", "benchmarks.ingest", name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def bare_mqtt(folder: Path) -> tuple[float, float]:
    """Return CPU per message of broker and bare subscriber [us], and messages per second with the producer's start."""
    with Mosquitto(folder / "broker") as broker, role("subscribe", broker.url, MESSAGES) as subscriber:
        assert subscriber.stdout is not None
        subscriber.stdout.readline()
        before_s, begin_s = cpu_s(broker.pid), time.monotonic()
        with role("produce", broker.url, MESSAGES):
            used_s = float(subscriber.stdout.readline())
            taken_s = time.monotonic() - begin_s
        return 1e6 * (used_s + cpu_s(broker.pid) - before_s) / MESSAGES, MESSAGES / taken_s


def durable_mqtt(folder: Path, store: str, database: int | None = None) -> tuple[float, float]:
    """Return CPU per message of broker, ``vpp ingest`` and database [us], and messages per second until durable."""
    with Mosquitto(folder / "broker") as broker, ingesting(broker.url, store) as ingest:
        groups = [broker.pid, ingest.process.pid, *([database] if database else [])]
        before_s = sum(map(cpu_s, groups))
        with role("produce", broker.url, MESSAGES):
            per_s = ingest.rate_until(MESSAGES)
            used_s = sum(map(cpu_s, groups)) - before_s
        return 1e6 * used_s / MESSAGES, per_s


def freshness_s(folder: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return how old each reading was when it was durable [s], at a steady rate over MQTT into SQLite."""
    ages: list[np.ndarray[Any, np.dtype[np.float64]]] = []

    def kept(received: Received) -> None:
        for rows in received.delivery.readings:
            ages.extend([(time.time() % 10.0 + rows.value) % 10.0])

    with Mosquitto(folder / "broker") as broker:
        bus = open_bus(broker.url, plants=[PLANT], channels=CHANNELS, client_id="fresh")
        store = open_store(f"sqlite:///{folder / 'fresh.db'}")
        plant = VPPConfig.load(PLANT).plant
        ingestion = Ingestion(
            bus, store, Reception([plant]), clock=WallClock(), name="fresh", plants=[PLANT], on_kept=kept
        )
        stopped = threading.Event()
        thread = threading.Thread(target=ingestion.run, args=(stopped,))
        thread.start()
        count = FRESH_RATE * FRESH_S
        role("produce", broker.url, count, FRESH_RATE).wait()
        while sum(map(len, ages)) < count:
            time.sleep(0.05)
        stopped.set()
        thread.join()
        bus.close()
        store.close()
    return np.concatenate(ages)


def bare_copy(postgres: Postgres) -> float:
    """Return how fast the driver alone keeps so many rows, each once, in the store's own table [rows/s]."""
    return bare_rows_per_s(postgres, [delivery(number) for number in range(1, 1 + KAFKA_MESSAGES // BATCH)])


def kafka_to_postgres(folder: Path, store: str) -> float:
    """Return how fast messages that wait on Kafka become rows [rows/s], from the first commit to the last."""
    with Tansu(folder / "tansu") as broker:
        role("produce", broker.url, KAFKA_MESSAGES).wait()
        with ingesting(broker.url, store) as ingest:
            return ingest.rate_until(KAFKA_MESSAGES)


def stalled_mb(folder: Path, postgres: Postgres, store: str) -> float:
    """Return by how much ``vpp ingest`` grows [MB] while its database is frozen under full load."""
    with Mosquitto(folder / "broker") as broker, ingesting(broker.url, store) as ingest:
        role("produce", broker.url, MESSAGES).wait()
        ingest.wait_for(MESSAGES)
        before_mb = highest_mb = rss_mb(ingest.process.pid)
        postgres.pause()
        try:
            with role("produce", broker.url, 10**7, 0, STALL_S) as producer:
                while producer.poll() is None:
                    highest_mb = max(highest_mb, rss_mb(ingest.process.pid))
                    time.sleep(0.2)
        finally:
            postgres.resume()
        while ingest.count("in_hand_messages") or not ingest.count("store_up"):
            highest_mb = max(highest_mb, rss_mb(ingest.process.pid))
            time.sleep(0.1)
        return highest_mb - before_mb


def in_turn(*measures: Callable[[Path], tuple[float, float]], root: Path | None) -> list[list[tuple[float, float]]]:
    """Return the answers of measures run A-B-A-B, each in a folder of its own."""
    answers: list[list[tuple[float, float]]] = [[] for _ in measures]
    for _ in range(ROUNDS):
        for measure, told in zip(measures, answers, strict=True):
            with tempfile.TemporaryDirectory(dir=root) as folder:
                told.append(measure(Path(folder)))
    return answers


def mqtt_figures(postgres: Postgres, root: Path | None) -> Iterator[dict[str, Any]]:
    """Measure MQTT to both databases beside a bare subscriber."""
    made = iter(range(10**6))

    def on_sqlite(folder: Path) -> tuple[float, float]:
        return durable_mqtt(folder, f"sqlite:///{folder / 'plant.db'}")

    def on_postgres(folder: Path) -> tuple[float, float]:
        return durable_mqtt(folder, postgres.new_database(f"mqtt{next(made)}"), postgres.pid)

    bare, sqlite, postgresql = in_turn(bare_mqtt, on_sqlite, on_postgres, root=root)
    yield {"what": "MQTT: broker and bare subscriber", "value": median(cpu for cpu, _ in bare), "unit": "us CPU/msg"}
    for name, ours in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        ratio = median(mine / theirs for (mine, _), (theirs, _) in zip(ours, bare, strict=True))
        cpu, rate = median(one for one, _ in ours), median(one for _, one in ours)
        yield {"what": f"MQTT to {name}, durable", "value": cpu, "unit": "us CPU/msg"}
        yield {"what": f"MQTT to {name}: CPU over bare", "value": ratio, "unit": "1", "limit": "<= 2"}
        yield {"what": f"MQTT to {name}: rate", "value": rate, "unit": "msg/s", "limit": ">= 5000"}


def kafka_figures(postgres: Postgres, root: Path | None) -> Iterator[dict[str, Any]]:
    """Measure Kafka to PostgreSQL beside a bare idempotent COPY."""
    made = iter(range(10**6))

    def bare(_: Path) -> tuple[float, float]:
        return bare_copy(postgres), 0.0

    def ours(folder: Path) -> tuple[float, float]:
        return kafka_to_postgres(folder, postgres.new_database(f"kafka{next(made)}")), 0.0

    copied, kept = in_turn(bare, ours, root=root)
    ratio = median(theirs / mine for (mine, _), (theirs, _) in zip(kept, copied, strict=True))
    rate = median(one for one, _ in kept)
    yield {"what": "PostgreSQL: idempotent COPY alone", "value": median(one for one, _ in copied), "unit": "rows/s"}
    yield {"what": "Kafka to PostgreSQL", "value": rate, "unit": "rows/s", "limit": ">= 25000"}
    yield {"what": "Kafka to PostgreSQL: time over COPY alone", "value": ratio, "unit": "1", "limit": "<= 2"}


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=root) as name, Postgres(Path(name) / "postgres") as postgres:
        figures += mqtt_figures(postgres, root)
        ages = freshness_s(Path(name))
        figures += [
            {"what": f"freshness at {FRESH_RATE} msg/s: median", "value": float(np.median(ages)), "unit": "s"},
            {
                "what": f"freshness at {FRESH_RATE} msg/s: p99",
                "value": float(np.quantile(ages, 0.99)),
                "unit": "s",
                "limit": "<= 2",
            },
        ]
        figures += kafka_figures(postgres, root)
        grown_mb = stalled_mb(Path(name), postgres, postgres.new_database("stalled"))
        figures.append(
            {"what": f"memory: database frozen {STALL_S} s", "value": grown_mb, "unit": "MB", "limit": "<= 100"}
        )
    return figures


def main(arguments: list[str]) -> None:
    """Run the benchmark, or one of the roles it starts itself in."""
    if arguments[:1] == ["produce"]:
        url, count, *more = arguments[1:]
        produce(url, int(count), **dict(zip(("per_s", "for_s"), map(float, more), strict=False)))
    elif arguments[:1] == ["subscribe"]:
        subscribe(arguments[1], int(arguments[2]))
    else:
        for figure in run(Path(arguments[0]) if arguments else None):
            print(json.dumps(figure))


if __name__ == "__main__":
    main(sys.argv[1:])
