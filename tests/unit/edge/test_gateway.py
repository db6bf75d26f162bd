"""The gateway with devices and a head-end that a test holds in its hands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import POWER_KW, Ack, AckStatus, Command, Readings, SeriesKey
from vpp.edge.buffer import Buffer
from vpp.edge.buffer_rows import Outgoing
from vpp.edge.driver import DriverError, DriverHealth
from vpp.edge.gateway import DrivenBy, Gateway, GatewaySettings
from vpp.edge.head_end import NodeFacts
from vpp.edge.limits import AssetLimits
from vpp.edge.steady import SteadyClock

PATIENCE_S = 10.0
LIMITS = {name: AssetLimits(asset_id=name, low_kw=-4.0, high_kw=5.0, safe_kw=0.0) for name in ("store1", "store2")}
SITES = {"home1": ["store1"], "home2": ["store2"]}


class Wall:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep_until(self, moment: datetime) -> None:
        raise AssertionError(moment)


class Battery:
    """A device that logs what it executes."""

    def __init__(self, asset: str) -> None:
        self.asset_ids = self.controllable = (asset,)
        self.log: list[float] = []
        self.power_kw = 0.0
        self.hang = threading.Event()
        self.hang.set()
        self.fault = ""

    def open(self) -> None: ...

    def poll(self, now: datetime) -> Readings | None:
        self.hang.wait(PATIENCE_S)
        if self.fault:
            raise DriverError(self.asset_ids[0], "poll", self.fault)
        at_s = int(now.timestamp())
        key = SeriesKey(self.asset_ids[0], POWER_KW)
        return Readings.from_table("homes", (key,), np.array([at_s]), np.array([[self.power_kw]]), arrived_s=at_s)

    def apply(self, asset_id: str, power_kw: float) -> None:
        self.hang.wait(PATIENCE_S)
        if self.fault:
            raise DriverError(asset_id, "apply", self.fault)
        self.log.append(power_kw)
        self.power_kw = power_kw

    def health(self) -> DriverHealth:
        return DriverHealth(True)

    def close(self) -> None: ...


class Head:
    """A head-end; ``fault`` breaks the link."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Ack]] = []
        self.messages: list[Outgoing] = []
        self.statuses: list[NodeFacts] = []
        self.waiting: list[tuple[str, Command]] = []
        self.changed = threading.Condition()
        self.fault = ""
        self.delivered = 0

    def send(
        self, *, answers: Sequence[tuple[str, Ack]], messages: Sequence[Outgoing], statuses: Sequence[NodeFacts]
    ) -> None:
        if self.fault:
            raise StoreError(self.fault)
        self.answers += answers
        self.messages += messages
        self.statuses += statuses

    def commands(self, *, wait_s: float) -> list[tuple[str, Command]]:
        with self.changed:
            self.changed.wait_for(lambda: self.waiting, wait_s)
            self.delivered = len(self.waiting)
            return list(self.waiting)

    def taken(self) -> None:
        with self.changed:
            del self.waiting[: self.delivered]
            self.delivered = 0

    def connections(self) -> int:
        return 1

    def close(self) -> None: ...

    def order(self, *commands: tuple[str, Command]) -> None:
        with self.changed:
            self.waiting += commands
            self.changed.notify_all()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


Start = Callable[..., Gateway]


@pytest.fixture
def head() -> Head:
    return Head()


@pytest.fixture
def devices() -> list[Battery]:
    return [Battery("store1"), Battery("store2")]


@pytest.fixture
def start(tmp_path: Path, head: Head, devices: list[Battery]) -> Iterator[Start]:
    begun: list[Gateway] = []

    def begin(**settings: float) -> Gateway:
        clock = SteadyClock(Wall())
        gateway = Gateway(
            "homes",
            SITES,
            LIMITS,
            [DrivenBy(one.asset_ids[0], one, 0.05) for one in devices],
            buffer=Buffer(tmp_path / "b.db", plant="homes", boot=f"boot{len(begun)}", clock=clock, ballast_bytes=0),
            head_end=head,
            clock=clock,
            settings=replace(GatewaySettings(status_every_s=0.1), **settings),
        )
        begun.append(gateway)
        gateway.begin()
        return gateway

    yield begin
    for device in devices:
        device.hang.set()
    head.fault = ""
    for gateway in begun:
        gateway.stop()


