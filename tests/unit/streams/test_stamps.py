"""Local stamps over clock changes: both ways, in whole and half hours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vpp.core.assets import Load, Plant, Site
from vpp.core.errors import InvalidInputError
from vpp.core.messages import MARKET, POWER_KW, PRICE_PER_KWH, SeriesKey
from vpp.core.time import TimeGrid, parse_time
from vpp.streams.columns import RepairKind
from vpp.streams.table import TableReading, read_table

PLANT = Plant(
    id="p", name="P", timezone="Europe/Amsterdam", currency="EUR", sites=(Site(id="s", assets=(Load(id="house"),)),)
)
HOUSE = SeriesKey("house", POWER_KW)
PRICE = SeriesKey(MARKET, PRICE_PER_KWH)


def read(tmp_path: Path, text: str, *, timezone: str, longest_gap_s: int = 0) -> TableReading:
    path = tmp_path / "in.csv"
    path.write_text(text)
    return read_table(path, plant=PLANT, timezone=timezone, longest_gap_s=longest_gap_s)


def local(text: str, steps: list[str]) -> str:
    return f"time,{text}\n" + "".join(f"{stamp},{i + 1}\n" for i, stamp in enumerate(steps))


def wall_clock(zone: str, start: str, count: int, step: str) -> list[str]:
    index = pd.date_range(start, periods=count, freq=step, tz="UTC").tz_convert(zone)
    return index.strftime("%Y-%m-%d %H:%M").tolist()


@pytest.mark.parametrize(
    ("zone", "start", "step"),
    [
        ("Europe/Amsterdam", "2016-03-26T22:00Z", "15min"),
        ("Europe/Amsterdam", "2016-10-29T22:00Z", "15min"),
        ("Europe/Amsterdam", "2016-10-29T22:00Z", "1h"),
        ("Australia/Lord_Howe", "2016-10-01T12:00Z", "30min"),
        ("Australia/Lord_Howe", "2016-04-02T12:00Z", "30min"),
        ("Australia/Lord_Howe", "2016-04-02T12:00Z", "5min"),
    ],
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_local_stamps_over_a_clock_change_are_gapless_in_utc(
    tmp_path: Path, zone: str, start: str, step: str, newest_first: bool
) -> None:
    stamps = wall_clock(zone, start, 60, step)
    lines = local("price_per_kwh", stamps).splitlines()
    lines = [lines[0], *(reversed(lines[1:]) if newest_first else lines[1:])]
    text = "\n".join(
        ",".join((line.split(",")[0], str(float(line.split(",")[1]) / 100))) if i else line
        for i, line in enumerate(lines)
    )
    reading = read(tmp_path, text, timezone=zone)
    assert reading.table.grid == TimeGrid(parse_time(start), int(pd.Timedelta(step).total_seconds()), 60)
    np.testing.assert_allclose(reading.table.column(PRICE), np.arange(1, 61) / 100)
    assert {repair.kind for repair in reading.repairs} == ({RepairKind.UNSORTED} if newest_first else set())


def test_a_local_time_that_never_was_is_an_error(tmp_path: Path) -> None:
    text = local("house_kw", ["2016-03-27 01:00", "2016-03-27 02:00", "2016-03-27 03:00"])
    with pytest.raises(InvalidInputError, match=r"row 3:time: got '2016-03-27 02:00'.*existed in Europe/Amsterdam"):
        read(tmp_path, text, timezone="Europe/Amsterdam")


def test_an_autumn_hour_given_once_is_summer_time_and_the_other_a_gap(tmp_path: Path) -> None:
    text = local("house_kw", [f"2016-10-30 0{hour}:00" for hour in (0, 1, 2, 3, 4)])
    reading = read(tmp_path, text, timezone="Europe/Amsterdam", longest_gap_s=0)
    assert np.isnan(reading.table.column(HOUSE)).tolist() == [False, False, False, True, False, False]
    (repair,) = reading.repairs
    assert (repair.kind, repair.column, repair.count) == (RepairKind.GAP, "house_kw", 1)
    assert repair.first == parse_time("2016-10-30T01:00Z")


def test_hourly_stamps_over_half_an_hour_of_clock_change_fit_no_grid(tmp_path: Path) -> None:
    text = local("house_kw", [f"2016-10-02 0{hour}:00" for hour in (0, 1, 3, 4, 5)])
    with pytest.raises(InvalidInputError, match="3600 s steps"):
        read(tmp_path, text, timezone="Australia/Lord_Howe")
