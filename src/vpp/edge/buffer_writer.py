"""The writer: one thread that commits what all others ask for, many requests in one transaction.

Invariants: a request is done when its transaction is on the disk; requests run in the order in which they came; those
that may be shed are, counted, when the disk is full or too many wait, the others never.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Any

from vpp.core.errors import ClosedError, StoreError
from vpp.edge.buffer_file import BufferFile, FullDiskError, HaltedError

log = logging.getLogger(__name__)
MOST_QUEUED_ROWS = 200_000
"""Readings that wait in memory for the disk; beyond, the oldest of them are shed."""
_MOST_REQUESTS = 2_000
_REOPEN_S = 0.5
_RECOVER_S = 1.0


@dataclass(slots=True, eq=False)
class Request:
    """Something to be written.

    Parameters
    ----------
    run : callable
        Given the connection, inside a transaction; may run again when the transaction fails.
    after : callable, optional
        Given what ``run`` returned, once it is on the disk.
    rows : int
        Readings it holds that may be shed; 0 for what may not.
    refused : callable, optional
        Called when it could not be written, and will not be.
    """

    run: Callable[[Connection], Any]
    after: Callable[[Any], None] | None = None
    rows: int = 0
    refused: Callable[[], None] | None = None
    done: Future[Any] = field(default_factory=Future)
    result: Any = None


class Writer:
    """Commits requests, in batches, on a thread of its own.

    Parameters
    ----------
    file : BufferFile
        Where to; used by this thread alone.
    reload : callable
        Told the connection before a batch runs again: what was held in memory of the failed one is void.
    room : callable
        Told the connection when the disk is full: forget what is not needed.
    """

    def __init__(
        self, file: BufferFile, *, reload: Callable[[Connection], None], room: Callable[[Connection], None]
    ) -> None:
        self._file = file
        self._reload = reload
        self._room = room
        self._changed = threading.Condition()
        self._queue: deque[Request] = deque()
        self._queued_rows = 0
        self._unsaved_shed = 0
        self._closing = False
        self._is_void = False
        self._recover_at = 0.0
        self.halted: str | None = None
        self.shedding = False
        self.shed_rows = 0
        with file.transaction() as connection:
            self._batch = read_counter(connection, "batch")
            self.shed_rows = read_counter(connection, "shed_rows")
            reload(connection)
        self._thread = threading.Thread(target=self._work, name="vpp-edge-writer", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Ask for something to be written; returns at once.

        Raises
        ------
        ClosedError
            After ``close``.
        """
        with self._changed:
            if self._closing:
                raise ClosedError(f"{self._file.path}: the buffer is closed")
            if request.rows and self.shedding:
                self._shed(request)
                return
            self._queue.append(request)
            self._queued_rows += request.rows
            while self._queued_rows > MOST_QUEUED_ROWS:
                oldest = next(waiting for waiting in self._queue if waiting.rows)
                self._queue.remove(oldest)
                self._queued_rows -= oldest.rows
                self._shed(oldest)
            self._changed.notify()

    def ask(
        self, run: Callable[[Connection], Any], *, after: Callable[[Any], None] | None = None, wait_s: float
    ) -> Any:
        """Write something and return what ``run`` returned, once it is on the disk.

        Raises
        ------
        StoreError
            When it was not kept, or not in time.
        """
        request = Request(run, after)
        self.submit(request)
        try:
            return request.done.result(wait_s)
        except TimeoutError as fault:
            request.done.cancel()
            why = self.halted or "the disk is slow"
            raise StoreError(f"{self._file.path}: not written within {wait_s:g} s; {why}") from fault

    def close(self) -> None:
        """Write what was asked for, then end; what cannot be written on a failed disk is given up."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._file.close()

    def _work(self) -> None:
        while True:
            batch = self._next()
            if batch:
                self._commit(batch)
            elif self._closing:
                return
            if self.shedding and time.monotonic() >= self._recover_at:
                self._recover()

    def _next(self) -> list[Request]:
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(_RECOVER_S)
            count = min(len(self._queue), _MOST_REQUESTS)
            batch = [self._queue.popleft() for _ in range(count)]
            self._queued_rows -= sum(request.rows for request in batch)
            return [request for request in batch if not request.done.cancelled()]

    def _commit(self, batch: list[Request]) -> None:
        """Commit a batch, whatever it takes: shed, wait for the disk, or say that it was not kept."""
        while batch:
            try:
                self._try(batch)
                break
            except FullDiskError as fault:
                batch = self._make_room(batch, fault)
            except HaltedError as fault:
                if not self._reopened(str(fault)):
                    self._refuse(batch, fault)
                    return
                batch = [request for request in batch if not request.done.cancelled()]
            except StoreError as fault:
                log.warning("%s; trying again", fault)
                time.sleep(_REOPEN_S)
        else:
            return
        self._batch += 1
        for request in batch:
            if request.after is not None:
                request.after(request.result)
            if request.done.set_running_or_notify_cancel():
                request.done.set_result(request.result)

    def _try(self, batch: list[Request]) -> None:
        """Write a batch; after one that failed, bring memory to what is on the disk first."""
        with self._changed:
            shed = self._unsaved_shed
        was_void, self._is_void = self._is_void, True
        with self._file.transaction() as connection:
            # the batch that a failed fsync took may be on the disk after all, and is not written twice
            kept = was_void and read_counter(connection, "batch") == self._batch + 1
            if was_void and not kept:
                self._reload(connection)
            if not kept:
                for request in batch:
                    request.result = request.run(connection)
                write_counter(connection, "batch", self._batch + 1)
            if shed:
                write_counter(connection, "shed_rows", self.shed_rows)
        self._is_void = False
        with self._changed:
            self._unsaved_shed -= shed

    def _make_room(self, batch: list[Request], fault: FullDiskError) -> list[Request]:
        """Return what of a batch is to be tried again on a full disk."""
        with self._changed:
            if not self.shedding:
                log.error("%s; readings are shed until there is room, commands and answers are kept", fault)
            self.shedding = True
            for request in batch:
                if request.rows:
                    self._shed(request)
        kept = [request for request in batch if not request.rows]
        if not self._file.give_ballast() and len(kept) == len(batch):
            self._refuse(kept, fault)
            return []
        return kept

    def _recover(self) -> None:
        self._recover_at = time.monotonic() + _RECOVER_S
        try:
            with self._file.transaction() as connection:
                self._room(connection)
            self._file.shrink()
            if not self._file.has_room():
                return
            self._file.take_ballast()
        except (StoreError, OSError):
            self._is_void = True
            return
        with self._changed:
            self.shedding = False
        log.warning("%s: there is room again; readings are kept", self._file.path)

    def _reopened(self, why: str) -> bool:
        """Open the file anew, again and again until it works; False when the gateway ends before."""
        self.halted = why
        log.error("%s; nothing is kept until the file could be opened anew", why)
        while True:
            try:
                self._file.reopen()
            except StoreError:
                with self._changed:
                    if self._closing or self._changed.wait_for(lambda: self._closing, _REOPEN_S):
                        return False
            else:
                self.halted = None
                log.warning("%s: opened anew; readings are kept again", self._file.path)
                return True

    def _refuse(self, batch: list[Request], fault: StoreError) -> None:
        for request in batch:
            if request.refused is not None:
                request.refused()
            if request.done.set_running_or_notify_cancel():
                request.done.set_exception(fault)

    def _shed(self, request: Request) -> None:
        self._unsaved_shed += request.rows
        self.shed_rows += request.rows
        request.done.cancel()


def read_counter(connection: Connection, name: str) -> int:
    """Return a counter of the buffer."""
    value: int = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()[0]
    return value


def write_counter(connection: Connection, name: str, value: int) -> None:
    """Set a counter of the buffer."""
    connection.execute("UPDATE counters SET value = ? WHERE name = ?", (value, name))
