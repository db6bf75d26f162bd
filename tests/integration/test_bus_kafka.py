"""The Kafka bus against a real broker: shared work, consumers that die, brokers that forget or are away."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.tansu import Tansu

from vpp.core.errors import StoreError
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.streams.open import open_bus

pytestmark = pytest.mark.server
QUICK = "?session_ms=1500&partitions=4"
PATIENCE_S = 30.0


def parcel(number: int, source: str = "node01", plant: str = "homes") -> Parcel:
    return Parcel(plant, source, Channel.TELEMETRY, str(number).encode())


def collect(bus: Bus[Parcel], count: int) -> list[Parcel]:
    got: list[Parcel] = []
    until = time.monotonic() + PATIENCE_S
    while len(got) < count and time.monotonic() < until:
        got += bus.consume(wait_s=0.2)
        bus.acknowledge()
    return got


@pytest.fixture
def own(tmp_path: Path, tansu: Tansu) -> Iterator[Tansu]:
    """Return a broker that a test may kill; that there is one at all is the matter of the shared one."""
    del tansu
    with Tansu(tmp_path / "broker") as broker:
        yield broker


def test_a_group_shares_the_work_and_takes_over_what_a_member_leaves(tansu: Tansu) -> None:
    url = tansu.url + QUICK

    def member() -> Bus[Parcel]:
        return open_bus(url, plants=["shared"], channels=[Channel.TELEMETRY], group="sharing")

    first, second = member(), member()
    producer = open_bus(url)
    sources = [f"node{i:02d}" for i in range(12)]
    got: dict[int, list[Parcel]] = {0: [], 1: []}
    until = time.monotonic() + PATIENCE_S
    number = 0
    # Until both have a share: the group forms while we publish.
    while not (got[0] and got[1]) and time.monotonic() < until:
        producer.publish([parcel(number, source, "shared") for source in sources])
        number += 1
        for index, bus in enumerate((first, second)):
            got[index] += bus.consume(wait_s=0.1)
            bus.acknowledge()
    assert got[0]
    assert got[1]
    held = second.consume(wait_s=1.0)
    second.close()
    producer.publish([parcel(number, source, "shared") for source in sources])
    wanted = {(source, step) for source in sources for step in range(number + 1)}
    heard = {(one.source, int(one.payload)) for one in (*got[0], *got[1])}
    left = collect(first, len(wanted - heard))
    assert heard | {(one.source, int(one.payload)) for one in left} == wanted
    assert {(one.source, one.payload) for one in held} <= {(one.source, one.payload) for one in left}
    for source in sources:
        numbers = [int(one.payload) for one in left if one.source == source]
        assert numbers == sorted(numbers)
    first.close()
    producer.close()


DIES = """
import sys, time
from vpp.core.messages import Channel
from vpp.streams.open import open_bus
bus = open_bus(sys.argv[1], plants=["dying"], channels=[Channel.TELEMETRY], group="dying")
got = []
while len(got) < 10:
    got = bus.consume(most=10, wait_s=1.0)
bus.acknowledge()
print("ten", flush=True)
while len(got) < 20:
    got = bus.consume(most=20, wait_s=1.0)
print("twenty more", flush=True)
time.sleep(60)
"""


def test_a_consumer_that_was_killed_before_it_committed(tansu: Tansu) -> None:
    url = tansu.url + QUICK
    producer = open_bus(url)
    producer.publish([parcel(number, plant="dying") for number in range(60)])
    dying = subprocess.Popen([sys.executable, "-c", DIES, url], stdout=subprocess.PIPE, text=True)
    assert dying.stdout is not None
    assert [dying.stdout.readline(), dying.stdout.readline()] == ["ten\n", "twenty more\n"]
    dying.kill()
    dying.wait()
    dying.stdout.close()
    following = open_bus(url, plants=["dying"], channels=[Channel.TELEMETRY], group="dying")
    assert [int(one.payload) for one in collect(following, 50)] == list(range(10, 60))
    following.close()
    producer.close()


def test_other_plants_are_passed_over_and_do_not_pile_up(tansu: Tansu) -> None:
    url = tansu.url + QUICK
    consumer = open_bus(url, plants=["mine"], channels=[Channel.TELEMETRY], group="passing")
    producer = open_bus(url)
    producer.publish([parcel(number, f"node{number % 9}", "theirs") for number in range(3000)])
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        assert consumer.consume(most=10, wait_s=0.1) == []
        assert consumer.counts().held == 0
    assert len(consumer._queue) == 0
    producer.publish([parcel(1, plant="mine")])
    assert collect(consumer, 1) == [parcel(1, plant="mine")]
    consumer.close()
    producer.close()


def test_the_newest_item_tells_when_it_was_put_on_the_bus(tansu: Tansu) -> None:
    consumer = open_bus(tansu.url + QUICK, plants=["stamped"], channels=[Channel.TELEMETRY], group="stamped")
    producer = open_bus(tansu.url)
    before_s = time.time()
    producer.publish([parcel(1, plant="stamped")])
    assert collect(consumer, 1)
    assert before_s - 0.01 <= consumer.counts().newest_s <= time.time()
    consumer.close()
    producer.close()


def test_a_broker_that_forgot_everything_is_used_again(own: Tansu) -> None:
    producer = open_bus(f"{own.url}{QUICK}&timeout_s=3")
    producer.publish([parcel(0)])
    own.kill()
    began = time.monotonic()
    with pytest.raises(StoreError, match="holds 0 of 1 items"):
        producer.publish([parcel(1)])
    assert time.monotonic() - began < 6.0
    own.start()
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            producer.publish([parcel(2)])
        except StoreError:
            assert time.monotonic() < until
        else:
            break
    consumer = open_bus(own.url + QUICK, channels=[Channel.TELEMETRY], group="again")
    assert parcel(2) in collect(consumer, 1)
    consumer.close()
    producer.close()
