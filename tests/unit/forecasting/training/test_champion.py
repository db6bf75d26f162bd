from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import UnreadableFileError
from vpp.core.ports import SeriesTable
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.local_time import LocalClock
from vpp.forecasting.models.seasonal_naive import SeasonalNaive
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.training.candidate import Candidate
from vpp.forecasting.training.champion import SILENT, Serving, Single, load, packed, save, unpacked
from vpp.forecasting.training.selection import CELLS

Plant = Callable[..., SeriesTable]


@pytest.fixture
def serving(profiles: tuple[SeriesProfile, ...], zone: ZoneInfo) -> Serving:
    """Nothing of it is fitted: naive members answer, which is all these tests need."""
    return Serving(ForecastPipeline(profiles, timezone=zone, plant="home"), LocalClock(zone))


def crowned(serving: Serving, member: object, *, wide: float = 0.5) -> Serving:
    levels = serving.pipeline.settings.levels
    key = serving.keys[0]
    serving.singles["naive"] = Single(Candidate("naive", "theta"), member)  # type: ignore[arg-type]
    serving.champions[key] = "naive"
    serving.offsets[key] = wide * np.repeat((np.array(levels) - 0.5)[:, None], CELLS, axis=1)
    return serving


def test_what_is_kept_answers_as_before(serving: Serving, plant: Plant, tmp_path: Path) -> None:
    history = plant(20)
    name = save(packed(serving), tmp_path)
    again = load(tmp_path, name)
    for one, other in zip(serving.predict(history, 30), again.predict(history, 30), strict=True):
        assert (one.key, one.model, one.flags) == (other.key, other.model, other.flags)
        np.testing.assert_array_equal(one.value, other.value)


def test_a_changed_or_missing_file_is_refused(serving: Serving, tmp_path: Path) -> None:
    name = save(packed(serving), tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UnreadableFileError, match="not the file that was kept"):
        load(tmp_path, name)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        load(tmp_path, name)
    with pytest.raises(UnreadableFileError, match="another version"):
        unpacked(b"nonsense")


def test_a_single_champion_serves_its_series_only(serving: Serving, plant: Plant) -> None:
    history = plant(20)
    served = crowned(serving, SeasonalNaive(24)).serve(history, 30)
    first, *rest = served.forecasts
    assert first.model == "naive"
    np.testing.assert_array_equal(first.value[:24], np.clip(history.value[-24:, 0], -5.0, 0.0))
    assert {forecast.model for forecast in rest} == {"median"}
    assert first.levels == ForecastSettings().levels
    assert (np.diff(first.quantiles, axis=0) >= 0.0).all()
    assert (first.quantiles <= 0.0).all()
    assert (first.quantiles >= -5.0).all()
    np.testing.assert_array_equal(first.quantiles[first.levels.index(0.5)], first.value)
    said = {(member.model, member.key) for member in served.members}
    assert ("naive", serving.keys[0]) in said
    assert ("seasonal_naive_24h", serving.keys[3]) in said


class Mute:
    name = "mute"

    def fit(self, history: SeriesTable) -> None: ...

    def predict(self, history: SeriesTable, steps: int, *, ahead: object = None) -> np.ndarray:
        return np.full((steps, len(history.keys)), np.nan)


def test_the_combination_answers_for_a_silent_champion_and_says_so(serving: Serving, plant: Plant) -> None:
    first = crowned(serving, Mute()).serve(plant(20), 30).forecasts[0]
    assert first.model == "median"
    assert SILENT in first.flags
    assert np.isfinite(first.value).all()


def test_columns_may_come_in_any_order(serving: Serving, plant: Plant) -> None:
    history = plant(20)
    turned = SeriesTable(history.grid, history.keys[::-1], history.value[:, ::-1])
    for one, other in zip(serving.predict(history, 5), serving.predict(turned, 5), strict=True):
        np.testing.assert_array_equal(one.value, other.value)


def test_catching_up_issues_what_was_missed(serving: Serving, plant: Plant) -> None:
    history = plant(30)
    assert serving.catch_up(history, 30) == 0, "never seen anything, so nothing was missed"
    serving.seen_until = history.grid.time(25 * 24)
    assert serving.catch_up(history, 30) == 16
    assert serving.seen_until == history.grid.end
    assert serving.catch_up(history, 30) == 0
