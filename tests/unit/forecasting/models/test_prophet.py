"""Prophet: quiet, on the wall clock's stamps, and corrected by the newest history."""

import logging

import numpy as np
import pytest

from vpp.core.ports import SeriesTable
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import part

prophet = pytest.importorskip("vpp.forecasting.models.prophet", exc_type=ImportError)
DAY = 24


@pytest.fixture
def load(plant, profiles):
    """Thirty days of one load."""
    table = plant(31)
    return SeriesTable(table.grid, table.keys[:1], table.value[:, :1]), profiles[:1]


def test_it_learns_a_rhythm_quietly_and_follows_a_new_level(load, zone, capfd):
    history, profiles = load
    model = prophet.ProphetModel(ModelContext.of(profiles, zone))
    past = part(history, 0, 30 * DAY)
    model.fit(past)
    said = model.predict(past, DAY)
    assert capfd.readouterr() == ("", "")
    assert np.abs(said - history.value[30 * DAY :]).mean() < 0.3
    value = past.value.copy()
    value[-10 * DAY :] -= 2.0
    lower = model.predict(SeriesTable(past.grid, past.keys, value), DAY)
    assert (lower - said).mean() < -1.0


def test_warnings_still_come_through():
    record = logging.LogRecord("cmdstanpy", logging.WARNING, "", 0, "", None, None)
    news = logging.LogRecord("cmdstanpy", logging.INFO, "", 0, "", None, None)
    log = logging.getLogger("cmdstanpy")
    with prophet.quiet():
        assert log.filter(record)
        assert not log.filter(news)
    assert log.filter(news)


def test_stamps_are_those_of_the_runs_own_clock():
    assert str(prophet.stamps(np.array([24 * 365]), 3600)[0]) == "1971-01-01 00:00:00"
