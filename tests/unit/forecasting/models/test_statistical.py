"""statsforecast's models: fitted once, followed with every hour, silent without enough."""

import numpy as np
import pytest

from vpp.core.ports import SeriesTable
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import part

statistical = pytest.importorskip("vpp.forecasting.models.statistical", exc_type=ImportError)
DAY = 24


@pytest.fixture
def load(plant, profiles):
    """Thirty days of one load."""
    table = plant(31)
    return SeriesTable(table.grid, table.keys[:1], table.value[:, :1]), profiles[:1]


def make(name, profiles, zone):
    context = ModelContext.of(profiles, zone)
    if name == "ets":
        return statistical.AutoEts(context, model="ANA")
    return statistical.AutoArima(context, most_orders=1)


@pytest.mark.parametrize("name", ["ets", "auto_arima"])
def test_states_follow_without_a_new_fit(load, zone, name):
    history, profiles = load
    model = make(name, profiles, zone)
    assert model.name == name
    past = part(history, 0, 29 * DAY)
    model.fit(past)
    fitted = dict(model._models._fitted)
    first = model.predict(past, DAY)
    later = model.predict(part(history, 0, 29 * DAY + 6), DAY)
    assert model._models._fitted == fitted
    assert np.isfinite(first).all()
    # Six hours on, the rhythm has moved by six hours.
    assert np.corrcoef(first[6:, 0], later[:-6, 0])[0, 1] > 0.9


def test_too_little_is_left_out_and_stillness_goes_on(plant, profiles, zone):
    history = plant(10)
    value = history.value.copy()
    value[: -2 * DAY, 0] = np.nan
    value[:, 2] = 4.0
    table = SeriesTable(history.grid, history.keys, value)
    model = make("ets", profiles, zone)
    model.fit(table)
    said = model.predict(table, 5)
    assert np.isnan(said[:, 0]).all()
    assert said[:, 2].tolist() == [4.0] * 5


def test_before_a_fit_it_is_silent(load, zone):
    history, profiles = load
    assert np.isnan(make("ets", profiles, zone).predict(history, 5)).all()
