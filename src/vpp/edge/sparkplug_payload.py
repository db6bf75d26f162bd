"""The payload of Sparkplug B: its message types, built from the field numbers of the specification.

Only what a gateway of measurements sends and reads is here; fields that others add are passed over.
Source: Eclipse Sparkplug 3.0.0, section 6.4 (payload definition and data types).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from vpp.core.extras import require

DOUBLE, INT64, BOOLEAN, STRING = 10, 4, 11, 12
_NAME = "vpp.sparkplug_b"
# type names as in FieldDescriptorProto; a name with a capital is a message
_MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "PropertyValue": ((1, "type", "uint32"), (2, "is_null", "bool"), (8, "string_value", "string")),
    "PropertySet": ((1, "keys", "string*"), (2, "values", "PropertyValue*")),
    "Metric": (
        (1, "name", "string"),
        (2, "alias", "uint64"),
        (3, "timestamp", "uint64"),
        (4, "datatype", "uint32"),
        (5, "is_historical", "bool"),
        (6, "is_transient", "bool"),
        (7, "is_null", "bool"),
        (9, "properties", "PropertySet"),
        (10, "int_value", "uint32"),
        (11, "long_value", "uint64"),
        (12, "float_value", "float"),
        (13, "double_value", "double"),
        (14, "boolean_value", "bool"),
        (15, "string_value", "string"),
        (16, "bytes_value", "bytes"),
    ),
    "Payload": (
        (1, "timestamp", "uint64"),
        (2, "metrics", "Metric*"),
        (3, "seq", "uint64"),
        (4, "uuid", "string"),
        (5, "body", "bytes"),
    ),
}
_TYPES = {"double": 1, "float": 2, "uint64": 4, "bool": 8, "string": 9, "bytes": 12, "uint32": 13}
_MESSAGE_TYPE, _OPTIONAL, _REPEATED = 11, 1, 3


def read_payload(payload: bytes) -> Any | None:
    """Return what bytes say; None when they are no payload."""
    message = require("google.protobuf.message", extra="edge")
    told = payload_type()()
    try:
        told.ParseFromString(payload)
    except message.DecodeError:
        return None
    return told


@cache
def payload_type() -> Any:
    """Return the class of payloads.

    Raises
    ------
    MissingExtraError
        When protobuf is not installed.
    """
    descriptor_pb2 = require("google.protobuf.descriptor_pb2", extra="edge")
    descriptor_pool = require("google.protobuf.descriptor_pool", extra="edge")
    factory = require("google.protobuf.message_factory", extra="edge")
    file = descriptor_pb2.FileDescriptorProto(name=f"{_NAME}.proto", package=_NAME, syntax="proto2")
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for number, name, kind in fields:
            plain = kind.rstrip("*")
            field = made.field.add(name=name, number=number, label=_REPEATED if kind.endswith("*") else _OPTIONAL)
            field.type = _TYPES.get(plain, _MESSAGE_TYPE)
            if plain in _MESSAGES:
                field.type_name = f".{_NAME}.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return factory.GetMessageClass(pool.FindMessageTypeByName(f"{_NAME}.Payload"))
