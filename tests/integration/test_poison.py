"""Poison: whatever arrives, the good is stored exactly, the bad is counted exactly, and nothing stands still."""

from __future__ import annotations

import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres

from vpp.config import VPPConfig
from vpp.core.messages import Channel, Parcel, Quality
from vpp.core.ports import Bus, Store
from vpp.core.time import epoch_s, from_epoch_s
from vpp.runtime.build import open_store
from vpp.runtime.clock import WallClock
from vpp.runtime.ingestion.reception import Reception
from vpp.runtime.ingestion.running import CHANNELS
from vpp.runtime.ingestion.service import Ingestion, IngestSettings
from vpp.streams.open import open_bus

PLANT = "homes"
GOOD = 10_000
POISON = 100
NOW = datetime.now(UTC).replace(microsecond=0)
ASSETS = tuple(f"home{number}_load" for number in ("01", "02", "04", "05", "06", "07", "09", "10", "14", "15"))


def message(sequence: int, *rows: dict[str, Any], **changes: Any) -> bytes:
    """Return a message of schema 2, its numbers written as Python writes them: NaN and Infinity among them."""
    document = {"schema": 2, "boot": "b1", "sequence": sequence, "issued_at": NOW.isoformat(), "readings": list(rows)}
    return json.dumps(document | changes).encode()


def row(asset: str = ASSETS[0], value: Any = -0.5, *, age_s: float = 60.0, metric: str = "power_kw") -> dict[str, Any]:
    time_text = (NOW - timedelta(seconds=age_s)).isoformat()
    return {"asset": asset, "metric": metric, "time": time_text, "value": value}


BROKEN: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "cut short": ("json", lambda n: message(n, row())[:-7] + str(n).encode()),
    "not UTF-8": ("encoding", lambda n: b'{"schema":2,"boot":"\xff\xfe%d"}' % n),
    "deep": ("json", lambda n: b"[" * 100_000 + str(n).encode()),
    "deep objects": ("json", lambda n: b'{"a":' * 100_000 + str(n).encode()),
    "NaN": ("number", lambda n: message(n, row(value=float("nan")))),
    "infinite": ("number", lambda n: message(n, row(value=float("-inf")))),
    "1e308": ("range", lambda n: message(n, row(value=1e308))),
    "bool": ("number", lambda n: message(n, row(value=True))),
    "text": ("number", lambda n: message(n, row(value="1.5"))),
    "1970": ("clock", lambda n: message(n, row() | {"time": "1970-01-01T00:00:00Z"})),
    "tomorrow": ("clock", lambda n: message(n, row(age_s=-86_400.0))),
    "naive": ("clock", lambda n: message(n, row() | {"time": "2026-11-20T15:00:00"})),
    "W for kW": ("unit", lambda n: message(n, row(value=-1500.0))),
    "percent": ("unit", lambda n: message(n, row("home01_battery", 55.0, metric="soc"))),
    "wrong sign": ("range", lambda n: message(n, row(value=4.0))),
    "unknown asset": ("name", lambda n: message(n, row("home03_load"))),
    "unknown metric": ("name", lambda n: message(n, row(metric="power_w"))),
    "wrong schema": ("schema", lambda n: message(n, row(), schema=3)),
    "no schema": ("schema", lambda n: b'{"readings":[],"n":%d}' % n),
    "array": ("schema", lambda n: b"[%d]" % n),
}


def good(sequence: int) -> bytes:
    """Return a sound message; the sixth of them are of schema 1, others carry a field nobody knows."""
    asset, age_s = ASSETS[sequence % len(ASSETS)], 60.0 + sequence // len(ASSETS)
    told = row(asset, value_of(sequence), age_s=age_s)
    if sequence % 6 == 0:
        flat = {"schema": 1, "source": asset, "boot": "b1", "sequence": sequence, "metric": "power_kw"}
        return json.dumps(flat | {"time": told["time"], "value": told["value"]}).encode()
    extra = {"firmware": "9.1"} if sequence % 7 == 0 else {}
    return message(sequence, told, **extra)


def value_of(sequence: int) -> float:
    return -(sequence % 997) / 300.0


def mixed() -> tuple[list[Parcel], Counter[str]]:
    """Return good and bad parcels in one order, and how many refusals of each reason they must give."""
    payloads = [good(sequence) for sequence in range(GOOD)]
    expected: Counter[str] = Counter()
    kinds = list(BROKEN.values())
    for number in range(POISON):
        reason, make = kinds[number % len(kinds)]
        payloads.append(make(GOOD + number))
        expected[reason] += 1
    random.Random(11).shuffle(payloads)
    return [Parcel(PLANT, "home01", Channel.TELEMETRY, payload) for payload in payloads], expected


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    urls = {"memory": lambda: "memory://", "sqlite": lambda: f"sqlite:///{tmp_path / 'poison.db'}"}
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database(f"poison_{tmp_path.name.replace('-', '_')}")
    else:
        url = urls[request.param]()
    opened = open_store(url)
    yield opened
    opened.close()


