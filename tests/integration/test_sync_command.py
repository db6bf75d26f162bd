"""``vpp edge sync`` from a gateway's buffer to a real PostgREST and to the platform, killed at random on its way."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from servers.postgres import Postgres
from servers.postgrest import SupabaseGate, key_of, supabase_project
from servers.process import MissingServerError

from vpp.api.app import create_app
from vpp.api.serve import serve
from vpp.cli.main import run as vpp_command
from vpp.config import VPPConfig
from vpp.core.messages import Reading, Readings, SeriesKey
from vpp.core.time import epoch_s
from vpp.edge.buffer import Buffer
from vpp.edge.buffer_reader import BufferReader
from vpp.runtime.build import open_store
from vpp.runtime.clock import DataClock
from vpp.runtime.live import LivePlant, start_replay
from vpp.runtime.view import PlantView

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
KEYS = (SeriesKey("home01_load", "power_kw"), SeriesKey("home01_pv", "power_kw"), SeriesKey("home01_battery", "soc"))
BEGIN = datetime.fromisoformat("2016-08-14T00:00:00Z")


def fill(path: Path, count: int, *, plant: str, seed: int = 3) -> None:
    """Record readings as a gateway does; half of them are acknowledged by its bus."""
    values = np.random.default_rng(seed).uniform(0.1, 0.9, (count, 3)) * [-1.0, 1.0, 1.0]
    buffer = Buffer(path, plant=plant, boot=f"boot{seed}", clock=DataClock(BEGIN))
    buffer.go_live(True)
    start_s = epoch_s(BEGIN)
    for i in range(count):
        rows = Readings.from_table(
            plant, KEYS, np.array([start_s + 5 * i]), values[i : i + 1], arrived_s=start_s + 5 * i
        )
        buffer.record("home01", rows)
        if i % 500 == 499 or i == count - 1:
            sent = 0
            while sent < i % 500 + 1:
                _, messages = buffer.fresh(most=500, wait_s=5.0)
                buffer.acknowledge(messages[::2])
                buffer.release(messages[1::2])
                sent += len(messages)
    buffer.close()


def run(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=120, env=_environment(environment)
    )


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "vpp", "edge", "sync", *map(str, arguments)]


def _environment(more: dict[str, str] | None) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SUPABASE_", "SYNC_", "VPP_TOKEN"))
    }
    return {**kept, "OMP_NUM_THREADS": "1", **(more or {})}


@pytest.fixture(scope="module")
def project(postgres: Postgres, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseGate]:
    tables = (root / "deploy" / "supabase.sql").read_text()
    try:
        with supabase_project(postgres, "synced", tables, tmp_path_factory.mktemp("project")) as gate:
            yield gate
    except MissingServerError as fault:
        pytest.skip(str(fault))


@pytest.fixture
def supabase(project: SupabaseGate) -> Callable[[str], dict[str, str]]:
    def environment(plant: str) -> dict[str, str]:
        return {"SUPABASE_URL": project.url, "SUPABASE_KEY": key_of({"role": "authenticated", "plant": plant})}

    return environment


@pytest.fixture
def platform() -> Iterator[tuple[LivePlant, str]]:
    """The built-in homes behind the API, at a moment of their past; nothing ticks."""
    live = start_replay(VPPConfig.load("homes"), open_store("memory://"))
    live.clock = DataClock(BEGIN + timedelta(days=2))
    with served(create_app({"homes": PlantView(live)}, token=TOKEN)) as address:
        yield live, address
    live.stop()


@contextmanager
def served(app) -> Iterator[str]:
    stop, ready, told = threading.Event(), threading.Event(), []

    def tell(address: str) -> None:
        told.append(address)
        ready.set()

    thread = threading.Thread(target=serve, args=(app,), kwargs={"port": 0, "on_ready": tell, "stop": stop})
    thread.start()
    try:
        assert ready.wait(10)
        yield told[0]
    finally:
        stop.set()
        thread.join(15)


def sync_and_kill(
    buffer: Path, arguments: list[str], environment: dict[str, str], *, kills: int, seed: int
) -> list[int]:
    """Start the sync again and again and kill it at work; return how far it had come each time."""
    random_ = random.Random(seed)
    positions = []
    for _ in range(kills):
        process = subprocess.Popen(
            [*command("--buffer", buffer, *arguments), "--continuous", "--interval", "0.2", "--batch", "9", "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(environment),
        )
        before = positions[-1] if positions else 0
        while position_of(buffer) <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random_.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, said
        positions.append(position_of(buffer))
    return positions


def position_of(buffer: Path) -> int:
    path = buffer.with_name(buffer.name + ".sync")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (position,) = connection.execute("SELECT coalesce(max(position), 0) FROM progress").fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(position)


def check_table_after_kills(tmp_path: Path, environment: dict[str, str], *, plant: str, kills: int, count: int) -> None:
    buffer = tmp_path / "buffer.db"
    fill(buffer, count, plant=plant)
    positions = sync_and_kill(buffer, [], environment, kills=kills, seed=kills)
    assert 0 < positions[0] < positions[-1] < count
    done = run("--buffer", buffer, "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(run("--buffer", buffer, "--status", "--json", environment=environment).stdout)
    assert (told["remote_rows"], told["waiting"], told["set_aside"]) == (3 * count, 0, [])
    verified = run("--buffer", buffer, "--verify", "--json", environment=environment)
    assert json.loads(verified.stdout) == {"lost": 0, "twice": 0, "altered": 0}


@pytest.mark.server
def test_a_sync_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path, supabase) -> None:
    check_table_after_kills(tmp_path, supabase("killed"), plant="killed", kills=3, count=1500)


@pytest.mark.slow
@pytest.mark.server
def test_a_sync_that_is_killed_twenty_times_loses_nothing(tmp_path, supabase) -> None:
    check_table_after_kills(tmp_path, supabase("often"), plant="often", kills=20, count=8000)


def check_platform_after_kills(tmp_path: Path, live: LivePlant, address: str, *, kills: int, count: int) -> None:
    buffer, environment = tmp_path / "buffer.db", {"VPP_TOKEN": TOKEN}
    fill(buffer, count, plant="homes")
    positions = sync_and_kill(buffer, ["--target", address], environment, kills=kills, seed=kills)
    assert 0 < positions[0] < positions[-1] < count
    done = run("--buffer", buffer, "--target", address, "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    reader = BufferReader(buffer)
    sent = [row for message in reader.after(0, most=10**9) for row in message.readings.rows()]
    reader.close()
    end = BEGIN + timedelta(seconds=5 * count)
    kept = list(live.store.readings("homes", KEYS, BEGIN, end, most=10**9).rows())
    # The replay's own readings of these hours stand on its steps, every hour; telemetry wins there, for it came later.
    assert ledger(kept) == ledger(sent)
    assert len(kept) == len(sent) == 3 * count
    assert live.store.refusal_count(plant="homes") == 0


def ledger(rows: list[Reading]) -> dict[tuple[str, int], float]:
    return {(str(row.key), epoch_s(row.time)): row.value for row in rows}


def test_the_platform_keeps_each_row_once_though_the_sync_is_killed(tmp_path, platform) -> None:
    check_platform_after_kills(tmp_path, *platform, kills=3, count=1500)


@pytest.mark.slow
def test_the_platform_keeps_each_row_once_though_the_sync_is_killed_often(tmp_path, platform) -> None:
    check_platform_after_kills(tmp_path, *platform, kills=20, count=8000)


def test_what_the_platform_refuses_is_set_aside_and_told(tmp_path, platform) -> None:
    live, address = platform
    buffer = tmp_path / "buffer.db"
    fill(buffer, 4, plant="homes")
    path = Buffer(buffer, plant="homes", boot="later", clock=DataClock(BEGIN))
    path.go_live(True)
    odd = Readings.from_table("homes", (KEYS[0],), np.array([epoch_s(BEGIN)]), np.array([[-1250.0]]), arrived_s=0)
    path.record("home01", odd)
    path.fresh(most=1, wait_s=5.0)
    path.close()
    done = run("--buffer", buffer, "--target", address, environment={"VPP_TOKEN": TOKEN})
    assert done.returncode == 1
    assert "12 rows brought, 1 set aside" in done.stdout
    assert "unit" in done.stderr
    assert live.store.refusal_count(plant="homes") == 1
    status = run("--buffer", buffer, "--target", address, "--status", environment={"VPP_TOKEN": TOKEN})
    assert "1 set aside" in status.stdout
    assert "0 messages wait" in status.stdout


SECRET = "s3cret-that-nobody-may-see"


@pytest.mark.parametrize(
    ("arguments", "environment", "names"),
    [
        ([], {}, "SUPABASE_URL"),
        ([], {"SUPABASE_URL": "https://abc.supabase.co"}, "SUPABASE_KEY"),
        ([], {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_KEY": " "}, "SUPABASE_KEY"),
        ([], {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_KEY": f"{SECRET}\nX: 1"}, "SUPABASE_KEY"),
        ([], {"SUPABASE_URL": "http://abc.supabase.co", "SUPABASE_KEY": SECRET}, "https://"),
        ([], {"SUPABASE_URL": f"https://me:{SECRET}@abc.supabase.co", "SUPABASE_KEY": SECRET}, "secrets"),
        (["--target", "http://127.0.0.1:1"], {}, "VPP_TOKEN"),
        (["--target", "ftp://127.0.0.1"], {"VPP_TOKEN": SECRET}, "https://host"),
        (["--target", "postgrest+http://127.0.0.1:1"], {"SUPABASE_KEY": SECRET}, "table"),
        (["--target", "http://127.0.0.1:1"], {"VPP_TOKEN": SECRET, "SYNC_BATCH_SIZE": "many"}, "SYNC_BATCH_SIZE"),
        (["--target", "http://127.0.0.1:1"], {"VPP_TOKEN": SECRET}, "there is no buffer"),
        (["--once", "--status"], {}, "one of them"),
        (["--influxdb"], {}, "one of them"),
    ],
)
def test_what_is_missing_is_named_and_no_secret_is_printed(
    tmp_path, monkeypatch, capfd, arguments, environment, names: str
) -> None:
    for name in [name for name in os.environ if name.startswith(("SUPABASE_", "SYNC_", "VPP_TOKEN"))]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    buffer = tmp_path / "buffer.db"
    if "no buffer" not in names:
        fill(buffer, 1, plant="homes")
    monkeypatch.setattr(sys, "argv", ["vpp", "edge", "sync", "--buffer", str(buffer), *arguments])
    with pytest.raises(SystemExit) as ended:
        vpp_command()
    said = "".join(capfd.readouterr())
    assert ended.value.code == 2
    assert names in said
    assert SECRET not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], "one of them"),
        (["--influxdb"], "--plant"),
        (["--influxdb", "--plant", "homes", "--node", "Home 1"], "--node"),
        (["--influxdb", "--plant", "homes", "--node", "home01"], "INFLUXDB_URL"),
    ],
)
def test_what_influxdb_needs_is_named(monkeypatch, capfd, arguments: list[str], names: str) -> None:
    for name in [name for name in os.environ if name.startswith("INFLUXDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["vpp", "edge", "sync", *arguments])
    with pytest.raises(SystemExit) as ended:
        vpp_command()
    assert ended.value.code == 2
    assert names in capfd.readouterr().err


def test_a_target_that_is_away_is_told_and_what_waits_stays(tmp_path) -> None:
    buffer = tmp_path / "buffer.db"
    fill(buffer, 3, plant="homes")
    started = time.monotonic()
    process = subprocess.Popen(
        command("--buffer", buffer, "--target", "http://127.0.0.1:1"),
        stderr=subprocess.PIPE,
        text=True,
        env=_environment({"VPP_TOKEN": TOKEN}),
    )
    time.sleep(2.0)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "try again later" in said
    assert TOKEN not in said
    assert time.monotonic() - started < 30.0
