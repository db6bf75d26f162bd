"""SQLite's own ways: statements on the driver's cursor, and readings row by row into the clustered table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import repeat
from sqlite3 import Connection as DriverConnection
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Connection,
    Executable,
    Table,
    and_,
    bindparam,
    exists,
    func,
    insert,
    not_,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import sqlite

from vpp.core.messages import Readings
from vpp.store.sequences import Boot
from vpp.store.statements import Query
from vpp.store.tables import READINGS, SEQUENCES, SERIES

Numbers = NDArray[np.int64]

_NAMED = sqlite.dialect(paramstyle="named")

_own = READINGS.alias("own")
_newest_time = (
    select(_own.c.time_s)
    .where(_own.c.series_id == SERIES.c.id, _own.c.arrived_s <= bindparam("known_s"))
    .order_by(_own.c.time_s.desc(), _own.c.arrived_s.desc(), _own.c.revision.desc())
    .limit(1)
    .correlate(SERIES)
    .scalar_subquery()
)
_NEWEST: Query = (
    select(
        SERIES.c.source,
        SERIES.c.metric,
        *[READINGS.c[name] for name in ("time_s", "issued_s", "arrived_s", "value", "quality")],
    )
    .select_from(
        SERIES.join(
            READINGS,
            and_(
                READINGS.c.series_id == SERIES.c.id,
                READINGS.c.time_s == _newest_time,
                READINGS.c.arrived_s <= bindparam("known_s"),
            ),
        )
    )
    .where(SERIES.c.plant == bindparam("plant"))
    .order_by(SERIES.c.id, READINGS.c.arrived_s, READINGS.c.revision)
)

_COLUMNS = [column.name for column in READINGS.c]
_INSERT_FIRST = str(sqlite.insert(READINGS).on_conflict_do_nothing().compile(dialect=sqlite.dialect()))

_same_arrival = and_(*[READINGS.c[name] == bindparam(name) for name in ("series_id", "time_s", "arrived_s")])
_same_row = and_(_same_arrival, *[READINGS.c[name] == bindparam(name) for name in ("issued_s", "value", "quality")])
_next_revision = select(func.coalesce(func.max(READINGS.c.revision) + 1, 0)).where(_same_arrival).scalar_subquery()
# The next revision of a time and arrival, unless this very row is there.
_INSERT_REVISION = insert(READINGS).from_select(
    _COLUMNS,
    select(
        *[
            _next_revision if column.name == "revision" else sql_cast(bindparam(column.name), column.type)
            for column in READINGS.c
        ]
    ).where(not_(exists(select(READINGS.c.value).where(_same_row)))),
)
_RUNS = select(SEQUENCES.c.runs).where(*[SEQUENCES.c[name] == bindparam(name) for name in ("plant", "source", "boot")])


class SqliteDialect:
    """See ``vpp.store.dialect.SqlDialect``. One writer at a time is SQLite's own rule, so that nothing is locked."""

    newest = _NEWEST

    def fetch(self, connection: Connection, query: Query, asked: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
        """Return the rows of a query, by the driver's own cursor."""
        text, constants = _text(query)
        return _driver(connection).execute(text, {**constants, **asked})

    def adding(self, table: Table) -> Executable:
        """Return the insertion of rows that are not there; one that is there already is left as it is."""
        return sqlite.insert(table).on_conflict_do_nothing()

    def replacing(self, table: Table) -> Executable:
        """Return the insertion of rows in place of those with the same key."""
        statement = sqlite.insert(table)
        key = [column.name for column in table.primary_key]
        return statement.on_conflict_do_update(
            index_elements=key, set_={c.name: statement.excluded[c.name] for c in table.c if c.name not in key}
        )

    def write_readings(self, connection: Connection, series_id: Numbers, readings: Readings) -> int:
        """Keep readings and return how many rows were new."""
        driver = _driver(connection)
        # In the order of the table, so that rows fall on neighbouring pages; of one key the order of writing stays.
        order = np.lexsort((readings.time_s, series_id))
        before = driver.total_changes
        driver.executemany(_INSERT_FIRST, _in_order(series_id, readings, order))
        if driver.total_changes - before < len(readings):
            # Some were there: again, or as a further revision. Rows just inserted are recognised and left alone.
            rows = _in_order(series_id, readings, order)
            connection.execute(_INSERT_REVISION, [dict(zip(_COLUMNS, row, strict=True)) for row in rows])
        return driver.total_changes - before

    def seen(self, connection: Connection, boots: Sequence[Boot]) -> dict[Boot, bytes]:
        """Return the runs kept of boots."""
        driver, (text, _) = _driver(connection), _text(_RUNS)
        found = ((boot, driver.execute(text, boot._asdict()).fetchone()) for boot in boots)
        return {boot: row[0] for boot, row in found if row is not None}

    def keep_seen(self, connection: Connection, _before: Mapping[Boot, bytes], runs: Mapping[Boot, bytes]) -> None:
        """Keep the runs of boots; that they are what they were before is SQLite's own rule."""
        rows = [{**boot._asdict(), "runs": of_boot} for boot, of_boot in runs.items()]
        connection.execute(self.replacing(SEQUENCES), rows)

    def take_turns(self, connection: Connection, matter: str) -> None:
        """Return at once."""


def _in_order(series_id: Numbers, readings: Readings, order: NDArray[np.intp]) -> Iterator[tuple[float, ...]]:
    """Yield the rows of the table, with no revision yet."""
    columns = {
        "series_id": series_id,
        "time_s": readings.time_s,
        "arrived_s": readings.arrived_s,
        "issued_s": readings.issued_s,
        "value": readings.value,
        "quality": readings.quality,
    }
    return zip(*(columns[name][order].tolist() if name in columns else repeat(0) for name in _COLUMNS), strict=False)


@cache
def _text(query: Query) -> tuple[str, dict[str, Any]]:
    """Return the text of a statement, its parameters by name, and the values of those that never change."""
    compiled = query.compile(dialect=_NAMED)
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}


def _driver(connection: Connection) -> DriverConnection:
    return cast(DriverConnection, connection.connection.driver_connection)
