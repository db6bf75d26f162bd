"""The MongoDB sink on mongomock, which knows no time-series collection: no server can be had here."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import mongomock
import numpy as np
import pytest
from pymongo.errors import AutoReconnect

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import Ack, AckStatus, Command, Readings, SeriesKey
from vpp.core.time import epoch_s
from vpp.runtime.sink_mongo import DISPATCH_LOG, NODES, TELEMETRY, MongoSink
from vpp.streams.wire import NodeStatus

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KEYS = (SeriesKey("home01_load", "power_kw"), SeriesKey("home01_battery", "soc"))


class Database:
    """A mongomock database that takes the options of a time-series collection, and remembers them."""

    def __init__(self) -> None:
        self.real = mongomock.MongoClient(tz_aware=True).vpp
        self.client = self.real.client
        self.options: dict[str, Any] = {}
        self.away = False

    def __getitem__(self, name: str) -> Any:
        if self.away:
            raise AutoReconnect("mongodb://me:topsecret@127.0.0.1:27017")
        return self.real[name]

    def list_collection_names(self) -> list[str]:
        return self.real.list_collection_names()

    def create_collection(self, name: str, **options: Any) -> Any:
        self.options[name] = options
        return self.real.create_collection(name)


@pytest.fixture
def database() -> Database:
    return Database()


def readings(values: list[list[float]], *, issued: datetime = NOW) -> Readings:
    times = np.array([epoch_s(NOW) + 5 * i for i in range(len(values))])
    return Readings.from_table("homes", KEYS, times, np.array(values), arrived_s=epoch_s(issued))


def test_readings_are_documents_with_dates_and_the_same_again_changes_nothing(database: Database) -> None:
    sink = MongoSink(database)
    sink.write(readings([[-1.25, 0.5], [-1.5, np.nan]]))
    sink.write(readings([[-1.25, 0.5], [-1.5, np.nan]]))
    assert database.options[TELEMETRY] == {
        "timeseries": {"timeField": "time", "metaField": "meta", "granularity": "seconds"}
    }
    kept = list(database[TELEMETRY].find({}, {"_id": 0}).sort([("time", 1), ("meta.metric", 1)]))
    assert len(kept) == 3
    assert kept[0] == {
        "time": NOW,
        "meta": {"plant": "homes", "source": "home01_load", "metric": "power_kw"},
        "value": -1.25,
        "issued_at": NOW,
        "arrived_at": NOW,
        "quality": 0,
    }
    assert all(isinstance(one[name], datetime) for one in kept for name in ("time", "issued_at", "arrived_at"))


def test_a_revision_is_another_document(database: Database) -> None:
    sink = MongoSink(database)
    sink.write(readings([[-1.25, 0.5]]))
    sink.write(readings([[-1.30, 0.5]], issued=NOW + timedelta(minutes=1)))
    assert sorted(one["value"] for one in database[TELEMETRY].find({"meta.metric": "power_kw"})) == [-1.30, -1.25]


def test_commands_and_answers_are_logged_once(database: Database) -> None:
    command = Command("c1", "homes", "home01_battery", NOW, NOW, NOW + timedelta(minutes=15), -2.5)
    ack = Ack("c1", "homes", "home01_battery", NOW + timedelta(seconds=3), AckStatus.LIMITED, -2.0, "at its limit")
    sink = MongoSink(database)
    for _ in range(2):
        sink.write_commands([command])
        sink.write_acks([ack, ack])
    kept = {one["kind"]: one for one in database[DISPATCH_LOG].find()}
    assert database[DISPATCH_LOG].count_documents({}) == 2
    assert (kept["command"]["power_kw"], kept["command"]["end"]) == (-2.5, NOW + timedelta(minutes=15))
    assert (kept["ack"]["status"], kept["ack"]["power_kw"], kept["ack"]["at"]) == (
        "limited",
        -2.0,
        NOW + timedelta(seconds=3),
    )


def test_the_newest_status_of_a_node_stays(database: Database) -> None:
    sink = MongoSink(database)
    facts = {"depth": 3, "huge": 2**70, "drivers": ["a"], "link": None}
    sink.write_nodes([NodeStatus("homes", "home01", "b2", True, NOW, facts)])
    sink.write_nodes([NodeStatus("homes", "home01", "b1", False, NOW - timedelta(seconds=1))])
    (node,) = database[NODES].find()
    assert (node["_id"], node["boot"], node["online"], node["at"]) == ("homes/home01", "b2", True, NOW)
    assert node["facts"] == {"depth": 3, "huge": str(2**70), "drivers": '["a"]', "link": None}
    sink.write_nodes([NodeStatus("homes", "home01", "b2", False, NOW + timedelta(seconds=1))])
    assert database[NODES].find_one()["online"] is False


def test_a_server_that_is_away_is_told_without_its_address(database: Database) -> None:
    sink = MongoSink(database)
    database.away = True
    with pytest.raises(StoreError, match="AutoReconnect") as refused:
        sink.write(readings([[-1.0, 0.5]]))
    assert "topsecret" not in str(refused.value)
    database.away = False
    sink.write(readings([[-1.0, 0.5]]))
    assert database[TELEMETRY].count_documents({}) == 2


def test_every_document_can_be_written_by_bson(database: Database) -> None:
    """Mongomock does not encode; the real driver does."""
    bson = pytest.importorskip("bson")
    sink = MongoSink(database)
    sink.write(readings([[-1.25, 0.5]]))
    sink.write_nodes([NodeStatus("homes", "home01", "b", True, NOW, {"n": 2**70, "d": {"a": [1]}})])
    sink.write_commands([Command("c1", "homes", "b", NOW, NOW, NOW, 1.0)])
    for name in (TELEMETRY, NODES, DISPATCH_LOG):
        for document in database[name].find({}):
            assert bson.BSON.encode(document).decode()["_id"] == document["_id"]


def test_what_bson_cannot_hold_is_refused(database: Database) -> None:
    bson = pytest.importorskip("bson")

    class Strict:
        def update_one(self, _query, change, *, upsert: bool) -> None:
            assert upsert
            bson.BSON.encode(change)

    class Encoding(Database):
        def __getitem__(self, name: str) -> Any:
            return Strict()

    with pytest.raises(InvalidInputError, match="BSON"):
        MongoSink(Encoding()).write_nodes([NodeStatus("homes", "home01", "b", True, NOW, {"a\x00b": 1})])
    assert json.dumps(database.options) == "{}"
