"""Cycles: the whole record by rainflow, and the same cycles while they happen."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.simulation.battery.counting import COLUMNS, DEPTH, SOC, closed
from vpp.simulation.battery.cycles import counted, equivalent_full_cycles
from vpp.simulation.battery.wear import EXTREME_SOC, STATE_COLUMNS, TURNS, turned
from vpp.simulation.battery.wear import SOC as STATE_SOC

ASTM = [-2.0, 1.0, -3.0, 5.0, -1.0, 3.0, -4.0, 4.0, -2.0]


def followed(series, *, depth=DEPTH):
    """Return what the online count closes of a series, and the turning points that stay open."""
    state, stack, cycle = np.zeros(STATE_COLUMNS), np.zeros((depth, COLUMNS)), np.zeros(4)
    state[STATE_SOC], found = series[0], []
    for after in series[1:]:
        if turned(state, stack, 1.0, after):
            while (left := closed(stack, int(state[TURNS]), cycle)) != int(state[TURNS]):
                state[TURNS] = left
                found.append((round(float(cycle[0]), 9), float(cycle[1])))
        state[STATE_SOC] = after
    # the last extreme is a turning point only once the record ends
    held = int(state[TURNS])
    return found, [*stack[:held, SOC].tolist(), float(state[EXTREME_SOC])]


def test_the_standards_example():
    cycles = Counter()
    for cycle in counted(ASTM):
        cycles[cycle.depth] += cycle.weight
    assert cycles == {3: 0.5, 4: 1.5, 6: 0.5, 8: 1.0, 9: 0.5}
    found, residue = followed(ASTM)
    assert Counter(found) == {(3.0, 0.5): 1, (4.0, 0.5): 1, (4.0, 1.0): 1, (8.0, 0.5): 1}
    assert residue == [5.0, -4.0, 4.0, -2.0]


@given(st.lists(st.integers(0, 100), min_size=3, max_size=60))
def test_online_cycles_and_residue_are_those_of_the_whole_record(steps):
    series = [step / 100 for step in steps]
    found, residue = followed(series)
    open_half = [(round(abs(b - a), 9), 0.5) for a, b in pairwise(residue) if b != a]
    expected = Counter((round(cycle.depth, 9), cycle.weight) for cycle in counted(series))
    # the last extreme may close cycles once it is known to be one
    assert sum(depth * weight for depth, weight in [*found, *open_half]) == pytest.approx(
        sum(depth * weight * count for (depth, weight), count in expected.items())
    )
    early = Counter(found)
    assert all(early[row] <= expected[row] for row in early)


def test_a_full_stack_gives_its_oldest_range_as_half_a_cycle():
    # ever smaller swings never close
    series = [0.5 + (-1) ** i * 0.5 * 0.9**i for i in range(40)]
    found, residue = followed(series, depth=16)
    assert all(weight == 0.5 for _, weight in found)
    assert found[0][0] == pytest.approx(abs(series[1] - series[0]))
    assert len(residue) <= 17
    assert sum(depth for depth, _ in found) + np.abs(np.diff(residue)).sum() == pytest.approx(
        np.abs(np.diff(series)).sum()
    )


def test_full_cycles_by_way():
    assert equivalent_full_cycles([0.5, 1.0, 0.0, 0.5]) == pytest.approx(1.0)


def test_a_record_with_holes_is_refused():
    with pytest.raises(InvalidInputError, match="series"):
        counted([0.1, float("nan")])
