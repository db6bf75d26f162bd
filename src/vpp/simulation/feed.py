"""A market feed replayed from a table: each local day's prices become known at their publication, not earlier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from vpp.core.messages import Ack, Command, Readings
from vpp.core.ports import SeriesTable
from vpp.core.time import epoch_s


class ReplayedFeed:
    """A ``Device`` without assets that reports market series.

    Parameters
    ----------
    plant : str
        Plant id.
    table : SeriesTable
        Market series, e.g. the spot price; NaN where there is none.
    known_until : callable
        From a moment to the end (exclusive) of what is known then, or None when everything is.
    """

    def __init__(self, plant: str, table: SeriesTable, known_until: Callable[[datetime], datetime | None]) -> None:
        self.plant = plant
        self.asset_ids: tuple[str, ...] = ()
        self._table = table
        self._known_until = known_until
        self._done = 0

    def execute(self, command: Command) -> None:
        """Ignore commands: a market feed has no assets."""

    def poll(self, now: datetime) -> tuple[Readings | None, Sequence[Ack]]:
        """Return the values that became known by ``now`` and were not reported."""
        grid = self._table.grid
        end = self._known_until(now)
        known = grid.count if end is None else (epoch_s(end) - grid.start_s) // grid.resolution_s
        known = int(np.clip(known, 0, grid.count))
        if known <= self._done:
            return None, []
        rows = slice(self._done, known)
        self._done = known
        return (
            Readings.from_table(
                self.plant, self._table.keys, grid.times_s[rows], self._table.value[rows], arrived_s=epoch_s(now)
            ),
            [],
        )
