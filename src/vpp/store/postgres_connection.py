"""Connections to one PostgreSQL database, and what happens when the server is gone, slow or frozen.

Invariants: a ``run`` that returns was committed under ``synchronous_commit = on``; one that raises left nothing, or,
when the server went silent at the commit itself, left all of it, so that whoever writes again must write so that
twice is once. Nothing waits for a silent server longer than ``answer_timeout_s``. A connection that broke is thrown
away; the next use makes a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from math import ceil
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, QueuePool, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from vpp.core.errors import ClosedError, InvalidInputError, StoreError, VppError

Answer = TypeVar("Answer")

MOST_TRIES = 32
"""How often a transaction is run while others are in its way. Each time one of those was committed, so that all end."""
IDLE_CONNECTIONS = 4
MOST_CONNECTIONS = 16

# Another transaction was in the way (serialization, deadlock, the same key at once), or a partition was dropped.
_TRY_AGAIN = frozenset({"40001", "40P01", "23505", "23514"})


_FAULTS = (psycopg.Error, DBAPIError, NoConnectionError, UnicodeEncodeError)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives a silent server up.

    Attributes
    ----------
    answer_timeout_s : float
        How long a statement may wait for the server [s].
    """

    answer_timeout_s: float = 30.0

    def wait(self, gen: Any, *args: Any, **settings: Any) -> Any:
        """Consume what operates on the connection, as long as it takes but no longer than the timeout."""
        return super().wait(self._bounded(gen), *args, **settings)

    def _bounded(self, steps: Generator[Any, Any, Answer]) -> Generator[Any, Any, Answer]:
        deadline_s = monotonic() + self.answer_timeout_s
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                # The driver looks up a few times a second; without anything ready, nothing has come.
                if not ready and monotonic() > deadline_s:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer for {self.answer_timeout_s:g} s")
                wanted = steps.send(ready)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


class PostgresDatabase:
    """The connections to one database.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/database``; libpq's settings may follow behind a question mark.
    connect_timeout_s : float
        How long to wait for a connection [s], 2 or more.
    answer_timeout_s : float
        How long to wait for the answer to a statement [s].

    Raises
    ------
    InvalidInputError
        When the URL is none of PostgreSQL's.
    """

    def __init__(self, url: str, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 30.0) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error as fault:
            expected = "postgresql://user:password@host:5432/database"
            raise InvalidInputError("store", url.rpartition("@")[2], expected) from fault
        self.name = f"postgresql://{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
        limit = f"{ceil(answer_timeout_s)}s"
        options = f"-c synchronous_commit=on -c statement_timeout={limit} -c lock_timeout={limit}"
        settings: dict[str, Any] = {
            "connect_timeout": ceil(connect_timeout_s),
            "application_name": "vpp",
            **given,
            "options": f"{given.get('options', '')} {options}".strip(),
        }

        def connect() -> BoundedConnection:
            connection = BoundedConnection.connect(**settings)
            connection.answer_timeout_s = answer_timeout_s
            return connection

        self._closed = False
        self.engine = create_engine(
            "postgresql+psycopg://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=IDLE_CONNECTIONS,
            max_overflow=MOST_CONNECTIONS - IDLE_CONNECTIONS,
            pool_timeout=answer_timeout_s,
            # A server that was started anew has forgotten its connections; a write should not be the first to notice.
            pool_pre_ping=True,
        )
        self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.on_retry: Callable[[], None] = lambda: None

    def run(self, action: Callable[[Connection], Answer]) -> Answer:
        """Return what an action in a transaction of its own returns, once it is durable.

        The action is run again when another transaction was in its way.

        Raises
        ------
        StoreError
            When it could not be kept.
        InvalidInputError
            When the database can hold no such words or numbers.
        ClosedError
            After ``close``.
        """
        for last in [False] * (MOST_TRIES - 1) + [True]:
            self._refuse_closed()
            try:
                with self.engine.begin() as connection:
                    return action(connection)
            except _FAULTS as fault:
                if last or _state(fault) not in _TRY_AGAIN:
                    raise self._fault(fault) from fault
            self.on_retry()
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a block of reads on one snapshot.

        Raises
        ------
        StoreError
            When the database cannot be read.
        ClosedError
            After ``close``.
        """
        self._refuse_closed()
        with self.faults(), self._snapshots.begin() as connection:
            yield connection

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Raise what goes wrong in a block as this package's own errors."""
        try:
            yield
        except _FAULTS as fault:
            raise self._fault(fault) from fault

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        self.engine.dispose()

    def _fault(self, fault: Exception) -> VppError:
        """Return the error to raise."""
        cause = fault.orig if isinstance(fault, DBAPIError) else fault
        if isinstance(cause, UnicodeEncodeError):
            return InvalidInputError("text", cause.object, "words without lone surrogates, which no encoding can hold")
        if isinstance(cause, psycopg.DataError):
            return InvalidInputError("row", str(cause).splitlines()[0], "words and numbers that PostgreSQL can hold")
        words = " ".join(str(cause).split())
        return StoreError(f"{self.name}: {words}; nothing of it was acknowledged, write again when the server answers")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.name}: the store is closed; open it anew")


def _state(fault: Exception) -> str | None:
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
