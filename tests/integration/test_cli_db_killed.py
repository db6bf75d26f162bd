"""`vpp db` killed at any moment: the next call goes on, and what is kept is what was to be kept."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vpp.core.messages import Readings, SeriesKey
from vpp.store.row_files import write_rows

pytestmark = pytest.mark.slow

KEYS = tuple(SeriesKey(f"home{i:02d}", "power_kw") for i in range(10))
STEPS = 20_000
KILLS = 6


def vpp(*words: str, cwd: Path) -> dict:
    command = [sys.executable, "-m", "vpp", "db", *words, "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


def killed_after(seconds: float, *words: str, cwd: Path) -> bool:
    """Start a command and kill it; return whether it was still at work."""
    command = [sys.executable, "-m", "vpp", "db", *words]
    running = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    at_work = running.poll() is None
    running.kill()
    running.wait()
    return at_work


def test_a_killed_command_is_taken_up_again(tmp_path: Path) -> None:
    times_s = 1_470_009_600 + 60 * np.arange(STEPS)
    values = np.random.default_rng(0).normal(size=(STEPS, len(KEYS)))
    write_rows([Readings.from_table("homes", KEYS, times_s, values, arrived_s=times_s + 60)], tmp_path / "rows.parquet")
    store = ("--store", "sqlite:///plant.db")
    started_s = time.monotonic()
    vpp("import", "rows.parquet", "--store", "sqlite:///whole.db", cwd=tmp_path)
    took_s = time.monotonic() - started_s
    at_work = 0
    for part in range(1, KILLS + 1):
        at_work += killed_after(took_s * part / (KILLS + 1), "import", "rows.parquet", *store, cwd=tmp_path)
    assert at_work
    assert vpp("import", "rows.parquet", *store, cwd=tmp_path)["rows"] == times_s.size * len(KEYS)
    assert vpp("check", *store, "--sample", "10000", cwd=tmp_path)["ok"]
    for name in ("plant", "whole"):
        vpp("export", f"{name}.csv", "--store", f"sqlite:///{name}.db", cwd=tmp_path)
    assert (tmp_path / "plant.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()

    for part in range(1, KILLS + 1):
        killed_after(took_s * part / (2 * KILLS), "backup", "copy.db", *store, cwd=tmp_path)
        if (tmp_path / "copy.db").exists():
            # Only a copy that is whole has its name.
            vpp("restore", "copy.db", "--store", f"sqlite:///again{part}.db", cwd=tmp_path)
            (tmp_path / "copy.db").unlink()
        killed_after(took_s * part / (2 * KILLS), "retain", "--days", "30", "--yes", *store, cwd=tmp_path)
    assert vpp("retain", "--days", "30", "--yes", *store, cwd=tmp_path)["dropped"]
    assert vpp("check", *store, cwd=tmp_path)["ok"]
    assert vpp("export", "none.csv", *store, cwd=tmp_path)["rows"] == 0
