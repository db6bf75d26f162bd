"""The care of SQL stores: refresh beside writers, retention, integrity, copies, readings out and in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from servers.postgres import Postgres
from sqlalchemy import delete, insert, update

from vpp.core.errors import InvalidInputError, StoreError, UnreadableFileError, VppError
from vpp.core.messages import Reading, Readings, SeriesKey
from vpp.core.time import from_epoch_s
from vpp.store.backup import back_up_sqlite, note_path, read_note, restore_sqlite
from vpp.store.backup_postgres import back_up_postgres, restore_postgres
from vpp.store.connection import SqliteDatabase
from vpp.store.dialect import Database
from vpp.store.integrity import check_store
from vpp.store.memory import MemoryStore
from vpp.store.open import open_store
from vpp.store.postgres_connection import PostgresDatabase
from vpp.store.retention import cut_s, retain
from vpp.store.rollup_refresh import refresh
from vpp.store.rollup_tables import DAY_S, HOUR_S, LEVELS, WORK
from vpp.store.rollups import dropped_before_s
from vpp.store.row_blocks import Defaults
from vpp.store.row_files import write_rows
from vpp.store.sql import SqlStore
from vpp.store.tables import SEQUENCES
from vpp.store.transfer import Choice, check_rows, count_rows, keep_rows, stored_rows

MIDNIGHT_S = 1_700_006_400
MIDNIGHT = from_epoch_s(MIDNIGHT_S)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEYS = (SeriesKey("home01", "power_kw"), SeriesKey("home02", "power_kw"))


def quiet(*_told: object) -> None:
    pass


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SqlStore, Database, str]]:
    """Return a new store, its database opened a second time as ``vpp db`` does, and its URL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'plant.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database(f"care_{abs(hash(request.node.name)) % 10**9}")
    store = open_store(url)
    database: Database = SqliteDatabase(tmp_path / "plant.db") if request.param == "sqlite" else PostgresDatabase(url)
    assert isinstance(store, SqlStore)
    yield store, database, url
    database.close()
    store.close()


def steps(days: int, *, every_s: int = HOUR_S, first_day: int = 0, arrived_s: int = 0, seed: int = 0) -> Readings:
    times_s = MIDNIGHT_S + first_day * DAY_S + np.arange(0, days * DAY_S, every_s)
    values = np.random.default_rng(seed).normal(size=(times_s.size, len(KEYS)))
    return Readings.from_table("homes", KEYS, times_s, values, arrived_s=times_s + 60 + arrived_s)


def answers(store, *, bucket_s: int = DAY_S, days: int = 10) -> list:
    end = from_epoch_s(MIDNIGHT_S + days * DAY_S)
    return [
        (found.key, found.time_s.tolist(), found.count.tolist(), found.low.tolist(), found.high.tolist(),
         np.round(found.total, 9).tolist())
        for found in store.aggregates("homes", KEYS, MIDNIGHT, end, bucket_s=bucket_s)
    ]  # fmt: skip


def all_rows(database: Database) -> list[Reading]:
    with database.read() as connection:
        return [row for block in stored_rows(connection, Choice()) for row in block.rows()]


