"""`vpp forecast evaluate` as a user types it: a plant, a file, a report, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

METRICS = {"mae", "rmse", "rmae", "pinball", "coverage_80", "regret", "fit_cpu_s", "predict_cpu_s"}
QUICK = ("--models", "seasonal_naive_24h,seasonal_naive_168h,hour_of_week_mean")


def evaluate(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vpp", "forecast", "evaluate", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of two homes, one of whose loads is a PV curve."""
    path = tmp_path_factory.mktemp("evaluate")
    hours = 40 * 24
    generator = np.random.default_rng(0)
    hour = np.arange(hours) % 24
    sun = np.maximum(0.0, np.sin((hour - 4) / 15 * np.pi)) * generator.uniform(0.4, 1.0, hours)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-06-01", periods=hours, freq="h", tz="UTC"),
            "home1_load_kw": 1.0 + 0.5 * np.sin(hour / 24 * 2 * np.pi) + generator.gamma(2.0, 0.1, hours),
            "home1_pv_kw": 4.0 * sun,
            "home2_load_kw": 3.0 * sun,
        }
    )
    frame.to_csv(path / "homes.csv", index=False)
    frame.to_parquet(path / "homes.parquet", index=False)
    return path


def test_a_plant_is_ranked_by_error_and_by_money(folder: Path) -> None:
    done = evaluate("wholesale", "--days", "9", *QUICK, "--json", "--report", "r.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) == {"data", "horizon", "origins", "series"}
    assert (document["data"], document["horizon"], len(document["origins"])) == ("wholesale", "30h", 9)
    assert set(document["series"]) == {"wind", "pv", "load", "price_per_kwh"}
    for series in document["series"].values():
        assert set(series) == {"models", "best", "dm_p"}
        assert all(set(model) == METRICS for model in series["models"].values())
        assert all(model["regret"] > -1e-6 for model in series["models"].values())
        assert series["best"] == min(series["models"], key=lambda name: series["models"][name]["mae"])
    assert (folder / "r.html").stat().st_size < 8_000_000


@pytest.mark.parametrize("name", ["homes.csv", "homes.parquet"])
def test_a_file_is_enough(folder: Path, name: str) -> None:
    done = evaluate(name, "--timezone", "Europe/Amsterdam", "--days", "10", *QUICK, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    series = json.loads(done.stdout)["series"]
    assert set(series) == {"home1_load_kw", "home1_pv_kw"}
    assert "home2_load_kw: follows the sun" in done.stderr
    for one in series.values():
        assert all(model["regret"] is None and model["regret_reason"] for model in one["models"].values())


def test_people_read_a_table_and_what_it_means(folder: Path) -> None:
    done = evaluate("homes.csv", "--timezone", "Europe/Amsterdam", "--days", "10", *QUICK, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines()[:10])) <= 80
    for words in ("home1_load_kw (load)", "rMAE", "Best: hour_of_week_mean; surely better than", "10 decisions"):
        assert words in done.stdout


def test_moments_can_be_read_from_a_file(folder: Path) -> None:
    (folder / "moments.txt").write_text("2024-07-01T06:00:00Z\n2024-07-03T06:00:00+02:00\n", encoding="utf-8")
    done = evaluate("homes.csv", "--origins", "moments.txt", *QUICK, "--json", cwd=folder)
    assert json.loads(done.stdout)["origins"] == ["2024-07-01T06:00:00Z", "2024-07-03T04:00:00Z"]
    assert "local hours are taken in UTC" in done.stderr


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("home",), "no such file, nor a built-in plant"),
        (("homes.csv", "--models", "median,teta"), "did you mean: theta"),
        (("homes.csv", "--models", ","), "--models"),
        (("homes.csv", "--horizon", "soon"), "--horizon"),
        (("homes.csv", "--horizon", "90min", *QUICK), "whole steps of 3600 s"),
        (("homes.csv", "--horizon", "900h", *QUICK), "spans 40.0 days"),
        (("homes.csv", "--timezone", "Europe/Amsterdm"), "Europe/Amsterdam"),
        (("homes.csv", "--plant", "home"), "no plant called 'home'"),
        (("homes.csv", "--origins", "none.txt"), "cannot be read as text"),
        (("homes.csv", "--report", "none/r.html"), "a file in a folder that exists"),
        (("homes", "--timezone", "UTC"), "has its own time zone"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder: Path, words: tuple[str, ...], fault: str) -> None:
    done = evaluate(*words, cwd=folder)
    assert done.returncode == 2
    assert fault in done.stderr
