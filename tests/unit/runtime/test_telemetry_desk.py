"""The desk: posts that come together are kept together, and each is answered for itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from vpp.core.assets import Battery, Load, Plant, Site
from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import Delivery, Intake, Readings, SeriesKey
from vpp.core.time import epoch_s
from vpp.runtime.clock import DataClock
from vpp.runtime.telemetry_desk import MOST_MESSAGES, PostAnswer, TelemetryDesk
from vpp.store.memory import MemoryStore
from vpp.streams.wire import encode_telemetry

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
LOAD, SOC = SeriesKey("load", "power_kw"), SeriesKey("battery", "soc")
PLANT = Plant(
    id="home",
    name="Home",
    timezone="UTC",
    currency="EUR",
    sites=(
        Site(
            id="house",
            assets=(
                Load(id="load", peak_kw=10.0),
                Battery(id="battery", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=5.0),
            ),
        ),
    ),
)


class Gated(MemoryStore):
    """A store that takes nothing until its gate is open, and remembers what came together."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.sizes: list[int] = []
        self.fault: Callable[[Delivery], Exception | None] = lambda _: None

    def take(self, delivery: Delivery) -> Intake:
        self.entered.set()
        self.gate.wait(10.0)
        fault = self.fault(delivery)
        if fault is not None:
            raise fault
        self.sizes.append(len(delivery.origins))
        return super().take(delivery)


def message(boot: str, sequence: int, value: float = -1.0, key: SeriesKey = LOAD) -> bytes:
    at = np.array([epoch_s(NOW) - 60 + sequence])
    return encode_telemetry(
        Readings.from_table("home", (key,), at, np.array([[value]]), arrived_s=epoch_s(NOW)),
        boot=boot,
        sequence=sequence,
    )


def post_together(store: Gated, posts: list[list[bytes]]) -> list[PostAnswer | Exception]:
    """Hold the first post in the store until the others wait behind it."""
    desk = TelemetryDesk(PLANT, store, DataClock(NOW))
    answers: list[PostAnswer | Exception | None] = [None] * len(posts)

    def send(which: int) -> None:
        try:
            answers[which] = desk.post("house", posts[which])
        except (StoreError, InvalidInputError, RuntimeError) as fault:
            answers[which] = fault

    threads = [threading.Thread(target=send, args=(which,)) for which in range(len(posts))]
    threads[0].start()
    assert store.entered.wait(10.0)
    for thread in threads[1:]:
        thread.start()
    deadline = threading.Event()
    for _ in range(500):
        if len(desk._waiting) == len(posts) - 1:
            break
        deadline.wait(0.01)
    store.gate.set()
    for thread in threads:
        thread.join(10.0)
        assert not thread.is_alive()
    return [answer for answer in answers if answer is not None]


def test_posts_that_wait_are_kept_in_one_commit_and_answered_each() -> None:
    store = Gated()
    posts = [[message(f"b{i}", n) for n in range(3)] for i in range(6)]
    posts[4].append(message("b4", 9, value=-5000.0))
    answers = post_together(store, posts)
    assert store.sizes == [3, 16]
    assert answers[1] == PostAnswer(3, 3, 3, 0, 3, 0, 3)
    assert (answers[4].messages, answers[4].new, answers[4].rows, answers[4].refused) == (4, 4, 3, 1)
    assert (answers[4].refusals[0].message, answers[4].refusals[0].reason) == (3, "unit")


def test_a_copy_among_many_is_laid_at_nobodys_door() -> None:
    store = Gated()
    answers = post_together(store, [[message("b0", 0)], [message("b1", 0)], [message("b2", 0), message("b2", 0)]])
    assert (answers[0].new, answers[0].duplicates, answers[0].rows) == (1, 0, 1)
    assert {(one.new, one.duplicates, one.rows) for one in answers[1:]} == {(None, None, None)}


def test_series_that_come_later_keep_their_names() -> None:
    store = Gated()
    post_together(store, [[message("b0", 0)], [message("b1", 1)], [message("b2", 2, 0.5, SOC)], [message("b3", 3)]])
    kept = store.latest("home")
    assert {str(row.key): row.value for row in kept.rows()} == {"load/power_kw": -1.0, "battery/soc": 0.5}


def test_one_that_cannot_be_held_does_not_spoil_the_others() -> None:
    store = Gated()

    def fault(delivery: Delivery) -> Exception | None:
        bad = any(origin.boot == "bad" for origin in delivery.origins)
        return InvalidInputError("boot", "bad", "another") if bad else None

    store.fault = fault
    answers = post_together(store, [[message("b0", 0)], [message("bad", 0)], [message("b2", 0)]])
    assert isinstance(answers[1], InvalidInputError)
    assert (answers[0].new, answers[2].new) == (1, 1)


def test_a_store_that_fails_is_told_to_all_and_nothing_is_acknowledged() -> None:
    store = Gated()
    store.fault = lambda _: StoreError("the disk is full")
    answers = post_together(store, [[message(f"b{i}", 0)] for i in range(3)])
    assert [str(answer) for answer in answers] == ["the disk is full"] * 3
    assert store.latest("home") is None


def test_a_fault_that_nobody_thought_of_leaves_nobody_waiting() -> None:
    store = Gated()
    store.fault = lambda _: RuntimeError("a bug")
    answers = post_together(store, [[message(f"b{i}", 0)] for i in range(3)])
    assert sorted(type(answer).__name__ for answer in answers)[-1] == "StoreError"
    assert len(answers) == 3


@pytest.mark.parametrize(
    ("node", "count", "names"),
    [("House", 1, "node"), ("", 1, "node"), ("house", 0, "messages"), ("house", 10_001, "messages")],
)
def test_posts_that_are_none_are_refused(node: str, count: int, names: str) -> None:
    desk = TelemetryDesk(PLANT, MemoryStore(), DataClock(NOW))
    assert MOST_MESSAGES == 10_000
    with pytest.raises(InvalidInputError, match=names):
        desk.post(node, [b"{}"] * count)
