"""The sync: reads on from where a target stands, brings it what it lacks, and moves its position. Again and again.

Invariant: a position moves only behind what the target keeps or was set aside. A sync that dies between the two sends
the same rows again, and the target knows them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.ports import Clock
from vpp.edge.sync.progress import Progress, Standing
from vpp.edge.sync.source import RowSource
from vpp.edge.sync.target import Target
from vpp.edge.sync.uplink import RefusedError

log = logging.getLogger(__name__)
DEFAULT_BATCH = 500


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one pass did.

    Parameters
    ----------
    messages, rows : int
        Brought; rows that the target had before included.
    aside : int
        Rows and messages that the target would not take.
    standing : Standing
        How far the target has come now.
    """

    messages: int
    rows: int
    aside: int
    standing: Standing


class SyncService:
    """Brings one target what one source holds.

    Parameters
    ----------
    source : RowSource
        Where messages lie.
    target : Target
        Where they are brought.
    progress : Progress
        Remembers how far.
    clock : Clock
        Tells when.
    batch : int
        About how many rows are read, brought and remembered at a time, 1 or more.
    """

    def __init__(
        self, source: RowSource, target: Target, progress: Progress, *, clock: Clock, batch: int = DEFAULT_BATCH
    ) -> None:
        if batch < 1:
            raise InvalidInputError("batch", batch, "1 or more rows")
        self._source = source
        self._target = target
        self._progress = progress
        self._clock = clock
        self._batch = batch

    def standing(self) -> Standing:
        """Return how far the target has come."""
        return self._progress.standing(self._target.name, self._source.identity)

    def once(
        self, *, stopping: threading.Event | None = None, on_batch: Callable[[SyncReport], None] | None = None
    ) -> SyncReport:
        """Bring everything there is, up to what came meanwhile.

        Parameters
        ----------
        stopping : threading.Event, optional
            When set, ends after the batch in hand.
        on_batch : callable, optional
            Told after every batch what this pass did so far.

        Raises
        ------
        UnreachableTargetError
            When the target stays away; what was brought before is remembered.
        RefusedError
            When the target refuses us.
        """
        identity = self._source.identity
        report = SyncReport(0, 0, 0, self.standing())
        while stopping is None or not stopping.is_set():
            messages = self._source.after(report.standing.position, most=self._batch)
            if not messages:
                break
            sent = self._target.send(messages)
            self._progress.advance(
                self._target.name,
                identity,
                messages[-1].position,
                rows=sent.rows,
                aside=sent.aside,
                now=self._clock.now(),
            )
            if sent.aside:
                log.warning("%d set aside, the first for this: %s", len(sent.aside), sent.aside[0].reason)
            report = SyncReport(
                report.messages + len(messages),
                report.rows + sent.rows,
                report.aside + len(sent.aside),
                self.standing(),
            )
            if on_batch is not None:
                on_batch(report)
        return report

    def run(
        self, interval_s: float, stopping: threading.Event, *, on_pass: Callable[[SyncReport], None] | None = None
    ) -> None:
        """Bring what comes, pass after pass, until told to stop; what is away is tried again next time.

        Raises
        ------
        RefusedError
            When the target refuses us: that does not mend itself.
        """
        if not interval_s > 0.0:
            raise InvalidInputError("interval", interval_s, "above 0 [s]")
        while not stopping.is_set():
            try:
                report = self.once(stopping=stopping)
            except RefusedError:
                raise
            except StoreError as fault:
                log.warning("%s", fault)
            else:
                if on_pass is not None:
                    on_pass(report)
            stopping.wait(interval_s)
