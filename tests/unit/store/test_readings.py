"""Readings in any order, with any revisions: both stores answer as a slow and obvious reference does."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.postgres import Postgres
from sqlalchemy import delete

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.memory import MemoryStore
from vpp.store.placing import covering, place
from vpp.store.postgres import PostgresStore
from vpp.store.sqlite import SqliteStore
from vpp.store.tables import READINGS

KEYS = (SeriesKey("a", "power_kw"), SeriesKey("b", "power_kw"))
Row = tuple[int, int, int, int, float, int]

row = st.tuples(
    st.integers(0, 1),  # series
    st.integers(0, 12).map(lambda step: step * 300),  # time [s]
    st.integers(0, 2),  # issued [s]
    st.integers(0, 3),  # arrived [s]
    st.sampled_from([0.0, -0.0, 1.5, -2.25, 1e308, 5e-324]),  # value
    st.integers(0, 1),  # quality
)
batches = st.lists(st.lists(row, min_size=1, max_size=12), max_size=5)


def readings_of(rows: list[Row]) -> Readings:
    series, time_s, issued_s, arrived_s, value, quality = (np.array(column) for column in zip(*rows, strict=True))
    return Readings("p", KEYS, series, time_s, issued_s, arrived_s, value.astype(np.float64), quality)


class Reference:
    """A set of rows in the order they were first written."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def write(self, rows: list[Row]) -> int:
        before = len(self.rows)
        for one in rows:
            if one not in self.rows:
                self.rows.append(one)
        return len(self.rows) - before

    def winners(self, series: int, known_s: int) -> dict[int, Row]:
        won: dict[int, Row] = {}
        for one in self.rows:
            if one[0] == series and one[3] <= known_s and (one[1] not in won or won[one[1]][3] <= one[3]):
                won[one[1]] = one
        return dict(sorted(won.items()))


def check(store: Store, written: list[list[Row]]) -> None:
    reference = Reference()
    for rows in written:
        assert store.write_readings(readings_of(rows)) == reference.write(rows)
    grid = TimeGrid(from_epoch_s(0), 300, 13)
    for known_s in (-1, 0, 2, 9):
        known_at = from_epoch_s(known_s)
        table = store.series("p", KEYS, grid, known_at=known_at)
        raw = store.readings("p", KEYS, grid.start, grid.end, known_at=known_at)
        want = sorted(
            (one for i in range(2) for one in reference.winners(i, known_s).values()), key=lambda one: (one[1], one[0])
        )
        columns = (raw.series, raw.time_s, raw.issued_s, raw.arrived_s, raw.value, raw.quality)
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == want
        for i in range(2):
            expected = np.full(13, np.nan)
            for time_s, one in reference.winners(i, known_s).items():
                expected[time_s // 300] = one[4]
            np.testing.assert_array_equal(table.value[:, i], expected)
        newest = {i: list(won.values())[-1] for i in range(2) if (won := reference.winners(i, known_s))}
        latest = store.latest("p", known_at=known_at)
        got = {} if latest is None else {r.key: r.value for r in latest.rows()}
        assert got == {KEYS[i]: one[4] for i, one in newest.items()}


@given(batches)
def test_memory_store_answers_as_the_reference(written: list[list[Row]]) -> None:
    with closing(MemoryStore()) as store:
        check(store, written)


@settings(max_examples=25)
@given(batches)
def test_sqlite_store_answers_as_the_reference(written: list[list[Row]]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "plant.db")) as store:
        check(store, written)


@pytest.mark.server
def test_postgres_store_answers_as_the_reference(postgres: Postgres) -> None:
    with closing(PostgresStore(postgres.new_database("reference"))) as store:

        @settings(max_examples=40)
        @given(batches)
        def answers_as_the_reference(written: list[list[Row]]) -> None:
            store._database.run(lambda connection: connection.execute(delete(READINGS)))
            check(store, written)

        answers_as_the_reference()


def test_memory_store_grows_in_bulk_and_row_by_row() -> None:
    store = MemoryStore()
    bulk = [(i % 2, 300 * (i // 2), 0, 0, float(i), 0) for i in range(1000)]
    assert store.write_readings(readings_of(bulk)) == 1000
    for i in range(1000, 1300):
        assert store.write_readings(readings_of([(i % 2, 300 * (i // 2), 0, 0, float(i), 0)])) == 1
    grid = TimeGrid(from_epoch_s(0), 300, 650)
    np.testing.assert_array_equal(store.series("p", KEYS, grid).value.ravel(), np.arange(1300.0))
    window = TimeGrid(from_epoch_s(-600), 300, 5)
    np.testing.assert_array_equal(store.series("p", KEYS, window).value[:, 0], [np.nan, np.nan, 0.0, 2.0, 4.0])
    shifted = TimeGrid(from_epoch_s(60), 300, 2)
    np.testing.assert_array_equal(store.series("p", KEYS, shifted).value[:, 0], [2.0, 4.0])


@pytest.mark.parametrize("keep", [0, -1])
def test_memory_store_keeps_at_least_one(keep: int) -> None:
    with pytest.raises(InvalidInputError, match="keep"):
        MemoryStore(keep=keep)


@pytest.mark.parametrize(
    ("start_s", "resolution_s", "reading_s", "span"),
    [(0, 900, None, (0, 1800)), (300, 300, 900, (0, 900)), (0, 3600, 900, (0, 7200)), (900, 300, 900, (900, 1800))],
)
def test_span_whose_readings_bear_on_a_grid(
    start_s: int, resolution_s: int, reading_s: int | None, span: tuple[int, int]
) -> None:
    assert covering(TimeGrid(from_epoch_s(start_s), resolution_s, 2), reading_s) == span


def test_reading_length_must_fit_the_grid() -> None:
    nothing = np.empty(0, dtype=np.int64), np.empty(0)
    with pytest.raises(InvalidInputError, match="reading_s"):
        covering(TimeGrid(from_epoch_s(0), 3600, 1), 2400)
    with pytest.raises(InvalidInputError, match=r"grid\.start"):
        place(*nothing, TimeGrid(from_epoch_s(60), 3600, 1), reading_s=900)
    with pytest.raises(InvalidInputError, match=r"grid\.start"):
        place(*nothing, TimeGrid(from_epoch_s(60), 300, 1), reading_s=900)
