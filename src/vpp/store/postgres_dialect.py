"""PostgreSQL's own ways: statements on the driver's cursor in binary, arrays for many keys, readings by COPY."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import (
    JSON,
    Connection,
    Executable,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.selectable import TableValuedAlias

from vpp.core.messages import Readings
from vpp.store.copying import Copier
from vpp.store.partitions import Partitions
from vpp.store.sequences import Boot
from vpp.store.statements import Query
from vpp.store.tables import READINGS, SEQUENCES, SERIES

_DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]

_ROW = [READINGS.c[name] for name in ("time_s", "issued_s", "arrived_s", "value", "quality")]
# One walk backward along the index for each series, which ends at its first row.
_own = (
    select(*_ROW)
    .where(READINGS.c.series_id == SERIES.c.id, READINGS.c.arrived_s <= bindparam("known_s"))
    .order_by(READINGS.c.time_s.desc(), READINGS.c.arrived_s.desc(), READINGS.c.revision.desc())
    .limit(1)
    .correlate(SERIES)
    .lateral("own")
)
_NEWEST: Query = (
    select(SERIES.c.source, SERIES.c.metric, *(_own.c[column.name] for column in _ROW))
    .select_from(SERIES.join(_own, true()))
    .where(SERIES.c.plant == bindparam("plant"))
)

_BOOT = ("plant", "source", "boot")


def _table(*names: str) -> TableValuedAlias:
    """Return the rows of the parameter ``given``: one JSON text is sent sooner than an array for each column."""
    given = func.json_to_recordset(cast(bindparam("given", type_=Text), JSON))
    return given.table_valued(*(column(name, Text) for name in names)).render_derived("given", with_types=True)


_asked = _table(*_BOOT)
_SEEN = select(*(SEQUENCES.c[name] for name in (*_BOOT, "runs"))).select_from(
    SEQUENCES.join(_asked, and_(*(SEQUENCES.c[name] == _asked.c[name] for name in _BOOT)))
)
_first = _table(*_BOOT, "runs")
_FIRST_RUNS = (
    insert(SEQUENCES)
    .from_select([*_BOOT, "runs"], select(*(_first.c[name] for name in _BOOT), func.decode(_first.c.runs, "hex")))
    .on_conflict_do_nothing()
)
_grown = _table(*_BOOT, "runs", "before")
_GROWN_RUNS = (
    update(SEQUENCES)
    .values(runs=func.decode(_grown.c.runs, "hex"))
    .where(
        *(SEQUENCES.c[name] == _grown.c[name] for name in _BOOT),
        SEQUENCES.c.runs == func.decode(_grown.c.before, "hex"),
    )
)
_COUNTED = {"preserve_rowcount": True}


class PostgresDialect:
    """See ``vpp.store.dialect.SqlDialect``."""

    newest = _NEWEST

    def __init__(self) -> None:
        self.partitions = Partitions()
        self._copier = Copier()

    def fetch(self, connection: Connection, query: Query, asked: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
        """Return the rows of a query, by the driver's own cursor."""
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        text, constants = _text(query)
        with driver.cursor(binary=True) as cursor:
            found: list[Sequence[Any]] = cursor.execute(text, {**constants, **asked}).fetchall()
        return found

    def adding(self, table: Table) -> Executable:
        """Return the insertion of rows that are not there; one that is there already is left as it is."""
        return insert(table).on_conflict_do_nothing()

    def replacing(self, table: Table) -> Executable:
        """Return the insertion of rows in place of those with the same key."""
        statement = insert(table)
        key = [column.name for column in table.primary_key]
        return statement.on_conflict_do_update(
            index_elements=key, set_={c.name: statement.excluded[c.name] for c in table.c if c.name not in key}
        )

    def write_readings(self, connection: Connection, series_id: NDArray[np.int64], readings: Readings) -> int:
        """Keep readings and return how many rows were new."""
        self.partitions.make(connection, readings.time_s)
        return self._copier.write(connection, series_id, readings)

    def seen(self, connection: Connection, boots: Sequence[Boot]) -> dict[Boot, bytes]:
        """Return the runs kept of boots."""
        asked = {"given": json.dumps([boot._asdict() for boot in boots])}
        found = connection.execute(_SEEN, asked).all()
        return {Boot(plant, source, boot): bytes(runs) for plant, source, boot, runs in found}

    def keep_seen(self, connection: Connection, before: Mapping[Boot, bytes], runs: Mapping[Boot, bytes]) -> None:
        """Keep the runs of boots, if they are still what they were.

        Nothing was locked when they were read, which costs as much as this does. Of two transactions that took
        messages of one boot, the second waits here for the first, finds other runs, and begins anew.
        """
        grown = [
            {**boot._asdict(), "runs": of_boot.hex(), "before": before[boot].hex()}
            for boot, of_boot in runs.items()
            if boot in before
        ]
        first = [{**boot._asdict(), "runs": of_boot.hex()} for boot, of_boot in runs.items() if boot not in before]
        for statement, rows in ((_GROWN_RUNS, grown), (_FIRST_RUNS, first)):
            if rows:
                kept = connection.execute(statement, {"given": json.dumps(rows)}, execution_options=_COUNTED).rowcount
                if kept < len(rows):
                    raise psycopg.errors.SerializationFailure("another writer took messages of the same source")

    def take_turns(self, connection: Connection, matter: str) -> None:
        """Wait until no other transaction writes in this matter."""
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(matter))))


@cache
def _text(query: Query) -> tuple[str, dict[str, Any]]:
    """Return the text of a statement, its parameters by name, and the values of those that never change."""
    compiled = query.compile(dialect=_DIALECT)
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}
