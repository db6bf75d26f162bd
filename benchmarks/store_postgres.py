"""What keeping readings in PostgreSQL costs: batches of 10,000, each durable, beside a bare script in the same run.

A batch is ten minutes of 1,000 series, a value a minute. The bare script keeps a batch whole and each row once, without
knowing what a message is: binary COPY into a staging table, then one upsert, then the commit, into the same table with
its key and its partitions; its bytes are made before the clock runs.

Run: python -m benchmarks --only store_postgres
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psycopg
from servers.postgres import Postgres
from servers.process import MissingServerError

from vpp.core.messages import Delivery, Origin, Readings, SeriesKey
from vpp.store.copying import _HEADER, _STAGE, _TRAILER, MAKE_STAGING, _block
from vpp.store.postgres import PostgresStore

PLANT = "bench"
SERIES = 1_000
KEYS = tuple(SeriesKey(f"asset{i:04d}", "power_kw") for i in range(SERIES))
STEP_S = 60
BATCH_STEPS = 10  # x 1,000 series = 10,000 rows
BATCHES = 20
ROUNDS = 5
START_S = 1_780_012_800

_UPSERT = """
INSERT INTO readings (series_id, time_s, arrived_s, revision, issued_s, value, quality)
SELECT series_id, time_s, arrived_s, revision, issued_s, value, quality FROM incoming ON CONFLICT DO NOTHING
"""
NUMBERS = count()


def delivery(number: int) -> Delivery:
    """Return ten minutes of all series: 10,000 readings in 1,000 messages, one of each source."""
    times_s = START_S + STEP_S * (number * BATCH_STEPS + np.arange(BATCH_STEPS, dtype=np.int64))
    values = np.random.default_rng(number).normal(size=(BATCH_STEPS, SERIES))
    rows = Readings.from_table(PLANT, KEYS, times_s, values, arrived_s=times_s + STEP_S)
    return Delivery(tuple(Origin(PLANT, key.source, "boot", number) for key in KEYS), (rows,), (rows.series,))


def ready_store(server: Postgres) -> tuple[str, PostgresStore]:
    """Return a new database and its store, which knows every series and has its partition."""
    url = server.new_database(f"bench{next(NUMBERS)}")
    store = PostgresStore(url)
    store.take(delivery(0))
    return url, store


def rows_per_s(work: Callable[[Delivery], object], deliveries: list[Delivery]) -> float:
    """Return how many rows a second a piece of work keeps."""
    begin = time.perf_counter()
    for one in deliveries:
        work(one)
    return sum(len(one.readings[0]) for one in deliveries) / (time.perf_counter() - begin)


def bare_rows_per_s(server: Postgres, deliveries: list[Delivery]) -> float:
    """Return how fast the driver alone keeps the same rows in the same table, each once."""
    url, store = ready_store(server)
    store.close()
    numbers = np.arange(1, SERIES + 1)
    ready = {
        id(one): b"".join((_HEADER, _block(numbers[one.readings[0].series], one.readings[0]).tobytes(), _TRAILER))
        for one in deliveries
    }
    with psycopg.connect(url) as connection:
        connection.execute(MAKE_STAGING)
        connection.commit()

        def keep(one: Delivery) -> None:
            with connection.cursor() as cursor:
                with cursor.copy(_STAGE) as copy:
                    copy.write(ready[id(one)])
                cursor.execute(_UPSERT)
            connection.commit()

        return rows_per_s(keep, deliveries)


def run(root: Path | None = None) -> list[dict[str, Any]]:
    """Return the figures; ``root`` is a folder on the disk to be judged."""
    deliveries = [delivery(number) for number in range(1, BATCHES + 1)]
    bare: list[float] = []
    written: list[float] = []
    taken: list[float] = []
    again: list[float] = []
    with tempfile.TemporaryDirectory(dir=root) as folder:
        try:
            server = Postgres(Path(folder) / "postgres")
        except MissingServerError as fault:
            return [{"what": "postgres", "value": None, "unit": "", "note": str(fault)}]
        with server:
            for _ in range(ROUNDS):
                bare.append(bare_rows_per_s(server, deliveries))
                with closing(ready_store(server)[1]) as store:
                    written.append(
                        rows_per_s(lambda one, store=store: store.write_readings(one.readings[0]), deliveries)
                    )
                with closing(ready_store(server)[1]) as store:
                    taken.append(rows_per_s(store.take, deliveries))
                    again.append(rows_per_s(store.take, deliveries))
    share_written = median(a / b for a, b in zip(written, bare, strict=True))
    share_taken = median(a / b for a, b in zip(taken, bare, strict=True))
    bar = {"unit": "1", "limit": ">= 0.8"}
    return [
        {"what": "bare staging COPY + upsert, batches of 10k", "value": median(bare), "unit": "rows/s"},
        {"what": "write_readings: the same", "value": median(written), "unit": "rows/s"},
        {"what": "take: the same in 1,000 messages each", "value": median(taken), "unit": "rows/s"},
        {"what": "take: all of it once more (nothing is new)", "value": median(again), "unit": "rows/s"},
        {"what": "write_readings: share of the bare script", "value": share_written, **bar},
        {"what": "take: share of the bare script", "value": share_taken, **bar},
    ]


if __name__ == "__main__":
    for figure in run():
        print(json.dumps(figure))
