"""MongoDB as a sink: readings in a time-series collection, nodes, and a log of commands with their answers.

Collections: ``telemetry`` (time-series, MongoDB 5 and later: ``time``, ``meta`` with plant, source and metric),
``nodes`` (one document a node, the newest) and ``dispatch_log`` (commands and answers). Times are BSON dates.

A time-series collection has no unique index, so rows that are there are looked for before the others are written:
what one writer writes again stays once; two writers at the same moment may both write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.extras import require
from vpp.core.messages import Ack, Command, Readings
from vpp.core.time import from_epoch_s
from vpp.streams.wire import NodeStatus

SCHEMES = ("mongodb", "mongodb+srv")
TELEMETRY, NODES, DISPATCH_LOG = "telemetry", "nodes", "dispatch_log"
TIME_SERIES = {"timeField": "time", "metaField": "meta", "granularity": "seconds"}
PATIENCE_MS = 3_000
ANSWER_MS = 30_000
_DUPLICATE_KEY = 11_000
_MOST_AT_ONCE = 5_000
_LARGEST_WHOLE = 2**63 - 1

Document = dict[str, Any]


def open_mongo(url: str) -> MongoSink:
    """Return the sink that a URL names; it connects when it first writes.

    Raises
    ------
    InvalidInputError
        When the URL cannot be read or names no database; it is not repeated, for it may hold a password.
    MissingExtraError
        When ``pymongo`` is not installed.
    """
    pymongo = require("pymongo", extra="mongo")
    expected = "mongodb://host:27017/database"
    try:
        client = pymongo.MongoClient(
            url, connect=False, tz_aware=True, serverSelectionTimeoutMS=PATIENCE_MS, socketTimeoutMS=ANSWER_MS
        )
    except (pymongo.errors.PyMongoError, ValueError) as fault:
        raise InvalidInputError("sink", "a URL that cannot be read", expected) from fault
    try:
        database = client.get_default_database()
    except pymongo.errors.ConfigurationError as fault:
        client.close()
        raise InvalidInputError("sink", "a URL without a database", expected) from fault
    return MongoSink(database)


class MongoSink:
    """Writes into one database.

    Parameters
    ----------
    database : pymongo Database
        With aware times (``tz_aware``). Its collections are made when they are not there.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self._errors = require("pymongo.errors", extra="mongo")
        self._bson_errors = require("bson.errors", extra="mongo")
        self._is_ready = False

    def write(self, readings: Readings) -> None:
        """Write the readings that are not there yet."""
        documents = [_reading_document(readings, i) for i in range(len(readings))]
        with self._faults():
            self._make_ready()
            telemetry = self._database[TELEMETRY]
            for first in range(0, len(documents), _MOST_AT_ONCE):
                some = documents[first : first + _MOST_AT_ONCE]
                known = self._known(readings, some)
                new = {_identity(one): one for one in some if _identity(one) not in known}
                if new:
                    telemetry.insert_many(list(new.values()), ordered=False)

    def write_commands(self, commands: Sequence[Command]) -> None:
        """Add commands to the log; one that is there stays as it is."""
        self._log([_command_document(command) for command in commands])

    def write_acks(self, acks: Sequence[Ack]) -> None:
        """Add answers to the log; one that is there stays as it is."""
        self._log([_ack_document(ack) for ack in acks])

    def write_nodes(self, statuses: Sequence[NodeStatus]) -> None:
        """Keep how nodes are; an older status changes nothing."""
        with self._faults():
            for status in statuses:
                document = _node_document(status)
                name = document.pop("_id")
                try:
                    self._database[NODES].update_one(
                        {"_id": name, "at": {"$lte": status.at}}, {"$set": document}, upsert=True
                    )
                except self._errors.DuplicateKeyError:
                    continue  # a newer one is there

    def close(self) -> None:
        """Release connections."""
        self._database.client.close()

    def _make_ready(self) -> None:
        if self._is_ready:
            return
        if TELEMETRY not in self._database.list_collection_names():
            with suppress(self._errors.CollectionInvalid):  # another process was first
                self._database.create_collection(TELEMETRY, timeseries=TIME_SERIES)
            self._database[TELEMETRY].create_index(
                [("meta.plant", 1), ("meta.source", 1), ("meta.metric", 1), ("time", -1)]
            )
        self._is_ready = True

    def _known(self, readings: Readings, documents: Sequence[Document]) -> set[tuple[Any, ...]]:
        """Return which of the rows are there."""
        times = [document["time"] for document in documents]
        found = self._database[TELEMETRY].find(
            {
                "meta.plant": readings.plant,
                "meta.source": {"$in": sorted({document["meta"]["source"] for document in documents})},
                "time": {"$gte": min(times), "$lte": max(times)},
            },
            {"_id": 0},
        )
        return {_identity(document) for document in found}

    def _log(self, documents: list[Document]) -> None:
        if not documents:
            return
        with self._faults():
            try:
                self._database[DISPATCH_LOG].insert_many(documents, ordered=False)
            except self._errors.BulkWriteError as fault:
                if any(error.get("code") != _DUPLICATE_KEY for error in fault.details["writeErrors"]):
                    raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (self._bson_errors.BSONError, OverflowError) as fault:
            raise InvalidInputError("document", type(fault).__name__, "what BSON can hold") from fault
        except self._errors.PyMongoError as fault:
            # Its words may hold the address, which may hold a password.
            raise StoreError(f"MongoDB took nothing ({type(fault).__name__}); it is tried again") from fault


def _reading_document(readings: Readings, row: int) -> Document:
    key = readings.keys[int(readings.series[row])]
    return {
        "time": from_epoch_s(int(readings.time_s[row])),
        "meta": {"plant": readings.plant, "source": key.source, "metric": key.metric},
        "value": float(readings.value[row]),
        "issued_at": from_epoch_s(int(readings.issued_s[row])),
        "arrived_at": from_epoch_s(int(readings.arrived_s[row])),
        "quality": int(readings.quality[row]),
    }


def _identity(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes a row the same: all but when it arrived, for a copy arrives later."""
    meta = document["meta"]
    return (meta["source"], meta["metric"], document["time"], document["issued_at"], document["value"])


def _command_document(command: Command) -> Document:
    return {
        "_id": f"{command.plant}/{command.id}",
        "kind": "command",
        "plant": command.plant,
        "command_id": command.id,
        "asset_id": command.asset_id,
        "at": command.issued_at,
        "start": command.start,
        "end": command.end,
        "power_kw": command.power_kw,
        "grid_floor_kw": command.grid_floor_kw,
        "grid_ceiling_kw": command.grid_ceiling_kw,
        "may_reverse": command.may_reverse,
    }


def _ack_document(ack: Ack) -> Document:
    return {
        "_id": f"{ack.plant}/{ack.command_id}/{ack.status}/{ack.at.isoformat()}",
        "kind": "ack",
        "plant": ack.plant,
        "command_id": ack.command_id,
        "asset_id": ack.asset_id,
        "at": ack.at,
        "status": str(ack.status),
        "power_kw": ack.power_kw,
        "message": ack.message,
    }


def _node_document(status: NodeStatus) -> Document:
    return {
        "_id": f"{status.plant}/{status.source}",
        "plant": status.plant,
        "node": status.source,
        "boot": status.boot,
        "online": status.online,
        "at": status.at,
        "facts": {name: _fact(value) for name, value in status.facts.items()},
    }


def _fact(value: Any) -> Any:
    """Return a fact as BSON holds it; what it does not hold as it is becomes its JSON text."""
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST_WHOLE:
        return value
    return msgspec.json.encode(value).decode()
