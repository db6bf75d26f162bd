from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.evaluation.leaderboard import leaderboard
from vpp.forecasting.evaluation.origins import daily_origins
from vpp.forecasting.evaluation.rolling import Evaluation, ModelRun, evaluable_models, evaluate_series
from vpp.forecasting.registry import models

Plant = Callable[..., SeriesTable]
Profiles = tuple[SeriesProfile, ...]
NAIVES = ("seasonal_naive_24h", "seasonal_naive_168h")
UTC_ZONE = ZoneInfo("UTC")


def evaluated(table: SeriesTable, profiles: Profiles, zone: ZoneInfo, **changes: object) -> Evaluation:
    origins = daily_origins(table.grid, zone, local_hour=18, first=table.grid.time(45 * 24), days=10)
    settings: dict[str, object] = {"timezone": zone, "origins": origins, "steps": 30, "models": NAIVES}
    return evaluate_series(table, profiles, **(settings | changes))  # type: ignore[arg-type]


def noise(days: int, seed: int = 0) -> tuple[SeriesTable, Profiles]:
    """A price that is nothing but noise around 10: a forecast from yesterday errs by a known distribution."""
    profile = SeriesProfile.price()
    values = np.random.default_rng(seed).normal(10.0, 1.0, size=(days * 24, 1))
    return SeriesTable(TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, days * 24), (profile.key,), values), (profile,)


def test_the_naive_says_what_was_a_day_ago(plant: Plant, profiles: Profiles, zone: ZoneInfo) -> None:
    table = plant(60)
    result = evaluated(table, profiles, zone)
    for o, origin in enumerate(result.origins):
        rows = origin - 24 + np.arange(30) % 24
        np.testing.assert_allclose(result.runs["seasonal_naive_24h"].value[o], table.value[rows], atol=1e-9)
        np.testing.assert_array_equal(result.actual[o], table.value[origin : origin + 30])
    np.testing.assert_allclose(result.naive["seasonal_naive_24h"], result.runs["seasonal_naive_24h"].value, atol=1e-9)


def first_decision(result: Evaluation) -> dict[str, ModelRun]:
    return {name: replace(run, value=run.value[:1], quantiles=run.quantiles[:1]) for name, run in result.runs.items()}


def test_nothing_after_a_decision_changes_what_was_said(
    plant: Plant, profiles: Profiles, zone: ZoneInfo, quick: ForecastSettings
) -> None:
    table = plant(60)
    names = (*NAIVES, "hour_of_week_mean", "median")
    quick = replace(quick, members=("seasonal_naive_24h", "seasonal_naive_168h", "hour_of_week_mean"))
    before = evaluated(table, profiles, zone, models=names, settings=quick)
    last = int(before.origins[-1])
    poisoned = table.value.copy()
    poisoned[last:] = np.random.default_rng(9).normal(1e6, 1e6, size=poisoned[last:].shape)
    after = evaluated(SeriesTable(table.grid, table.keys, poisoned), profiles, zone, models=names, settings=quick)
    assert not np.array_equal(before.actual[-1], after.actual[-1])
    for name in names:
        np.testing.assert_array_equal(before.runs[name].value[-1], after.runs[name].value[-1])
        np.testing.assert_array_equal(before.runs[name].quantiles[-1], after.runs[name].quantiles[-1])


def test_bands_cover_what_they_say_from_the_first_decision_on() -> None:
    table, profiles = noise(150)
    origins = np.arange(60, 145) * 24
    result = evaluate_series(
        table, profiles, timezone=UTC_ZONE, origins=origins.tolist(), steps=24, models=("seasonal_naive_24h",)
    )
    run = result.runs["seasonal_naive_24h"]
    assert np.isfinite(run.quantiles).all()
    assert (np.diff(run.quantiles, axis=1) >= 0.0).all()
    (board,) = leaderboard(result)
    covered = board.of("seasonal_naive_24h").coverage_80.value
    assert covered == pytest.approx(0.8, abs=0.03)


