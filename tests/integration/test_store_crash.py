"""What a store acknowledged is there after kill -9, a power cut, a failed fsync and a full disk.

The disk is modelled from the system calls of a real writer: a write counts once the fsync behind it returned 0; all
other writes may be lost, kept or torn. A writer that skips its fsyncs is caught by the same model.
"""

from __future__ import annotations

import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from servers.disk import fill

from vpp.core.errors import StoreError
from vpp.core.messages import Readings
from vpp.store.sqlite import SqliteStore

WRITER = Path(__file__).with_name("store_writer.py")
WRITER_NAMES = runpy.run_path(str(WRITER))
SECONDS_PER_BATCH = WRITER_NAMES["SECONDS_PER_BATCH"]
SMALL_LOG_BYTES = 60_000
FAULTY_BATCHES = 20
SECTOR_BYTES = 512
TRACED = "fsync,fdatasync,write,pwrite64,ftruncate"


def new_rng() -> np.random.Generator:
    """Return a generator that differs from run to run; a failing test shows its seed."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def batch(number: int) -> Readings:
    readings: Readings = WRITER_NAMES["batch"](number)
    return readings


def writer_command(path: Path, first: int, batches: int, *more: str) -> list[str]:
    return [sys.executable, str(WRITER), str(path), str(first), str(batches), str(SMALL_LOG_BYTES), *more]


def acknowledged(lines: Sequence[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("ack ")]


def check_kept(path: Path, acked: Sequence[int]) -> None:
    """Every acknowledged batch is there, every batch there is whole, each row once, each value exact."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute(
            "SELECT time_s, source, arrived_s, issued_s, revision, quality, value FROM readings "
            "JOIN series ON series.id = series_id ORDER BY time_s, source"
        ).fetchall()
    found: dict[int, list[tuple[object, ...]]] = {}
    for row in rows:
        found.setdefault(row[0] // SECONDS_PER_BATCH, []).append(row)
    assert set(acked) <= set(found), f"acknowledged and lost: {sorted(set(acked) - set(found))}"
    for number, kept in found.items():
        written = batch(number)
        want = zip(
            written.time_s.tolist(),
            [written.keys[i].source for i in written.series],
            written.arrived_s.tolist(),
            written.issued_s.tolist(),
            [0] * len(written),
            written.quality.tolist(),
            written.value.tolist(),
            strict=True,
        )
        assert kept == sorted(want), f"batch {number} is not as it was written"


def test_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    rng = new_rng()
    acked: list[int] = []
    first = 0
    for _ in range(16):
        process = subprocess.Popen(writer_command(path, first, 100_000), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process:
            # The first words come after the start; the kill then falls anywhere in the writing.
            lines = [process.stdout.readline()]
            time.sleep(float(rng.uniform(0.0, 0.12)))
            process.kill()
            lines += process.stdout.readlines()
        acked += acknowledged([line for line in lines if line.endswith("\n")])
        first = max(acked, default=0) + 10
        check_kept(path, acked)
    assert len(acked) > 16


@dataclass
class ModelFile:
    """A file as the disk has it, and the writes that the disk may still lose."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def apply(self, offset: int, data: bytes | None) -> None:
        if data is None:
            self.durable[offset:] = b""
            self.durable.extend(bytes(offset - len(self.durable)))
            return
        self.durable.extend(bytes(max(0, offset + len(data) - len(self.durable))))
        self.durable[offset : offset + len(data)] = data

    def flush(self) -> None:
        for offset, data in self.pending:
            self.apply(offset, data)
        self.pending.clear()

    def cut(self, rng: np.random.Generator | None) -> bytes:
        """Return what a power cut leaves: without ``rng`` nothing that was pending, with it any part of it."""
        left = ModelFile(bytearray(self.durable))
        for offset, data in self.pending if rng is not None else ():
            assert rng is not None
            fate = rng.integers(3)
            if fate == 1:
                left.apply(offset, data)
            elif fate == 2 and data is not None and len(data) > SECTOR_BYTES:
                left.apply(offset, data[: SECTOR_BYTES * int(rng.integers(1, len(data) // SECTOR_BYTES))])
        return bytes(left.durable)


@dataclass(frozen=True)
class Call:
    """One system call on one file."""

    name: str
    path: str
    data: bytes
    number: int
    result: int


_CALL = re.compile(
    r"^\d+ +(?P<name>\w+)\(\d+<(?P<path>[^>]*)>"
    r"(?:, (?:\"(?P<data>[^\"]*)\", \d+, )?(?P<number>\d+))?.*\) += (?P<result>-?\d+)"
)
_WRITE = re.compile(r"^\d+ +write\((?P<fd>\d+)<[^>]*>, \"(?P<data>[^\"]*)\", \d+\) += (?P<result>-?\d+)")


def read_trace(trace: Path) -> list[Call]:
    """Return the calls of an strace log; what was said on standard output has the path ``stdout``."""
    calls = []
    for line in trace.read_text().splitlines():
        said = _WRITE.match(line)
        if said is not None and said["fd"] == "1":
            calls.append(Call("write", "stdout", _unhex(said["data"]), 0, int(said["result"])))
            continue
        call = _CALL.match(line)
        if call is not None:
            path = _unhex(call["path"]).decode()
            number = int(call["number"] or 0)
            calls.append(Call(call["name"], path, _unhex(call["data"] or ""), number, int(call["result"])))
    return calls


def _opened(calls: Sequence[Call]) -> int:
    """Return the place of the call that says that the store is open."""
    return next(i for i, call in enumerate(calls) if call.path == "stdout")


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def run_traced(strace: str, trace: Path, command: Sequence[str], *inject: str) -> list[str]:
    """Run a command under strace and return the lines it printed."""
    options = ["-f", "-y", "-xx", "-s", "65536", "-o", str(trace), "-e", f"trace={TRACED}"]
    for rule in inject:
        options += ["-e", f"inject={rule}"]
    done = subprocess.run([strace, *options, *command], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    if "PTRACE_TRACEME" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"this machine does not let strace watch: {done.stderr.strip()}")
    return done.stdout.splitlines()


class ModelDisk:
    """The store's file and its log on a disk that may lose whatever was not flushed."""

    def __init__(self, path: Path) -> None:
        self.files = {str(path): ModelFile(), f"{path}-wal": ModelFile()}
        self.acked: list[int] = []

    def see(self, call: Call) -> None:
        if call.path == "stdout":
            self.acked += acknowledged(call.data.decode().splitlines())
        file = self.files.get(call.path)
        if file is None:
            return
        if call.name in ("fsync", "fdatasync"):
            if call.result == 0:
                file.flush()
            else:
                # Linux marks the pages clean: they are still read, and never written.
                file.pending.clear()
        elif call.result >= 0:
            data = None if call.name == "ftruncate" else call.data[: call.result]
            file.pending.append((call.number, data))

    def check_after_cut(self, folder: Path, rng: np.random.Generator | None) -> None:
        folder.mkdir()
        names = ("plant.db", "plant.db-wal")
        for name, file in zip(names, self.files.values(), strict=True):
            (folder / name).write_bytes(file.cut(rng))
        check_kept(folder / "plant.db", self.acked)
        shutil.rmtree(folder)


@pytest.fixture
def strace(need_command: Callable[..., str]) -> str:
    return need_command("strace")


def trace_writer(strace: str, tmp_path: Path, *more: str) -> tuple[Path, list[Call]]:
    path = tmp_path / "plant.db"
    lines = run_traced(strace, tmp_path / "trace", writer_command(path, 0, 40, *more))
    assert acknowledged(lines) == list(range(40))
    return path, read_trace(tmp_path / "trace")


@pytest.mark.server
def test_no_acknowledgement_before_its_fsync(strace: str, tmp_path: Path) -> None:
    path, calls = trace_writer(strace, tmp_path)
    unsynced = 0
    synced_since_ack = 0
    folder_synced = False
    acks = 0
    for call in calls:
        if call.path == f"{path}-wal" and call.name == "pwrite64":
            unsynced += 1
        elif call.path == f"{path}-wal" and call.name in ("fsync", "fdatasync") and call.result == 0:
            unsynced = 0
            synced_since_ack += 1
        elif call.path == str(tmp_path) and call.name in ("fsync", "fdatasync"):
            folder_synced = True
        elif call.path == "stdout" and call.data.startswith(b"ack "):
            acks += 1
            assert folder_synced, "the new file's name was not made durable"
            assert unsynced == 0, f"{call.data!r} was said with {unsynced} writes not flushed"
            assert synced_since_ack >= 1, f"{call.data!r} was said without any flush since the one before"
            synced_since_ack = 0
    assert acks == 40


@pytest.mark.server
def test_power_cut_at_any_moment_loses_nothing(strace: str, tmp_path: Path) -> None:
    path, calls = trace_writer(strace, tmp_path)
    assert any(call.path == str(path) and call.name == "fdatasync" for call in calls[80:]), "the log was never folded"
    begun = _opened(calls)
    rng = new_rng()
    cuts = {*rng.integers(begun, len(calls) + 1, size=70).tolist(), len(calls)}
    disk = ModelDisk(path)
    for i in range(len(calls) + 1):
        if i in cuts:
            disk.check_after_cut(tmp_path / "lost", None)
            disk.check_after_cut(tmp_path / "torn", rng)
        if i < len(calls):
            disk.see(calls[i])
    assert len(disk.acked) == 40


@pytest.mark.server
def test_power_cut_model_catches_a_careless_writer(strace: str, tmp_path: Path) -> None:
    path, calls = trace_writer(strace, tmp_path, "careless")
    disk = ModelDisk(path)
    for call in calls:
        disk.see(call)
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        disk.check_after_cut(tmp_path / "lost", None)


@pytest.fixture(scope="module")
def calls_of_a_run(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """Return the calls of a writer to which nothing happens, so that faults can be spread over all of them."""
    strace = shutil.which("strace")
    if strace is None:
        return []
    folder = tmp_path_factory.mktemp("whole")
    run_traced(strace, folder / "trace", writer_command(folder / "plant.db", 0, FAULTY_BATCHES))
    return read_trace(folder / "trace")


@pytest.mark.server
@pytest.mark.parametrize("place", range(24))
def test_failed_fsync_is_never_acknowledged(
    strace: str, calls_of_a_run: list[Call], tmp_path: Path, place: int
) -> None:
    path, trace = tmp_path / "plant.db", tmp_path / "trace"
    syncs = [call for call in calls_of_a_run if call.name in ("fsync", "fdatasync")]
    # The first half while the file is opened and its tables are made, the other half while readings are written.
    opened = sum(call in syncs for call in calls_of_a_run[: _opened(calls_of_a_run)])
    # A failure behind the last write is seen by nobody, so that the last few are left out.
    half = (0, opened) if place < 12 else (opened, len(syncs) - 5)
    nth = 1 + half[0] + (half[1] - half[0]) * (place % 12) // 12
    rule = f"fsync,fdatasync:error=EIO:when={nth}"
    lines = run_traced(strace, trace, writer_command(path, 0, FAULTY_BATCHES), rule)
    disk = ModelDisk(path)
    calls = read_trace(trace)
    for call in calls:
        disk.see(call)
    fault = next(call for call in calls if "sync" in call.name and call.result == -1)
    failed = [i for i, line in enumerate(lines) if line.startswith(("failed", "unopened"))]
    if failed:
        assert not acknowledged(lines[failed[0] :]), "a halted store took another write"
        assert all("halted" in lines[i] or lines[i].startswith("unopened") for i in failed), lines
    else:
        # SQLite passes over a failed flush of the folder; the store then flushes it itself before it opens.
        folder = [call.result for call in calls[: _opened(calls)] if call.path == str(tmp_path)]
        assert fault.path == str(tmp_path)
        assert folder[-1] == 0
    disk.check_after_cut(tmp_path / "lost", None)
    # Opened anew, the store takes writes again, and they do not rest on pages that never reached the disk.
    again = run_traced(strace, trace, writer_command(path, 100, 4))
    assert acknowledged(again) == [100, 101, 102, 103], again
    for call in read_trace(trace):
        disk.see(call)
    disk.check_after_cut(tmp_path / "lost", None)


@pytest.mark.server
@pytest.mark.parametrize("place", range(8))
def test_no_space_at_any_write_keeps_nothing_half(
    strace: str, calls_of_a_run: list[Call], tmp_path: Path, place: int
) -> None:
    path = tmp_path / "plant.db"
    before = sum(call.name == "pwrite64" for call in calls_of_a_run[: _opened(calls_of_a_run)])
    written = sum(call.name == "pwrite64" for call in calls_of_a_run) - before
    # The first fault falls on the opening, the others on the writes of the first batches; the last ones are to go well.
    nth = before - 20 if place == 0 else before + written * place // 12
    rule = f"pwrite64:error=ENOSPC:when={nth}..{nth + 2}"
    lines = run_traced(strace, tmp_path / "trace", writer_command(path, 0, FAULTY_BATCHES), rule)
    assert any("disk is full" in line for line in lines), lines
    if place == 0:
        assert lines[0].startswith("unopened")
    else:
        assert lines[-1] == f"ack {FAULTY_BATCHES - 1}", "the store did not recover"
    check_kept(path, acknowledged(lines))


@pytest.fixture
def small_disk(new_disk: Callable[[str], Path]) -> Path:
    return new_disk("1m")


def test_full_disk_is_said_and_survived(small_disk: Path) -> None:
    path, filler = small_disk / "plant.db", small_disk / "filler"
    refused = []
    with closing(SqliteStore(path)) as store:
        store.write_readings(batch(0))
        with pytest.raises(OSError, match="No space"):
            fill(filler)
        for number in range(1, 30):
            try:
                store.write_readings(batch(number))
            except StoreError as fault:
                refused.append((number, str(fault)))
        assert refused
        assert all("disk is full" in message for _, message in refused)
        assert store.halted is None
        filler.unlink()
        for number, _ in refused:
            assert store.write_readings(batch(number)) == len(batch(number)), "part of a refused batch was kept"
    check_kept(path, range(30))
