"""Keeping: what a batch came to goes into the store, tried again until it is there.

Invariant: ``keep`` returns True only when all of a batch is durable.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event as Flag

import numpy as np

from vpp.core.errors import ClosedError, StoreError, VppError
from vpp.core.messages import Ack, Event, Intake, Severity
from vpp.core.ports import Clock, Store
from vpp.core.time import epoch_s
from vpp.runtime.ingestion.counting import IngestCounts
from vpp.runtime.ingestion.nodes import NodeWatch
from vpp.runtime.ingestion.reception import Received

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 5.0
_LONGEST_KEEP_S = 5.0


class Keeper:
    """Keeps batches, one after the other, and says what is wrong while it cannot.

    Parameters
    ----------
    store : Store
        Where they go.
    counts : IngestCounts
        Where they are counted.
    clock : Clock
        The present.
    name : str
        Name of the service, for events.
    plants : sequence of str
        Plant ids, for events.
    reopen : callable, optional
        Opens the store anew; called when the store says that it takes no write any more.
    on_kept : callable, optional
        Told of every batch once it is kept.
    """

    def __init__(
        self,
        store: Store,
        counts: IngestCounts,
        *,
        clock: Clock,
        name: str,
        plants: Sequence[str],
        reopen: Callable[[], Store] | None = None,
        on_kept: Callable[[Received], None] | None = None,
    ) -> None:
        self.store = store
        self.failing: str | None = None
        self._counts = counts
        self._clock = clock
        self._name = name
        self._plants = tuple(plants)
        self._reopen = reopen
        self._on_kept = on_kept
        self._nodes = NodeWatch(store, self._plants)
        self._since_s: float | None = None
        self._random = np.random.default_rng()

    @property
    def fault(self) -> str | None:
        """What is wrong with the store, in words; None while it keeps what it is given in good time."""
        if self.failing is not None:
            return self.failing
        since_s = self._since_s
        waited_s = 0.0 if since_s is None else time.monotonic() - since_s
        return None if waited_s < _LONGEST_KEEP_S else f"the store has not answered for {waited_s:.0f} s"

    def keep(self, received: Received, stopped: Flag) -> bool:
        """Keep all of a batch, trying again until it is kept; False when stopped before."""
        begin_s = time.monotonic()
        intake = self._until_kept(lambda store: store.take(received.delivery), stopped)
        if intake is None:
            return False
        events = self._nodes.changes(received.statuses, self._clock.now())
        if (received.acks or events) and self._until_kept(_beside(received.acks, events), stopped) is None:
            return False
        self._nodes.seen(received.statuses)
        self._count(received, intake, time.monotonic() - begin_s)
        if self._on_kept is not None:
            self._on_kept(received)
        return True

    def _until_kept(self, keep: Callable[[Store], Intake], stopped: Flag) -> Intake | None:
        """Call the store until it succeeds; None when stopped before."""
        tries, began_s = 0, time.monotonic()
        while True:
            self._since_s = time.monotonic()
            try:
                kept = keep(self.store)
            except (StoreError, ClosedError) as fault:
                tries += 1
                self._fails(fault)
            else:
                self._since_s = None
                if tries:
                    self._recovers(tries, time.monotonic() - began_s)
                return kept
            if stopped.wait(pause_s(tries, self._random)):
                return None
            self._counts.add("retries_total")
            self._open_anew()

    def _fails(self, fault: VppError) -> None:
        self._counts.add("store_errors_total")
        self._counts.set("store_up", 0.0)
        if self.failing is None:
            log.error("the store does not keep what arrives; nothing is acknowledged, it is tried again: %s", fault)
        self.failing = str(fault)

    def _recovers(self, tries: int, lasted_s: float) -> None:
        why, self.failing = self.failing, None
        self._counts.set("store_up", 1.0)
        words = f"The store kept nothing for {lasted_s:.1f} s ({why}); nothing was acknowledged meanwhile, it goes on."
        log.warning("%s", words)
        now = self._clock.now()
        facts = {"service": self._name, "lasted_s": round(lasted_s, 1), "tries": tries}
        try:
            self.store.write_events(
                [Event(plant, now, "ingest_stalled", Severity.WARNING, words, facts) for plant in self._plants]
            )
        except StoreError as fault:
            log.warning("the stall could not be written down: %s", fault)

    def _open_anew(self) -> None:
        """Open a store anew that halted after a failed fsync; what it holds then is read from the disk."""
        if self._reopen is None or getattr(self.store, "halted", None) is None:
            return
        try:
            self.store.close()
            self.store = self._reopen()
        except (StoreError, ClosedError, OSError) as fault:
            log.warning("the store could not be opened anew: %s", fault)

    def _count(self, received: Received, intake: Intake, commit_s: float) -> None:
        counts = self._counts
        counts.add("batches_total")
        counts.observe("commit_seconds", commit_s)
        for name, amount in (
            ("bytes_total", received.bytes),
            ("messages_total", intake.messages),
            ("duplicates_total", intake.duplicates),
            ("readings_total", received.readings),
            ("rows_total", intake.rows),
            ("flagged_total", received.flagged),
            ("acks_total", len(received.acks)),
            ("statuses_total", len(received.statuses)),
        ):
            if amount:
                counts.add(name, amount)
        for reason, amount in received.refused.items():
            counts.add("refusals_total", amount, reason)
        if received.newest_issued_s is not None:
            counts.set("lag_seconds", max(0, epoch_s(self._clock.now()) - received.newest_issued_s))


def pause_s(tries: int, random: np.random.Generator) -> float:
    """Return a pause that doubles with every try, with jitter, so that services do not return all at once [s]."""
    longest_s = min(_LONGEST_PAUSE_S, 0.1 * 2.0 ** min(tries, 10))
    return float(random.uniform(0.5, 1.0)) * longest_s


def _beside(acks: Sequence[Ack], events: Sequence[Event]) -> Callable[[Store], Intake]:
    """Return what keeps the answers and events of a batch; what was kept by a try that failed later is harmless."""

    def keep(store: Store) -> Intake:
        store.write_acks(acks)
        store.write_events(events)
        return Intake(0, 0, 0, 0)

    return keep
