"""What the stores cost: writing with every batch on the disk, ticks, and reads; beside a bare script in the same run.

Run: python benchmarks/store.py [FOLDER], on the disk to be judged.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from vpp.core.messages import Readings, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.memory import MemoryStore
from vpp.store.schema import upgrade
from vpp.store.sqlite import SqliteStore

PLANT = "bench"
KEYS = tuple(SeriesKey(f"asset{i:02d}", "power_kw") for i in range(50))
STEP_S = 3600
BATCH_STEPS = 200  # x 50 series = 10,000 rows
BATCHES = 8
ROUNDS = 5
TICKS = 400
READ_STEPS = 2200
READ_KEYS = KEYS[:22]

_INSERT = "INSERT INTO readings (series_id, time_s, arrived_s, revision, issued_s, value, quality) "
_BARE = f"{_INSERT} VALUES (?, ?, ?, 0, ?, ?, ?)"


def batch(first_step: int, steps: int) -> Readings:
    """Return the readings of all series over some steps."""
    times_s = STEP_S * np.arange(first_step, first_step + steps, dtype=np.int64)
    values = np.random.default_rng(first_step).normal(size=(steps, len(KEYS)))
    return Readings.from_table(PLANT, KEYS, times_s, values, arrived_s=times_s + STEP_S)


def bare_rows_per_s(folder: Path, batches: list[Readings]) -> float:
    """Return how fast sqlite3 alone keeps the same columns in the same table: WAL, FULL, one commit per batch."""
    path = folder / "bare.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        upgrade(connection)
        names = [(i + 1, PLANT, key.source, key.metric) for i, key in enumerate(KEYS)]
        connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?)", names)
        begin = time.perf_counter()
        for one in batches:
            columns = (one.series + 1, one.time_s, one.arrived_s, one.issued_s, one.value, one.quality)
            connection.execute("BEGIN")
            connection.executemany(_BARE, zip(*(column.tolist() for column in columns), strict=True))
            connection.execute("COMMIT")
        taken_s = time.perf_counter() - begin
    return sum(len(one) for one in batches) / taken_s


def store_rows_per_s(folder: Path, batches: list[Readings]) -> float:
    """Return how fast the store keeps them."""
    with closing(SqliteStore(folder / "store.db")) as store:
        begin = time.perf_counter()
        for one in batches:
            store.write_readings(one)
        taken_s = time.perf_counter() - begin
    return sum(len(one) for one in batches) / taken_s


def each_on_new_files(measure: Callable[[Path, list[Readings]], float], root: Path, batches: list[Readings]) -> float:
    """Run one measurement in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        return measure(Path(folder), batches)


def tick_figures(store: Store, name: str) -> Iterator[dict[str, Any]]:
    """Measure writes of one tick (50 rows, each its own commit), then reads as a back-test makes them."""
    ticks = [batch(step, 1) for step in range(TICKS)]
    begin = time.perf_counter()
    for one in ticks:
        store.write_readings(one)
    taken_s = time.perf_counter() - begin
    yield {"what": f"{name}: write 50 rows", "value": 1e3 * taken_s / TICKS, "unit": "ms"}
    yield {"what": f"{name}: ticks of 50 rows", "value": TICKS / taken_s, "unit": "1/s"}
    store.write_readings(batch(TICKS, READ_STEPS))
    grid = TimeGrid(from_epoch_s(TICKS * STEP_S), STEP_S, READ_STEPS)
    reads: dict[str, Callable[[], object]] = {
        "series() 22 x 2200 as known at its end": lambda: store.series(PLANT, READ_KEYS, grid, known_at=grid.end),
        "series() 22 x 550, means of 4": lambda: store.series(
            PLANT, READ_KEYS, TimeGrid(grid.start, 4 * STEP_S, READ_STEPS // 4)
        ),
        "series() 11 x 1": lambda: store.series(PLANT, KEYS[:11], grid.part(READ_STEPS - 1, READ_STEPS)),
        "latest() of 50": lambda: store.latest(PLANT),
    }
    for title, read in reads.items():
        yield {"what": f"{name}: {title}", "value": 1e3 * _median_s(read), "unit": "ms"}


def _median_s(action: Callable[[], object], *, times: int = 51) -> float:
    taken_s = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        taken_s.append(time.perf_counter() - begin)
    return median(taken_s)


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    batches = [batch(i * BATCH_STEPS, BATCH_STEPS) for i in range(BATCHES)]
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=root) as name:
        folder = Path(name)
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            bare.append(each_on_new_files(bare_rows_per_s, folder, batches))
            ours.append(each_on_new_files(store_rows_per_s, folder, batches))
        ratio = median(a / b for a, b in zip(ours, bare, strict=True))
        figures += [
            {"what": "sqlite: rows of 10k batches, FULL", "value": median(ours), "unit": "rows/s"},
            {"what": "bare executemany: the same", "value": median(bare), "unit": "rows/s"},
            {"what": "sqlite: share of bare executemany", "value": ratio, "unit": "1", "limit": ">= 0.7"},
        ]
        with closing(SqliteStore(folder / "ticks.db")) as store:
            figures += tick_figures(store, "sqlite")
    with closing(MemoryStore()) as memory:
        figures += tick_figures(memory, "memory")
    return figures


if __name__ == "__main__":
    for figure in run(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(json.dumps(figure))
