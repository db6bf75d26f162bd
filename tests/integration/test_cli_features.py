"""`vpp features` as a user types it: once, again, its status, its variables, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from vpp.config import VPPConfig
from vpp.runtime.build import open_store, preload, read_history
from vpp.runtime.setup import setup_of


def vpp(*words: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vpp", *map(str, words)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, env=os.environ | variables
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


def test_a_table_is_built_told_and_exported(folder: Path) -> None:
    words = ("features", "homes", "--site", "home01", "--lookback", "4", "--batch", "4")
    first = vpp(*words, "--once", "--export", "t.parquet", "--json", cwd=folder)
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)["sites"]["home01"]
    assert set(told) == {"watermark", "parts", "open_parts", "rows"}
    table = pd.read_parquet(folder / "t.parquet")
    assert len(table) == told["rows"]
    assert set(table["source"]) == {"home01_load", "home01_pv"}
    assert table["tariff_period"].notna().all()
    status = vpp(*words, "--status", "--json", cwd=folder)
    assert json.loads(status.stdout) == {"sites": {"home01": told}}
    assert status.stderr == ""
    again = vpp(*words, "--once", "--json", cwd=folder)
    assert json.loads(again.stdout) == {"sites": {"home01": told}}


def test_the_variables_mean_what_the_options_mean(folder: Path) -> None:
    variables = {"FE_SITE": "home02", "FE_LOOKBACK_DAYS": "2", "FE_BATCH_SIZE": "2", "FE_WINDOW_HOURS": "6"}
    by_variable = vpp("features", "homes", "--once", "--json", cwd=folder, FE_OUT="a", **variables)
    options = ("--site", "home02", "--lookback", "2", "--batch", "2", "--window", "6", "--out", "b")
    by_option = vpp("features", "homes", "--once", "--json", *options, cwd=folder)
    assert json.loads(by_variable.stdout) == json.loads(by_option.stdout)
    names = sorted(path.name for path in (folder / "a" / "home02").iterdir())
    assert names == sorted(path.name for path in (folder / "b" / "home02").iterdir())


def test_the_columns_are_explained(folder: Path) -> None:
    meanings = json.loads(vpp("features", "--columns", "--json", cwd=folder).stdout)
    table = pd.read_parquet(folder / "t.parquet") if (folder / "t.parquet").exists() else None
    assert "lag_24h" in meanings
    assert table is None or set(table.columns) <= set(meanings)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "exactly one of --once, --continuous, --status, --columns"),
        (("--once", "--status"), "exactly one of"),
        (("--once", "--site", "home1"), "no site called 'home1'; did you mean: home"),
        (("--once", "--each", "7"), "hours that divide a day"),
        (("--once", "--window", "0"), "window_h"),
        (("--once", "--country", "California"), "no country called"),
        (("--continuous", "--every", "soon"), "--every"),
        (("--status", "--export", "x.csv", "--out", "none"), "build them with --once"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder: Path, words: tuple[str, ...], fault: str) -> None:
    done = vpp("features", "homes", *words, cwd=folder)
    assert done.returncode == 2
    assert fault in done.stderr


def test_a_running_plants_store_is_a_source(folder: Path) -> None:
    config = VPPConfig.load("homes")
    setup = setup_of(config)
    table = read_history(config, setup)
    store = open_store(f"sqlite:///{folder / 'plant.db'}")
    end = table.grid.time(60 * 24)
    preload(setup, store, table, start=table.grid.start, end=end)
    store.close()
    words = ("features", "homes", "--once", "--site", "home01", "--lookback", "3", "--out", "live", "--json")
    done = vpp(*words, "--store", "sqlite:///plant.db", "--export", "live.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    made = pd.read_csv(folder / "live.csv")
    assert pd.Timestamp(made["issued_at"].max()) <= pd.Timestamp(end)
    assert made["lag_1"].notna().all()
    both = vpp(*words, "--store", "sqlite:///plant.db", "--data", "x.csv", cwd=folder)
    assert (both.returncode, "nothing beside --store" in both.stderr) == (2, True)
    none = vpp(*words, "--store", "sqlite:///empty.db", cwd=folder)
    assert (none.returncode, "holds no measurement of homes" in none.stderr) == (2, True)
