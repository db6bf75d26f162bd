"""A migration that is killed at any write goes on at the next start, with the data as it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from vpp.store.schema import migrations, schema_version, upgrade

REBUILD = f"""
CREATE TABLE rebuilt (
    series_id INTEGER NOT NULL REFERENCES series (id), time_s INTEGER NOT NULL, arrived_s INTEGER NOT NULL,
    revision INTEGER NOT NULL, issued_s INTEGER NOT NULL, value REAL NOT NULL, quality INTEGER NOT NULL,
    PRIMARY KEY (series_id, time_s, arrived_s, revision)
) WITHOUT ROWID;
INSERT INTO rebuilt SELECT * FROM readings;
DROP TABLE readings;
ALTER TABLE rebuilt RENAME TO readings;
PRAGMA user_version = {len(migrations()) + 1};
"""
MIGRATOR = f"""
import sqlite3, sys
from vpp.store.schema import migrations, upgrade
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA synchronous = FULL")
upgrade(connection, path=sys.argv[1], steps=(*migrations(), {REBUILD!r}))
connection.close()
"""


@pytest.mark.server
def test_migration_killed_midway_goes_on(need_command: Callable[..., str], tmp_path: Path) -> None:
    strace = need_command("strace")
    path = tmp_path / "plant.db"
    steps = (*migrations(), REBUILD)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        upgrade(connection, path=str(path), steps=steps[:1])
        connection.execute("INSERT INTO series VALUES (1, 'homes', 'home01', 'power_kw')")
        rows = [(1, i * 900, i * 900 + 900, 0, i, i / 7, 0) for i in range(3000)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    versions = []
    for nth in range(1, 160, 8):
        rule = f"inject=pwrite64:signal=KILL:when={nth}"
        command = [strace, "-f", "-e", "trace=pwrite64", "-e", rule, "-o", "/dev/null", sys.executable, "-c", MIGRATOR]
        subprocess.run([*command, str(path)], check=False, timeout=60)
        with closing(sqlite3.connect(path)) as connection:
            versions.append(schema_version(connection))
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT * FROM readings ORDER BY time_s").fetchall() == rows
    assert versions == sorted(versions)
    assert versions[0] == 1
    subprocess.run([sys.executable, "-c", MIGRATOR, str(path)], check=True, timeout=60)
    with closing(sqlite3.connect(path)) as connection:
        assert schema_version(connection) == len(steps)
        assert connection.execute("SELECT * FROM readings ORDER BY time_s").fetchall() == rows
