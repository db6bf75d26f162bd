"""The commands as a user types them: what they print where, with which exit code, and that the plan adds up."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

START = pd.Timestamp("2024-05-05T22:00Z")
ZONE = "Europe/Amsterdam"
Edit = Callable[[dict[str, Any]], None]


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
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plant file that `vpp init` writes."""
    folder = tmp_path_factory.mktemp("home")
    done = vpp("init", cwd=folder)
    assert done.code == 0
    return folder


def edited(home: Path, name: str, edit: Edit) -> Path:
    """Write the plant file with one thing changed."""
    raw = yaml.safe_load((home / "my-plant.yaml").read_text(encoding="utf-8"))
    edit(raw)
    path = home / name
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def readings(minutes: int, *, days: float = 3.0, ahead_h: float = 36.0, local: bool = False) -> pd.DataFrame:
    """Return measured days and, after them, hours that hold prices only."""
    steps = int((days * 24 + ahead_h) * 60) // minutes
    times = pd.date_range(START, periods=steps, freq=f"{minutes}min")
    hour = (times.tz_convert(ZONE).hour + times.minute / 60).to_numpy(dtype=float)
    frame = pd.DataFrame(
        {
            "time": [(t.tz_convert(ZONE) if local else t).isoformat() for t in times],
            "load_kw": (0.5 + 0.4 * np.sin(hour / 24 * 2 * np.pi) ** 2 + (hour > 17) * 0.8).round(3),
            "pv_kw": np.maximum(0.0, 3.0 * np.sin((hour - 6) / 12 * np.pi)).round(3),
            "price_per_kwh": (0.1 + 0.05 * np.sin((hour - 14) / 24 * 2 * np.pi)).round(4),
        }
    )
    frame.loc[frame.index[int(days * 24 * 60) // minutes :], ["load_kw", "pv_kw"]] = np.nan
    return frame


def saved(home: Path, frame: pd.DataFrame, name: str = "readings.csv") -> Path:
    frame.to_csv(home / name, index=False)
    return home / name


def cost_of(document: dict[str, Any], frame: pd.DataFrame) -> float:
    """Add up what the printed steps cost, from the file's prices and the plant file's words alone."""
    price = dict(zip(pd.to_datetime(frame["time"], utc=True), frame["price_per_kwh"], strict=True))
    hours, total, drawn_prices = document["resolution_s"] / 3600, 0.0, []
    for step in document["steps"]:
        import_price = (price[pd.Timestamp(step["time"])] + 0.02) * 1.21
        drawn_prices.append(import_price)
        battery = step["assets"]["battery"]
        total += hours * (step["import_kw"] * import_price - step["export_kw"] * 0.07)
        total += hours * max(battery["power_kw"], 0.0) * 0.02
        assert 0.2 - 1e-9 <= battery["soc"] <= 0.9 + 1e-9
    stored_kwh = 10.0 * document["steps"][-1]["assets"]["battery"]["soc"]
    return total - stored_kwh * math.sqrt(0.9) * median(drawn_prices)


def test_help_and_version(home: Path) -> None:
    done = vpp("--help", cwd=home)
    assert done.code == 0
    for command in ("up", "plan", "backtest", "init", "doctor", "config"):
        assert re.search(rf"\b{command}\b", done.out)
    assert vpp("--version", cwd=home).out.startswith("vpp ")
    assert vpp("plam", cwd=home).code == 2


def test_init_writes_a_valid_plant_and_replaces_nothing(home: Path) -> None:
    assert vpp("config", "validate", "my-plant.yaml", cwd=home).out == "my-plant.yaml is valid.\n"
    again = vpp("init", cwd=home)
    assert (again.code, again.out) == (2, "")
    assert "--force" in again.err
    missing = vpp("init", "nowhere/plant.yaml", cwd=home)
    assert missing.code == 2
    assert "folder that exists" in missing.err


def test_config_schema_is_a_schema(home: Path) -> None:
    schema = vpp("config", "schema", cwd=home).document
    assert {"properties", "$defs"} <= schema.keys()


def test_doctor_as_json_and_as_a_table(home: Path) -> None:
    findings = vpp("doctor", "--json", cwd=home).document
    assert all({"kind", "name", "found", "adds", "remedy"} == finding.keys() for finding in findings)
    assert {"python", "package", "extra"} <= {finding["kind"] for finding in findings}
    assert "'vpp[bench]'" in vpp("doctor", cwd=home).out, "an extra's name in brackets is no markup"


@pytest.mark.parametrize(("minutes", "local"), [(1, True), (5, False), (15, True), (30, False), (60, True)])
def test_a_plan_at_any_resolution_adds_up(home: Path, minutes: int, local: bool) -> None:
    frame = readings(minutes, local=local)
    done = vpp("plan", "my-plant.yaml", "--data", saved(home, frame), "--horizon", "6h", "--json", cwd=home)
    document = done.document
    assert done.code == 0
    assert (document["plant"], document["status"]) == ("my-home", "optimal")
    assert document["resolution_s"] == 60 * minutes
    assert document["issued_at"] == document["steps"][0]["time"] == "2024-05-08T22:00:00Z"
    assert len(document["steps"]) == 6 * 60 // minutes
    assert cost_of(document, frame) == pytest.approx(document["objective"], rel=1e-6, abs=1e-6)


def test_the_document_has_the_agreed_shape(home: Path) -> None:
    data = saved(home, readings(60))
    document = vpp("plan", "my-plant.yaml", "--data", data, "--json", cwd=home).document
    assert {"plant", "issued_at", "resolution_s", "status", "objective", "steps"} <= document.keys()
    assert len(document["steps"]) == 36
    for step in document["steps"]:
        assert {"time", "import_kw", "export_kw", "assets"} <= step.keys()
        assert step["assets"].keys() == {"battery"}
        battery = step["assets"]["battery"]
        assert battery.keys() == {"power_kw", "soc", "reasons"}
        (reason,) = battery["reasons"]
        assert {"code", "limit", "marginal_value_per_kwh", "alternative_cost"} <= reason.keys()
        assert isinstance(reason["code"], str)
        assert isinstance(reason["limit"], str)
        assert isinstance(reason["marginal_value_per_kwh"], float)
        assert reason["alternative_cost"] is None or reason["alternative_cost"] >= -1e-6


def test_a_decision_inside_the_file(home: Path) -> None:
    data = saved(home, readings(15))
    words = ("plan", "my-plant.yaml", "--data", data, "--at", "2024-05-07T14:07:00+02:00", "--horizon", "3h", "--json")
    document = vpp(*words, cwd=home).document
    assert document["issued_at"] == "2024-05-07T12:00:00Z", "the step under way is planned whole"
    assert [step["time"] for step in document["steps"]][-1] == "2024-05-07T14:45:00Z"


def test_the_table_shows_the_plan_without_a_minus_before_zero(home: Path) -> None:
    done = vpp("plan", "my-plant.yaml", "--data", saved(home, readings(60)), cwd=home)
    assert done.code == 0
    assert "My home: optimal" in done.out
    assert not re.search(r"[-+]0\.00\b", done.out)
    assert "discharge load" in done.out


def test_a_users_state_of_charge_and_forecast_are_believed(home: Path) -> None:
    frame = readings(60)
    frame["battery_soc"] = np.where(frame["load_kw"].notna(), 0.85, np.nan)
    frame["load_forecast_kw"] = 2.5
    document = vpp("plan", "my-plant.yaml", "--data", saved(home, frame), "--json", cwd=home).document
    assert document["initial_soc"] == {"battery": 0.85}
    first = document["steps"][0]
    supplied = first["import_kw"] - first["export_kw"] + first["assets"]["battery"]["power_kw"]
    assert supplied == pytest.approx(2.5), "at midnight there is no sun"


def test_prices_beyond_the_file_are_forecast_and_said_to_be(home: Path) -> None:
    done = vpp("plan", "my-plant.yaml", "--data", saved(home, readings(60, ahead_h=12)), "--json", cwd=home)
    assert done.code == 0
    note = "prices are forecast for 24 of 36 steps, the first at 2024-05-09T10:00:00Z"
    assert note in done.err
    assert note in done.document["notes"]


@pytest.mark.parametrize("days", [1 / 24, 1.0, 2.0])
def test_little_history_still_plans_and_says_so(home: Path, days: float) -> None:
    done = vpp("plan", "my-plant.yaml", "--data", saved(home, readings(15, days=days)), "--json", cwd=home)
    assert (done.code, done.document["status"]) == (0, "optimal")
    assert ("less than two days of history" in done.err) == (days < 2.0)


def without(*kinds: str) -> Edit:
    def edit(raw: dict[str, Any]) -> None:
        site = raw["sites"][0]
        site["assets"] = [asset for asset in site["assets"] if asset["kind"] not in kinds]

    return edit


@pytest.mark.parametrize("kinds", [("battery",), ("battery", "solar"), ("solar", "load")])
def test_plants_that_lack_something(home: Path, kinds: tuple[str, ...]) -> None:
    plant = edited(home, "part.yaml", without(*kinds))
    drop = {"solar": "pv_kw", "load": "load_kw"}
    frame = readings(60, ahead_h=0).drop(columns=[drop[kind] for kind in kinds if kind in drop])
    if "load" in kinds:
        frame["battery_kw"] = 0.0
    data = saved(home, frame, "part.csv")
    done = vpp("plan", plant, "--data", data, "--json", cwd=home)
    assert (done.code, done.document["status"]) == (0, "optimal")
    assert set(done.document["steps"][0]["assets"]) == ({"battery"} if "battery" not in kinds else set())
    assert ("nothing to plan" in done.err) == ("battery" in kinds)
    assert vpp("plan", plant, "--data", data, cwd=home).code == 0
    scored = vpp("backtest", plant, "--data", data, "--days", "1", "--json", cwd=home)
    assert scored.code == 0
    if "battery" in kinds:
        assert scored.document["strategies"]["plan"]["share_of_perfect_foresight"] is None


def test_an_infeasible_plan_names_the_conflict(home: Path) -> None:
    def tighten(raw: dict[str, Any]) -> None:
        without("solar")(raw)
        raw["sites"][0]["connection"]["import_max_kw"] = 0.1

    plant = edited(home, "tight.yaml", tighten)
    data = saved(home, readings(60).drop(columns="pv_kw"), "tight.csv")
    done = vpp("plan", plant, "--data", data, "--json", cwd=home)
    document = done.document
    assert (done.code, document["status"], document["objective"], document["steps"]) == (1, "infeasible", None, [])
    assert "import_max_kw" in done.err
    assert "home" in done.err
    assert document["conflicts"][0]["name"].startswith("import_max_kw")
    nearest = document["least_violation"]
    assert len(nearest["steps"]) == 36
    assert max(step["import_kw"] for step in nearest["steps"]) > 0.1
    table = vpp("plan", plant, "--data", data, cwd=home)
    assert table.code == 1
    assert "breaks the limits least" in table.out


@pytest.mark.parametrize(
    ("words", "hints"),
    [
        (("plan", "homs", "--data", "readings.csv"), ("homes",)),
        (("backtest", "wholesail"), ("wholesale",)),
        (("plan", "my-plant.yml", "--data", "readings.csv"), ("my-plant.yml",)),
        (("plan", "my-plant.yaml", "--data", "nothing.csv"), ("nothing.csv",)),
        (("plan", "my-plant.yaml", "--data", "readings.csv", "--at", "2024-05-07T14:00:00"), ("--at", "zone")),
        (("plan", "my-plant.yaml", "--data", "readings.csv", "--at", "2031-01-01T00:00Z"), ("--at", "2024-05-05T22")),
        (("plan", "my-plant.yaml", "--data", "readings.csv", "--horizon", "36"), ("--horizon", "36h")),
        (("plan", "my-plant.yaml", "--data", "readings.csv", "--horizon", "5min"), ("--horizon", "one step")),
        (("plan", "my-plant.yaml"), ("--data",)),
        (("backtest", "my-plant.yaml"), ("history", "--data")),
        (("backtest", "homes", "--start", "2010-01-01T00:00Z"), ("2016-08-01", "2017-08-01")),
        (("backtest", "homes", "--html", "nowhere/report.html"), ("--html", "nowhere/report.html", "folder")),
        (("config", "validate", "homs"), ("homes",)),
    ],
    ids=lambda part: "-".join(part[1:]) if isinstance(part, tuple) else None,
)
def test_a_refusal_is_one_clear_message(home: Path, words: tuple[str, ...], hints: tuple[str, ...]) -> None:
    saved(home, readings(60))
    done = vpp(*words, "--json", cwd=home)
    assert (done.code, done.out) == (2, "")
    for hint in hints:
        assert hint in done.err


def test_a_backtest_in_json(home: Path) -> None:
    done = vpp("backtest", "homes", "--days", "2", "--json", "--html", "report.html", cwd=home)
    document = done.document
    assert done.code == 0
    assert {"plant", "start", "end", "currency", "strategies"} <= document.keys()
    names = ["no_battery", "rule", "yesterday", "plan", "perfect_foresight"]
    assert list(document["strategies"]) == names
    for one in document["strategies"].values():
        assert {"cost", "energy_cost", "wear_cost", "share_of_perfect_foresight"} <= one.keys()
        parts = one["energy_cost"] + one["imbalance_cost"] + one["wear_cost"] - one["terminal_value"]
        assert one["cost"] == pytest.approx(parts, abs=1e-6)
    assert document["strategies"]["perfect_foresight"]["share_of_perfect_foresight"] == 1.0
    page = (home / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<script[^>]+src=|<link[^>]+href=|<img[^>]+src=[\"']http|@import", page)
    assert "plotly" in page
    assert not list(home.glob("*.part"))
    assert not list(home.glob(".*.part"))
