from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import UnreadableFileError
from vpp.core.time import epoch_s
from vpp.forecasting import SeriesProfile
from vpp.forecasting.evaluation.leaderboard import leaderboard, losses
from vpp.forecasting.evaluation.report import write_report
from vpp.forecasting.evaluation.rolling import Evaluation, ModelRun

STEPS, ORIGINS = 24, 10
LEVELS = (0.1, 0.5, 0.9)
LOAD = SeriesProfile.load("house")


def run(name: str, value: np.ndarray, spread: float = 1.0) -> ModelRun:
    quantiles = np.stack([value - spread, value, value + spread], axis=1)
    return ModelRun(model=name, value=value, quantiles=quantiles, fit_cpu_s=0.1, predict_cpu_s=0.01)


@pytest.fixture
def evaluation() -> Evaluation:
    """What happened is -5; models err by known amounts, the naive by 2."""
    shape = (ORIGINS, STEPS, 1)
    generator = np.random.default_rng(0)
    actual = np.full(shape, -5.0)
    jitter = generator.uniform(-0.1, 0.1, size=shape)
    silent = actual + 0.1
    silent[: ORIGINS // 2] = np.nan
    mute = np.full(shape, np.nan)
    origins = STEPS * np.arange(ORIGINS, dtype=np.int64) + 480
    runs = {
        "good": run("good", actual + 1.0 + jitter),
        "bad": run("bad", actual - 3.0 + jitter),
        "silent": run("silent", silent),
        "mute": run("mute", mute),
    }
    return Evaluation(
        profiles=(LOAD,),
        timezone=ZoneInfo("Europe/Amsterdam"),
        resolution_s=3600,
        origins=origins,
        origins_s=epoch_s(datetime(2024, 1, 1, tzinfo=UTC)) + 3600 * origins,
        steps=STEPS,
        levels=LEVELS,
        actual=actual,
        naive={"seasonal_naive_24h": actual + 2.0, "seasonal_naive_168h": actual + 4.0},
        past_scale=np.array([0.5]),
        runs=runs,
    )


def test_scores_of_a_known_case(evaluation: Evaluation) -> None:
    (board,) = leaderboard(evaluation)
    good = board.of("good")
    assert (board.best, board.naive, board.naive_mae.value) == ("good", "seasonal_naive_24h", 2.0)
    assert good.mae.value == pytest.approx(1.0, abs=0.02)
    assert good.rmae.value == pytest.approx(good.mae.value / 2.0)
    assert good.mase.value == pytest.approx(good.mae.value / 0.5)
    assert good.mae_interval.low < good.mae.value < good.mae_interval.high
    assert good.coverage_80.value == pytest.approx(np.mean(evaluation.runs["good"].value <= -4.0))
    assert good.crps.value > good.pinball.value > 0.0
    assert good.against_naive.p_value < 1e-6
    assert good.against_naive.difference < 0.0
    assert board.of("bad").against_naive.difference > 0.0
    assert board.against_second.p_value < 1e-6


def test_who_stays_silent_cannot_be_best(evaluation: Evaluation) -> None:
    (board,) = leaderboard(evaluation)
    silent = board.of("silent")
    assert silent.mae.value < board.of("good").mae.value
    assert silent.answered == 0.5
    assert [row.model for row in board.models] == ["good", "bad", "silent", "mute"]
    mute = board.of("mute")
    assert mute.mae.value is None
    assert "0 steps to score" in mute.mae.reason
    assert mute.answered == 0.0


def test_nobody_to_compare_with_is_said(evaluation: Evaluation) -> None:
    (lone,) = leaderboard(replace(evaluation, runs={"good": evaluation.runs["good"]}))
    assert lone.against_second.p_value is None
    assert lone.against_second.reason == "fewer than two models answered enough to be compared"
    (none,) = leaderboard(replace(evaluation, runs={"mute": evaluation.runs["mute"]}))
    assert none.best is None


def test_losses_are_means_over_what_is_known() -> None:
    said = np.array([[1.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(losses(said, np.zeros((2, 2))), [1.0, np.nan])


def test_the_report_stands_alone_and_holds_every_series(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    boards = leaderboard(evaluation)
    labels = {LOAD.key: "</script> <b>house</b>"}
    regrets = {(LOAD.key, row.model): "1.50" for row in boards[0].models}
    write_report(
        evaluation, boards, path, title="A & B", labels=labels, notes=("one <note>",), regrets=regrets, currency="EUR"
    )
    page = path.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="?https?:', page.split("<script>")[0])
    assert "A &amp; B" in page
    assert "one &lt;note&gt;" in page
    assert "<b>house</b>" not in page
    held = re.search(r'<script type="application/json" id="series">(.*?)</script>', page, re.DOTALL)
    assert held is not None
    (series,) = json.loads(held.group(1))
    assert "1.50" in series["board"]
    fan, reliability, by_hour, by_lead = series["figures"]
    assert next(trace for trace in fan["data"] if trace["name"] == "happened")["y"][0] == 5.0  # as files give a load
    assert [trace["name"] for trace in reliability["data"]] == ["ideal", "good", "bad", "silent"]
    assert len(by_hour["data"][0]["x"]) == 24
    assert by_lead["data"][0]["y"] == [2.0] * STEPS
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_leaves_nothing(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        write_report(
            evaluation, leaderboard(evaluation), tmp_path / "none" / "r.html", title="t", labels={LOAD.key: "house"}
        )