def test_refreshing_beside_writers_leaves_nothing_stale(opened: tuple[SqlStore, Database, str]) -> None:
    store, database, _ = opened
    memory = MemoryStore()
    batches = [steps(3, arrived_s=late, seed=late) for late in range(8)]
    for batch in batches:
        memory.write_readings(batch)
    done = threading.Event()
    faults: list[VppError] = []

    def write(mine: list[Readings]) -> None:
        try:
            for batch in mine:
                store.write_readings(batch)
        except VppError as fault:
            faults.append(fault)

    def roll_up() -> None:
        try:
            while not done.is_set():
                database.run(refresh)
        except VppError as fault:
            faults.append(fault)

    writers = [threading.Thread(target=write, args=(batches[i::2],)) for i in range(2)]
    refreshers = [threading.Thread(target=roll_up) for _ in range(2)]
    for thread in (*writers, *refreshers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in refreshers:
        thread.join()
    assert faults == []
    while store.refresh_rollups():
        pass
    for bucket_s in (900, HOUR_S, DAY_S):
        assert answers(store, bucket_s=bucket_s) == answers(memory, bucket_s=bucket_s)


def test_retention_keeps_the_roll_ups_and_goes_on_where_it_was(opened: tuple[SqlStore, Database, str]) -> None:
    store, database, _ = opened
    store.write_readings(steps(10))
    before = answers(store)
    first = retain(database, MIDNIGHT_S + 3 * DAY_S, progress=quiet)
    assert first.before_s == MIDNIGHT_S + 3 * DAY_S
    assert store.span("homes") == (from_epoch_s(first.before_s), from_epoch_s(MIDNIGHT_S + 10 * DAY_S - HOUR_S))
    assert answers(store) == before
    # A cut before the last one brings nothing back, and drops what came late for the time before.
    late = steps(1, arrived_s=5, seed=9)
    store.write_readings(late)
    again = retain(database, MIDNIGHT_S + DAY_S, progress=quiet)
    assert again.before_s == first.before_s
    assert answers(store) == before
    last = retain(database, MIDNIGHT_S + 9 * DAY_S, progress=quiet)
    assert len(all_rows(database)) == 2 * 24
    assert answers(store) == before
    with database.read() as connection:
        assert dropped_before_s(connection) == last.before_s
        assert [
            finding.check for finding in check_store(connection, sample=99, seed=0, progress=quiet) if not finding.ok
        ] == []
    # New readings go on as ever, in the days that stay and in those to come.
    store.write_readings(steps(2, first_day=9, arrived_s=5, seed=3))
    while store.refresh_rollups():
        pass
    assert answers(store)[0][1] == before[0][1]
    assert answers(store, days=11)[0][2] == [24] * 11


@pytest.mark.server
def test_whole_partitions_go_at_once(postgres: Postgres) -> None:
    store = open_store(postgres.new_database("care_partitions"))
    with closing(store), closing(PostgresDatabase(postgres.url_of("care_partitions"))) as database:
        store.write_readings(steps(30, every_s=6 * HOUR_S))
        done = retain(database, MIDNIGHT_S + 21 * DAY_S, progress=quiet)
        assert done.parts >= 2
        assert len(all_rows(database)) == 9 * 4 * 2
        # What comes late for a partition that is gone finds one made anew.
        assert store.write_readings(steps(1, arrived_s=7)) == 48


def test_days_are_counted_back_from_midnight() -> None:
    assert cut_s(MIDNIGHT_S + 5, 1) == MIDNIGHT_S - DAY_S
    assert cut_s(MIDNIGHT_S, 30) == MIDNIGHT_S - 30 * DAY_S


def broken(database: Database) -> dict[str, str]:
    with database.read() as connection:
        findings = check_store(connection, sample=1000, seed=0, progress=quiet)
    return {finding.check: finding.detail for finding in findings if not finding.ok}


def test_what_a_check_sees(opened: tuple[SqlStore, Database, str]) -> None:
    store, database, _ = opened
    store.write_readings(steps(5))
    while store.refresh_rollups():
        pass
    assert broken(database) == {}
    minutes, days = LEVELS[60], LEVELS[DAY_S]
    faults = {
        "roll-ups": [
            update(days).where(days.c.start_s == MIDNIGHT_S).values(total=days.c.total + 1e-3),
            delete(minutes).where(minutes.c.start_s == MIDNIGHT_S + DAY_S),
            update(LEVELS[HOUR_S]).where(LEVELS[HOUR_S].c.start_s == MIDNIGHT_S).values(high=99.0),
        ],
        "roll-up series": [insert(minutes).values(series_id=99, start_s=0, count=1, total=0.0, low=0.0, high=0.0)],
        "marks": [insert(WORK).values(series_id=1, start_s=0)],
        "sequences": [
            insert(SEQUENCES).values(plant="homes", source="s", boot="b", runs=np.array([5, 3], dtype="<i8").tobytes())
        ],
    }
    for check, statements in faults.items():
        for statement in statements:
            database.run(lambda connection, statement=statement: connection.execute(statement))
            assert check in broken(database)
        assert ("vpp db refresh --all" in broken(database)[check]) == (check != "sequences")


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'plant.db'}")
    store.write_readings(steps(5, every_s=60))
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            store.write_readings(steps(1, first_day=10 + written))
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    while not written:
        pass
    told: list[tuple] = []
    note = back_up_sqlite(
        tmp_path / "plant.db", tmp_path / "copy.db", made_at=NOW, progress=lambda *progress: told.append(progress)
    )
    stop.set()
    writer.join()
    store.close()
    assert told[-1][1] == told[-1][2]
    restore_sqlite(tmp_path / "copy.db", tmp_path / "again.db", progress=quiet)
    with closing(SqliteDatabase(tmp_path / "again.db")) as database:
        rows = all_rows(database)
        # Batches are whole: one moment, between two of them.
        assert len(rows) == note.rows["readings"]
        assert (len(rows) - 5 * 1440 * 2) % 48 == 0
        assert broken(database) == {}
    assert read_note(tmp_path / "copy.db") == note
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_copies_refuse(tmp_path: Path) -> None:
    plant, copy = tmp_path / "plant.db", tmp_path / "copy.db"
    with pytest.raises(InvalidInputError, match="a SQLite store that is there"):
        back_up_sqlite(plant, copy, made_at=NOW, progress=quiet)
    open_store(f"sqlite:///{plant}").close()
    back_up_sqlite(plant, copy, made_at=NOW, progress=quiet)
    with pytest.raises(InvalidInputError, match="nothing is overwritten"):
        back_up_sqlite(plant, copy, made_at=NOW, progress=quiet)
    with pytest.raises(InvalidInputError, match="nothing is overwritten"):
        restore_sqlite(copy, plant, progress=quiet)
    with pytest.raises(UnreadableFileError, match="No such file"):
        restore_sqlite(tmp_path / "none.db", tmp_path / "again.db", progress=quiet)
    with copy.open("r+b") as file:
        file.seek(5000)
        file.write(b"\x55")
    with pytest.raises(UnreadableFileError, match="it was altered"):
        restore_sqlite(copy, tmp_path / "again.db", progress=quiet)
    note_path(copy).write_text("{}")
    with pytest.raises(UnreadableFileError, match="no note of a backup"):
        restore_sqlite(copy, tmp_path / "again.db", progress=quiet)
    assert not (tmp_path / "again.db").exists()


