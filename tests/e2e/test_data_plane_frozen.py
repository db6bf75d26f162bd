"""A database that stands still under full load: memory stays bounded, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from plane import Plane
from processes import finish, load
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.tansu import Tansu

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

MOST_GROWTH_BYTES = 100e6
SHORT_S = 10.0
LONG_S = 30.0
WAITING = "20000"
RATE = "6000"

frozen = pytest.mark.parametrize("frozen_s", [SHORT_S, pytest.param(LONG_S, marks=pytest.mark.slow)])


def freeze(plane: Plane, database: Postgres, frozen_s: float) -> tuple[float, float]:
    """Freeze the database and return the consumer's growth [bytes] and how long it took to go on after it [s]."""
    before = max(plane.ingest.rss_bytes() for _ in range(3))
    most = before
    database.pause()
    try:
        until = time.monotonic() + frozen_s
        while time.monotonic() < until:
            most = max(most, plane.ingest.rss_bytes())
            time.sleep(0.1)
    finally:
        database.resume()
    lasted_s = plane.await_growth()
    return max(most, plane.ingest.rss_bytes()) - before, lasted_s


@frozen
@pytest.mark.parametrize("broker", ["mqtt", "kafka"])
def test_memory_is_bounded_while_the_database_is_frozen(
    tmp_path: Path, own_postgres: Postgres, request: pytest.FixtureRequest, broker: str, frozen_s: float
) -> None:
    store = own_postgres.new_database("proof")
    server: Mosquitto | Tansu = request.getfixturevalue("own_mosquitto" if broker == "mqtt" else "own_tansu")
    journal = tmp_path / "journal"
    bus, options = (server.url, []) if broker == "mqtt" else (f"{server.url}?session_ms=2000", [])
    with (
        Plane(tmp_path, bus, store, *options) as plane,
        load(server.url, journal, "--rate", RATE, "--most-waiting", WAITING, "--late-s", "864000") as producer,
    ):
        plane.await_growth()
        time.sleep(2.0)  # warm: its caches and batches have their size
        growth, back_after_s = freeze(plane, own_postgres, frozen_s)
        finish(producer)
        found = plane.settle(journal, patience_s=120.0)
    print(f"{found}; frozen {frozen_s:g} s: grew {growth / 1e6:.1f} MB, went on after {back_after_s:.1f} s")
    found.check(at_least=10_000)
    assert growth <= MOST_GROWTH_BYTES
    assert back_after_s <= 15.0
