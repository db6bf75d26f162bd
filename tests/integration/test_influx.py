"""The InfluxDB sink against a real VictoriaMetrics, and against a stand-in for what only InfluxDB itself has."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from servers.process import MissingServerError, free_port
from servers.victoria import Victoria

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings, SeriesKey
from vpp.edge.influx import InfluxSink, influx_from
from vpp.edge.sink import Sink, SinkCounts

START_S = 1_780_315_200
TOKEN = "canary-token-9d2f4c"
ENVIRONMENT = {
    "INFLUXDB_URL": "http://127.0.0.1:1",
    "INFLUXDB_TOKEN": TOKEN,
    "INFLUXDB_ORG": "house",
    "INFLUXDB_BUCKET": "edge",
}


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victoria]:
    try:
        server = Victoria(tmp_path_factory.mktemp("victoria"))
    except MissingServerError as fault:
        pytest.skip(str(fault))
    with server:
        yield server


def sink(url: str, **fields: Any) -> InfluxSink:
    return InfluxSink(**({"url": url, "token": TOKEN, "org": "house", "bucket": "edge", "seed": 7} | fields))


def batch(plant: str, first: int, count: int, *, source: str = "battery") -> Readings:
    keys = (SeriesKey(source, "power_kw"), SeriesKey(source, "soc"))
    rows = np.arange(first, first + count, dtype=np.int64)
    # VictoriaMetrics keeps some twelve digits of a value, so these have six
    values = np.round(np.column_stack([np.sin(rows) * 7.25, 0.5 + 0.4 * np.cos(rows)]), 6)
    return Readings.from_table(plant, keys, START_S + rows, values, arrived_s=START_S)


def rows_of(readings: Readings) -> dict[tuple[str, str, str, int], list[float]]:
    return {
        (readings.plant, key.source, key.metric, int(at)): [float(value)]
        for key, at, value in zip(
            [readings.keys[i] for i in readings.series], readings.time_s, readings.value, strict=True
        )
    }


def wait_for(one: InfluxSink, holds: Callable[[SinkCounts], bool], *, patience_s: float = 10.0) -> SinkCounts:
    deadline = time.monotonic() + patience_s
    while not holds(one.counts()):
        assert time.monotonic() < deadline, (one.counts(), one.message)
        time.sleep(0.01)
    return one.counts()


@pytest.mark.server
def test_exactly_the_rows_that_were_written_are_there(victoria: Victoria) -> None:
    one = sink(victoria.url)
    assert isinstance(one, Sink)
    given = [batch("exact", first, 300) for first in range(0, 3000, 300)]
    for readings in given:
        one.write(readings)
    one.close()
    assert one.counts() == SinkCounts(written=6000, waiting=0, dropped=0, rejected=0)
    expected = {key: value for readings in given for key, value in rows_of(readings).items()}
    assert victoria.rows("telemetry_value", plant="exact") == expected
    assert "no buckets" in one.message


@pytest.mark.server
@pytest.mark.parametrize("power_kw", [-3.75, 3.75, 0.0, 1e-9, -123456.789])
def test_units_and_signs_stay_as_they_are(victoria: Victoria, power_kw: float) -> None:
    plant = f"sign{power_kw}"
    key = (SeriesKey("home 01,a=b", "power_kw"),)
    table = np.array([[power_kw]])
    one = sink(victoria.url)
    one.write(Readings.from_table(plant, key, np.array([START_S]), table, arrived_s=START_S))
    one.close()
    assert victoria.rows("telemetry_value", plant=plant) == {(plant, "home 01,a=b", "power_kw", START_S): [power_kw]}
    found = victoria.query(f'telemetry_value{{plant="{plant}",metric="power_kw"}}', time_s=START_S + 1)
    assert found == {"home 01,a=b": power_kw}


@pytest.mark.server
@pytest.mark.usefixtures("victoria")
def test_an_outage_loses_nothing_that_fits_and_counts_what_does_not(tmp_path: Path) -> None:
    with Victoria(tmp_path) as server:
        one = sink(server.url, most_rows=1000, farewell_s=20.0)
        one.write(batch("outage", 0, 100))
        wait_for(one, lambda counts: counts.written == 200)
        server.kill()
        one.write(batch("outage", 100, 50))
        wait_for(one, lambda _: "does not answer" in one.message)
        for first in range(200, 1200, 100):
            began = time.monotonic()
            one.write(batch("outage", first, 100))
            assert time.monotonic() - began < 0.1
        # 100 are under way, 1000 wait: of the 2000 that came meanwhile the oldest 1000 had to go
        assert one.counts() == SinkCounts(written=200, waiting=1100, dropped=1000, rejected=0)
        server.start()
        wait_for(one, lambda counts: counts.waiting == 0, patience_s=30.0)
        one.close()
        assert one.counts() == SinkCounts(written=1300, waiting=0, dropped=1000, rejected=0)
        kept = [batch("outage", 100, 50), *(batch("outage", first, 100) for first in range(700, 1200, 100))]
        found = server.rows("telemetry_value", plant="outage")
        assert found == {key: value for readings in kept for key, value in rows_of(readings).items()} | {
            key: value for key, value in found.items() if key[3] < START_S + 100
        }


def test_closing_without_a_server_drops_and_counts() -> None:
    one = sink(f"http://127.0.0.1:{free_port()}", farewell_s=0.1)
    one.write(batch("lost", 0, 10))
    began = time.monotonic()
    one.close()
    one.close()
    assert time.monotonic() - began < 3.0
    assert one.counts() == SinkCounts(written=0, waiting=0, dropped=20, rejected=0)
    one.write(batch("lost", 0, 5))
    assert one.counts().dropped == 30
    assert TOKEN not in one.message


class StandIn:
    """Answers as InfluxDB's API reference says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.retry_after = ""
        self.bucket_status = 200
        self.buckets: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.tokens: set[str] = set()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path.startswith("/api/v2/write"):
            status = self.writes.pop(0) if self.writes else 204
            if status == 204:
                assert "precision=s" in path
                assert "bucket=edge" in path
                self.lines += body.decode().splitlines()
            return status, {}
        if self.bucket_status != 200:
            return self.bucket_status, {"code": "x", "message": "no"}
        if path.startswith("/api/v2/orgs"):
            return 200, {"orgs": [{"id": "0123456789abcdef", "name": "house"}]}
        if method == "POST":
            self.buckets.append(json.loads(body))
            return 201, self.buckets[-1] | {"id": "fedcba9876543210"}
        return 200, {"buckets": self.buckets}


