from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vpp.core.assets import Battery, GridConnection, Load, Plant, Site, SolarArray, WindTurbine
from vpp.core.errors import InvalidInputError, NaiveTimeError, UnknownNameError, UnreadableFileError, VppError
from vpp.core.messages import CARBON_KG_PER_KWH, MARKET, POWER_KW, PRICE_PER_KWH, SOC, Quality, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid, parse_time
from vpp.streams.columns import RepairKind
from vpp.streams.table import TableReading, read_table, write_table

PLANT = Plant(
    id="home",
    name="Home",
    timezone="Europe/Amsterdam",
    currency="EUR",
    sites=(
        Site(
            id="site",
            assets=(
                Load(id="house", peak_kw=10.0),
                SolarArray(id="roof", peak_kw=5.0),
                WindTurbine(id="mill", rated_kw=2.0),
                Battery(id="cell", capacity_kwh=10.0, charge_max_kw=5.0, discharge_max_kw=4.0),
            ),
        ),
    ),
)
HOUSE, ROOF, CELL = (SeriesKey(name, POWER_KW) for name in ("house", "roof", "cell"))
PRICE = SeriesKey(MARKET, PRICE_PER_KWH)


def read(tmp_path: Path, text: str | bytes, *, name: str = "in.csv", **options) -> TableReading:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, plant=options.pop("plant", PLANT), **options)


def rows(values: dict[str, list[str]], *, start: str = "2016-08-01T00:00:00Z", step: str = "15min") -> str:
    """Return CSV text of columns on a regular UTC grid."""
    count = len(next(iter(values.values())))
    stamps = pd.date_range(start, periods=count, freq=step).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [",".join(cells) for cells in zip(stamps, *values.values(), strict=True)]
    return "\n".join(["time," + ",".join(values), *lines]) + "\n"


def kinds(reading: TableReading) -> dict[tuple[str, str], int]:
    return {(str(repair.kind), repair.column): repair.count for repair in reading.repairs}


def test_files_are_turned_to_the_house_sign(tmp_path: Path) -> None:
    text = rows(
        {
            "house_kw": ["1", "0"],
            "roof_kw": ["0", "2.5"],
            "cell_kw": ["-3", "3"],
            "cell_soc": ["0.5", "1"],
            "price_per_kwh": ["0.2", "-0.1"],
            "carbon_kg_per_kwh": ["0.3", ""],
        }
    )
    reading = read(tmp_path, text)
    table = reading.table
    assert table.column(HOUSE).tolist() == [-1.0, 0.0]
    assert not np.signbit(table.column(HOUSE)[1])
    assert table.column(ROOF).tolist() == [0.0, 2.5]
    assert table.column(CELL).tolist() == [-3.0, 3.0]
    assert table.column(SeriesKey("cell", SOC)).tolist() == [0.5, 1.0]
    assert table.column(PRICE).tolist() == [0.2, -0.1]
    assert np.isnan(table.column(SeriesKey(MARKET, CARBON_KG_PER_KWH))[1])
    assert reading.repairs == ()
    assert reading.resolution_s == 900


@pytest.mark.parametrize("minutes", [1, 5, 10, 15, 30, 60])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_usual_resolution_is_told_from_the_stamps(tmp_path: Path, minutes: int, suffix: str) -> None:
    grid = TimeGrid(parse_time("2016-08-01T00:00Z"), 60 * minutes, 7)
    table = SeriesTable(grid, (ROOF, PRICE), np.arange(14.0).reshape(7, 2) / 10.0)
    write_table(tmp_path / f"out.{suffix}", table, PLANT)
    reading = read_table(tmp_path / f"out.{suffix}", plant=PLANT)
    assert reading.table.grid == grid
    np.testing.assert_array_equal(reading.table.value, table.value)


def test_the_last_measurement_is_told_from_prices_ahead(tmp_path: Path) -> None:
    reading = read(tmp_path, rows({"house_kw": ["1", "2", "", ""], "price_per_kwh": ["0.1", "0.1", "0.2", "0.3"]}))
    assert reading.last_measured == parse_time("2016-08-01T00:15Z")
    assert reading.repairs == ()
    assert read(tmp_path, rows({"price_per_kwh": ["0.1", "0.1"]})).last_measured is None


