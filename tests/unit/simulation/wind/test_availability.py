"""Availability: long-run share, own random numbers, partial steps."""

from __future__ import annotations

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.time import TimeGrid, parse_time
from vpp.simulation.wind.availability import availability

START = parse_time("2024-01-01T00:00Z")
YEAR = TimeGrid(START, 3600, 8760)


def test_the_long_run_share_is_that_of_the_times() -> None:
    share = availability(YEAR, range(200), mean_time_between_failures_h=200.0, mean_time_to_repair_h=50.0, seed=1)
    assert share.mean() == pytest.approx(0.8, abs=0.01)
    assert share[0].mean() == pytest.approx(0.8, abs=0.1)  # stationary from the start
    assert ((share >= 0.0) & (share <= 1.0)).all()
    down = share < 0.5
    starts = (down[1:] & ~down[:-1]).sum() / 200
    assert starts == pytest.approx(8760.0 / 250.0, rel=0.1)


def test_one_turbine_does_not_depend_on_the_others_nor_on_the_span() -> None:
    times = {"mean_time_between_failures_h": 300.0, "mean_time_to_repair_h": 30.0, "seed": 4}
    fleet = availability(YEAR, ["a", "b", "c"], **times)
    assert fleet[:, 1].tobytes() == availability(YEAR, ["b"], **times)[:, 0].tobytes()
    month = availability(YEAR.part(0, 720), ["a", "b", "c"], **times)
    assert month == pytest.approx(fleet[:720], abs=1e-12)
    assert not np.array_equal(fleet[:, 0], fleet[:, 1])
    assert not np.array_equal(fleet, availability(YEAR, ["a", "b", "c"], **{**times, "seed": 5}))


def test_coarse_steps_are_means_of_fine_ones() -> None:
    times = {"mean_time_between_failures_h": 50.0, "mean_time_to_repair_h": 5.0, "seed": 2}
    fine = availability(TimeGrid(START, 900, 4 * 500), ["a"], **times)
    coarse = availability(TimeGrid(START, 3600, 500), ["a"], **times)
    assert fine.reshape(500, 4).mean(axis=1) == pytest.approx(coarse[:, 0], abs=1e-9)


def test_what_never_fails_or_is_repaired_at_once_is_always_there() -> None:
    for between, repair in ((np.inf, 48.0), (10.0, 0.0)):
        share = availability(YEAR, [0], mean_time_between_failures_h=between, mean_time_to_repair_h=repair, seed=0)
        assert (share == 1.0).all()


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"mean_time_between_failures_h: got 0.0, expected above 0"):
        availability(YEAR, [0], mean_time_between_failures_h=0.0, mean_time_to_repair_h=1.0, seed=0)
    with pytest.raises(InvalidInputError, match=r"mean_time_to_repair_h: got -1.0, expected 0 or more"):
        availability(YEAR, [0], mean_time_between_failures_h=1.0, mean_time_to_repair_h=-1.0, seed=0)