def test_a_damaged_store_gives_no_copy(tmp_path: Path) -> None:
    plant = tmp_path / "plant.db"
    store = open_store(f"sqlite:///{plant}")
    store.write_readings(steps(5, every_s=60))
    store.close()
    with plant.open("r+b") as file:
        file.seek(plant.stat().st_size // 2)
        file.write(b"\x00" * 4096)
    with pytest.raises(StoreError, match=r"run vpp db check|no copy was made"):
        back_up_sqlite(plant, tmp_path / "copy.db", made_at=NOW, progress=quiet)
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


@pytest.mark.server
def test_a_postgres_copy_makes_the_same_store(postgres: Postgres, tmp_path: Path) -> None:
    store = open_store(postgres.new_database("care_copied"))
    store.write_readings(steps(10))
    before = answers(store)
    note = back_up_postgres(postgres.url_of("care_copied"), tmp_path / "a.dump", made_at=NOW, progress=quiet)
    assert note.rows["readings"] == 480
    with pytest.raises(InvalidInputError, match="a database without tables; this one holds"):
        restore_postgres(tmp_path / "a.dump", postgres.url_of("care_copied"), progress=quiet)
    store.close()
    restore_postgres(tmp_path / "a.dump", postgres.new_database("care_again"), progress=quiet)
    with closing(open_store(postgres.url_of("care_again"))) as again:
        assert answers(again) == before
        assert again.write_readings(steps(10)) == 0
    with pytest.raises(InvalidInputError, match="a copy of a sqlite store; this one is of postgresql"):
        restore_sqlite(tmp_path / "a.dump", tmp_path / "b.db", progress=quiet)


def test_readings_go_out_and_in_with_every_revision(opened: tuple[SqlStore, Database, str], tmp_path: Path) -> None:
    store, database, _ = opened
    store.write_readings(steps(2))
    for value in (5.0, 4.0, 5.0):  # revisions that arrived in one second, the last of which is there already
        store.write_readings(
            Readings.from_table(
                "homes", KEYS[:1], np.array([MIDNIGHT_S]), np.array([[value]]), arrived_s=MIDNIGHT_S + 99
            )
        )
    other = Readings.from_table("other", KEYS[:1], np.array([MIDNIGHT_S]), np.array([[7.0]]), arrived_s=MIDNIGHT_S)
    store.write_readings(other)
    rows = all_rows(database)
    assert len(rows) == 2 * 48 + 2 + 1
    for suffix in (".csv", ".jsonl", ".parquet"):
        path = tmp_path / f"rows{suffix}"
        with database.read() as connection:
            assert write_rows(stored_rows(connection, Choice()), path) == count_rows(connection, Choice()) == len(rows)
        target = tmp_path / f"again{suffix}.db"
        with closing(open_store(f"sqlite:///{target}")) as again:
            assert check_rows(path, Defaults(None, 0), progress=quiet) == len(rows)
            assert keep_rows(again, path, Defaults(None, 0), progress=quiet) == len(rows)
            assert keep_rows(again, path, Defaults(None, 0), progress=quiet) == 0
            assert answers(again) == answers(store)
        with closing(SqliteDatabase(target)) as copied:
            assert all_rows(copied) == rows
    with database.read() as connection:
        choice = Choice("homes", MIDNIGHT_S + DAY_S, MIDNIGHT_S + DAY_S + HOUR_S)
        assert [len(block) for block in stored_rows(connection, choice)] == [1, 1]
        assert count_rows(connection, choice) == 2


def test_a_file_is_checked_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    good = "".join(f"home01,power_kw,2026-11-20T15:{i:02d}:00Z,1.0\n" for i in range(60))
    path.write_text(f"source,metric,time,value\n{good}home01,power_kw,2026-11-20T16:00:00Z,oops\n")
    with pytest.raises(InvalidInputError, match=r"rows.csv line 62, value: got 'oops'"):
        check_rows(path, Defaults("homes", MIDNIGHT_S), progress=quiet)
    path.write_text("source,metric,time,value\n")
    with pytest.raises(InvalidInputError, match="a file with rows"):
        check_rows(path, Defaults("homes", MIDNIGHT_S), progress=quiet)
