"""Roll-ups against a plain recomputation from the winning readings, whatever was written, in whatever order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.postgres import Postgres
from sqlalchemy import Connection, Engine, StaticPool, create_engine, func, insert, select, text
from sqlalchemy.engine import make_url

from vpp.core.errors import InvalidInputError, StoreError
from vpp.store.marks import codes_of, mark, mark_row, pack, series_and_start, unpack
from vpp.store.rollup_refresh import MARKS_LEFT_ALONE, Refreshed, mark_everything, refresh
from vpp.store.rollup_tables import DAY_S, HOUR_S, LEVELS, MARKS, METADATA, RETENTION, WORK
from vpp.store.rollups import Buckets, aggregates, of_points
from vpp.store.tables import METADATA as TABLES
from vpp.store.tables import READINGS, SERIES

MIDNIGHT_S = 1_700_006_400
BUCKETS_S = (15, 60, 300, 900, 2400, 3600, 7200, 43_200, DAY_S, 2 * DAY_S)
NUMBERS = [1, 2, 5]

# Seconds around a midnight, few enough that times repeat; arrivals so few that they repeat too.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(NUMBERS),
        st.integers(-30, 90).map(lambda step: MIDNIGHT_S + 1_117 * step),
        st.integers(0, 3),
        st.floats(-1e3, 1e3).map(lambda value: value + 0.0),
    ),
    max_size=25,
)
STEPS = st.lists(
    st.one_of(
        ROWS,
        st.tuples(st.integers(1, 40), st.sampled_from([None, MIDNIGHT_S, MIDNIGHT_S + 5 * HOUR_S + 7])),
    ),
    min_size=1,
    max_size=6,
)


class Kept:
    """Readings written as a store writes them, and the plain answer about them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.rows: dict[tuple[int, int, int], list[float]] = {}

    def write(self, rows: list[tuple[int, int, int, float]]) -> None:
        new = []
        for number, time_s, arrived_s, value in rows:
            revisions = self.rows.setdefault((number, time_s, arrived_s), [])
            if value not in revisions:
                revisions.append(value)
                row = (number, time_s, arrived_s, len(revisions) - 1, arrived_s, value, 0)
                new.append(dict(zip([column.name for column in READINGS.c], row, strict=True)))
        if new:
            self.connection.execute(insert(READINGS), new)
        mark(
            self.connection,
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
        )

    def points(self, number: int, start_s: int, end_s: int) -> tuple[np.ndarray, np.ndarray]:
        won: dict[int, tuple[int, float]] = {}
        for (one, time_s, arrived_s), revisions in self.rows.items():
            if one == number and start_s <= time_s < end_s and arrived_s >= won.get(time_s, (-1, 0.0))[0]:
                won[time_s] = (arrived_s, revisions[-1])
        times = sorted(won)
        return np.array(times, dtype=np.int64), np.array([won[time_s][1] for time_s in times], dtype=float)

    def check(self, start_s: int, end_s: int, bucket_s: int) -> None:
        first_s, last_s = start_s // bucket_s * bucket_s, -(-end_s // bucket_s) * bucket_s
        found = aggregates(self.connection, NUMBERS, first_s, last_s, bucket_s=bucket_s, points=self.points)
        for number, buckets in zip(NUMBERS, found, strict=True):
            times, values = self.points(number, first_s, last_s)
            assert_alike(buckets, of_points(times, values, bucket_s), of_points(times, np.abs(values), bucket_s))


def assert_alike(found: Buckets, wanted: Buckets, magnitude: Buckets) -> None:
    assert found.time_s.tolist() == wanted.time_s.tolist()
    assert found.readings.tolist() == wanted.readings.tolist()
    assert found.low.tolist() == wanted.low.tolist()
    assert found.high.tolist() == wanted.high.tolist()
    assert (np.abs(found.total - wanted.total) <= 1e-9 * magnitude.total).all()


def make_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        TABLES.create_all(connection)
        METADATA.create_all(connection)
        if engine.dialect.name == "postgresql":
            connection.execute(text("CREATE TABLE readings_all PARTITION OF readings DEFAULT"))
        rows = [{"id": number, "plant": "p", "source": f"s{number}", "metric": "m"} for number in NUMBERS]
        connection.execute(insert(SERIES), rows)


@pytest.fixture(scope="module")
def sqlite_engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    make_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def postgres_engine(postgres: Postgres) -> Iterator[Engine]:
    url = make_url(postgres.new_database("rollups")).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    make_tables(engine)
    yield engine
    engine.dispose()


def run(engine: Engine, steps: list) -> None:
    """Take the steps in one transaction that is undone, and check the answers after each."""
    with engine.connect() as connection:
        kept = Kept(connection)
        for place, step in enumerate(steps):
            if isinstance(step, tuple):
                most, before_s = step
                refresh(connection, most=most, before_s=before_s)
            else:
                kept.write(step)
            # Every length has its turn, but not after every step.
            for bucket_s in BUCKETS_S[place % 3 :: 3]:
                kept.check(MIDNIGHT_S - 40_000, MIDNIGHT_S + 110_000, bucket_s)
            assert connection.execute(select(func.count()).select_from(WORK)).scalar_one() == 0
        while refresh(connection, most=7).more:
            pass
        assert connection.execute(select(func.count()).select_from(MARKS)).scalar_one() == 0
        kept.check(MIDNIGHT_S - DAY_S, MIDNIGHT_S + 2 * DAY_S, DAY_S)
        kept.check(MIDNIGHT_S - DAY_S, MIDNIGHT_S + 2 * DAY_S, 60)
        connection.rollback()


