from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Forecast, SeriesKey
from vpp.core.time import TimeGrid
from vpp.runtime.inference import on_grid

START = datetime(2024, 5, 6, 18, tzinfo=UTC)
LEVELS = (0.1, 0.5, 0.9)


def forecast_of(value: np.ndarray, resolution_s: int) -> Forecast:
    grid = TimeGrid(START, resolution_s, value.size)
    quantiles = np.stack([value - 1.0, value, value + 2.0])
    return Forecast("home", SeriesKey("house", "power_kw"), START, grid, value, "median", LEVELS, quantiles)


@given(
    own_s=st.sampled_from([300, 900, 3600]),
    wanted_s=st.sampled_from([300, 900, 1800, 3600]),
    first_h=st.integers(0, 5),
    hours=st.integers(1, 6),
)
def test_energy_is_the_same_on_other_steps(own_s: int, wanted_s: int, first_h: int, hours: int) -> None:
    value = np.random.default_rng(0).normal(size=12 * 3600 // own_s)
    grid = TimeGrid(START + timedelta(hours=first_h), wanted_s, hours * 3600 // wanted_s)
    found = on_grid(forecast_of(value, own_s), grid)
    own = value[first_h * 3600 // own_s : (first_h + hours) * 3600 // own_s]
    assert found.value.sum() * wanted_s == pytest.approx(own.sum() * own_s)
    assert (np.diff(found.quantiles, axis=0) >= 0.0).all()
    np.testing.assert_allclose(found.quantiles[1], found.value)


@pytest.mark.parametrize(
    ("start", "resolution_s", "count"),
    [(START - timedelta(hours=1), 3600, 2), (START, 3600, 13), (START + timedelta(minutes=5), 3600, 2)],
)
def test_what_was_not_forecast_is_refused(start: datetime, resolution_s: int, count: int) -> None:
    with pytest.raises(InvalidInputError, match="steps within"):
        on_grid(forecast_of(np.zeros(12), 3600), TimeGrid(start, resolution_s, count))
