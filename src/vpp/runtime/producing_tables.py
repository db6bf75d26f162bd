"""What is produced: a plant's record or a file of it, or a simulated world, as one table; and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError
from vpp.core.messages import Parcel
from vpp.core.ports import Bus, SeriesTable
from vpp.core.time import TimeGrid, floor_time
from vpp.runtime.build import read_history
from vpp.runtime.setup import setup_of
from vpp.simulation.plant import simulate
from vpp.streams.open import open_bus


def recorded(config: VPPConfig, path: Path | None, *, on_note: Callable[[str], None]) -> SeriesTable:
    """Return a plant's record, from a file or from those the plant file names; see ``read_history``."""
    return read_history(config, setup_of(config), path, on_note=on_note)


def simulated_world(config: VPPConfig, *, now: datetime, days: int, seed: int) -> SeriesTable:
    """Return the last days of a simulated world, whole steps that end by ``now``: assets, meters, prices."""
    setup = setup_of(config)
    end = floor_time(now, setup.resolution_s)
    return simulate(setup.plant, end - timedelta(days=days), end, setup.resolution_s, seed=seed).table()


def part_of(table: SeriesTable, start: datetime | None, end: datetime | None) -> SeriesTable:
    """Return the steps of a table that start in ``[start, end)``.

    Raises
    ------
    InvalidInputError
        When none does.
    """
    times_s = table.grid.times_s
    low = 0 if start is None else int(np.searchsorted(times_s, start.timestamp()))
    high = table.grid.count if end is None else int(np.searchsorted(times_s, end.timestamp()))
    if low >= high:
        first, last = table.grid.start.isoformat(), table.grid.end.isoformat()
        given = f"{'' if start is None else start.isoformat()} to {'' if end is None else end.isoformat()}"
        raise InvalidInputError("--start, --end", given.strip(), f"a span within the data, {first} to {last}")
    grid = TimeGrid(table.grid.time(low), table.grid.resolution_s, high - low)
    return SeriesTable(grid, table.keys, table.value[low:high])


@contextmanager
def open_target(url: str) -> Iterator[Bus[Parcel]]:
    """Open a bus to publish on, and close it."""
    bus = open_bus(url)
    try:
        yield bus
    finally:
        bus.close()
