"""``vpp produce`` and ``vpp consume`` as a user runs them, on a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from servers.mosquitto import Mosquitto
from servers.tansu import Tansu

from vpp.core.messages import Channel
from vpp.streams.open import open_bus

pytestmark = pytest.mark.server


def vpp(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "vpp", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_is_produced_is_consumed_by_a_group(tansu: Tansu) -> None:
    bus = f"{tansu.url}?session_ms=1500&partitions=3"
    done = vpp("produce", "homes", "--bus", bus, "--kind", "market", "--count", "30", "--now", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    produced = json.loads(done.stdout)
    assert produced["messages"] == 30
    asked: Sequence[str] = ("consume", "--bus", bus, "--plant", "homes", "--group", "cli", "--wait", "15s", "--json")
    told = lines(vpp(*asked, "--count", "30").stdout)
    assert [one["payload"]["sequence"] for one in told] == list(range(30))
    assert {(one["plant"], one["source"], one["channel"], one["kind"]) for one in told} == {
        ("homes", "market", "telemetry", "market")
    }
    assert sum(len(one["payload"]["readings"]) for one in told) == produced["readings"]


def test_a_look_takes_nothing_from_who_consumes(mosquitto: Mosquitto) -> None:
    consumer = open_bus(mosquitto.url, plants=["wholesale"], channels=[Channel.TELEMETRY], group="real-consumer")
    looking = subprocess.Popen(
        [sys.executable, "-m", "vpp", "consume", "--bus", mosquitto.url, "--plant", "wholesale", "--count", "20",
         "--wait", "60s"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    told: list[str] = []
    for _ in range(20):
        if looking.poll() is not None:
            break
        done = vpp("produce", "wholesale", "--bus", mosquitto.url, "--simulated", "--count", "20")
        assert "published 20 messages" in done.stderr
    assert looking.stdout is not None
    told = looking.stdout.read().splitlines()
    looking.stdout.close()
    assert looking.wait(timeout=60) == 0
    assert len(told) == 20
    assert all(line.startswith("wholesale/") for line in told)
    assert len(consumer.consume(most=10_000, wait_s=1.0)) >= 20
    consumer.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("produce", "homes", "--bus", "memory://", "--kind", "sun"), "no kind of source called 'sun'"),
        (("produce", "homes", "--bus", "memory://", "--simulated", "--from", "x.csv"), "not both"),
        (("produce", "homes", "--bus", "memory://", "--speed", "-1"), "--speed"),
        (("produce", "homes", "--bus", "memory://", "--start", "2030-01-01T00:00Z"), "a span within the data"),
        (("produce", "homes", "--bus", "memory://", "--from", "nowhere.csv"), "nowhere.csv"),
        (("produce", "homes", "--bus", "mqt://broker"), "no bus called 'mqt'"),
        (("consume", "--bus", "mqtt://127.0.0.1:1?longest=3"), "no option of mqtt:// called 'longest'"),
        (("consume", "--bus", "memory://", "--wait", "soon"), "--wait"),
        (("bridge", "--from", "memory://a", "--to", "memory://a"), "another bus than --from"),
    ],
)
def test_refusals(words: tuple[str, ...], said: str) -> None:
    done = vpp(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
