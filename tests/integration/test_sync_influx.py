"""The sync from InfluxDB: its rows read back from a real VictoriaMetrics, and Flux against a stand-in for InfluxDB."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from servers.process import MissingServerError
from servers.victoria import Victoria

from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError
from vpp.core.messages import Readings, SeriesKey
from vpp.core.time import from_epoch_s
from vpp.edge.influx import InfluxSink
from vpp.edge.sync.influx_source import (
    ExportReader,
    FluxReader,
    InfluxRow,
    InfluxSource,
    influx_source,
)
from vpp.edge.sync.postgrest import rows_of
from vpp.edge.sync.progress import Progress
from vpp.edge.sync.service import SyncService
from vpp.edge.sync.target import Sent
from vpp.runtime.clock import DataClock

START_S = 1_780_315_200
TOKEN = "canary-token-9d2f4c"
KEYS = (SeriesKey("battery", "power_kw"), SeriesKey("battery", "soc"))
NOW = from_epoch_s(START_S + 8 * 3600)
ENVIRONMENT = {
    "INFLUXDB_URL": "http://127.0.0.1:1",
    "INFLUXDB_TOKEN": TOKEN,
    "INFLUXDB_ORG": "house",
    "INFLUXDB_BUCKET": "edge",
}


class Rows:
    """A reader of rows in memory that remembers how often it was asked."""

    name = "rows"

    def __init__(self, rows: set[InfluxRow]) -> None:
        self.rows = rows
        self.asked = 0

    def between(self, plant: str, start_s: int, stop_s: int) -> set[InfluxRow]:
        self.asked += 1
        return {row for row in self.rows if start_s <= row.time_s < stop_s}

    def close(self) -> None:
        return


class Shelf:
    name = "shelf"

    def __init__(self) -> None:
        self.rows: dict[tuple, float] = {}

    def send(self, messages) -> Sent:
        rows = [row for message in messages for row in rows_of(message)]
        for row in rows:
            key = tuple(row[name] for name in ("boot", "sequence", "item"))
            assert self.rows.setdefault(key, row["value"]) == row["value"]
        return Sent(len(rows))

    def close(self) -> None:
        return


def row(at_s: int, value: float = 1.0, metric: str = "power_kw") -> InfluxRow:
    return InfluxRow(START_S + at_s, "battery", metric, value)


def source(reader, **fields) -> InfluxSource:
    return InfluxSource(reader, **({"plant": "homes", "node": "home01", "clock": DataClock(NOW)} | fields))


def test_every_row_is_a_message_in_whole_seconds_and_positions_rise() -> None:
    rows = {row(at_s, metric=metric) for at_s in range(0, 50, 5) for metric in ("power_kw", "soc", "temperature_c")}
    here = source(Rows(rows))
    first = here.after(0, most=4)
    # two whole seconds: a second is never divided
    assert [message.origin.sequence - START_S for message in first] == [0, 0, 0, 5, 5, 5]
    rest = here.after(first[-1].position, most=10**6)
    positions = [message.position for message in (*first, *rest)]
    assert positions == sorted(set(positions))
    assert len(positions) == 30
    assert here.after(positions[-1], most=5) == []
    # read again from anywhere, a row is the same message
    again = source(Rows(rows)).after(first[-1].position, most=10**6)
    assert [(one.position, one.origin) for one in again] == [(one.position, one.origin) for one in rest]


def test_gaps_are_stepped_over_and_what_is_not_settled_waits() -> None:
    reader = Rows({row(-20 * 86_400), row(8 * 3600 - 301), row(8 * 3600 - 299)})
    here = source(reader)
    found = here.after(0, most=100)
    assert [message.origin.sequence - START_S for message in found] == [-20 * 86_400, 8 * 3600 - 301]
    assert reader.asked < 80
    assert here.after(found[-1].position, most=100) == []


def test_a_sync_brings_each_row_once_whatever_the_batch(tmp_path: Path) -> None:
    rows = {row(at_s, value=float(at_s), metric=metric) for at_s in range(0, 9000, 7) for metric in ("power_kw", "soc")}
    reader, shelf = Rows(rows), Shelf()
    for batch in (50, 333):
        here = source(reader)
        progress = Progress(tmp_path / f"sync{batch}")
        report = SyncService(here, shelf, progress, clock=DataClock(NOW), batch=batch).once()
        assert report.rows == len(rows) == len(shelf.rows)
        progress.close()
    assert reader.asked < 120


@pytest.mark.server
def test_what_the_gateway_wrote_is_read_back(tmp_path: Path) -> None:
    try:
        server = Victoria(tmp_path / "victoria")
    except MissingServerError as fault:
        pytest.skip(str(fault))
    at = np.arange(0, 3 * 3600, 60)
    values = np.round(np.column_stack([np.sin(at) * 7.25, 0.5 + 0.4 * np.cos(at)]), 6)
    given = Readings.from_table("homes", KEYS, START_S + at, values, arrived_s=START_S)
    other = Readings.from_table("others", KEYS, START_S + at, values, arrived_s=START_S)
    with server:
        sink = InfluxSink(url=server.url, token=TOKEN, org="house", bucket="edge", seed=1)
        for readings in (given, other, given):
            sink.write(readings)
        sink.close()
        server.rows("telemetry_value")
        time.sleep(0.1)
        here = source(ExportReader(url=server.url, token=TOKEN))
        found = here.after(0, most=10**6)
        here.close()
    told = {(message.origin.sequence, row["metric"]): row["value"] for message in found for row in rows_of(message)}
    expected = {(int(START_S + at[i]), key.metric): values[i, j] for i in range(at.size) for j, key in enumerate(KEYS)}
    assert told == expected
    assert len(found) == len(expected)
    assert {message.origin.plant for message in found} == {"homes"}


ANSWER = (
    "#datatype,string,long,dateTime:RFC3339,double,string,string\r\n#group,false,false,false,false,true,true\r\n"
    "#default,_result,,,,,\r\n,result,table,_time,_value,metric,source\r\n"
    ",,0,2026-06-01T12:00:05Z,-1.25,power_kw,battery\r\n,,0,2026-06-01T12:00:10Z,0.30000000000000004,power_kw,battery\r\n"
    ",,1,2026-06-01T12:00:05Z,0.5,soc,battery\r\n\r\n"
)


@contextmanager
def influx(status: int = 200) -> Iterator[tuple[str, list[dict]]]:
    """A stand-in that answers Flux as InfluxDB's documentation shows it, once; then with nothing."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "token": self.headers["Authorization"], **body})
            answer = (ANSWER if f"start: {START_S}" in body["query"] else "\r\n").encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/csv; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_flux_is_asked_for_one_plant_in_one_span_and_its_rows_are_exact() -> None:
    with influx() as (url, asked):
        reader = FluxReader(url=url, token=TOKEN, org="house", bucket='ed"ge')
        rows = reader.between("homes", START_S, START_S + 3600)
        reader.close()
    assert rows == {
        InfluxRow(START_S + 5, "battery", "power_kw", -1.25),
        InfluxRow(START_S + 10, "battery", "power_kw", 0.30000000000000004),
        InfluxRow(START_S + 5, "battery", "soc", 0.5),
    }
    assert 'from(bucket: "ed\\"ge")' in asked[0]["query"]
    assert f"range(start: {START_S}, stop: {START_S + 3600})" in asked[0]["query"]
    assert 'r.plant == "homes"' in asked[0]["query"]
    assert asked[0]["token"] == f"Token {TOKEN}"


