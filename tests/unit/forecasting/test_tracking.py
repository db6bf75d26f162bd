from __future__ import annotations

from pathlib import Path

import pytest

from vpp.core.messages import SeriesKey
from vpp.forecasting.tracking import SourceRecord, Tracking, chart

KEY = SeriesKey("<home>", "power_kw")


def test_the_chart_shows_every_model_and_needs_no_script() -> None:
    metrics = {"pinball/median": [1.0, 3.0], "pinball/theta": [1.0, None], "mae/theta": [9.0]}
    page = chart([SourceRecord(KEY, "theta", "better", ("median", "theta"), metrics)])
    assert "&lt;home&gt;/power_kw" in page
    assert "median: 2<" in page
    assert "theta: 1<" in page
    assert page.count("<circle") == 2
    assert page.count("#009e73") == 1
    assert "<script" not in page
    assert "http" not in page


def test_a_source_without_a_comparison_has_no_row() -> None:
    assert "<circle" not in chart([SourceRecord(KEY, "median", "", (), {"pinball/theta": [1.0]})])


def test_a_url_comes_before_the_environment_and_that_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert Tracking.of("sqlite:///a.db", tmp_path).uri == "sqlite:///a.db"
    assert Tracking.of(None, tmp_path) == Tracking("http://mlflow:5000")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    local = Tracking.of(None, tmp_path)
    assert local.uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert local.artefacts == tmp_path / "mlflow"
