from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from vpp.core.assets import Load, Plant, Site, SolarArray
from vpp.core.messages import MARKET, POWER_KW, PRICE_PER_KWH, SeriesKey
from vpp.core.ports import SeriesTable
from vpp.core.time import TimeGrid
from vpp.runtime.screening import screen

LOAD, PV, SPOT = SeriesKey("load", POWER_KW), SeriesKey("pv", POWER_KW), SeriesKey(MARKET, PRICE_PER_KWH)
DAYS = 40


@pytest.fixture
def plant() -> Plant:
    site = Site(id="site", assets=(Load(id="load"), SolarArray(id="pv", peak_kw=4.0)))
    return Plant(id="p", name="p", timezone="Europe/Amsterdam", currency="EUR", sites=(site,))


@pytest.fixture
def table() -> SeriesTable:
    grid = TimeGrid(datetime(2024, 6, 1, tzinfo=UTC), 3600, DAYS * 24)
    generator = np.random.default_rng(0)
    hour = np.arange(grid.count) % 24
    load = -generator.gamma(4.0, 0.25, grid.count)
    solar = 3.5 * np.maximum(0.0, np.sin((hour - 4) / 15 * np.pi)) * generator.uniform(0.4, 1.0, grid.count)
    return SeriesTable(grid, (LOAD, PV, SPOT), np.column_stack([load, solar, np.full(grid.count, 0.1)]))


def test_clean_tables_pass_as_they_are(table: SeriesTable, plant: Plant) -> None:
    screened = screen(table, plant)
    assert screened.notes == ()
    np.testing.assert_array_equal(screened.table.value, table.value)


def test_faulty_values_are_set_aside_and_told(table: SeriesTable, plant: Plant) -> None:
    table.value[[100, 200], 0] = -20.0
    table.value[300:320, 0] = -1.234
    screened = screen(table, plant)
    assert np.isnan(screened.table.value[[100, 200, *range(300, 320)], 0]).all()
    assert np.isnan(screened.table.value).sum() == 22
    np.testing.assert_array_equal(screened.whole.value, screened.table.value)
    (note,) = screened.notes
    assert note.startswith("load: ")
    assert "a lone value far above" in note
    assert "the same value for six hours or more" in note
    assert note.endswith("22 values (2.3 %) set aside")


def test_a_channel_that_is_another_one_is_left_out(table: SeriesTable, plant: Plant) -> None:
    table.value[:, 0] = -table.value[:, 1]
    screened = screen(table, plant)
    assert screened.table.keys == (PV, SPOT)
    assert "follows the sun" in screened.left_out[LOAD]
    np.testing.assert_array_equal(screened.whole.value, table.value)
    assert screened.notes[0].endswith("left out")
    kept = screen(table, plant, keep_faulty=True)
    assert kept.table.keys == table.keys
    assert kept.notes[0].endswith("kept all the same")
    np.testing.assert_array_equal(kept.table.value, table.value)
