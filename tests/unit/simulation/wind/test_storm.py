"""Storm control: rows of the state machine, and the state carried from one part to the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.simulation.wind.storm import running_through_storms

NAN = float("nan")


@pytest.mark.parametrize(
    ("wind", "before", "after"),
    [
        ([25.0], True, [True]),  # the cut-out speed itself still runs
        ([25.1], True, [False]),
        ([21.1], False, [False]),  # between the thresholds the state stays
        ([21.1], True, [True]),
        ([21.0], False, [True]),  # the restart speed itself starts
        ([26.0, 24.0, 22.0, 21.0, 24.0, 25.1], True, [False, False, False, True, True, False]),
        ([26.0, NAN, 20.0, NAN], True, [False, False, True, True]),
        ([NAN], False, [False]),
        ([], True, []),
    ],
)
def test_rows(wind: list[float], before: bool, after: list[bool]) -> None:
    answer = running_through_storms(np.array(wind).reshape(-1, 1), cut_out_m_s=25.0, restart_m_s=21.0, running=before)
    assert answer[:, 0].tolist() == after


def one_by_one(wind: list[float], running: bool) -> list[bool]:
    states = []
    for speed in wind:
        running = speed <= 21.0 or (running and speed <= 25.0)
        states.append(running)
    return states


@given(st.lists(st.floats(15.0, 30.0), min_size=1, max_size=40), st.booleans(), st.integers(0, 40))
def test_like_a_loop_and_in_two_parts(wind: list[float], running: bool, cut: int) -> None:
    table = np.array(wind)[:, None]
    whole = running_through_storms(table, cut_out_m_s=25.0, restart_m_s=21.0, running=running)
    assert whole[:, 0].tolist() == one_by_one(wind, running)
    first = running_through_storms(table[:cut], cut_out_m_s=25.0, restart_m_s=21.0, running=running)
    state = first[-1] if first.size else np.array([running])
    second = running_through_storms(table[cut:], cut_out_m_s=25.0, restart_m_s=21.0, running=state)
    assert np.concatenate([first, second]).tolist() == whole.tolist()


def test_each_turbine_has_its_own_thresholds() -> None:
    wind = np.tile(np.array([[20.0], [26.0], [23.0]]), (1, 3))
    answer = running_through_storms(wind, cut_out_m_s=[25.0, 25.0, 30.0], restart_m_s=[21.0, 24.0, 28.0])
    assert answer.tolist() == [[True, True, True], [False, False, True], [False, True, True]]


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match=r"restart_m_s: got 26.0, expected at most cut_out_m_s"):
        running_through_storms(np.ones((1, 1)), cut_out_m_s=25.0, restart_m_s=26.0)
    with pytest.raises(SeriesMismatchError, match=r"wind_speed_m_s: got \(3,\), expected shape \(T, S\)"):
        running_through_storms(np.ones(3), cut_out_m_s=25.0, restart_m_s=20.0)
