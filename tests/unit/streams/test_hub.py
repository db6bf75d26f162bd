"""The bus within one process: groups, what nobody wants yet, and its bounds."""

from __future__ import annotations

import threading

import pytest

from vpp.core.errors import ClosedError, StoreError
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.streams.hub import Hub, HubBus

PARCELS = [Parcel("homes", "home01", Channel.TELEMETRY, str(i).encode()) for i in range(6)]


def test_it_is_a_bus() -> None:
    assert isinstance(HubBus(Hub()), Bus)


def test_every_group_is_told() -> None:
    hub = Hub()
    one = HubBus(hub, channels=[Channel.TELEMETRY], group="one")
    two = HubBus(hub, channels=[Channel.TELEMETRY], group="two")
    HubBus(hub).publish(PARCELS)
    assert one.consume() == PARCELS
    one.acknowledge()
    assert one.consume() == []
    assert two.consume() == PARCELS
    assert (one.counts().acknowledged, one.counts().held, two.counts().held) == (6, 0, 6)


def test_what_nobody_wants_yet_waits_for_who_does() -> None:
    hub = Hub()
    HubBus(hub).publish([*PARCELS, PARCELS[0]._replace(channel=Channel.ACK)])
    assert HubBus(hub, channels=[Channel.TELEMETRY], group="late").consume() == PARCELS
    assert len(HubBus(hub, channels=[Channel.ACK], group="later").consume()) == 1


def test_a_full_hub_refuses_and_says_how_many_it_took() -> None:
    hub = Hub(capacity=4)
    consumer = HubBus(hub, channels=[Channel.TELEMETRY])
    producer = HubBus(hub, publish_timeout_s=0.0)
    with pytest.raises(StoreError, match=r"4 items waiting .* \(4 of 6 were taken\)"):
        producer.publish(PARCELS)
    assert (producer.counts().published, producer.counts().refused) == (4, 2)
    consumer.consume(most=3)
    consumer.acknowledge()
    producer.publish(PARCELS[4:])
    assert consumer.consume() == PARCELS[3:]


def test_a_publisher_waits_for_room() -> None:
    hub = Hub(capacity=1)
    consumer = HubBus(hub, channels=[Channel.TELEMETRY])
    thread = threading.Thread(target=HubBus(hub).publish, args=(PARCELS,))
    thread.start()
    got: list[Parcel] = []
    while len(got) < len(PARCELS):
        got += consumer.consume(wait_s=1.0)
        consumer.acknowledge()
    thread.join(timeout=5.0)
    assert got == PARCELS


def test_a_new_consumer_of_a_group_takes_over() -> None:
    hub = Hub()
    first = HubBus(hub, channels=[Channel.TELEMETRY])
    HubBus(hub).publish(PARCELS)
    first.consume()
    second = HubBus(hub, channels=[Channel.TELEMETRY])
    for use in (first.consume, first.acknowledge):
        with pytest.raises(ClosedError, match="took over"):
            use()
    assert second.consume() == PARCELS


def test_closing_wakes_who_waits() -> None:
    bus = HubBus(Hub(), channels=[Channel.TELEMETRY])
    failures: list[type[Exception]] = []

    def wait() -> None:
        try:
            bus.consume(wait_s=30.0)
        except ClosedError as fault:
            failures.append(type(fault))

    thread = threading.Thread(target=wait)
    thread.start()
    bus.close()
    thread.join(timeout=5.0)
    assert failures == [ClosedError]