ERRORS = {
    "text in a number column": (
        rows({"house_kw": ["1", "oops", "3"]}),
        InvalidInputError,
        r"in\.csv:row 3:house_kw: got 'oops', expected a finite number",
    ),
    "truth value": (rows({"house_kw": ["True", "False"]}), InvalidInputError, "row 2:house_kw"),
    "infinity": (rows({"house_kw": ["1", "inf"]}), InvalidInputError, "row 3:house_kw: got inf"),
    "huge digits": (rows({"house_kw": ["1", "1e999"]}), InvalidInputError, "row 3:house_kw"),
    "decimal comma": ('time,house_kw\n2016-08-01T00:00Z,"1,5"\n', InvalidInputError, "row 2:house_kw: got '1,5'"),
    "W for kW, load": (rows({"house_kw": ["500", "800", "450"]}), InvalidInputError, "row 3:house_kw.*looks like W"),
    "W for kW, battery": (rows({"cell_kw": ["-3000", "2000", "0"]}), InvalidInputError, "row 2:cell_kw.*looks like W"),
    "EUR/MWh": (rows({"price_per_kwh": ["36.1", "40"]}), InvalidInputError, "row 3:price_per_kwh.*like EUR/MWh"),
    "g/kWh": (rows({"carbon_kg_per_kwh": ["361", "400"]}), InvalidInputError, "row 3:carbon.*like g/kWh"),
    "percent": (rows({"cell_soc": ["50", "40"]}), InvalidInputError, "row 2:cell_soc.*percent"),
    "negative SOC": (rows({"cell_soc": ["0.5", "-0.4"]}), InvalidInputError, "row 3:cell_soc.*0 to 1"),
    "signed load": (rows({"house_kw": ["-1", "-2"]}), InvalidInputError, "row 2:house_kw.*consumption as a positive"),
    "signed PV": (rows({"roof_kw": ["0", "-2"]}), InvalidInputError, "row 3:roof_kw.*generation as a positive"),
    "unknown column": (rows({"hous_kw": ["1", "2"]}), UnknownNameError, "'hous_kw'; did you mean: house_kw"),
    "a column twice": ("time,house_kw,house_kw\n2016-08-01T00:00Z,1,2\n", InvalidInputError, "each column name once"),
    "no time": ("stamp,house_kw\n2016-08-01T00:00Z,1\n", InvalidInputError, "a column called 'time'"),
    "only time": ("time\n2016-08-01T00:00Z\n2016-08-01T01:00Z\n", InvalidInputError, "a column besides 'time'"),
    "semicolons": ("time;house_kw\n2016-08-01T00:00Z;1\n", InvalidInputError, "separated by commas"),
    "cells beyond the header": ("time,house_kw\n2016-08-01T00:00Z,1,7,8\n", UnreadableFileError, "as CSV"),
    "one row with more": ("time,house_kw\n2016-08-01T00:00Z,1\n2016-08-01T01:00Z,1,7\n", UnreadableFileError, "line 3"),
    "empty": ("", UnreadableFileError, "it is empty"),
    "blank": (" \n \n", UnreadableFileError, "it is empty"),
    "header only": ("time,house_kw\n", UnreadableFileError, "no rows"),
    "binary": (b"time,house_kw\n\x00\x01\x02\xff", UnreadableFileError, "binary"),
    "garbage": (b"\x89\xfa\xc3\x28\xa0\xa1" * 50, UnreadableFileError, "not in UTF-8"),
    "latin-1 in a late row": (rows({"house_kw": ["1", "2"]}).encode() + b"\xe9,3\n", UnreadableFileError, "UTF-8"),
    "spreadsheet": (b"PK\x03\x04 and so on", UnreadableFileError, "spreadsheet"),
    "UTF-16": ("time,house_kw\n".encode("utf-16"), UnreadableFileError, "UTF-16"),
    "torn Parquet": (b"PAR1 and no more", UnreadableFileError, "as Parquet"),
    "naive": ("time,house_kw\n2016-08-01 00:00,1\n2016-08-01 01:00,1\n", NaiveTimeError, "row 2:time.*state the time"),
    "some naive": ("time,house_kw\n2016-08-01T00:00Z,1\n2016-08-01T01:00,1\n", InvalidInputError, "row 3:time.*zone"),
    "no stamp": ("time,house_kw\n2016-08-01T00:00Z,1\n,1\n", InvalidInputError, "row 3:time: got 'nothing'"),
    "no date": ("time,house_kw\nyesterday,1\n", InvalidInputError, "row 2:time: got 'yesterday', expected an ISO 8601"),
    "epoch seconds": ("time,house_kw\n1470009600,1\n", InvalidInputError, "row 2:time.*ISO 8601"),
    "day 32": ("time,house_kw\n2016-08-32T00:00Z,1\n", InvalidInputError, "row 2:time"),
    "split second": ("time,house_kw\n2016-08-01T00:00:00.5Z,1\n", InvalidInputError, "row 2:time.*whole second"),
    "single stamp": ("time,house_kw\n2016-08-01T00:00Z,1\n", InvalidInputError, "a stated resolution"),
    "off the grid": (
        rows({"house_kw": ["1"] * 6}) + "2016-08-01T01:33Z,1\n",
        InvalidInputError,
        "row 8:time: got '2016-08-01T01:33:00.*900 s",
    ),
    "first off the grid": (
        "time,house_kw\n2016-07-31T23:50:00Z,1\n" + rows({"house_kw": ["1"] * 6}).split("\n", 1)[1],
        InvalidInputError,
        "row 2:time",
    ),
    "days": (rows({"house_kw": ["1"] * 3}, step="1D"), InvalidInputError, "86400 s.*1 minute to 1 hour"),
    "seven minutes": (rows({"house_kw": ["1"] * 3}, step="7min"), InvalidInputError, "420 s"),
    "a wrong year": (
        rows({"house_kw": ["1"] * 4}, step="1min") + "2196-08-01T00:00Z,1\n",
        InvalidInputError,
        "year wrong",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_right_is_an_error_that_names_the_cell(tmp_path: Path, case: str) -> None:
    text, error, message = ERRORS[case]
    with pytest.raises(error, match=message):
        read(tmp_path, text)


def test_files_that_are_not_there_or_not_files(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, Path("nul\0name.csv")):
        with pytest.raises(UnreadableFileError):
            read_table(path, plant=PLANT)
    with pytest.raises(UnreadableFileError, match="named as Parquet"):
        read(tmp_path, "time,house_kw\n", name="in.parquet")


@given(content=st.binary(max_size=300))
def test_no_content_leads_to_another_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.csv"
    path.write_bytes(content)
    with pytest.raises(VppError):
        read_table(path, plant=PLANT)


@given(at=st.integers(0, 200), cut=st.integers(0, 3), put=st.text(max_size=3))
def test_no_slip_of_the_keyboard_leads_to_another_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: str
) -> None:
    text = rows({"house_kw": ["1", "2", "3", "4"], "price_per_kwh": ["0.1", "", "0.3", "-0.1"]})
    path = tmp_path_factory.getbasetemp() / "slip.csv"
    path.write_bytes((text[:at] + put + text[at + cut :]).encode("utf-8", "surrogatepass"))
    try:
        reading = read_table(path, plant=PLANT)
    except VppError:
        return
    assert reading.table.value.shape == reading.quality.shape


def test_too_large_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rows({"house_kw": ["1"] * 4})
    monkeypatch.setattr("vpp.streams.source.LARGEST_FILE_BYTES", 20)
    with pytest.raises(UnreadableFileError, match="larger than 20 bytes"):
        read(tmp_path, text)
    monkeypatch.undo()
    monkeypatch.setattr("vpp.streams.source.MOST_CELLS", 7)
    with pytest.raises(UnreadableFileError, match="more than 7 cells"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("hours", "filled"),
    [(1, True), (3, True), (4, False)],
)
def test_short_gaps_of_measurements_are_bridged_and_longer_ones_counted(
    tmp_path: Path, hours: int, filled: bool
) -> None:
    text = rows({"house_kw": ["1", "2", *[""] * hours, "5", "1"], "price_per_kwh": ["0.1"] * (hours + 4)}, step="1h")
    by_rows = "\n".join(line for line in text.split("\n") if ",," not in line)
    for content in (text, by_rows):
        reading = read(tmp_path, content)
        inner = reading.table.column(HOUSE)[2 : 2 + hours]
        kind = "filled" if filled else "gap"
        assert kinds(reading)[kind, "house_kw"] == hours
        assert np.isfinite(inner).all() == filled
        flags = reading.quality[:, 0]
        assert flags.tolist() == [0, 0, *[int(Quality.REPAIRED) if filled else 0] * hours, 0, 0]
        first = next(repair.first for repair in reading.repairs if repair.column == "house_kw")
        assert first == parse_time("2016-08-01T02:00Z")
    if filled:
        np.testing.assert_allclose(inner, -np.interp(np.arange(2, 2 + hours), [1, 2 + hours], [2.0, 5.0]))
    assert kinds(reading)["gap", "price_per_kwh"] == hours
    assert np.isnan(reading.table.column(PRICE)[2 : 2 + hours]).all()


def test_an_hourly_price_holds_for_its_hour_and_no_longer(tmp_path: Path) -> None:
    price = ["0.1", "", "", "", "", "", "", "", "0.3", "", "", ""]
    reading = read(tmp_path, rows({"house_kw": ["1"] * 12, "price_per_kwh": price}))
    expected = [0.1] * 4 + [np.nan] * 4 + [0.3] * 4
    np.testing.assert_array_equal(reading.table.column(PRICE), expected)
    assert kinds(reading) == {("hourly_price", "price_per_kwh"): 6, ("gap", "price_per_kwh"): 4}
    price[1] = "0.2"
    reading = read(tmp_path, rows({"house_kw": ["1"] * 12, "price_per_kwh": price}))
    assert kinds(reading) == {("gap", "price_per_kwh"): 6}


def test_duplicates_and_disorder_are_counted(tmp_path: Path) -> None:
    text = (
        "time,house_kw,roof_kw\n"
        "2016-08-01T01:00Z,2,1\n"
        "2016-08-01T00:00Z,1,0\n"
        "2016-08-01T02:00Z,3,1\n"
        "2016-08-01T02:00Z,3,1\n"
        "2016-08-01T03:00Z,4,1\n"
        "2016-08-01T03:00Z,9,\n"
    )
    reading = read(tmp_path, text)
    assert reading.table.column(HOUSE).tolist() == [-1.0, -2.0, -3.0, -9.0]
    assert reading.table.column(ROOF).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert kinds(reading) == {("unsorted", "time"): 1, ("duplicate", "time"): 2, ("conflict", "house_kw"): 1}
    conflict = next(repair for repair in reading.repairs if repair.kind is RepairKind.CONFLICT)
    assert conflict.first == parse_time("2016-08-01T03:00Z")


def test_single_cells_in_w_are_left_out_and_counted(tmp_path: Path) -> None:
    house = ["1"] * 20 + ["900"] + ["1"] * 20
    reading = read(tmp_path, rows({"house_kw": house, "roof_kw": ["1"] * 40 + ["2500"]}), longest_gap_s=0)
    assert np.isnan(reading.table.column(HOUSE)[20])
    assert np.isnan(reading.table.column(ROOF)[40])
    assert kinds(reading) == {
        ("unit_slip", "house_kw"): 1,
        ("gap", "house_kw"): 1,
        ("unit_slip", "roof_kw"): 1,
    }
    bridged = read(tmp_path, rows({"house_kw": house}))
    assert bridged.table.column(HOUSE)[20] == -1.0
    assert bridged.quality[20, 0] == int(Quality.REPAIRED)


@pytest.mark.parametrize(
    ("column", "cell", "refused"),
    [
        ("roof_kw", "-0.05", False),
        ("roof_kw", "-0.051", True),
        ("mill_kw", "-0.04", False),
        ("mill_kw", "-0.041", True),
        ("house_kw", "-0.1", False),
        ("house_kw", "-0.11", True),
    ],
)
def test_standby_draw_is_clipped_and_more_is_refused(tmp_path: Path, column: str, cell: str, refused: bool) -> None:
    text = rows({column: ["1", cell, "1"]})
    if refused:
        with pytest.raises(InvalidInputError, match=f"row 3:{column}"):
            read(tmp_path, text)
        return
    reading = read(tmp_path, text)
    assert reading.table.value[1, 0] == 0.0
    assert kinds(reading) == {("clipped", column): 1}
    assert reading.quality[1, 0] == int(Quality.REPAIRED)


def test_a_load_without_a_peak_is_judged_by_its_site(tmp_path: Path) -> None:
    def plant(connection: GridConnection, *others: SolarArray) -> Plant:
        site = Site(id="site", assets=(Load(id="house"), *others), connection=connection)
        return Plant(id="home", name="Home", timezone="Europe/Amsterdam", currency="EUR", sites=(site,))

    watts = rows({"house_kw": ["350", "800", "1200"]})
    for known in (
        plant(GridConnection(import_max_kw=17.0)),
        plant(GridConnection(), SolarArray(id="roof", peak_kw=4.0)),
    ):
        with pytest.raises(InvalidInputError, match="looks like W"):
            read(tmp_path, watts, plant=known)
        assert read(tmp_path, rows({"house_kw": ["0.35", "8", "1.2"]}), plant=known).repairs == ()
    assert read(tmp_path, watts, plant=plant(GridConnection())).repairs == ()


def local(text: str, steps: list[str]) -> str:
    return f"time,{text}\n" + "".join(f"{stamp},{i + 1}\n" for i, stamp in enumerate(steps))


def test_an_unknown_zone_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Europe/Amsterdam"):
        read(tmp_path, local("house_kw", ["2016-08-01 00:00"]), timezone="Europe/Amsterdm")


def test_offsets_in_the_stamps_win_and_the_resolution_may_be_stated(tmp_path: Path) -> None:
    text = local("house_kw", ["2016-08-01T02:00:00+02:00"])
    reading = read(tmp_path, text, timezone="America/New_York", resolution_s=900)
    assert reading.table.grid == TimeGrid(parse_time("2016-08-01T00:00Z"), 900, 1)


def test_parquet_stamps_may_be_times_texts_or_naive(tmp_path: Path) -> None:
    aware = pd.date_range("2016-08-01T00:00Z", periods=3, freq="h")
    path = tmp_path / "in.parquet"
    for stamps, zone in (
        (aware, None),
        (aware.tz_convert("Asia/Tokyo"), None),
        (aware.strftime("%Y-%m-%dT%H:%M:%SZ"), None),
        (aware.tz_convert("Asia/Tokyo").tz_localize(None), "Asia/Tokyo"),
    ):
        pd.DataFrame({"time": stamps, "house_kw": np.float32([1, 2, 3])}).to_parquet(path)
        reading = read_table(path, plant=PLANT, timezone=zone)
        assert reading.table.grid.start == parse_time("2016-08-01T00:00Z")
        assert reading.table.column(HOUSE).tolist() == [-1.0, -2.0, -3.0]
    with pytest.raises(NaiveTimeError):
        read_table(path, plant=PLANT)
    pd.DataFrame({"time": aware, "house_kw": aware - aware[0]}).to_parquet(path)
    with pytest.raises(InvalidInputError, match=r"row 2:house_kw.*a finite number"):
        read_table(path, plant=PLANT)
    far = np.array(["9999-01-01T00", "9999-01-01T01"], dtype="datetime64[us]")
    pd.DataFrame({"time": far, "house_kw": [1.0, 2.0]}).to_parquet(path)
    with pytest.raises(InvalidInputError, match=r"row 2:time.*1970 to 2199"):
        read_table(path, plant=PLANT, timezone="UTC")


@settings(max_examples=40)
@given(
    value=arrays(
        np.float64,
        st.tuples(st.integers(2, 30), st.just(4)),
        elements=st.one_of(st.floats(0.0, 1.9, allow_subnormal=False), st.just(float("nan"))),
    ),
    minutes=st.sampled_from([1, 5, 10, 15, 30, 60]),
    start=st.integers(0, 2_000_000_000 // 3600).map(lambda hour: hour * 3600),
    suffix=st.sampled_from(["csv", "parquet"]),
)
def test_a_table_written_and_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, value: np.ndarray, minutes: int, start: int, suffix: str
) -> None:
    value = value * np.array([-1.0, 1.0, -1.0, 1.0])
    grid = TimeGrid(pd.Timestamp(start, unit="s", tz="UTC").to_pydatetime(), 60 * minutes, len(value))
    table = SeriesTable(grid, (HOUSE, ROOF, CELL, PRICE), value)
    path = tmp_path_factory.getbasetemp() / f"trip.{suffix}"
    write_table(path, table, PLANT)
    reading = read_table(path, plant=PLANT, resolution_s=60 * minutes, longest_gap_s=0)
    assert reading.table.grid == grid
    assert reading.table.keys == table.keys
    hourly = {repair.column for repair in reading.repairs if repair.kind is RepairKind.HOURLY_PRICE}
    kept = 3 if hourly else 4
    np.testing.assert_array_equal(reading.table.value[:, :kept], value[:, :kept])


def test_writing_refuses_what_it_cannot_name_and_leaves_no_part(tmp_path: Path) -> None:
    grid = TimeGrid(parse_time("2016-08-01T00:00Z"), 900, 1)
    with pytest.raises(UnknownNameError, match="stranger"):
        write_table(tmp_path / "o.csv", SeriesTable(grid, (SeriesKey("stranger", POWER_KW),), np.ones((1, 1))), PLANT)
    table = SeriesTable(grid, (HOUSE,), np.ones((1, 1)))
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        write_table(tmp_path / "none" / "o.csv", table, PLANT)
    assert list(tmp_path.iterdir()) == []
