"""What a gateway costs: command to answer beside telemetry, and how an outage is made up for. On a real broker.

The gateway runs in a process of its own, with devices that obey at once; this process is its head-end. Every reading is
on the gateway's disk (SQLite, FULL) before it is sent, every command before it is executed.
Run: python -m benchmarks.edge [FOLDER], on the disk to be judged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from servers.mosquitto import Mosquitto

from vpp.core.messages import POWER_KW, AckStatus, Channel, Command, Parcel, Readings, SeriesKey
from vpp.edge.buffer import Buffer
from vpp.edge.driver import DriverHealth
from vpp.edge.gateway import DrivenBy, Gateway, GatewaySettings
from vpp.edge.limits import AssetLimits
from vpp.edge.steady import SteadyClock
from vpp.runtime.clock import WallClock
from vpp.runtime.gateway_head_end import BusHeadEnd
from vpp.streams.open import open_bus
from vpp.streams.wire import decode_ack, decode_telemetry, encode_command

PLANT = "bench"
COMMANDED_NODES = 500
COMMANDED_INTERVAL_S = 0.25
COMMANDS = 600
COMMANDS_PER_S = 40.0
OUTAGE_NODES = 1000  # house: allow-1000, a count
OUTAGE_INTERVAL_S = 5.0
OUTAGE_POLLS = 120
BATCH = 10_000


class Devices:
    """Batteries that obey at once and measure their set-point; or, with ``past``, so many polls of the past instead."""

    def __init__(self, nodes: int, *, controllable: bool, past: int = 0, interval_s: float = 5.0) -> None:
        self.asset_ids = tuple(f"s{i:04d}" for i in range(nodes))
        self.controllable = self.asset_ids if controllable else ()
        self._keys = tuple(SeriesKey(asset, POWER_KW) for asset in self.asset_ids)
        self._value = np.zeros((1, nodes))
        self._place = {asset: i for i, asset in enumerate(self.asset_ids)}
        self._past = past
        self._told = 0
        self._interval_s = interval_s

    def open(self) -> None:
        """There is nothing to connect to."""

    def poll(self, now: datetime) -> Readings | None:
        """Return the power of every battery now, or at the next moment of the past."""
        at_s = int(now.timestamp())
        if self._past:
            if self._told == self._past:
                return None
            at_s -= int((self._past - self._told) * self._interval_s)
            self._told += 1
        values = self._value if not self._past else np.full_like(self._value, 1 + at_s % 977)
        return Readings.from_table(PLANT, self._keys, np.array([at_s]), values.copy(), arrived_s=at_s)

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Obey."""
        self._value[0, self._place[asset_id]] = power_kw

    def read_back(self, asset_id: str) -> float:
        """Return the set-point."""
        return float(self._value[0, self._place[asset_id]])

    def health(self) -> DriverHealth:
        """Return that all is well."""
        return DriverHealth(True)

    def close(self) -> None:
        """There is nothing to let go of."""


def serve(kind: str, url: str, path: str) -> None:
    """Run a gateway until standard input ends; the child's main."""
    nodes = COMMANDED_NODES if kind == "command" else OUTAGE_NODES
    ids = [f"s{i:04d}" for i in range(nodes)]
    sites = {f"n{i:04d}": [ids[i]] for i in range(nodes)}
    limits = {
        i: AssetLimits(asset_id=i, low_kw=-5.0, high_kw=5.0, safe_kw=0.0, most_flips=1000) for i in ids
    }  # house: allow-1000, a count
    if kind == "command":
        drivers = [DrivenBy("live", Devices(nodes, controllable=True), COMMANDED_INTERVAL_S)]
    else:
        past = Devices(nodes, controllable=False, past=OUTAGE_POLLS, interval_s=OUTAGE_INTERVAL_S)
        drivers = [
            DrivenBy("live", Devices(nodes, controllable=True), OUTAGE_INTERVAL_S),
            DrivenBy("past", past, 0.05),
        ]
    clock = SteadyClock(WallClock())
    buffer = Buffer(Path(path), plant=PLANT, boot=os.urandom(8).hex(), clock=clock)
    bus = open_bus(url, plants=[PLANT], channels=[Channel.CONTROL], client_id="bench-edge", wait_s=0.0)
    gateway = Gateway(
        PLANT,
        sites,
        limits,
        drivers,
        buffer=buffer,
        head_end=BusHeadEnd(PLANT, sites, bus),
        clock=clock,
        settings=GatewaySettings(status_every_s=60.0),
    )
    gateway.begin()
    for line in sys.stdin:
        if line.strip() == "counts":
            counts = buffer.counts()
            told = {"waiting": counts.waiting_rows, "shed": counts.shed_rows, "cpu_s": time.process_time()}
            print(json.dumps(told), flush=True)
    gateway.stop()


