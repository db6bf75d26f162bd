"""The store on one SQLite file: nothing to install, nothing lost by ``kill -9`` or a power cut."""

from __future__ import annotations

from pathlib import Path

from vpp.store.connection import DEFAULT_CHECKPOINT_BYTES, SqliteDatabase
from vpp.store.sql import SqlStore
from vpp.store.sqlite_dialect import SqliteDialect


class SqliteStore(SqlStore):
    """Keeps everything in one SQLite file; safe to share between threads, readable by other processes.

    Parameters
    ----------
    path : Path or str
        The file; made when missing, its folder must exist.
    busy_timeout_s : float
        How long to wait for another process that writes [s].
    checkpoint_bytes : int
        Length of the write-ahead log from which it is folded into the file [bytes].

    Raises
    ------
    StoreError
        When the file cannot be opened, belongs to another program, or is newer than this one. Every method raises it
        when the disk fails; after a failed fsync all writes do, until the file is opened anew.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SqliteStore(Path(folder) / "plant.db")
    ...     print(store.latest("homes"))
    ...     store.close()
    None
    """

    _database: SqliteDatabase

    def __init__(
        self, path: Path | str, *, busy_timeout_s: float = 5.0, checkpoint_bytes: int = DEFAULT_CHECKPOINT_BYTES
    ) -> None:
        database = SqliteDatabase(Path(path), busy_timeout_s=busy_timeout_s, checkpoint_bytes=checkpoint_bytes)
        super().__init__(database, SqliteDialect())

    @property
    def halted(self) -> str | None:
        """Why no write is taken any more; None while all is well."""
        return self._database.halted
