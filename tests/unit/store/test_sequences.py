"""Runs of numbers seen: as a set of numbers says, and forgetting in the direction that loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Delivery, Origin, Readings, SeriesKey
from vpp.store.sequences import MOST_NUMBER, MOST_RUNS, Boot, Runs, by_boot, new_readings, sort_out

numbers = st.lists(st.integers(0, 40), min_size=1, max_size=12)


def runs_of(kept: bytes) -> Runs:
    return Runs(*np.frombuffer(kept, dtype="<i8").reshape(2, -1))


def array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@given(st.lists(numbers, max_size=6))
def test_runs_are_the_set_of_what_was_seen(batches: list[list[int]]) -> None:
    kept, seen = b"", set[int]()
    every = np.arange(-1, 43)
    for batch in batches:
        new, kept = sort_out(kept, batch)
        assert new == [number not in seen and number not in batch[:place] for place, number in enumerate(batch)]
        seen |= set(batch)
        runs = runs_of(kept)
        assert runs.hold(every).tolist() == [number in seen for number in every.tolist()]
        assert (runs.last >= runs.first).all()
        assert (runs.first[1:] > runs.last[:-1] + 1).all()


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 5))
def test_what_is_forgotten_is_forgotten_as_not_seen(values: list[int], most: int) -> None:
    kept = Runs.none().with_numbers(array(values), most=most)
    assert kept.first.size <= most
    held = kept.hold(np.arange(61))
    assert not held[sorted(set(range(61)) - set(values))].any(), "a number never seen is said to have been seen"
    if values:
        assert held[max(values)], "the newest was forgotten before older ones"


def test_a_source_that_skips_every_other_number_stays_bounded() -> None:
    kept = b""
    for first in range(0, 40_000, 4000):
        kept = sort_out(kept, range(first, first + 4000, 2))[1]
    runs = runs_of(kept)
    assert runs.first.size == MOST_RUNS
    assert runs.hold(array([39_998, 39_999])).tolist() == [True, False]


def test_messages_are_grouped_by_who_counts_them_in_one_order() -> None:
    origins = [Origin("b", "n", "x", 5), Origin("a", "n", "y", 0), Origin("b", "n", "x", 6), Origin("a", "n", "x", 0)]
    grouped = by_boot(origins)
    assert list(grouped) == [Boot("a", "n", "x"), Boot("a", "n", "y"), Boot("b", "n", "x")]
    of_b = grouped[Boot("b", "n", "x")]
    assert of_b == ([0, 2], [5, 6])
    assert by_boot([]) == {}
    with pytest.raises(InvalidInputError, match="sequence"):
        by_boot([Origin("b", "n", "x", MOST_NUMBER + 1)])


@pytest.mark.parametrize("message", [[0, 2], [-2, 0]])
def test_a_row_of_no_known_message_is_refused(message: list[int]) -> None:
    rows = Readings.from_table("p", (SeriesKey("a", "soc"),), np.array([0, 60]), np.array([[0.1], [0.2]]), arrived_s=60)
    delivery = Delivery((Origin("p", "a", "x", 0), Origin("p", "a", "x", 1)), (rows,), (array(message),))
    with pytest.raises(InvalidInputError, match=r"message: got .*, expected indices into 2 origins"):
        new_readings(delivery, np.array([True, True]))


def test_the_largest_number_is_a_number_as_any_other() -> None:
    new, kept = sort_out(b"", [MOST_NUMBER, 5, MOST_NUMBER])
    assert new == [True, True, False]
    assert sort_out(kept, [MOST_NUMBER, MOST_NUMBER - 1, 5, 0])[0] == [False, True, False, True]
