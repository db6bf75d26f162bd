"""A producer that knows nothing of the package: it publishes readings and keeps a journal of what was acknowledged.

Run: python load.py URL JOURNAL [options]. It prints ``started`` when connected, and ``done`` when the
broker has acknowledged everything. Every message carries one step of every channel of its node; all values
differ, and follow from the place of the message alone. Killed, it can be started again with another boot.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from ledger import Journal, Message, Value
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

POWER_MAX_KW = 100.0
SPREAD = 2_000_003  # prime, so that no two places share a value
KAFKA_TOPIC = "telemetry-topic"
PATIENCE_S = 60.0
FLUSH_S = 0.05


@dataclass(frozen=True)
class Shape:
    """What one node sends.

    Parameters
    ----------
    plant, node, boot : str
        Who sends.
    start_s, step_s : int
        Time of its first message and the time between two [epoch s, s].
    """

    plant: str
    node: str
    boot: str
    start_s: int
    step_s: int

    def message(self, sequence: int) -> tuple[Message, list[Value]]:
        """Return the message of that number: power and state of charge of the node's battery."""
        time_s = self.start_s + sequence * self.step_s
        place = (time_s * 7919 + sum(self.node.encode()) * 104_729) % SPREAD
        share = place / SPREAD
        battery = f"{self.node}_battery"
        values = [
            Value(battery, "power_kw", time_s, round(POWER_MAX_KW * (2.0 * share - 1.0), 6)),
            Value(battery, "soc", time_s, round(0.1 + 0.8 * share, 8)),
        ]
        return Message(self.plant, self.node, self.boot, sequence), values


def payload(message: Message, values: list[Value]) -> bytes:
    """Return a message as schema 2, written here by the book and not by the package."""
    readings = [
        {"asset": one.asset, "metric": one.metric, "time": _iso(one.time_s), "value": one.value} for one in values
    ]
    told = {
        "schema": 2,
        "boot": message.boot,
        "sequence": message.sequence,
        "issued_at": _iso(values[-1].time_s),
        "readings": readings,
    }
    return json.dumps(told).encode()


def _iso(time_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))


class Sender(Protocol):
    """One way to a broker."""

    def send(self, message: Message, body: bytes) -> None:
        """Hand over a message; its acknowledgement is told to the function given at the start."""
        ...

    def waiting(self) -> int:
        """Return how many were handed over and not yet acknowledged, after hearing what came."""
        ...

    def close(self) -> None:
        """Let go of the broker."""
        ...


class MqttSender:
    """MQTT 5 at QoS 1. After a break, what was not acknowledged is sent again; so is what was just before.

    A broker that was killed may have acknowledged what it then forgot: ``again_s`` says how far back to go [s].
    """

    def __init__(self, url: str, client_id: str, acknowledged: Callable[[Message], None], *, again_s: float) -> None:
        place = urlsplit(url)
        self._acknowledged = acknowledged
        self._again_s = again_s
        self._told: deque[tuple[int, ReasonCode]] = deque()
        self._resend = threading.Event()
        self._waiting: dict[int, tuple[Message, bytes]] = {}
        self._recent: deque[tuple[float, Message, bytes]] = deque()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        self._client.max_inflight_messages_set(2_000)
        self._client.reconnect_delay_set(0.1, 1)
        self._client.on_publish = self._on_publish
        self._client.on_connect = self._on_connect
        self._client.on_socket_open = _without_delay
        self._up = threading.Event()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3_600
        self._client.connect_async(place.hostname or "", place.port or 1883, keepalive=5, properties=properties)
        self._client.loop_start()
        if not self._up.wait(PATIENCE_S):
            raise TimeoutError(f"no connection to {url}")

    def send(self, message: Message, body: bytes) -> None:
        told = self._client.publish(f"vpp/{message.plant}/edge/{message.node}/telemetry", body, qos=1)
        self._waiting[told.mid] = (message, body)

    def waiting(self) -> int:
        if self._resend.is_set():
            self._resend.clear()
            since = time.monotonic() - self._again_s
            for at, message, body in [*self._recent]:
                if at >= since:
                    self.send(message, body)
        refused = []
        while self._told:
            mid, reason = self._told.popleft()
            found = self._waiting.pop(mid, None)
            if found is None:
                continue
            if reason == "Success":
                self._remember(*found)
                self._acknowledged(found[0])
            else:
                # "No matching subscribers" means that nobody will ever get it.
                refused.append(found)
        if refused:
            time.sleep(0.05)
        for message, body in refused:
            self.send(message, body)
        return len(self._waiting)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _remember(self, message: Message, body: bytes) -> None:
        now = time.monotonic()
        self._recent.append((now, message, body))
        while self._recent[0][0] < now - self._again_s:
            self._recent.popleft()

    # Paho calls these on its own thread while it holds its own locks: they only take note.

    def _on_connect(self, client: mqtt.Client, data: object, flags: object, reason: ReasonCode, more: object) -> None:
        if reason.is_failure:
            return
        if self._up.is_set():
            self._resend.set()
        self._up.set()

    def _on_publish(self, client: mqtt.Client, data: object, mid: int, reason: ReasonCode, more: object) -> None:
        self._told.append((mid, reason))