def test_weeks_far_apart_have_bands_of_their_own_days() -> None:
    table, profiles = noise(200)
    # In between the series becomes ten times as noisy; old errors would say nothing of it.
    wild = table.value.copy()
    wild[100 * 24 :] = 10.0 + 10.0 * (wild[100 * 24 :] - 10.0)
    origins = [24 * day for day in (*range(50, 57), *range(180, 187))]
    result = evaluate_series(
        SeriesTable(table.grid, table.keys, wild),
        profiles,
        timezone=UTC_ZONE,
        origins=origins,
        steps=24,
        models=("seasonal_naive_24h",),
    )
    run = result.runs["seasonal_naive_24h"]
    width = (run.quantiles[:, -1] - run.quantiles[:, 0]).mean(axis=(1, 2))
    assert width[7:].min() > 5.0 * width[:7].max()


def test_short_histories_have_no_bands_and_missing_actuals_are_not_scored() -> None:
    table, profiles = noise(12)
    result = evaluate_series(
        table, profiles, timezone=UTC_ZONE, origins=(10 * 24, 11 * 24), steps=48, models=("seasonal_naive_168h",)
    )
    quantiles = result.runs["seasonal_naive_168h"].quantiles
    assert np.isnan(quantiles[0]).all()
    assert np.isfinite(quantiles[1]).all()  # a day of the first decision has passed: 24 errors, of all leads together
    assert np.isnan(result.actual[1, 24:]).all()
    first = replace(result, origins=result.origins[:1], actual=result.actual[:1], runs=first_decision(result))
    (board,) = leaderboard(replace(first, naive={name: said[:1] for name, said in result.naive.items()}))
    row = board.of("seasonal_naive_168h")
    assert row.coverage_80.value is None
    assert "0 steps to score" in row.coverage_80.reason
    assert row.mae.value is not None
    assert row.mae_interval.low is None


def test_forecasts_keep_the_bounds_of_their_series(plant: Plant, zone: ZoneInfo) -> None:
    profile = SeriesProfile.load("house", peak_kw=1.0)
    result = evaluated(plant(60), (profile,), zone)
    for run in result.runs.values():
        assert run.value.min() >= -1.0
        assert np.nanmax(run.quantiles) <= 0.0


def test_cpu_time_is_told_per_series(plant: Plant, profiles: Profiles, zone: ZoneInfo) -> None:
    seen: list[tuple[str, float]] = []
    result = evaluated(plant(60), profiles, zone, progress=lambda name, share: seen.append((name, share)))
    assert all(run.fit_cpu_s >= 0.0 and run.predict_cpu_s > 0.0 for run in result.runs.values())
    assert seen[-1] == (NAIVES[-1], 1.0)


def test_the_usual_models_are_light_and_the_heavy_ones_come_on_demand() -> None:
    light, heavy = evaluable_models(), evaluable_models(heavy=True)
    assert light[-1] == heavy[-1] == "median"
    assert set(light) < set(heavy)
    assert all(models()[name].needs.cost != "heavy" for name in light[:-1])
    assert not any(models()[name].needs.exogenous or models()[name].needs.extra for name in heavy[:-1])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"origins": ()}, "ascending rows from 1"),
        ({"origins": (0, 24)}, "ascending rows from 1"),
        ({"origins": (48, 24)}, "ascending rows from 1"),
        ({"origins": (48, 48)}, "ascending rows from 1"),
        ({"origins": (60 * 24,)}, "ascending rows from 1"),
        ({"steps": 0}, "steps"),
        ({"refit_days": 0.0}, "refit_days"),
    ],
)
def test_inputs_are_checked(
    plant: Plant, profiles: Profiles, zone: ZoneInfo, changes: dict[str, object], fault: str
) -> None:
    with pytest.raises(InvalidInputError, match=fault):
        evaluated(plant(60), profiles, zone, **changes)


def test_an_unknown_model_names_the_nearest(plant: Plant, profiles: Profiles, zone: ZoneInfo) -> None:
    with pytest.raises(UnknownNameError, match="seasonal_naive_24h"):
        evaluated(plant(60), profiles, zone, models=("seasonal_naive_24",))


def test_the_sun_is_not_forecast_at_night_by_anybody(plant: Plant, zone: ZoneInfo) -> None:
    table = plant(60)
    roof = SeriesProfile.solar("roof", peak_kw=4.0)
    dark = table.column(roof.key) < 1e-6
    result = evaluated(table, (roof,), zone, models=("theta",))
    for o, origin in enumerate(result.origins):
        night = dark[origin : origin + 30]
        assert not result.runs["theta"].value[o, night].any()
        assert not result.runs["theta"].quantiles[o][:, night].any()