def ingestion_of(bus: Bus[Parcel], store: Store) -> Ingestion:
    plant = VPPConfig.load(PLANT).plant
    return Ingestion(
        bus,
        store,
        Reception([plant]),
        clock=WallClock(),
        name="ingest",
        plants=[PLANT],
        settings=IngestSettings(linger_s=0.05),
    )


def drain(ingestion: Ingestion, parcels: int, *, within_s: float = 60.0) -> None:
    stopped, deadline = Flag(), time.monotonic() + within_s
    while ingestion.counts.get("parcels_total") < parcels:
        assert time.monotonic() < deadline, "ingestion stands still"
        ingestion.step(stopped)


def stored(store: Store) -> dict[tuple[str, int], float]:
    """Return every reading of the loads by asset and time."""
    found: dict[tuple[str, int], float] = {}
    keys = [key for key in _keys(store) if key.metric == "power_kw"]
    rows = store.readings(PLANT, keys, NOW - timedelta(days=2), NOW + timedelta(days=2), most=10 * GOOD)
    for one in rows.rows():
        found[one.key.source, epoch_s(one.time)] = one.value
    return found


def _keys(store: Store) -> list[Any]:
    latest = store.latest(PLANT)
    assert latest is not None
    return list(latest.keys)


def expected_rows() -> dict[tuple[str, int], float]:
    return {(ASSETS[n % len(ASSETS)], epoch_s(NOW) - 60 - n // len(ASSETS)): value_of(n) + 0.0 for n in range(GOOD)}


def test_one_percent_of_poison_in_ten_thousand(store: Store, request: pytest.FixtureRequest) -> None:
    bus = open_bus(f"memory://{request.node.name.replace('[', '-').replace(']', '')}", channels=CHANNELS)
    parcels, expected = mixed()
    ingestion = ingestion_of(bus, store)
    for start in range(0, len(parcels), 1000):
        bus.publish(parcels[start : start + 1000])
        drain(ingestion, min(start + 1000, len(parcels)))
    assert stored(store) == expected_rows()
    assert store.refusal_count() == POISON
    counts = ingestion.counts
    assert {reason: counts.get(f"refusals_total:{reason}") for reason in expected} == expected
    assert counts.get("store_errors_total") == 0
    bus.publish(parcels[:1000])
    drain(ingestion, len(parcels) + 1000)
    assert stored(store) == expected_rows()
    assert store.refusal_count() == POISON
    bus.close()


@pytest.mark.server
def test_the_same_through_a_real_broker(mosquitto: Mosquitto) -> None:
    store = open_store("memory://")
    bus = open_bus(mosquitto.url, plants=[PLANT], channels=CHANNELS, client_id="poisoned-consumer")
    producer = open_bus(mosquitto.url, client_id="poisoner")
    parcels, expected = mixed()
    producer.publish(parcels)
    ingestion = ingestion_of(bus, store)
    drain(ingestion, len(parcels))
    assert stored(store) == expected_rows()
    assert store.refusal_count() == POISON
    assert {reason: ingestion.counts.get(f"refusals_total:{reason}") for reason in expected} == expected
    producer.close()
    bus.close()


def test_twenty_megabytes_and_a_hundred_thousand_levels_cost_neither_time_nor_memory() -> None:
    bus, store = open_bus("memory://huge", channels=CHANNELS), open_store("memory://")
    ingestion = ingestion_of(bus, store)
    bus.publish([Parcel(PLANT, "home01", Channel.TELEMETRY, message(0, row()))])
    drain(ingestion, 1)
    huge = [b" " * 20_000_000, b"[" * 20_000_000, b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000]
    bus.publish([Parcel(PLANT, f"n{i}", Channel.TELEMETRY, payload) for i, payload in enumerate(huge)])
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin_s = time.process_time()
    drain(ingestion, 1 + len(huge))
    assert time.process_time() - begin_s < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 50 * 1024
    assert [refusal.reason for refusal in reversed(store.refusals())] == ["size", "size", "json", "json"]
    assert all(len(refusal.payload) <= 65_536 for refusal in store.refusals())
    bus.close()


def test_late_and_doubtful_readings_are_kept_with_their_flag() -> None:
    bus, store = open_bus("memory://doubtful", channels=CHANNELS), open_store("memory://")
    ingestion = ingestion_of(bus, store)
    rows = [row(age_s=86_400.0), row("home01_pv", 4.9), row("home01_pv", -0.0, age_s=30.0)]
    bus.publish([Parcel(PLANT, "home01", Channel.TELEMETRY, message(0, *rows))])
    drain(ingestion, 1)
    kept = store.readings(PLANT, _keys(store), NOW - timedelta(days=2), NOW)
    assert {(one.key.source, one.time, one.quality) for one in kept.rows()} == {
        (ASSETS[0], from_epoch_s(epoch_s(NOW) - 86_400), Quality.LATE),
        ("home01_pv", from_epoch_s(epoch_s(NOW) - 60), Quality.OUT_OF_RANGE),
        ("home01_pv", from_epoch_s(epoch_s(NOW) - 30), Quality.GOOD),
    }
    assert store.refusal_count() == 0
    assert ingestion.counts.get("flagged_total") == 2
    bus.close()
