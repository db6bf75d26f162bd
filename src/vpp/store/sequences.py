"""Which messages of one source were taken: merged runs of their sequence numbers.

Invariant: runs are disjoint, do not touch, and ascend. What is forgotten is forgotten as *not seen*: a copy of it would
be kept a second time, but no message is ever taken for a copy that was not one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError
from vpp.core.messages import NO_ORIGIN, Delivery, Origin, Readings

Numbers = NDArray[np.int64]

MOST_RUNS = 4096
"""How many runs are remembered of one boot; beyond, those with the lowest numbers are forgotten."""

MOST_NUMBER = 2**63 - 1
"""The largest number of a message."""

_ONE_RUN = Struct("<qq")


class Runs(NamedTuple):
    """Runs of numbers that were seen.

    Parameters
    ----------
    first, last : int arrays, shape (n,)
        Their ends, both part of the run; ascending.
    """

    first: Numbers
    last: Numbers

    @classmethod
    def none(cls) -> Runs:
        """Return runs that hold no number."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def hold(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Return which of the numbers were seen, shape as given.

        >>> Runs(np.array([0, 7]), np.array([3, 9])).hold(np.array([3, 4, 8])).tolist()
        [True, False, True]
        """
        place = np.searchsorted(self.first, numbers, side="right") - 1
        held = place >= 0
        held[held] = numbers[held] <= self.last[place[held]]
        return held

    def with_numbers(self, numbers: Numbers, *, most: int = MOST_RUNS) -> Runs:
        """Return the runs with further numbers, at most ``most`` of them.

        >>> Runs.none().with_numbers(np.array([2, 0, 1, 5]))
        Runs(first=array([0, 5]), last=array([2, 5]))
        """
        first = np.concatenate((self.first, numbers))
        order = np.argsort(first, kind="stable")
        first = first[order]
        reach = np.maximum.accumulate(np.concatenate((self.last, numbers))[order])
        begins = np.ones(first.size, dtype=bool)
        begins[1:] = first[1:] > reach[:-1] + 1
        ends = np.ones(first.size, dtype=bool)
        ends[:-1] = begins[1:]
        return Runs(first[begins][-most:], reach[ends][-most:])


class Boot(NamedTuple):
    """Who counts: a source since it last started to count from the beginning."""

    plant: str
    source: str
    boot: str


class Arrivals(NamedTuple):
    """The messages of one boot in a delivery: their places in its origins, and their numbers."""

    places: list[int]
    numbers: list[int]


def by_boot(origins: Sequence[Origin]) -> dict[Boot, Arrivals]:
    """Return the messages of a delivery by who counts them, the boots in ascending order.

    The order is the same for every delivery, so that two writers seldom wait for each other.

    Raises
    ------
    InvalidInputError
        When a number is larger than any store can hold.
    """
    found: dict[tuple[str, str, str], Arrivals] = {}
    for place, origin in enumerate(origins):
        if origin.sequence > MOST_NUMBER:
            raise InvalidInputError("sequence", origin.sequence, f"at most {MOST_NUMBER}")
        boot = (origin.plant, origin.source, origin.boot)
        arrivals = found.get(boot)
        if arrivals is None:
            arrivals = found[boot] = Arrivals([], [])
        arrivals.places.append(place)
        arrivals.numbers.append(origin.sequence)
    return {Boot(*boot): found[boot] for boot in sorted(found)}


def sort_out(kept: bytes, numbers: Sequence[int]) -> tuple[list[bool], bytes]:
    """Return which numbers are new, neither seen before nor earlier among these, and the runs with them.

    Parameters
    ----------
    kept : bytes
        Runs as this function returned them; empty at first.
    numbers : sequence of int
        At least one.

    Examples
    --------
    >>> new, kept = sort_out(b"", [0, 1, 1])
    >>> new, sort_out(kept, [1, 2, 9])[0]
    ([True, True, False], [False, True, True])
    """
    if len(kept) <= _ONE_RUN.size:
        # A source that counts on is the rule, and a few numbers are compared sooner than put into an array.
        first, last = _ONE_RUN.unpack(kept) if kept else (numbers[0], numbers[0] - 1)
        new = []
        for number in numbers:
            if number == last + 1:
                new.append(True)
                last = number
            elif first <= number <= last:
                new.append(False)
            else:
                break
        else:
            return new, _ONE_RUN.pack(first, last)
    runs = Runs(*np.frombuffer(kept, dtype="<i8").astype(np.int64).reshape(2, -1))
    every = np.array(numbers, dtype=np.int64)
    fresh = np.zeros(every.size, dtype=bool)
    fresh[np.unique(every, return_index=True)[1]] = True
    fresh &= ~runs.hold(every)
    return fresh.tolist(), np.stack(runs.with_numbers(every[fresh])).astype("<i8").tobytes()


def new_readings(delivery: Delivery, fresh: NDArray[np.bool_]) -> list[Readings]:
    """Return the rows of a delivery that are of new messages, or of none.

    Parameters
    ----------
    fresh : bool array, shape (len(delivery.origins),)
        Which messages are new.

    Raises
    ------
    InvalidInputError
        When a row names a message that is not in the delivery.
    """
    kept = []
    # A row of no message looks at the last place, which says yes.
    new = np.append(fresh, True)
    for readings, message in zip(delivery.readings, delivery.message, strict=True):
        if message.size and not NO_ORIGIN <= int(message.min()) <= int(message.max()) < fresh.size:
            raise InvalidInputError("message", int(message.max()), f"indices into {fresh.size} origins, or {NO_ORIGIN}")
        choice = new[message]
        kept.append(readings if choice.all() else _chosen(readings, choice))
    return kept


def _chosen(readings: Readings, choice: NDArray[np.bool_]) -> Readings:
    columns = ("series", "time_s", "issued_s", "arrived_s", "value", "quality")
    return replace(readings, **{name: getattr(readings, name)[choice] for name in columns})
