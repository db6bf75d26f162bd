"""A gateway under proof: ``vpp edge run`` on simulated devices, and a witness who reads its buffer as it fills.

What stands in the buffer counts: from then on a reading is either in the database or still waiting in the buffer. The
witness reads the file by plain SQL while the gateway runs, so that a reading that vanished from it is noticed too.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Self

from ledger import Comparison, Ledger, Message, Value, compare
from plane import Plane
from processes import VPP, Worker, wait_until, write_plant

SITES = 100
INTERVAL_S = 0.25
PLANT = "proof"
SEEN = """
SELECT node, boot, sequence, acknowledged_s IS NOT NULL, asset, metric, time_s, value
FROM messages JOIN readings ON message_id = messages.id JOIN series ON series.id = series_id
WHERE acknowledged_s IS NULL OR messages.id > ?
"""
WAITING = "SELECT coalesce(sum(rows), 0) FROM messages WHERE acknowledged_s IS NULL"

GATEWAY = """
plant: proof.yaml
bus: {bus}
buffer: {{path: {buffer}}}
drivers: [{{kind: simulated, interval_s: {interval_s}}}]
status_every_s: 1
status_page: null
recall_s: {recall_s}
"""


def buffer_ledger(path: Path, *, after: int = 0) -> Ledger:
    """Return what stands in a buffer: all of it was taken; ``acked`` is what the gateway thinks the bus holds.

    Of messages that were acknowledged only those numbered above ``after``.
    """
    ledger = Ledger()
    with closing(_read(path)) as connection:
        for node, boot, sequence, acked, asset, metric, time_s, value in connection.execute(SEEN, (after,)):
            message = Message(PLANT, node, boot, sequence)
            ledger.sent.setdefault(message, []).append(Value(asset, metric, time_s, value))
            if acked:
                ledger.acked.add(message)
    return ledger


def waiting_rows(path: Path) -> int:
    """Return how many readings of a buffer were not acknowledged."""
    with closing(_read(path)) as connection:
        return int(connection.execute(WAITING).fetchone()[0])


def _read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)


class Witness:
    """Reads a buffer again and again, and remembers everything that ever stood in it."""

    def __init__(self, path: Path) -> None:
        self.seen: dict[Message, list[Value]] = {}
        self.looks = 0
        self._path = path
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def readings(self) -> int:
        """Return how many readings it has seen."""
        return sum(len(values) for values in self.seen.copy().values())

    def _watch(self) -> None:
        newest = 0
        while not self._ended.wait(0.1):
            try:
                found = buffer_ledger(self._path, after=newest)
                with closing(_read(self._path)) as connection:
                    newest = connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0] - SITES
            except sqlite3.Error:
                continue
            self.seen.update(found.sent)
            self.looks += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._ended.set()
        self._thread.join()


class EdgePlane(Plane):
    """A gateway on a bus, beside the consumer that keeps what it sends.

    Parameters
    ----------
    folder : Path
        Where files go.
    bus, store : str
        Addresses for the consumer.
    edge_bus : str, optional
        The bus as the gateway reaches it.
    buffer : Path, optional
        File of its buffer.
    recall_s : int
        After a break the gateway sends again what arrived in its last so many seconds before it [s].
    options : str
        More words for ``vpp ingest``.
    """

    def __init__(
        self,
        folder: Path,
        bus: str,
        store: str,
        *options: str,
        edge_bus: str | None = None,
        buffer: Path | None = None,
        recall_s: int = 60,
    ) -> None:
        super().__init__(folder, bus, store, *options)
        write_plant(folder, sites=SITES)
        self.buffer = buffer or folder / "edge.db"
        gateway = folder / "gateway.yaml"
        gateway.write_text(
            GATEWAY.format(bus=edge_bus or bus, buffer=self.buffer, interval_s=INTERVAL_S, recall_s=recall_s)
        )
        self.edge = Worker([*VPP, "edge", "run", str(gateway)], folder / "edge.log")
        self.witness = Witness(self.buffer)

    def __enter__(self) -> Self:
        super().__enter__()
        self.start_edge()
        self.witness.__enter__()
        return self

    def __exit__(self, *fault: object) -> None:
        self.witness.__exit__()
        self.edge.end()
        super().__exit__(*fault)

    def kill_edge(self) -> None:
        """Kill the gateway, and start it again."""
        self.edge.kill()
        self.start_edge()

    def start_edge(self) -> None:
        """Start the gateway and return when it runs."""
        said = self.edge.start()
        wait_until(lambda: self.edge.says("Ctrl-C stops", since=said), "the gateway runs")

    def settle_edge(self, *, patience_s: float = 60.0) -> Comparison:
        """Let the gateway end in order, let the consumer catch up, and compare everything the witness ever saw."""
        wait_until(lambda: waiting_rows(self.buffer) <= 6 * SITES, "the buffer is drained", patience_s=patience_s)
        assert self.edge.stop() == 0, self.edge.log()
        assert "Traceback" not in self.edge.log(), self.edge.log()
        last = buffer_ledger(self.buffer)
        assert self.witness.looks > 0
        for message, values in self.witness.seen.items():
            if message not in last.sent:
                # It may be forgotten only once it had arrived.
                last.sent[message] = values
                last.acked.add(message)
            assert set(values) <= set(last.sent[message]), f"a message changed in the buffer: {message}"
        return self.compare_with(last)

    def compare_with(self, ledger: Ledger) -> Comparison:
        """Wait for everything the gateway thinks the bus holds, let the consumer end, and compare."""
        wanted = {
            (message.plant, one.asset, one.metric, one.time_s, one.value)
            for message in ledger.acked
            for one in ledger.sent[message]
        }

        def kept() -> bool:
            found = {(*row.channel, row.time_s, row.value) for row in self.rows()}
            return wanted <= found

        try:
            wait_until(kept, "all is stored", patience_s=20.0, every_s=0.5)
        except AssertionError:
            print("not all arrived: the comparison says what is missing")
        self.stop_ingest()
        return compare(ledger, self.rows())
