"""Stores of every version open and keep everything; an upgrade killed at any moment goes on at the next start."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from servers.postgres import Postgres
from sqlalchemy import Inspector, Table, create_engine, insert, inspect

from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError
from vpp.core.messages import SeriesKey
from vpp.core.time import from_epoch_s
from vpp.store import rollup_tables, tables
from vpp.store.codec import encode_schedule, to_us
from vpp.store.postgres import PostgresStore
from vpp.store.postgres_connection import PostgresDatabase
from vpp.store.rows import ack_row, award_row, champion_row, command_row, event_row, forecast_row, score_row
from vpp.store.schema import HEAD, migrations, schema_version, upgrade
from vpp.store.sqlite import SqliteStore
from vpp.store.versions import current_version
from vpp.store.versions import upgrade as upgrade_url
from vpp.testing import samples
from vpp.testing.promises import expect

NEWEST = f"{HEAD:04d}"
KEY = SeriesKey("home01", "power_kw")
ROWS = [(1, i * 900 - 86_400, i * 900, 0, i, i / 7, 0) for i in range(3000)]
OPENER = "import sys; from vpp.store.sqlite import SqliteStore; SqliteStore(sys.argv[1]).close()"


def file_of_version(path: Path, version: int) -> None:
    """Make a store as the program of an early version made it, with readings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        upgrade(connection, steps=migrations()[:version])
        connection.execute("INSERT INTO series VALUES (1, 'homes', 'home01', 'power_kw')")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute("COMMIT")


def check_kept(path: Path) -> None:
    """Check that a store opens, holds the readings, and that its roll-ups know of them."""
    with closing(SqliteStore(path)) as store:
        kept = store.readings("homes", (KEY,), from_epoch_s(-86_400), from_epoch_s(10**8))
        assert kept.value.tolist() == [row[5] for row in ROWS]
        span = (from_epoch_s(-86_400), from_epoch_s(86_400 * 40))
        while store.refresh_rollups():
            pass
        (hours,) = store.aggregates("homes", (KEY,), *span, bucket_s=3600)
        assert hours.time_s.tolist() == [3600 * i - 86_400 for i in range(750)]
        np.testing.assert_allclose(hours.total, np.arange(3000).reshape(750, 4).sum(axis=1) / 7, rtol=1e-12)
    with closing(sqlite3.connect(path)) as connection:
        assert schema_version(connection) == HEAD


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_file_of_any_early_version_opens_and_keeps_its_readings(tmp_path: Path, version: int) -> None:
    path = tmp_path / "plant.db"
    file_of_version(path, version)
    assert current_version(f"sqlite:///{path}") == f"{version:04d}"
    check_kept(path)


