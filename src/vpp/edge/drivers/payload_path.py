"""Numbers in the payloads of MQTT devices: a plain number, or one that a path leads to in a JSON document."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import msgspec

from vpp.core.errors import InvalidInputError
from vpp.core.time import from_epoch_s, parse_time

LARGEST_PAYLOAD = 65_536
"""Payloads above this are not read [bytes]."""
_LARGEST = sys.float_info.max
_LATEST_EPOCH_S = 4_102_444_800  # the year 2100: larger numbers are milliseconds or nonsense


def document(payload: bytes) -> Any:
    """Return what a payload says.

    Raises
    ------
    InvalidInputError
        When it is too large, or not JSON.
    """
    if len(payload) > LARGEST_PAYLOAD:
        raise InvalidInputError("payload", f"{len(payload)} bytes", f"at most {LARGEST_PAYLOAD} bytes")
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise InvalidInputError("payload", payload[:80], f"a number or a JSON document ({fault})") from fault


def number_at(told: Any, path: str) -> float:
    """Return the finite number that a dotted path leads to; the empty path is the whole document.

    >>> number_at({"inverter": {"phases": [{"w": 120}]}}, "inverter.phases.0.w")
    120.0

    Raises
    ------
    InvalidInputError
        When the path leads nowhere, or to something else than a finite number.
    """
    found = _follow(told, path)
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError as fault:
            raise InvalidInputError(path or "payload", found, "a number") from fault
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= _LARGEST:
        raise InvalidInputError(path or "payload", found, "a finite number")
    return float(found)


def time_at(told: Any, path: str) -> datetime:
    """Return the time that a dotted path leads to: ISO 8601 with its zone, or seconds since 1970.

    Raises
    ------
    InvalidInputError
        When there is no such time; a time without a zone is none.
    """
    found = _follow(told, path)
    if isinstance(found, str):
        return parse_time(found, field=path)
    seconds = number_at(told, path)
    if not 0.0 <= seconds < _LATEST_EPOCH_S:
        raise InvalidInputError(path, found, "seconds since 1970, before the year 2100")
    return from_epoch_s(seconds)


def _follow(told: Any, path: str) -> Any:
    found = told
    for step in path.split(".") if path else ():
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise InvalidInputError(path, told if isinstance(told, int | float) else "...", f"a document with {step!r}")
    return found
