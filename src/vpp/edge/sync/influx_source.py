"""InfluxDB as a source of the sync: what ``--enable-influxdb`` wrote, in the order of time.

InfluxDB knows no messages. Here every row is one, known by its series (the boot) and its second (the sequence), so that
the same row read again is the same message. Rows of the last minutes are left for later; a row that reaches InfluxDB
later than that is passed over. The buffer knows no such gap: read InfluxDB only for what the buffer no longer holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import httpx
import msgspec
import numpy as np

from vpp.core.errors import InvalidInputError, StoreError, UnknownNameError
from vpp.core.extras import require
from vpp.core.messages import Origin, Readings, SeriesKey
from vpp.core.ports import Clock
from vpp.core.time import epoch_s
from vpp.core.units import KILO, SECONDS_PER_DAY, SECONDS_PER_HOUR
from vpp.edge.influx_lines import FIELD, MEASUREMENT
from vpp.edge.sync.source import Buffered

READ, FLUX, EXPORT = "INFLUXDB_READ", "flux", "export"
SETTLED_AFTER_S = 300
DEFAULT_DAYS = 30
_REQUIRED = ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_ORG", "INFLUXDB_BUCKET")
_TIMEOUT_S = 60.0
_MS = int(KILO)
_BITS = 20
"""Of a position that number the rows of one second; the bits above are the second itself."""


class InfluxRow(NamedTuple):
    """One value in InfluxDB."""

    time_s: int
    source: str
    metric: str
    value: float


class InfluxReader(Protocol):
    """Reads a plant's rows of a span of time."""

    name: str

    def between(self, plant: str, start_s: int, stop_s: int) -> set[InfluxRow]:
        """Return the rows in ``[start_s, stop_s)``; raises ``StoreError`` when it cannot be asked."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class InfluxSource:
    """A plant's rows in InfluxDB as a ``RowSource``.

    Parameters
    ----------
    reader : InfluxReader
        How it is asked.
    plant, node : str
        Whose rows, and in whose name they are brought.
    clock : Clock
        Tells what is settled.
    days : int
        How far back the first reading goes, 1 or more [days].
    settled_after_s : int
        How old a row has to be [s], 0 or more.
    """

    def __init__(
        self,
        reader: InfluxReader,
        *,
        plant: str,
        node: str,
        clock: Clock,
        days: int = DEFAULT_DAYS,
        settled_after_s: int = SETTLED_AFTER_S,
    ) -> None:
        if days < 1 or settled_after_s < 0:
            raise InvalidInputError("days, settled_after_s", (days, settled_after_s), "1 or more; 0 or more")
        self.plant = plant
        self._reader = reader
        self._node = node
        self._clock = clock
        self._first_s = epoch_s(clock.now()) - days * SECONDS_PER_DAY
        self._settled_after_s = settled_after_s
        self._ahead: deque[InfluxRow] = deque()
        self._read_to_s = 0
        self._given_s = -1

    @property
    def identity(self) -> str:
        """Address and bucket, with the plant."""
        return f"{self._reader.name}#{self.plant}"

    def after(self, position: int, *, most: int) -> list[Buffered]:
        """Return rows behind a position, each a message, in whole seconds: about ``most`` of them, or one second's."""
        after_s = position >> _BITS
        if after_s != self._given_s:
            self._ahead.clear()
            self._read_to_s = max(after_s + 1, self._first_s)
        self._fill(most)
        found: list[Buffered] = []
        while self._ahead and (len(found) < most or self._ahead[0].time_s == self._given_s):
            row = self._ahead.popleft()
            place = found[-1].position + 1 if found and row.time_s == self._given_s else row.time_s << _BITS
            self._given_s = row.time_s
            found.append(self._message(place, row))
        if not found:
            self._given_s = after_s
        return found

    def span(self) -> tuple[int, int] | None:
        """Return None: what it holds is not counted."""
        return None

    def close(self) -> None:
        """Release connections."""
        self._reader.close()

    def _fill(self, most: int) -> None:
        """Read on, an hour at a time and longer over gaps, until there is enough or all that is settled is read."""
        until_s = epoch_s(self._clock.now()) - self._settled_after_s
        step_s = SECONDS_PER_HOUR
        while len(self._ahead) < most and self._read_to_s < until_s:
            stop_s = min(self._read_to_s + step_s, until_s)
            rows = self._reader.between(self.plant, self._read_to_s, stop_s)
            self._ahead.extend(sorted(rows))
            self._read_to_s = stop_s
            step_s = SECONDS_PER_HOUR if rows else min(2 * step_s, SECONDS_PER_DAY)

    def _message(self, position: int, row: InfluxRow) -> Buffered:
        series = blake2b(f"{row.source}/{row.metric}".encode(), digest_size=8).hexdigest()
        readings = Readings.from_table(
            self.plant,
            (SeriesKey(row.source, row.metric),),
            np.array([row.time_s], dtype=np.int64),
            np.array([[row.value]]),
            arrived_s=row.time_s,
        )
        return Buffered(position, Origin(self.plant, self._node, f"influx-{series}", row.time_s), readings)


