"""A gateway and all behind it, killed, cut off and frozen: what was in its buffer is stored once, or waits there.

Three faults each in CI, twenty in the slow suite.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from edge_plane import SITES, EdgePlane
from processes import wait_until
from proxy import Link
from servers.mosquitto import Mosquitto
from servers.tansu import Tansu
from striking import address, dead_for_a_while, new_random

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

FEW = 3
MANY = 20
AT_LEAST = 500

faults = pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])


@faults
def test_the_gateway_is_killed(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    rng = new_random()
    store = address(request, "sqlite", tmp_path)
    with EdgePlane(tmp_path, mosquitto.url, store, "--group", f"proof-{tmp_path.name}") as plane:
        for _ in range(times):
            plane.await_growth()
            time.sleep(rng.uniform(0.1, 1.0))
            plane.kill_edge()
        plane.await_growth()
        found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)


@faults
def test_the_broker_is_killed_and_the_gateway_sends_again(
    tmp_path: Path, own_mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    rng = new_random()
    victim = dead_for_a_while(own_mosquitto)
    with EdgePlane(tmp_path, own_mosquitto.url, address(request, "sqlite", tmp_path)) as plane:
        for _ in range(times):
            plane.await_growth()
            time.sleep(rng.uniform(0.1, 1.5))
            victim()
        plane.await_growth()
        found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)


@faults
def test_broker_and_gateway_and_consumer_are_killed_together(
    tmp_path: Path, own_mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    """A power cut of the whole room, kernel and disks apart."""
    rng = new_random()
    with EdgePlane(tmp_path, own_mosquitto.url, address(request, "sqlite", tmp_path)) as plane:
        for _ in range(times):
            plane.await_growth()
            time.sleep(rng.uniform(0.1, 0.5))
            plane.ingest.kill()
            # What the gateway sends now is with the broker alone, and not on its disk.
            time.sleep(rng.uniform(0.1, 1.5))
            own_mosquitto.kill()
            plane.edge.kill()
            own_mosquitto.start()
            plane.start_edge()
            plane.start()
        plane.await_growth()
        found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)


def test_a_long_outage_after_a_crash_is_made_up_for_from_before_the_crash(
    tmp_path: Path, own_mosquitto: Mosquitto, request: pytest.FixtureRequest
) -> None:
    """What is sent again is what came before the break, however long that lasted."""
    store = address(request, "sqlite", tmp_path)
    with EdgePlane(tmp_path, own_mosquitto.url, store, recall_s=3) as plane:
        plane.await_growth()
        plane.ingest.kill()
        time.sleep(1.6)
        own_mosquitto.kill()
        time.sleep(6.0)
        own_mosquitto.start()
        plane.start()
        plane.await_growth()
        found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)


@faults
def test_the_link_of_the_gateway_breaks_anywhere(
    tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest, times: int
) -> None:
    rng = new_random()
    store = address(request, "sqlite", tmp_path)
    with (
        Link(mosquitto.port) as link,
        EdgePlane(
            tmp_path,
            mosquitto.url,
            store,
            "--group",
            f"proof-{tmp_path.name}",
            edge_bus=f"mqtt://127.0.0.1:{link.port}",
        ) as plane,
    ):
        for _ in range(times):
            plane.await_growth()
            link.cut_after = rng.randrange(16_384)
            time.sleep(rng.uniform(0.5, 1.5))
            link.cut()
            link.cut_after = None
        plane.await_growth()
        found = plane.settle_edge()
        print(found, "after", link.cuts, "cuts")
    found.check(at_least=AT_LEAST)


def test_an_outage_is_made_up_for(tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest) -> None:
    store = address(request, "sqlite", tmp_path)
    with (
        Link(mosquitto.port) as link,
        EdgePlane(
            tmp_path,
            mosquitto.url,
            store,
            "--group",
            f"proof-{tmp_path.name}",
            edge_bus=f"mqtt://127.0.0.1:{link.port}",
        ) as plane,
    ):
        plane.await_growth()
        link.refusing = True
        link.cut()
        time.sleep(5.0)
        link.refusing = False
        plane.await_growth()
        found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)


def test_readings_wait_until_somebody_takes_them(
    tmp_path: Path, own_mosquitto: Mosquitto, request: pytest.FixtureRequest
) -> None:
    """A broker takes what nobody has subscribed to, throws it away, and says so; that is no acknowledgement."""
    plane = EdgePlane(tmp_path, own_mosquitto.url, address(request, "sqlite", tmp_path))
    with plane.edge, plane.witness:
        wait_until(lambda: plane.witness.readings() >= 9 * SITES, "the gateway has measured")
        with plane.ingest:
            plane.await_ready()
            found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)


@faults
def test_the_gateway_is_killed_kafka(
    tmp_path: Path, own_tansu: Tansu, request: pytest.FixtureRequest, times: int
) -> None:
    rng = new_random()
    with EdgePlane(tmp_path, f"{own_tansu.url}?session_ms=2000", address(request, "postgres", tmp_path)) as plane:
        for _ in range(times):
            plane.await_growth()
            time.sleep(rng.uniform(0.1, 1.0))
            plane.kill_edge()
        plane.await_growth()
        found = plane.settle_edge()
    print(found)
    found.check(at_least=AT_LEAST)
