"""Shedding and curtailment: exact totals, strict priorities, equal shares within one."""

from __future__ import annotations

from math import fsum, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError, SeriesMismatchError
from vpp.dispatch.shedding import curtail_generation, shed_load

LOADS = st.lists(st.tuples(st.floats(0.0, 1e5), st.integers(0, 4)), max_size=30)


@pytest.mark.parametrize(
    ("deficit_kw", "relief_kw", "shortfall_kw"),
    [
        (0.0, (0.0, 0.0, 0.0, 0.0), 0.0),
        (5.0, (0.0, 2.5, 2.5, 0.0), 0.0),
        (20.0, (0.0, 10.0, 10.0, 0.0), 0.0),
        (25.0, (5.0, 10.0, 10.0, 0.0), 0.0),
        (60.0, (30.0, 10.0, 10.0, 0.0), 10.0),
    ],
)
def test_classes_give_in_their_order(deficit_kw: float, relief_kw: tuple[float, ...], shortfall_kw: float) -> None:
    answer = shed_load(deficit_kw, [30.0, 10.0, 10.0, 0.0], [2, 1, 1, 0])
    assert answer.relief_kw == relief_kw
    assert answer.total_kw == deficit_kw - shortfall_kw
    assert answer.shortfall_kw == shortfall_kw


@given(loads=LOADS, deficit_kw=st.floats(0.0, 1e6))
def test_totals_are_exact_and_priorities_strict(loads: list[tuple[float, int]], deficit_kw: float) -> None:
    available, priority = [kw for kw, _ in loads], [number for _, number in loads]
    answer = shed_load(deficit_kw, available, priority)
    total = fsum(answer.relief_kw)
    assert total == pytest.approx(answer.total_kw, rel=4e-16, abs=1e-300)
    assert total + answer.shortfall_kw == pytest.approx(deficit_kw, rel=4e-16, abs=1e-300)
    assert all(0.0 <= shed <= most for shed, most in zip(answer.relief_kw, available, strict=True))
    touched = [p for shed, p in zip(answer.relief_kw, priority, strict=True) if shed > 0.0]
    for shed, most, number in zip(answer.relief_kw, available, priority, strict=True):
        if touched and number < max(touched):
            assert shed == most


def test_within_a_class_all_give_the_same_share() -> None:
    assert shed_load(3.0, [1.0, 2.0, 3.0], [0, 0, 0]).relief_kw == (0.5, 1.0, 1.5)


def test_curtailment_is_the_same_rule() -> None:
    arguments = (33.3, [10.0, 20.0, 30.0], [3, 1, 2])
    assert curtail_generation(*arguments) == shed_load(*arguments)


def test_nothing_to_give_is_a_shortfall() -> None:
    answer = shed_load(5.0, [], [])
    assert (answer.relief_kw, answer.total_kw, answer.shortfall_kw) == ((), 0.0, 5.0)


@pytest.mark.parametrize("value", [-1.0, nan, inf])
def test_powers_are_checked(value: float) -> None:
    with pytest.raises(InvalidInputError, match="deficit_kw"):
        shed_load(value, [1.0], [0])
    with pytest.raises(InvalidInputError, match=r"curtailable_kw\[1\]"):
        curtail_generation(1.0, [1.0, value], [0, 0])


def test_lengths_are_checked() -> None:
    with pytest.raises(SeriesMismatchError, match="priority"):
        shed_load(1.0, [1.0, 2.0], [0])
