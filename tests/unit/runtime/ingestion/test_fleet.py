from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vpp.core.assets import Plant
from vpp.core.errors import StoreError
from vpp.core.messages import Ack, AckStatus, Channel, Command, Parcel
from vpp.runtime.clock import WallClock
from vpp.runtime.ingestion.fleet import BusFleet
from vpp.runtime.ingestion.listening import Listening
from vpp.store.memory import MemoryStore
from vpp.streams.memory import MemoryBus
from vpp.streams.wire import decode_command, encode_ack


class Wire:
    """The far end of a bus: what was published, and failures on demand."""

    def __init__(self) -> None:
        self.sent: list[Parcel] = []
        self.failures = 0

    def publish(self, items: Sequence[Parcel]) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise StoreError("no broker answers")
        self.sent += items

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[Parcel]:
        return []

    def acknowledge(self) -> None: ...

    def close(self) -> None: ...


def until(happened: Callable[[], bool], *, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def command() -> Command:
    start = datetime.now(UTC)
    return Command("c1", "home", "battery", start, start, start + timedelta(minutes=15), 2.5)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def fleet(home: Plant, wire: Wire) -> Iterator[BusFleet]:
    fleet = BusFleet(home, wire, clock=WallClock(), resend_s=0.05)
    yield fleet
    fleet.stop()


def ack_of(command: Command) -> Ack:
    return Ack(command.id, command.plant, command.asset_id, command.start, AckStatus.EXECUTED, command.power_kw)


def test_a_command_goes_to_the_node_of_its_site_until_it_is_answered(
    fleet: BusFleet, wire: Wire, command: Command
) -> None:
    fleet.begin(MemoryStore())
    fleet.execute(command)
    until(lambda: len(wire.sent) >= 3)
    assert {(one.plant, one.source, one.channel) for one in wire.sent} == {("home", "house", Channel.CONTROL)}
    assert decode_command(wire.sent[-1].payload) == command
    answer = ack_of(command)
    fleet.take([answer])
    assert fleet.poll(command.start) == (None, [answer])
    assert fleet.poll(command.start) == (None, [])
    sent = len(wire.sent)
    time.sleep(0.15)
    assert len(wire.sent) <= sent + 1
    assert fleet.waiting() == ()


def test_a_broker_that_is_away_delays_commands_and_loses_none(fleet: BusFleet, wire: Wire, command: Command) -> None:
    wire.failures = 2
    fleet.begin(MemoryStore())
    fleet.execute(command)
    until(lambda: fleet.fault is not None)
    until(lambda: bool(wire.sent))
    until(lambda: fleet.fault is None)


def test_a_command_whose_time_ended_is_not_sent(fleet: BusFleet, wire: Wire, command: Command) -> None:
    past = replace(command, start=command.start - timedelta(hours=1), end=command.start - timedelta(seconds=1))
    fleet.begin(MemoryStore())
    fleet.execute(past)
    until(lambda: fleet.waiting() == ())
    assert wire.sent == []


def test_after_a_restart_what_has_no_answer_is_sent_again(fleet: BusFleet, wire: Wire, command: Command) -> None:
    store = MemoryStore()
    answered = replace(command, id="c2")
    store.write_commands([command, answered])
    store.write_acks([ack_of(answered)])
    fleet.begin(store)
    until(lambda: bool(wire.sent))
    assert {decode_command(one.payload).id for one in wire.sent} == {"c1"}


def test_a_plant_hears_its_nodes_and_their_answers(
    home: Plant, command: Command, parcel: Callable[..., Parcel]
) -> None:
    bus, store, kept = MemoryBus[Parcel](), MemoryStore(), []
    listening = Listening(home, bus, store, clock=WallClock(), on_kept=kept.append)
    listening.begin()
    time_now = datetime.now(UTC).isoformat(timespec="seconds")
    bus.publish(
        [
            parcel(("pv", "power_kw", time_now, 2.0), issued_at=time_now),
            Parcel("home", "house", Channel.ACK, encode_ack(ack_of(command))),
        ]
    )
    until(lambda: bool(kept))
    until(lambda: bus.counts().held == 0)
    listening.stop()
    assert sum(received.readings for received in kept) == 1
    assert listening.fleet.poll(command.start)[1] == [ack_of(command)]
    latest = store.latest("home")
    assert latest is not None
    assert latest.value.tolist() == [2.0]