@contextmanager
def stand_in() -> Iterator[tuple[StandIn, str]]:
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            state.tokens.add(self.headers["Authorization"])
            status, told = state.answer(self.command, self.path, body)
            payload = b"" if status == 204 else json.dumps(told).encode()
            self.send_response(status)
            if state.retry_after and status in (429, 503):
                self.send_header("Retry-After", state.retry_after)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST  # noqa: N815, the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_missing_bucket_is_made_with_its_retention_and_once() -> None:
    with stand_in() as (state, url):
        one = sink(url, retention_days=7)
        one.write(batch("made", 0, 2))
        wait_for(one, lambda counts: counts.written == 4)
        one.write(batch("made", 2, 2))
        one.close()
        assert len(state.lines) == 8
        (bucket,) = state.buckets
        assert (bucket["name"], bucket["orgID"]) == ("edge", "0123456789abcdef")
        assert bucket["retentionRules"] == [{"type": "expire", "everySeconds": 7 * 86_400}]
        assert state.tokens == {f"Token {TOKEN}"}
        assert one.message == ""


def test_a_token_that_may_not_look_at_buckets_still_writes() -> None:
    with stand_in() as (state, url):
        state.bucket_status = 403
        one = sink(url)
        one.write(batch("made", 0, 1))
        one.close()
        assert one.counts().written == 2
        assert "HTTP 403" in one.message


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with stand_in() as (state, url):
        state.writes = [status, status]
        one = sink(url)
        one.write(batch("again", 0, 3))
        wait_for(one, lambda counts: counts.written == 6)
        one.close()
        assert one.counts() == SinkCounts(written=6, waiting=0, dropped=0, rejected=0)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_never_passes_is_counted_and_does_not_stop_the_rest(status: int) -> None:
    with stand_in() as (state, url):
        state.writes = [status]
        one = sink(url)
        one.write(batch("final", 0, 3))
        wait_for(one, lambda counts: counts.rejected == 6)
        assert f"answered {status}" in one.message
        one.write(batch("final", 3, 1))
        one.close()
        assert one.counts() == SinkCounts(written=2, waiting=0, dropped=0, rejected=6)


def test_a_server_may_ask_for_a_pause() -> None:
    with stand_in() as (state, url):
        state.writes, state.retry_after = [429], "1"
        one = sink(url)
        began = time.monotonic()
        one.write(batch("pause", 0, 1))
        wait_for(one, lambda counts: counts.written == 2)
        assert time.monotonic() - began >= 1.0
        one.close()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"INFLUXDB_URL": ""}, "INFLUXDB_URL: got None, expected set in the environment"),
        ({"INFLUXDB_TOKEN": " ", "INFLUXDB_ORG": ""}, "INFLUXDB_TOKEN, INFLUXDB_ORG: "),
        ({"INFLUXDB_URL": "influx:8086"}, "http://host:port"),
        ({"INFLUXDB_URL": "http://user:canary@host"}, "without credentials"),
        ({"INFLUXDB_TOKEN": "two words"}, "INFLUXDB_TOKEN: got '.not shown.'"),
        ({"INFLUXDB_RETENTION_DAYS": "a week"}, "INFLUXDB_RETENTION_DAYS: got 'a week'"),
        ({"INFLUXDB_RETENTION_DAYS": "-1"}, "whole days"),
        ({"INFLUXDB_RETENTION_DAYS": "99999"}, "1 to 36500 days, or 0 for ever"),
    ],
)
def test_an_environment_that_will_not_do_is_refused_by_name(changed: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        influx_from(ENVIRONMENT | changed)
    assert "canary" not in str(caught.value)
    assert "two words" not in str(caught.value)


def test_a_full_environment_makes_a_sink() -> None:
    one = influx_from(ENVIRONMENT | {"INFLUXDB_RETENTION_DAYS": "0"})
    one.close()
    assert one.counts() == SinkCounts(0, 0, 0, 0)
    assert TOKEN not in repr(one)
