"""Table: a user's file of readings as series on one grid, in the house's sign and units, and back.

Invariant: a file is taken whole or not at all, and whatever was changed on the way is counted in ``repairs``.
Measurements may be bridged over short gaps; prices are never made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vpp.core.assets import Plant
from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError
from vpp.core.messages import Quality
from vpp.core.ports import SeriesTable
from vpp.core.series import fill_short_gaps
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.core.units import SECONDS_PER_HOUR
from vpp.streams.columns import Meaning, RepairKind, check_cells, meanings, understand
from vpp.streams.source import MOST_CELLS, TIME, RawColumns, read_columns
from vpp.streams.stamps import step_length, utc_seconds

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Seconds = NDArray[np.int64]

LONGEST_GAP_S = 3 * SECONDS_PER_HOUR
"""Over three hours load and sun keep near a straight line; over more it would invent a morning peak."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Something found in a file and dealt with.

    Parameters
    ----------
    kind : RepairKind
        What was found.
    column : str
        The file's column, or ``time`` when it concerns whole rows.
    count : int
        Rows, steps or cells concerned.
    first : datetime
        The first of them; UTC.
    message : str
        What was done, in words.
    """

    kind: RepairKind
    column: str
    count: int
    first: datetime
    message: str


@dataclass(frozen=True, slots=True)
class TableReading:
    """A file that was read.

    Parameters
    ----------
    table : SeriesTable
        Its series in the house's sign and units: positive flows toward the grid; NaN where nothing is known.
    quality : int array, shape of ``table.value``
        ``Quality.REPAIRED`` where a value was bridged, clipped or taken from the hour's price.
    last_measured : datetime or None
        Start of the last step in which an asset was measured; later rows hold prices or forecasts only.
    repairs : tuple of Repair
        What was changed or is missing.
    """

    table: SeriesTable
    quality: NDArray[np.int64]
    last_measured: datetime | None
    repairs: tuple[Repair, ...]

    @property
    def resolution_s(self) -> int:
        """Step length of the file [s]."""
        return self.table.grid.resolution_s


@dataclass(frozen=True, slots=True)
class _Rows:
    """A file's rows in order of time, each moment once."""

    times_s: Seconds
    values: Floats
    repaired: Flags
    row: NDArray[np.int64]


def read_table(
    path: str | Path,
    *,
    plant: Plant,
    timezone: str | None = None,
    resolution_s: int | None = None,
    longest_gap_s: int = LONGEST_GAP_S,
) -> TableReading:
    """Read a CSV or Parquet file of a plant's readings.

    Columns are ``time``, ``<asset-id>_kw`` (magnitudes; a battery's is signed, discharge positive),
    ``<asset-id>_forecast_kw`` (a forecast brought along), ``<battery-id>_soc`` (0-1), ``price_per_kwh``,
    ``export_price_per_kwh`` and ``carbon_kg_per_kwh``.

    Parameters
    ----------
    path : str or Path
        The file; the content decides whether it is Parquet.
    plant : Plant
        Whose assets the columns name, and against whose ratings the values are checked.
    timezone : str, optional
        IANA zone of stamps that carry none.
    resolution_s : int, optional
        Step length [s], 60 to 3600; by default the most frequent distance of the stamps.
    longest_gap_s : int
        Interior gaps of measurements up to this long are bridged by a line [s]; 0 bridges none.

    Returns
    -------
    TableReading

    Raises
    ------
    UnreadableFileError
        When the file is missing, empty, too large or in another format.
    NaiveTimeError
        When stamps carry no zone and none is stated.
    UnknownNameError
        For an unknown column or zone, with the nearest names.
    InvalidInputError
        For a cell or stamp that cannot be right, with its row and column.
    """
    raw = read_columns(Path(path))
    columns = understand(raw, plant)
    times_s = utc_seconds(raw.stamps, lambda index: raw.where(index, TIME), timezone=timezone)
    repairs: list[Repair] = []
    checked = []
    repaired = np.zeros((times_s.size, len(columns)), dtype=bool)
    for index, meaning in enumerate(columns):
        values, cell_repairs = check_cells(raw, meaning, plant)
        checked.append(values)
        for found in cell_repairs:
            repairs.append(_repair(found.kind, found.column, times_s[found.cells], found.message))
            repaired[:, index] |= found.cells & np.isfinite(values)
    rows = _in_order(_Rows(times_s, np.column_stack(checked), repaired, raw.row), columns, repairs)
    grid = _grid(raw, rows, resolution_s)
    return _on_grid(rows, grid, columns, repairs, longest_gap_s)


