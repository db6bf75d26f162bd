"""The bridge between two buses in memory, one of which fails."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

import pytest

from vpp.core.errors import StoreError
from vpp.core.messages import MOST_KEPT_OF_PAYLOAD, Channel, Parcel
from vpp.streams.bridge import BridgeCounts, bridge, carry
from vpp.streams.hub import Hub, HubBus
from vpp.streams.memory import MemoryBus
from vpp.streams.wire import MOST_BYTES

PARCELS = [Parcel("homes", "home01", Channel.TELEMETRY, str(i).encode(), "solar") for i in range(5)]


class Failing(MemoryBus[Parcel]):
    """A bus that does not take what it is given, some times."""

    def __init__(self, faults: int) -> None:
        super().__init__()
        self.faults = faults

    def publish(self, items: Sequence[Parcel]) -> None:
        if self.faults:
            self.faults -= 1
            super().publish(items[:2])
            raise StoreError("away")
        super().publish(items)


def filled() -> tuple[Hub, HubBus]:
    hub = Hub()
    HubBus(hub).publish(PARCELS)
    return hub, HubBus(hub, channels=[Channel.TELEMETRY])


def test_it_acknowledges_what_the_second_bus_holds() -> None:
    _, source = filled()
    target = MemoryBus[Parcel]()
    counts = BridgeCounts()
    assert carry(source, target, counts) == 5
    assert target.consume() == PARCELS
    assert (source.counts().acknowledged, counts.carried) == (5, 5)
    assert carry(source, target, counts, wait_s=0.0) == 0


def test_nothing_is_acknowledged_when_the_second_bus_fails() -> None:
    _, source = filled()
    target = Failing(1)
    with pytest.raises(StoreError):
        carry(source, target, BridgeCounts())
    assert source.counts().acknowledged == 0
    carry(source, target, BridgeCounts())
    assert target.consume() == [*PARCELS[:2], *PARCELS]


def test_it_goes_on_when_the_second_bus_comes_back() -> None:
    _, source = filled()
    target = Failing(1)
    stopped = Event()

    def stop_when_done(counts: BridgeCounts) -> None:
        if counts.carried == len(PARCELS):
            stopped.set()

    counts = bridge(source, target, stopped, on_progress=stop_when_done)
    assert (counts.carried, counts.faults) == (5, 1)
    assert source.counts().held == 0


def test_what_cannot_be_addressed_or_is_too_long_goes_over_all_the_same() -> None:
    source, target = MemoryBus[Parcel](), MemoryBus[Parcel]()
    source.publish(
        [
            Parcel("", "node01", Channel.TELEMETRY, b"a"),
            Parcel("homes", "", Channel.ACK, b"b"),
            Parcel("homes", "node01", Channel.TELEMETRY, bytes(MOST_BYTES)),
            Parcel("homes", "node01", Channel.TELEMETRY, bytes(MOST_BYTES + 1)),
        ]
    )
    counts = BridgeCounts()
    carry(source, target, counts)
    got = target.consume()
    assert [(one.plant, one.source) for one in got[:2]] == [("nowhere", "node01"), ("homes", "nowhere")]
    assert [len(one.payload) for one in got[2:]] == [MOST_BYTES, MOST_KEPT_OF_PAYLOAD]
    assert (counts.carried, counts.nameless, counts.cut) == (4, 2, 1)