def command(name: str = "c1", power_kw: float = 2.0, *, asset: str = "store1", lasts_s: float = 900.0) -> Command:
    now = datetime.now(UTC)
    return Command(name, "homes", asset, now, now, now + timedelta(seconds=lasts_s), power_kw)


def test_a_command_is_executed_once_and_answered_however_often_it_comes(
    start: Start, head: Head, devices: list[Battery]
) -> None:
    start()
    until(lambda: devices[0].log == [0.0])
    one = command()
    for copy in range(1, 6):
        head.order(("home1", one), ("home1", one))
        until(lambda count=copy: len(head.answers) >= count)
    assert {(node, ack.command_id, ack.status, ack.power_kw) for node, ack in head.answers} == {
        ("home1", "c1", AckStatus.EXECUTED, 2.0)
    }
    assert devices[0].log == [0.0, 2.0]


def test_a_command_that_the_disk_took_too_late_is_executed_when_it_comes_again(
    start: Start, head: Head, devices: list[Battery]
) -> None:
    gateway = start()
    until(lambda: devices[0].log == [0.0])
    one = command()
    gateway.buffer.take([("home1", one)])
    head.order(("home1", one))
    until(lambda: len(head.answers) == 1)
    assert head.answers[0][1].status is AckStatus.EXECUTED
    assert devices[0].log == [0.0, 2.0]


def test_another_command_under_a_known_id_is_refused(start: Start, head: Head, devices: list[Battery]) -> None:
    start()
    until(lambda: devices[0].log == [0.0])
    one = command()
    head.order(("home1", one))
    until(lambda: len(head.answers) == 1)
    head.order(("home1", replace(one, power_kw=5.0)))
    until(lambda: len(head.answers) == 2)
    assert head.answers[1][1].message == "another command came before under this id"
    assert devices[0].log == [0.0, 2.0]


@pytest.mark.parametrize(("node", "asset"), [("home2", "store1"), ("home1", "store2"), ("home9", "store1")])
def test_a_command_for_an_asset_of_another_node_is_refused(start: Start, head: Head, node: str, asset: str) -> None:
    start()
    head.order((node, command(asset=asset)))
    until(lambda: len(head.answers) == 1)
    assert head.answers[0][1].status is AckStatus.REFUSED


def test_a_device_that_hangs_delays_no_other_and_its_command_expires(
    start: Start, head: Head, devices: list[Battery]
) -> None:
    start()
    until(lambda: len(head.messages) > 2)
    devices[0].hang.clear()
    time.sleep(0.1)
    head.order(("home1", command("slow", lasts_s=0.6)), ("home2", command("quick", asset="store2")))
    began = time.monotonic()
    until(lambda: any(ack.command_id == "quick" for _, ack in head.answers))
    assert time.monotonic() - began < 0.5
    until(lambda: len(head.answers) == 2)
    assert head.answers[1][1].status is AckStatus.EXPIRED
    devices[0].hang.set()
    until(lambda: devices[0].log[-1:] == [0.0])
    assert 2.0 not in devices[0].log


def test_a_silent_head_end_makes_it_safe_within_a_second_of_the_timeout_and_says_so(
    start: Start, head: Head, devices: list[Battery]
) -> None:
    gateway = start(head_end_timeout_s=0.4)
    head.order(("home1", command()))
    until(lambda: devices[0].log[-1:] == [2.0])
    began = time.monotonic()
    until(lambda: devices[0].log[-1:] == [0.0])
    assert time.monotonic() - began <= 0.4 + 1.0
    until(lambda: any(one.node == "home1" and one.facts["safe"] for one in head.statuses))
    assert "safe_mode" in [event.kind for event in gateway.buffer.latest_events()]
    head.order(("home1", command("c2", 3.0)))
    until(lambda: devices[0].log[-1:] == [3.0])


