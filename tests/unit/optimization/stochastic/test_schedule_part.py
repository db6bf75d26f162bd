"""One direction at a time, and schedules as the store does them."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.optimization.matrix import battery_table
from vpp.optimization.stochastic.schedule_part import one_direction, replay, schedule_part, wrong_columns


def test_one_direction_stores_the_same(make):
    problem = make()
    table = battery_table(problem.batteries)
    charge, discharge = np.array([[3.0, 0.0, 1.0, 2.0]]), np.array([[1.0, 2.0, 1.0, 0.0]])
    power = one_direction(charge, discharge, table)
    stored = charge * table.charge_efficiency[:, None] - discharge / table.discharge_efficiency[:, None]
    again = np.maximum(-power, 0) * table.charge_efficiency[:, None]
    again -= np.maximum(power, 0) / table.discharge_efficiency[:, None]
    np.testing.assert_allclose(again, stored, atol=1e-12)
    assert (power >= discharge - charge - 1e-12).all()
    assert wrong_columns(charge, discharge, table).tolist() == [2, 4]


def test_replay_cuts_what_the_store_would_cut(make):
    problem = make(2, initial_soc=np.array([0.2]))
    power, energy = replay(problem, np.array([[4.0, 4.0]]))
    assert power[0, 0] == pytest.approx(0.9**0.5)
    assert power[0, 1] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(energy, 1.0)


def test_the_program_has_the_stated_size(make):
    part = schedule_part(make(5))
    assert (part.rows, part.columns) == (10, 20)
    assert part.right.tolist() == [5.0, *[0.0] * 9]
    assert part.injection == slice(15, 20)
