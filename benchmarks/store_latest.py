"""The newest value of each of 1,000 series among ten million readings, on SQLite and on PostgreSQL.

The readings are ten minutes apart and span ten weeks, so that PostgreSQL holds eleven partitions. Beside the store
stands what is commonly written: ``DISTINCT ON`` (PostgreSQL) and ``GROUP BY`` with ``max`` (SQLite), once.

Run: python -m benchmarks --only store_latest
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from servers.postgres import Postgres
from servers.process import MissingServerError
from sqlalchemy import Connection

from vpp.core.messages import Readings, SeriesKey
from vpp.store.postgres import PostgresStore
from vpp.store.sql import SqlStore
from vpp.store.sqlite import SqliteStore

PLANT = "bench"
SERIES = 1_000
KEYS = tuple(SeriesKey(f"asset{i:04d}", "power_kw") for i in range(SERIES))
STEP_S = 600
STEPS = 10_000  # x 1,000 series = 10 M rows
BATCH_STEPS = 100
START_S = 1_780_012_800
ASKED = 51

_COMMON = {
    "sqlite": """
        SELECT series_id, max(time_s), value FROM readings GROUP BY series_id
    """,
    "postgres": """
        SELECT DISTINCT ON (series_id) series_id, time_s, value FROM readings
        ORDER BY series_id, time_s DESC, arrived_s DESC, revision DESC
    """,
}


def fill(store: SqlStore) -> float:
    """Keep ten million readings and return how many a second."""
    begin = time.perf_counter()
    for first in range(0, STEPS, BATCH_STEPS):
        times_s = START_S + STEP_S * np.arange(first, first + BATCH_STEPS, dtype=np.int64)
        values = np.random.default_rng(first).normal(size=(BATCH_STEPS, SERIES))
        store.write_readings(Readings.from_table(PLANT, KEYS, times_s, values, arrived_s=times_s + STEP_S))
    return STEPS * SERIES / (time.perf_counter() - begin)


def taken_s(action: Callable[[], object]) -> float:
    """Return how long an action takes [s]."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def figures(name: str, store: SqlStore) -> Iterator[dict[str, Any]]:
    """Measure one database."""

    def common() -> None:
        def fetch(connection: Connection) -> None:
            assert len(connection.exec_driver_sql(_COMMON[name]).fetchall()) == SERIES

        store._database.run(fetch)

    rate = fill(store)
    answer = store.latest(PLANT)
    assert answer is not None
    assert len(answer) == SERIES
    newest_ms = 1e3 * median(taken_s(lambda: store.latest(PLANT)) for _ in range(ASKED))
    yield {"what": f"{name}: 10 M rows in batches of 100k", "value": rate, "unit": "rows/s"}
    yield {"what": f"{name}: latest() of 1,000 series", "value": newest_ms, "unit": "ms", "limit": "<= 20"}
    yield {"what": f"{name}: the same as commonly written", "value": 1e3 * taken_s(common), "unit": "ms"}
    yield {
        "what": f"{name}: span()",
        "value": 1e3 * median(taken_s(lambda: store.span(PLANT)) for _ in range(9)),
        "unit": "ms",
    }


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=root) as folder:
        with closing(SqliteStore(Path(folder) / "plant.db")) as sqlite:
            found += figures("sqlite", sqlite)
        try:
            server = Postgres(Path(folder) / "postgres")
        except MissingServerError as fault:
            return [*found, {"what": "postgres", "value": None, "unit": "", "note": str(fault)}]
        with server, closing(PostgresStore(server.new_database("latest"), answer_timeout_s=120.0)) as postgres:
            found += figures("postgres", postgres)
    return found


if __name__ == "__main__":
    for figure in run():
        print(json.dumps(figure))
