"""Sinks behind their queue: nothing waits, drops are counted to the row, an outage is waited out."""

from __future__ import annotations

import logging
import threading
import time

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError
from vpp.core.messages import Readings, SeriesKey
from vpp.runtime.sinks import QueuedSink, open_sink

KEYS = (SeriesKey("pv", "power_kw"),)


def readings(count: int) -> Readings:
    return Readings.from_table("homes", KEYS, np.arange(count), np.ones((count, 1)), arrived_s=9)


class Drawer:
    """A sink that keeps what it is given, when it is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.fails = 0
        self.rows: list[int] = []
        self.closed = False

    def write(self, given: Readings) -> None:
        self.open.wait()
        if self.fails:
            self.fails -= 1
            raise StoreError("shut")
        if len(given) == 13:
            raise InvalidInputError("document", 13, "another number")
        self.rows.append(len(given))

    def write_commands(self, commands) -> None:
        self.rows.append(len(commands))

    write_acks = write_nodes = write_commands

    def close(self) -> None:
        self.closed = True


def test_what_is_given_is_written_in_order_and_close_waits_for_it() -> None:
    drawer = Drawer()
    sink = QueuedSink(drawer)
    for count in (1, 2, 3):
        sink.write(readings(count))
    sink.write_acks(["an answer"])
    sink.write_commands([])
    sink.close()
    sink.close()
    assert drawer.rows == [1, 2, 3, 1]
    assert drawer.closed
    assert sink.counts() == sink.counts().__class__(7, 0, 0, 0)


def test_a_sink_that_hangs_holds_nobody_up_and_drops_are_exact() -> None:
    drawer = Drawer()
    drawer.open.clear()
    sink = QueuedSink(drawer, most_rows=100)
    began = time.perf_counter()
    for _ in range(1000):
        sink.write(readings(7))
    assert time.perf_counter() - began < 0.5
    counts = sink.counts()
    assert (counts.waiting, counts.dropped) == (98, 7000 - 98)
    drawer.open.set()
    sink.close()
    assert sink.counts().written == sum(drawer.rows) == 98
    sink.write(readings(5))
    assert sink.counts().dropped == 7000 - 98 + 5


def test_an_outage_is_waited_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    drawer = Drawer()
    drawer.fails = 3
    sink = QueuedSink(drawer, seed=1)
    sink.write(readings(4))
    for _ in range(200):
        if drawer.rows:
            break
        time.sleep(0.02)
    sink.close()
    assert (drawer.rows, sink.counts().retries) == ([4], 3)
    assert [record.getMessage()[:20] for record in caplog.records] == ["a sink is away (shut", "the sink is back; 0 "]


def test_what_a_sink_will_never_take_is_dropped_and_the_rest_goes_on() -> None:
    drawer = Drawer()
    sink = QueuedSink(drawer)
    for count in (1, 13, 2):
        sink.write(readings(count))
    sink.close()
    assert (drawer.rows, sink.counts().dropped) == ([1, 2], 13)


def test_close_gives_up_in_time_and_counts_what_is_left() -> None:
    drawer = Drawer()
    drawer.fails = 10**9
    sink = QueuedSink(drawer, farewell_s=0.1, seed=1)
    sink.write(readings(4))
    sink.write(readings(5))
    began = time.perf_counter()
    sink.close()
    assert time.perf_counter() - began < 1.0
    assert (sink.counts().dropped, sink.counts().waiting) == (9, 0)


@pytest.mark.parametrize("url", ["postgres://x/y", "mongo", "mongodb:/x"])
def test_an_unknown_sink_names_the_known(url: str) -> None:
    with pytest.raises(UnknownNameError, match="mongodb://"):
        open_sink(url)


@pytest.mark.parametrize(
    "url", ["mongodb://me:topsecret@127.0.0.1:27017", "mongodb://me:topsecret@:x/y", "mongodb://me:top:secret@h/db"]
)
def test_a_url_that_cannot_be_used_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(InvalidInputError, match="mongodb://host:27017/database") as refused:
        open_sink(url)
    assert "secret" not in str(refused.value)
