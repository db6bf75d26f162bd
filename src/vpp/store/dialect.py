"""What the SQL store needs of a database: its connections, and what is said in another way on each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Executable, Table

from vpp.core.messages import Readings
from vpp.store.sequences import Boot
from vpp.store.statements import Query

Answer = TypeVar("Answer")


class Database(Protocol):
    """Connections to one database."""

    def run(self, action: Callable[[Connection], Answer]) -> Answer:
        """Return what an action in a transaction of its own returns; when this returns, all of it is durable.

        The action may be run more than once; all runs but the last left nothing behind.
        """
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """Run a block of reads on one snapshot."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class SqlDialect(Protocol):
    """One database's own ways."""

    @property
    def newest(self) -> Query:
        """The newest readings of every series of ``plant`` known by ``known_s``.

        Columns: source, metric, then those of the reading. Of one series, the last row is the winner.
        """
        ...

    def fetch(self, connection: Connection, query: Query, asked: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
        """Return the rows of a query, by the driver's own cursor."""
        ...

    def adding(self, table: Table) -> Executable:
        """Return the insertion of rows that are not there; one that is there already is left as it is."""
        ...

    def replacing(self, table: Table) -> Executable:
        """Return the insertion of rows in place of those with the same key."""
        ...

    def write_readings(self, connection: Connection, series_id: NDArray[np.int64], readings: Readings) -> int:
        """Keep readings and return how many rows were new.

        Parameters
        ----------
        series_id : int array, shape (n,)
            Number of the series of each row.
        """
        ...

    def seen(self, connection: Connection, boots: Sequence[Boot]) -> dict[Boot, bytes]:
        """Return the runs kept of boots, see ``vpp.store.sequences``; without those of which nothing was kept."""
        ...

    def keep_seen(self, connection: Connection, before: Mapping[Boot, bytes], runs: Mapping[Boot, bytes], /) -> None:
        """Keep the runs of boots in place of those that ``seen`` returned.

        Does not succeed when another transaction has changed any of them; then the transaction is run anew.
        """
        ...

    def take_turns(self, connection: Connection, matter: str) -> None:
        """Wait until no other transaction writes in this matter."""
        ...
