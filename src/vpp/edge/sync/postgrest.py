"""PostgREST: rows into a table of PostgreSQL over HTTP, as Supabase offers it.

A row is known by its message and its place in it, (plant, node, boot, sequence, item): sent again it is ignored, and a
revision of a value is another row. PostgREST reads no compressed body, so none is sent. Which rows a key may write and
read is the matter of the table's row-level security; ``deploy/supabase.sql`` has the table with its policies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Origin
from vpp.core.time import from_epoch_s
from vpp.edge.sync.progress import Aside
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.target import Sent, isolate
from vpp.edge.sync.uplink import RefusedError, Uplink

KEY_COLUMNS = ("plant", "node", "boot", "sequence", "item")
COLUMNS = (*KEY_COLUMNS, "source", "metric", "time", "value", "issued_at")
PAGE = 1000  # house: allow-1000, the most rows Supabase returns at once unless it is told otherwise

Row = dict[str, Any]


class PostgrestTarget:
    """A table behind PostgREST.

    Parameters
    ----------
    uplink : Uplink
        Carries the key in its headers.
    url : str
        Address of the table, e.g. ``https://abc.supabase.co/rest/v1/telemetry``.
    most_rows : int
        Rows in one request, 1 or more.
    """

    def __init__(self, uplink: Uplink, url: str, *, most_rows: int = 500) -> None:
        if most_rows < 1:
            raise InvalidInputError("most_rows", most_rows, "1 or more rows")
        self.name = url
        self._uplink = uplink
        self._url = url
        self._most_rows = most_rows

    def send(self, messages: Sequence[Buffered]) -> Sent:
        """Bring messages; rows that the table refuses are set aside, one by one."""
        entries = [(message.position, row) for message in messages for row in rows_of(message)]
        refused: list[tuple[tuple[int, Row], RefusedError]] = []
        for first in range(0, len(entries), self._most_rows):
            refused += isolate(entries[first : first + self._most_rows], self._insert, _is_content)
        aside = tuple(
            Aside(position, int(row["item"]), str(fault), msgspec.json.encode(row).decode())
            for (position, row), fault in refused
        )
        return Sent(len(entries) - len(aside), aside)

    def count(self, plant: str) -> int:
        """Return how many rows of a plant the key may see in the table."""
        answer = self._uplink.request(
            "HEAD", self._url, headers={"Prefer": "count=exact"}, parameters={"plant": f"eq.{plant}", "limit": "0"}
        )
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isdecimal():
            raise RefusedError(self.name, answer.status_code, f"no count in Content-Range {total!r}")
        return int(total)

    def rows(self, plant: str) -> Iterator[Row]:
        """Yield the rows of a plant in the order of their keys, page after page, however few a page holds.

        Each page begins behind the last key of the one before, so that rows that arrive meanwhile shift nothing.
        """
        behind: Row | None = None
        while True:
            parameters = {"plant": f"eq.{plant}", "order": ",".join(KEY_COLUMNS), "limit": str(PAGE)}
            parameters["select"] = ",".join(COLUMNS)
            if behind is not None:
                parameters["or"] = _behind(behind)
            page: list[Row] = self._uplink.request("GET", self._url, parameters=parameters).json()
            if not page:
                return
            yield from page
            behind = page[-1]

    def close(self) -> None:
        """Release connections."""
        self._uplink.close()

    def _insert(self, entries: Sequence[tuple[int, Row]]) -> None:
        self._uplink.request(
            "POST",
            self._url,
            body=msgspec.json.encode([row for _, row in entries]),
            headers={
                "Content-Type": "application/json",
                "Prefer": "resolution=ignore-duplicates,return=minimal",
            },
            parameters={"on_conflict": ",".join(KEY_COLUMNS), "columns": ",".join(COLUMNS)},
        )


def rows_of(message: Buffered) -> list[Row]:
    """Return a message's rows as a table holds them."""
    origin, readings = message.origin, message.readings
    identity = {"plant": origin.plant, "node": origin.source, "boot": origin.boot, "sequence": origin.sequence}
    return [
        {
            **identity,
            "item": item,
            "source": readings.keys[series].source,
            "metric": readings.keys[series].metric,
            "time": _iso(time_s),
            "value": value,
            "issued_at": _iso(issued_s),
        }
        for item, (series, time_s, value, issued_s) in enumerate(
            zip(
                readings.series.tolist(),
                readings.time_s.tolist(),
                readings.value.tolist(),
                readings.issued_s.tolist(),
                strict=True,
            )
        )
    ]


def origin_of(row: Row) -> Origin:
    """Return the message a row belongs to."""
    return Origin(str(row["plant"]), str(row["node"]), str(row["boot"]), int(row["sequence"]))


def _iso(time_s: int) -> str:
    return from_epoch_s(time_s).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_content(fault: RefusedError) -> bool:
    """Tell whether a refusal is about the rows: bad data (SQLSTATE class 22), a broken constraint (23), or too much.

    What PostgREST itself refuses (``PGRST...``: a key, a table or a column that is not there) would refuse every row,
    and so would row-level security that does not fit the key: those are faults of the setting up, and nothing is set
    aside for them.
    """
    return fault.status == 413 or fault.code[:2] in ("22", "23")


def _behind(row: Row) -> str:
    """Return the condition for rows behind one, in the order of the key columns after the plant."""
    names = KEY_COLUMNS[1:]
    steps = []
    for i, name in enumerate(names):
        equal = [f"{before}.eq.{_quoted(row[before])}" for before in names[:i]]
        steps.append(f"and({','.join([*equal, f'{name}.gt.{_quoted(row[name])}'])})")
    return f"({','.join(steps)})"


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
