"""A gateway's buffer under kill -9, a failed fsync and a full disk: what counted is there once, and it recovers."""

from __future__ import annotations

import json
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from servers.disk import fill

from vpp.core.errors import StoreError
from vpp.edge.buffer import Buffer

WRITER = Path(__file__).with_name("edge_writer.py")
NAMES = runpy.run_path(str(WRITER))
ROWS = "SELECT node, time_s, value FROM readings JOIN messages ON messages.id = message_id"


def writer(path: Path, boot: str, first: int, rounds: int) -> list[str]:
    return [sys.executable, str(WRITER), str(path), boot, str(first), str(rounds)]


def acknowledged(lines: list[str]) -> set[int]:
    return {int(line.split()[1]) for line in lines if line.startswith("ack")}


def check(path: Path, acked: set[int], *, of: int) -> None:
    """Compare what stands in the file with what counted: nothing lost, twice or altered."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        rows = Counter(connection.execute(ROWS).fetchall())
        commands = {int(name[1:]) for (name,) in connection.execute("SELECT id FROM commands")}
        identities = connection.execute("SELECT node, boot, sequence FROM messages").fetchall()
        positions = [p for (p,) in connection.execute("SELECT position FROM messages WHERE position IS NOT NULL")]
        claimed = connection.execute("SELECT sum(rows) FROM messages").fetchone()[0]
    assert acked <= commands
    assert {(node, at_s) for node, at_s, _ in rows} >= {(node, number) for node in "ab" for number in acked}
    assert set(rows.values()) <= {1}
    assert all(value == NAMES["value_of"](node, at_s) and 0 <= at_s < of for node, at_s, value in rows)
    assert len(set(identities)) == len(identities)
    assert len(set(positions)) == len(positions)
    assert claimed == sum(rows.values())


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_at_any_moment_loses_nothing_that_counted(tmp_path: Path, kills: int) -> None:
    path, acked, first = tmp_path / "b.db", set[int](), 0
    for turn in range(kills):
        command = writer(path, f"boot{turn}", first, 100_000)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "open\n"
            time.sleep(0.05 + 0.037 * turn % 0.3)
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().splitlines()
        acked |= acknowledged(lines)
        first = max(acked, default=first) + 10
    assert len(acked) > kills
    check(path, acked, of=first + 10)


@pytest.fixture
def strace(need_command: Callable[..., str]) -> str:
    return need_command("strace")


def run_with_faults(strace: str, command: list[str], rule: str, folder: Path) -> list[str]:
    options = ["-f", "-o", str(folder / "trace"), "-e", "trace=fsync,fdatasync,pwrite64", "-e", f"inject={rule}"]
    done = subprocess.run([strace, *options, *command], capture_output=True, text=True, timeout=120)
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"this machine does not let strace watch: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.server
@pytest.mark.parametrize(
    "nth", [1, 2, 4, 7, 9, 10, 11, *(pytest.param(n, marks=pytest.mark.slow) for n in range(12, 61))]
)
def test_a_failed_fsync_counts_nothing_and_is_overcome(strace: str, tmp_path: Path, nth: int) -> None:
    path = tmp_path / "b.db"
    lines = run_with_faults(strace, writer(path, "boot1", 0, 60), f"fsync,fdatasync:error=EIO:when={nth}", tmp_path)
    if lines[0].startswith("unopened"):
        assert "check the disk" in lines[0] or "disk I/O error" in lines[0]
        lines = run_with_faults(strace, writer(path, "boot2", 0, 60), "fsync:error=EIO:when=60000", tmp_path)
    counts = json.loads(lines[-1].removeprefix("counts "))
    assert acknowledged(lines) == set(range(60)), lines
    assert counts["halted"] == ""
    assert counts["waiting_rows"] == 120
    check(path, set(range(60)), of=60)


@pytest.mark.server
@pytest.mark.parametrize("nth", [30, 41, 52, *(pytest.param(n, marks=pytest.mark.slow) for n in range(60, 120, 7))])
def test_no_space_for_a_while_sheds_readings_counted_and_keeps_commands(strace: str, tmp_path: Path, nth: int) -> None:
    path = tmp_path / "b.db"
    rule = f"pwrite64:error=ENOSPC:when={nth}..{nth + 1}"
    lines = run_with_faults(strace, writer(path, "boot1", 0, 60), rule, tmp_path)
    if lines[0].startswith("unopened"):
        return
    counts = json.loads(lines[-1].removeprefix("counts "))
    acked = acknowledged(lines)
    assert len(acked) >= 59, lines
    assert counts["waiting_rows"] + counts["shed_rows"] == 120
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone()[0] == counts["waiting_rows"]
        assert connection.execute("SELECT count(*) FROM commands").fetchone()[0] >= len(acked)


@pytest.fixture
def small_disk(new_disk: Callable[[str], Path]) -> Path:
    return new_disk("8m")


def test_a_full_disk_sheds_readings_and_still_takes_commands_until_there_is_room(small_disk: Path) -> None:
    filler, record, command = small_disk / "filler", NAMES["record"], NAMES["command"]
    buffer = Buffer(small_disk / "b.db", plant="homes", boot="boot1", clock=NAMES["Still"]())
    record(buffer, 0)
    buffer.settle()
    with pytest.raises(OSError, match="No space"):
        fill(filler)
    number, refused = 1, 0
    while not buffer.counts().shedding:
        record(buffer, number)
        buffer.settle()
        number += 1
    for _ in range(300):
        record(buffer, number)
        try:
            buffer.take([("a", command(number))])
        except StoreError:
            refused += 1
        number += 1
    assert refused <= 3
    assert buffer.counts().shed_rows > 500
    filler.unlink()
    began = time.monotonic()
    while buffer.counts().shedding:
        assert time.monotonic() - began < 30.0
        time.sleep(0.05)
    record(buffer, number)
    buffer.settle()
    counts = buffer.counts()
    sent = sum(len(message.readings) for message in buffer.backlog(most_rows=10_000))
    buffer.close()
    assert counts.waiting_rows + counts.shed_rows == 2 * (number + 1)
    assert sent == counts.waiting_rows
    with closing(sqlite3.connect(small_disk / "b.db")) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone()[0] == counts.waiting_rows
        assert connection.execute("SELECT sum(rows) FROM messages").fetchone()[0] == counts.waiting_rows
