"""InfluxDB 2 beside the gateway's buffer: readings in batches, behind a bounded queue and a thread of its own.

Invariant: ``write`` never waits and never fails. While the server is away readings wait in the queue; when it is full
the oldest are dropped and counted to the row. A batch whose answer was lost is sent again: InfluxDB overwrites a row
with itself, while servers that only speak its protocol may keep both.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.extras import require
from vpp.core.messages import Readings
from vpp.core.units import KILO, SECONDS_PER_DAY
from vpp.edge.influx_lines import lines_of
from vpp.edge.sink import SinkCounts

_influx: Any = require("influxdb_client", extra="edge")
_SYNCHRONOUS: Any = require("influxdb_client.client.write_api", extra="edge").SYNCHRONOUS
_ApiError: Any = require("influxdb_client.rest", extra="edge").ApiException
_HttpError: Any = require("urllib3.exceptions", extra="edge").HTTPError

log = logging.getLogger(__name__)

MOST_ROWS = 200_000
BATCH_ROWS = 5_000
FAREWELL_S = 5.0
TIMEOUT_S = 10.0
DEFAULT_RETENTION_DAYS = 30
MOST_RETENTION_DAYS = 36_500
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 30.0
_FINAL = frozenset({400, 405, 411, 413, 415, 422})
_NO_BUCKETS = frozenset({400, 404, 405, 501})
_LONGEST_REASON = 200
_REQUIRED = ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_ORG", "INFLUXDB_BUCKET")


class InfluxSink:
    """Writes readings to a bucket. A ``Sink``.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``, host and port.
    token, org, bucket : str
        As InfluxDB names them; the token is never shown.
    retention_days : int
        How long a bucket that this sink has to make keeps its rows [days], 1 to 36500; 0 for ever. A bucket that is
        there already keeps its own rule.
    most_rows : int
        Readings that may wait, 1 or more.
    farewell_s : float
        How long ``close`` goes on writing [s].
    timeout_s : float
        Longest that one request waits [s].
    seed : int, optional
        Of the jitter between tries.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        org: str,
        bucket: str,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        most_rows: int = MOST_ROWS,
        farewell_s: float = FAREWELL_S,
        timeout_s: float = TIMEOUT_S,
        seed: int | None = None,
    ) -> None:
        _check(url, token, org, bucket, retention_days)
        if most_rows < 1:
            raise InvalidInputError("most_rows", most_rows, "1 or more readings")
        self._org, self._bucket, self._retention_days = org, bucket, retention_days
        self._most_rows, self._farewell_s = most_rows, farewell_s
        timeout_ms = int(timeout_s * KILO)
        self._client = _influx.InfluxDBClient(url, token, org=org, timeout=timeout_ms, enable_gzip=True)
        self._writer = self._client.write_api(write_options=_SYNCHRONOUS)
        self._random = np.random.default_rng(seed)
        self._changed = threading.Condition()
        self._queue: deque[Readings] = deque()
        self._queued = self._under_way = self._written = self._dropped = self._rejected = 0
        self._fault = ""
        self._remark = ""
        self._has_bucket = False
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="influxdb", daemon=True)
        self._thread.start()

    @property
    def message(self) -> str:
        """What is wrong, or what there is to know of the bucket; empty when there is nothing to say."""
        with self._changed:
            return self._fault or self._remark

    def write(self, readings: Readings) -> None:
        """Take readings; returns at once. Once closed, it drops and counts them."""
        with self._changed:
            if self._closing.is_set() or len(readings) > self._most_rows:
                self._dropped += len(readings)
                return
            self._queue.append(readings)
            self._queued += len(readings)
            while self._queued > self._most_rows:
                oldest = len(self._queue.popleft())
                self._queued -= oldest
                self._dropped += oldest
            self._changed.notify_all()

    def counts(self) -> SinkCounts:
        """Return what became of the readings."""
        with self._changed:
            return SinkCounts(self._written, self._queued + self._under_way, self._dropped, self._rejected)

    def close(self) -> None:
        """Write what waits for ``farewell_s``; what is left then is dropped and counted. Twice does no harm."""
        if self._closing.is_set():
            return
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(self._farewell_s)
        self._abandoned.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._dropped += self._queued
            self._queued = 0
            self._queue.clear()
        self._client.close()

    def _run(self) -> None:
        while not self._abandoned.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing.is_set())
                if not self._queue:
                    return
                batch = [self._queue.popleft()]
                while self._queue and sum(map(len, batch)) + len(self._queue[0]) <= BATCH_ROWS:
                    batch.append(self._queue.popleft())
                self._under_way = sum(map(len, batch))
                self._queued -= self._under_way
            outcome = self._until_settled("\n".join(line for readings in batch for line in lines_of(readings)))
            with self._changed:
                if outcome == "written":
                    self._written += self._under_way
                elif outcome == "rejected":
                    self._rejected += self._under_way
                else:
                    self._dropped += self._under_way
                self._under_way = 0

    def _until_settled(self, lines: str) -> str:
        failures = 0
        while True:
            asked_s = 0.0
            try:
                self._require_bucket()
                self._writer.write(self._bucket, self._org, lines, write_precision=_influx.WritePrecision.S)
            except _ApiError as fault:
                self._tell(f"InfluxDB answered {fault.status} {fault.reason}{_reason(fault)}")
                if fault.status in _FINAL:
                    return "rejected"
                asked_s = _retry_after_s(fault)
            except (_HttpError, OSError) as fault:
                self._tell(f"InfluxDB does not answer ({type(fault).__name__})")
            else:
                self._tell("")
                return "written"
            failures += 1
            bound_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures, 20))
            if self._abandoned.wait(max(asked_s, float(self._random.uniform(0.0, bound_s)))):
                return "dropped"

    def _require_bucket(self) -> None:
        """Make the bucket when the server has buckets and this one is missing; asked until it answered once."""
        if self._has_bucket:
            return
        buckets = self._client.buckets_api()
        try:
            if buckets.find_bucket_by_name(self._bucket) is None:
                rule = _influx.BucketRetentionRules(type="expire", every_seconds=self._retention_days * SECONDS_PER_DAY)
                buckets.create_bucket(bucket_name=self._bucket, retention_rules=[rule], org=self._org)
        except _ApiError as fault:
            if fault.status in _NO_BUCKETS:
                self._note("this server has no buckets: how long it keeps rows is set there, not here")
            elif fault.status in (401, 403, 422):
                self._note(f"the bucket could not be looked up or made (HTTP {fault.status}); rows are written anyway")
            else:
                raise
        self._has_bucket = True

    def _note(self, text: str) -> None:
        with self._changed:
            self._remark = text
        log.info("%s", text)

    def _tell(self, fault: str) -> None:
        with self._changed:
            changed, self._fault = fault != self._fault, fault
        if changed:
            log.warning("%s", fault or "InfluxDB takes rows again")


