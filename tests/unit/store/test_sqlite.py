"""The SQLite store: opening, versions, threads, and what is not a store."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from vpp.core.errors import ClosedError, InvalidInputError, StoreError, UnknownNameError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.time import TimeGrid, from_epoch_s
from vpp.store.memory import MemoryStore
from vpp.store.open import open_store
from vpp.store.schema import migrations, schema_version, statements, upgrade
from vpp.store.sqlite import SqliteStore
from vpp.testing import samples

KEY = SeriesKey("home01", "power_kw")


def hours(first: int, count: int) -> Readings:
    times_s = 3600 * np.arange(first, first + count, dtype=np.int64)
    return Readings.from_table("homes", (KEY,), times_s, times_s.reshape(-1, 1) / 7.0, arrived_s=times_s + 3600)


def test_url_chooses_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_store("memory://"), MemoryStore)
    for url in ("sqlite:///plant.db", f"sqlite:///{tmp_path}/absolute.db"):
        store = open_store(url)
        assert isinstance(store, SqliteStore)
        store.close()
    assert {path.name for path in tmp_path.iterdir()} == {"plant.db", "absolute.db"}


@pytest.mark.parametrize("url", ["sqlit:///a.db", "plant.db", "", "postgres://host/db"])
def test_unknown_scheme_names_the_valid_ones(url: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        open_store(url)
    assert caught.value.known == ("memory://", "postgresql://", "sqlite://")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://plant.db", "memory://x"])
def test_url_that_does_not_fit_its_scheme_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="store"):
        open_store(url)


def test_what_was_kept_is_there_when_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(SqliteStore(path)) as store:
        store.write_readings(hours(0, 5))
    assert not path.with_name("plant.db-wal").exists()
    with closing(SqliteStore(path)) as store:
        assert store.write_readings(hours(0, 6)) == 1
        assert store.series("homes", (KEY,), TimeGrid(from_epoch_s(0), 3600, 6)).value[5, 0] == 5 * 3600 / 7.0


def test_settings_that_durability_rests_on(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "plant.db")) as store, store._database.write() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
        assert [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names] == ["wal", 2, 1, 0]


def test_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema version 99 is newer than this program knows"):
        SqliteStore(path)


def test_older_database_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert upgrade(connection, steps=migrations()[:1]) == 1
        connection.execute("INSERT INTO series VALUES (1, 'homes', 'home01', 'power_kw')")
        connection.execute("INSERT INTO readings VALUES (1, 0, 3600, 0, 3600, 1.5, 0)")
    with closing(SqliteStore(path)) as store:
        store.write_schedule(samples.schedule())
        latest = store.latest("homes")
        assert latest is not None
        assert latest.value.tolist() == [1.5]


def test_failed_step_leaves_the_step_before(tmp_path: Path) -> None:
    steps = (*migrations(), "CREATE TABLE half (id INTEGER);\nCREATE TABLE series (id INTEGER);")
    with closing(sqlite3.connect(tmp_path / "plant.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            upgrade(connection, steps=steps)
        assert schema_version(connection) == len(migrations())
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "half" not in tables


def test_every_step_sets_its_version() -> None:
    for number, script in enumerate(migrations(), start=1):
        assert list(statements(script))[-1].strip() == f"PRAGMA user_version = {number};"
    assert list(statements("SELECT 1;\nSELECT ';' -- no end")) == ["SELECT 1;\n", "SELECT ';' -- no end"]


def test_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    with pytest.raises(StoreError, match="another program"):
        SqliteStore(path)
    text = tmp_path / "notes.txt"
    text.write_text("no database at all" * 100)
    with pytest.raises(StoreError, match="not a database"):
        SqliteStore(text)
    assert text.read_text().startswith("no database")


def test_missing_folder_and_folder_as_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        SqliteStore(tmp_path / "missing" / "plant.db")
    with pytest.raises(StoreError, match="unable to open"):
        SqliteStore(tmp_path)


def test_failed_write_leaves_nothing_and_the_store_open(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(SqliteStore(path, busy_timeout_s=0.05)) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process"):
                store.write_readings(hours(0, 2))
            other.execute("ROLLBACK")
        assert store.halted is None
        assert store.latest("homes") is None
        assert store.write_readings(hours(0, 2)) == 2


def test_refused_command_takes_its_batch_with_it(tmp_path: Path) -> None:
    first, second, _ = samples.commands()
    for store in (MemoryStore(), SqliteStore(tmp_path / "plant.db")):
        store.write_commands([first])
        fields = {**samples.as_fields(first), "power_kw": 99.0}
        with pytest.raises(InvalidInputError, match=r"command\.id"):
            store.write_commands([second, type(first)(**fields)])
        assert store.commands("homes", first.start, second.end) == [first]
        store.close()


def test_keep_bounds_schedules_and_forecasts() -> None:
    store = MemoryStore(keep=1)
    first, second = samples.schedule(), samples.infeasible_schedule()
    store.write_schedule(first)
    store.write_schedule(second)
    assert store.schedule("homes", issued_by=first.issued_at) is None
    assert store.schedule("homes") is second
    store.write_forecasts(samples.forecasts())
    assert len(store.forecasts("homes")) == 2


def test_long_log_is_folded(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(SqliteStore(path, checkpoint_bytes=100_000)) as store:
        longest = 0
        for first in range(0, 400, 4):
            store.write_readings(hours(first, 4))
            longest = max(longest, path.with_name("plant.db-wal").stat().st_size)
        assert longest < 200_000


def test_threads_read_whole_batches_while_one_writes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "plant.db", checkpoint_bytes=50_000)
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            value = store.series("homes", (KEY,), TimeGrid(from_epoch_s(0), 3600, 500)).value
            seen.append(int(np.isfinite(value).sum()))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for first in range(0, 500, 5):
        store.write_readings(hours(first, 5))
    done.set()
    for thread in threads:
        thread.join()
    store.close()
    assert seen
    assert {count % 5 for count in seen} == {0}, "half a batch was seen"
    with pytest.raises(ClosedError):
        store.latest("homes")


def test_words_are_values_and_never_statements(tmp_path: Path) -> None:
    odd = SeriesKey(samples.ODD_WORDS, "x'); DROP TABLE readings; --")
    times_s = np.array([0])
    with closing(SqliteStore(tmp_path / "plant.db")) as store:
        store.write_readings(Readings.from_table(samples.ODD_WORDS, (odd,), times_s, np.ones((1, 1)), arrived_s=0))
        latest = store.latest(samples.ODD_WORDS)
        assert latest is not None
        assert latest.keys == (odd,)
