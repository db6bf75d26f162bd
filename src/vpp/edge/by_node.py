"""Readings of a driver that serves several nodes, divided among them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vpp.core.messages import Readings


def by_node(readings: Readings, node_of: Mapping[str, str]) -> list[tuple[str, Readings]]:
    """Return the readings of each node, with the keys that occur there."""
    nodes = [node_of.get(key.source) for key in readings.keys]
    names = list(dict.fromkeys(node for node in nodes if node is not None))
    if len(names) == 1 and None not in nodes:
        return [(names[0], readings)]
    number = {name: i for i, name in enumerate(names)}
    of_key = np.array([-1 if node is None else number[node] for node in nodes], dtype=np.int64)
    of_row = of_key[readings.series]
    order = np.argsort(of_row, kind="stable")
    edges = np.searchsorted(of_row[order], np.arange(len(names) + 1))
    parts = []
    for i, name in enumerate(names):
        rows = order[edges[i] : edges[i + 1]]
        if rows.size:
            parts.append((name, _rows_of(readings, rows)))
    return parts


def _rows_of(readings: Readings, rows: NDArray[np.int64]) -> Readings:
    used, series = np.unique(readings.series[rows], return_inverse=True)
    return Readings(
        readings.plant,
        tuple(readings.keys[int(i)] for i in used),
        series.astype(np.int64),
        readings.time_s[rows],
        readings.issued_s[rows],
        readings.arrived_s[rows],
        readings.value[rows],
        readings.quality[rows],
    )
