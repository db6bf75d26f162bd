"""One data plane under proof: a broker, a database, ``vpp ingest`` between them, and what is in the database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg
from ledger import Comparison, Ledger, Row, compare, rows_of_postgres, rows_of_sqlite
from processes import VPP, Worker, wait_until, write_plant

SITES = 4


class Plane:
    """``vpp ingest`` from a bus into a store, and the questions that a proof asks of it; a context manager.

    Parameters
    ----------
    folder : Path
        Where files go.
    bus, store : str
        Their addresses.
    options : str
        More words for ``vpp ingest``.
    name : str
        Name of the consumer.
    under : sequence of str
        A command that runs the consumer, e.g. ``strace``.
    """

    def __init__(
        self, folder: Path, bus: str, store: str, *options: str, name: str = "ingest", under: Sequence[str] = ()
    ) -> None:
        self.bus = bus
        self.store = store
        plant = write_plant(folder, sites=SITES)
        words = ["ingest", str(plant), "--bus", bus, "--store", store, "--name", name, *options]
        self.ingest = Worker([*under, *VPP, *words], folder / f"{name}.log")

    def __enter__(self) -> Self:
        """Start the consumer and return when it takes parcels."""
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.ingest.end()

    def start(self) -> None:
        """Start the consumer, again after it ended, and return when it takes parcels."""
        self.await_ready(since=self.ingest.start())

    def await_ready(self, *, since: int = 0) -> None:
        """Return when the consumer takes parcels."""
        wait_until(lambda: self.ingest.says("ingesting for", since=since), "vpp ingest is ready")

    def kill_ingest(self) -> None:
        """Kill the consumer, and start it again."""
        self.ingest.kill()
        self.start()

    def rows(self) -> list[Row]:
        """Return what the database holds, by plain SQL."""
        return rows_of(self.store)

    def count(self) -> int:
        """Return how many rows the database holds; -1 while it does not answer."""
        return count_rows(self.store)

    def await_growth(self, *, patience_s: float = 30.0) -> float:
        """Return the seconds until more rows are there than now."""
        begun = self.count()
        return wait_until(lambda: self.count() > begun, "new rows are stored", patience_s=patience_s, every_s=0.05)

    def settle(self, *journals: Path, patience_s: float = 60.0, also: Plane | None = None) -> Comparison:
        """Wait for everything that was acknowledged, let the consumer (and another) end in order, and compare."""
        ledger = Ledger.read(*journals)
        wanted = ledger.acknowledged_values()
        begun = time.monotonic()
        last, changed = -1, begun
        while (count := self.count()) < wanted and time.monotonic() - begun < patience_s:
            if count != last:
                last, changed = count, time.monotonic()
            if count >= 0 and time.monotonic() - changed > 15.0:
                break  # nothing more comes: the comparison says what is missing
            time.sleep(0.1)
        self.stop_ingest()
        if also is not None:
            also.stop_ingest()
        return compare(ledger, self.rows())

    def stop_ingest(self) -> None:
        """Let the consumer end in order; it has shown no traceback and refused nothing."""
        assert self.ingest.stop() == 0, self.ingest.log()
        assert "Traceback" not in self.ingest.log(), self.ingest.log()
        assert not refusals(self.store), refusals(self.store)


def rows_of(store: str) -> list[Row]:
    """Return all rows of a store by its address, by plain SQL."""
    if store.startswith("sqlite"):
        return rows_of_sqlite(path_of(store))
    return rows_of_postgres(store)


def path_of(store: str) -> Path:
    """Return the file of a SQLite address."""
    return Path(store.removeprefix("sqlite:///"))


def count_rows(store: str) -> int:
    """Return how many readings a store holds; -1 while it does not answer."""
    try:
        return int(ask(store, "SELECT count(*) FROM readings"))
    except (sqlite3.Error, psycopg.Error):
        return -1


def ask(store: str, question: str) -> float:
    """Return the one number that answers a question in SQL."""
    return float(ask_all(store, question)[0][0])


def ask_all(store: str, question: str) -> list[tuple[Any, ...]]:
    """Return the rows that answer a question in SQL."""
    if store.startswith("sqlite"):
        with closing(sqlite3.connect(f"file:{path_of(store)}?mode=ro", uri=True, timeout=10.0)) as connection:
            return connection.execute(question).fetchall()
    with psycopg.connect(store, connect_timeout=3) as connection:
        return connection.execute(question.encode()).fetchall()


def refusals(store: str) -> list[tuple[Any, ...]]:
    """Return how many refusals stand in quarantine, by reason, with one message of each."""
    return ask_all(store, "SELECT reason, count(*), min(message) FROM refusals GROUP BY reason")
