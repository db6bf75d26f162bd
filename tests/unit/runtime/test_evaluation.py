"""Evaluation of files and plants: what is read as what, what is set aside, what comes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vpp.core.errors import InvalidInputError, MissingDataError, NaiveTimeError, UnreadableFileError
from vpp.runtime.evaluation import NO_PLANT, evaluate, models_for
from vpp.runtime.evaluation_data import evaluation_data

NAIVES = ("seasonal_naive_24h", "seasonal_naive_168h")
ZONE = "Europe/Amsterdam"


def written(path: Path, days: int = 30, **columns: np.ndarray) -> Path:
    generator = np.random.default_rng(0)
    hour = np.arange(days * 24) % 24
    usual = {
        "house_load_kw": generator.gamma(4.0, 0.25, days * 24),
        "roof_pv": 3.0 * np.maximum(0.0, np.sin((hour - 4) / 15 * np.pi)) * generator.uniform(0.4, 1.0, days * 24),
        "price": 0.1 + 0.05 * generator.normal(size=days * 24),
    }
    times = pd.date_range("2024-06-01", periods=days * 24, freq="h", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    pd.DataFrame({"time": times} | (columns or usual)).to_csv(path, index=False)
    return path


def test_columns_are_taken_for_what_they_are_called(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    power = generator.gamma(4.0, 0.25, 720)
    columns = {
        "City Demand MW": power,
        "solar_mw": -power * (np.arange(720) % 24 > 6) * (np.arange(720) % 24 < 18),
        "wind-farm": power,
        "spot_price": power - 1.0,
        "window_open": power,
        "net_load": power - 1.0,
        "radiation_forecast": power,
    }
    data = evaluation_data(str(written(tmp_path / "f.csv", **columns)), timezone=ZONE, keep_faulty=True)
    kinds = {data.labels[profile.key]: (profile.kind, profile.lower, profile.upper) for profile in data.profiles}
    inf = np.inf
    assert kinds == {
        "City Demand MW": ("load", -inf, 0.0),
        "solar_mw": ("solar", 0.0, inf),
        "wind-farm": ("wind", 0.0, inf),
        "spot_price": ("price", -inf, inf),
        "window_open": ("load", -inf, inf),
        "net_load": ("load", -inf, inf),
    }
    assert data.table.column(data.profiles[0].key).max() <= 0.0
    assert data.table.column(data.profiles[1].key).min() >= 0.0  # written negative, as of a net load
    assert all([key.metric for key in profile.inputs] == ["forecast"] for profile in data.profiles)
    assert any("known ahead at each decision: radiation_forecast" in note for note in data.notes)
    assert "weather_trees" in models_for(data)


@pytest.mark.parametrize("header", ["time", "Time", "timestamp", "Datetime", "UTC", "date"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_column_of_stamps_may_have_its_usual_names(tmp_path: Path, header: str, suffix: str) -> None:
    frame = pd.read_csv(written(tmp_path / "f.csv"), parse_dates=["time"]).rename(columns={"time": header})
    path = tmp_path / f"g{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path, index=False)
    assert len(evaluation_data(str(path), timezone=ZONE).profiles) == 3


def test_what_an_inverter_draws_at_night_is_no_negative_sun(tmp_path: Path) -> None:
    usual = pd.read_csv(written(tmp_path / "f.csv"))["roof_pv"].to_numpy()
    data = evaluation_data(
        str(written(tmp_path / "g.csv", roof_pv=np.where(usual > 0.0, usual, -0.002))), timezone=ZONE
    )
    (profile,) = data.profiles
    assert (profile.kind, profile.lower) == ("solar", 0.0)
    assert data.table.value.min() == 0.0


def test_a_file_without_stamps_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("when,load\n2024-06-01T00:00:00Z,1\n2024-06-01T01:00:00Z,2\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="a column called 'time'"):
        evaluation_data(str(path))


def test_a_table_is_evaluated_without_a_plant(tmp_path: Path) -> None:
    data = evaluation_data(str(written(tmp_path / "f.csv")), timezone=ZONE)
    result = evaluate(data, models=NAIVES, days=10)
    document = result.document()
    assert set(document) == {"data", "horizon", "origins", "series"}
    assert (document["horizon"], len(document["origins"])) == ("30h", 10)
    assert {datetime.fromisoformat(at).astimezone(ZoneInfo(ZONE)).hour for at in document["origins"]} == {18}
    assert list(document["series"]) == ["house_load_kw", "roof_pv", "price"]
    for series in document["series"].values():
        assert {"models", "best", "dm_p"} <= set(series)
        for model in series["models"].values():
            assert {
                "mae", "rmse", "rmae", "pinball", "coverage_80", "regret", "fit_cpu_s", "predict_cpu_s",
                "regret_reason",
            } >= set(model)  # fmt: skip
            assert (model["regret"], model["regret_reason"]) == (None, NO_PLANT)
            assert model["mae"] > 0.0
        assert min(model["rmae"] for model in series["models"].values()) == pytest.approx(1.0)
        assert 0.0 <= series["dm_p"] <= 1.0


def test_too_little_is_null_with_a_reason_and_never_0(tmp_path: Path) -> None:
    data = evaluation_data(str(written(tmp_path / "f.csv", days=12)), timezone=ZONE)
    result = evaluate(data, models=NAIVES[:1], horizon_s=6 * 3600, days=2)
    model = result.document()["series"]["price"]["models"]["seasonal_naive_24h"]
    assert (model["mae"], model["rmae"], model["coverage_80"]) == (None, None, None)
    assert "12 steps to score, 24 needed" in model["reason"]
    assert result.document()["series"]["price"]["best"] is None
    assert result.document()["series"]["price"]["dm_reason"]


def test_moments_of_decision_can_be_given(tmp_path: Path) -> None:
    data = evaluation_data(str(written(tmp_path / "f.csv")), timezone=ZONE)
    moments = [datetime(2024, 6, 20, 6, tzinfo=UTC) + timedelta(days=n) for n in (0, 3)]
    result = evaluate(data, models=NAIVES, origins=moments)
    assert result.document()["origins"] == ["2024-06-20T06:00:00Z", "2024-06-23T06:00:00Z"]
    with pytest.raises(InvalidInputError, match="the start of a step"):
        evaluate(data, models=NAIVES, origins=[datetime(2025, 1, 1, tzinfo=UTC)])


def test_faults_of_a_table_are_found_set_aside_and_told(tmp_path: Path) -> None:
    usual = pd.read_csv(written(tmp_path / "usual.csv"))
    load = usual["house_load_kw"].to_numpy()
    load[100] = 60.0
    swapped = written(tmp_path / "f.csv", house_load_kw=load, barn_load_kw=usual["roof_pv"].to_numpy())
    data = evaluation_data(str(swapped), timezone=ZONE)
    assert [data.labels[profile.key] for profile in data.profiles] == ["house_load_kw"]
    assert np.isnan(data.table.value[100, 0])
    assert any("barn_load_kw: follows the sun" in note and note.endswith("left out") for note in data.notes)
    assert any("1 values (0.14 %) set aside" in note for note in data.notes)
    with pytest.raises(MissingDataError, match="--keep-faulty"):
        evaluation_data(str(written(tmp_path / "g.csv", barn_load_kw=usual["roof_pv"].to_numpy())), timezone=ZONE)


def test_a_plant_brings_its_zone_its_bounds_and_its_regret() -> None:
    data = evaluation_data("wholesale")
    assert data.timezone.key == "Europe/Amsterdam"
    assert {data.labels[profile.key]: profile.upper for profile in data.profiles} == {
        "wind": 5000.0, "pv": 3000.0, "load": 0.0, "price_per_kwh": np.inf,
    }  # fmt: skip
    result = evaluate(data, models=NAIVES[1:], days=2)
    document = result.document()["series"]
    assert all(series["models"]["seasonal_naive_168h"]["regret"] > 0.0 for series in document.values())


def test_the_planted_faults_of_the_homes_are_left_out() -> None:
    data = evaluation_data("homes")
    kept = {data.labels[profile.key] for profile in data.profiles}
    assert len(kept) == 19
    assert not kept & {"home14_pv", "home15_pv", "home15_load"}
    assert len(evaluation_data("homes", keep_faulty=True).profiles) == 22


@pytest.mark.parametrize(
    ("data", "options", "fault", "words"),
    [
        ("home", {}, UnreadableFileError, "no such file, nor a built-in plant"),
        ("homes", {"timezone": "UTC"}, InvalidInputError, "--timezone"),
        ("homes", {"plant": "homes"}, InvalidInputError, "--plant"),
    ],
)
def test_what_cannot_be_is_refused(data: str, options: dict[str, str], fault: type[Exception], words: str) -> None:
    with pytest.raises(fault, match=words):
        evaluation_data(data, **options)


def test_stamps_without_a_zone_need_one(tmp_path: Path) -> None:
    path = written(tmp_path / "f.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("Z,", ","), encoding="utf-8")
    with pytest.raises(NaiveTimeError):
        evaluation_data(str(path))
    assert evaluation_data(str(path), timezone=ZONE).table.grid.start == datetime(2024, 5, 31, 22, tzinfo=UTC)


def test_short_data_and_broken_horizons_are_refused(tmp_path: Path) -> None:
    short = evaluation_data(str(written(tmp_path / "f.csv", days=8)), timezone=ZONE)
    with pytest.raises(MissingDataError, match=r"spans 8.0 days"):
        evaluate(short, models=NAIVES)
    long = evaluation_data(str(written(tmp_path / "g.csv")), timezone=ZONE)
    with pytest.raises(InvalidInputError, match="whole steps of 3600 s"):
        evaluate(long, models=NAIVES, horizon_s=5400)