def influx_from(environment: Mapping[str, str]) -> InfluxSink:
    """Return the sink that the environment names.

    Parameters
    ----------
    environment : mapping of str to str
        ``INFLUXDB_URL``, ``INFLUXDB_TOKEN``, ``INFLUXDB_ORG``, ``INFLUXDB_BUCKET``, and ``INFLUXDB_RETENTION_DAYS``
        (30 when it is left out).

    Raises
    ------
    InvalidInputError
        When one is missing, empty, or no such value; the token is not repeated.
    """
    missing = [name for name in _REQUIRED if not environment.get(name, "").strip()]
    if missing:
        raise InvalidInputError(", ".join(missing), None, "set in the environment, as --enable-influxdb needs them")
    days = environment.get("INFLUXDB_RETENTION_DAYS", "").strip() or str(DEFAULT_RETENTION_DAYS)
    if not days.isdecimal():
        raise InvalidInputError("INFLUXDB_RETENTION_DAYS", days, f"whole days, 0 to {MOST_RETENTION_DAYS}")
    url, token, org, bucket = (environment[name].strip() for name in _REQUIRED)
    return InfluxSink(url=url, token=token, org=org, bucket=bucket, retention_days=int(days))


def _check(url: str, token: str, org: str, bucket: str, retention_days: int) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        shown = f"{parts.scheme}://{parts.hostname or ''}"
        raise InvalidInputError("INFLUXDB_URL", shown, "http://host:port or https://host:port, without credentials")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInputError("INFLUXDB_TOKEN", "(not shown)", "a token in printable ASCII, without spaces")
    for name, given in (("INFLUXDB_ORG", org), ("INFLUXDB_BUCKET", bucket)):
        if not given:
            raise InvalidInputError(name, given, "a name")
    if not 0 <= retention_days <= MOST_RETENTION_DAYS:
        expected = f"1 to {MOST_RETENTION_DAYS} days, or 0 for ever"
        raise InvalidInputError("INFLUXDB_RETENTION_DAYS", retention_days, expected)


def _reason(fault: Any) -> str:
    body = fault.body if isinstance(fault.body, bytes) else b""
    return f": {body[:_LONGEST_REASON].decode(errors='replace')}" if body else ""


def _retry_after_s(fault: Any) -> float:
    told = str((fault.headers or {}).get("Retry-After", ""))
    return min(float(told), _LONGEST_WAIT_S) if told.isdecimal() else 0.0