class Child:
    """A gateway in a process of its own."""

    def __init__(self, kind: str, url: str, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.edge", "--serve", kind, url, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def counts(self) -> dict[str, float]:
        """Return what its buffer counts, and the CPU it used so far."""
        self._process.stdin.write("counts\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        """End it in order."""
        self._process.stdin.close()
        self._process.wait(60)


@contextmanager
def child(kind: str, url: str, path: Path) -> Iterator[Child]:
    """Run a gateway for the length of a block."""
    made = Child(kind, url, path)
    try:
        yield made
    finally:
        made.stop()


class Listener:
    """Consumes telemetry on a thread: rows by (node, time), how late each message came, and how many came."""

    def __init__(self, url: str) -> None:
        self._bus = open_bus(url, channels=[Channel.TELEMETRY], client_id="bench-telemetry")
        self._stopping = threading.Event()
        self.messages = self.past = 0
        self.rows: Counter[tuple[str, int, float]] = Counter()
        self.seen: set[tuple[str, str, int]] = set()
        self.late: list[tuple[float, int, int]] = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            parcels = self._bus.consume(most=2_000, wait_s=0.1)
            now_s = time.time()
            for parcel in parcels:
                told = decode_telemetry(parcel)
                self.messages += 1
                if (key := (parcel.source, told.boot, told.sequence)) in self.seen:
                    continue
                self.seen.add(key)
                # readings of the past are told by a value that is not 0
                self.past += sum(value != 0.0 for value in told.values)
                self.late.append((now_s, max(told.times_s), len(told.values)))
                self.rows.update(zip([parcel.source] * len(told.values), told.times_s, told.values, strict=True))
            self._bus.acknowledge()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join()
        self._bus.close()


def fsync_ms(folder: Path) -> float:
    """Return what one commit of a bare SQLite file costs on this disk, the median of 50."""
    import sqlite3

    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x)")
    taken = []
    for i in range(50):
        begin = time.perf_counter()
        connection.execute("INSERT INTO t VALUES (?)", (i,))
        taken.append(time.perf_counter() - begin)
    connection.close()
    return 1e3 * float(np.median(taken))


def command_figures(folder: Path) -> list[dict[str, Any]]:
    """Return how long answers take beside 2,000 messages of telemetry a second, one by one and to all nodes at once."""
    with Mosquitto(folder / "broker") as broker, child("command", broker.url, folder / "command.db") as gateway:
        listener = Listener(broker.url)
        orders = open_bus(broker.url)
        answers = open_bus(broker.url, channels=[Channel.ACK], client_id="bench-acks")
        sent_s: dict[str, float] = {}
        took_s: dict[str, float] = {}
        status: Counter[str] = Counter()

        def listen() -> None:
            while len(took_s) < COMMANDS + COMMANDED_NODES:
                for parcel in answers.consume(wait_s=0.5):
                    ack = decode_ack(parcel.payload)
                    took_s[ack.command_id] = time.perf_counter() - sent_s[ack.command_id]
                    status[ack.status] += 1
                answers.acknowledge()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        while listener.messages < 4 * COMMANDED_NODES:
            time.sleep(0.1)
        rng = np.random.default_rng(1)
        before, began, cpu = listener.messages, time.perf_counter(), gateway.counts()["cpu_s"]
        for i in range(COMMANDS):
            due = began + i / COMMANDS_PER_S
            time.sleep(max(due - time.perf_counter(), 0.0))
            orders.publish([_order(f"one{i}", int(rng.integers(COMMANDED_NODES)), sent_s)])
        taken = time.perf_counter() - began
        rate = (listener.messages - before) / taken
        cpu_share = (gateway.counts()["cpu_s"] - cpu) / taken
        all_began = time.perf_counter()
        orders.publish([_order(f"all{i}", i, sent_s) for i in range(COMMANDED_NODES)])
        thread.join(60.0)
        all_s = time.perf_counter() - all_began
        for bus in (orders, answers):
            bus.close()
        listener.stop()
    one = [seconds for name, seconds in took_s.items() if name.startswith("one")]
    return [
        {"what": "telemetry beside the commands, durable", "value": rate, "unit": "msg/s", "limit": ">= 2,000 asked"},
        {"what": "command to answer, p50", "value": 1e3 * float(np.percentile(one, 50)), "unit": "ms"},
        {
            "what": "command to answer, p99",
            "value": 1e3 * float(np.percentile(one, 99)),
            "unit": "ms",
            "limit": "<= 250",
        },
        {"what": "command to all 500 nodes, last answer", "value": all_s, "unit": "s", "limit": "<= 2"},
        {
            "what": "commands answered as executed",
            "value": status[AckStatus.EXECUTED],
            "unit": f"of {COMMANDS + COMMANDED_NODES}",
        },
        {"what": "gateway's share of one core meanwhile", "value": cpu_share, "unit": "1"},
        {"what": "one commit of a bare SQLite file on this disk", "value": fsync_ms(folder), "unit": "ms"},
    ]


def _order(name: str, node: int, sent_s: dict[str, float]) -> Parcel:
    now = datetime.now(UTC)
    command = Command(name, PLANT, f"s{node:04d}", now, now, now + timedelta(minutes=15), float(node % 9 - 4))
    sent_s[name] = time.perf_counter()
    return Parcel(PLANT, f"n{node:04d}", Channel.CONTROL, encode_command(command))


def outage_figures(folder: Path) -> list[dict[str, Any]]:
    """Return how long 120,000 readings of an outage take to arrive, and how late live ones are meanwhile."""
    with Mosquitto(folder / "broker2") as broker:
        broker.kill()
        total = OUTAGE_NODES * OUTAGE_POLLS
        with child("outage", broker.url, folder / "outage.db") as gateway:
            while gateway.counts()["waiting"] < total + OUTAGE_NODES:
                time.sleep(0.2)
            broker.start()
            came_up_s = time.time()
            listener = Listener(broker.url)
            while listener.past < total and time.time() - came_up_s < 120.0:
                time.sleep(0.2)
            drained_s = max(at for at, _, _ in listener.late) - came_up_s
            until_s = time.time()
            while time.time() - until_s < 2.0 * OUTAGE_INTERVAL_S:
                time.sleep(0.2)
            shed = gateway.counts()["shed"]
            listener.stop()
    past = {key: count for key, count in listener.rows.items() if key[2]}
    live = [at - told for at, told, rows in listener.late if rows == 1 and told >= came_up_s + OUTAGE_INTERVAL_S]
    return [
        {
            "what": "outage of 10 min, 1,000 nodes at 5 s: made up for after",
            "value": drained_s,
            "unit": "s",
            "limit": "<= 60",
        },
        {
            "what": "live readings meanwhile, p99 lateness",
            "value": float(np.percentile(live, 99)),
            "unit": "s",
            "limit": "<= 5",
        },
        {"what": "readings of the outage: lost", "value": total - len(past), "unit": f"of {total}", "limit": "0"},
        {"what": "readings of the outage: twice", "value": sum(n - 1 for n in past.values()), "unit": "", "limit": "0"},
        {
            "what": "readings of the outage: altered",
            "value": sum(1 + t % 977 != v for _, t, v in past),
            "unit": "",
            "limit": "0",
        },
        {"what": "readings shed", "value": shed, "unit": "", "limit": "0"},
    ]


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    with tempfile.TemporaryDirectory(dir=root) as name:
        return [*command_figures(Path(name)), *outage_figures(Path(name))]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        for figure in run(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
            print(json.dumps(figure))
