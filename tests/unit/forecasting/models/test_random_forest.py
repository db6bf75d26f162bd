"""Random forest: features from the past only, and what the forest learns from them."""

import numpy as np
import pytest

from vpp.forecasting.models.random_forest import RandomForest, calendar_of, lag_features
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import part

DAY = 24


@pytest.mark.parametrize("lead", [0, 1, 23, 24, 47, 167, 168, 200])
def test_no_feature_reads_at_or_after_the_decision(lead):
    values = np.random.default_rng(0).normal(size=600)
    origin, leads = np.array([300]), np.array([lead])
    before = lag_features(values, origin, leads, DAY)
    values[300:] = np.nan
    assert np.array_equal(before, lag_features(values[:300], origin, leads, DAY))


def test_the_first_feature_is_the_week_at_that_time_of_day():
    values = np.arange(400.0)
    features = lag_features(values, np.array([300]), np.array([26]), DAY)[0]
    wanted = [326 - 48 - back * DAY for back in range(7)]
    assert features[0] == np.mean(wanted)
    assert features[1] == wanted[0]
    assert features[5] == 326 - 168
    assert features[8] == 299


def test_the_calendar_knows_holidays_only_where_there_is_a_clock(profiles, zone):
    clock = ModelContext.of(profiles, zone).clock
    christmas = (np.datetime64("2024-12-25", "D").astype(int)) * DAY + np.arange(3)
    found = calendar_of(christmas, DAY, clock=clock)
    assert found[:, 2].tolist() == [2.0, 2.0, 2.0]
    assert found[:, 3].tolist() == [1.0, 1.0, 1.0]
    assert calendar_of(christmas, DAY, clock=None).shape == (3, 2)


def test_forests_learn_a_rhythm_and_wait_two_weeks(plant, profiles, zone):
    history = plant(40)
    forest = RandomForest(ModelContext.of(profiles, zone), trees=20, rows=800)
    forest.fit(part(history, 0, 13 * DAY))
    assert np.isnan(forest.predict(history, 5)).all()
    forest.fit(part(history, 0, 39 * DAY))
    said = forest.predict(part(history, 0, 39 * DAY), DAY)
    actual = history.value[39 * DAY :]
    assert np.abs(said - actual).mean(axis=0)[[0, 3]] == pytest.approx([0.0, 0.0], abs=0.35)
    assert np.isnan(forest.predict(part(history, 0, 7 * DAY), 5)).all()
