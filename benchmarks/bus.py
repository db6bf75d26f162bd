"""What the buses cost a client: publishing and consuming, beside bare paho and bare confluent-kafka in the same run.

Run: python -m benchmarks.bus. Every figure is the median of 5 rounds in which ours and bare take turns (A-B-A-B).
Publishing ends when the broker has answered for every message; consuming acknowledges every message. CPU is that of the
client alone, from its start; with it stands what the broker used for both steps. On Kafka the wall runs from the first
message on: how long a group takes to form is the broker's matter. Bare clients make nothing of what they read.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka import Consumer, Producer
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers.mosquitto import Mosquitto
from servers.process import ServerProcess
from servers.tansu import Tansu

from vpp.core.messages import Channel, Parcel
from vpp.core.units import KILO
from vpp.streams.open import open_bus
from vpp.streams.wire import decode_telemetry, encode_rows

ROUNDS = 5
MQTT_MESSAGES = 20_000
KAFKA_MESSAGES = 100_000
BATCH = 2000
SOURCES = [f"node{i:03d}" for i in range(50)]
PAYLOAD = encode_rows(
    [("home01_battery", "power_kw", 1_795_186_800, -1.25), ("home01_battery", "soc", 1_795_186_800, 0.5)],
    boot="9f2c6b7d9f2c6b7d",
    sequence=12_345,
    issued_s=1_795_186_805,
)
MICRO = KILO * KILO

Step = Callable[[], tuple[float, float]]
"""One side of a round: does its work and returns its wall and CPU time [s]."""


def run() -> list[dict[str, Any]]:
    """Return the figures."""
    figures: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mosquitto = stack.enter_context(Mosquitto(folder / "mosquitto"))
        figures += _sides("MQTT QoS 1", mosquitto, MQTT_MESSAGES, _mqtt_ours(mosquitto), _mqtt_bare(mosquitto))
        tansu = stack.enter_context(Tansu(folder / "tansu"))
        figures += _sides("Kafka", tansu, KAFKA_MESSAGES, _kafka_ours(tansu), _kafka_bare(tansu))
        figures += _latency(mosquitto)
    figures += _wire()
    return figures


def _sides(
    what: str, broker: ServerProcess, count: int, ours: tuple[Step, Step], bare: tuple[Step, Step]
) -> Iterator[dict[str, Any]]:
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    used: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(ROUNDS):
        for side, steps in (("ours", ours), ("bare", bare)):
            before_s = _cpu_s(broker.pid)
            for name, step in zip(("publish", "consume"), steps, strict=True):
                taken.setdefault((side, name), []).append(step())
            used[side].append(_cpu_s(broker.pid) - before_s)
    for name in ("publish", "consume"):
        mine, theirs = taken["ours", name], taken["bare", name]
        ratio = median(a[1] / b[1] for a, b in zip(mine, theirs, strict=True))
        yield {
            "what": f"{what}: {name}",
            "ours [msg/s]": count / median(wall_s for wall_s, _ in mine),
            "bare [msg/s]": count / median(wall_s for wall_s, _ in theirs),
            "ours [CPU us/msg]": MICRO * median(cpu_s for _, cpu_s in mine) / count,
            "bare [CPU us/msg]": MICRO * median(cpu_s for _, cpu_s in theirs) / count,
            "CPU, ours over bare": ratio,
        }
    yield {
        "what": f"{what}: broker, both steps",
        "ours [CPU us/msg]": MICRO * median(used["ours"]) / count,
        "bare [CPU us/msg]": MICRO * median(used["bare"]) / count,
    }


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _parcels(count: int) -> list[Parcel]:
    return [Parcel("bench", SOURCES[i % len(SOURCES)], Channel.TELEMETRY, PAYLOAD) for i in range(count)]


def _ours(url: str, wanted: dict[str, Any], parcels: list[Parcel], *, joins: bool) -> tuple[Step, Step]:
    def publish() -> tuple[float, float]:
        bus = open_bus(url)
        try:
            return _timed(lambda: [bus.publish(parcels[i : i + BATCH]) for i in range(0, len(parcels), BATCH)] and None)
        finally:
            bus.close()

    def consume() -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        bus = open_bus(url, **wanted)
        got = 0
        while got < len(parcels):
            parcels_now = bus.consume(most=BATCH, wait_s=1.0)
            if joins and not got:
                wall = time.perf_counter()
            got += len(parcels_now)
            bus.acknowledge()
        taken = time.perf_counter() - wall, time.process_time() - cpu
        bus.close()
        return taken

    return publish, consume


def _mqtt_ours(broker: Mosquitto) -> tuple[Step, Step]:
    wanted = {"plants": ["bench"], "channels": [Channel.TELEMETRY], "group": "bench-ours"}
    open_bus(broker.url, **wanted).close()
    return _ours(broker.url, wanted, _parcels(MQTT_MESSAGES), joins=False)


def _mqtt_bare(broker: Mosquitto) -> tuple[Step, Step]:
    """Return paho as its documentation shows it: QoS 1, a session, the loop in its own thread."""

    def client(name: str) -> Client:
        made = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
        made.max_inflight_messages_set(1024)
        wanted = Properties(PacketTypes.CONNECT)
        wanted.SessionExpiryInterval = 3600
        made.connect("127.0.0.1", broker.port, clean_start=False, properties=wanted)
        return made

    def publish() -> tuple[float, float]:
        made = client("bench-bare-publisher")
        made.loop_start()

        def send() -> None:
            waiting = [made.publish(f"other/{SOURCES[i % len(SOURCES)]}", PAYLOAD, qos=1) for i in range(MQTT_MESSAGES)]
            for one in waiting:
                one.wait_for_publish()

        taken = _timed(send)
        made.disconnect()
        made.loop_stop()
        return taken

    def consume() -> tuple[float, float]:
        done, first = threading.Event(), threading.Event()
        left = [MQTT_MESSAGES]

        def hear(_client: Client, _data: object, _message: MQTTMessage) -> None:
            first.set()
            left[0] -= 1
            if not left[0]:
                done.set()

        made = client("bench-bare-consumer")
        made.on_message = hear

        def drain() -> None:
            made.loop_start()
            done.wait()

        taken = _timed(drain)
        made.disconnect()
        made.loop_stop()
        return taken

    subscriber = client("bench-bare-consumer")
    subscriber.on_connect = lambda made, *_: made.subscribe("other/#", qos=1)
    subscribed = threading.Event()
    subscriber.on_subscribe = lambda *_: subscribed.set()
    subscriber.loop_start()
    subscribed.wait(10.0)
    subscriber.disconnect()
    subscriber.loop_stop()
    return publish, consume


def _kafka_ours(broker: Tansu) -> tuple[Step, Step]:
    url = f"{broker.url}?session_ms=1500&partitions=6"
    wanted = {"plants": ["bench"], "channels": [Channel.TELEMETRY], "group": "bench-ours"}
    return _ours(url, wanted, _parcels(KAFKA_MESSAGES), joins=True)


def _kafka_bare(broker: Tansu) -> tuple[Step, Step]:
    """Return confluent-kafka as its documentation shows it: idempotent, delivery reports, batches, manual commits."""
    servers = {"bootstrap.servers": f"127.0.0.1:{broker.port}"}
    topic = f"bare-{secrets.token_hex(4)}"

    def publish() -> tuple[float, float]:
        producer = Producer(servers | {"enable.idempotence": True})
        reports: list[object] = []

        def report(fault: object, _message: object) -> None:
            reports.append(fault)

        def send() -> None:
            for i in range(KAFKA_MESSAGES):
                while True:
                    try:
                        producer.produce(
                            topic,
                            PAYLOAD,
                            SOURCES[i % len(SOURCES)],
                            on_delivery=lambda fault, _m: reports.append(fault),
                        )
                        break
                    except BufferError:
                        producer.poll(0.1)
                producer.poll(0.0)
            producer.flush()

        taken = _timed(send)
        assert len(reports) == KAFKA_MESSAGES
        return taken

    def consume() -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        consumer = Consumer(
            servers
            | {
                "group.id": "bench-bare",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 1500,
            }
        )
        consumer.subscribe([topic])
        got = 0
        while got < KAFKA_MESSAGES:
            messages = consumer.consume(min(BATCH, KAFKA_MESSAGES - got), 0.1)
            payloads = [message.value() for message in messages if message.error() is None]
            if not got:
                wall = time.perf_counter()
            got += len(payloads)
            if payloads:
                consumer.commit(asynchronous=False)
        taken = time.perf_counter() - wall, time.process_time() - cpu
        consumer.close()
        return taken

    return publish, consume


def _latency(broker: Mosquitto) -> Iterator[dict[str, Any]]:
    """Measure from ``publish`` to what ``consume`` returns, one small message at a time."""
    consumer = open_bus(broker.url, plants=["quick"], channels=[Channel.CONTROL], group="quick")
    producer = open_bus(broker.url)
    took_ms = []
    for _ in range(500):
        begin = time.perf_counter()
        producer.publish([Parcel("quick", "node01", Channel.CONTROL, PAYLOAD)])
        while not consumer.consume(wait_s=1.0):
            continue
        took_ms.append(KILO * (time.perf_counter() - begin))
        consumer.acknowledge()
    consumer.close()
    producer.close()
    took_ms.sort()
    yield {
        "what": "MQTT QoS 1: publish answered and consumed, one at a time",
        "p50 [ms]": took_ms[250],
        "p99 [ms]": took_ms[495],
    }


def _wire() -> Iterator[dict[str, Any]]:
    """Measure what reading and writing a message of two readings takes."""
    parcel = Parcel("bench", "node", Channel.TELEMETRY, PAYLOAD)
    strange = parcel._replace(payload=PAYLOAD[:-1] + b',"firmware":"1.2"}')
    rows = [("home01_battery", "power_kw", 1_795_186_800, -1.25), ("home01_battery", "soc", 1_795_186_800, 0.5)]
    works: dict[str, Callable[[], object]] = {
        "wire: read": lambda: decode_telemetry(parcel),
        "wire: read, with a field that is not known": lambda: decode_telemetry(strange),
        "wire: write": lambda: encode_rows(rows, boot="9f2c", sequence=1, issued_s=1_795_186_805),
        "json.loads of the same": lambda: json.loads(PAYLOAD),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            begin = time.process_time()
            for _ in range(5000):
                work()
            taken[name].append(MICRO * (time.process_time() - begin) / 5000)
    for name, times_us in taken.items():
        yield {"what": f"{name}, 2 readings", "ours [CPU us/msg]": median(times_us)}


def _cpu_s(pid: int) -> float:
    """Return the CPU time a process has used [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    for figure in run():
        print(json.dumps(figure))
