"""Orders on the wire: commands, their answers, and how a node is, as JSON of schema 2.

Invariant: a command with a field that is not known here is refused, for the field might forbid something; in answers
and status unknown fields do no harm and are passed over. The plant a message names is a claim: whoever decodes it
compares it with the address it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from math import isfinite
from typing import Annotated, Any

import msgspec

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Ack, AckStatus, Command
from vpp.core.time import require_aware
from vpp.streams.wire_fault import WireError, check_number, check_word, convert, read_object

SCHEMA = 2

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Words = Annotated[str, msgspec.Meta(max_length=2000)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_WRITE = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How a node is, told when it starts, now and then, and by its last will when its link breaks.

    Parameters
    ----------
    plant, source : str
        Plant and node.
    boot : str
        Boot id of the node's running program.
    online : bool
        False is told by the last will, and by a node that stops.
    at : datetime
        When it was told; of a last will, when it was left with the broker. Aware.
    facts : mapping of str to JSON values
        Further facts: depth of the buffer, version, drivers.
    """

    plant: str
    source: str
    boot: str
    online: bool
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


class _Command(msgspec.Struct, forbid_unknown_fields=True):
    id: Word
    plant: Word
    asset_id: Word
    issued_at: Moment
    start: Moment
    end: Moment
    power_kw: float
    grid_floor_kw: float | None = None
    grid_ceiling_kw: float | None = None
    may_reverse: bool = False


class _Ack(msgspec.Struct):
    command_id: Word
    plant: Word
    asset_id: Word
    at: Moment
    status: AckStatus
    power_kw: float | None
    message: Words = ""


class _Status(msgspec.Struct):
    plant: Word
    source: Word
    boot: Word
    online: bool
    at: Moment
    facts: dict[str, Any] = {}


def encode_command(command: Command) -> bytes:
    """Return a command as bytes; numbers that are not finite and naive times are refused."""
    return _written(command, numbers=("power_kw", "grid_floor_kw", "grid_ceiling_kw"))


def decode_command(payload: bytes) -> Command:
    """Return the command of a payload.

    Raises
    ------
    WireError
        When it is none, or holds anything that is not known here.
    """
    told = convert(_body(payload), _Command)
    for name in ("power_kw", "grid_floor_kw", "grid_ceiling_kw"):
        check_number(name, getattr(told, name))
    if not told.start < told.end:
        raise WireError("clock", "end", told.end.isoformat(), f"a time after the start, {told.start.isoformat()}")
    return Command(**_checked(told, "id", "plant", "asset_id"))


def encode_ack(ack: Ack) -> bytes:
    """Return an answer as bytes; a power that is not finite and naive times are refused."""
    return _written(ack, numbers=("power_kw",))


def decode_ack(payload: bytes) -> Ack:
    """Return the answer of a payload.

    Raises
    ------
    WireError
        When it is none.
    """
    told = convert(_body(payload), _Ack)
    check_number("power_kw", told.power_kw)
    return Ack(**_checked(told, "command_id", "plant", "asset_id"))


def encode_status(status: NodeStatus) -> bytes:
    """Return a node's status as bytes; naive times are refused."""
    return _written(status)


def decode_status(payload: bytes) -> NodeStatus:
    """Return the status of a payload.

    Raises
    ------
    WireError
        When it is none.
    """
    return NodeStatus(**_checked(convert(_body(payload), _Status), "plant", "source", "boot"))


def _written(message: Command | Ack | NodeStatus, *, numbers: tuple[str, ...] = ()) -> bytes:
    for name in numbers:
        value = getattr(message, name)
        if value is not None and not isfinite(value):
            raise InvalidInputError(name, value, "a finite number")
    document: dict[str, Any] = {"schema": SCHEMA}
    for one in fields(message):
        value = getattr(message, one.name)
        document[one.name] = require_aware(value, field=one.name) if isinstance(value, datetime) else value
    return _WRITE.encode(document)


def _body(payload: bytes) -> dict[str, Any]:
    document = read_object(payload)
    schema = document.pop("schema", None)
    if not isinstance(schema, int) or schema != SCHEMA:
        raise WireError("schema", "schema", schema, f"{SCHEMA}; newer senders need a newer receiver")
    return document


def _checked(told: msgspec.Struct, *names: str) -> dict[str, Any]:
    """Return the fields of a message, its times in UTC, once its names can be printed."""
    for name in names:
        check_word(name, getattr(told, name))
    values = msgspec.structs.asdict(told)
    return {
        name: require_aware(value, field=name) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
