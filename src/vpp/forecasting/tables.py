"""Parts of a table of series: some of its rows, its last days, its first columns."""

from __future__ import annotations

from vpp.core.ports import SeriesTable
from vpp.core.units import SECONDS_PER_DAY


def part(table: SeriesTable, start: int, stop: int) -> SeriesTable:
    """Return rows ``start`` to before ``stop`` as a table of their own."""
    return SeriesTable(table.grid.part(start, stop), table.keys, table.value[start:stop])


def tail(table: SeriesTable, days: int) -> SeriesTable:
    """Return the last days of a table, or all of it when it is shorter."""
    count = min(table.grid.count, days * SECONDS_PER_DAY // table.grid.resolution_s)
    return part(table, table.grid.count - count, table.grid.count)


def narrow(table: SeriesTable, columns: int) -> SeriesTable:
    """Return the first columns of a table, or the table where it has no others."""
    if len(table.keys) == columns:
        return table
    return SeriesTable(table.grid, table.keys[:columns], table.value[:, :columns])