@settings(max_examples=25)
@given(steps=STEPS)
def test_every_answer_is_that_of_the_winning_readings(sqlite_engine: Engine, steps: list) -> None:
    run(sqlite_engine, steps)


@pytest.mark.server
@settings(max_examples=8)
@given(steps=STEPS)
def test_every_answer_is_that_of_the_winning_readings_on_postgres(postgres_engine: Engine, steps: list) -> None:
    run(postgres_engine, steps)


def day_of(number: int, *, every_s: int = 900, arrived_s: int = 1, value: float = 1.0) -> list:
    return [(number, MIDNIGHT_S + second, arrived_s, value) for second in range(0, DAY_S, every_s)]


@pytest.fixture
def kept(sqlite_engine: Engine) -> Iterator[Kept]:
    with sqlite_engine.connect() as connection:
        yield Kept(connection)
        connection.rollback()


def test_levels_hold_what_a_day_should_have(kept: Kept) -> None:
    kept.write(day_of(1))
    assert refresh(kept.connection) == Refreshed(24, False)
    counts = [
        kept.connection.execute(select(func.count()).select_from(level)).scalar_one() for level in LEVELS.values()
    ]
    assert counts == [96, 96, 24, 1]
    # A revision and a late row of one hour: only that hour is computed again.
    kept.write([(1, MIDNIGHT_S + HOUR_S, 2, 5.0), (1, MIDNIGHT_S + HOUR_S + 60, 2, 9.0)])
    assert refresh(kept.connection) == Refreshed(1, False)
    (day,) = kept.connection.execute(select(LEVELS[DAY_S])).all()
    assert (day.count, day.total, day.low, day.high) == (97, 95.0 + 5.0 + 9.0, 1.0, 9.0)


def test_a_long_way_is_gone_in_steps(kept: Kept) -> None:
    kept.write(day_of(1) + day_of(2))
    assert refresh(kept.connection, most=30) == Refreshed(30, True)
    assert refresh(kept.connection, most=30) == Refreshed(18, False)
    assert refresh(kept.connection) == Refreshed(0, False)


def test_hours_that_still_fill_are_left_and_their_marks_put_together(kept: Kept) -> None:
    now_s = MIDNIGHT_S + HOUR_S // 2
    for second in range(MARKS_LEFT_ALONE + 1):
        kept.write([(1, now_s + second, 1, 1.0)])
    kept.write([(1, MIDNIGHT_S - 10, 1, 1.0)])
    assert refresh(kept.connection, before_s=now_s) == Refreshed(1, False)
    left = kept.connection.execute(select(MARKS.c.hours)).scalars().all()
    assert len(left) == 1
    assert unpack(left[0]).tolist() == codes_of(np.array([1]), np.array([now_s])).tolist()
    kept.check(MIDNIGHT_S - HOUR_S, MIDNIGHT_S + HOUR_S, HOUR_S)


def test_what_was_declared_final_is_not_counted_again(kept: Kept) -> None:
    kept.write(day_of(1))
    refresh(kept.connection)
    kept.connection.execute(insert(RETENTION), {"id": 1, "dropped_before_s": MIDNIGHT_S + DAY_S})
    kept.connection.execute(READINGS.delete())
    kept.write([(1, MIDNIGHT_S + 5, 7, 100.0)])
    asked = {"bucket_s": DAY_S, "points": kept.points}
    for _ in range(2):
        (day,) = aggregates(kept.connection, [1], MIDNIGHT_S, MIDNIGHT_S + DAY_S, **asked)
        assert (day.readings.tolist(), day.total.tolist()) == ([96], [96.0])
        refresh(kept.connection)
    assert kept.connection.execute(select(func.count()).select_from(MARKS)).scalar_one() == 0


def test_all_can_be_made_anew(kept: Kept) -> None:
    kept.write(day_of(1) + day_of(5))
    kept.connection.execute(MARKS.delete())
    assert mark_everything(kept.connection) == 48
    assert refresh(kept.connection).hours == 48
    kept.check(MIDNIGHT_S, MIDNIGHT_S + DAY_S, 900)


def test_series_of_which_nothing_is_kept_are_empty(kept: Kept) -> None:
    for bucket_s in (15, 60, DAY_S):
        found = aggregates(kept.connection, NUMBERS, 0, DAY_S, bucket_s=bucket_s, points=kept.points)
        assert [buckets.time_s.size for buckets in found] == [0, 0, 0]


@given(
    st.lists(
        st.tuples(st.integers(0, 2**34 - 1), st.integers(-62_135_596_800, 253_402_300_799)), min_size=1, max_size=50
    )
)
def test_marks_come_back(rows: list[tuple[int, int]]) -> None:
    series, time_s = np.array(rows, dtype=np.int64).T
    found = unpack(pack(codes_of(series, time_s)))
    number, start_s = series_and_start(found)
    wanted = sorted({(one, second // HOUR_S * HOUR_S) for one, second in rows})
    assert list(zip(number.tolist(), start_s.tolist(), strict=True)) == wanted


def test_a_mark_says_which_hours_it_spans() -> None:
    row = mark_row(codes_of(np.array([3, 3]), np.array([-1, 7200])))
    assert row is not None
    assert (row["first_hour"], row["last_hour"]) == (-1, 2)
    assert mark_row(np.empty(0, dtype=np.int64)) is None


def test_what_marks_refuse() -> None:
    with pytest.raises(InvalidInputError, match="time_s: got 1000000000000000"):
        codes_of(np.array([1]), np.array([10**15]))
    with pytest.raises(InvalidInputError, match="series_ids"):
        codes_of(np.array([-1]), np.array([0]))
    with pytest.raises(StoreError, match="vpp db refresh --all"):
        unpack(b"damaged")
