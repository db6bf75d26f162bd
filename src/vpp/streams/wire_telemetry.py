"""Telemetry on the wire: readings as JSON, schemas 1 and 2, in rows or in columns.

Invariant: what is decoded has names that can be printed, aware times and finite numbers; fields that no schema known
here names are kept word for word in ``extra``. Plant and node come from a parcel's address, never from its payload.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from math import floor, isfinite
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Parcel, Readings
from vpp.core.time import from_epoch_s
from vpp.streams.wire_fault import (
    LARGEST,
    MOST_BYTES,
    WireError,
    check_number,
    check_size,
    check_word,
    convert,
    read_object,
)

NO_SEQUENCE: Final = -1
"""Sequence of a message of schema 1 that carries none."""
_FEWEST_FOR_COLUMNS = 8

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Boot = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Sequence_ = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Telemetry(NamedTuple):
    """What one telemetry message says, its readings as parallel lists of equal length.

    Parameters
    ----------
    schema : int
        1 or 2.
    boot : str
        Boot id of the source; empty where the message carries no sequence.
    sequence : int
        Place among the messages of that boot; ``NO_SEQUENCE`` where it carries none.
    issued_s : int
        When it was issued [epoch s]; a message of schema 1 does not say and counts as issued at its time.
    assets, metrics : list of str
        Whose reading, of what.
    times_s : list of int
        When each holds [epoch s], cut to whole seconds.
    values : list of float
        In the metric's unit, positive toward the grid; finite.
    extra : str
        JSON object of the fields that are not known here; empty when there is none.
    """

    schema: int
    boot: str
    sequence: int
    issued_s: int
    assets: list[str]
    metrics: list[str]
    times_s: list[int]
    values: list[float]
    extra: str = ""


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    asset: Word
    metric: Word
    time: Moment
    value: float


class _Column(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    asset: Word
    metric: Word
    values: list[float | None]


class _Schema2(msgspec.Struct, tag_field="schema", tag=2, forbid_unknown_fields=True, gc=False):
    boot: Boot
    sequence: Sequence_
    issued_at: Moment
    readings: list[_Row] | None = None
    times: list[Moment] | None = None
    series: list[_Column] | None = None


class _Schema1(msgspec.Struct, tag_field="schema", tag=1, forbid_unknown_fields=True, gc=False):
    source: Word
    metric: Word
    time: Moment
    value: float
    boot: Boot | None = None
    sequence: Sequence_ | None = None


_READ = msgspec.json.Decoder(_Schema1 | _Schema2)
_WRITE = msgspec.json.Encoder()
_FIELDS = {1: _Schema1.__struct_fields__, 2: _Schema2.__struct_fields__}


def decode_telemetry(parcel: Parcel) -> Telemetry:
    r"""Return what a telemetry parcel says.

    Raises
    ------
    WireError
        When it is not telemetry of schema 1 or 2; ``reason`` is a word of ``Refusal``.

    Examples
    --------
    >>> from vpp.core.messages import Channel
    >>> payload = b'''{"schema": 1, "source": "pv", "boot": "9f2c", "sequence": 0,
    ...                "metric": "power_kw", "time": "2026-11-20T15:00:00Z", "value": 4.5}'''
    >>> decode_telemetry(Parcel("homes", "home01", Channel.TELEMETRY, payload)).values
    [4.5]
    """
    payload = parcel.payload
    check_size(payload)
    # Most messages hold what is known and nothing else. Without a backslash no string can hold a quotation mark, so
    # their number tells whether a key stood twice; everything else is read again slowly, to say exactly what it is.
    if b"\\" not in payload:
        try:
            message = _READ.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _decode_slowly(payload)
        if payload.count(b'"') == 2 * _strings(message):
            return _told(message)
    return _decode_slowly(payload)


def encode_telemetry(readings: Readings, *, boot: str, sequence: int) -> bytes:
    """Return readings of one source as a message of schema 2, in columns where that is shorter.

    Parameters
    ----------
    readings : Readings
        At least one; issued together, at the latest of their ``issued_s``. Quality is not sent: the receiver judges.
    boot : str
        Drawn anew at every start of the source, 1 to 64 characters.
    sequence : int
        Place among the messages of that boot, 0 or more.

    Raises
    ------
    InvalidInputError
        When there is no reading, or the message would be longer than ``MOST_BYTES``.
    """
    if not len(readings):
        raise InvalidInputError("readings", "none", "at least one")
    issued_s = int(readings.issued_s.max())
    columns = _columns(readings)
    if columns is None:
        names = [(key.source, key.metric) for key in readings.keys]
        cells = zip(readings.series.tolist(), readings.time_s.tolist(), readings.value.tolist(), strict=True)
        rows = [(*names[series], time_s, value) for series, time_s, value in cells]
        return encode_rows(rows, boot=boot, sequence=sequence, issued_s=issued_s)
    return _written(columns, len(readings), boot, sequence, issued_s)


def encode_rows(rows: Sequence[tuple[str, str, int, float]], *, boot: str, sequence: int, issued_s: int) -> bytes:
    """Return readings as a message of schema 2 in rows; for few readings, without the columns of ``Readings``.

    Parameters
    ----------
    rows : sequence of (asset, metric, time_s, value)
        At least one; times in epoch seconds, values finite.
    boot, sequence
        As for ``encode_telemetry``.
    issued_s : int
        When they were issued [epoch s].

    Raises
    ------
    InvalidInputError
        When there is no reading, a value is not finite, or the message would be longer than ``MOST_BYTES``.
    """
    if not rows:
        raise InvalidInputError("readings", "none", "at least one")
    readings = []
    for asset, metric, time_s, value in rows:
        if not isfinite(value):
            raise InvalidInputError(f"{asset}/{metric}", value, "a finite number; leave out what is not known")
        readings.append({"asset": asset, "metric": metric, "time": from_epoch_s(time_s), "value": value})
    return _written({"readings": readings}, len(rows), boot, sequence, issued_s)


def _written(body: dict[str, Any], count: int, boot: str, sequence: int, issued_s: int) -> bytes:
    head = {"schema": 2, "boot": boot, "sequence": sequence, "issued_at": from_epoch_s(issued_s)}
    payload = _WRITE.encode({**head, **body})
    if len(payload) > MOST_BYTES:
        raise InvalidInputError(
            "readings", f"{count} in {len(payload)} bytes", f"at most {MOST_BYTES} bytes; send them in parts"
        )
    return payload


def _strings(message: _Schema1 | _Schema2) -> int:
    """Return how many strings, keys and values, a message holds whose every key stands once."""
    if isinstance(message, _Schema1):
        return 8 + (2 if message.boot is not None else 0) + (1 if message.sequence is not None else 0)
    count = 6
    if message.readings is not None:
        count += 1 + 7 * len(message.readings)
    if message.times is not None:
        count += 1 + len(message.times)
    if message.series is not None:
        count += 1 + 5 * len(message.series)
    return count


def _told(message: _Schema1 | _Schema2, extra: str = "") -> Telemetry:
    if isinstance(message, _Schema1):
        return _told_1(message, extra)
    rows = message.readings
    if rows is None:
        return _told_in_columns(message, extra)
    if message.times is not None or message.series is not None:
        raise WireError("schema", "payload", "readings beside times and series", "either of the two forms")
    values = [row.value for row in rows]
    for index, value in enumerate(values):
        if not -LARGEST < value < LARGEST:
            check_number(f"readings[{index}].value", value)
    return Telemetry(
        2,
        message.boot,
        message.sequence,
        _second(message.issued_at),
        [row.asset for row in rows],
        [row.metric for row in rows],
        [_second(row.time) for row in rows],
        values,
        extra,
    )


def _told_1(message: _Schema1, extra: str) -> Telemetry:
    check_number("value", message.value)
    if (message.boot is None) != (message.sequence is None):
        lone = "boot without sequence" if message.sequence is None else "sequence without boot"
        raise WireError("schema", "payload", lone, "both or neither: a sequence counts the messages of one boot")
    at_s = _second(message.time)
    sequence = NO_SEQUENCE if message.sequence is None else message.sequence
    return Telemetry(
        1, message.boot or "", sequence, at_s, [message.source], [message.metric], [at_s], [message.value], extra
    )


def _told_in_columns(message: _Schema2, extra: str) -> Telemetry:
    if message.times is None or message.series is None:
        raise WireError("schema", "payload", "no readings", "readings, or times with series")
    all_s = [_second(time) for time in message.times]
    assets: list[str] = []
    metrics: list[str] = []
    times_s: list[int] = []
    values: list[float] = []
    for index, column in enumerate(message.series):
        if len(column.values) != len(all_s):
            raise WireError(
                "schema",
                f"series[{index}].values",
                f"{len(column.values)} values",
                f"one for each of {len(all_s)} times",
            )
        for place, (at_s, value) in enumerate(zip(all_s, column.values, strict=True)):
            if value is not None:
                if not -LARGEST < value < LARGEST:
                    check_number(f"series[{index}].values[{place}]", value)
                times_s.append(at_s)
                values.append(value)
        added = len(values) - len(assets)
        assets += [column.asset] * added
        metrics += [column.metric] * added
    return Telemetry(
        2, message.boot, message.sequence, _second(message.issued_at), assets, metrics, times_s, values, extra
    )


def _second(moment: datetime) -> int:
    return floor(moment.timestamp())


def _decode_slowly(payload: bytes) -> Telemetry:
    """Read what is unusual: unknown fields are put aside, faults get their place and their words."""
    document = read_object(payload)
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema not in _FIELDS:
        raise WireError("schema", "schema", schema, "1 or 2; newer senders need a newer receiver")
    extra = {name: document.pop(name) for name in list(document) if name != "schema" and name not in _FIELDS[schema]}
    for name, known in (("readings", _Row), ("series", _Column)):
        inner = _put_aside(document.get(name), known.__struct_fields__)
        if inner:
            extra[name] = inner
    message = convert(document, _Schema1) if schema == 1 else convert(document, _Schema2)
    told = _told(message, _json(extra) if extra else "")
    check_word("boot", told.boot)
    for word in {*told.assets, *told.metrics}:
        check_word("asset or metric", word)
    return told


def _json(extra: dict[str, Any]) -> str:
    try:
        return json.dumps(extra, separators=(",", ":"))
    except RecursionError as fault:
        raise WireError("json", "payload", list(extra), "unknown fields that are nested less deeply") from fault


def _put_aside(items: Any, known: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Take the unknown fields out of every object of a list and return them by its place."""
    aside: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items if isinstance(items, list) else ()):
        unknown = {name: item.pop(name) for name in list(item) if name not in known} if isinstance(item, dict) else {}
        if unknown:
            aside[str(index)] = unknown
    return aside


def _columns(readings: Readings) -> dict[str, Any] | None:
    """Return readings as columns; None where that would be longer, or a series has two values for one time."""
    if len(readings) < _FEWEST_FOR_COLUMNS:
        return None
    times_s, row = np.unique(readings.time_s, return_inverse=True)
    series, column = np.unique(readings.series, return_inverse=True)
    cells = column * times_s.size + row
    if times_s.size * series.size > 2 * len(readings) or np.unique(cells).size < cells.size:
        return None
    table = np.full(series.size * times_s.size, None, dtype=object)
    table[cells] = readings.value.tolist()
    values = table.reshape(series.size, times_s.size).tolist()
    keys = [readings.keys[int(index)] for index in series]
    return {
        "times": [from_epoch_s(time_s) for time_s in times_s.tolist()],
        "series": [
            {"asset": key.source, "metric": key.metric, "values": told} for key, told in zip(keys, values, strict=True)
        ],
    }
