"""The numbers of series: found, given out within a transaction, remembered once it was committed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.store.dialect import SqlDialect
from vpp.store.marks import mark
from vpp.store.statements import KEYS_OF_PLANT, LAST_S, SERIES_ID
from vpp.store.tables import SERIES

Known = dict[tuple[str, SeriesKey], int]


def find_series(connection: Connection, dialect: SqlDialect, known: Known, plant: str, key: SeriesKey) -> int | None:
    """Return the number of a series; None when nothing of it was ever kept."""
    number = known.get((plant, key))
    if number is None:
        asked = {"plant": plant, "source": key.source, "metric": key.metric}
        for row in dialect.fetch(connection, SERIES_ID, asked):
            number = int(row[0])
    return number


class WritingSeries:
    """Gives out numbers of series in an open transaction, and writes their readings.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    dialect : SqlDialect
        Of the connection's database.
    known : dict
        Numbers that were committed; not changed here.

    Attributes
    ----------
    new : dict
        Numbers found or given out here, to be remembered when the transaction was committed.
    """

    def __init__(self, connection: Connection, dialect: SqlDialect, known: Known) -> None:
        self.connection = connection
        self.dialect = dialect
        self.new: Known = {}
        self._known = known

    def numbers(self, plant: str, keys: Sequence[SeriesKey]) -> NDArray[np.int64]:
        """Return the numbers of series, shape (len(keys),), giving one to each that has none."""
        missing = self._missing(plant, keys)
        if missing:
            self._load(plant)
            missing = self._missing(plant, missing)
        if missing:
            rows = [{"plant": plant, "source": key.source, "metric": key.metric} for key in missing]
            self.connection.execute(self.dialect.adding(SERIES), rows)
            self._load(plant)
        return np.array([self._number(plant, key) for key in keys], dtype=np.int64)

    def keep(self, readings: Readings) -> int:
        """Keep readings, mark what roll-ups they put out of date, and return how many rows were new.

        Raises
        ------
        InvalidInputError
            When a time lies beyond what every database holds.
        """
        if not len(readings):
            return 0
        for name in ("time_s", "issued_s", "arrived_s"):
            column = getattr(readings, name)
            if not -LAST_S <= int(column.min()) <= int(column.max()) <= LAST_S:
                worst = int(column[np.argmax(np.abs(column))])
                raise InvalidInputError(name, worst, f"a time between {-LAST_S} and {LAST_S} [epoch s]")
        series_id = self.numbers(readings.plant, readings.keys)[readings.series]
        new = self.dialect.write_readings(self.connection, series_id, readings)
        if new:
            mark(self.connection, series_id, readings.time_s)
        return new

    def _number(self, plant: str, key: SeriesKey) -> int | None:
        return self._known.get((plant, key)) or self.new.get((plant, key))

    def _missing(self, plant: str, keys: Sequence[SeriesKey]) -> list[SeriesKey]:
        return [key for key in keys if self._number(plant, key) is None]

    def _load(self, plant: str) -> None:
        """Look up all series of a plant at once: those that are missing are seldom one."""
        for number, source, metric in self.dialect.fetch(self.connection, KEYS_OF_PLANT, {"plant": plant}):
            self.new[plant, SeriesKey(source, metric)] = int(number)
