"""The service: bus -> reception -> store -> acknowledgement, batch by batch, for as long as it is wanted.

Invariant: a parcel is acknowledged only when all it came to is durable. While the store cannot keep a batch, no more
than that batch and the next is taken from the bus; it is tried again until it is kept or the service is stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event as Flag
from threading import Lock

import numpy as np

from vpp.core.errors import ClosedError, InvalidInputError, StoreError, VppError
from vpp.core.messages import Delivery, Heartbeat, Parcel, Refusal
from vpp.core.ports import Bus, Clock, Store
from vpp.core.time import epoch_s
from vpp.runtime.ingestion.counting import IngestCounts, Rates
from vpp.runtime.ingestion.judge import ClockRules
from vpp.runtime.ingestion.keeping import Keeper, pause_s
from vpp.runtime.ingestion.reception import Received, Reception, kept_of
from vpp.runtime.ingestion.watching import PLANT_MARK
from vpp.runtime.store_offers import RollingStore

log = logging.getLogger(__name__)

MOST_BYTES = 33_554_432
"""Payloads taken from the bus at once [bytes]: 32 MiB."""
COMMIT_BYTES = 4_194_304
"""Payloads committed at once [bytes]: 4 MiB; where messages hold many readings, that is the smaller bound."""
_FIRST_BATCH = 256
_GROWTH = 4
_SLICES = 8
_REST_S = 10.0
_REFRESH_AT_LEAST_S = 30.0
_MOST_HOURS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """How ingestion batches, and which times it takes.

    Parameters
    ----------
    most_readings : int
        Readings from which a batch is committed, 1 or more.
    linger_s : float
        How long it is filled at most [s], 0 or more.
    heartbeat_s : float
        How often it tells the store that it lives [s], above 0.
    clock : ClockRules
        Which times are taken.
    """

    most_readings: int = 10_000
    linger_s: float = 0.2
    heartbeat_s: float = 1.0
    clock: ClockRules = field(default_factory=ClockRules)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.most_readings < 1:
            raise InvalidInputError("most_readings", self.most_readings, "1 or more")
        if not self.linger_s >= 0.0:
            raise InvalidInputError("linger_s", self.linger_s, "0 or more [s]")
        if not self.heartbeat_s > 0.0:
            raise InvalidInputError("heartbeat_s", self.heartbeat_s, "a number above 0 [s]")


class Ingestion:
    """Keeps what arrives on a bus.

    Parameters
    ----------
    bus : Bus of Parcel
        Where parcels come from.
    store : Store
        Where they go.
    reception : Reception
        Reads and judges them.
    clock : Clock
        The present.
    name : str
        What its heartbeat is called.
    plants : sequence of str
        Plant ids, for events.
    settings : IngestSettings
        Sizes and times.
    reopen : callable, optional
        Opens the store anew; called when the store says that it takes no write any more.
    on_kept : callable, optional
        Told of every batch once it is kept; must return at once.
    """

    def __init__(
        self,
        bus: Bus[Parcel],
        store: Store,
        reception: Reception,
        *,
        clock: Clock,
        name: str,
        plants: Sequence[str],
        settings: IngestSettings | None = None,
        reopen: Callable[[], Store] | None = None,
        on_kept: Callable[[Received], None] | None = None,
    ) -> None:
        self.counts = IngestCounts()
        self._keeper = Keeper(store, self.counts, clock=clock, name=name, plants=plants, reopen=reopen, on_kept=on_kept)
        self._bus = bus
        self._reception = reception
        self._clock = clock
        self._name = name
        self._settings = settings or IngestSettings()
        self._random = np.random.default_rng()
        self._most = _FIRST_BATCH
        self._held: list[Parcel] = []
        self._keeping: Future[bool] | None = None
        self._judging = Lock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="keep")
        self._next_heartbeat_s = 0.0
        self._refreshed_s = time.monotonic()
        self._rates = Rates()
        self._marks = {f"{PLANT_MARK}{plant}": 1.0 for plant in plants}
        self.counts.set("store_up", 1.0)

    @property
    def store(self) -> Store:
        """The store that is open now; it is another after one that halted was opened anew."""
        return self._keeper.store

    @property
    def fault(self) -> str | None:
        """What is wrong with the store, in words; None while it keeps what it is given in good time."""
        return self._keeper.fault

    def metrics(self) -> bytes:
        """Return the figures in the text format of Prometheus, as they are now."""
        self.counts.set("store_up", float(self.fault is None))
        return self.counts.text()

    def run(self, stopped: Flag) -> bool:
        """Ingest until stopped; return True when nothing was left in hand unkept."""
        try:
            while not stopped.is_set():
                handled = self.step(stopped)
                if self._keeper.failing is None and not stopped.is_set():
                    self._refresh(idle=handled == 0)
                self._beat()
            self._settle()
        except ClosedError:
            log.info("the bus was closed")
        self._beside.shutdown()
        self._beat(last=True)
        return self._keeper.failing is None

    def step(self, stopped: Flag) -> int:
        """Take a batch from the bus, keep it and acknowledge it; return how many parcels were handled.

        A batch that is full is kept while the next one is taken and judged, and acknowledged when that is ready. It
        returns 0 when nothing came for ``linger_s``, or when it was stopped before the store kept a batch.
        """
        held = len(self._held)
        try:
            parcels = self._gather(stopped, held)
        except StoreError as fault:
            self.counts.add("bus_errors_total")
            log.warning("the bus could not be read: %s", fault)
            stopped.wait(pause_s(3, self._random))
            return 0
        if parcels[:held] != self._held:
            # A link broke or partitions moved: what came since stands elsewhere now, and is asked for again.
            return held if self._settle() else 0
        fresh = parcels[held:]
        self.counts.set("in_hand_messages", len(parcels))
        parts = list(_parts(fresh))
        ready = self._receive(parts[0]) if parts else None
        if not self._settle():
            return 0
        if ready is None:
            return held
        for part, following in pairwise(parts):
            if not self._keep_parcels(part, ready, stopped):
                return 0
            ready = self._receive(following)
        self._held = fresh
        self._keeping = self._beside.submit(self._keep_parcels, parts[-1], ready, stopped)
        if len(fresh) < self._most and not self._settle():
            return 0
        return len(fresh)

    def _settle(self) -> bool:
        """Wait until what is in hand is kept and acknowledge it; False when it was stopped before."""
        if self._keeping is None:
            return True
        kept, self._keeping = self._keeping.result(), None
        held, self._held = self._held, []
        if not kept:
            return False
        try:
            # Acknowledged is what was handed out last; if that is no longer what was kept, it comes again instead.
            if self._bus.consume(most=len(held)) == held:
                self._bus.acknowledge()
        except StoreError as fault:
            # All of it is kept; what the bus did not hear of comes again, and the store knows it.
            self.counts.add("bus_errors_total")
            log.warning("the bus could not be told what is kept: %s", fault)
        self.counts.add("parcels_total", len(held))
        self.counts.set("in_hand_messages", 0)
        self._adapt(held)
        return True

    def _gather(self, stopped: Flag, held: int) -> list[Parcel]:
        """Return the parcels in hand and what has arrived behind them, waiting a little for more while more comes."""
        linger_s = self._settings.linger_s
        most = held + self._most
        parcels = self._bus.consume(most=most, wait_s=linger_s)
        deadline_s = time.monotonic() + linger_s
        while held < len(parcels) < most and time.monotonic() < deadline_s and not stopped.is_set():
            stopped.wait(linger_s / _SLICES)
            more = self._bus.consume(most=most)
            if len(more) <= len(parcels):
                return more
            parcels = more
        return parcels

    def _adapt(self, parcels: Sequence[Parcel]) -> None:
        """Take fewer parcels at once when they are long, so that what is in hand stays bounded in bytes."""
        mean_bytes = max(1, sum(len(parcel.payload) for parcel in parcels) // len(parcels))
        affordable = min(self._settings.most_readings, MOST_BYTES // mean_bytes)
        self._most = max(1, min(affordable, _GROWTH * self._most))

    def _receive(self, parcels: Sequence[Parcel]) -> Received:
        with self._judging:
            return self._reception.receive(parcels, self._clock.now())

    def _keep_parcels(self, parcels: Sequence[Parcel], received: Received, stopped: Flag) -> bool:
        try:
            return self._keeper.keep(received, stopped)
        except InvalidInputError as fault:
            # Something passed the judge that the store cannot hold: it is found by halving, and put aside.
            if len(parcels) == 1:
                return self._keeper.keep(self._refused(parcels[0], fault), stopped)
            middle = len(parcels) // 2
            halves = (parcels[:middle], parcels[middle:])
            return all(self._keep_parcels(half, self._receive(half), stopped) for half in halves)

    def _refused(self, parcel: Parcel, fault: VppError) -> Received:
        kept = kept_of(parcel.payload)
        refusal = Refusal(parcel.plant, parcel.source, self._clock.now(), "schema", str(fault), kept)
        return Received(delivery=Delivery(refusals=(refusal,)), bytes=len(parcel.payload))

    def _refresh(self, *, idle: bool) -> None:
        """Bring roll-ups up to date: at once while there is nothing else to do, else now and then."""
        now_s = time.monotonic()
        if now_s < (self._refreshed_s + (_REST_S if idle else _REFRESH_AT_LEAST_S)):
            return
        if isinstance(self.store, RollingStore):
            try:
                done = self.store.refresh_rollups(most=_MOST_HOURS, before_s=epoch_s(self._clock.now()))
            except (StoreError, ClosedError) as fault:
                self.counts.add("store_errors_total")
                log.warning("roll-ups could not be refreshed: %s", fault)
                done = 0
            if done and idle:
                return
        self._refreshed_s = time.monotonic()

    def _beat(self, *, last: bool = False) -> None:
        """Tell the store what was counted; a heartbeat that cannot be kept is not worth a retry."""
        now_s = time.monotonic()
        if self._keeper.failing is not None or (now_s < self._next_heartbeat_s and not last):
            return
        self._next_heartbeat_s = now_s + self._settings.heartbeat_s
        counts = {**self.counts.snapshot(), **self._rates.of(now_s, self.counts), **self._marks}
        if last:
            counts["stopped"] = 1.0
        try:
            self.store.write_heartbeat(Heartbeat(self._name, self._clock.now(), counts))
        except (StoreError, ClosedError) as fault:
            self.counts.add("store_errors_total")
            log.warning("the heartbeat could not be kept: %s", fault)


def _parts(parcels: list[Parcel]) -> Iterator[list[Parcel]]:
    """Yield parcels in parts of at most ``COMMIT_BYTES``, or one parcel that is longer."""
    part: list[Parcel] = []
    held = 0
    for parcel in parcels:
        held += len(parcel.payload)
        if part and held > COMMIT_BYTES:
            yield part
            part, held = [], len(parcel.payload)
        part.append(parcel)
    if part:
        yield part
