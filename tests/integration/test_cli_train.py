"""`vpp train` and `vpp forecast` as a user types them, on a small plant of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

PLANT = {
    "id": "farm",
    "name": "A farm",
    "timezone": "Europe/Amsterdam",
    "prices": {"import": {"price_per_kwh": 0.3}, "export": {"price_per_kwh": 0.07}},
    "planning": {"resolution": "1h", "horizon": "24h"},
    "sites": [
        {
            "id": "yard",
            "assets": [{"kind": "load", "id": "barn", "peak_kw": 10}, {"kind": "solar", "id": "roof", "peak_kw": 4}],
        }
    ],
}
QUICK = ("--models", "median", "--folds", "2", "--workers", "1")


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "vpp", *map(str, words)]


def vpp(*words: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        command(*words), cwd=cwd, capture_output=True, text=True, timeout=200, check=False, env=environment
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """A folder with a plant file and 30 days of readings."""
    (tmp_path / "farm.yaml").write_text(yaml.safe_dump(PLANT), encoding="utf-8")
    times = pd.date_range("2024-04-01T22:00Z", periods=30 * 24, freq="h")
    rng = np.random.default_rng(0)
    hour = times.hour.to_numpy()
    frame = pd.DataFrame(
        {
            "time": [moment.isoformat() for moment in times],
            "barn_kw": 2.0 + np.sin(hour / 24 * 2 * np.pi) + rng.gamma(2.0, 0.1, times.size),
            "roof_kw": np.maximum(0.0, 3.0 * np.sin((hour - 5) / 13 * np.pi)) * rng.uniform(0.6, 1.0, times.size),
        }
    )
    frame.to_csv(tmp_path / "readings.csv", index=False)
    return tmp_path


def test_train_forecast_and_train_again(farm: Path) -> None:
    data = ("--data", "readings.csv", "--once", "--json")
    trained = json.loads(vpp("train", "farm.yaml", *data, *QUICK, cwd=farm).stdout)
    assert trained["as_of"] == "2024-05-01T22:00:00Z"
    assert {name: source["done"] for name, source in trained["sources"].items()} == {
        "barn/power_kw": "compared",
        "roof/power_kw": "compared",
    }
    assert trained["sources"]["barn/power_kw"]["champion"] == "median"
    assert trained["sources"]["barn/power_kw"]["models"].keys() >= {"median", "seasonal_naive_24h"}
    issued = json.loads(vpp("forecast", "farm.yaml", *data, cwd=farm).stdout)
    assert [(one["source"], len(one["value"]), one["flags"]) for one in issued["forecasts"]] == [
        ("barn", 30, []),
        ("roof", 30, []),
    ]
    assert [(len(one["value"]), one["start"]) for one in issued["day_ahead"]] == [(96, "2024-05-02T22:00:00Z")] * 2
    fine = json.loads(vpp("forecast", "farm.yaml", *data, "--horizon", "6h", "--resolution", "15min", cwd=farm).stdout)
    assert len(fine["forecasts"][0]["value"]) == 24
    again = json.loads(vpp("train", "farm.yaml", *data, *QUICK, cwd=farm).stdout)
    assert {source["done"] for source in again["sources"].values()} == {"updated"}
    check_registered(farm)


def check_registered(farm: Path) -> None:
    """What MLflow holds is what serves: parameters, folds, a plot, and a champion that it loads by itself."""
    uri = f"sqlite:///{farm / 'farm-models' / 'mlflow.db'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        experiment = client.get_experiment_by_name("vpp/farm")
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        barn = runs["barn/power_kw"]
        assert barn.data.params["champion"] == "median"
        assert len(client.get_metric_history(barn.info.run_id, "mae/median")) == 2
        parent = runs["20240501T220000Z"]
        assert parent.info.run_id == barn.data.tags["mlflow.parentRunId"]
        assert len(parent.data.params["data_fingerprint"]) == 16
        assert parent.data.params["code_version"]
        assert [one.path for one in client.list_artifacts(parent.info.run_id, "plots")] == ["plots/pinball.html"]
        before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        model = mlflow.pyfunc.load_model("models:/vpp-farm@champion")
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
        frame = pd.read_csv(farm / "readings.csv")
        past = pd.DataFrame(
            {"time": frame["time"], "barn/power_kw": -frame["barn_kw"], "roof/power_kw": frame["roof_kw"]}
        )
        answer = model.predict(past.tail(24 * 14))
    assert answer.groupby("series").size().to_dict() == {"barn/power_kw": 30, "roof/power_kw": 30}
    assert {"value", "q10", "q90"} <= set(answer.columns)


def test_mlflow_that_is_down_stops_nothing(farm: Path) -> None:
    done = vpp(
        "train", "farm.yaml", "--data", "readings.csv", "--once", *QUICK, "--tracking-uri", "http://127.0.0.1:9",
        cwd=farm,
    )  # fmt: skip
    assert "note: MLflow at http://127.0.0.1:9" in done.stderr
    assert "compared" in done.stdout


def test_a_killed_training_goes_on(farm: Path) -> None:
    words = ("train", "farm.yaml", "--data", "readings.csv", "--once", "--json", "--folds", "2", "--group", "1")
    running = subprocess.Popen(
        command(*words, "--workers", "2", "--models", "median,theta"),
        cwd=farm, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(farm.glob("farm-models/runs/*/*.evidence")) and time.monotonic() < deadline:
        assert running.poll() is None, "it ended before anything was kept"
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = {path.name for path in farm.glob("farm-models/runs/*/*.evidence")}
    assert kept
    report: dict[str, Any] = json.loads(vpp(*words, "--workers", "1", "--models", "median,theta", cwd=farm).stdout)
    assert report["resumed"] is True
    assert {source["done"] for source in report["sources"].values()} == {"compared"}
    assert not list(farm.glob("farm-models/runs/*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "farm.yaml", "--once", "--every", "60m"), "--every: got '60m', expected not together with --once"),
        (("train", "farm.yaml", "--once", "--folds", "1"), "folds: got 1, expected a whole number from 2 to 52"),
        (("train", "farm.yaml", "--once", "--horizon", "90min"), "--horizon: got '90min', expected whole hours"),
        (("train", "farm.yaml", "--once", "--engine", "rai"), "no training engine called 'rai'; did you mean: ray"),
        (("train", "farm.yaml", "--once", "--workers", "0"), "workers: got 0, expected 1 or more processes"),
        (("train", "farm.yaml", "--once", "--deadline", "soon"), "--deadline: got 'soon', expected a duration"),
        (("forecast", "farm.yaml", "--once", "--resolution", "7min"), "resolution: got 420, expected whole seconds"),
        (("forecast", "farm.yaml", "--once", "--at", "2024-05-01"), "--at: got '2024-05-01"),
        (
            ("forecast", "farm.yaml", "--once", "--data", "readings.csv", "--at", "2030-01-01T00:00Z"),
            "--at: got '2030-01-01T00:00:00+00:00', expected a time after 2024-04-01",
        ),
    ],
)
def test_a_bad_option_is_refused_with_field_value_and_range(farm: Path, words: tuple[str, ...], message: str) -> None:
    done = vpp(*words, cwd=farm, code=2)
    assert message in done.stderr
    assert done.stdout == ""


def test_a_forecast_before_any_training_says_who_answers(farm: Path) -> None:
    done = vpp("forecast", "farm.yaml", "--data", "readings.csv", "--once", cwd=farm)
    assert "run `vpp train`" in done.stderr
    assert "champion_missing" in done.stdout.replace("\n", "")


def test_recorded_data_are_replayed_at_a_cadence(farm: Path) -> None:
    done = vpp(
        "forecast", "farm.yaml", "--data", "readings.csv", "--at", "2024-05-01T19:00Z", "--every", "1h", "--json",
        cwd=farm,
    )  # fmt: skip
    assert done.stdout.count('"issued_at": "2024-05-01T') > 3
    assert done.stdout.count('"day_ahead"') == 4
