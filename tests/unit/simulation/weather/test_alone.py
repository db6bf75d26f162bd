"""Weather without neighbours is another draw of the same process."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from vpp.core.time import TimeGrid
from vpp.simulation.weather import Places, Weather, synthetic_weather
from vpp.simulation.weather.conditions import COLUMNS
from vpp.simulation.weather.fields import Mode, draw, step_variance

PLACE = Places(52.1, 5.2)
GRID = TimeGrid(datetime(2023, 1, 1, tzinfo=UTC), 3600, 4380)


@cache
def years(*, alone: bool) -> list[Weather]:
    return [synthetic_weather(PLACE, GRID, seed=seed, alone=alone) for seed in range(3)]


@pytest.mark.parametrize("resolution_s", [60, 3600])
def test_a_field_alone_has_the_variance_and_the_memory_of_its_modes(resolution_s: int) -> None:
    modes = (Mode(7200.0, 50.0, 0.7), Mode(600.0, 5.0, 0.3))
    grid = TimeGrid(GRID.start, resolution_s, 40_000)
    field = draw(modes, PLACE, grid, seed=1, name="test", alone=True)[:, 0]
    expected = step_variance(modes, resolution_s)
    assert field.mean() == pytest.approx(0.0, abs=0.08)
    assert field.var() == pytest.approx(expected, rel=0.1)
    if resolution_s == 60:
        kept = 0.7 * np.exp(-3600.0 / 7200.0) + 0.3 * np.exp(-3600.0 / 600.0)
        assert float(np.corrcoef(field[:-60], field[60:])[0, 1]) == pytest.approx(kept, abs=0.05)


@pytest.mark.parametrize("column", ["ghi_w_m2", "dni_w_m2", "temperature_c", "wind_speed_m_s"])
def test_means_and_spreads_are_about_those_of_a_place_among_others(column: str) -> None:
    for figure in (np.mean, np.std):
        usual, alone = (np.mean([figure(getattr(one, column)) for one in years(alone=way)]) for way in (False, True))
        assert alone == pytest.approx(usual, rel=0.15)


def test_the_seed_decides_and_nothing_shines_at_night() -> None:
    one, same, other = (synthetic_weather(PLACE, GRID, seed=seed, alone=True) for seed in (1, 1, 2))
    assert all((getattr(one, name) == getattr(same, name)).all() for name in COLUMNS)
    assert (one.temperature_c != other.temperature_c).any()
    assert ((one.ghi_w_m2 == 0.0) == (other.ghi_w_m2 == 0.0)).all()


def test_what_lasts_lasts_as_long() -> None:
    def memory(table: np.ndarray, hours: int) -> float:
        return float(np.corrcoef(table[:-hours, 0], table[hours:, 0])[0, 1])

    for hours in (1, 24):
        usual, alone = (
            np.mean([memory(one.wind_speed_m_s, hours) for one in years(alone=way)]) for way in (False, True)
        )
        assert alone == pytest.approx(usual, abs=0.08)
