"""Verification: what a table holds against what the source holds, row by row."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from vpp.core.messages import Origin
from vpp.core.time import epoch_s, parse_time
from vpp.edge.sync.postgrest import PostgrestTarget, Row, origin_of, rows_of
from vpp.edge.sync.source import RowSource

_READ_ROWS = 5_000


class Differences(NamedTuple):
    """How a table differs from its source, in rows.

    Parameters
    ----------
    lost : int
        In the source up to the position asked for, and not in the table.
    twice : int
        Copies beyond the first in the table.
    altered : int
        In both, with another value, time or name.
    """

    lost: int
    twice: int
    altered: int


def differences(source: RowSource, target: PostgrestTarget, plant: str, *, up_to: int) -> Differences:
    """Compare a plant's rows in a table with those a source holds up to a position.

    The table is read page by page and kept in memory as one small tuple a row: about 300 bytes each.

    Parameters
    ----------
    source : RowSource
        What was to be brought.
    target : PostgrestTarget
        Where it was brought.
    plant : str
        Whose rows.
    up_to : int
        Position up to which the target has come.
    """
    found: dict[tuple[Origin, int], tuple[object, ...]] = {}
    seen: Counter[tuple[Origin, int]] = Counter()
    for row in target.rows(plant):
        key = (origin_of(row), int(row["item"]))
        seen[key] += 1
        found[key] = _content(row)
    lost = altered = position = 0
    while messages := source.after(position, most=_READ_ROWS):
        for message in messages:
            if message.position > up_to or message.origin.plant != plant:
                continue
            for row in rows_of(message):
                kept = found.get((origin_of(row), int(row["item"])))
                lost += kept is None
                altered += kept is not None and kept != _content(row)
        position = messages[-1].position
        if position >= up_to:
            break
    return Differences(lost, sum(seen.values()) - len(seen), altered)


def _content(row: Row) -> tuple[object, ...]:
    times = (epoch_s(parse_time(str(row[name]))) for name in ("time", "issued_at"))
    return (row["source"], row["metric"], float(row["value"]), *times)
