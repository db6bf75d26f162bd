"""A decision saved, proved and explained, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

START = pd.Timestamp("2024-05-05T22:00Z")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def vpp(*words: str | Path, cwd: Path) -> Done:
    command = [sys.executable, "-m", "vpp", *map(str, words)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"COLUMNS": "200"}
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plant, its readings and a saved plan of 12 hours."""
    folder = tmp_path_factory.mktemp("home")
    assert vpp("init", cwd=folder).code == 0
    steps, measured = 4 * 24, 3 * 24
    hour = np.arange(steps) % 24
    frame = pd.DataFrame(
        {
            "time": [time.isoformat() for time in pd.date_range(START, periods=steps, freq="60min")],
            "load_kw": np.round(0.5 + 0.4 * np.sin(hour / 24 * 2 * np.pi) ** 2, 3),
            "pv_kw": np.round(np.maximum(0.0, 3.0 * np.sin((hour - 6) / 12 * np.pi)), 3),
            "price_per_kwh": np.round(0.1 + 0.05 * np.sin((hour - 14) / 24 * 2 * np.pi), 4),
        }
    )
    frame.loc[frame.index[measured:], ["load_kw", "pv_kw"]] = np.nan
    frame.to_csv(folder / "readings.csv", index=False)
    done = vpp(
        "plan", "my-plant.yaml", "--data", "readings.csv", "--horizon", "12h", "--save", "plan.vpp", "--json",
        cwd=folder,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "saved plan.vpp (sha256 " in done.err
    (folder / "plan.json").write_text(done.out, encoding="utf-8")
    return folder


def told(home: Path, *words: str) -> Any:
    done = vpp("explain", "plan.vpp", *words, "--json", cwd=home)
    assert done.code == 0, done.err
    return done.document


def test_a_saved_plan_is_made_again(home: Path) -> None:
    document, plan = told(home), json.loads((home / "plan.json").read_text(encoding="utf-8"))
    assert document["objective"] == plan["objective"]
    assert document["resolved"]["same"] is True
    assert document["resolved"]["objective_difference"] == 0.0
    assert document["resolved"]["versions_differ"] == []
    assert len(document["explanations"]) == len(plan["steps"]) == 12
    assert len(document["content_sha256"]) == 64
    first = plan["steps"][0]
    (battery,) = first["assets"]
    reason = first["assets"][battery]["reasons"][0]
    explained = document["explanations"][0]
    assert explained["asset"] == battery
    assert {name: explained[name] for name in ("code", "limit", "alternative_power_kw", "alternative_cost")} == {
        name: reason[name] for name in ("code", "limit", "alternative_power_kw", "alternative_cost")
    }
    assert explained["words"]


def test_one_step_of_one_asset(home: Path) -> None:
    everything = told(home)["explanations"]
    chosen = everything[5]
    (only,) = told(home, "--asset", chosen["asset"], "--at", chosen["time"])["explanations"]
    assert only == chosen
    assert only["alternative_cost"] is not None


def test_people_read_words(home: Path) -> None:
    done = vpp("explain", "plan.vpp", cwd=home)
    assert done.code == 0, done.err
    assert "made again, the plan is the same (optimal)" in done.out
    assert "compare this one with that shown when it was saved: sha256 " + told(home)["content_sha256"] in done.out
    assert "highspy" in done.out
    assert " kW " in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.vpp",), "No such file"),
        (("readings.csv",), "not a decision bundle"),
        (("plan.vpp", "--asset", "bttery"), "no controllable asset called 'bttery'"),
        (("plan.vpp", "--at", "2030-01-01T00:00Z"), "a time from"),
        (("plan.vpp", "--at", "2024-05-09"), "a time with a zone"),
    ],
)
def test_what_cannot_be_explained_is_refused(home: Path, words: tuple[str, ...], message: str) -> None:
    done = vpp("explain", *words, cwd=home)
    assert done.code == 2
    assert message in done.err.replace("\n", " ")


def test_an_edited_bundle_is_refused(home: Path) -> None:
    with zipfile.ZipFile(home / "plan.vpp") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["result.json"] = members["result.json"].replace(b'"objective": ', b'"objective": 1')
    with zipfile.ZipFile(home / "edited.vpp", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    done = vpp("explain", "edited.vpp", cwd=home)
    assert done.code == 2
    assert "result.json is not what was saved" in done.err


def test_a_place_that_cannot_be_written_is_refused_before_planning(home: Path) -> None:
    done = vpp("plan", "my-plant.yaml", "--data", "missing.csv", "--save", "nowhere/x.vpp", cwd=home)
    assert done.code == 2
    assert "--save" in done.err


def test_an_infeasible_decision_can_be_taken_along(home: Path) -> None:
    raw = yaml.safe_load((home / "my-plant.yaml").read_text(encoding="utf-8"))
    raw["sites"][0]["connection"]["import_max_kw"] = 0.001
    (home / "tight.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    done = vpp("plan", "tight.yaml", "--data", "readings.csv", "--save", "bad.vpp", cwd=home)
    assert done.code == 1, done.err
    again = vpp("explain", "bad.vpp", "--json", cwd=home)
    assert again.code == 0, again.err
    assert again.document["status"] == "infeasible"
    assert again.document["resolved"]["same"] is True
    assert {row["code"] for row in again.document["explanations"]} == {"least_violation"}
