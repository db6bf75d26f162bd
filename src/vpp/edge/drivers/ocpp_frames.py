"""Frames of OCPP-J: an array of a type, an id, and what belongs to that type. Everything else is set aside unread.

Source: OCPP-J 1.6 specification, section 4; OCPP 2.0.1 part 4, section 4.
"""

from __future__ import annotations

from typing import Any

import msgspec

LARGEST_FRAME = 65_536
"""Frames above this close the connection [bytes]."""
_DEEPEST = 16
_LONGEST_ID = 36


def frame_fault(raw: str | bytes) -> str:
    """Return what is wrong with a frame, empty when it is well formed.

    >>> frame_fault('[2, "17", "Heartbeat", {}]'), frame_fault('[2, "17"]')
    ('', 'a call has 4 parts')
    """
    if not isinstance(raw, str):
        return "a binary frame"
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "not JSON"
    if not isinstance(told, list) or len(told) < 2:
        return "not an array of a type, an id and more"
    kind, unique_id = told[0], told[1]
    if not isinstance(unique_id, str) or not 0 < len(unique_id) <= _LONGEST_ID:
        return f"an id that is not a text of 1 to {_LONGEST_ID} characters"
    if _is_deeper(told, _DEEPEST):
        return f"deeper than {_DEEPEST} levels"
    return _fault_of_kind(kind, told)


def _fault_of_kind(kind: object, told: list[Any]) -> str:
    if kind == 2:
        if len(told) != 4:
            return "a call has 4 parts"
        if not isinstance(told[2], str) or not isinstance(told[3], dict):
            return "a call names an action and gives an object"
    elif kind == 3:
        if len(told) != 3 or not isinstance(told[2], dict):
            return "a result has 3 parts, the last an object"
    elif kind == 4:
        if len(told) not in (4, 5) or not isinstance(told[2], str) or not isinstance(told[3], str):
            return "an error has a code and a description"
    else:
        return "a type other than 2, 3 and 4"
    return ""


def _is_deeper(told: Any, levels: int) -> bool:
    if not isinstance(told, list | dict):
        return False
    inner = told.values() if isinstance(told, dict) else told
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)
