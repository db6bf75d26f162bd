"""A process that writes to a store and says so, to be killed, cut off from its disk, or watched.

It prints ``ack N`` after each write that returned, ``failed N`` after one that raised ``StoreError``. It never closes
the store: what was acknowledged must be there without.

Run: python store_writer.py PATH FIRST_BATCH BATCHES CHECKPOINT_BYTES [careless], where PATH may be the URL of a store.

``careless`` commits without fsync, to prove that the tests would notice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from vpp.core.errors import StoreError
from vpp.core.messages import Readings, SeriesKey
from vpp.store.open import open_store
from vpp.store.sqlite import SqliteStore

PLANT = "homes"
KEYS = tuple(SeriesKey(f"home{i:02d}", "power_kw") for i in range(3))
ROWS = 6
SECONDS_PER_BATCH = 3600


def batch(number: int) -> Readings:
    """Return the batch of that number; its values follow from the number alone."""
    times_s = number * SECONDS_PER_BATCH + 900 * np.arange(ROWS // len(KEYS), dtype=np.int64)
    values = np.random.default_rng(number).normal(size=(times_s.size, len(KEYS)))
    return Readings.from_table(PLANT, KEYS, times_s, values, arrived_s=times_s + 900)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(path: str, first: int, batches: int, checkpoint_bytes: int, *, careless: bool) -> None:
    try:
        store = open_store(path) if "://" in path else SqliteStore(Path(path), checkpoint_bytes=checkpoint_bytes)
    except StoreError as fault:
        say(f"unopened {fault}")
        os._exit(3)
    if careless:
        assert isinstance(store, SqliteStore)
        with store._database._write_lock:
            store._database._driver.execute("PRAGMA synchronous = NORMAL")
    say("open")
    for number in range(first, first + batches):
        try:
            store.write_readings(batch(number))
        except StoreError as fault:
            say(f"failed {number} {'halted' if getattr(store, 'halted', None) else 'open'} {fault}")
        else:
            say(f"ack {number}")
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), careless="careless" in sys.argv[5:])
