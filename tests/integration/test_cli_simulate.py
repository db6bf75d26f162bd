"""`vpp simulate` as a user types it, in every mode."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

PLANT: dict[str, Any] = {
    "name": "My home",
    "timezone": "Europe/Amsterdam",
    "location": {"latitude_deg": 52.1, "longitude_deg": 5.2},
    "prices": {"import": {"price_per_kwh": 0.3}},
    "sites": [
        {
            "id": "home",
            "assets": [
                {"kind": "load", "id": "load"},
                {"kind": "solar", "id": "pv", "peak_kw": 5},
                {"kind": "battery", "id": "battery", "capacity_kwh": 10, "power_kw": 5},
            ],
        }
    ],
}
SPAN = ("--historical", "--start", "2024-06-01T00:00+02:00", "--end", "2024-06-02T00:00+02:00")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("simulate")
    (where / "plant.yaml").write_text(yaml.safe_dump(PLANT), encoding="utf-8")
    return where


def simulate(folder: Path, *words: str, plant: str = "plant.yaml") -> Done:
    command = [sys.executable, "-m", "vpp", "simulate", plant, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def test_once(folder: Path) -> None:
    done = simulate(folder, "--once", "--bus", "memory://")
    (record,) = done.records
    assert done.code == 0
    assert record["device_id"] == "home"
    assert list(record) == [
        "timestamp", "device_id", "solar", "wind", "battery", "home_load", "grid_price", "net_grid_flow_kw",
    ]  # fmt: skip
    assert "published 2 readings" in done.err


def test_continuous_and_scheduled(folder: Path) -> None:
    told = simulate(folder, "--continuous", "--interval", "1s", "--resolution", "15min", "--count", "2").records
    assert len(told) == 2
    on_time = simulate(folder, "--scheduled", "--interval", "2s", "--resolution", "15min", "--count", "2").records
    assert len(on_time) == 2
    assert all(record["timestamp"].endswith(":00Z") for record in on_time)


def test_historical_to_standard_output_and_to_every_format(folder: Path) -> None:
    told = simulate(folder, *SPAN, "--seed", "5", "--resolution", "30min")
    assert (told.code, len(told.records)) == (0, 48)
    assert told.records[0]["timestamp"] == "2024-05-31T22:00:00Z"
    for name in ("out.jsonl", "out.csv", "out.parquet"):
        done = simulate(folder, *SPAN, "--seed", "5", "--resolution", "30min", "--output", name)
        assert (done.code, done.out) == (0, "")
        assert f"wrote 48 records to {name}" in done.err
    assert (folder / "out.jsonl").read_text(encoding="utf-8") == told.out
    meter = [record["net_grid_flow_kw"] for record in told.records]
    assert pd.read_csv(folder / "out.csv")["net_grid_flow_kw"].tolist() == meter
    assert pd.read_parquet(folder / "out.parquet")["net_grid_flow_kw"].tolist() == meter


def test_a_fleet(folder: Path) -> None:
    done = simulate(folder, *SPAN, "--fleet", "20", "--output", "fleet.parquet")
    assert (done.code, done.out) == (0, "")
    assert "wrote 1920 rows of 20 homes to fleet.parquet" in done.err
    assert pd.read_parquet(folder / "fleet.parquet")["home"].nunique() == 20


def test_a_builtin_plant_tells_every_site(folder: Path) -> None:
    assert len(simulate(folder, plant="homes").records) == 11


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--once", "--continuous"), "one of --once, --continuous, --scheduled, --historical"),
        (("--once", "--interval", "5s"), "to stand with --continuous or --scheduled"),
        (("--historical",), "--start"),
        (("--historical", "--start", "2024-06-01"), "--end"),
        (("--historical", "--start", "2024-06-01", "--end", "2024-06-02"), "a time with a zone"),
        ((*SPAN, "--output", "out.txt"), ".jsonl, .csv, .parquet"),
        ((*SPAN, "--output", "nowhere/out.csv"), "a file in a folder that exists"),
        ((*SPAN, "--fleet", "5"), "a .parquet file for the fleet"),
        ((*SPAN, "--fleet", "5", "--output", "fleet.csv"), ".parquet"),
        ((*SPAN, "--resolution", "2h"), "1s to 1h, a part of a day"),
        (("--bus", "kafk://broker:9092"), "no bus called 'kafk'; did you mean: kafka"),
        (("--continuous", "--interval", "soon"), "a duration such as"),
    ],
)
def test_refusals(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = simulate(folder, *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
