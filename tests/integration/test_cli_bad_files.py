"""Files that are not what they should be: `vpp plan` names the cell, or repairs and counts; it never breaks.

A refusal is exit code 2, one message on standard error with file, row, column and value, and nothing on standard
output. A repair is a note that counts what was changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Spoil = Callable[[pd.DataFrame], pd.DataFrame | str | bytes]
STEPS = 4 * 24


def good() -> pd.DataFrame:
    times = pd.date_range("2024-05-05T22:00Z", periods=STEPS, freq="1h")
    hour = (np.arange(STEPS) % 24).astype(float)
    return pd.DataFrame(
        {
            "time": times.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "load_kw": (0.6 + 0.4 * (hour > 17)).round(3),
            "pv_kw": np.maximum(0.0, 3.0 * np.sin((hour - 6) / 12 * np.pi)).round(3),
            "price_per_kwh": (0.1 + 0.05 * np.sin((hour - 14) / 24 * 2 * np.pi)).round(4),
        }
    )


def cell(column: str, row: int, value: Any) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return spoil


def clock(start: str, **given: Any) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        times = pd.date_range(start, periods=len(frame), freq="1h")
        zone = given.get("zone")
        return frame.assign(time=(times.tz_convert(zone) if zone else times).strftime("%Y-%m-%d %H:%M"))

    return spoil


def times(column: str, factor: float) -> Spoil:
    return lambda frame: frame.assign(**{column: frame[column] * factor})


REFUSED: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "text": (cell("load_kw", 20, "abc"), ("bad.csv", "row 22", "load_kw", "'abc'")),
    "decimal comma": (cell("load_kw", 20, "1,5"), ("row 22", "load_kw", "'1,5'")),
    "infinite": (cell("pv_kw", 20, "inf"), ("row 22", "pv_kw", "inf")),
    "load in W": (times("load_kw", 1000.0), ("bad.csv", "row ", "load_kw", "looks like W")),
    "sun in W": (times("pv_kw", 1000.0), ("row ", "pv_kw", "looks like W")),
    "price per MWh": (times("price_per_kwh", 1000.0), ("row ", "price_per_kwh", "EUR/MWh")),
    "turned sign": (times("load_kw", -1.0), ("row 2", "load_kw", "-0.6", "turn the sign")),
    "soc in percent": (lambda f: f.assign(battery_soc=77.0), ("row 2", "battery_soc", "77.0", "percent")),
    "hour that never was": (clock("2024-03-31 00:00"), ("row 4", "time", "2024-03-31 02:00", "Europe/Amsterdam")),
    "some stamps naive": (cell("time", 20, "2024-05-06T18:00:00"), ("row 22", "time", "2024-05-06T18:00:00")),
    "no such stamp": (cell("time", 20, "2024-02-30T00:00:00Z"), ("row 22", "time", "2024-02-30")),
    "stamps between the steps": (
        lambda f: f.assign(time=f["time"].str.replace(":00:00Z", ":07:00Z")),
        ("bad.csv", "time", "22:07", "whole multiples"),
    ),
    "no load": (lambda f: f.drop(columns="load_kw"), ("load_kw",)),
    "empty load": (lambda f: f.assign(load_kw=np.nan), ("bad.csv", "load_kw", "load_forecast_kw")),
    "no price": (lambda f: f.drop(columns="price_per_kwh"), ("price_per_kwh", "tariff")),
    "no time": (lambda f: f.rename(columns={"time": "date"}), ("bad.csv", "'time'")),
    "unknown column": (lambda f: f.assign(lod_kw=1.0), ("bad.csv", "lod_kw", "did you mean: load_kw")),
    "no measurement": (lambda f: f[["time", "price_per_kwh"]].assign(load_kw=""), ("no measurements", "_kw")),
    "empty": (lambda _: b"", ("bad.csv", "empty")),
    "header only": (lambda f: f.iloc[:0], ("bad.csv", "no rows")),
    "one row": (lambda f: f.iloc[:1], ("bad.csv", "two or more rows")),
    "binary": (lambda _: bytes(range(256)) * 100, ("bad.csv", "binary")),
    "semicolons": (lambda f: f.to_csv(sep=";", index=False), ("row 1", "commas")),
    "long row": (lambda f: f.to_csv(index=False) + "2024-05-09T22:00:00Z,1,2,3,4\n", ("bad.csv", "line 98")),
}
REPAIRED: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "short gap": (lambda f: f.drop(index=[50, 51]), ("bad.csv", "load_kw, pv_kw", "bridged", "2 values")),
    "long gap": (lambda f: f.drop(index=range(40, 50)), ("load_kw", "left empty", "10 values")),
    "same row twice": (lambda f: pd.concat([f.iloc[:51], f.iloc[50:]]), ("time", "one row kept", "1 row")),
    "two rows differ": (
        lambda f: pd.concat([f.iloc[:51], f.iloc[50:51].assign(load_kw=5.0), f.iloc[51:]]),
        ("load_kw", "different values", "the last one kept", "1 value"),
    ),
    "NaN": (cell("load_kw", 20, "NaN"), ("load_kw", "bridged", "1 value, at 2024-05-06T18:00:00Z")),
    "one cell in W": (cell("load_kw", 20, 800.0), ("load_kw", "1000 times too large", "1 value")),
    "out of order": (lambda f: f.iloc[::-1], ("time", "sorted", "95 rows")),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    assert plan("init", cwd=folder).returncode == 0
    return folder


def plan(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vpp", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def planned_from(home: Path, spoil: Spoil) -> subprocess.CompletedProcess[str]:
    content = spoil(good())
    if isinstance(content, pd.DataFrame):
        content = content.to_csv(index=False)
    (home / "bad.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return plan("plan", "my-plant.yaml", "--data", "bad.csv", "--horizon", "3h", "--json", cwd=home)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_the_message_says_where(home: Path, name: str) -> None:
    spoil, hints = REFUSED[name]
    done = planned_from(home, spoil)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for hint in hints:
        assert hint in done.stderr


@pytest.mark.parametrize("name", REPAIRED)
def test_it_is_repaired_counted_and_said(home: Path, name: str) -> None:
    spoil, hints = REPAIRED[name]
    done = planned_from(home, spoil)
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["notes"]
    assert any(all(hint in note for hint in hints) for note in notes), notes
    for note in notes:
        assert note in done.stderr


def test_an_hour_shown_twice_is_told_apart(home: Path) -> None:
    done = planned_from(home, clock("2024-10-26T22:00Z", zone="Europe/Amsterdam"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["issued_at"] == "2024-10-30T22:00:00Z"
    assert "one row kept" not in done.stderr