class FluxReader:
    """Asks InfluxDB 2 by Flux.

    Parameters
    ----------
    url, token, org, bucket : str
        As InfluxDB has them.
    """

    def __init__(self, *, url: str, token: str, org: str, bucket: str) -> None:
        influx = require("influxdb_client", extra="edge")
        faults = require("influxdb_client.rest", extra="edge"), require("urllib3.exceptions", extra="edge")
        self.name = f"{url}/{bucket}"
        self._bucket = bucket
        self._faults = (faults[0].ApiException, faults[1].HTTPError)
        self._client: Any = influx.InfluxDBClient(url, token, org=org, timeout=int(_TIMEOUT_S * _MS))

    def between(self, plant: str, start_s: int, stop_s: int) -> set[InfluxRow]:
        """Return the rows in a span."""
        query = (
            f"from(bucket: {_quoted(self._bucket)}) |> range(start: {start_s}, stop: {stop_s}) "
            f"|> filter(fn: (r) => r._measurement == {_quoted(MEASUREMENT)} and r._field == {_quoted(FIELD)} "
            f"and r.plant == {_quoted(plant)}) "
            '|> keep(columns: ["_time", "_value", "source", "metric"])'
        )
        try:
            records = list(self._client.query_api().query_stream(query))
        except self._faults as fault:
            raise StoreError(f"{self.name}: InfluxDB does not answer ({type(fault).__name__})") from fault
        return {
            InfluxRow(epoch_s(one["_time"]), str(one["source"]), str(one["metric"]), float(one["_value"]))
            for one in records
        }

    def close(self) -> None:
        """Release connections."""
        self._client.close()


class _Exported(msgspec.Struct):
    metric: dict[str, str]
    values: list[float | None]
    timestamps: list[int]


class ExportReader:
    """Asks VictoriaMetrics, which takes InfluxDB's writes, by its export; it keeps some twelve digits of a value.

    Parameters
    ----------
    url, token : str
        Where it is, and what a proxy before it may ask for.
    """

    def __init__(self, *, url: str, token: str) -> None:
        self.name = url
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S)

    def between(self, plant: str, start_s: int, stop_s: int) -> set[InfluxRow]:
        """Return the rows in a span."""
        chosen = f"{{__name__={_quoted(f'{MEASUREMENT}_{FIELD}')},plant={_quoted(plant)}}}"
        # its end is inclusive, to the millisecond
        asked = {"match[]": chosen, "start": str(start_s), "end": f"{stop_s - 1}.999"}
        try:
            answer = self._client.get("/api/v1/export", params=asked)
            answer.raise_for_status()
            lines = [msgspec.json.decode(line, type=_Exported) for line in answer.text.splitlines() if line]
        except (httpx.HTTPError, msgspec.MsgspecError) as fault:
            raise StoreError(f"{self.name}: its export cannot be read ({type(fault).__name__})") from fault
        return {
            InfluxRow(time_ms // _MS, line.metric.get("source", ""), line.metric.get("metric", ""), value)
            for line in lines
            for value, time_ms in zip(line.values, line.timestamps, strict=True)
            if value is not None
        }

    def close(self) -> None:
        """Release connections."""
        self._client.close()


def influx_source(environment: Mapping[str, str], *, plant: str, node: str, clock: Clock) -> InfluxSource:
    """Return the source that the environment names: ``INFLUXDB_URL``, ``_TOKEN``, ``_ORG``, ``_BUCKET``, ``_READ``.

    ``INFLUXDB_READ`` is ``flux`` (InfluxDB 2, the default) or ``export`` (VictoriaMetrics).

    Raises
    ------
    InvalidInputError
        When one is missing; the token is not repeated.
    UnknownNameError
        When ``INFLUXDB_READ`` is neither.
    """
    missing = [name for name in _REQUIRED if not environment.get(name, "").strip()]
    if missing:
        raise InvalidInputError(", ".join(missing), None, "set in the environment, as reading from InfluxDB needs them")
    url, token, org, bucket = (environment[name].strip() for name in _REQUIRED)
    if "@" in url or not url.startswith(("http://", "https://")) or not token.isprintable() or not token.isascii():
        raise InvalidInputError("INFLUXDB_URL, INFLUXDB_TOKEN", "(not shown)", "http(s)://host:port and a token apart")
    how = environment.get(READ, "").strip() or FLUX
    if how not in (FLUX, EXPORT):
        raise UnknownNameError(READ, how, (FLUX, EXPORT))
    reader: InfluxReader
    if how == FLUX:
        reader = FluxReader(url=url.rstrip("/"), token=token, org=org, bucket=bucket)
    else:
        reader = ExportReader(url=url.rstrip("/"), token=token)
    return InfluxSource(reader, plant=plant, node=node, clock=clock)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'
