from __future__ import annotations

import threading
import time

import pytest

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import POWER_KW, Reading, Readings, SeriesKey
from vpp.core.ports import Bus
from vpp.core.time import from_epoch_s
from vpp.streams.memory import BusCounts, MemoryBus


def batch(number: int, source: str = "load") -> Readings:
    moment = from_epoch_s(1_470_000_000 + 900 * number)
    return Readings.of([Reading("plant", SeriesKey(source, POWER_KW), moment, float(number), moment, moment)])


def numbers(batches: list[Readings]) -> list[int]:
    return [int(one.value[0]) for one in batches]


def test_it_is_a_bus() -> None:
    assert isinstance(MemoryBus(), Bus)


def test_what_was_not_acknowledged_comes_again_in_order() -> None:
    bus = MemoryBus()
    for number in range(5):
        bus.publish([batch(number)])
    assert numbers(bus.consume(most=2)) == [0, 1]
    assert numbers(bus.consume(most=3)) == [0, 1, 2]
    bus.acknowledge()
    bus.acknowledge()
    assert numbers(bus.consume()) == [3, 4]
    assert bus.counts() == BusCounts(published=5, acknowledged=3, refused=0, held=2)


def test_what_arrives_after_consume_is_not_acknowledged_with_it() -> None:
    bus = MemoryBus()
    bus.publish([batch(0)])
    bus.consume()
    bus.publish([batch(1)])
    bus.acknowledge()
    assert numbers(bus.consume()) == [1]


def test_a_full_bus_refuses_and_takes_again_when_there_is_room() -> None:
    bus = MemoryBus(capacity=1, publish_timeout_s=0.0)
    bus.publish([batch(0)])
    with pytest.raises(StoreError, match="holds 1 items"):
        bus.publish([batch(1)])
    bus.consume()
    bus.acknowledge()
    bus.publish([batch(2)])
    assert numbers(bus.consume()) == [2]
    assert bus.counts().refused == 1


def test_a_publisher_waits_for_room() -> None:
    bus = MemoryBus(capacity=1, publish_timeout_s=5.0)
    bus.publish([batch(0)])
    producer = threading.Thread(target=bus.publish, args=([batch(1)],))
    producer.start()
    time.sleep(0.02)
    assert numbers(bus.consume()) == [0]
    bus.acknowledge()
    producer.join(timeout=5.0)
    assert numbers(bus.consume()) == [1]


def test_many_producers_keep_their_own_order_and_nothing_is_lost() -> None:
    bus = MemoryBus(capacity=8, publish_timeout_s=5.0)

    def produce(source: str) -> None:
        for number in range(100):
            bus.publish([batch(number, source)])

    producers = [threading.Thread(target=produce, args=(f"load{i}",)) for i in range(4)]
    for producer in producers:
        producer.start()
    seen: dict[str, list[int]] = {}
    while sum(map(len, seen.values())) < 400:
        for one in bus.consume(most=5, wait_s=5.0):
            seen.setdefault(one.keys[0].source, []).append(int(one.value[0]))
        bus.acknowledge()
    for producer in producers:
        producer.join(timeout=5.0)
    assert seen == {f"load{i}": list(range(100)) for i in range(4)}


def test_a_closed_bus_refuses_everything_and_wakes_who_waits() -> None:
    bus = MemoryBus()
    failures: list[type[Exception]] = []

    def consume() -> None:
        try:
            bus.consume(wait_s=5.0)
        except ClosedError as fault:
            failures.append(type(fault))

    consumer = threading.Thread(target=consume)
    consumer.start()
    time.sleep(0.02)
    bus.close()
    bus.close()
    consumer.join(timeout=5.0)
    assert failures == [ClosedError]
    for use in (lambda: bus.publish([batch(0)]), bus.consume, bus.acknowledge):
        with pytest.raises(ClosedError, match="closed"):
            use()
    assert bus.counts().held == 0


@pytest.mark.parametrize("call", [lambda: MemoryBus(capacity=0), lambda: MemoryBus().consume(most=0)])
def test_bounds_are_checked(call) -> None:
    with pytest.raises(InvalidInputError, match="1 or more"):
        call()


def test_the_timeout_is_checked() -> None:
    with pytest.raises(InvalidInputError, match="publish_timeout_s"):
        MemoryBus(publish_timeout_s=float("nan"))
