"""The relay between processes over a real Redis: every message once, none back, and what an outage costs is told."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.redis import Redis

from vpp.core.errors import InvalidInputError
from vpp.runtime.hub import Hub, Subscription
from vpp.runtime.relay import Relay, connect
from vpp.runtime.relay_cache import ReadCache

pytestmark = pytest.mark.server

OTHER_PROCESS = textwrap.dedent(
    """
    import json, sys
    from vpp.runtime.hub import Hub
    from vpp.runtime.relay import Relay

    hub = Hub()
    relay = Relay(sys.argv[1], {"homes": hub})
    heard = hub.subscribe()
    relay.begin(wait_s=10.0)
    print("ready", flush=True)
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        if word == "say":
            for i in range(int(number)):
                hub.publish({"topic": "tick", "other": i})
        if word == "hear":
            print(json.dumps([heard.get(10.0) for _ in range(int(number))]), flush=True)
    relay.stop()
    """
)


@pytest.fixture
def own_redis(tmp_path: Path, redis_server: Redis) -> Iterator[Redis]:
    """A Redis that a test may kill; the common one only tells whether there is a program."""
    with Redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def join() -> Iterator[Callable[..., tuple[Hub, Relay, Subscription]]]:
    relays: list[Relay] = []

    def make(url: str, plant: str = "homes") -> tuple[Hub, Relay, Subscription]:
        hub = Hub()
        relay = Relay(url, {plant: hub}, seed=len(relays))
        relays.append(relay)
        relay.begin(wait_s=5.0)
        return hub, relay, hub.subscribe()

    yield make
    for relay in relays:
        relay.stop()
        relay.stop()


def drain(heard: Subscription, *, silence_s: float = 0.3) -> list[dict]:
    found = []
    while (message := heard.get(silence_s)) is not None:
        found.append(message)
    return found


def wait_for(condition: Callable[[], bool], *, most_s: float = 15.0) -> None:
    deadline = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def test_what_one_says_the_others_hear_once_and_in_order(redis_server, join) -> None:
    (one, _, at_one), (_, _, at_two), (_, _, at_three) = (join(redis_server.url) for _ in range(3))
    said = [{"topic": "tick", "n": i} for i in range(200)]
    for message in said:
        one.publish(message)
    assert drain(at_two) == said
    assert drain(at_three) == said
    assert drain(at_one) == said


def test_nothing_of_one_plant_is_heard_in_another(redis_server, join) -> None:
    mine, _, _ = join(redis_server.url, "mine")
    _, theirs, at_theirs = join(redis_server.url, "theirs")
    mine.publish({"topic": "tick"})
    assert drain(at_theirs) == []
    assert theirs.counts.received == 0


def test_two_processes_hear_each_other(redis_server, join) -> None:
    hub, _, heard = join(redis_server.url)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, redis_server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        print("say 3", file=other.stdin, flush=True)
        assert [heard.get(10.0) for _ in range(3)] == [{"topic": "tick", "other": i} for i in range(3)]
        hub.publish({"topic": "event", "message": "hello"})
        print("hear 4", file=other.stdin, flush=True)
        assert json.loads(other.stdout.readline())[-1] == {"topic": "event", "message": "hello"}
        other.stdin.close()
        assert other.wait(15.0) == 0


def test_an_outage_is_told_once_and_what_was_missed_is_counted(own_redis, join, caplog) -> None:
    caplog.set_level(logging.WARNING)
    (one, relay_one, _), (_, relay_two, at_two) = join(own_redis.url), join(own_redis.url)
    one.publish({"topic": "tick", "n": 0})
    assert at_two.get(5.0) == {"topic": "tick", "n": 0}
    own_redis.kill()
    wait_for(lambda: not relay_one.is_connected and not relay_two.is_connected)
    began = time.perf_counter()
    for n in range(1, 41):
        one.publish({"topic": "tick", "n": n})
    assert time.perf_counter() - began < 0.1
    wait_for(lambda: relay_one.counts.unsent == 40)
    own_redis.start()
    wait_for(lambda: relay_one.is_connected and relay_two.is_connected)
    one.publish({"topic": "tick", "n": 41})
    told, last = at_two.get(5.0), at_two.get(5.0)
    assert (told["topic"], told["severity"]) == ("event", "warning")
    assert told["message"].startswith("40 live messages")
    assert last == {"topic": "tick", "n": 41}
    assert (relay_two.counts.missed, relay_one.counts.sent) == (40, 2)
    words = [record.getMessage() for record in caplog.records]
    assert sum("is away" in line for line in words) == 2
    assert sum("is back" in line for line in words) == 2


def test_a_redis_that_hangs_is_noticed_and_the_hub_goes_on(own_redis, join) -> None:
    hub, relay, heard = join(own_redis.url)
    own_redis.pause()
    try:
        hub.publish({"topic": "tick"})
        assert heard.get(0.5) == {"topic": "tick"}
        wait_for(lambda: not relay.is_connected)
    finally:
        own_redis.resume()
    wait_for(lambda: relay.is_connected)


def test_a_process_begins_without_redis_and_finds_it_later(own_redis, join) -> None:
    own_redis.kill()
    hub = Hub()
    relay = Relay(own_redis.url, {"homes": hub}, seed=1)
    relay.begin(wait_s=0.2)
    assert not relay.is_connected
    own_redis.start()
    wait_for(lambda: relay.is_connected)
    relay.stop()


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"nonsense", b'{"from": 1}', b'{"from":"x","sequence":true,"message":{"topic":"tick"}}',
     b'{"from":"x","sequence":1,"message":{"text":"no topic"}}', b"[" * 200_000, b"\xff\xfe", b"x" * 2_000_000],
)  # fmt: skip
def test_what_is_no_message_is_counted_and_passed_over(redis_server, join, payload: bytes) -> None:
    _, relay, heard = join(redis_server.url)
    client = connect(redis_server.url)
    client.publish("vpp/homes/live", payload)
    wait_for(lambda: relay.counts.refused == 1)
    client.publish("vpp/homes/live", b'{"from":"x","sequence":1,"message":{"topic":"tick"}}')
    assert heard.get(5.0) == {"topic": "tick"}
    client.close()


def test_an_answer_is_kept_until_something_happens(redis_server, join) -> None:
    (one, relay_one, _), (two, relay_two, at_two) = join(redis_server.url, "cached"), join(redis_server.url, "cached")
    caches = ReadCache(relay_one), ReadCache(relay_two)
    made: list[int] = []

    def ask(which: int) -> dict:
        return caches[which].get("cached", "assets", lambda: made.append(len(made)) or {"made": len(made)})

    assert [ask(0), ask(0), ask(1)] == [{"made": 1}] * 3
    one.publish({"topic": "tick"})
    # at once: what was published has not reached Redis yet, and the old answer is not given
    assert ask(0)["made"] == 2
    assert at_two.get(5.0) == {"topic": "tick"}
    assert ask(1)["made"] > 1
    count = len(made)
    two.publish({"topic": "readings", "count": 1})
    wait_for(lambda: relay_two.is_settled("cached"))
    assert ask(0)["made"] == count + 1


def test_an_answer_made_before_something_happened_is_not_kept(redis_server, join) -> None:
    hub, relay, _ = join(redis_server.url, "slow")
    cache = ReadCache(relay)

    def slowly() -> int:
        hub.publish({"topic": "tick"})
        wait_for(lambda: relay.is_settled("slow"))
        return 1

    assert cache.get("slow", "assets", slowly) == 1
    assert cache.get("slow", "assets", lambda: 2) == 2


def test_an_answer_grows_old(redis_server, join) -> None:
    _, relay, _ = join(redis_server.url, "old")
    cache = ReadCache(relay, ttl_s=1)
    assert [cache.get("old", "q", lambda: 1), cache.get("old", "q", lambda: 2)] == [1, 1]
    wait_for(lambda: cache.get("old", "q", lambda: 3) == 3, most_s=3.0)


def test_without_redis_every_answer_is_made_anew(own_redis, join) -> None:
    _, relay, _ = join(own_redis.url)
    cache = ReadCache(relay)
    own_redis.kill()
    assert [cache.get("homes", "q", lambda n=n: n) for n in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1:port/0", "6379"])
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError, match="redis") as refused:
        Relay(url.replace("//", "//user:topsecret@"), {"homes": Hub()})
    assert "topsecret" not in str(refused.value)
