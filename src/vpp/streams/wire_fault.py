"""What is wrong with a payload, in one reason and in words; and JSON read without trust.

Invariant: whatever the bytes are, reading them ends in a document or in a ``WireError``, and its size was looked at
before anything was parsed.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from vpp.core.errors import InvalidInputError

MOST_BYTES: Final = 1_048_576
"""Longest payload that is read [bytes]: 1 MiB."""
LARGEST: Final = 1e15
"""Nothing that is measured here reaches it; sums of larger numbers lose what they are made of."""
_MOST_SHOWN = 80
_PATH = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_REASONS = {
    "value": "number",
    "values": "number",
    "power_kw": "number",
    "grid_floor_kw": "number",
    "grid_ceiling_kw": "number",
    "sequence": "number",
    "time": "clock",
    "times": "clock",
    "issued_at": "clock",
    "start": "clock",
    "end": "clock",
    "at": "clock",
    "asset": "name",
    "asset_id": "name",
    "metric": "name",
    "source": "name",
    "boot": "name",
    "plant": "name",
    "id": "name",
    "command_id": "name",
}
ShapeT = TypeVar("ShapeT")


class WireError(InvalidInputError):
    """A payload that is not what it claims to be.

    Parameters
    ----------
    reason : str
        One word, as ``Refusal`` has it: ``size``, ``encoding``, ``json``, ``schema``, ``name``, ``number``, ``range``
        or ``clock``.
    field : str
        Where it is wrong, e.g. ``readings[3].value``.
    value : object
        What stands there; long ones are cut.
    expected : str
        What should.
    """

    def __init__(self, reason: str, field: str, value: Any, expected: str) -> None:
        self.reason = reason
        super().__init__(field, shortened(value), expected)


def shortened(value: Any) -> Any:
    """Return what is short as it is, and the beginning of what is long."""
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(10**_MOST_SHOWN) < value < 10**_MOST_SHOWN else "a number of more than 80 digits"
    if isinstance(value, str | bytes):
        return value if len(value) <= _MOST_SHOWN else value[:_MOST_SHOWN]
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return str(value)[:_MOST_SHOWN]


def check_size(payload: bytes) -> None:
    """Refuse a payload that is too long to be looked at."""
    if len(payload) > MOST_BYTES:
        raise WireError(
            "size", "payload", f"{len(payload)} bytes", f"at most {MOST_BYTES}; send it in several messages"
        )


def read_object(payload: bytes) -> dict[str, Any]:
    """Return the JSON object of a payload; a key that stands twice, NaN and infinity are refused.

    Raises
    ------
    WireError
        With reason ``size``, ``encoding``, ``json``, ``number`` or ``schema``.
    """
    check_size(payload)
    try:
        document = json.loads(
            payload.decode("utf-8"), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_not_a_number
        )
    except UnicodeDecodeError as fault:
        near = payload[max(fault.start - 10, 0) : fault.start + 10]
        raise WireError("encoding", f"payload, byte {fault.start}", near, "UTF-8") from fault
    except json.JSONDecodeError as fault:
        near_text = fault.doc[max(fault.pos - 10, 0) : fault.pos + 20]
        raise WireError("json", f"payload, character {fault.pos}", near_text, f"JSON ({fault.msg.lower()})") from fault
    except RecursionError as fault:
        raise WireError("json", "payload", payload[:20], "an object that is nested less deeply") from fault
    except WireError:
        raise
    except ValueError as fault:
        raise WireError("number", "payload", "an integer of thousands of digits", "a number") from fault
    if not isinstance(document, dict):
        raise WireError("schema", "payload", document, "an object")
    return document


def convert(document: dict[str, Any], shape: type[ShapeT]) -> ShapeT:
    """Return a document as a typed shape.

    Raises
    ------
    WireError
        With the reason, place and value of the first field that does not fit.
    """
    try:
        return msgspec.convert(document, type=shape)
    except msgspec.ValidationError as fault:
        raise _explained(document, str(fault)) from fault


def check_word(field: str, word: str) -> None:
    """Refuse a name with characters that cannot be printed: they hide, and databases refuse them."""
    if not word.isprintable():
        raise WireError("name", field, word, "a name of printable characters")


def check_number(field: str, value: float | None) -> None:
    """Refuse a number that nothing measured can be; None passes."""
    if value is not None and not -LARGEST < value < LARGEST:
        raise WireError("range", field, value, f"a number between -{LARGEST:g} and {LARGEST:g}")


def _explained(document: dict[str, Any], words: str) -> WireError:
    """Return the fault that a failed conversion tells of, with the value at its place."""
    match = _PATH.search(words)
    steps = _STEP.findall(match.group(1)) if match else []
    path = "".join(f".{name}" if name else f"[{index}]" for name, index in steps).removeprefix(".")
    value: Any = document
    for name, index in steps:
        value = value[name] if name else value[int(index)]
    names = [name for name, _ in steps if name]
    missing = "missing" in words or "unknown field" in words
    reason = "schema" if missing or not names else _REASONS.get(names[-1], "schema")
    said = words[: match.start()] if match else words
    expected = said.removeprefix("Expected ").partition(", got ")[0].replace("`", "")
    return WireError(reason, path or "payload", value, expected[:1].lower() + expected[1:])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise WireError("json", shortened(twice), "the key stands twice", "every key once")
    return document


def _finite(word: str) -> float:
    number = float(word)
    if not isfinite(number):
        _not_a_number(shortened(word))
    return number


def _not_a_number(word: str) -> NoReturn:
    raise WireError("number", "payload", word, "finite numbers; leave out or write null for what is not known")
