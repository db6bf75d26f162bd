"""What the PostgreSQL store acknowledged is there, once, whatever happens to the server, the writer, or both."""

from __future__ import annotations

import random
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from servers.postgres import Postgres
from sqlalchemy import Connection

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import Delivery, Intake, Origin, Readings, SeriesKey
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.open import open_store
from vpp.store.partitions import SPAN_S
from vpp.store.postgres import PostgresStore
from vpp.testing import samples
from vpp.testing.store_intake import refusal

pytestmark = pytest.mark.server

WRITER = Path(__file__).with_name("store_writer.py")
WRITER_NAMES = runpy.run_path(str(WRITER))
PLANT = "homes"
KEYS = tuple(SeriesKey(f"home{i:02d}", "power_kw") for i in range(20))
STEPS = 50
NEVER = from_epoch_s(0), from_epoch_s(10**9)


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Postgres]:
    """Return a server to be killed; the shared one says whether there can be any."""
    assert postgres.port
    with Postgres(tmp_path_factory.mktemp("own_postgres")) as server:
        yield server


@pytest.fixture
def store(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[PostgresStore]:
    with closing(PostgresStore(postgres.new_database(request.node.name[:60]))) as opened:
        yield opened


def delivery(number: int) -> Delivery:
    """Return a delivery whose messages and values follow from its number alone: one message for each key."""
    times_s = 60 * (number * STEPS + np.arange(STEPS, dtype=np.int64))
    values = np.random.default_rng(number).normal(size=(STEPS, len(KEYS)))
    rows = Readings.from_table(PLANT, KEYS, times_s, values, arrived_s=times_s + 60)
    return Delivery(tuple(Origin(PLANT, key.source, "b", number) for key in KEYS), (rows,), (rows.series,))


def check_ledger(store: PostgresStore, numbers: range) -> None:
    """Check that every delivery is there once, each value as it was written."""
    count = store._database.run(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM readings").scalar())
    assert count == len(numbers) * STEPS * len(KEYS), "lost or duplicated rows"
    grid = TimeGrid(from_epoch_s(0), 60, numbers.stop * STEPS)
    table = store.series(PLANT, KEYS, grid).value
    for number in numbers:
        want = np.random.default_rng(number).normal(size=(STEPS, len(KEYS)))
        assert np.array_equal(table[number * STEPS : (number + 1) * STEPS], want), f"delivery {number} was altered"


def test_a_server_killed_under_load_loses_and_doubles_nothing(own_postgres: Postgres) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    store = PostgresStore(own_postgres.url, answer_timeout_s=10.0)
    done = threading.Event()
    acknowledged = 0
    failures = 0

    def write() -> None:
        nonlocal acknowledged, failures
        while not done.is_set():
            try:
                store.take(delivery(acknowledged))
            except StoreError:
                failures += 1
                time.sleep(0.02)
            else:
                acknowledged += 1

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        time.sleep(rng.uniform(0.1, 0.5))
        before = acknowledged
        own_postgres.kill()
        own_postgres.start()
        deadline_s = time.monotonic() + 90.0
        while acknowledged <= before + 1 and writer.is_alive() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert writer.is_alive(), "the writer met something that is no StoreError"
        assert acknowledged > before + 1, f"it did not go on by itself; {failures} attempts failed"
    done.set()
    writer.join()
    assert failures, "no kill was felt"
    with closing(store):
        check_ledger(store, range(acknowledged))


def test_a_writer_killed_at_any_moment_leaves_whole_batches(postgres: Postgres) -> None:
    url = postgres.new_database("killed_writer")
    PostgresStore(url).close()
    rng = random.Random(random.randrange(2**32))
    acked: list[int] = []
    for round_number in range(4):
        command = [sys.executable, str(WRITER), url, str(round_number * 10_000), "100000", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process:
            lines = [process.stdout.readline()]
            time.sleep(rng.uniform(0.0, 0.3))
            process.kill()
            lines += process.stdout.readlines()
        acked += [int(line.split()[1]) for line in lines if line.startswith("ack ") and line.endswith("\n")]
    assert len(acked) > 4
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT extract(epoch FROM time_s)::bigint, value FROM readings").fetchall()
    found: dict[int, list[float]] = {}
    for time_s, value in rows:
        found.setdefault(time_s // WRITER_NAMES["SECONDS_PER_BATCH"], []).append(value)
    assert set(acked) <= set(found)
    for number, values in found.items():
        assert sorted(values) == sorted(WRITER_NAMES["batch"](number).value.tolist()), f"batch {number}"


def test_a_frozen_server_is_given_up_and_taken_up_again(own_postgres: Postgres) -> None:
    with closing(PostgresStore(own_postgres.url, connect_timeout_s=2.0, answer_timeout_s=1.0)) as store:
        store.take(delivery(0))

        def freeze_midway(connection: Connection) -> None:
            own_postgres.pause()
            connection.exec_driver_sql("SELECT 1")

        try:
            begin_s = time.monotonic()
            with pytest.raises(StoreError, match="no answer for 1 s"):
                store._database.run(freeze_midway)
            with pytest.raises(StoreError, match="timeout expired"):
                store.take(delivery(1))
            with pytest.raises(StoreError, match="timeout expired"):
                store.latest(PLANT)
            assert time.monotonic() - begin_s < 15.0
        finally:
            own_postgres.resume()
        deadline_s = time.monotonic() + 20.0
        while True:
            try:
                store.take(delivery(1))
                break
            except StoreError:
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
        check_ledger(store, range(2))


def test_writers_of_the_same_messages_keep_each_once(postgres: Postgres) -> None:
    url = postgres.new_database("zombies")
    deliveries = [delivery(number) for number in range(12)]
    intakes: list[Intake] = []
    faults: list[Exception] = []

    def write(seed: int) -> None:
        with closing(PostgresStore(url)) as store:
            for number in np.random.default_rng(seed).permutation(len(deliveries)):
                try:
                    intakes.append(store.take(deliveries[number]))
                except StoreError as fault:
                    faults.append(fault)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert faults == []
    assert sum(intake.messages for intake in intakes) == 12 * len(KEYS)
    assert sum(intake.duplicates for intake in intakes) == 2 * 12 * len(KEYS)
    assert sum(intake.rows for intake in intakes) == 12 * STEPS * len(KEYS)
    with closing(PostgresStore(url)) as store:
        check_ledger(store, range(12))


def test_copies_with_later_values_are_sorted_out_behind_fresh_rows(store: PostgresStore) -> None:
    rows = delivery(0).readings[0]
    assert store.write_readings(rows) == len(rows)
    later = replace(rows, value=rows.value + 1.0)
    half = Readings.of([*list(rows.rows())[::2], *list(later.rows())[1::2], *list(later.rows())[1::4]])
    assert store.write_readings(half) == len(rows) // 2, "the same rows again, revisions, and revisions twice"
    want = rows.value.copy()
    want[1::2] += 1.0
    kept = store.readings(PLANT, KEYS, *NEVER)
    assert np.array_equal(kept.value, want)


def test_partitions_are_made_as_they_are_needed_and_again_when_dropped(store: PostgresStore) -> None:
    key = KEYS[:1]
    times_s = np.array([-SPAN_S - 1, -1, 0, 40 * SPAN_S], dtype=np.int64)
    rows = Readings.from_table(PLANT, key, times_s, np.arange(4.0).reshape(4, 1), arrived_s=times_s)
    assert store.write_readings(rows) == 4
    assert store.span(PLANT) == (from_epoch_s(-SPAN_S - 1), from_epoch_s(40 * SPAN_S))
    store._database.run(lambda connection: connection.exec_driver_sql("DROP TABLE readings_19691225"))
    assert store.write_readings(rows) == 1
    assert store.readings(PLANT, key, from_epoch_s(-(10**7)), NEVER[1]).time_s.tolist() == times_s.tolist()


@pytest.mark.parametrize("second", [29_000_000_001, -29_000_000_001])
def test_times_that_no_database_holds_are_refused(store: PostgresStore, second: int) -> None:
    rows = Readings.from_table(PLANT, KEYS[:1], np.array([0]), np.ones((1, 1)), arrived_s=second)
    with pytest.raises(InvalidInputError, match=f"issued_s: got {second}"):
        store.write_readings(rows)


def test_words_that_postgres_cannot_hold_are_an_error_but_in_what_is_refused(store: PostgresStore) -> None:
    odd = Readings.from_table(PLANT, (SeriesKey("a\0b", "soc"),), np.array([0]), np.ones((1, 1)), arrived_s=0)
    with pytest.raises(InvalidInputError, match="NUL"):
        store.write_readings(odd)
    with pytest.raises(InvalidInputError, match="surrogates"):
        store.latest("\ud800")
    poison = replace(refusal(1), source="a\0b", message="\ud800")
    assert store.take(Delivery(refusals=(poison, poison))) == Intake(0, 0, 0, 1)
    assert [(one.source, one.message) for one in store.refusals()] == [("a\\x00b", "\\ud800")]


def test_people_ask_by_sql(store: PostgresStore, postgres: Postgres) -> None:
    store.write_readings(samples.readings())
    late = samples.readings()
    store.write_readings(replace(late, arrived_s=late.arrived_s + 1, value=late.value * 2))
    with psycopg.connect(postgres.url_of("test_people_ask_by_sql")) as connection:
        measured = connection.execute(
            "SELECT source, metric, time, value FROM measurements ORDER BY time, source"
        ).fetchall()
        prices = connection.execute("SELECT time, price_per_kwh FROM market_prices ORDER BY time").fetchall()
        states = connection.execute("SELECT battery, time, soc, power_kw FROM battery_states ORDER BY time").fetchall()
    want = [(row.key.source, row.key.metric, row.time, 2 * row.value) for row in late.rows()]
    assert measured == sorted(want, key=lambda row: (row[2], row[0]))
    assert prices == [(time, value) for source, _, time, value in measured if source == "market"]
    assert states == [(source, time, value, None) for source, _, time, value in measured if source.endswith("battery")]


def test_addresses_that_lead_nowhere_are_said_without_their_password(postgres: Postgres) -> None:
    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/plant: .*refused") as caught:
        open_store("postgresql://me:secret@127.0.0.1:1/plant?connect_timeout=2")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="does not exist"):
        open_store(postgres.url_of("nowhere"))
    with pytest.raises(InvalidInputError, match="store"):
        open_store("postgresql://me:secret@127.0.0.1/plant?no_such_setting=1")


def test_a_newer_or_closed_store_is_refused(store: PostgresStore, postgres: Postgres) -> None:
    name = "test_a_newer_or_closed_store_is_refused"
    postgres.sql("UPDATE alembic_version SET version_num = '9999'", database=name)
    with pytest.raises(StoreError, match="schema version 9999 is newer than this program knows"):
        PostgresStore(postgres.url_of(name))
    store.close()
    with pytest.raises(ClosedError):
        store.latest(PLANT)
