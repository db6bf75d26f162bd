"""Readings out of a SQL store and into any store, by file: every revision with its times and flags.

Invariant: what one store wrote out, another takes in as it was. A file is checked whole before the first row of it is
kept; taken in again, whole or after a break, it adds nothing that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, func, select

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.ports import Store
from vpp.store.row_blocks import Defaults
from vpp.store.row_files import ROWS_AT_ONCE, Progress, read_rows
from vpp.store.statements import LAST_S
from vpp.store.tables import READINGS, SERIES

_FIELDS = ("time_s", "issued_s", "arrived_s", "value", "quality")
_ROW = np.dtype([(name, "f8" if name == "value" else "i8") for name in _FIELDS])


@dataclass(frozen=True, slots=True)
class Choice:
    """Which readings to write out.

    Parameters
    ----------
    plant : str or None
        One plant; None for all.
    start_s, end_s : int
        Those whose step starts in ``[start_s, end_s)`` [epoch s].
    """

    plant: str | None = None
    start_s: int = -LAST_S
    end_s: int = LAST_S


def count_rows(connection: Connection, choice: Choice) -> int:
    """Return how many readings there are to write out, revisions included."""
    return int(connection.execute(_chosen(select(func.count()), choice)).scalar_one())


def stored_rows(connection: Connection, choice: Choice) -> Iterator[Readings]:
    """Yield readings with all their revisions: series by series, then by time, arrival and revision.

    Parameters
    ----------
    connection : Connection
        In a transaction that sees one moment for as long as this is read.
    """
    series = select(SERIES.c.id, SERIES.c.plant, SERIES.c.source, SERIES.c.metric)
    if choice.plant is not None:
        series = series.where(SERIES.c.plant == choice.plant)
    found = connection.execute(series.order_by(SERIES.c.plant, SERIES.c.source, SERIES.c.metric)).all()
    for number, plant, source, metric in found:
        rows = (
            select(*[READINGS.c[name] for name in _FIELDS])
            .where(
                READINGS.c.series_id == number,
                READINGS.c.time_s >= choice.start_s,
                READINGS.c.time_s < choice.end_s,
            )
            .order_by(READINGS.c.time_s, READINGS.c.arrived_s, READINGS.c.revision)
        )
        # The cursor stays with the database: a series of years is never held here.
        streamed = connection.execution_options(stream_results=True, max_row_buffer=ROWS_AT_ONCE).execute(rows)
        for part in streamed.partitions(ROWS_AT_ONCE):
            table = np.fromiter((tuple(row) for row in part), dtype=_ROW, count=len(part))
            columns = {name: np.ascontiguousarray(table[name]) for name in _FIELDS}
            key = (SeriesKey(source, metric),)
            yield Readings(plant, key, np.zeros(len(part), dtype=np.int64), **columns)


def check_rows(path: Path, defaults: Defaults, *, progress: Progress) -> int:
    """Return how many rows a file holds, after all of them were looked at.

    Raises
    ------
    InvalidInputError
        For the first row that cannot be taken, or when there is none.
    """
    rows = 0
    for block in read_rows(path, defaults):
        rows += len(block)
        progress(rows)
    if not rows:
        raise InvalidInputError("file", str(path), "a file with rows")
    return rows


def keep_rows(store: Store, path: Path, defaults: Defaults, *, progress: Progress) -> int:
    """Keep the readings of a file that was checked, block by block, and return how many were new.

    Parameters
    ----------
    store : Store
        Any store.
    path : Path
        Ends in .csv, .jsonl or .parquet.
    defaults : Defaults
        What the rows say of the fields that the file leaves out.
    progress : callable
        Told how many rows are kept.

    Raises
    ------
    StoreError
        When the store fails; blocks written before stay, and the same file again adds the rest.
    """
    done = new = 0
    for block in read_rows(path, defaults):
        new += store.write_readings(block)
        done += len(block)
        progress(done)
    return new


def _chosen(rows: Select[Any], choice: Choice) -> Select[Any]:
    found = rows.select_from(READINGS).where(READINGS.c.time_s >= choice.start_s, READINGS.c.time_s < choice.end_s)
    if choice.plant is None:
        return found
    return found.where(READINGS.c.series_id.in_(select(SERIES.c.id).where(SERIES.c.plant == choice.plant)))
