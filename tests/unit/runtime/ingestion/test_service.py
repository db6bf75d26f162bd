from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event as Flag
from threading import Thread
from typing import Any, ClassVar

import pytest

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import Ack, AckStatus, Channel, Delivery, Intake, Parcel, SeriesKey
from vpp.core.time import epoch_s
from vpp.runtime.ingestion.service import COMMIT_BYTES, IngestSettings
from vpp.store.memory import MemoryStore
from vpp.streams.wire import NodeStatus, encode_ack, encode_status

DAY = (datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
LOAD = SeriesKey("load", "power_kw")


def kept(store: MemoryStore, key: SeriesKey = LOAD) -> list[float]:
    return store.readings("home", [key], *DAY).value.tolist()


def second(index: int) -> str:
    return f"2026-11-20T{11 + index // 3600:02d}:{index // 60 % 60:02d}:{index % 60:02d}Z"


def test_what_is_kept_is_acknowledged_and_counted(bench: Callable[..., Any], parcel: Callable[..., Parcel]) -> None:
    desk = bench()
    one = parcel()
    desk.take(one, one, one, parcel(sequence=1), Parcel("home", "house", Channel.TELEMETRY, b"{"))
    counts = desk.ingestion.counts
    assert desk.bus.counts().held == 0
    assert kept(desk.store) == [-1.5]
    assert (counts.get("parcels_total"), counts.get("messages_total"), counts.get("duplicates_total")) == (5, 2, 2)
    assert counts.get("refusals_total:json") == 1
    assert desk.store.refusal_count() == 1


def test_every_copy_and_every_order_gives_the_same_store(
    bench: Callable[..., Any], parcel: Callable[..., Parcel]
) -> None:
    parcels = [parcel(("load", "power_kw", second(i), -i / 1000.0), sequence=i) for i in range(1000)]
    shuffled = parcels * 3
    random.Random(5).shuffle(shuffled)
    desk = bench()
    desk.take(*shuffled)
    assert kept(desk.store) == [0.0 - i / 1000.0 for i in range(1000)]
    assert desk.ingestion.counts.get("duplicates_total") == 2000


def test_a_counter_that_starts_again_loses_nothing(bench: Callable[..., Any], parcel: Callable[..., Parcel]) -> None:
    desk = bench()
    desk.take(parcel(("load", "power_kw", second(0), -1.0)))
    desk.take(parcel(("load", "power_kw", second(1), -2.0), boot="b2"))
    assert kept(desk.store) == [-1.0, -2.0]


def test_answers_are_kept_and_status_becomes_an_event_when_it_changes(bench: Callable[..., Any]) -> None:
    desk = bench()
    at = datetime(2026, 11, 20, 15, tzinfo=UTC)
    ack = Ack("c1", "home", "battery", at, AckStatus.LIMITED, 2.0, "SOC")
    states = [("b1", True), ("b1", True), ("b1", False), ("b2", True), ("b3", True)]
    parcels = [
        Parcel("home", "house", Channel.STATUS, encode_status(NodeStatus("home", "house", boot, online, at)))
        for boot, online in states
    ]
    desk.take(Parcel("home", "house", Channel.ACK, encode_ack(ack)), *parcels)
    assert desk.store.acks("home", *DAY) == [ack]
    kinds = [event.kind for event in reversed(desk.store.events("home"))]
    assert kinds == ["node_online", "node_offline", "node_online", "node_restarted"]
    again = bench(store=desk.store)
    again.take(parcels[-1])
    assert len(desk.store.events("home")) == 4


class FailingStore(MemoryStore):
    """A store that keeps nothing for a while."""

    def __init__(self, failures: int, *, fault: type[Exception] = StoreError) -> None:
        super().__init__()
        self.failures = failures
        self.fault = fault

    def take(self, delivery: Delivery) -> Intake:
        if self.failures > 0:
            self.failures -= 1
            raise self.fault("the disk is full")
        return super().take(delivery)


def test_while_the_store_fails_nothing_is_acknowledged(
    bench: Callable[..., Any], parcel: Callable[..., Parcel], caplog: pytest.LogCaptureFixture
) -> None:
    store = FailingStore(2)
    desk = bench(store=store)
    held = []
    keep = store.take

    def watched(delivery: Delivery) -> Intake:
        held.append((desk.bus.counts().held, desk.ingestion.fault is not None))
        return keep(delivery)

    store.take = watched  # type: ignore[method-assign]
    desk.take(parcel())
    assert held == [(1, False), (1, True), (1, True)]
    assert desk.ingestion.fault is None
    counts = desk.ingestion.counts
    assert (counts.get("store_errors_total"), counts.get("retries_total"), counts.get("store_up")) == (2, 2, 1)
    (event,) = store.events("home")
    assert event.kind == "ingest_stalled"
    assert "the disk is full" in event.message
    assert "nothing is acknowledged" in caplog.text


def test_stopped_while_the_store_fails_it_says_so_and_leaves_the_batch_on_the_bus(
    bench: Callable[..., Any], parcel: Callable[..., Parcel]
) -> None:
    desk = bench(store=FailingStore(10**9))
    desk.bus.publish([parcel()])
    fine: list[bool] = []
    thread = Thread(target=lambda: fine.append(desk.ingestion.run(desk.stopped)))
    thread.start()
    while desk.ingestion.fault is None:
        pass
    desk.stopped.set()
    thread.join(5.0)
    assert fine == [False]
    assert desk.bus.counts().held == 1


def test_a_store_that_halted_is_opened_anew(bench: Callable[..., Any], parcel: Callable[..., Parcel]) -> None:
    halted = FailingStore(10**9)
    halted.halted = "fsync failed"  # type: ignore[attr-defined]
    well = MemoryStore()
    desk = bench(store=halted, reopen=lambda: well)
    desk.take(parcel())
    assert desk.ingestion.store is well
    assert kept(well) == [-1.5]


def test_what_the_store_cannot_hold_is_found_and_put_aside(
    bench: Callable[..., Any], parcel: Callable[..., Parcel]
) -> None:
    class Picky(MemoryStore):
        def take(self, delivery: Delivery) -> Intake:
            if any(origin.sequence == 5 for origin in delivery.origins):
                raise InvalidInputError("time", "odd", "even")
            return super().take(delivery)

    desk = bench(store=Picky())
    desk.take(*(parcel(("load", "power_kw", second(i), -1.0), sequence=i) for i in range(9)))
    assert len(kept(desk.store)) == 8
    (refusal,) = desk.store.refusals()
    assert "expected even" in refusal.message


def test_long_payloads_are_committed_in_parts_and_fetched_in_small_numbers(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = bench()
    sizes: list[int] = []
    keep = desk.store.take

    def watched(delivery: Delivery) -> Intake:
        sizes.append(len(delivery.refusals))
        return keep(delivery)

    monkeypatch.setattr(desk.store, "take", watched)
    poison = [Parcel("home", f"n{i}", Channel.TELEMETRY, b"x" * 1_000_000) for i in range(40)]
    desk.take(*poison)
    assert max(sizes) <= COMMIT_BYTES // 1_000_000
    desk.bus.publish(poison)
    assert desk.ingestion.step(desk.stopped) <= 33
    assert desk.store.refusal_count() == 40


def test_a_bus_that_cannot_be_told_gives_it_again_and_nothing_is_kept_twice(
    bench: Callable[..., Any], parcel: Callable[..., Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = bench()
    desk.bus.publish([parcel()])

    def refuse() -> None:
        raise StoreError("no broker answers")

    with monkeypatch.context() as away:
        away.setattr(desk.bus, "acknowledge", refuse)
        desk.ingestion.step(desk.stopped)
    assert desk.bus.counts().held == 1
    desk.ingestion.step(desk.stopped)
    assert desk.bus.counts().held == 0
    counts = desk.ingestion.counts
    assert (counts.get("bus_errors_total"), counts.get("duplicates_total")) == (1, 1)
    assert kept(desk.store) == [-1.5]


def test_roll_ups_are_refreshed_when_there_is_nothing_else_to_do(bench: Callable[..., Any]) -> None:
    class Rolling(MemoryStore):
        asked: ClassVar[list[int | None]] = []

        def refresh_rollups(self, *, most: int = 1, before_s: int | None = None) -> int:
            self.asked.append(before_s)
            return 0

    desk = bench(store=Rolling())
    desk.ingestion._refreshed_s -= 11.0
    thread = Thread(target=desk.ingestion.run, args=(desk.stopped,))
    thread.start()
    while not Rolling.asked:
        pass
    desk.stopped.set()
    thread.join(5.0)
    assert Rolling.asked == [epoch_s(datetime(2026, 11, 20, 15, 0, 10, tzinfo=UTC))]


def test_the_heartbeat_tells_plants_rates_and_that_it_stopped(
    bench: Callable[..., Any], parcel: Callable[..., Parcel]
) -> None:
    desk = bench()
    desk.bus.publish([parcel()])
    thread = Thread(target=desk.ingestion.run, args=(desk.stopped,))
    thread.start()
    while desk.bus.counts().held:
        pass
    desk.stopped.set()
    thread.join(5.0)
    (beat,) = desk.store.heartbeats()
    assert beat.service == "ingest"
    assert beat.counts["messages_total"] == beat.counts["stopped"] == beat.counts["plant:home"] == 1.0
    assert beat.counts["lag_seconds"] == 5.0


@pytest.mark.parametrize("change", [{"most_readings": 0}, {"linger_s": -1.0}, {"heartbeat_s": 0.0}])
def test_settings_out_of_range_are_refused(change: dict[str, Any], home: Plant) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(change))):
        IngestSettings(**change)


class SlowStore(MemoryStore):
    """A store that keeps a delivery only when its gate is open, and tells when one waits there."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.reached = Flag(), Flag()

    def take(self, delivery: Delivery) -> Intake:
        self.reached.set()
        assert self.gate.wait(5.0)
        return super().take(delivery)


def many(parcel: Callable[..., Parcel], count: int) -> list[Parcel]:
    return [parcel(("load", "power_kw", second(i), -1.0), sequence=i) for i in range(count)]


def test_while_a_full_batch_is_kept_the_next_is_taken_and_neither_is_acknowledged(
    bench: Callable[..., Any], parcel: Callable[..., Parcel]
) -> None:
    store = SlowStore()
    desk = bench(store=store)
    desk.bus.publish(many(parcel, 600))
    assert desk.ingestion.step(desk.stopped) == 256
    assert store.reached.wait(5.0)
    thread = Thread(target=desk.ingestion.step, args=(desk.stopped,))
    thread.start()
    while desk.ingestion.counts.get("in_hand_messages") < 512:
        pass
    assert desk.bus.counts().held == 600
    assert kept(store) == []
    store.gate.set()
    thread.join(5.0)
    while desk.bus.counts().held:
        assert desk.ingestion.step(desk.stopped)
    assert len(kept(store)) == 600
    assert desk.ingestion.counts.get("duplicates_total") == 0


def test_what_moved_on_the_bus_meanwhile_is_not_acknowledged_for_another(
    bench: Callable[..., Any], parcel: Callable[..., Parcel]
) -> None:
    store = SlowStore()
    desk = bench(store=store)
    parcels = many(parcel, 600)
    desk.bus.publish(parcels)
    desk.ingestion.step(desk.stopped)
    # A partition went to another consumer: what is in hand is no longer at the head of the queue.
    with desk.bus._changed:
        desk.bus._queue.rotate(-256)
    store.gate.set()
    assert desk.ingestion.step(desk.stopped) == 256
    assert desk.bus.counts().held == 600
    while desk.bus.counts().held:
        assert desk.ingestion.step(desk.stopped)
    assert len(kept(store)) == 600
    assert desk.ingestion.counts.get("duplicates_total") == 256


def test_stopped_it_finishes_what_is_in_hand(bench: Callable[..., Any], parcel: Callable[..., Parcel]) -> None:
    store = SlowStore()
    desk = bench(store=store)
    desk.bus.publish(many(parcel, 256))
    fine: list[bool] = []
    thread = Thread(target=lambda: fine.append(desk.ingestion.run(desk.stopped)))
    thread.start()
    assert store.reached.wait(5.0)
    desk.stopped.set()
    store.gate.set()
    thread.join(5.0)
    assert fine == [True]
    assert desk.bus.counts().held == 0
    assert len(kept(store)) == 256
