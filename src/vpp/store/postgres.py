"""The store on PostgreSQL, for several processes and machines."""

from __future__ import annotations

from sqlalchemy import event

from vpp.core.errors import VppError
from vpp.store.copying import MAKE_STAGING
from vpp.store.postgres_connection import BoundedConnection, PostgresDatabase
from vpp.store.postgres_dialect import PostgresDialect
from vpp.store.sql import SqlStore
from vpp.store.upgrading import upgrade_engine


class PostgresStore(SqlStore):
    """Keeps everything in a PostgreSQL database; safe to share between threads, processes and machines.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/database``; libpq's settings may follow behind a question mark, e.g.
        ``?sslmode=verify-full``. Tables are made and upgraded when the store is opened.
    connect_timeout_s : float
        How long to wait for a connection [s], 2 or more.
    answer_timeout_s : float
        How long to wait for the answer to a statement [s]. A server that is frozen costs no more than this.

    Raises
    ------
    StoreError
        When the database cannot be reached or is newer than this program. Every method raises it while the server is
        away; the next call after it came back goes on.
    """

    def __init__(self, url: str, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 30.0) -> None:
        database = PostgresDatabase(url, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s)
        dialect = PostgresDialect()
        database.on_retry = dialect.partitions.forget
        try:
            with database.faults():
                upgrade_engine(database.engine, name=database.name)
        except VppError:
            database.close()
            raise
        event.listen(database.engine, "connect", _make_staging)
        # Connections made for the upgrade have no staging table.
        database.engine.dispose()
        super().__init__(database, dialect)


def _make_staging(driver: BoundedConnection, _record: object) -> None:
    with driver.cursor() as cursor:
        cursor.execute(MAKE_STAGING)
    driver.commit()
