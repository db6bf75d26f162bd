"""The history of a plant file: one file or several, joined on one grid, or a clear word about why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError, MissingDataError
from vpp.core.messages import MARKET, POWER_KW, PRICE_PER_KWH, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.runtime.build import read_history
from vpp.runtime.setup import setup_of

LOAD, PV, PRICE = SeriesKey("load", POWER_KW), SeriesKey("pv", POWER_KW), SeriesKey(MARKET, PRICE_PER_KWH)


def write(folder: Path, name: str, column: str, *, start: int = 0, step_min: int = 60, count: int = 3) -> str:
    minutes = [60 * start + i * step_min for i in range(count)]
    rows = [f"2016-08-01T{m // 60:02d}:{m % 60:02d}Z,{i + 1}" for i, m in enumerate(minutes)]
    (folder / name).write_text("\n".join([f"time,{column}", *rows]) + "\n")
    return name


def read(folder: Path, history: Any, **options: Any) -> SeriesTable:
    assets = [{"kind": "load", "id": "load"}, {"kind": "solar", "id": "pv", "peak_kw": 9}]
    raw = {"name": "Shed", "history": history, "sites": [{"id": "s", "assets": assets}]}
    config = VPPConfig(raw, folder / "plant.yaml")
    return read_history(config, setup_of(config), **options)


def test_several_files_are_joined_over_the_union_of_their_spans(tmp_path: Path) -> None:
    names = [
        write(tmp_path, "load.csv", "load_kw", start=2),
        write(tmp_path, "prices.csv", "price_per_kwh", start=4),
        write(tmp_path, "pv.csv", "pv_kw", start=0, count=2),
    ]
    table = read(tmp_path, names)
    assert table.keys == (LOAD, PRICE, PV)
    assert (table.grid.start.isoformat(), table.grid.count) == ("2016-08-01T00:00:00+00:00", 7)
    nan = np.nan
    np.testing.assert_array_equal(table.column(LOAD), [nan, nan, -1, -2, -3, nan, nan])
    np.testing.assert_array_equal(table.column(PRICE), [nan, nan, nan, nan, 1, 2, 3])
    np.testing.assert_array_equal(table.column(PV), [1, 2, nan, nan, nan, nan, nan])


def test_a_list_of_one_is_that_one(tmp_path: Path) -> None:
    name = write(tmp_path, "load.csv", "load_kw")
    one, listed = read(tmp_path, name), read(tmp_path, [name])
    assert (one.grid, one.keys) == (listed.grid, listed.keys)
    np.testing.assert_array_equal(one.value, listed.value)


def test_a_path_given_replaces_what_the_file_names(tmp_path: Path) -> None:
    write(tmp_path, "load.csv", "load_kw")
    other = write(tmp_path, "other.csv", "pv_kw")
    assert read(tmp_path, ["load.csv"], path=tmp_path / other).keys == (PV,)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            {"column": "load_kw", "start": 3},
            r"b\.csv: got 'load/power_kw', expected a series that no other .*; a\.csv does",
        ),
        (
            {"column": "pv_kw", "step_min": 15, "count": 9},
            r"b\.csv: got 'steps of 900 s', expected the .* of a\.csv, 3600 s",
        ),
        ({"column": "pv_kw", "step_min": 30, "count": 9}, r"b\.csv: got 'steps of 1800 s'"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path: Path, second: dict[str, Any], message: str) -> None:
    names = [write(tmp_path, "a.csv", "load_kw"), write(tmp_path, "b.csv", **second)]
    with pytest.raises(InvalidInputError, match=message):
        read(tmp_path, names)


def test_no_history_at_all(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="names no history; give a CSV or Parquet file with --data"):
        read(tmp_path, None)


def test_the_wholesale_plant_reads_powers_and_prices() -> None:
    config = VPPConfig.load("wholesale")
    table = read_history(config, setup_of(config))
    assert {key.source for key in table.keys} == {"wind", "pv", "load", MARKET}
    assert table.grid.count == 35_136
    assert np.isfinite(table.value).all()
    assert table.column(PRICE).mean() == pytest.approx(0.0322, abs=1e-4)
