"""What roll-ups cost and bring: ten million readings, their 5-minute means, and a year drawn in one request.

100 series report every 5 seconds, so that a minute holds 12 readings; each comes in once. The means are asked of the
store, which answers from its roll-ups, and of the readings themselves by one statement of plain SQL, by turns.

Run: python benchmarks/rollups.py [FOLDER], on the disk to be judged.
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
import psycopg
from servers.postgres import Postgres
from servers.process import MissingServerError

from vpp.core.downsample import lttb, minmax
from vpp.core.messages import Readings, SeriesKey
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.marks import codes_of, mark_row
from vpp.store.open import open_store
from vpp.store.sql import SqlStore

PLANT = "bench"
KEYS = tuple(SeriesKey(f"asset{i:03d}", "power_kw") for i in range(100))
EVERY_S = 5
STEPS = 100_000  # x 100 series = 10 M rows
BATCH_STEPS = 100  # x 100 series = 10,000 rows
START_S = 1_780_012_800
END_S = START_S + 6 * 86_400
ROUNDS = 5
BUCKET_S = 300
YEAR = TimeGrid(from_epoch_s(START_S), 60, 365 * 1440)
POINTS = 2000

_SQLITE_MEANS = "SELECT series_id, time_s / 300 * 300, avg(value) FROM readings GROUP BY 1, 2"
_POSTGRES_MEANS = "SELECT series_id, date_bin('300 s', time_s, '1970-01-01Z'), avg(value) FROM readings GROUP BY 1, 2"


def batches(steps: int = STEPS) -> Iterator[Readings]:
    """Yield the readings as they come in: all series, 100 steps at a time."""
    rng = np.random.default_rng(0)
    for first in range(0, steps, BATCH_STEPS):
        times_s = START_S + EVERY_S * np.arange(first, first + BATCH_STEPS, dtype=np.int64)
        values = rng.normal(size=(BATCH_STEPS, len(KEYS)))
        yield Readings.from_table(PLANT, KEYS, times_s, values, arrived_s=times_s + EVERY_S)


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def means(store: SqlStore, bucket_s: int = BUCKET_S) -> int:
    """Return how many means there are, after they were all computed through the store."""
    found = store.aggregates(PLANT, KEYS, from_epoch_s(START_S), from_epoch_s(END_S), bucket_s=bucket_s)
    return sum(series.mean.size for series in found)


def rollup_figures(store: SqlStore, name: str, plain: Callable[[], int]) -> Iterator[dict[str, Any]]:
    """Fill a store, bring its roll-ups up to date, and ask for the means by both ways."""
    rows = STEPS * len(KEYS)
    taken_s = seconds(lambda: [store.write_readings(batch) for batch in batches()])
    yield {"what": f"{name}: 10 M rows written, batches of 10k", "value": rows / taken_s, "unit": "rows/s"}
    yield {"what": f"{name}: 5-min means before any refresh", "value": seconds(lambda: means(store)), "unit": "s"}

    def refresh() -> None:
        while store.refresh_rollups():
            pass

    yield {"what": f"{name}: all roll-ups brought up to date", "value": rows / seconds(refresh), "unit": "rows/s"}
    ours, theirs, ours_cpu = [], [], []
    for _ in range(ROUNDS):
        begin = time.process_time()
        ours.append(seconds(lambda: means(store)))
        ours_cpu.append(time.process_time() - begin)
        theirs.append(seconds(plain))
    assert means(store) == plain(), "both ways give as many means"
    limit = {"limit": "<= 2"} if name == "sqlite" else {}
    yield {"what": f"{name}: 5-min means of 10 M rows, roll-ups", "value": median(ours), "unit": "s", **limit}
    if name == "sqlite":
        yield {"what": "sqlite: the same, CPU time", "value": median(ours_cpu), "unit": "s"}
    yield {"what": f"{name}: the same by SQL from the readings", "value": median(theirs), "unit": "s"}
    by_turns = median(a / b for a, b in zip(theirs, ours, strict=True))
    yield {"what": f"{name}: times faster by roll-ups", "value": by_turns, "unit": "1"}
    hourly = median(seconds(lambda: means(store, 3600)) for _ in range(ROUNDS))
    yield {"what": f"{name}: hourly means of 10 M rows", "value": hourly, "unit": "s"}


def mark_figures() -> Iterator[dict[str, Any]]:
    """Measure what a write of 10k rows pays for the roll-ups: the row that marks what is out of date."""
    batch = next(batches())
    many = np.arange(10_000, dtype=np.int64)
    for title, series, time_s in (
        ("10k rows of 100 series", batch.series, batch.time_s),
        ("one tick of 10k series", many, np.full(many.size, START_S)),
    ):
        taken = [seconds(lambda: mark_row(codes_of(series, time_s))) for _ in range(51)]  # noqa: B023, run at once
        row = mark_row(codes_of(series, time_s))
        assert row is not None
        size = len(bytes(row["hours"])) if isinstance(row["hours"], bytes) else 0
        yield {"what": f"mark of {title}", "value": 1e3 * median(taken), "unit": "ms"}
        yield {"what": f"mark of {title}: size", "value": size, "unit": "B"}


def year_figures(store: SqlStore) -> Iterator[dict[str, Any]]:
    """Measure a year of one series by the minute: read, and thinned out to 2,000 values."""
    key = SeriesKey("meter", "power_kw")
    values = np.cumsum(np.random.default_rng(1).normal(size=len(YEAR)))
    for first in range(0, len(YEAR), 10_000):
        some = slice(first, first + 10_000)
        times_s = YEAR.times_s[some]
        store.write_readings(
            Readings.from_table("year", (key,), times_s, values[some].reshape(-1, 1), arrived_s=times_s + 60)
        )

    def read() -> Any:
        return store.series("year", (key,), YEAR, reading_s=60).value[:, 0]

    found = read()
    for title, action in (
        ("read", read),
        ("minmax to 2,000", lambda: minmax(YEAR.times_s, found, POINTS)),
        ("lttb to 2,000", lambda: lttb(YEAR.times_s, found, POINTS)),
    ):
        taken = median(seconds(action) for _ in range(ROUNDS))
        yield {"what": f"a year of one series by the minute: {title}", "value": 1e3 * taken, "unit": "ms"}


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    figures = list(mark_figures())
    with tempfile.TemporaryDirectory(dir=root) as name:
        folder = Path(name)
        with closing(open_store(f"sqlite:///{folder / 'plant.db'}")) as store:
            assert isinstance(store, SqlStore)
            with closing(sqlite3.connect(folder / "plant.db")) as plain:
                figures += rollup_figures(store, "sqlite", lambda: len(plain.execute(_SQLITE_MEANS).fetchall()))
            figures += year_figures(store)
        try:
            server = Postgres(folder / "postgres")
        except MissingServerError as fault:
            print(f"no figures of postgresql: {fault}", file=sys.stderr)
            return figures
        with server, closing(open_store(server.url)) as store, psycopg.connect(server.url) as plain:
            assert isinstance(store, SqlStore)
            figures += rollup_figures(store, "postgresql", lambda: len(plain.execute(_POSTGRES_MEANS).fetchall()))
    return figures


if __name__ == "__main__":
    for figure in run(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(json.dumps(figure))
