"""A disk that fails under ``vpp ingest``: no false acknowledgement, said aloud, and on by itself after it.

A failed fsync leaves pages in memory that never reach the disk, so a kill would show nothing: the disk is modelled from
the system calls of the process, as in ``tests/integration/test_store_crash.py``, and cut at the end of the trace.
"""

from __future__ import annotations

import re
import runpy
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger import Ledger, Value, rows_of_sqlite
from plane import Plane
from processes import load, wait_until
from servers.mosquitto import Mosquitto

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
MODEL: dict[str, Any] = runpy.run_path(str(ROOT / "tests" / "integration" / "test_store_crash.py"))
RATE = "400"
FEW_CALLS = (5, 25, 40)
MANY_CALLS = range(1, 61)
_SENT = re.compile(r"^\d+ +sendto\(\d+<[^>]*>, \"(?P<data>[^\"]*)\".*\) += (?P<result>\d+)")
_UNFINISHED = re.compile(r"^(?P<thread>\d+) +(?P<begun>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_PUBACK = b"\x40\x02"
_PACKETS = {0x10, 0x40, 0x82, 0xC0, 0xE0}
CUTS = 12


@pytest.mark.parametrize(
    "nth", [*FEW_CALLS, *(pytest.param(nth, marks=pytest.mark.slow) for nth in MANY_CALLS if nth not in FEW_CALLS)]
)
def test_no_acknowledgement_rests_on_a_failed_fsync(
    tmp_path: Path, own_mosquitto: Mosquitto, need_command: Callable[..., str], nth: int
) -> None:
    path, trace, journal = tmp_path / "store.db", tmp_path / "trace", tmp_path / "journal"
    strace = [need_command("strace"), "-D", "-f", "-y", "-xx", "-s", "65536", "-o", str(trace)]
    rules = ["-e", "trace=fsync,fdatasync,write,pwrite64,ftruncate,sendto"]
    rules += ["-e", f"inject=fsync,fdatasync:error=EIO:when={nth}"]
    plane = Plane(tmp_path, own_mosquitto.url, f"sqlite:///{path}", "--linger", "0.02", under=[*strace, *rules])
    with plane.ingest:
        wait_until(lambda: "ingesting for" in plane.ingest.log() or plane.ingest.ended(), "it is ready, or gave up")
        if plane.ingest.ended():
            check_refusal_to_open(plane)
            return
        with load(own_mosquitto.url, journal, "--rate", RATE, "--nodes", "1", "--count", "900") as producer:
            assert producer.wait() == 0, producer.log()
        found = plane.settle(journal)
        log = plane.ingest.log()
    found.check(at_least=1_800)
    calls = list(read_trace(trace))
    failed = [call for call in calls if "sync" in call.name and call.result == -1]
    assert failed, "nothing failed: no proof"
    print(f"failed: {failed[0].name} of {Path(failed[0].path).name}")
    if any(_pubacks(call) for call in calls[calls.index(failed[0]) :]):
        assert "disk I/O error" in log, f"the fault was not told:\n{log}"
    ledger = Ledger.read(journal)
    check_every_acknowledgement(calls, path, tmp_path / "cut", ledger)
    # The same trace without its flushes: a consumer that acknowledged so would be found out.
    careless = [call for call in calls if not (call.name in ("fsync", "fdatasync") and call.path == f"{path}-wal")]
    with pytest.raises(AssertionError, match="acknowledged and lost in a power cut"):
        check_every_acknowledgement(careless, path, tmp_path / "cut", ledger)


def check_refusal_to_open(plane: Plane) -> None:
    """A fault while the store is opened is told, and ends the process before it takes anything."""
    assert plane.ingest.wait() == 2
    assert "disk I/O error" in plane.ingest.log() or "cannot be flushed" in plane.ingest.log(), plane.ingest.log()
    assert "Traceback" not in plane.ingest.log()


def read_trace(trace: Path) -> Iterator[Any]:
    """Yield the calls of an strace log of many threads, in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        unfinished, resumed = _UNFINISHED.match(line), _RESUMED.match(line)
        if unfinished is not None:
            begun[unfinished["thread"]] = unfinished["begun"]
            continue
        if resumed is not None:
            line = f"{resumed['thread']} {begun.pop(resumed['thread'])}{resumed['rest']}"
        sent = _SENT.match(line)
        if sent is not None:
            data = MODEL["_unhex"](sent["data"])[: int(sent["result"])]
            yield MODEL["Call"]("sendto", "socket", data, 0, len(data))
            continue
        call = MODEL["_CALL"].match(line)
        if call is not None:
            where = MODEL["_unhex"](call["path"]).decode() if call["path"].startswith("\\x") else call["path"]
            data = MODEL["_unhex"](call["data"] or "")
            yield MODEL["Call"](call["name"], where, data, int(call["number"] or 0), int(call["result"]))


def check_every_acknowledgement(calls: Sequence[Any], path: Path, folder: Path, ledger: Ledger) -> None:
    """Cut the power at a few moments and at the end: what was acknowledged until then is on the disk.

    One producer, one connection: the broker delivers in order and is answered in order, so that the number of
    acknowledgements says which messages they were for.
    """
    messages = sorted(ledger.sent, key=lambda message: message.sequence)
    disk = MODEL["ModelDisk"](path)
    acknowledged = checked = 0
    total = sum(_pubacks(call) for call in calls)
    assert total == len(messages), f"{total} acknowledgements of {len(messages)} messages"
    for number, call in enumerate(calls):
        if call.name == "sendto":
            acknowledged += _pubacks(call)
        else:
            disk.see(call)
        if acknowledged >= (checked + 1) * total // CUTS or number == len(calls) - 1:
            checked += 1
            wanted = {value for message in messages[:acknowledged] for value in ledger.sent[message]}
            missing = wanted - _rows_after_cut(disk, folder)
            assert not missing, f"acknowledged and lost in a power cut: {len(missing)} of {len(wanted)}"
    assert checked > CUTS


def _pubacks(call: Any) -> int:
    """Return how many publications a piece of the MQTT connection acknowledges."""
    if call.name != "sendto" or not call.data or call.data[0] not in _PACKETS:
        return 0
    count, place = 0, 0
    while place + 1 < len(call.data):
        count += call.data[place : place + 2] == _PUBACK
        # Every packet that a consumer sends after the first ones is shorter than 128 bytes.
        place += 2 + (call.data[place + 1] & 0x7F)
    return count


def _rows_after_cut(disk: Any, folder: Path) -> set[Value]:
    """Return the rows that a power cut leaves when nothing that was not flushed survives."""
    folder.mkdir(exist_ok=True)
    for name, file in zip(("store.db", "store.db-wal"), disk.files.values(), strict=True):
        (folder / name).write_bytes(file.cut(None))
    (folder / "store.db-shm").unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(folder / "store.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {Value(*row.channel[1:], row.time_s, row.value) for row in rows_of_sqlite(folder / "store.db")}
    except sqlite3.OperationalError:
        return set()  # no table yet
