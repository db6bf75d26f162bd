from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from vpp.core.assets import Plant
from vpp.core.messages import Parcel, Readings
from vpp.runtime.ingestion.counting import IngestCounts
from vpp.runtime.ingestion.reception import Reception
from vpp.runtime.ingestion.running import SinkFeed, until_asked_to_stop
from vpp.runtime.sinks import QueuedSink
from vpp.runtime.sinks import Sink as SinkPort


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag_and_its_handler_goes_with_the_block(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with until_asked_to_stop() as stopped:
        assert not stopped.is_set()
        os.kill(os.getpid(), number)
        assert stopped.wait(5.0)
    assert signal.getsignal(number) is before


def test_beside_the_main_thread_there_is_a_plain_flag() -> None:
    seen: list[bool] = []

    def work() -> None:
        with until_asked_to_stop() as stopped:
            seen.append(stopped.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5.0)
    assert seen == [False]


@dataclass
class Kept:
    """A sink that holds what it is given; while its gate is shut it takes nothing."""

    rows: list[float] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def write(self, readings: Readings) -> None:
        self.gate.wait(5.0)
        self.rows += readings.value.tolist()

    def write_commands(self, commands: object) -> None: ...

    def write_acks(self, acks: object) -> None: ...

    def write_nodes(self, statuses: object) -> None: ...

    def close(self) -> None: ...


def test_sinks_get_what_was_kept_and_what_they_lose_is_counted(
    home: Plant, parcel: Callable[..., Parcel], now: datetime
) -> None:
    kept = Kept()
    assert isinstance(kept, SinkPort)
    feed = SinkFeed([QueuedSink(kept, most_rows=2)])
    feed.counts = IngestCounts()
    reception = Reception([home])
    for sequence in range(4):
        feed.take(reception.receive([parcel(sequence=sequence)], now))
    assert feed.counts.get("sink_dropped_total") == 2
    kept.gate.set()
    feed.close()
    assert kept.rows == [-1.5, -1.5]
