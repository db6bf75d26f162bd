"""TimescaleDB, where it is: the same promises and the same answers, in chunks that can be dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count

import numpy as np
import pytest
from servers.process import MissingServerError
from servers.timescale import GivenTimescale, Timescale, given

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.ports import Store
from vpp.core.time import from_epoch_s
from vpp.runtime import keeping
from vpp.store import timescale
from vpp.store.memory import MemoryStore
from vpp.store.open import open_store
from vpp.store.postgres_connection import PostgresDatabase
from vpp.store.retention import retain
from vpp.store.rollup_tables import DAY_S, HOUR_S
from vpp.store.sql import SqlStore
from vpp.testing.store import check_store

pytestmark = pytest.mark.server

NUMBERS = count()
MIDNIGHT_S = 1_700_006_400
KEYS = (SeriesKey("home01", "power_kw"), SeriesKey("home02", "power_kw"))


def quiet(*_told: object) -> None:
    pass


@pytest.fixture(scope="module")
def server() -> Iterator[Timescale | GivenTimescale]:
    elsewhere = given()
    if elsewhere is not None:
        yield elsewhere
        return
    try:
        running = Timescale()
    except MissingServerError as fault:
        pytest.skip(str(fault))
    with running:
        yield running


@pytest.fixture(scope="module")
def new_url(server: Timescale | GivenTimescale) -> Callable[[], str]:
    """Return a function that makes a store whose readings are a hypertable, and returns its URL."""
    made = keeping.upgrade(server.new_database("vpp_test_first"), with_timescale=True, progress=quiet)
    assert made.timescale.in_use
    return lambda: server.copy_database(f"vpp_test_{next(NUMBERS)}", "vpp_test_first")


def batch(days: int, *, arrived_s: int = 0, seed: int = 0) -> Readings:
    times_s = MIDNIGHT_S + np.arange(0, days * DAY_S, HOUR_S // 2)
    values = np.random.default_rng(seed).normal(size=(times_s.size, len(KEYS)))
    return Readings.from_table("homes", KEYS, times_s, values, arrived_s=times_s + 60 + arrived_s)


def answers(store: Store, bucket_s: int) -> list:
    end = from_epoch_s(MIDNIGHT_S + 10 * DAY_S)
    found = store.aggregates("homes", KEYS, from_epoch_s(MIDNIGHT_S), end, bucket_s=bucket_s)
    return [(a.time_s.tolist(), a.count.tolist(), a.low.tolist(), np.round(a.total, 9).tolist()) for a in found]


def test_a_hypertable_keeps_the_promises_of_the_port(new_url: Callable[[], str]) -> None:
    check_store(lambda: open_store(new_url()))


def test_what_the_build_allows_is_tried_and_leaves_nothing(
    new_url: Callable[[], str], server: Timescale | GivenTimescale
) -> None:
    url = new_url()
    with closing(PostgresDatabase(url)) as database:
        found = database.run(timescale.capabilities)
        assert found == database.run(timescale.capabilities)
        assert found.version == found.available
        assert found.in_use
        assert found.hypertables
        with database.read() as connection:
            licensed = connection.exec_driver_sql("SHOW timescaledb.license").scalar_one()
            left = "SELECT count(*) FROM pg_class WHERE starts_with(relname, 'vpp_try')"
            assert connection.exec_driver_sql(left).scalar_one() == 0
    # The Apache build refuses these three, the full one has them.
    full = licensed != "apache"
    assert (found.compression, found.retention_policies, found.continuous_aggregates) == (full, full, full)
    again = keeping.upgrade(url, with_timescale=True, progress=quiet)
    assert again.before == again.version
    assert again.compression == full


def test_answers_are_those_of_any_other_store(new_url: Callable[[], str]) -> None:
    memory = MemoryStore()
    with closing(open_store(new_url())) as store:
        assert isinstance(store, SqlStore)
        for part in (batch(10), batch(3, arrived_s=5, seed=1), batch(1, arrived_s=5, seed=2), batch(1)):
            assert store.write_readings(part) == memory.write_readings(part)
            assert answers(store, HOUR_S) == answers(memory, HOUR_S)
            while store.refresh_rollups():
                pass
            for bucket_s in (60, 900, HOUR_S, DAY_S):
                assert answers(store, bucket_s) == answers(memory, bucket_s)


def test_old_chunks_are_dropped_whole(new_url: Callable[[], str]) -> None:
    url = new_url()
    with closing(open_store(url)) as store, closing(PostgresDatabase(url)) as database:
        store.write_readings(batch(10))
        before = answers(store, DAY_S)
        done = retain(database, MIDNIGHT_S + 7 * DAY_S, progress=quiet)
        assert (done.parts, done.rows) == (7, 0)
        assert store.span("homes") == (
            from_epoch_s(MIDNIGHT_S + 7 * DAY_S),
            from_epoch_s(MIDNIGHT_S + 10 * DAY_S - HOUR_S // 2),
        )
        assert answers(store, DAY_S) == before
        # What comes late for a dropped chunk finds one made anew.
        assert store.write_readings(batch(1, arrived_s=9)) == 96


def test_a_store_in_partitions_stays_one(server: Timescale | GivenTimescale) -> None:
    url = server.new_database(f"vpp_test_{next(NUMBERS)}")
    keeping.upgrade(url, with_timescale=False, progress=quiet)
    with pytest.raises(InvalidInputError, match="a new database: here the readings stand in partitions already"):
        keeping.upgrade(url, with_timescale=True, progress=quiet)
    with pytest.raises(InvalidInputError, match="a PostgreSQL database, to have TimescaleDB in it"):
        keeping.upgrade("sqlite:///plant.db", with_timescale=True, progress=quiet)
