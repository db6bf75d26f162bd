"""MQTT 5 packets in a stream of bytes: publications are taken out, everything else is left for the client library.

Source: MQTT Version 5.0, OASIS Standard, sections 2.1 (fixed header), 2.2.2 (properties), 3.3 (PUBLISH), 3.4 (PUBACK).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from vpp.core.messages import GENERAL, KINDS

KIND: Final = "kind"
"""User property of a telemetry message that says what its source is."""
_PUBLISH: Final = 3
_PUBACK: Final = b"\x40\x02"
_USER_PROPERTY: Final = 0x26
_FIXED_BYTES: Final = {0x01: 1, 0x02: 4, 0x23: 2}
"""Properties of a publication with a fixed length: payload format, expiry, topic alias."""
_SIZED: Final = (0x03, 0x08, 0x09)
"""Properties that begin with their length: content type, response topic, correlation data."""
_SUBSCRIPTION: Final = 0x0B
_LONGEST_VARIABLE: Final = 4


class Publication(NamedTuple):
    """One message from the broker.

    Parameters
    ----------
    topic, payload, properties : bytes
        As they stand in the packet.
    qos : int
        0, 1 or 2.
    mid : int
        Its number, to acknowledge it by; 0 with QoS 0.
    """

    topic: bytes
    payload: bytes
    properties: bytes
    qos: int
    mid: int


def split_frames(stream: bytes, *, longest: int) -> tuple[list[Publication], bytes, int]:
    """Return the publications and the other packets that a stream begins with, and how many bytes they are.

    Parameters
    ----------
    stream : bytes
        Packets one behind the other; the last may be incomplete.
    longest : int
        Longest packet that was agreed on [bytes].

    Raises
    ------
    ConnectionError
        When the stream is not MQTT, or a packet is longer than agreed.
    """
    publications: list[Publication] = []
    others: list[bytes] = []
    start, size = 0, len(stream)
    while start + 1 < size:
        # Nearly every packet is shorter than 16 kB, its length one byte or two.
        length, body = stream[start + 1], start + 2
        if length > 127:
            found = _variable(stream, start + 1, size)
            if found is None:
                break
            length, body = found
        end = body + length
        if length > longest:
            raise ConnectionError(f"the broker sent a packet of {length} bytes; at most {longest} were agreed on")
        if end > size:
            break
        if stream[start] >> 4 == _PUBLISH:
            publications.append(_publication(stream, stream[start], body, end))
        else:
            others.append(stream[start:end])
        start = end
    return publications, b"".join(others), start


def acknowledgements(numbers: Iterable[int]) -> bytes:
    """Return the packets that acknowledge publications of QoS 1.

    >>> acknowledgements([1, 258]).hex(" ")
    '40 02 00 01 40 02 01 02'
    """
    return b"".join(_PUBACK + number.to_bytes(2, "big") for number in numbers)


@lru_cache(maxsize=1024)
def kind_of(properties: bytes) -> str:
    """Return what a publication's properties say its source is, ``general`` where they do not."""
    place, size = 0, len(properties)
    try:
        while place < size:
            name = properties[place]
            place += 1
            if name in _FIXED_BYTES:
                place += _FIXED_BYTES[name]
            elif name in _SIZED:
                _, place = _sized(properties, place)
            elif name == _SUBSCRIPTION:
                found = _variable(properties, place, size)
                place = size if found is None else found[1]
            elif name == _USER_PROPERTY:
                key, place = _sized(properties, place)
                value, place = _sized(properties, place)
                if key == KIND.encode() and value.decode(errors="replace") in KINDS:
                    return value.decode()
            else:
                return GENERAL
    except (struct.error, ConnectionError):
        # A broker checks properties; if one did not, the message is still worth more than what it says of itself.
        return GENERAL
    return GENERAL


def _publication(stream: bytes, head: int, body: int, end: int) -> Publication:
    qos, mid = (head >> 1) & 3, 0
    topic_end = body + 2 + int.from_bytes(stream[body : body + 2], "big")
    topic, place = stream[body + 2 : topic_end], topic_end
    if qos:
        mid = int.from_bytes(stream[place : place + 2], "big")
        place += 2
    found = _variable(stream, place, end)
    if found is None or found[0] + found[1] > end:
        raise ConnectionError("the broker sent a publication that ends within its head")
    length, place = found
    return Publication(topic, stream[place + length : end], stream[place : place + length], qos, mid)


def _variable(stream: bytes, place: int, size: int) -> tuple[int, int] | None:
    """Return a number of variable length and where it ends; None when it is incomplete."""
    number = 0
    for count in range(_LONGEST_VARIABLE):
        if place + count >= size:
            return None
        byte = stream[place + count]
        number |= (byte & 127) << (7 * count)
        if byte < 128:
            return number, place + count + 1
    raise ConnectionError("the broker sent a length of more than four bytes")


def _sized(properties: bytes, place: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("!H", properties, place)
    end = place + 2 + length
    return properties[place + 2 : end], end