def test_messages_kept_before_deliveries_were_come_back(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        upgrade(connection)
    (forecast, _, _), (score, _, _), (champion, _, _) = samples.forecasts(), samples.scores(), samples.champions()
    schedule, award = samples.schedule(), samples.award()
    series = {"id": 1, "plant": "homes", "source": forecast.key.source, "metric": forecast.key.metric}
    plan = {"plant": "homes", "issued_us": to_us(schedule.issued_at), "status": "optimal"}
    rows: list[tuple[Any, Any]] = [
        (tables.SERIES, series),
        (tables.FORECASTS, {"series_id": 1, **forecast_row(forecast, "rolling")}),
        (tables.SCORES, {"series_id": 1, **score_row(score)}),
        (tables.CHAMPIONS, {"series_id": 1, **champion_row(champion)}),
        (tables.SCHEDULES, {**plan, "payload": encode_schedule(schedule)}),
        (tables.COMMANDS, [command_row(one) for one in samples.commands()]),
        (tables.ACKS, [ack_row(one) for one in samples.acks()]),
        (tables.AWARDS, award_row(award)),
        (tables.EVENTS, [event_row(one) for one in samples.events()]),
    ]
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as writer:
        for table, values in rows:
            writer.execute(insert(table), values)
    engine.dispose()
    start, end = samples.START, samples.START + 9 * samples.HOUR
    with closing(SqliteStore(path)) as store:
        expect(store.forecasts("homes"), [forecast], "forecasts")
        expect(store.scores("homes", score.key, start, end), [score], "scores")
        expect(store.champions("homes"), [champion], "champions")
        expect(store.schedule("homes"), schedule, "schedules")
        expect(store.commands("homes", start, end), samples.commands(), "commands")
        expect(store.acks("homes", start, end), samples.acks(), "acks")
        expect(store.awards("homes", start, end), [award], "awards")
        expect(store.events("homes"), samples.events()[::-1], "events")


@pytest.mark.server
def test_an_upgrade_killed_at_any_write_goes_on(need_command: Callable[..., str], tmp_path: Path) -> None:
    strace = need_command("strace")
    whole = tmp_path / "whole.db"
    file_of_version(whole, 1)
    trace = tmp_path / "trace"
    watched = [strace, "-f", "-e", "trace=pwrite64", "-o", str(trace), sys.executable, "-c", OPENER]
    subprocess.run([*watched, str(whole)], check=True, timeout=60)
    writes = sum("pwrite64(" in line for line in trace.read_text().splitlines())
    assert writes > 100
    path = tmp_path / "plant.db"
    file_of_version(path, 1)
    versions = [1]
    # Each start goes on where the one before was killed, so that few writes are enough to get everywhere.
    for nth in [*range(2, writes // 3, max(1, writes // 60))]:
        rule = f"inject=pwrite64:signal=KILL:when={nth}"
        command = [strace, "-f", "-e", "trace=pwrite64", "-e", rule, "-o", "/dev/null", sys.executable, "-c", OPENER]
        subprocess.run([*command, str(path)], check=False, timeout=60)
        with closing(sqlite3.connect(path)) as connection:
            versions.append(schema_version(connection))
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT * FROM readings ORDER BY time_s").fetchall() == ROWS
    assert versions == sorted(versions)
    assert len(set(versions)) >= 3, f"the kills fell on no step: {versions}"
    check_kept(path)


@pytest.mark.parametrize("version", [0, 4])
def test_processes_that_start_together_upgrade_once(tmp_path: Path, version: int) -> None:
    path = tmp_path / "plant.db"
    if version:
        file_of_version(path, version)
    starts = [subprocess.Popen([sys.executable, "-c", OPENER, str(path)], stderr=subprocess.PIPE) for _ in range(3)]
    for start in starts:
        assert start.communicate(timeout=60)[1] == b""
        assert start.returncode == 0
    if version:
        check_kept(path)


def test_an_upgrade_tells_its_steps_and_stops_where_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    url = f"sqlite:///{path}"
    told: list[tuple[str, int, int]] = []
    assert current_version(url) is None
    assert not path.exists(), "to ask for the version made a file"
    assert upgrade_url(url, to="0005", progress=lambda *step: told.append(step)) == "0005"
    assert told == [("0004", 1, 2), ("0005", 2, 2)]
    with pytest.raises(UnknownNameError, match="schema version"):
        upgrade_url(url, to="0099")
    assert upgrade_url(url) == upgrade_url(url, to="0005") == NEWEST
    with pytest.raises(InvalidInputError, match="store"):
        current_version("memory://")
    path.write_text("no database at all" * 100)
    with pytest.raises(StoreError, match="is it a vpp store"):
        current_version(url)


def test_the_steps_make_the_tables_that_the_program_speaks_to(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    SqliteStore(path).close()
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    for table in (*tables.METADATA.tables.values(), *rollup_tables.METADATA.tables.values()):
        # SQLite calls the key that numbers itself nullable: a missing one is given.
        made = {column["name"]: column["nullable"] and not column["primary_key"] for column in _columns(found, table)}
        assert made == {column.name: column.nullable for column in table.c}, table.name
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        assert {index.name for index in table.indexes} == {index["name"] for index in found.get_indexes(table.name)}
    engine.dispose()


def _columns(found: Inspector, table: Table) -> list[dict[str, Any]]:
    return [dict(column) for column in found.get_columns(table.name)]


@pytest.mark.server
def test_the_steps_make_the_same_tables_on_postgres(postgres: Postgres) -> None:
    url = postgres.new_database("steps")
    assert current_version(url) is None
    assert upgrade_url(url, to="0005") == "0005"
    assert upgrade_url(url) == current_version(url) == NEWEST
    database = PostgresDatabase(url)
    with closing(database), database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        both = [tables.METADATA, rollup_tables.METADATA]
        assert compare_metadata(context, both) == []  # type: ignore[arg-type]


@pytest.mark.server
def test_stores_opened_together_on_postgres_upgrade_once(postgres: Postgres) -> None:
    url = postgres.new_database("together")
    faults: list[BaseException] = []

    def start() -> None:
        try:
            PostgresStore(url).close()
        except StoreError as fault:
            faults.append(fault)

    starts = [threading.Thread(target=start) for _ in range(4)]
    for one in starts:
        one.start()
    for one in starts:
        one.join()
    assert faults == []
    assert current_version(url) == NEWEST


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Postgres]:
    """Return a server to be killed; the shared one says whether there can be any."""
    assert postgres.port
    with Postgres(tmp_path_factory.mktemp("own_postgres")) as server:
        yield server


@pytest.mark.server
def test_an_upgrade_goes_on_after_the_server_was_killed(own_postgres: Postgres) -> None:
    url = own_postgres.url
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    versions = ["0000"]
    for _ in range(6):
        killer = threading.Timer(rng.uniform(0.02, 0.25), own_postgres.kill)
        killer.start()
        with suppress(StoreError):
            PostgresStore(url).close()
        killer.join()
        own_postgres.start()
        versions.append(current_version(url) or "0000")
    assert versions == sorted(versions)
    PostgresStore(url).close()
    assert current_version(url) == NEWEST
