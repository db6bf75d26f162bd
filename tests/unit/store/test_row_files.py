"""Readings in files: exact on the way out and back in, and refused by file, line, field, value and range."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, UnknownNameError, UnreadableFileError
from vpp.core.messages import Reading, Readings, SeriesKey
from vpp.core.time import from_epoch_s
from vpp.store.row_blocks import Defaults
from vpp.store.row_files import SUFFIXES, read_rows, write_rows

SAID = Defaults(None, 0)
HOMES = Defaults("homes", 1_700_000_060)
HEADER = "source,metric,time,value"
GOOD = "home01_load,power_kw,2026-11-20T15:00:00Z,-1.25"

SECONDS = st.integers(31_536_000, 7_258_118_400)
READING = st.builds(
    Reading,
    plant=st.sampled_from(["homes", "wholesale"]),
    key=st.builds(SeriesKey, st.sampled_from(["home01", "market"]), st.sampled_from(["power_kw", "soc"])),
    time=SECONDS.map(from_epoch_s),
    value=st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0),
    issued_at=SECONDS.map(from_epoch_s),
    arrived_at=SECONDS.map(from_epoch_s),
    quality=st.integers(0, 63),
)


def rows_of(blocks) -> list[Reading]:
    return [row for block in blocks for row in block.rows()]


def text_file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(rows=st.lists(READING, max_size=20))
def test_rows_come_back_exactly(tmp_path: Path, suffix: str, rows: list[Reading]) -> None:
    blocks = [Readings.of([row]) for row in rows]
    path = tmp_path / f"rows{suffix}"
    told: list[int] = []
    assert write_rows(blocks, path, progress=told.append) == len(rows)
    assert told == list(range(1, len(rows) + 1))
    # Within a block of a file, plants stand one after the other; within a plant, rows keep their order.
    by_plant = sorted(rows_of(read_rows(path, SAID)), key=lambda row: row.plant)
    assert by_plant == sorted(rows, key=lambda row: row.plant)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_blocks_come_back(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpp.store.row_files.ROWS_AT_ONCE", 7)
    key = SeriesKey("home01", "power_kw")
    rows = [
        Reading("homes", key, from_epoch_s(i * 10**8), i / 7, from_epoch_s(10**9), from_epoch_s(10**9))
        for i in range(1, 51)
    ]
    path = tmp_path / f"rows{suffix}"
    write_rows([Readings.of(rows)], path)
    blocks = list(read_rows(path, SAID))
    assert max(map(len, blocks)) == 7
    assert rows_of(blocks) == rows


def test_what_a_file_leaves_out_is_taken_from_the_defaults(tmp_path: Path) -> None:
    (row,) = rows_of(read_rows(text_file(tmp_path, "a.csv", HEADER, GOOD), HOMES))
    assert (row.plant, row.value, row.quality) == ("homes", -1.25, 0)
    assert row.arrived_at == row.issued_at == from_epoch_s(1_700_000_060)
    line = json.dumps({"source": "home01", "metric": "soc", "time": "2026-11-20T16:00:00+01:00", "value": 1})
    (row,) = rows_of(read_rows(text_file(tmp_path, "a.jsonl", line), HOMES))
    assert row.time.isoformat() == "2026-11-20T15:00:00+00:00"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("home01_load,power_kw,2026-11-20T15:00:00Z,abc", r"a.csv line 3, value: got 'abc', expected a finite number"),
        ("home01_load,power_kw,2026-11-20T15:00:00Z,nan", r"a.csv line 3, value: got 'nan', expected a finite number"),
        ("home01_load,power_kw,2026-11-20T15:00:00Z,1e400", r"line 3, value: got '1e400', expected a finite number"),
        ("home01_load,power_kw,2026-11-20T15:00:00,1", r"line 3, time: got '2026-11-20T15:00:00', expected whole sec"),
        ("home01_load,power_kw,2026-11-20T15:00:00.5Z,1", r"line 3, time: .* whole seconds between 1971 and 2200"),
        ("home01_load,power_kw,1970-01-01T00:00:00Z,1", r"line 3, time: got '1970-.* between 1971 and 2200"),
        ("Home 01,power_kw,2026-11-20T15:00:00Z,1", r"line 3, source: got 'Home 01', expected a lower-case slug"),
        (",power_kw,2026-11-20T15:00:00Z,1", r"line 3, source: got '', expected a lower-case slug"),
        ("home01_load,power_kw,2026-11-20T15:00:00Z", r"a.csv line 3: got .* expected 4 fields: source, metric"),
        ("", r"a.csv line 3: got '', expected 4 fields"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        list(read_rows(text_file(tmp_path, "a.csv", HEADER, GOOD, line, GOOD), HOMES))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"a.jsonl line 2: got '\{.*', expected one JSON object"),
        ("[1]", r"line 2: got .* expected one JSON object"),
        ("[" * 60_000, r"line 2: got .* expected one JSON object"),
        ('{"source":"a","metric":"m","time":5,"value":1}', "line 2, time: got 5"),
        ('{"source":"a","metric":"m","time":"2026-11-20T15:00:00Z","value":true}', "line 2, value: got True"),
        ('{"source":"a","metric":"m","time":"2026-11-20T15:00:00Z","value":NaN}', "line 2, value: got nan"),
        ('{"source":"a","metric":"m","time":"2026-11-20T15:00:00Z","value":null}', "line 2, value: got None"),
        ('{"source":["a"],"metric":"m","time":"2026-11-20T15:00:00Z","value":1}', r"line 2, source: got \['a'\]"),
        (
            '{"source":"a","metric":"m","time":"2026-11-20T15:00:00Z","value":1,"quality":0}',
            "fields of the lines before",
        ),
        ('{"source":"a","metric":"m","time":"2026-11-20T15:00:00Z"}', "line 2"),
    ],
)
def test_a_bad_json_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    good = json.dumps(dict(zip(HEADER.split(","), ("a", "m", "2026-11-20T15:00:00Z", 1.0), strict=True)))
    with pytest.raises(InvalidInputError, match=message):
        list(read_rows(text_file(tmp_path, "a.jsonl", good, line), HOMES))


def test_bad_flags_are_named(tmp_path: Path) -> None:
    for flags in ("-1", "64", "1.5", "x"):
        path = text_file(tmp_path, "a.csv", f"{HEADER},quality", f"{GOOD},0", f"{GOOD},{flags}")
        with pytest.raises(InvalidInputError, match=r"line 3, quality: .* a sum of quality flags, 0 to 63"):
            list(read_rows(path, HOMES))


def test_bad_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no column .* called 'sourse'; did you mean: source"):
        list(read_rows(text_file(tmp_path, "a.csv", "sourse,metric,time,value"), HOMES))
    with pytest.raises(InvalidInputError, match="a column value"):
        list(read_rows(text_file(tmp_path, "a.csv", "source,metric,time"), HOMES))
    with pytest.raises(InvalidInputError, match="or name the plant of all rows"):
        list(read_rows(text_file(tmp_path, "a.csv", HEADER), SAID))
    with pytest.raises(InvalidInputError, match="each column once"):
        list(read_rows(text_file(tmp_path, "a.csv", f"{HEADER},value"), HOMES))
    other = text_file(tmp_path, "a.csv", f"plant,{HEADER}", f"homes,{GOOD}", f"else,{GOOD}")
    with pytest.raises(InvalidInputError, match="line 3, plant: got 'else', expected homes"):
        list(read_rows(other, HOMES))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"a name ending in \.csv, \.jsonl, \.parquet"):
        list(read_rows(tmp_path / "a.txt", HOMES))
    with pytest.raises(UnreadableFileError, match="No such file"):
        list(read_rows(tmp_path / "a.csv", HOMES))
    (tmp_path / "a.parquet").write_bytes(b"PAR?")
    with pytest.raises(UnreadableFileError, match="no Parquet file"):
        list(read_rows(tmp_path / "a.parquet", HOMES))
    (tmp_path / "a.csv").write_bytes(HEADER.encode() + b"\nhome\xff,m,t,1\n")
    with pytest.raises(UnreadableFileError, match="no UTF-8 text"):
        list(read_rows(tmp_path / "a.csv", HOMES))
    text_file(tmp_path, "a.csv", HEADER, '"open')
    with pytest.raises(UnreadableFileError, match="no CSV"):
        list(read_rows(tmp_path / "a.csv", HOMES))
    text_file(tmp_path, "a.csv", HEADER, "x" * 100_000)
    with pytest.raises(UnreadableFileError, match="line 2: longer than 65536"):
        list(read_rows(tmp_path / "a.csv", HOMES))


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("time", pa.array([5]), "a.parquet, time: got 'int64', expected times with a zone"),
        ("time", pa.array([5], pa.timestamp("s")), "expected times with a zone"),
        ("time", pa.array([10**12 + 1], pa.timestamp("ms", "UTC")), "row 1, time: .* whole seconds"),
        ("time", pa.array([None], pa.timestamp("s", "UTC")), "row 1, time: got None, expected a value in every row"),
        ("value", pa.array(["1"]), "a.parquet, value: got 'string', expected numbers"),
        ("source", pa.array([1]), "a.parquet, source: got 'int64', expected words"),
    ],
)
def test_bad_parquet_columns_are_named(tmp_path: Path, name: str, column: pa.Array, message: str) -> None:
    good = {
        "source": pa.array(["a"]),
        "metric": pa.array(["m"]),
        "time": pa.array([10**9], pa.timestamp("s", "UTC")),
        "value": pa.array([1]),
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(good), path)
    assert rows_of(read_rows(path, HOMES))[0].time == from_epoch_s(10**9)
    pq.write_table(pa.table({**good, name: column}), path)
    with pytest.raises(InvalidInputError, match=message):
        list(read_rows(path, HOMES))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", "what stood there")

    def broken():
        yield Readings.from_table(
            "homes", (SeriesKey("a", "m"),), np.array([10**9]), np.array([[1.0]]), arrived_s=10**9
        )
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_rows(broken(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "what stood there\n"
