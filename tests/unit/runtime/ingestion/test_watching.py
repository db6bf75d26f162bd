from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from vpp.cli.top import page
from vpp.core.messages import Delivery, Heartbeat, Quality, Readings, Refusal, SeriesKey
from vpp.core.time import epoch_s
from vpp.runtime.ingestion.watching import document, look, state_of
from vpp.store.memory import MemoryStore


@pytest.fixture
def store(now: datetime) -> MemoryStore:
    """Return a store with two services, three sources of two plants and two refusals."""
    store = MemoryStore()
    counts = {"parcels_per_s": 5123.0, "lag_seconds": 2.0, "store_up": 1.0, "plant:home": 1.0, "refusals_total:json": 1}
    store.write_heartbeat(Heartbeat("ingest-1", now - timedelta(seconds=1), counts))
    store.write_heartbeat(Heartbeat("ingest-2", now - timedelta(seconds=90), {"store_up": 1.0, "plant:barn": 1.0}))
    for plant, source, age_s, quality in (("home", "pv", 5, 0), ("home", "load", 4000, 32), ("barn", "pv", 60, 4)):
        arrived = np.array([epoch_s(now) - age_s])
        rows = Readings(
            plant,
            (SeriesKey(source, "power_kw"),),
            np.array([0]),
            arrived - 10,
            arrived,
            arrived,
            np.array([1.0]),
            np.array([quality]),
        )
        store.write_readings(rows)
    refusals = tuple(
        Refusal(plant, "house", now, "json", "payload: got '[red]{', expected JSON", b"[red]{\xff")
        for plant in ("home", "barn")
    )
    store.take(Delivery(refusals=refusals))
    return store


def test_all_plants_that_services_name_are_looked_at_the_stalest_source_first(
    store: MemoryStore, now: datetime
) -> None:
    seen = look(store, (), now)
    assert [(one.plant, one.source) for one in seen.sources] == [("home", "load"), ("barn", "pv"), ("home", "pv")]
    assert [one.flags for one in seen.sources] == [Quality.LATE, Quality.UNIT_SUSPECT, Quality.GOOD]
    assert (seen.quarantined, seen.reasons) == (2, {"json": 2})
    assert [state_of(beat, now) for beat in seen.services] == ["running", "silent"]


def test_of_one_plant_nothing_of_another_is_seen(store: MemoryStore, now: datetime) -> None:
    seen = look(store, ("barn",), now)
    assert {one.plant for one in seen.sources} == {one.plant for one in seen.refusals} == {"barn"}
    assert seen.quarantined == 1


@pytest.mark.parametrize(
    ("counts", "age_s", "state"),
    [
        ({"store_up": 1.0}, 0, "running"),
        ({"store_up": 0.0}, 0, "store failing"),
        ({"store_up": 1.0}, 6, "silent"),
        ({"store_up": 1.0, "stopped": 1.0}, 600, "stopped"),
    ],
)
def test_how_a_service_is(now: datetime, counts: dict[str, float], age_s: int, state: str) -> None:
    assert state_of(Heartbeat("ingest", now - timedelta(seconds=age_s), counts), now) == state


def test_the_document_is_json_whatever_was_refused(store: MemoryStore, now: datetime) -> None:
    told = json.loads(json.dumps(document(look(store, (), now)), allow_nan=False))
    assert told["quarantine"]["count"] == 2
    assert told["quarantine"]["newest"][0]["payload"] == "[red]{�"
    assert told["sources"][0] == {
        "plant": "home",
        "source": "load",
        "series": 1,
        "newest_time_s": epoch_s(now) - 4010,
        "arrived_age_s": 4000,
        "flags": ["late"],
    }


@pytest.mark.parametrize("width", [80, 120])
def test_the_page_fits_the_terminal_and_shows_markup_as_it_is(store: MemoryStore, now: datetime, width: int) -> None:
    console = Console(width=width, record=True, file=StringIO())
    console.print(page(look(store, (), now)))
    text = console.export_text()
    assert all(len(line) <= width for line in text.splitlines())
    for word in ("ingest-1", "5,123", "silent", "home/load", "late", "Quarantine: 2", "'[red]{'"):
        assert word in text


def test_an_empty_store_says_so(now: datetime) -> None:
    console = Console(width=80, record=True, file=StringIO())
    console.print(page(look(MemoryStore(), (), now)))
    text = console.export_text()
    for words in ("No service", "Quarantine is empty", "No readings yet"):
        assert words in text
