"""Weather files: typical years, tables, what is derived, and every message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pvlib
import pytest

from vpp.core.errors import (
    InvalidInputError,
    MissingDataError,
    NaiveTimeError,
    UnknownNameError,
    UnreadableFileError,
)
from vpp.core.time import parse_time
from vpp.simulation.weather import Places, read_weather, sun_position

TMY3 = Path(pvlib.__file__).parent / "data" / "723170TYA.CSV"
PLACE = Places(35.0, -117.0, 700.0)
HEADER = "time,ghi_w_m2,dni_w_m2,dhi_w_m2,temperature_c,wind_speed_m_s,pressure_pa\n"
ROW = "{},500,600,100,20.5,3,95000\n"


def table(folder: Path, text: str) -> Path:
    path = folder / "weather.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows(*times: str) -> str:
    return HEADER + "".join(ROW.format(time) for time in times)


def test_a_tmy3_file_starts_with_the_local_year() -> None:
    weather = read_weather(TMY3)
    assert weather.grid.start == parse_time("2023-01-01T00:00-05:00")
    assert (len(weather.grid), weather.grid.resolution_s) == (8760, 3600)
    assert weather.places is not None
    assert weather.places.latitudes[0] == 36.1
    assert weather.pressure_pa.mean() == pytest.approx(98_690, rel=1e-3)
    # the file's first hour of light is stamped with its end, 08:00
    first = int(np.flatnonzero(weather.ghi_w_m2[:, 0])[0])
    assert weather.grid.time(first) == parse_time("2023-01-01T07:00-05:00")
    lit = weather.ghi_w_m2 > 50.0
    assert (sun_position(weather.places, weather.grid).zenith_deg[lit] < 90.0).all()


def test_a_typical_year_is_laid_on_the_year_asked_for() -> None:
    assert read_weather(TMY3, year=2021).grid.start == parse_time("2021-01-01T00:00-05:00")
    with pytest.raises(InvalidInputError, match="year: got 2024, expected a year of 365 days"):
        read_weather(TMY3, year=2024)


def epw(folder: Path, *, hours: int = 48, ghi: float = 300.0) -> Path:
    head = "LOCATION,Perth,WA,AUS,TMY,946080,-31.93,115.97,8.0,15.0\n" + "HEADING\n" * 7
    lines = []
    for hour in range(hours):
        light = ghi if 8 <= hour % 24 < 16 else 0.0
        values = [
            2001, 1, hour // 24 + 1, hour % 24 + 1, 60, "?", 25.5, 10, 40, 101_100, 0, 0, 350, light, light, 100.0,
            *[0] * 5, 4.5, *[0] * 13,
        ]  # fmt: skip
        lines.append(",".join(map(str, values)))
    path = folder / "perth.epw"
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_an_epw_file(tmp_path: Path) -> None:
    weather = read_weather(epw(tmp_path))
    assert weather.grid.start == parse_time("2023-01-01T00:00+08:00")
    assert weather.places is not None
    assert weather.places.altitudes_m[0] == 15.0
    assert weather.ghi_w_m2[8, 0] == 300.0
    assert (weather.temperature_c[0, 0], weather.wind_speed_m_s[0, 0], weather.pressure_pa[0, 0]) == (
        25.5,
        4.5,
        101_100,
    )


def test_a_missing_value_of_an_epw_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"weather.ghi_w_m2\[8, 0\]: got 9999.0, expected 0 to 2000"):
        read_weather(epw(tmp_path, ghi=9999.0))


def test_a_full_table_needs_no_place(tmp_path: Path) -> None:
    weather = read_weather(table(tmp_path, rows("2023-06-21T19:00Z", "2023-06-21T12:15-07:00", "2023-06-21T19:30Z")))
    assert weather.grid.start == parse_time("2023-06-21T19:00Z")
    assert weather.grid.resolution_s == 900
    assert weather.places is None
    assert weather.dni_w_m2[2, 0] == 600.0


def test_local_times_need_a_zone(tmp_path: Path) -> None:
    path = table(tmp_path, rows("2023-06-21T12:00", "2023-06-21T13:00"))
    with pytest.raises(NaiveTimeError, match="time: got '2023-06-21T12:00', expected a time with a zone"):
        read_weather(path)
    weather = read_weather(path, timezone="America/Los_Angeles")
    assert weather.grid.start == parse_time("2023-06-21T19:00Z")
    with pytest.raises(UnknownNameError, match="America/Los_Angeles"):
        read_weather(path, timezone="America/Los_Angels")


@pytest.mark.parametrize(
    ("columns", "values"),
    [("dni_w_m2", "600"), ("dhi_w_m2", "100"), ("dni_w_m2,dhi_w_m2", "600,100"), ("", "")],
)
def test_what_is_missing_follows_from_the_place(tmp_path: Path, columns: str, values: str) -> None:
    header = ",".join(filter(None, ("time,ghi_w_m2,temperature_c,wind_speed_m_s", columns)))
    lines = [",".join(filter(None, (f"2023-06-21T{hour}:00Z,600,20,3", values))) for hour in (18, 19, 20)]
    path = table(tmp_path, "\n".join((header, *lines)))
    with pytest.raises(MissingDataError, match="hand in places, from which it follows"):
        read_weather(path)
    weather = read_weather(path, places=PLACE)
    cosine = np.cos(np.radians(sun_position(PLACE, weather.grid).zenith_deg))
    if values != "600,100":
        np.testing.assert_allclose(weather.dhi_w_m2 + weather.dni_w_m2 * cosine, 600.0, atol=1e-9)
    for name, value in (("dni_w_m2", 600.0), ("dhi_w_m2", 100.0)):
        if name in columns:
            assert (getattr(weather, name) == value).all()
    assert weather.pressure_pa[0, 0] == pytest.approx(93_200.0, rel=2e-3)


@pytest.mark.parametrize(
    ("text", "fault", "message"),
    [
        (rows("2023-06-21T12:00Z"), InvalidInputError, "time: got '1 rows', expected two rows or more"),
        (
            rows("2023-06-21T12:00Z", "2023-06-21T13:00Z", "2023-06-21T15:00Z"),
            InvalidInputError,
            r"time\[2\]: got '2023-06-21T15:00:00\+00:00', expected a step of 3600 s",
        ),
        (rows("2023-06-21T12:00Z", "2023-06-21T12:00Z"), InvalidInputError, r"time\[1\]: got"),
        (rows("2023-06-21T25:00Z", "2023-06-21T26:00Z"), InvalidInputError, "expected ISO 8601 times"),
        (rows("2023-06-21T12:00Z", ""), NaiveTimeError, "time: got ''"),
        (HEADER.replace("ghi_w_m2", "GHI"), UnknownNameError, "no weather column called 'GHI'"),
        ("time,ghi_w_m2,temperature_c\n", MissingDataError, "no column wind_speed_m_s"),
        (
            rows("2023-06-21T12:00Z", "2023-06-21T13:00Z").replace("500", "dark", 1),
            InvalidInputError,
            r"ghi_w_m2\[0\]: got 'dark', expected a number, 0 to 2000 \[W/m2\]",
        ),
        (
            rows("2023-06-21T12:00Z", "2023-06-21T13:00Z").replace("20.5", "205", 1),
            InvalidInputError,
            r"weather.temperature_c\[0, 0\]: got 205.0, expected -95 to 65 \[degC\]",
        ),
        ("", UnreadableFileError, "not a CSV table"),
    ],
)  # fmt: skip
def test_a_faulty_table_is_told_by_field_value_and_range(
    tmp_path: Path, text: str, fault: type[Exception], message: str
) -> None:
    with pytest.raises(fault, match=message):
        read_weather(table(tmp_path, text))


@pytest.mark.parametrize("time", ["2023-11-05T01:30", "2023-03-12T02:30"])
def test_a_local_time_that_occurs_twice_or_never_is_told(tmp_path: Path, time: str) -> None:
    path = table(tmp_path, rows(time, "2023-12-01T00:00"))
    with pytest.raises(InvalidInputError, match=rf"time\[0\]: got '{time}', expected a time that occurs once"):
        read_weather(path, timezone="America/Los_Angeles")


def test_times_with_and_without_a_zone_do_not_mix(tmp_path: Path) -> None:
    path = table(tmp_path, rows("2023-06-21T12:00Z", "2023-06-21T13:00"))
    with pytest.raises(InvalidInputError, match="expected ISO 8601 times"):
        read_weather(path, timezone="UTC")


def test_files_that_are_not_there_or_not_what_their_name_says(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_weather(tmp_path / "none.epw")
    (tmp_path / "broken.epw").write_text("LOCATION,x\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="not an EPW file"):
        read_weather(tmp_path / "broken.epw")
    with pytest.raises(InvalidInputError, match="places: got 2, expected one place"):
        read_weather(table(tmp_path, rows("2023-06-21T12:00Z", "2023-06-21T13:00Z")), places=Places([1.0, 2.0], 0.0))
