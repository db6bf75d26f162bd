"""The bridge from MQTT to Kafka, killed at random: what the first broker took is on the second."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from threading import Thread

import pytest
from servers.mosquitto import Mosquitto
from servers.tansu import Tansu

from vpp.core.errors import StoreError
from vpp.core.messages import Channel, Parcel
from vpp.streams.open import open_bus

pytestmark = pytest.mark.server
SOURCES = [f"node{i:02d}" for i in range(5)]
BRIDGE = [sys.executable, "-m", "vpp", "bridge", "--plant", "bridged", "--name", "bridge-under-test"]
PATIENCE_S = 60.0


def start_bridge(origin: str, destination: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*BRIDGE, "--from", origin, "--to", destination], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("bridging"), line + process.stderr.read()
    return process


def end(process: subprocess.Popen[str], *, kill: bool) -> None:
    process.kill() if kill else process.terminate()
    process.wait(timeout=20.0)
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert "Traceback" not in told


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_it_loses_nothing(mosquitto: Mosquitto, tansu: Tansu, kills: int, tmp_path: Path) -> None:
    del tmp_path
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    destination = f"{tansu.url}?session_ms=1500&partitions=4"
    taken: dict[str, list[int]] = {source: [] for source in SOURCES}
    running = True

    def produce() -> None:
        producer = open_bus(mosquitto.url)
        number = 0
        while running:
            numbers = range(number, number + 10)
            try:
                producer.publish([parcel(source, one) for one in numbers for source in SOURCES])
            except StoreError:
                continue
            for source in SOURCES:
                taken[source].extend(numbers)
            number += 10
            time.sleep(0.005)
        producer.close()

    def parcel(source: str, number: int) -> Parcel:
        return Parcel("bridged", source, Channel.TELEMETRY, f"{kills}:{number}".encode(), "solar")

    end(start_bridge(mosquitto.url, destination), kill=False)
    thread = Thread(target=produce)
    thread.start()
    for _ in range(kills):
        process = start_bridge(mosquitto.url, destination)
        time.sleep(dice.uniform(0.0, 0.6))
        end(process, kill=True)
    running = False
    thread.join()
    process = start_bridge(mosquitto.url, destination)
    consumer = open_bus(destination, plants=["bridged"], channels=[Channel.TELEMETRY], group=f"after-{kills}")
    first: dict[str, list[int]] = defaultdict(list)
    seen: set[tuple[str, int]] = set()
    missing = {(source, number) for source, numbers in taken.items() for number in numbers}
    everything = len(missing)
    until = time.monotonic() + PATIENCE_S
    while missing and time.monotonic() < until:
        for one in consumer.consume(most=5000, wait_s=0.5):
            run, number = one.payload.decode().split(":")
            if int(run) != kills:
                continue
            assert one.kind == "solar"
            if (one.source, int(number)) not in seen:
                first[one.source].append(int(number))
            seen.add((one.source, int(number)))
            missing.discard((one.source, int(number)))
        consumer.acknowledge()
    end(process, kill=False)
    consumer.close()
    assert everything > 500
    assert not missing
    # What goes over twice comes after itself: the first copies keep the source's order.
    for source in SOURCES:
        assert first[source] == sorted(first[source])


def test_it_waits_for_a_bus_that_is_away(tmp_path: Path, mosquitto: Mosquitto, tansu: Tansu) -> None:
    del tansu
    with Tansu(tmp_path / "away") as broker:
        destination = f"{broker.url}?session_ms=1500&partitions=4&timeout_s=2"
        process = start_bridge(mosquitto.url, destination)
        broker.kill()
        producer = open_bus(mosquitto.url)
        sent = [Parcel("bridged", "node99", Channel.TELEMETRY, str(number).encode()) for number in range(20)]
        producer.publish(sent)
        producer.close()
        time.sleep(3.0)
        assert process.poll() is None
        broker.start()
        consumer = open_bus(
            destination, plants=["bridged"], sources=["node99"], channels=[Channel.TELEMETRY], group="waited"
        )
        got: list[Parcel] = []
        until = time.monotonic() + PATIENCE_S
        while len(set(got)) < len(sent) and time.monotonic() < until:
            got += consumer.consume(wait_s=0.5)
            consumer.acknowledge()
        assert set(got) == set(sent)
        consumer.close()
        end(process, kill=False)