def _without_delay(client: mqtt.Client, data: object, sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class KafkaSender:
    """An idempotent Kafka producer; the key is plant/node."""

    def __init__(self, url: str, client_id: str, acknowledged: Callable[[Message], None]) -> None:
        servers = urlsplit(url).netloc
        self._acknowledged = acknowledged
        admin = AdminClient({"bootstrap.servers": servers})
        topic = NewTopic(KAFKA_TOPIC, num_partitions=4, replication_factor=1)
        for made in admin.create_topics([topic]).values():
            fault = made.exception()
            if fault is not None and fault.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise fault
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "client.id": client_id,
                "enable.idempotence": True,
                "linger.ms": 5,
                "socket.timeout.ms": 5_000,
            }
        )

    def send(self, message: Message, body: bytes) -> None:
        def told(fault: KafkaError | None, _: object) -> None:
            if fault is None:
                self._acknowledged(message)
            else:
                self.send(message, body)

        self._producer.produce(KAFKA_TOPIC, body, key=f"{message.plant}/{message.node}", on_delivery=told)
        self._producer.poll(0)

    def waiting(self) -> int:
        self._producer.poll(0)
        return len(self._producer)

    def close(self) -> None:
        self._producer.flush(5)


def order(
    shapes: list[Shape], count: int, *, copies: int, shuffled: int, rng: random.Random
) -> Iterator[tuple[Message, list[Value]]]:
    """Yield all messages, each ``copies`` times, shuffled within windows."""
    window: list[tuple[Message, list[Value]]] = []
    sequences = itertools.count() if count == 0 else range(count)
    for sequence in sequences:
        for shape in shapes:
            window += [shape.message(sequence)] * copies
        if len(window) >= shuffled:
            if shuffled > 1:
                rng.shuffle(window)
            yield from window
            window.clear()
    rng.shuffle(window)
    yield from window


def main() -> None:
    """Send until the count is reached or SIGTERM comes, then wait for what was not yet acknowledged."""
    parse = argparse.ArgumentParser()
    parse.add_argument("url")
    parse.add_argument("journal", type=Path)
    parse.add_argument("--plant", default="proof")
    parse.add_argument("--nodes", type=int, default=4)
    parse.add_argument("--boot", default="boot1")
    parse.add_argument("--count", type=int, default=0, help="messages of each node; 0: until SIGTERM")
    parse.add_argument(
        "--rate", type=float, default=0.0, help="messages per second of all nodes; 0: as fast as it goes"
    )
    parse.add_argument("--late-s", type=int, default=86_400, help="how far back the first message lies")
    parse.add_argument("--step-s", type=int, default=1)
    parse.add_argument("--copies", type=int, default=1)
    parse.add_argument("--shuffled", type=int, default=1, help="window within which the order is lost")
    parse.add_argument("--most-waiting", type=int, default=1_000)
    parse.add_argument(
        "--again-s", type=float, default=0.0, help="on reconnecting, send again what was acknowledged so lately"
    )
    parse.add_argument("--seed", type=int, default=0)
    given = parse.parse_args()

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    start_s = int(time.time()) - given.late_s
    shapes = [Shape(given.plant, f"site{i:02d}", given.boot, start_s, given.step_s) for i in range(given.nodes)]
    journal = Journal(given.journal)
    acknowledged: deque[Message] = deque()
    client_id = f"load-{given.boot}"
    sender: Sender
    if given.url.startswith("mqtt"):
        sender = MqttSender(given.url, client_id, acknowledged.append, again_s=given.again_s)
    else:
        sender = KafkaSender(given.url, client_id, acknowledged.append)
    print("started", flush=True)

    def hear() -> None:
        batch = [acknowledged.popleft() for _ in range(len(acknowledged))]
        if batch:
            journal.acknowledged(batch)

    begun = heard = time.monotonic()
    rng = random.Random(given.seed)
    planned = order(shapes, given.count, copies=given.copies, shuffled=given.shuffled, rng=rng)
    for sent, (message, values) in enumerate(planned):
        while not stopped.is_set() and (
            sender.waiting() >= given.most_waiting or (given.rate and sent > (time.monotonic() - begun) * given.rate)
        ):
            time.sleep(0.002)
            hear()
        if stopped.is_set():
            break
        journal.sending(message, values)
        sender.send(message, payload(message, values))
        if time.monotonic() - heard > FLUSH_S:
            heard = time.monotonic()
            hear()
    deadline = time.monotonic() + PATIENCE_S
    while sender.waiting() and time.monotonic() < deadline:
        time.sleep(0.01)
    left = sender.waiting()
    sender.close()
    hear()
    journal.close()
    print(f"gave up with {left} not acknowledged" if left else "done", flush=True)
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
