"""The oracle outside the system: what was acknowledged to a producer against the rows a database holds, per channel.

A producer writes down what it is about to send and, once it was told so, that it was taken. A database is read by
plain SQL. A channel is one metric of one asset: an average over rows hides a channel that is missing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self, TextIO

import psycopg

SELECT_SQLITE = """
SELECT plant, source, metric, time_s, arrived_s, value FROM readings JOIN series ON series.id = series_id
"""
SELECT_POSTGRES = """
SELECT plant, source, metric, extract(epoch FROM time_s)::bigint, extract(epoch FROM arrived_s)::bigint, value
FROM readings JOIN series ON series.id = series_id
"""
WORST_SHOWN = 8


class Channel(NamedTuple):
    """One metric of one asset of a plant."""

    plant: str
    asset: str
    metric: str

    def __str__(self) -> str:
        return "/".join(self)


class Value(NamedTuple):
    """One reading as it was sent: of which asset, what, for when, how much."""

    asset: str
    metric: str
    time_s: int
    value: float


class Message(NamedTuple):
    """What names a message."""

    plant: str
    node: str
    boot: str
    sequence: int


class Row(NamedTuple):
    """One row of a database."""

    channel: Channel
    time_s: int
    arrived_s: int
    value: float


class Journal:
    """A producer's own log, flushed to the disk before the producer goes on.

    Parameters
    ----------
    path : Path
        Where it is kept; an existing one is carried on.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")

    def sending(self, message: Message, values: Iterable[Value]) -> None:
        """Write down a message before it is sent; a killed producer has left it with the kernel by then."""
        self._file.write(json.dumps(["sent", message, list(values)]) + "\n")
        self._file.flush()

    def acknowledged(self, messages: Iterable[Message]) -> None:
        """Write down messages that were acknowledged; on the disk when this returns."""
        for message in messages:
            self._file.write(json.dumps(["acked", message]) + "\n")
        self.flush()

    def flush(self) -> None:
        """Bring everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()


@dataclass
class Ledger:
    """What producers sent and what they were told was taken."""

    sent: dict[Message, list[Value]] = field(default_factory=dict)
    acked: set[Message] = field(default_factory=set)

    @classmethod
    def read(cls, *paths: Path) -> Self:
        """Read journals; the last line of a producer that was killed may be torn."""
        ledger = cls()
        for path in paths:
            for kind, message, *rest in _lines(path):
                name = Message(*message)
                if kind == "acked":
                    ledger.acked.add(name)
                else:
                    ledger.sent[name] = [Value(*value) for value in rest[0]]
        unknown = ledger.acked - ledger.sent.keys()
        assert not unknown, f"acknowledged, and never sent: {sorted(unknown)[:3]}"
        return ledger

    def acknowledged_values(self) -> int:
        """Return how many readings were acknowledged."""
        return sum(len(self.sent[message]) for message in self.acked)


def _lines(path: Path) -> Iterator[list[object]]:
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    for line in whole.splitlines():
        yield json.loads(line)


def rows_of_sqlite(path: Path) -> list[Row]:
    """Return all rows of a SQLite file, as ``sqlite3`` reads them."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA busy_timeout = 10000")
        return [_row(*found) for found in connection.execute(SELECT_SQLITE)]


def rows_of_postgres(url: str) -> list[Row]:
    """Return all rows of a PostgreSQL database."""
    with psycopg.connect(url) as connection:
        return [_row(*found) for found in connection.execute(SELECT_POSTGRES)]


def _row(plant: str, asset: str, metric: str, time_s: int, arrived_s: int, value: float) -> Row:
    return Row(Channel(plant, asset, metric), int(time_s), int(arrived_s), float(value))


@dataclass(frozen=True)
class ChannelResult:
    """One channel compared; the moments are examples."""

    channel: Channel
    acknowledged: int
    stored: int
    lost: list[int]
    duplicated: list[int]
    altered: list[int]

    @property
    def sound(self) -> bool:
        """True when nothing was lost, doubled or changed."""
        return not (self.lost or self.duplicated or self.altered)

    def __str__(self) -> str:
        return (
            f"{self.channel}: {self.acknowledged} acknowledged, {self.stored} stored, lost {len(self.lost)} "
            f"{self.lost[:3]}, duplicated {len(self.duplicated)} {self.duplicated[:3]}, altered {len(self.altered)} "
            f"{self.altered[:3]}"
        )


@dataclass(frozen=True)
class Comparison:
    """All channels compared."""

    channels: tuple[ChannelResult, ...]

    @property
    def lost(self) -> int:
        """Acknowledged readings that are not there."""
        return sum(len(channel.lost) for channel in self.channels)

    @property
    def duplicated(self) -> int:
        """Rows more than there were readings."""
        return sum(len(channel.duplicated) for channel in self.channels)

    @property
    def altered(self) -> int:
        """Rows that nobody sent."""
        return sum(len(channel.altered) for channel in self.channels)

    @property
    def acknowledged(self) -> int:
        """Readings that were acknowledged."""
        return sum(channel.acknowledged for channel in self.channels)

    @property
    def stored(self) -> int:
        """Rows that are there."""
        return sum(channel.stored for channel in self.channels)

    def check(self, *, at_least: int = 1) -> None:
        """Fail unless every channel is sound and at least so many readings were acknowledged."""
        broken = [channel for channel in self.channels if not channel.sound]
        assert not broken, (
            f"L={self.lost} D={self.duplicated} A={self.altered} in {len(broken)} of {len(self.channels)} channels:\n"
            + "\n".join(map(str, broken[:WORST_SHOWN]))
        )
        assert self.acknowledged >= at_least, f"only {self.acknowledged} readings were acknowledged: no load, no proof"

    def __str__(self) -> str:
        return (
            f"{len(self.channels)} channels, {self.acknowledged} acknowledged, {self.stored} stored: "
            f"L={self.lost} D={self.duplicated} A={self.altered}"
        )


def compare(ledger: Ledger, rows: Sequence[Row]) -> Comparison:
    """Compare what was acknowledged with what is stored, channel by channel.

    A reading is lost when it was acknowledged and no row has its time and exactly its value. A row is a duplicate when
    there are more rows of its time and value than messages that carried them; it is altered when nobody sent that
    value for that time. What was sent and never acknowledged may be there or not.
    """
    sent: dict[Channel, Counter[tuple[int, float]]] = defaultdict(Counter)
    acked: dict[Channel, set[tuple[int, float]]] = defaultdict(set)
    for message, values in ledger.sent.items():
        for asset, metric, time_s, value in values:
            channel = Channel(message.plant, asset, metric)
            sent[channel][time_s, value] += 1
            if message in ledger.acked:
                acked[channel].add((time_s, value))
    stored: dict[Channel, Counter[tuple[int, float]]] = defaultdict(Counter)
    for row in rows:
        stored[row.channel][row.time_s, row.value] += 1
    results = []
    for channel in sorted(sent.keys() | stored.keys()):
        kept, offered = stored[channel], sent[channel]
        results.append(
            ChannelResult(
                channel,
                len(acked[channel]),
                kept.total(),
                sorted(time_s for time_s, value in acked[channel] if not kept[time_s, value]),
                sorted(key[0] for key, count in kept.items() if offered[key] and count > offered[key]),
                sorted(key[0] for key in kept if not offered[key]),
            )
        )
    return Comparison(tuple(results))
