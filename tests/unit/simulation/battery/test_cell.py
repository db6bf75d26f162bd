"""Cells: tables say what the short lists say, and lists no cell can have are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.simulation.battery import CELLS, LFP
from vpp.simulation.battery.circuit import area, looked_up, mean_emf, series_resistance


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_tables_hold_the_published_points(cell):
    tables = cell.tables
    for soc, volts in cell.ocv_v:
        assert looked_up(tables.ocv_v, soc) == pytest.approx(volts, abs=1e-9)
    for soc, row in cell.resistance_ohm:
        for celsius, ohm in zip(cell.resistance_temperature_c, row, strict=True):
            total = series_resistance(tables, soc, celsius + 273.15) / (1.0 - cell.rc_share)
            assert total == pytest.approx(ohm, rel=1e-9)


def test_the_area_is_the_integral_of_the_voltage():
    tables = LFP.tables
    soc = np.linspace(0.0, 1.0, 10_001)
    volts = np.array([looked_up(tables.ocv_v, at) for at in soc])
    for last in (137, 5_000, 9_999):
        assert area(tables, soc[last]) == pytest.approx(np.trapezoid(volts[: last + 1], soc[: last + 1]), rel=1e-7)
    assert mean_emf(tables, 0.4, 0.4 + 1e-7) == pytest.approx(looked_up(tables.ocv_v, 0.4), rel=1e-6)
    assert mean_emf(tables, 0.0, 1.0) == pytest.approx(tables.area_v[-1])


def test_resistance_is_held_beyond_its_temperatures():
    tables = LFP.tables
    assert series_resistance(tables, 0.5, 200.0) == series_resistance(tables, 0.5, 283.15)
    assert series_resistance(tables, 0.5, 400.0) == pytest.approx(series_resistance(tables, 0.5, 313.15))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacity_ah": 0.0}, "cell.capacity_ah"),
        ({"rc_share": 1.0}, "cell.rc_share"),
        ({"voltage_min_v": 3.7}, "cell.voltage_min_v"),
        ({"law": "moore"}, "cell.law"),
        ({"ocv_v": ((0.0, 3.0), (0.9, 3.5))}, "cell.ocv_v"),
        ({"ocv_v": ((0.0, 3.5), (1.0, 3.0))}, "never fall"),
        ({"resistance_temperature_c": (25.0,)}, "cell.resistance_temperature_c"),
        ({"resistance_ohm": ((0.0, (1.0, 1.0, 0.0)), (1.0, (1.0, 1.0, 1.0)))}, "cell.resistance_ohm"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(change, message):
    with pytest.raises(InvalidInputError, match=message):
        replace(LFP, **change)
