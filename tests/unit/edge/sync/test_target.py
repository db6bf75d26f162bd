"""Isolation: every good entry is sent, every bad one is found, and a refusal of who sends is none of an entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp.edge.sync.target import isolate
from vpp.edge.sync.uplink import RefusedError


@given(st.integers(1, 300), st.data())
def test_the_bad_are_found_and_the_good_are_sent_once(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=6))
    sent: list[int] = []
    requests = 0

    def send(entries) -> None:
        nonlocal requests
        requests += 1
        if bad & set(entries):
            raise RefusedError("there", 400, "no", "23514")
        sent.extend(entries)

    refused = isolate(range(count), send, lambda fault: fault.code == "23514")
    assert [entry for entry, _ in refused] == sorted(bad)
    assert sent == [entry for entry in range(count) if entry not in bad]
    assert requests <= 1 + 2 * len(bad) * count.bit_length()


def test_a_refusal_of_who_sends_ends_it() -> None:
    def send(_entries) -> None:
        raise RefusedError("there", 401, "who are you")

    with pytest.raises(RefusedError, match="who are you"):
        isolate(range(8), send, lambda fault: fault.status == 400)
