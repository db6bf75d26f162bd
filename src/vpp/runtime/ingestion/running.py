"""Running: one ingest process from its addresses: plants, bus, store, metrics, sinks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType

from vpp.core.assets import Plant
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.runtime.build import open_store
from vpp.runtime.clock import WallClock
from vpp.runtime.ingestion.counting import IngestCounts
from vpp.runtime.ingestion.exposure import Exposure
from vpp.runtime.ingestion.reception import Received, Reception
from vpp.runtime.ingestion.service import Ingestion, IngestSettings
from vpp.runtime.sinks import QueuedSink, open_sink
from vpp.runtime.store_offers import DescribedStore
from vpp.streams.open import open_bus

CHANNELS = (Channel.TELEMETRY, Channel.STATUS, Channel.ACK)
DEFAULT_GROUP = "vpp-ingest"
DEFAULT_NAME = "ingest"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPlan:
    """What one process is to do.

    Parameters
    ----------
    plants : tuple of Plant
        Whose parcels are taken.
    bus, store : str
        Their addresses.
    group : str
        Consumers of one group share the partitions of a Kafka bus.
    name : str
        Name of this process among them; its heartbeat and its session with the broker are called by it.
    sinks : tuple of str
        Addresses of further homes of what was kept, e.g. ``mongodb://host/database``.
    metrics_port : int or None
        Where to serve metrics and health; 0 for any free port, None for nowhere.
    settings : IngestSettings
        Sizes and times.
    """

    plants: tuple[Plant, ...]
    bus: str
    store: str
    group: str = DEFAULT_GROUP
    name: str = DEFAULT_NAME
    sinks: tuple[str, ...] = ()
    metrics_port: int | None = None
    settings: IngestSettings = field(default_factory=IngestSettings)


def run_ingestion(plan: IngestPlan, *, on_ready: Callable[[int | None], None]) -> bool:
    """Ingest until SIGTERM or Ctrl-C, finishing the batch in hand; return False when it could not be kept.

    Parameters
    ----------
    plan : IngestPlan
        What to do.
    on_ready : callable
        Told the port of the metrics, or None, once parcels are taken.

    Raises
    ------
    VppError
        When the store or the bus cannot be opened.
    """
    plants = [plant.id for plant in plan.plants]
    with ExitStack() as stack:
        stopped = stack.enter_context(until_asked_to_stop())
        store = open_store(plan.store)
        if isinstance(store, DescribedStore):
            for plant in plan.plants:
                store.describe(plant)
        bus = open_bus(
            plan.bus,
            plants=plants,
            channels=CHANNELS,
            group=plan.group,
            client_id=f"{plan.group}-{plan.name}",
        )
        stack.callback(bus.close)
        feed = SinkFeed([open_sink(url) for url in plan.sinks])
        stack.callback(feed.close)
        ingestion = Ingestion(
            bus,
            store,
            Reception(plan.plants, plan.settings.clock),
            clock=WallClock(),
            name=plan.name,
            plants=plants,
            settings=plan.settings,
            reopen=lambda: open_store(plan.store),
            on_kept=feed.take,
        )
        feed.counts = ingestion.counts
        stack.callback(lambda: _close_store(ingestion))
        port = None
        if plan.metrics_port is not None:
            exposure = Exposure(plan.metrics_port, metrics=ingestion.metrics, fault=lambda: ingestion.fault)
            stack.callback(exposure.close)
            port = exposure.port
        on_ready(port)
        return ingestion.run(stopped)


class SinkFeed:
    """Gives what was kept to sinks, and counts what they lose; it never waits for one.

    Parameters
    ----------
    sinks : sequence of QueuedSink
        Each behind its own queue.
    """

    def __init__(self, sinks: Sequence[QueuedSink]) -> None:
        self.counts: IngestCounts | None = None
        self._sinks = tuple(sinks)
        self._dropped = 0

    def take(self, received: Received) -> None:
        """Hand over what one batch came to."""
        for sink in self._sinks:
            for readings in received.delivery.readings:
                sink.write(readings)
            sink.write_acks(received.acks)
            sink.write_nodes(received.statuses)
        dropped = sum(sink.counts().dropped for sink in self._sinks)
        if self.counts is not None and dropped > self._dropped:
            self.counts.add("sink_dropped_total", dropped - self._dropped)
            self._dropped = dropped

    def close(self) -> None:
        """Write what the sinks hold, for a while, and release them."""
        for sink in self._sinks:
            sink.close()


def open_listening_bus(url: str, plant: str) -> Bus[Parcel]:
    """Open the bus that a plant of ``vpp up`` listens to and sends its commands on.

    Raises
    ------
    VppError
        When it cannot be opened.
    """
    return open_bus(url, plants=[plant], channels=CHANNELS, group=f"vpp-up-{plant}", client_id=f"vpp-up-{plant}")


def _close_store(ingestion: Ingestion) -> None:
    """Close the store that is open now, which may not be the one that was opened first."""
    ingestion.store.close()


@contextmanager
def until_asked_to_stop(signals: Sequence[int] = (signal.SIGTERM, signal.SIGINT)) -> Iterator[threading.Event]:
    """Yield a flag that SIGTERM and Ctrl-C set; outside the main thread, where none may listen, a plain flag."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
