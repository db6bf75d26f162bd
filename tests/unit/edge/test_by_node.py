"""Readings divided among nodes: every one once, to its node, in its order."""

from __future__ import annotations

import numpy as np

from vpp.core.messages import Readings, SeriesKey
from vpp.edge.by_node import by_node

NODE_OF = {"a": "n1", "b": "n1", "c": "n2"}


def readings(*rows: tuple[str, int, float]) -> Readings:
    keys = tuple(dict.fromkeys(SeriesKey(source, "power_kw") for source, _, _ in rows))
    place = {key.source: i for i, key in enumerate(keys)}
    times_s = np.array([at_s for _, at_s, _ in rows], dtype=np.int64)
    series = np.array([place[source] for source, _, _ in rows], dtype=np.int64)
    value = np.array([value for _, _, value in rows])
    return Readings("homes", keys, series, times_s, times_s, times_s, value, np.zeros(len(rows), dtype=np.int64))


def told(part: Readings) -> list[tuple[str, int, float]]:
    return [(row.key.source, int(row.time.timestamp()), row.value) for row in part.rows()]


def test_every_node_gets_its_own_in_order_and_strangers_nothing() -> None:
    rows = [("c", 1, 1.0), ("a", 1, 2.0), ("x", 1, 9.0), ("b", 1, 3.0), ("c", 2, 4.0), ("a", 2, 5.0)]
    parts = dict(by_node(readings(*rows), NODE_OF))
    assert {node: told(part) for node, part in parts.items()} == {
        "n1": [("a", 1, 2.0), ("b", 1, 3.0), ("a", 2, 5.0)],
        "n2": [("c", 1, 1.0), ("c", 2, 4.0)],
    }


def test_readings_of_one_node_are_passed_on_as_they_are() -> None:
    one = readings(("a", 1, 2.0), ("b", 1, 3.0))
    ((node, part),) = by_node(one, NODE_OF)
    assert node == "n1"
    assert part is one


def test_nothing_for_nobody() -> None:
    assert by_node(readings(("x", 1, 1.0)), NODE_OF) == []
