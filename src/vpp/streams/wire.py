"""The wire: what parcels say, as JSON with a schema number. See ``docs/streams.md`` for the shapes.

``wire_telemetry`` reads and writes readings, ``wire_orders`` commands, answers and status, ``wire_fault`` says what is
wrong with a payload.
"""

from vpp.streams.wire_fault import LARGEST, MOST_BYTES, WireError
from vpp.streams.wire_orders import (
    NodeStatus,
    decode_ack,
    decode_command,
    decode_status,
    encode_ack,
    encode_command,
    encode_status,
)
from vpp.streams.wire_telemetry import NO_SEQUENCE, Telemetry, decode_telemetry, encode_rows, encode_telemetry

__all__ = [
    "LARGEST",
    "MOST_BYTES",
    "NO_SEQUENCE",
    "NodeStatus",
    "Telemetry",
    "WireError",
    "decode_ack",
    "decode_command",
    "decode_status",
    "decode_telemetry",
    "encode_ack",
    "encode_command",
    "encode_rows",
    "encode_status",
    "encode_telemetry",
]
