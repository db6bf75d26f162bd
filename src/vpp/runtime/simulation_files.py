"""Simulations written to files: JSON Lines, CSV and Parquet by the name's ending, whole or in parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vpp.core.errors import InvalidInputError
from vpp.runtime.simulation_record import RecordColumns, records
from vpp.simulation.plant.fleet import FleetChunk

SUFFIXES = (".jsonl", ".csv", ".parquet")
_ROWS_AT_ONCE = 20_000
Progress = Callable[[int, int], None]
"""Told how many rows are written, of how many."""


def silent(_done: int, _all: int) -> None:
    """Tell nobody."""


def check_suffix(path: Path, *, known: Sequence[str] = SUFFIXES) -> Path:
    """Return the path when its ending names a known format.

    Raises
    ------
    InvalidInputError
        For another ending; the known ones are named.
    """
    if path.suffix.lower() not in known:
        raise InvalidInputError("--output", str(path), f"a name ending in {', '.join(known)}")
    return path


def json_lines(tables: Sequence[RecordColumns]) -> Iterator[str]:
    """Yield records as JSON, one line each, by time then site."""
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
    return (encode(record) for record in records(tables))


def write_records(tables: Sequence[RecordColumns], path: Path, *, progress: Progress = silent) -> int:
    """Write the records of a run and return how many there are.

    Parameters
    ----------
    tables : sequence of RecordColumns
        One per site, on the same steps.
    path : Path
        Ends in .jsonl, .csv or .parquet; in the tables, columns have dotted names such as ``solar.generation_kw``.
    progress : callable, optional
        Told how far it is.
    """
    check_suffix(path)
    steps = tables[0].grid.count
    total, size = steps * len(tables), max(1, _ROWS_AT_ONCE // len(tables))
    kind = path.suffix.lower()
    with path.open("wb") as file:
        writer: Any = None
        for first in range(0, steps, size):
            stop = min(first + size, steps)
            some = [table.rows(first, stop) for table in tables]
            if kind == ".jsonl":
                file.write("".join(f"{line}\n" for line in json_lines(some)).encode())
            elif kind == ".csv":
                file.write(_frame(some, tables).to_csv(index=False, header=first == 0, lineterminator="\n").encode())
            else:
                part = pa.Table.from_pandas(_frame(some, tables), preserve_index=False)
                writer = writer or pq.ParquetWriter(file, part.schema)
                writer.write_table(part)
            progress(stop * len(tables), total)
        if writer is not None:
            writer.close()
    return total


def _frame(some: Sequence[RecordColumns], tables: Sequence[RecordColumns]) -> pd.DataFrame:
    """Return the records of several sites as one table, by time then site, with the columns of all."""
    names = dict.fromkeys(name for table in tables for name in table.rows(0, 0).flat())
    flow = "net_grid_flow_kw"
    order = [*(name for name in names if name != flow), flow]
    frame = pd.concat([pd.DataFrame(table.flat()).reindex(columns=order) for table in some], ignore_index=True)
    place = np.arange(len(frame)).reshape(len(some), -1).T.ravel()
    return frame.iloc[place].reset_index(drop=True)


def write_fleet(chunks: Iterator[FleetChunk], path: Path, *, homes: int, progress: Progress = silent) -> int:
    """Write a fleet to Parquet as it comes, one row per home and time, and return how many rows there are.

    Columns: ``home``, ``time`` (UTC), the magnitudes ``load_kw``, ``solar_kw``, ``ev_kw`` and ``heat_pump_kw``, then
    ``battery_kw`` (positive discharges), ``soc`` and ``grid_kw`` (positive feeds in): the signs of the house.
    """
    check_suffix(path, known=(".parquet",))
    rows = 0
    writer: pq.ParquetWriter | None = None
    try:
        for chunk in chunks:
            part = _fleet_table(chunk)
            if writer is None:
                writer = pq.ParquetWriter(path, part.schema, compression="snappy", use_dictionary=["home", "time"])
            writer.write_table(part)
            rows += part.num_rows
            progress(int(chunk.homes.number[-1]) + 1, homes)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _fleet_table(chunk: FleetChunk) -> pa.Table:
    steps, homes = chunk.load_kw.shape
    times = np.tile(chunk.grid.times_s, homes)
    columns: dict[str, Any] = {
        "home": pa.array(np.repeat(chunk.homes.number, steps).astype(np.int32)),
        "time": pa.array(times, type=pa.timestamp("s", tz="UTC")),
    }
    for name in ("load_kw", "solar_kw", "ev_kw", "heat_pump_kw", "battery_kw", "soc", "grid_kw"):
        columns[name] = pa.array(np.ascontiguousarray(getattr(chunk, name).T).ravel())
    return pa.table(columns)
