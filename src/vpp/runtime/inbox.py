"""The inbox: a watched folder. A CSV or Parquet file dropped there becomes readings, or an explanation beside it."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path

import numpy as np

from vpp.core.errors import InvalidInputError, VppError
from vpp.core.messages import MARKET, POWER_FORECAST_KW, Event, Readings, Severity
from vpp.core.ports import SeriesTable
from vpp.core.series import resample
from vpp.core.time import TimeGrid, epoch_s
from vpp.runtime.build import require_whole_steps
from vpp.runtime.live import LivePlant
from vpp.runtime.notes import repair_notes
from vpp.streams.table import read_table

SUFFIXES = (".csv", ".parquet")
TAKEN, REFUSED = "taken", "refused"
POLL_S = 2.0
QUIET_NS = 1_000_000_000  # house: allow-1000, a second in nanoseconds


class Inbox:
    """Takes files from a folder into a running plant.

    A file that was read moves to ``taken``; one that was not moves to ``refused`` with its reason in a text beside
    it. Write under another suffix and rename when complete.

    Parameters
    ----------
    folder : Path
        Watched folder; made when it is not there.
    live : LivePlant
        The plant.
    """

    def __init__(self, folder: Path, live: LivePlant) -> None:
        self.folder = folder
        self._live = live
        for name in (TAKEN, REFUSED):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def watch(self) -> threading.Thread:
        """Look every two seconds until the plant stops, in a thread of its own."""
        thread = threading.Thread(target=self._watch, name=f"inbox-{self._live.setup.plant.id}", daemon=True)
        thread.start()
        return thread

    def look(self) -> int:
        """Take every file that lies in the folder now; return how many were taken."""
        taken = 0
        for path in sorted(self.folder.iterdir()):
            if path.suffix.lower() in SUFFIXES and _at_rest(path):
                taken += self._take(path)
        return taken

    def _watch(self) -> None:
        while not self._live.stopping.wait(POLL_S):
            try:
                self.look()
            except OSError as fault:
                self._tell(self._live.clock.now(), Severity.ERROR, f"The inbox cannot be read: {fault}")

    def _take(self, path: Path) -> int:
        live, now = self._live, self._live.clock.now()
        try:
            readings, notes = self._readings(path, now)
            count = live.store.write_readings(readings)
        except VppError as fault:
            refused = _put_aside(path, self.folder / REFUSED)
            refused.with_name(f"{refused.name}.txt").write_text(f"{fault}\n", encoding="utf-8")
            self._tell(now, Severity.ERROR, f"{path.name} was refused: {fault}")
            return 0
        _put_aside(path, self.folder / TAKEN)
        self._tell(now, Severity.INFO, f"{path.name}: {count} new readings")
        for note in notes:
            self._tell(now, Severity.WARNING, note)
        live.hub.publish({"topic": "readings", "count": count})
        return 1

    def _readings(self, path: Path, now: datetime) -> tuple[Readings, list[str]]:
        """Return what a file holds, and in words what was repaired in it or left out."""
        setup = self._live.setup
        read = read_table(path, plant=setup.plant, timezone=setup.timezone.key)
        require_whole_steps(path.name, read.table.grid)
        notes = repair_notes(path.name, read.repairs)
        table = _at_resolution(read.table, setup.resolution_s)
        keys = tuple(key for key in table.keys if key.metric != POWER_FORECAST_KW)
        if len(keys) < len(table.keys):
            notes.append(f"{path.name}: its forecast columns were left out; a running plant makes its own")
        columns = [table.keys.index(key) for key in keys]
        measured = [index for index, key in zip(columns, keys, strict=True) if key.source != MARKET]
        ahead = np.isfinite(table.value[:, measured]).any(axis=1) & (table.grid.times_s > epoch_s(now))
        if ahead.any():
            first = table.grid.time(int(np.flatnonzero(ahead)[0]))
            raise InvalidInputError(
                f"{path.name}:time", first.isoformat(), f"measurements up to now, {now.isoformat()}"
            )
        readings = Readings.from_table(
            setup.plant.id, keys, table.grid.times_s, table.value[:, columns], arrived_s=epoch_s(now)
        )
        return readings, notes

    def _tell(self, now: datetime, severity: Severity, message: str) -> None:
        event = Event(self._live.setup.plant.id, now, "inbox", severity, message)
        self._live.store.write_events([event])
        self._live.hub.publish({"topic": "event", "message": message, "severity": str(severity)})


def _at_rest(path: Path) -> bool:
    """Tell whether a file is whole: nothing was written to it for as long as between two looks."""
    return path.is_file() and time.time_ns() - path.stat().st_mtime_ns >= QUIET_NS  # house: allow-clock, a file's age


def _put_aside(path: Path, folder: Path) -> Path:
    """Move a file into a folder under its own name, or with a number where one of that name lies there already."""
    target, number = folder / path.name, 1
    while target.exists():
        target = folder / f"{path.stem}-{number}{path.suffix}"
        number += 1
    return path.rename(target)


def _at_resolution(table: SeriesTable, resolution_s: int) -> SeriesTable:
    """Return the table on the plant's steps: means of whole steps, or each value repeated."""
    fine_s = table.grid.resolution_s
    if fine_s == resolution_s:
        return table
    if resolution_s % fine_s and fine_s % resolution_s:
        raise InvalidInputError(
            "time", f"steps of {fine_s} s", f"steps that divide or are whole multiples of {resolution_s} s"
        )
    if fine_s > resolution_s:
        value = np.column_stack([resample(column, from_s=fine_s, to_s=resolution_s) for column in table.value.T])
        return SeriesTable(TimeGrid(table.grid.start, resolution_s, len(value)), table.keys, value)
    group = resolution_s // fine_s
    skipped = (-table.grid.start_s % resolution_s) // fine_s
    whole = (table.grid.count - skipped) // group * group
    kept = table.value[skipped : skipped + whole]
    value = np.column_stack([resample(column, from_s=fine_s, to_s=resolution_s) for column in kept.T])
    return SeriesTable(TimeGrid(table.grid.time(skipped), resolution_s, whole // group), table.keys, value)
