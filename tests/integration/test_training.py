"""Training and forecasting of a small plant, as the commands do it, in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpp.config import VPPConfig
from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.messages import DAY_AHEAD, FOLD, MEMBER, Readings
from vpp.core.time import TimeGrid
from vpp.forecasting.kinds import SeriesProfile
from vpp.forecasting.settings import ForecastSettings, TreeShape
from vpp.forecasting.tracking import Tracking
from vpp.forecasting.training.candidate import Candidate
from vpp.forecasting.training.champion import load, packed, save
from vpp.forecasting.training.engine import SerialEngine
from vpp.runtime.build import HISTORY_S, forecast_service, profiles_of
from vpp.runtime.clock import DataClock
from vpp.runtime.forecasts import known_history
from vpp.runtime.inference import InferenceService
from vpp.runtime.serving import MISSING, ChampionPipeline
from vpp.runtime.setup import setup_of
from vpp.runtime.training import TrainingService, TrainingSettings
from vpp.runtime.workplace import Workplace
from vpp.store.memory import MemoryStore

START = datetime(2024, 4, 1, 22, tzinfo=UTC)
DAYS = 32
NOW = START + timedelta(days=DAYS)
SMALL = TreeShape(trees=5, leaves=4, least_rows=20)
FAST = ForecastSettings(
    calibration_days=7,
    calibration_every_h=24,
    trees=dict.fromkeys(("load", "solar", "wind", "price"), SMALL),
)
SETTINGS = TrainingSettings(models=("median",), folds=2)


def write_days(store: MemoryStore, keys: tuple[Any, ...], first: int, days: int, *, scale: float = 1.0) -> None:
    grid = TimeGrid(START + timedelta(days=first), 3600, days * 24)
    rng = np.random.default_rng(first)
    hour = np.arange(grid.count) % 24
    load = -scale * (1.0 + 0.5 * np.sin(hour / 24 * 2 * np.pi) + rng.gamma(2.0, 0.1, grid.count))
    sun = 3.0 * np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)) * rng.uniform(0.5, 1.0, grid.count)
    values = np.column_stack([load, sun])[:, : len(keys)]
    store.write_readings(Readings.from_table("home", keys, grid.times_s, values, arrived_s=grid.times_s + 3600))


HOME: dict[str, Any] = {
    "id": "home",
    "name": "A home",
    "timezone": "Europe/Amsterdam",
    "prices": {"import": {"price_per_kwh": 0.3}, "export": {"price_per_kwh": 0.07}},
    "planning": {"resolution": "1h", "horizon": "24h", "plan_every": "1h"},
    "sites": [
        {
            "id": "house",
            "assets": [{"kind": "load", "id": "load", "peak_kw": 10}, {"kind": "solar", "id": "pv", "peak_kw": 4}],
        }
    ],
}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    setup = setup_of(VPPConfig(HOME))
    store = MemoryStore()
    write_days(store, setup.power_keys, 0, DAYS)
    return Workplace(
        setup=setup,
        store=store,
        profiles=profiles_of(setup, needs_spot=False),
        folder=tmp_path / "models",
        clock=DataClock(NOW),
        until=None,
    )


@pytest.fixture
def train(place: Workplace) -> Callable[..., Any]:
    """Return a function that trains as of a moment; its MLflow refuses the connection, which stops nothing."""

    def run(now: datetime = NOW, settings: TrainingSettings = SETTINGS, engine: Any = None) -> Any:
        tracking = Tracking("http://127.0.0.1:9")
        return TrainingService(place, engine or SerialEngine(), tracking, settings, FAST).run(now)

    return run


def done_of(report: Any) -> set[str]:
    return {one.done for one in report.sources}


def test_compared_once_then_updated_hourly_refitted_daily_compared_weekly(
    place: Workplace, train: Callable[..., Any]
) -> None:
    first = train()
    assert done_of(first) == {"compared"}
    assert any("MLflow at http://127.0.0.1:9" in note for note in first.notes)
    assert {champion.run for champion in place.store.champions("home")} == {first.run}
    assert place.store.scores("home", place.profiles[0].key, START, NOW, product=FOLD)
    assert not list((place.folder / "runs").glob("*"))
    write_days(place.store, place.setup.power_keys, DAYS, 8)
    assert done_of(train(NOW + timedelta(hours=1))) == {"updated"}
    daily = train(NOW + timedelta(days=1))
    assert done_of(daily) == {"refitted"}
    assert {champion.trained_at for champion in place.store.champions("home")} == {NOW + timedelta(days=1)}
    assert {champion.decided_at for champion in place.store.champions("home")} == {NOW}
    assert done_of(train(NOW + timedelta(days=7))) == {"compared"}


class Stopped(Exception):  # noqa: N818, what a kill looks like from inside
    """The process is gone."""


class Killed:
    """Does one task and is killed."""

    def map(self, function: Any, tasks: Any, *, until: float | None = None) -> Any:
        yield function(next(iter(tasks)))
        raise Stopped


def test_a_killed_run_goes_on_with_what_is_missing(place: Workplace, train: Callable[..., Any]) -> None:
    settings = TrainingSettings(models=("median",), folds=2, group=1)
    with pytest.raises(Stopped):
        train(NOW, settings, Killed())
    assert len(place.store.champions("home")) == 2, "somebody serves at once"
    later = train(NOW + timedelta(hours=2), settings)
    assert (later.resumed, later.as_of) == (True, NOW)
    assert done_of(later) == {"compared"}
    assert not list((place.folder / "runs").glob("*"))


class Nothing:
    """Has no time for anything."""

    def map(self, function: Any, tasks: Any, *, until: float | None = None) -> Any:
        return iter(())


def test_without_time_everybody_is_still_served_and_the_next_run_compares(
    place: Workplace, train: Callable[..., Any]
) -> None:
    report = train(NOW, SETTINGS, Nothing())
    assert (done_of(report), report.skipped) == ({"started"}, 1)
    issued = InferenceService(place).run(NOW)
    assert all(np.isfinite(forecast.value).all() for forecast in issued.forecasts)
    assert "untrained" in issued.forecasts[0].flags
    assert done_of(train(NOW + timedelta(hours=1))) == {"compared"}


class OneTask:
    """Has time for one comparison, and then the deadline has passed."""

    def map(self, function: Any, tasks: Any, *, until: float | None = None) -> Any:
        return map(function, islice(tasks, 1))


def test_what_a_deadline_left_out_is_compared_by_the_next_run(place: Workplace, train: Callable[..., Any]) -> None:
    settings = TrainingSettings(models=("theta", "lightgbm"), folds=2)
    first = train(NOW, settings, OneTask())
    assert done_of(first) == {"compared"}
    assert first.skipped >= 1
    write_days(place.store, place.setup.power_keys, DAYS, 1)
    second = train(NOW + timedelta(hours=1), settings)
    assert (second.resumed, second.as_of, second.skipped) == (True, NOW, 0)
    assert "lightgbm" in second.sources[0].models
    third = train(NOW + timedelta(hours=2), settings)
    assert (third.resumed, done_of(third)) == (False, {"updated"})


def test_errors_that_rise_for_good_are_compared_before_their_time(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    write_days(place.store, place.setup.power_keys, DAYS, 7)
    key = place.profiles[0].key
    folds = place.store.scores("home", key, START, NOW, product=FOLD)
    served = [score for score in folds if score.model == "median"]
    worse = [
        type(one)(one.plant, one.key, one.model, "rolling", NOW + timedelta(days=day), 30, 3.0 * one.mae)
        for day, one in enumerate(served[:6])
    ]
    place.store.write_scores(worse)
    report = train(NOW + timedelta(days=6, hours=1))
    assert list(report.drifted) == [key]
    assert done_of(report) == {"compared"}


def test_forecasts_are_kept_scored_and_served_to_the_loop(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    now = START + timedelta(days=DAYS - 1, hours=18)
    train(now, TrainingSettings(models=("median",), folds=2, full=True))
    issued = InferenceService(place).run(now)
    rolling, day = issued.forecasts[0], issued.day_ahead[0]
    assert (rolling.grid.start, rolling.grid.resolution_s, rolling.grid.count) == (now, 3600, 30)
    assert (day.grid.count, day.grid.resolution_s) == (96, 900)
    assert day.grid.start == datetime(2024, 5, 3, 22, tzinfo=UTC)
    assert place.store.forecasts("home")[0].issued_at == now
    assert place.store.forecasts("home", product=DAY_AHEAD)[0].grid == day.grid
    assert place.store.issued("home", rolling.key, now, now + timedelta(1), product=MEMBER)
    for forecast in issued.forecasts:
        assert (np.diff(forecast.quantiles, axis=0) >= 0.0).all()
        assert (forecast.value >= forecast.quantiles[0]).all()
    write_days(place.store, place.setup.power_keys, DAYS, 2)
    report = train(now + timedelta(hours=31))
    assert report.scored > 2
    loop = ChampionPipeline(place.setup, place.store, place.profiles, place.folder)
    history = known_history(place.setup, place.store, place.setup.power_keys, now, 20 * 86_400)
    before = {champion.artefact for champion in place.store.champions("home")}
    assert {forecast.model for forecast in loop.predict(history, 30)} == {"median"}
    loop.fit(history)
    assert {champion.artefact for champion in place.store.champions("home")} == before


def test_a_missing_model_steps_down_and_says_so(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    for path in (place.folder / "fitted").glob("*.model"):
        path.unlink()
    issued = InferenceService(place).run(NOW)
    assert all(MISSING in forecast.flags for forecast in issued.forecasts)
    assert all(np.isfinite(forecast.value).all() for forecast in issued.forecasts)
    assert any("run `vpp train`" in note for note in issued.notes)
    assert done_of(train(NOW + timedelta(hours=1))) == {"compared"}


def test_a_new_source_is_forecast_from_its_second_day(place: Workplace) -> None:
    store = MemoryStore()
    write_days(store, place.setup.power_keys[:1], 0, DAYS)
    write_days(store, place.setup.power_keys, DAYS, 1)
    place.store = store
    now = NOW + timedelta(days=1)
    new = InferenceService(place).run(now).forecasts[1]
    assert "cold_start" in new.flags
    assert new.value.max() > 0.5
    assert new.value[new.grid.times_s // 3600 % 24 == 3].max() == 0.0


def test_another_local_day_has_92_or_100_quarter_hours(place: Workplace) -> None:
    place.store = MemoryStore()
    grid = TimeGrid(datetime(2024, 10, 20, tzinfo=UTC), 3600, 6 * 24 + 12)
    values = np.ones((grid.count, 2)) * [-1.0, 0.5]
    place.store.write_readings(
        Readings.from_table("home", place.setup.power_keys, grid.times_s, values, arrived_s=grid.times_s)
    )
    assert InferenceService(place).run(grid.end).day_ahead[0].grid.count == 100


@pytest.mark.parametrize(("field", "value"), [("folds", 1), ("horizon_h", 0), ("group", 0), ("deadline_s", 0.0)])
def test_settings_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match=field.removesuffix("_s")):
        TrainingSettings(**{field: value})  # type: ignore[arg-type]


def test_an_unknown_model_is_refused_before_any_work(place: Workplace, train: Callable[..., Any]) -> None:
    with pytest.raises(UnknownNameError, match="no forecasting model called 'tetha'; did you mean: theta"):
        train(NOW, TrainingSettings(models=("tetha",)))
    assert place.store.champions("home") == []


@pytest.mark.parametrize(
    ("horizon_s", "resolution_s", "message"),
    [
        (5400, 3600, "whole steps of 3600 s"),
        (0, 3600, "whole steps"),
        (3600, 420, "divide a day"),
        (86_400 * 15, 3600, "14"),
    ],
)
def test_horizons_and_steps_out_of_range_are_refused(
    place: Workplace, horizon_s: int, resolution_s: int, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        InferenceService(place, horizon_s=horizon_s, resolution_s=resolution_s)


def test_a_changed_rating_is_another_series(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    changed = (SeriesProfile.load("load", peak_kw=1.2), place.profiles[1])
    pipeline = ChampionPipeline(place.setup, place.store, changed, place.folder)
    history = known_history(place.setup, place.store, place.setup.power_keys, NOW, 20 * 86_400)
    first, second = pipeline.predict(history, 30)
    assert MISSING in first.flags
    assert MISSING not in second.flags
    assert first.value.min() >= -1.2


def test_the_running_plant_is_forecast_by_the_same_champions(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    champion = place.store.champions("home")[0]
    service = forecast_service(place.setup, place.store, needs_spot=False, models=place.folder)
    served = service.run(NOW)
    trained = load(place.folder / "fitted", champion.artefact)
    history = known_history(place.setup, place.store, place.setup.power_keys, NOW, HISTORY_S)
    for one, other in zip(served, trained.predict(history, served[0].grid.count), strict=True):
        np.testing.assert_array_equal(one.value, other.value)
        np.testing.assert_array_equal(one.quantiles, other.quantiles)
    alone = forecast_service(place.setup, place.store, needs_spot=False, models=place.folder / "nothing").run(NOW)
    assert all(MISSING not in forecast.flags for forecast in alone), "without champions the loop learns by itself"


def test_a_damaged_model_is_made_anew_by_the_run_after(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    for path in (place.folder / "fitted").glob("*.model"):
        path.write_bytes(b"damaged")
    first = train(NOW + timedelta(hours=1))
    assert any("not the file that was kept" in note for note in first.notes)
    assert done_of(train(NOW + timedelta(hours=2))) == {"compared"}


def test_the_past_is_not_forecast_by_what_was_learnt_later(place: Workplace, train: Callable[..., Any]) -> None:
    train()
    assert all(MISSING in forecast.flags for forecast in InferenceService(place).run(NOW - timedelta(days=2)).forecasts)
    soon = NOW + timedelta(minutes=40)
    assert all(MISSING not in forecast.flags for forecast in InferenceService(place).run(soon).forecasts)
    write_days(place.store, place.setup.power_keys, DAYS, 2)
    train(NOW + timedelta(days=1))
    refitted = {champion.decided_at for champion in place.store.champions("home")}
    assert refitted == {NOW}
    assert all(MISSING in forecast.flags for forecast in InferenceService(place).run(NOW).forecasts)


def test_a_tuned_champion_is_compared_again_as_it_was_tuned(place: Workplace, train: Callable[..., Any]) -> None:
    """Tuned once and serving, it stays a candidate though nobody tunes any more."""
    train()
    champion = place.store.champions("home")[0]
    serving = load(place.folder / "fitted", champion.artefact)
    tuned = Candidate("trees_tuned", "theta", FAST)
    history = known_history(place.setup, place.store, place.setup.power_keys, NOW, HISTORY_S)
    serving.crown(champion.key, tuned, np.zeros((len(FAST.levels), 8)), history)
    artefact = save(packed(serving), place.folder / "fitted")
    others = place.store.champions("home")[1:]
    place.store.write_champions(
        [
            replace(champion, model="trees_tuned", artefact=artefact),
            *[replace(one, artefact=artefact) for one in others],
        ]
    )
    issued = InferenceService(place).run(NOW)
    assert [forecast.model for forecast in issued.forecasts] == ["trees_tuned", "median"]
    report = train(NOW, TrainingSettings(models=("median",), folds=2, full=True))
    assert "trees_tuned" in report.sources[0].models
