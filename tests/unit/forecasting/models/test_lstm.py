"""Lstm: what it says untrained, that it learns, and that it is repeatable."""

import os
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.forecasting import SeriesProfile
from vpp.forecasting.models.training_length import Training
from vpp.forecasting.needs import ModelContext
from vpp.forecasting.tables import part

DAY = 24
LOAD = SeriesProfile.load("s")


@pytest.fixture
def make(profiles, zone):
    if find_spec("torch") is None:
        message = "torch is not installed: pip install 'vpp[neural]'"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(message)
        pytest.skip(message)
    network = import_module("vpp.forecasting.models.lstm").Lstm

    def made(steps, *only):
        training = Training(steps=steps, batch=16, learning_rate=0.01)
        return network(ModelContext.of(only or profiles, zone), training=training)

    return made


def test_it_learns_what_neither_yesterday_nor_last_week_tells(make):
    # Every other day differs, so the day before and the week before are always wrong by 2.
    days = np.where(np.arange(36 * DAY) // DAY % 2, -1.0, 1.0) - 3.0
    grid = TimeGrid(datetime(2024, 6, 1, tzinfo=UTC), 3600, 35 * DAY)
    past = SeriesTable(grid, (LOAD.key,), days[: 35 * DAY, None])
    model = make(60, LOAD)
    model.fit(past)
    said = model.predict(past, DAY)[:, 0]
    assert np.abs(said - days[35 * DAY :]).mean() < 1.0


def test_the_same_seed_says_the_same_and_leaves_torch_alone(make, plant):
    torch = import_module("torch")
    history = plant(35)
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    answers = []
    for _ in range(2):
        model = make(2)
        model.fit(history)
        answers.append(model.predict(history, 30))
    assert np.array_equal(answers[0], answers[1])
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_beyond_its_two_days_it_builds_on_itself(make, plant):
    history = plant(35)
    model = make(2)
    model.fit(history)
    long = model.predict(history, 5 * DAY)
    assert np.isfinite(long).all()
    assert long[: 2 * DAY] == pytest.approx(model.predict(history, 2 * DAY), abs=1e-9)


def test_four_weeks_to_learn_and_a_week_to_answer(make, plant):
    history = plant(35)
    model = make(1)
    model.fit(part(history, 0, 27 * DAY))
    assert np.isnan(model.predict(history, 5)).all()
    model.fit(history)
    assert np.isnan(model.predict(part(history, 0, 6 * DAY), 5)).all()
