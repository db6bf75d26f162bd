"""Readings in files, one row each: CSV, JSON Lines and Parquet by the name's ending, read and written block by block.

Invariant: neither way holds more than a block of rows, and a file is there whole or not at all.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, UnreadableFileError, VppError
from vpp.core.messages import Readings
from vpp.store.row_blocks import COLUMNS, Defaults, check_columns, columns_of, readings_of

SUFFIXES = (".csv", ".jsonl", ".parquet")
ROWS_AT_ONCE = 50_000
LONGEST_LINE = 65_536
"""A row is some hundred bytes; a line without end must not fill the memory."""
Progress = Callable[[int], None]
"""Told how many rows are done."""

_MOMENT = pa.timestamp("ms", tz="UTC")
_SCHEMA = pa.schema(
    [
        *((name, pa.dictionary(pa.int32(), pa.string())) for name in COLUMNS[:3]),
        ("time", _MOMENT),
        ("value", pa.float64()),
        ("quality", pa.int16()),
        ("issued_at", _MOMENT),
        ("arrived_at", _MOMENT),
    ]
)
_NUMBER = (int, float)
_WORD = (str,)
_TIMES = ("time", "issued_at", "arrived_at")
_MS_PER_S = 1000  # house: allow-1000, milliseconds in a second, as Parquet keeps times


def check_suffix(path: Path) -> str:
    """Return the ending of a file's name when it says a known format.

    Raises
    ------
    InvalidInputError
        For another ending; the known ones are named.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInputError("file", str(path), f"a name ending in {', '.join(SUFFIXES)}")
    return suffix


def write_rows(blocks: Iterable[Readings], path: Path, *, progress: Progress | None = None) -> int:
    """Write readings to a file and return how many there were; it appears, whole, when all are in it.

    Parameters
    ----------
    blocks : iterable of Readings
        What to write, in the order the rows are to stand.
    path : Path
        Ends in .csv, .jsonl or .parquet; what stood there is replaced.
    """
    write = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}[check_suffix(path)]
    with appearing(path) as file:
        return write(blocks, file, progress or _silent)