@pytest.mark.parametrize("kind", ["flux", "export"])
def test_a_server_that_refuses_or_is_away_is_told(kind: str) -> None:
    environment = {**ENVIRONMENT, "INFLUXDB_READ": kind}
    here = influx_source(environment, plant="homes", node="home01", clock=DataClock(NOW))
    with pytest.raises(StoreError) as away:
        here.after(0, most=10)
    with influx(401) as (url, _):
        there = influx_source({**environment, "INFLUXDB_URL": url}, plant="homes", node="n", clock=DataClock(NOW))
        with pytest.raises(StoreError) as refused:
            there.after(0, most=10)
    here.close()
    there.close()
    assert TOKEN not in f"{away.value} {refused.value}"


@pytest.mark.parametrize("name", list(ENVIRONMENT))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(InvalidInputError, match=name):
        influx_source({**ENVIRONMENT, name: " "}, plant="homes", node="home01", clock=DataClock(NOW))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="flux"):
        influx_source({**ENVIRONMENT, "INFLUXDB_READ": "flex"}, plant="h", node="n", clock=DataClock(NOW))
    with pytest.raises(InvalidInputError) as refused:
        influx_source(
            {**ENVIRONMENT, "INFLUXDB_URL": f"http://me:{TOKEN}@h"}, plant="h", node="n", clock=DataClock(NOW)
        )
    assert TOKEN not in str(refused.value)
    with pytest.raises(InvalidInputError, match="days"):
        source(Rows(set()), days=0)
    assert NOW - timedelta(hours=8) == from_epoch_s(START_S)
