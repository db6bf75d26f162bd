"""Links that delay, break in the middle of a message, or fall silent: no partial row, nothing lost, nothing twice."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path

import pytest
from plane import Plane
from processes import finish, load, wait_until
from proxy import Link
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from striking import address, new_random

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

CUTS = 6
MANY_CUTS = 200
LONGEST_CUT_BYTES = 4_096
RATE = "1000"

cuts = pytest.mark.parametrize("times", [CUTS, pytest.param(MANY_CUTS, marks=pytest.mark.slow)])


def cut_often(link: Link, times: int, longest_bytes: int, rng: random.Random) -> None:
    """Break a link after so many bytes, again and again, each time at another place."""
    for _ in range(times):
        link.cut_after = rng.randrange(longest_bytes)
        before = link.cuts
        link.cut()
        # The connection that comes next is cut as well, after that many bytes of its own.
        wait_until(lambda before=before: link.cuts >= before + 2, "the next connection is cut", every_s=0.02)
    link.cut_after = None
    link.cut()


@cuts
def test_the_link_of_a_producer_breaks_anywhere(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    rng = new_random()
    store = address(request, "sqlite", tmp_path)
    journal = tmp_path / "journal"
    with (
        Link(mosquitto.port) as link,
        Plane(tmp_path, mosquitto.url, store, "--group", f"proof-{tmp_path.name}") as plane,
        load(f"mqtt://127.0.0.1:{link.port}", journal, "--rate", RATE) as producer,
    ):
        plane.await_growth()
        cut_often(link, times, LONGEST_CUT_BYTES, rng)
        plane.await_growth()
        finish(producer)
        found = plane.settle(journal)
        print(found, "after", link.cuts, "cuts")
    found.check(at_least=500)


@cuts
def test_the_link_of_the_consumer_breaks_anywhere(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    rng = new_random()
    store = address(request, "sqlite", tmp_path)
    journal = tmp_path / "journal"
    with (
        Link(mosquitto.port) as link,
        Plane(tmp_path, f"mqtt://127.0.0.1:{link.port}", store, "--group", f"proof-{tmp_path.name}") as plane,
        load(mosquitto.url, journal, "--rate", RATE) as producer,
    ):
        plane.await_growth()
        cut_often(link, times, 1_024, rng)
        plane.await_growth()
        finish(producer)
        found = plane.settle(journal)
        print(found, "after", link.cuts, "cuts")
    found.check(at_least=1_000)


@cuts
def test_the_link_to_the_database_breaks_anywhere(
    tmp_path: Path, mosquitto: Mosquitto, postgres: Postgres, request: pytest.FixtureRequest, times: int
) -> None:
    """A COPY or a COMMIT that is cut in the middle is kept whole or not at all."""
    rng = new_random()
    store = address(request, "postgres", tmp_path)
    journal = tmp_path / "journal"
    with Link(postgres.port) as link:
        through_link = store.replace(f":{postgres.port}/", f":{link.port}/")
        with (
            Plane(tmp_path, mosquitto.url, through_link, "--group", f"proof-{tmp_path.name}") as plane,
            load(mosquitto.url, journal, "--rate", RATE) as producer,
        ):
            plane.store = store
            plane.await_growth()
            cut_often(link, times, 120_000, rng)
            plane.await_growth()
            finish(producer)
            found = plane.settle(journal)
            print(found, "after", link.cuts, "cuts")
    found.check(at_least=1_000)


def test_a_link_that_falls_silent_is_given_up_and_made_anew(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest
) -> None:
    """Half-open: everything sent is swallowed and no connection ends. The keep-alive finds it."""
    store = address(request, "sqlite", tmp_path)
    journal = tmp_path / "journal"
    keepalive_s = 4
    with Link(mosquitto.port) as link:
        bus = f"mqtt://127.0.0.1:{link.port}?keepalive_s={keepalive_s}"
        with (
            Plane(tmp_path, bus, store, "--group", f"proof-{tmp_path.name}") as plane,
            load(mosquitto.url, journal, "--rate", "300") as producer,
        ):
            plane.await_growth()
            connections = link.connections
            link.silent = True
            begun = time.monotonic()
            wait_until(lambda: link.cuts > 0 or link.connections > connections, "the link was given up", every_s=0.02)
            found_after_s = time.monotonic() - begun
            link.silent = False
            plane.await_growth()
            finish(producer)
            found = plane.settle(journal)
    print(found, f"given up after {found_after_s:.1f} s of silence")
    found.check(at_least=300)
    assert found_after_s <= 1.5 * keepalive_s + 1.0


def test_a_slow_link_only_makes_it_slower(tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest) -> None:
    store = address(request, "sqlite", tmp_path)
    journal = tmp_path / "journal"
    with Link(mosquitto.port) as link:
        link.delay_s = 0.3
        with (
            Plane(tmp_path, f"mqtt://127.0.0.1:{link.port}", store, "--group", f"proof-{tmp_path.name}") as plane,
            load(f"mqtt://127.0.0.1:{link.port}", journal, "--count", "200") as producer,
        ):
            assert producer.wait() == 0, producer.log()
            found = plane.settle(journal)
    print(found)
    found.check(at_least=1_600)


def test_many_that_come_back_do_not_come_at_once(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest
) -> None:
    """While the broker is away each tries at most five times a second, and with jitter."""
    store = address(request, "sqlite", tmp_path)
    with (
        Link(mosquitto.port) as link,
        Plane(tmp_path, f"mqtt://127.0.0.1:{link.port}", store, "--group", f"proof-{tmp_path.name}"),
    ):
        link.refusing = True
        link.cut()
        tried: list[float] = []
        link.on_refused = lambda: tried.append(time.monotonic())
        time.sleep(4.0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tried)]
    print("attempts", len(tried), "gaps [s]", [round(gap, 2) for gap in gaps])
    assert 2 <= len(tried) <= 20
    assert len({round(gap, 2) for gap in gaps}) > 1, "no jitter"
