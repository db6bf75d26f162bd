"""Models of the hour wanted: what their features may read, that regressions are solved right, and what inputs add."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from vpp.core.errors import UnknownNameError
from vpp.core.messages import SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import ForecastSettings, SeriesProfile
from vpp.forecasting.local_time import LocalClock, country_of
from vpp.forecasting.models.direct_trees import lead_design, plain_guess
from vpp.forecasting.models.input_runs import input_features
from vpp.forecasting.models.lead_features import calendar_features, origin_features, same_time, seasonal_features
from vpp.forecasting.models.lear import lasso
from vpp.forecasting.models.ridge import PENALTY, ridge
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.pipeline import ForecastPipeline
from vpp.forecasting.registry import model
from vpp.forecasting.tables import part

UTC_ZONE = ZoneInfo("UTC")
CLOCK = LocalClock(UTC_ZONE)
DAY = 24
WEATHER = SeriesKey("weather", "wind_speed_m_s")


@pytest.mark.parametrize("lead", [0, 5, 23, 24, 47])
def test_features_read_nothing_from_the_decision_on(lead):
    values = np.random.default_rng(0).normal(size=(40 * DAY, 2))
    origins = np.array([30 * DAY, 31 * DAY + 7])
    poisoned = values.copy()
    poisoned[origins[1] :] = np.nan
    leads = np.full(2, lead)
    for make in (
        lambda table, at, ahead: origin_features(table, at, DAY),
        lambda table, at, ahead: seasonal_features(table, at, ahead, DAY),
        lambda table, at, ahead: lead_design(table, at, ahead, DAY, 0, CLOCK),
        *(lambda table, at, ahead, kind=kind: plain_guess(kind, table, at, ahead, DAY) for kind in ("load", "wind")),
    ):
        assert np.array_equal(make(values, origins[1:], leads[1:]), make(poisoned, origins[1:], leads[1:]))
        # an origin's features do not depend on which other origins are asked for
        assert np.array_equal(make(values, origins, leads)[1:], make(values, origins[1:], leads[1:]))


@pytest.mark.parametrize(
    ("lead", "season", "back", "row"),
    [(0, 24, 1, 76), (23, 24, 1, 99), (24, 24, 1, 76), (0, 24, 2, 52), (167, 168, 1, 99), (168, 168, 1, -68)],
)
def test_the_latest_same_time_lies_before_the_decision(lead, season, back, row):
    assert same_time(np.array([100]), lead, season, back=back).tolist() == [row]
    assert row < 100


def test_inputs_are_read_ahead_and_at_the_same_time_before():
    inputs = np.arange(60.0 * DAY)[:, None, None]
    told = input_features(inputs, np.array([30 * DAY]), np.array([5]), DAY)[0, 0]
    wanted = 30 * DAY + 5
    assert told.tolist() == [wanted, *(wanted + off for off in (-2, -1, 1, 2)), wanted - 0.5, wanted - 24, wanted - 168]


def test_calendar_knows_weekdays_and_the_days_around_a_holiday():
    clock = LocalClock(ZoneInfo("Europe/Berlin"))
    day = int(np.datetime64("2020-05-01", "D").astype(np.int64))  # Labour Day, a Friday
    told = calendar_features(24 * np.arange(day - 1, day + 3), 24, weekly=True, clock=clock)
    assert told[:, -2].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert told[:, -1].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert told[:, 6:13].argmax(axis=1).tolist() == [3, 4, 5, 6]
    assert calendar_features(np.array([0]), 24, weekly=False, clock=clock).shape == (1, 6)


@pytest.mark.parametrize(
    ("zone", "country"),
    [("Europe/Luxembourg", "LU"), ("America/Los_Angeles", "US"), ("Australia/Melbourne", "AU"), ("UTC", None)],
)
def test_a_zone_tells_its_country(zone, country):
    assert country_of(zone) == country
    assert LocalClock(ZoneInfo(zone)).country == country


def test_a_country_can_be_named_and_an_unknown_one_is_refused():
    christmas = np.array([int(datetime(2020, 12, 25, 12, tzinfo=UTC).timestamp())])
    assert LocalClock(UTC_ZONE, country="DE").is_holiday(christmas).all()
    assert not LocalClock(UTC_ZONE).is_holiday(christmas).any()
    with pytest.raises(UnknownNameError, match="country"):
        LocalClock(UTC_ZONE, country="XX")


def test_ridge_solves_what_scikit_learn_solves():
    generator = np.random.default_rng(1)
    design = generator.normal(3.0, [1.0, 5.0, 0.1], size=(2, 200, 3))
    target = design @ np.array([1.0, -2.0, 3.0]) + generator.normal(size=(2, 200))
    weights, offsets = ridge(design, target)
    for k in range(2):
        scaled = (design[k] - design[k].mean(axis=0)) / design[k].std(axis=0)
        oracle = Ridge(alpha=PENALTY * 200).fit(scaled, target[k])
        assert design[k] @ weights[k] + offsets[k] == pytest.approx(oracle.predict(scaled))


def test_lasso_drops_what_says_nothing_and_a_flat_target_is_its_level():
    generator = np.random.default_rng(2)
    design = generator.normal(size=(2, 300, 20))
    target = np.stack([5.0 + 2.0 * design[0, :, 3] + 0.1 * generator.normal(size=300), np.full(300, 7.0)])
    weights, offsets = lasso(design, target)
    assert weights[0, 3] == pytest.approx(2.0, abs=0.02)
    assert np.abs(np.delete(weights[0], 3)).max() < 0.02
    assert weights[1].tolist() == [0.0] * 20
    assert offsets == pytest.approx([5.0, 7.0], abs=0.02)


@pytest.fixture(scope="module")
def windy():
    """A mill that follows a wind nobody could guess, and the wind as it was forecast."""
    generator = np.random.default_rng(3)
    grid = TimeGrid(datetime(2024, 3, 1, tzinfo=UTC), 3600, 50 * DAY)
    wind = generator.uniform(0.0, 12.0, grid.count)
    power = np.minimum(10.0, 0.1 * wind**2) + generator.normal(0.0, 0.05, grid.count)
    profile = SeriesProfile.wind("mill", peak_kw=10.0).with_inputs(WEATHER)
    return profile, SeriesTable(grid, (profile.key, WEATHER), np.column_stack([power, wind]))


def ahead_of(table, begin, steps):
    known = part(table, begin, begin + steps)
    values = known.value.copy()
    values[:, 0] = np.nan
    return SeriesTable(known.grid, known.keys, values)


@pytest.mark.parametrize(("name", "most"), [("weather_trees", 0.5), ("ridge", 1.0), ("lear", 1.0)])
def test_a_wind_that_is_known_ahead_is_worth_more_than_any_past(windy, name, most):
    profile, table = windy
    begin = table.grid.count - 30
    past, ahead = part(table, 0, begin), ahead_of(table, begin, 6).value
    actual = table.value[begin : begin + 6, 0]
    said = {}
    for inputs in ((WEATHER,), ()):
        context = ModelContext.of((profile.with_inputs(*inputs),), UTC_ZONE)
        member = model(name).make(context)
        member.fit(past)
        said[inputs] = member.predict(past, 6, ahead=ahead)[:, 0]
    error = np.abs(said[(WEATHER,)] - actual).mean()
    assert error < most
    without = np.abs(said[()] - actual).mean()
    assert np.isnan(without) if name == "weather_trees" else error < 0.5 * without


@pytest.mark.parametrize("name", ["weather_trees", "ridge"])
def test_who_learnt_from_the_weather_answers_only_where_it_is_known(windy, name):
    profile, table = windy
    begin = table.grid.count - 30
    past = part(table, 0, begin)
    member = model(name).make(ModelContext.of((profile,), UTC_ZONE))
    member.fit(past)
    ahead = ahead_of(table, begin, 30).value
    ahead[10:, 1] = np.nan
    said = member.predict(past, 30, ahead=ahead)[:, 0]
    assert np.isfinite(said[:10]).all()
    assert np.isnan(said[10:]).all()
    assert np.isnan(member.predict(past, 30)).all()


def test_the_pipeline_trusts_the_weather_and_lives_without_it(windy):
    profile, table = windy
    settings = ForecastSettings(members=("seasonal_naive_24h", "theta"), calibration_days=7, calibration_every_h=13)
    begin = table.grid.count - 30
    past, ahead = part(table, 0, begin), ahead_of(table, begin, 30)
    pipeline = ForecastPipeline((profile,), timezone=UTC_ZONE, plant="test", settings=settings)
    assert pipeline.member_names == ("seasonal_naive_24h", "theta", "weather_trees")
    pipeline.fit(past)
    actual = table.value[begin:, 0]
    with_weather = pipeline.predict(past, 30, ahead=ahead)[0]
    without = pipeline.predict(past, 30)[0]
    assert np.abs(with_weather.value - actual).mean() < 0.5 * np.abs(without.value - actual).mean()
    unmeasured = SeriesTable(past.grid, (profile.key,), past.value[:, :1])
    assert np.isfinite(pipeline.predict(unmeasured, 30)[0].value).all()


@pytest.mark.parametrize("name", ["ridge", "lear", "direct_trees"])
@pytest.mark.parametrize("resolution_s", [900, 3600])
def test_a_rhythm_without_noise_is_learnt(name, resolution_s):
    grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), resolution_s, 56 * 86_400 // resolution_s)
    hour = grid.times_s / 3600.0 % 24.0
    weekend = (grid.times_s // 86_400 + 3) % 7 >= 5
    load = -(2.0 + np.sin((hour - 9.0) / 24.0 * 2.0 * np.pi) + 0.5 * weekend)
    profile = SeriesProfile.load("house")
    member = model(name).make(ModelContext.of((profile,), UTC_ZONE))
    steps = 30 * 3600 // resolution_s
    cut = grid.count - steps
    member.fit(SeriesTable(grid.part(0, cut), (profile.key,), load[:cut, None]))
    said = member.predict(SeriesTable(grid.part(0, cut), (profile.key,), load[:cut, None]), steps)[:, 0]
    assert np.abs(said - load[cut:]).mean() < (0.12 if name == "direct_trees" else 0.06)


def test_a_young_series_beside_an_old_one_is_left_to_others():
    generator = np.random.default_rng(4)
    grid = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC), 3600, 60 * DAY)
    values = -generator.uniform(1.0, 2.0, size=(grid.count, 2))
    values[: 40 * DAY, 1] = np.nan
    profiles = (SeriesProfile.load("old"), SeriesProfile.load("young"))
    table = SeriesTable(grid, tuple(profile.key for profile in profiles), values)
    for name in ("ridge", "direct_trees"):
        member = model(name).make(ModelContext.of(profiles, UTC_ZONE))
        member.fit(table)
        said = member.predict(table, 24)
        assert np.isfinite(said[:, 0]).all()
        assert np.isnan(said[:, 1]).all()
