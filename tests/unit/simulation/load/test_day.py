"""The household's day: four to four, across weekdays and clock changes."""

from __future__ import annotations

import numpy as np

from vpp.simulation.load.day import Days


def test_a_day_begins_at_four():
    hours = np.arange(48.0) % 24.0
    days = Days.of(hours, np.repeat([0, 1], 24), duration_h=1.0)
    # Sunday's night, Monday, Tuesday
    assert days.weekday.tolist() == [6, 0, 1]
    assert days.begins_h.tolist() == [-20.0, 4.0, 28.0]
    assert days.day[[0, 3, 4, 27, 28]].tolist() == [0, 0, 1, 1, 2]
    assert days.clock_h[[0, 4]].tolist() == [20.5, 0.5]


def test_an_hour_that_comes_twice_does_not_begin_a_day():
    hours = np.array([0.0, 1.0, 2.0, 2.0, 3.0, 4.0])
    days = Days.of(hours, np.full(6, 6), duration_h=1.0)
    assert days.day.tolist() == [0, 0, 0, 0, 0, 1]


def test_an_hour_that_is_skipped_does_not_hide_a_day():
    hours = np.array([0.0, 1.0, 3.0, 4.0])
    assert Days.of(hours, np.full(4, 6), duration_h=1.0).weekday.tolist() == [5, 6]
