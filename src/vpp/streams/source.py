"""Source: a user's file as columns of numbers and one of stamps, or an error that names the cell.

Invariant: what this module returns was read whole. Whatever stands in the file, nothing but a ``VppError`` leaves.
The content decides whether a file is Parquet; everything else is taken for CSV in UTF-8 with commas.
"""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow.parquet import ParquetFile

from vpp.core.errors import InvalidInputError, UnreadableFileError

TIME = "time"
OTHER_TIMES = ("timestamp", "datetime", "date_time", "utc", "local_time", "date")
"""What the column of stamps is called elsewhere, the surest name first; a reader must ask for these."""
LARGEST_FILE_BYTES = 512 * 1024 * 1024
MOST_CELLS = 50_000_000
"""Cells a file, or the grid it spans, may have: a year of minutes in 95 columns, 0.4 GB of numbers."""

_EMPTY = ("", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "null", "NULL", "None", "none")
_PARQUET_MAGIC = b"PAR1"
_OTHER_FORMATS = {
    b"PK": "a spreadsheet or zip archive; save it as CSV (UTF-8, commas) or Parquet",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\xff\xfe": "in UTF-16; save it as UTF-8",
    b"\xfe\xff": "in UTF-16; save it as UTF-8",
}


@dataclass(frozen=True, slots=True)
class RawColumns:
    """A file's content.

    Parameters
    ----------
    name : str
        The file's name, the beginning of every field path.
    row : int array, shape (n,)
        Where each entry stands, counted as a text editor or spreadsheet does: the header is row 1.
    stamps : series, length n
        The time column as it stands in the file.
    values : mapping of str to float array, shape (n,)
        Every other column; NaN for an empty cell.
    """

    name: str
    row: NDArray[np.int64]
    stamps: pd.Series[str]
    values: dict[str, NDArray[np.float64]]

    def where(self, index: int, column: str) -> str:
        """Return the field path of one cell, e.g. ``readings.csv:row 17:home_load_kw``."""
        return f"{self.name}:row {int(self.row[index])}:{column}"


def read_columns(path: Path, *, any_time_name: bool = False) -> RawColumns:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : Path
        The file; the content decides whether it is Parquet.
    any_time_name : bool
        True also takes ``Time`` or one of ``OTHER_TIMES`` for the column of stamps where there is no ``time``.

    Raises
    ------
    UnreadableFileError
        When the file is missing, empty, too large, or not what its name says.
    InvalidInputError
        When a header or a cell is not what it should be.
    """
    head = _head(path)
    if head.startswith(_PARQUET_MAGIC):
        frame = _parquet_frame(path, any_time_name)
    elif path.suffix.lower() in (".parquet", ".pq"):
        raise UnreadableFileError(str(path), "named as Parquet, but its content is not")
    else:
        frame = _csv_frame(path, head, any_time_name)
    if frame.shape[0] * frame.shape[1] > MOST_CELLS:
        raise UnreadableFileError(str(path), f"more than {MOST_CELLS:,} cells; split it")
    row = np.arange(len(frame), dtype=np.int64) + 2
    blank = frame.isna().all(axis=1).to_numpy()
    frame, row = frame[~blank].reset_index(drop=True), row[~blank]
    if frame.empty:
        raise UnreadableFileError(str(path), "it has a header but no rows")
    if TIME not in frame.columns:
        raise InvalidInputError(path.name, list(frame.columns), "a column called 'time'")
    values = {name: _numbers(frame[name], path.name, row, name) for name in frame.columns if name != TIME}
    return RawColumns(path.name, row, frame[TIME], values)


def _head(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise UnreadableFileError(str(path), f"larger than {LARGEST_FILE_BYTES:,} bytes; split it")
        with path.open("rb") as file:
            head = file.read(65_536)
    except UnreadableFileError:
        raise
    except (OSError, ValueError) as fault:
        raise UnreadableFileError(str(path), getattr(fault, "strerror", None) or "it cannot be opened") from fault
    if not head.strip():
        raise UnreadableFileError(str(path), "it is empty")
    return head


def _csv_frame(path: Path, head: bytes, any_time_name: bool) -> pd.DataFrame:
    for magic, what in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise UnreadableFileError(str(path), f"it is {what}")
    if b"\0" in head:
        raise UnreadableFileError(str(path), "it holds binary data, not CSV")
    names = _with_time(_header(path), any_time_name)
    try:
        with warnings.catch_warnings():
            # A row with more cells than the header is cut with no more than this warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                header=None,
                names=names,
                skiprows=1,
                index_col=False,
                dtype={TIME: "string"},
                na_values=list(_EMPTY),
                keep_default_na=False,
                skip_blank_lines=False,
                skipinitialspace=True,
                float_precision="round_trip",
                encoding="utf-8-sig",
                low_memory=False,
            )
    except UnicodeDecodeError as fault:
        raise UnreadableFileError(str(path), "it is not in UTF-8; save it as UTF-8") from fault
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, ValueError) as fault:
        raise UnreadableFileError(str(path), f"it cannot be read as CSV: {fault}") from fault


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = [name.strip() for name in next(csv.reader(file))]
    except UnicodeDecodeError as fault:
        raise UnreadableFileError(str(path), "it is not in UTF-8; save it as UTF-8") from fault
    except (csv.Error, StopIteration) as fault:
        raise UnreadableFileError(str(path), f"its first row cannot be read: {fault}") from fault
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise InvalidInputError(
            f"{path.name}:row 1", names[0], "columns separated by commas (and '.' as decimal point)"
        )
    _require_unique(names, path.name)
    return names


def _parquet_frame(path: Path, any_time_name: bool) -> pd.DataFrame:
    try:
        with ParquetFile(path) as file:
            shape = file.metadata
            if shape.num_rows * shape.num_columns > MOST_CELLS:
                raise UnreadableFileError(str(path), f"more than {MOST_CELLS:,} cells; split it")
            table = file.read()
        _require_unique(table.column_names, path.name)
        table = table.rename_columns(_with_time(table.column_names, any_time_name))
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except (UnreadableFileError, InvalidInputError):
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError) as fault:
        raise UnreadableFileError(str(path), f"it cannot be read as Parquet: {fault}") from fault
    return frame


def _with_time(names: list[str], any_time_name: bool) -> list[str]:
    """Return the names with that of the stamps brought to ``time``, where that was asked for and there is none."""
    if TIME in names or not any_time_name:
        return names
    lowered = [name.lower() for name in names]
    found = next((name for name in (TIME, *OTHER_TIMES) if lowered.count(name) == 1), None)
    return [TIME if name.lower() == found else name for name in names]


def _require_unique(names: list[str], file_name: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"{file_name}:row 1", name, "each column name once")


def _numbers(column: pd.Series[str], file_name: str, row: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """Return a column as floats; text, truth values and infinities are errors that name the cell."""
    # Truth values, dates and durations would pass for numbers.
    if column.dtype.kind in "bmM":
        numbers = np.full(len(column), np.nan)
    else:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = (np.isnan(numbers) & column.notna().to_numpy()) | np.isinf(numbers)
    if bad.any():
        index = int(np.argmax(bad))
        cell = column.iloc[index]
        value = cell.item() if isinstance(cell, np.generic) else cell
        raise InvalidInputError(f"{file_name}:row {int(row[index])}:{name}", value, "a finite number")
    return numbers
