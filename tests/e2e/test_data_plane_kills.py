"""kill -9 of consumer, database, broker and producer under load, at random moments: nothing lost, doubled, altered.

Three kills each in CI, twenty in the slow suite. All kills of a test fall into one load; the ledger is compared once,
at the end, for what was lost once stays lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger import Comparison
from plane import Plane
from processes import finish, load, wait_until
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.tansu import Tansu
from striking import address, dead_for_a_while, new_random

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

FEW = 3
MANY = 20
RATE = "1500"
AGAIN_S = "5"
SESSION = "session_ms=2000"

kills = pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])


def strike(plane: Plane, victim: Callable[[], None], times: int, journal: Path, *more: str) -> Comparison:
    """Let a load run, strike so many times at random moments, and compare when it is over."""
    rng = new_random()
    with plane, load(plane.bus, journal, "--rate", RATE, "--nodes", "4", *more) as producer:
        plane.await_growth()
        for _ in range(times):
            time.sleep(rng.uniform(0.1, 1.0))
            victim()
            plane.await_growth()
        time.sleep(rng.uniform(0.1, 0.5))
        finish(producer)
        found = plane.settle(journal)
    print(found)
    return found


@kills
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_the_consumer_is_killed_mqtt(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest, store: str, times: int
) -> None:
    plane = Plane(tmp_path, mosquitto.url, address(request, store, tmp_path), "--group", f"proof-{tmp_path.name}")
    strike(plane, plane.kill_ingest, times, tmp_path / "journal").check(at_least=2_000)


@kills
def test_the_consumer_is_killed_kafka(
    tmp_path: Path, own_tansu: Tansu, request: pytest.FixtureRequest, times: int
) -> None:
    bus = f"{own_tansu.url}?{SESSION}"
    plane = Plane(tmp_path, bus, address(request, "postgres", tmp_path))
    strike(plane, plane.kill_ingest, times, tmp_path / "journal").check(at_least=2_000)


@kills
def test_one_of_two_consumers_is_killed_or_frozen_kafka(
    tmp_path: Path, own_tansu: Tansu, request: pytest.FixtureRequest, times: int
) -> None:
    """Partitions move; a consumer that was frozen for longer than its session wakes with a batch that others have."""
    rng = new_random()
    bus, store = f"{own_tansu.url}?{SESSION}", address(request, "postgres", tmp_path)
    first, second = (Plane(tmp_path, bus, store, name=name) for name in ("first", "second"))
    journal = tmp_path / "journal"
    with first, second, load(own_tansu.url, journal, "--rate", RATE, "--nodes", "4") as producer:
        first.await_growth()
        for _ in range(times):
            time.sleep(rng.uniform(0.1, 1.0))
            victim = rng.choice((first, second))
            if rng.random() < 0.5:
                victim.kill_ingest()
            else:
                victim.ingest.pause()
                time.sleep(3.0)
                victim.ingest.resume()
            first.await_growth()
        finish(producer)
        found = first.settle(journal, also=second)
    print(found)
    found.check(at_least=2_000)


@kills
def test_the_database_is_killed(tmp_path: Path, mosquitto: Mosquitto, own_postgres: Postgres, times: int) -> None:
    store = own_postgres.new_database("proof")
    plane = Plane(tmp_path, mosquitto.url, store, "--group", f"proof-{tmp_path.name}")
    strike(plane, dead_for_a_while(own_postgres), times, tmp_path / "journal").check(at_least=2_000)


@kills
def test_the_broker_is_killed(
    tmp_path: Path, own_mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    """What a broker acknowledged and forgot is sent again by whom it came from, as an edge gateway does."""
    plane = Plane(tmp_path, own_mosquitto.url, address(request, "sqlite", tmp_path))
    found = strike(plane, dead_for_a_while(own_mosquitto), times, tmp_path / "journal", "--again-s", AGAIN_S)
    found.check(at_least=2_000)


@kills
def test_the_broker_is_restarted_in_order(
    tmp_path: Path, own_mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    """A broker that is asked to end keeps what it acknowledged: nobody has to send anything again."""
    plane = Plane(tmp_path, own_mosquitto.url, address(request, "sqlite", tmp_path))

    def restart() -> None:
        own_mosquitto.stop()
        own_mosquitto.start()

    strike(plane, restart, times, tmp_path / "journal").check(at_least=2_000)


@kills
def test_the_kafka_broker_is_frozen(
    tmp_path: Path, own_tansu: Tansu, request: pytest.FixtureRequest, times: int
) -> None:
    """The broker of the tests forgets everything when it is killed, so it is frozen for longer than a session."""
    bus = f"{own_tansu.url}?{SESSION}"
    plane = Plane(tmp_path, bus, address(request, "postgres", tmp_path))

    def freeze() -> None:
        own_tansu.pause()
        time.sleep(0.5 if times == FEW else 7.0)
        own_tansu.resume()

    strike(plane, freeze, times, tmp_path / "journal").check(at_least=2_000)


@kills
def test_the_producer_is_killed(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    """A device that starts again counts from the beginning under another boot; nothing of either is lost."""
    plane = Plane(tmp_path, mosquitto.url, address(request, "sqlite", tmp_path), "--group", f"proof-{tmp_path.name}")
    rng = new_random()
    journals = []
    with plane:
        for number in range(times):
            journal = tmp_path / f"journal{number}"
            late_s = str(86_400 * (number + 1))
            with load(plane.bus, journal, "--rate", RATE, "--boot", f"boot{number}", "--late-s", late_s) as producer:
                wait_until(lambda journal=journal: '"acked"' in journal.read_text(), "something was acknowledged")
                time.sleep(rng.uniform(0.1, 0.8))
                producer.kill()
            journals.append(journal)
        found = plane.settle(*journals)
    print(found)
    found.check(at_least=200)
