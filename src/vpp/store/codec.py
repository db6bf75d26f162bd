"""Messages to bytes and back, exactly: every float, NaN included, every shape, every word.

Invariant: ``decode(encode(message))`` equals the message field by field. No pickle: a file from elsewhere is data,
never code. Times are whole microseconds since 1970, the finest a ``datetime`` knows.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpp.core.errors import InvalidInputError, StoreError
from vpp.core.messages import Ack, Command, Conflict, ForecastScore, PlanStatus, Schedule
from vpp.core.time import TimeGrid, require_aware

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FORMAT = 1

_KINDS = {"f": "<f8", "i": "<i8"}


def to_us(moment: datetime, *, field: str = "time") -> int:
    """Return the microseconds since 1970 of an aware time.

    >>> to_us(EPOCH)
    0
    """
    return (require_aware(moment, field=field) - EPOCH) // MICROSECOND


def from_us(moment_us: int) -> datetime:
    """Return the aware UTC time of ``to_us``."""
    return EPOCH + moment_us * MICROSECOND


def check_command(command: Command) -> None:
    """Refuse a command that no store could give back as it was.

    Raises
    ------
    InvalidInputError
        When a time has no zone or a power is not finite.
    """
    for field in ("issued_at", "start", "end"):
        require_aware(getattr(command, field), field=f"command.{field}")
    for field in ("power_kw", "grid_floor_kw", "grid_ceiling_kw"):
        _require_finite(getattr(command, field), field=f"command.{field}")


def check_ack(ack: Ack) -> None:
    """Refuse an answer that no store could give back as it was.

    Raises
    ------
    InvalidInputError
        When its time has no zone or its power is not finite.
    """
    require_aware(ack.at, field="ack.at")
    _require_finite(ack.power_kw, field="ack.power_kw")


def check_score(score: ForecastScore) -> None:
    """Refuse a score that no store could give back as it was.

    Raises
    ------
    InvalidInputError
        When its time has no zone or a score is not finite.
    """
    require_aware(score.issued_at, field="score.issued_at")
    for field in ("mae", "pinball", "coverage_80"):
        value = getattr(score, field)
        if value is not None and not isfinite(value):
            raise InvalidInputError(f"score.{field}", value, "a finite number; None where it is not known")


def encode_fields(facts: Mapping[str, Any]) -> str:
    """Return the facts of an event as JSON.

    Raises
    ------
    InvalidInputError
        When a fact is no JSON value.
    """
    try:
        return json.dumps(dict(facts), default=_plain)
    except (TypeError, ValueError) as fault:
        raise InvalidInputError("event.fields", dict(facts), "names with numbers, words, lists or mappings") from fault


def decode_fields(text: str) -> dict[str, Any]:
    """Return the facts that ``encode_fields`` wrote."""
    facts: dict[str, Any] = json.loads(text)
    return facts


def pack(header: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> bytes:
    """Return a header of JSON values and arrays of floats or integers as compressed bytes.

    >>> unpack(pack({"name": "a"}, [np.array([1.5, np.nan])]))
    ({'name': 'a'}, [array([1.5, nan])])
    """
    columns = [np.ascontiguousarray(array, dtype=_KINDS[array.dtype.kind]) for array in arrays]
    shapes = [[column.dtype.str, list(column.shape)] for column in columns]
    text = json.dumps({"format": FORMAT, "header": header, "arrays": shapes}, default=_plain).encode()
    # The fastest level: hourly plans repeat themselves, and a slower one saves little more.
    return zlib.compress(b"".join([struct.pack("<I", len(text)), text, *(column.tobytes() for column in columns)]), 1)


def unpack(payload: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return the header and the arrays that ``pack`` took.

    Raises
    ------
    StoreError
        When the bytes are damaged or of a later format.
    """
    try:
        body = zlib.decompress(payload)
        (length,) = struct.unpack_from("<I", body)
        frame = json.loads(body[4 : 4 + length])
    except (zlib.error, struct.error, ValueError) as fault:
        raise StoreError(f"a stored message cannot be read ({fault}); restore the store from a backup") from fault
    if frame["format"] != FORMAT:
        raise StoreError(f"a stored message has format {frame['format']}, this program knows {FORMAT}; upgrade vpp")
    arrays: list[NDArray[Any]] = []
    offset = 4 + length
    for dtype, shape in frame["arrays"]:
        column = np.frombuffer(body, dtype=dtype, count=int(np.prod(shape, dtype=np.int64)), offset=offset)
        offset += column.nbytes
        arrays.append(column.reshape(shape).astype(column.dtype.newbyteorder("=")))
    return frame["header"], arrays


def encode_schedule(schedule: Schedule) -> bytes:
    """Return a schedule, its conflicts and its plan of least violation as bytes."""
    arrays: list[NDArray[Any]] = []
    return pack(_schedule_header(schedule, arrays), arrays)


def decode_schedule(payload: bytes) -> Schedule:
    """Return the schedule that ``encode_schedule`` wrote."""
    header, arrays = unpack(payload)
    return _schedule_of(header, arrays)


def _schedule_header(schedule: Schedule, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """Return the fields of a schedule as JSON values; its columns are added to ``arrays``, their place noted."""
    header = {field.name: getattr(schedule, field.name) for field in fields(Schedule)}
    # The few words of ``limit`` are kept once, and a number for each step.
    limits = schedule.limit.ravel().tolist()
    words = {word: number for number, word in enumerate(dict.fromkeys(limits))}
    header["limit"] = np.array([words[word] for word in limits], dtype=np.int64).reshape(schedule.limit.shape)
    columns = [name for name, value in header.items() if isinstance(value, np.ndarray)]
    for name in columns:
        arrays.append(header[name])
        header[name] = len(arrays) - 1
    nested = schedule.least_violation
    return header | {
        "columns": columns,
        "words": list(words),
        "issued_at": to_us(schedule.issued_at, field="schedule.issued_at"),
        "grid": [to_us(schedule.grid.start), schedule.grid.resolution_s, schedule.grid.count],
        "parts": dict(schedule.parts),
        "conflicts": [[c.name, to_us(c.time), c.violation_kw, c.message] for c in schedule.conflicts],
        "least_violation": None if nested is None else _schedule_header(nested, arrays),
    }


def _schedule_of(header: dict[str, Any], arrays: list[NDArray[Any]]) -> Schedule:
    """Return the schedule of a header; a field younger than the file keeps its default."""
    for name in header.pop("columns"):
        header[name] = arrays[header[name]]
    words = np.array(header.pop("words"), dtype=object)
    word_of_step = header["limit"]
    start_us, resolution_s, count = header["grid"]
    nested = header["least_violation"]
    header |= {
        "limit": words[word_of_step] if words.size else np.empty(word_of_step.shape, dtype=object),
        "issued_at": from_us(header["issued_at"]),
        "grid": TimeGrid(from_us(start_us), resolution_s, count),
        "status": PlanStatus(header["status"]),
        "conflicts": tuple(Conflict(name, from_us(at), kw, text) for name, at, kw, text in header["conflicts"]),
        "least_violation": None if nested is None else _schedule_of(nested, arrays),
    }
    for name in ("asset_ids", "site_ids", "asset_site"):
        header[name] = tuple(header[name])
    return Schedule(**header)


def _require_finite(power_kw: float | None, *, field: str) -> None:
    # A database keeps NaN as a missing value, so it would come back as another answer.
    if power_kw is not None and not isfinite(power_kw):
        raise InvalidInputError(field, power_kw, "a finite number [kW]; leave it out when it is not known")


def _plain(value: Any) -> Any:
    """Return a numpy scalar as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON value")