def read_rows(path: Path, defaults: Defaults) -> Iterator[Readings]:
    """Yield the readings of a file, block by block, one set for each plant in a block.

    Raises
    ------
    InvalidInputError
        For the first row that cannot be taken: file, line, field, value and range are named.
    UnreadableFileError
        When the file cannot be read or is not in the format its name says.
    """
    read = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}[check_suffix(path)]
    try:
        yield from read(path, defaults)
    except VppError:
        raise
    except OSError as fault:
        raise UnreadableFileError(str(path), str(fault.strerror or fault)) from fault
    except UnicodeDecodeError as fault:
        raise UnreadableFileError(str(path), f"no UTF-8 text ({fault.reason} at byte {fault.start})") from fault


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name, on the disk, when the block has ended without an error; else it goes."""
    new = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        flush_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _silent(_done: int) -> None:
    """Tell nobody."""


def _written(blocks: Iterable[Readings], progress: Progress) -> Iterator[Readings]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress(done)


def _words_of(time_s: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.datetime_as_string(time_s.astype("datetime64[s]"), unit="s", timezone="UTC")


def _write_csv(blocks: Iterable[Readings], file: BinaryIO, progress: Progress) -> int:
    rows = 0
    file.write((",".join(COLUMNS) + "\n").encode())
    for block in _written(blocks, progress):
        columns = columns_of(block)
        table = pa.table({**columns, **{name: _words_of(columns[name]) for name in _TIMES}})
        pyarrow.csv.write_csv(
            table, file, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed", delimiter=",")
        )
        rows += len(block)
    return rows


def _write_jsonl(blocks: Iterable[Readings], file: BinaryIO, progress: Progress) -> int:
    rows = 0
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
    for block in _written(blocks, progress):
        columns = columns_of(block)
        lists = [_words_of(columns[name]).tolist() if name in _TIMES else _plain(columns[name]) for name in COLUMNS]
        lines = (encode(dict(zip(COLUMNS, row, strict=True))) for row in zip(*lists, strict=True))
        file.write("".join(f"{line}\n" for line in lines).encode())
        rows += len(block)
    return rows


def _plain(column: Any) -> list[Any]:
    listed: list[Any] = column.tolist() if isinstance(column, np.ndarray) else column
    return listed


def _write_parquet(blocks: Iterable[Readings], file: BinaryIO, progress: Progress) -> int:
    rows = 0
    with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        for block in _written(blocks, progress):
            columns = columns_of(block)
            times = {name: pa.array(columns[name] * _MS_PER_S, type=_MOMENT) for name in _TIMES}
            arrays = {**columns, **times, "quality": pa.array(columns["quality"].astype(np.int16))}
            writer.write_table(pa.table({name: arrays[name] for name in COLUMNS}).cast(_SCHEMA))
            rows += len(block)
    return rows


def _read_csv(path: Path, defaults: Defaults) -> Iterator[Readings]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(_lines(file, path), strict=True)
        try:
            header = next(reader, [])
            check_columns(header, defaults, where=f"{path.name} line 1")
            while True:
                first = reader.line_num + 1
                rows = list(islice(reader, ROWS_AT_ONCE))
                if not rows:
                    return
                yield from _of_csv_rows(rows, header, defaults, path, first)
        except csv.Error as fault:
            raise UnreadableFileError(str(path), f"line {reader.line_num}: no CSV ({fault})") from fault


def _of_csv_rows(
    rows: list[list[str]], header: list[str], defaults: Defaults, path: Path, first: int
) -> Iterator[Readings]:
    def where(row: int) -> str:
        # Names hold no line breaks, so before the first row that is refused every row is one line.
        return f"{path.name} line {first + row}"

    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise InvalidInputError(where(i), ",".join(row)[:80], f"{len(header)} fields: {', '.join(header)}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    yield from readings_of(columns, len(rows), defaults, where=where)


def _lines(file: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if len(line) > LONGEST_LINE:
            raise UnreadableFileError(str(path), f"line {number}: longer than {LONGEST_LINE} characters")
        yield line


def _read_jsonl(path: Path, defaults: Defaults) -> Iterator[Readings]:
    with path.open(encoding="utf-8", newline="\n") as file:
        lines = _lines(file, path)
        first = 1
        while some := list(islice(lines, ROWS_AT_ONCE)):
            yield from _of_json_lines(some, defaults, path, first)
            first += len(some)


def _of_json_lines(lines: list[str], defaults: Defaults, path: Path, first: int) -> Iterator[Readings]:
    def where(row: int) -> str:
        return f"{path.name} line {first + row}"

    rows: list[dict[str, Any]] = []
    names: tuple[str, ...] = ()
    for i, line in enumerate(lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise InvalidInputError(where(i), line[:80], "one JSON object") from fault
        if not isinstance(row, dict):
            raise InvalidInputError(where(i), line[:80], "one JSON object")
        if tuple(row) != names:
            if rows and set(row) != set(names):
                raise InvalidInputError(where(i), sorted(row), f"the fields of the lines before, {', '.join(names)}")
            names = tuple(row)
            check_columns(names, defaults, where=where(i))
        for name in names:
            if type(row[name]) not in (_NUMBER if name in ("value", "quality") else _WORD):
                kind = "a number" if name in ("value", "quality") else "a word"
                raise InvalidInputError(f"{where(i)}, {name}", row[name], kind)
        rows.append(row)
    columns = {name: [row[name] for row in rows] for name in names}
    yield from readings_of(columns, len(rows), defaults, where=where)


def _read_parquet(path: Path, defaults: Defaults) -> Iterator[Readings]:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as fault:
        raise UnreadableFileError(str(path), f"no Parquet file ({fault})") from fault
    with file:
        schema = file.schema_arrow
        check_columns(schema.names, defaults, where=path.name)
        _check_types(schema, path)
        first = 1
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
            rows = first

            def where(row: int, rows: int = rows) -> str:
                return f"{path.name} row {rows + row}"

            columns = {name: _of_arrow(batch.column(name), name, where) for name in schema.names}
            if batch.num_rows:
                yield from readings_of(columns, batch.num_rows, defaults, where=where)
            first += batch.num_rows


def _check_types(schema: pa.Schema, path: Path) -> None:
    for name in schema.names:
        kind = schema.field(name).type
        if name in _TIMES:
            fits, expected = pa.types.is_timestamp(kind) and kind.tz is not None, "times with a zone"
        elif name in ("value", "quality"):
            fits, expected = pa.types.is_floating(kind) or pa.types.is_integer(kind), "numbers"
        else:
            inner = kind.value_type if pa.types.is_dictionary(kind) else kind
            fits, expected = pa.types.is_string(inner) or pa.types.is_large_string(inner), "words"
        if not fits:
            raise InvalidInputError(f"{path.name}, {name}", str(kind), expected)


def _of_arrow(column: pa.Array, name: str, where: Callable[[int], str]) -> Any:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise InvalidInputError(f"{where(row)}, {name}", None, "a value in every row")
    if name in _TIMES:
        ticks = column.cast(pa.int64()).to_numpy()
        per_second = {"s": 1, "ms": _MS_PER_S, "us": _MS_PER_S**2, "ns": _MS_PER_S**3}[column.type.unit]
        seconds, rest = np.divmod(ticks, per_second)
        if rest.any():
            row = int(np.argmax(rest != 0))
            raise InvalidInputError(f"{where(row)}, {name}", str(column[row].as_py()), "whole seconds")
        return seconds
    if name in ("value", "quality"):
        return column.to_numpy()
    return column.to_pylist()