def test_readings_wait_for_the_link_and_arrive_once(start: Start, head: Head) -> None:
    head.fault = "no broker"
    gateway = start()
    until(lambda: gateway.buffer.counts().waiting_rows > 10)
    assert gateway.sender.is_up is False
    head.fault = ""
    until(lambda: gateway.buffer.counts().waiting_rows == 0 and gateway.sender.is_up)
    sent = [(one.node, one.boot, one.sequence) for one in head.messages]
    assert len(set(sent)) == len(sent)
    assert sum(len(one.readings) for one in head.messages) > 10


def test_an_answer_waits_for_the_link(start: Start, head: Head, devices: list[Battery]) -> None:
    gateway = start()
    until(lambda: gateway.sender.is_up)
    head.fault = "no broker"
    head.order(("home1", command()))
    until(lambda: devices[0].log[-1:] == [2.0])
    time.sleep(0.1)
    assert head.answers == []
    head.fault = ""
    until(lambda: [ack.command_id for _, ack in head.answers] == ["c1"])


def test_a_command_that_a_crash_tore_away_is_answered_and_one_in_force_goes_on(
    start: Start, head: Head, devices: list[Battery], tmp_path: Path
) -> None:
    clock = SteadyClock(Wall())
    buffer = Buffer(tmp_path / "b.db", plant="homes", boot="before", clock=clock, ballast_bytes=0)
    torn, held = command("torn"), command("held", 3.0, asset="store2")
    buffer.take([("home1", torn), ("home2", held)])
    buffer.answer([("home2", Ack("held", "homes", "store2", clock.now(), AckStatus.EXECUTED, 3.0))])
    buffer.close()
    start()
    until(lambda: len(head.answers) == 2)
    assert {ack.command_id: ack.status for _, ack in head.answers} == {
        "torn": AckStatus.REFUSED,
        "held": AckStatus.EXECUTED,
    }
    until(lambda: devices[1].log == [3.0])
    assert 2.0 not in devices[0].log


def test_a_device_that_fails_is_told_again_and_its_health_shows_it(
    start: Start, head: Head, devices: list[Battery]
) -> None:
    gateway = start()
    until(lambda: devices[0].log == [0.0])
    devices[0].fault = "broken"
    head.order(("home1", command()))
    until(lambda: len(head.answers) == 1)
    assert (head.answers[0][1].status, head.answers[0][1].message) == (AckStatus.REFUSED, "store1: apply: broken")
    assert not gateway.workers[0].health().healthy
    assert gateway.workers[1].health().healthy


def test_it_stops_with_its_assets_safe_and_says_that_it_is_gone(
    start: Start, head: Head, devices: list[Battery]
) -> None:
    gateway = start()
    head.order(("home1", command()))
    until(lambda: devices[0].log[-1:] == [2.0])
    gateway.stop()
    assert devices[0].log[-1] == 0.0
    assert {one.node: one.online for one in head.statuses} == {"home1": False, "home2": False}


def test_two_drivers_for_one_asset_and_unknown_assets_are_refused(tmp_path: Path, head: Head) -> None:
    clock = SteadyClock(Wall())
    buffer = Buffer(tmp_path / "b.db", plant="homes", boot="b", clock=clock, ballast_bytes=0)
    for names, words in ((("store1", "store1"), "one driver controls"), (("store9",), "assets of these sites")):
        drivers = [DrivenBy(f"d{i}", Battery(name), 1.0) for i, name in enumerate(names)]
        with pytest.raises(InvalidInputError, match=words):
            Gateway(
                "homes", SITES, LIMITS, drivers, buffer=buffer, head_end=head, clock=clock, settings=GatewaySettings()
            )
    buffer.close()