def _repair(kind: RepairKind, column: str, times_s: Seconds, message: str) -> Repair:
    return Repair(kind, column, int(times_s.size), from_epoch_s(int(times_s.min())), message)


def _in_order(rows: _Rows, columns: tuple[Meaning, ...], repairs: list[Repair]) -> _Rows:
    """Sort the rows and let the last row of each moment win, cell by cell; both are counted."""
    backward = np.flatnonzero(np.diff(rows.times_s) < 0) + 1
    if backward.size:
        message = "earlier than the row before; sorted"
        repairs.append(_repair(RepairKind.UNSORTED, TIME, rows.times_s[backward], message))
    order = np.argsort(rows.times_s, kind="stable")
    times_s, values, repaired, row = rows.times_s[order], rows.values[order], rows.repaired[order], rows.row[order]
    first = np.flatnonzero(np.diff(times_s, prepend=times_s[0] - 1))
    if first.size == times_s.size:
        return _Rows(times_s, values, repaired, row)
    group = np.repeat(np.arange(first.size), np.diff(np.append(first, times_s.size)))
    extra = np.ones(times_s.size, dtype=bool)
    extra[first] = False
    repairs.append(_repair(RepairKind.DUPLICATE, TIME, times_s[extra], "the moment occurs again; one row kept"))
    merged = np.full((first.size, len(columns)), np.nan)
    merged_repaired = np.zeros(merged.shape, dtype=bool)
    for index, meaning in enumerate(columns):
        known = np.flatnonzero(np.isfinite(values[:, index]))
        merged[group[known], index] = values[known, index]
        merged_repaired[group[known], index] = repaired[known, index]
        differs = known[values[known, index] != merged[group[known], index]]
        if differs.size:
            message = "the moment's rows hold different values; the last one kept"
            repairs.append(_repair(RepairKind.CONFLICT, meaning.column, times_s[differs], message))
    return _Rows(times_s[first], merged, merged_repaired, row[first])


def _grid(raw: RawColumns, rows: _Rows, resolution_s: int | None) -> TimeGrid:
    def where(index: int) -> str:
        return f"{raw.name}:row {int(rows.row[index])}:{TIME}"

    step_s = step_length(rows.times_s, where, resolution_s=resolution_s, field=raw.name)
    count = int(rows.times_s[-1] - rows.times_s[0]) // step_s + 1
    if count * rows.values.shape[1] > MOST_CELLS:
        first, last = from_epoch_s(int(rows.times_s[0])), from_epoch_s(int(rows.times_s[-1]))
        span = f"{first.isoformat()} to {last.isoformat()} in steps of {step_s} s"
        raise InvalidInputError(f"{raw.name}:{TIME}", span, f"at most {MOST_CELLS:,} cells; is a stamp's year wrong?")
    return TimeGrid(from_epoch_s(int(rows.times_s[0])), step_s, count)


