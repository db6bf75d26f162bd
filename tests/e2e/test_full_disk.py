"""A disk that is full under the consumer or the gateway: said aloud, nothing acknowledged, and on by itself after it.

Not marked ``server``: where mounting is not allowed these are skipped, and the injected faults cover the same promise.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from edge_plane import EdgePlane
from plane import Plane
from processes import finish, load, wait_until
from servers.disk import fill
from servers.mosquitto import Mosquitto
from striking import address

pytestmark = pytest.mark.timeout(600)

RATE = "400"
SAID = "the store does not keep what arrives"


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_full_disk_is_said_and_survived(tmp_path: Path, small_disk: Path, mosquitto: Mosquitto, times: int) -> None:
    store = f"sqlite:///{small_disk / 'store.db'}"
    journal, filler = tmp_path / "journal", small_disk / "filler"
    with (
        Plane(tmp_path, mosquitto.url, store, "--group", f"proof-{tmp_path.name}") as plane,
        load(mosquitto.url, journal, "--rate", RATE) as producer,
    ):
        for _ in range(times):
            plane.await_growth()
            said = len(plane.ingest.log())
            with pytest.raises(OSError, match="No space"):
                fill(filler)
            wait_until(lambda said=said: plane.ingest.says(SAID, since=said), "the full disk is told")
            assert "disk is full" in plane.ingest.log()[said:]
            time.sleep(0.5)
            filler.unlink()
            back_s = plane.await_growth()
            print(f"went on {back_s:.1f} s after there was room")
        finish(producer)
        found = plane.settle(journal)
    print(found)
    found.check(at_least=500)


@pytest.mark.slow
def test_a_full_disk_under_the_buffer_is_said_and_survived(
    tmp_path: Path, small_disk: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest
) -> None:
    """What does not fit is shed and counted; what was taken is stored once; it goes on by itself."""
    store = address(request, "sqlite", tmp_path)
    buffer, filler = small_disk / "edge.db", small_disk / "filler"
    with EdgePlane(tmp_path, mosquitto.url, store, "--group", f"proof-{tmp_path.name}", buffer=buffer) as plane:
        plane.await_growth()
        with pytest.raises(OSError, match="No space"):
            fill(filler)
        wait_until(lambda: "readings are shed" in plane.edge.log(), "the full disk is told", patience_s=90.0)
        time.sleep(2.0)
        filler.unlink()
        wait_until(lambda: "there is room again" in plane.edge.log(), "it goes on")
        plane.await_growth()
        found = plane.settle_edge()
        with closing(sqlite3.connect(f"file:{buffer}?mode=ro", uri=True)) as connection:
            shed = connection.execute("SELECT value FROM counters WHERE name = 'shed_rows'").fetchone()[0]
    print(found, f"shed {shed}")
    found.check(at_least=500)
    assert shed > 0