def _on_grid(
    rows: _Rows, grid: TimeGrid, columns: tuple[Meaning, ...], repairs: list[Repair], longest_gap_s: int
) -> TableReading:
    step = (rows.times_s - grid.start_s) // grid.resolution_s
    placed = np.full((grid.count, len(columns)), np.nan)
    placed[step] = rows.values
    repaired = np.zeros(placed.shape, dtype=bool)
    repaired[step] = rows.repaired
    measures = [meaning.measures for meaning in columns]
    measured = np.flatnonzero(np.isfinite(placed[:, measures]).any(axis=1))
    longest_steps = longest_gap_s // grid.resolution_s
    for index, meaning in enumerate(columns):
        if meaning.asset is None:
            kind, message = RepairKind.HOURLY_PRICE, "stated once an hour; holds for the whole hour"
            filled, made = _hourly(placed[:, index], grid)
        else:
            kind, message = RepairKind.FILLED, f"short gap of at most {longest_gap_s} s; bridged by a line"
            filled, made = fill_short_gaps(placed[:, index], longest=longest_steps)
        if made.any():
            repairs.append(_repair(kind, meaning.column, grid.times_s[made], message))
        missing = _interior_gaps(filled)
        if missing.any():
            repairs.append(_repair(RepairKind.GAP, meaning.column, grid.times_s[missing], "missing; left empty"))
        # 0 - x instead of -x: an idle consumer is 0, not -0.
        placed[:, index] = filled if meaning.sign > 0.0 else 0.0 - filled
        repaired[:, index] |= made
    table = SeriesTable(grid, tuple(meaning.key for meaning in columns), placed)
    quality = np.where(repaired, int(Quality.REPAIRED), int(Quality.GOOD)).astype(np.int64)
    last = grid.time(int(measured[-1])) if measured.size else None
    return TableReading(table, quality, last, tuple(repairs))


def _hourly(values: Floats, grid: TimeGrid) -> tuple[Floats, Flags]:
    """Spread a price over its hour where the column states prices on full hours and, nowhere, between them."""
    seconds_in_hour = grid.times_s % SECONDS_PER_HOUR
    known = np.isfinite(values)
    nothing = np.zeros(values.shape, dtype=bool)
    # One price alone says nothing about how often the column states them.
    if grid.resolution_s == SECONDS_PER_HOUR or known.sum() < 2 or (known & (seconds_in_hour != 0)).any():
        return values, nothing
    source = np.arange(values.size) - seconds_in_hour // grid.resolution_s
    made: Flags = ~known & (source >= 0) & known[np.maximum(source, 0)]
    filled = values.copy()
    filled[made] = values[source[made]]
    return filled, made


def _interior_gaps(values: Floats) -> Flags:
    known = np.flatnonzero(np.isfinite(values))
    missing: Flags = np.isnan(values)
    if known.size:
        missing[: known[0]] = False
        missing[known[-1] :] = False
    else:
        missing[:] = False
    return missing


def write_table(path: str | Path, table: SeriesTable, plant: Plant) -> None:
    """Write series as a file that ``read_table`` reads back: Parquet when the name says so, else CSV.

    The file appears whole or not at all. Stamps are written in UTC, numbers with all their digits.

    Raises
    ------
    UnknownNameError
        When the plant has no column for a series.
    UnreadableFileError
        When the file cannot be written.
    """
    target = Path(path)
    columns = {meaning.key: meaning for meaning in meanings(plant).values()}
    frame = pd.DataFrame({TIME: pd.to_datetime(table.grid.times_s, unit="s", utc=True)})
    for key in table.keys:
        if key not in columns:
            raise UnknownNameError(f"column of plant {plant.id!r} for the series", str(key), map(str, columns))
        values = table.column(key)
        frame[columns[key].column] = values if columns[key].sign > 0.0 else 0.0 - values
    draft = target.with_name(f".{target.name}.draft")
    try:
        if target.suffix.lower() in (".parquet", ".pq"):
            frame.to_parquet(draft, engine="pyarrow", index=False)
        else:
            frame[TIME] = frame[TIME].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
            frame.to_csv(draft, index=False)
        draft.replace(target)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise UnreadableFileError(str(target), f"it cannot be written: {fault.strerror}") from fault
