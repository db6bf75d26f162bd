"""Telemetry in bulk over HTTP: messages as they go over the bus, many in one request, compressed or not.

Invariant: how much a body becomes when it is inflated is bounded before any of it is parsed.
"""

from __future__ import annotations

import re
import zlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from vpp.api.models import TelemetryAnswer
from vpp.api.routes import PROBLEMS, PlantId, view_of
from vpp.core.errors import InvalidInputError

LARGEST_INFLATED_BYTES = 8_388_608
_GZIP = 31  # zlib's window of 32 KiB, with the header of gzip and no other
_LINES = re.compile(rb"\r?\n")
NDJSON = "application/x-ndjson"

router = APIRouter(prefix="/api/v1/plants", responses=PROBLEMS, tags=["plants"])

Node = Annotated[
    str,
    Header(
        alias="Vpp-Node",
        min_length=1,
        max_length=63,
        description="Who measured it: a gateway, by default the id of its site.",
        examples=["home01"],
    ),
]
_MESSAGE = {
    "type": "object",
    "description": "One message of the wire, schema 2, in rows or in columns.",
    "required": ["schema", "boot", "sequence", "issued_at"],
    "properties": {
        "schema": {"type": "integer", "enum": [2]},
        "boot": {"type": "string", "description": "Drawn anew at every start of the sender."},
        "sequence": {"type": "integer", "minimum": 0, "description": "Place among the messages of that boot."},
        "issued_at": {"type": "string", "format": "date-time"},
        "readings": {"type": "array", "items": {"type": "object"}},
        "times": {"type": "array", "items": {"type": "string", "format": "date-time"}},
        "series": {"type": "array", "items": {"type": "object"}},
    },
}
_EXAMPLE = {
    "schema": 2,
    "boot": "9f2c61aa",
    "sequence": 17,
    "issued_at": "2016-08-15T17:00:05Z",
    "readings": [{"asset": "home01_load", "metric": "power_kw", "time": "2016-08-15T17:00:00Z", "value": -1.25}],
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"One message, an array of them, or one a line as {NDJSON}; `Content-Encoding: gzip` is read.",
        "content": {
            "application/json": {
                "schema": {"oneOf": [_MESSAGE, {"type": "array", "items": _MESSAGE}]},
                "examples": {"load": {"summary": "A home that draws 1.25 kW", "value": _EXAMPLE}},
            },
            NDJSON: {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "/{plant}/telemetry", summary="Post telemetry in bulk", response_model=TelemetryAnswer, openapi_extra=_BODY
)
async def post_telemetry(request: Request, plant: PlantId, node: Node) -> Any:
    """Keep messages of one node, each once however often it comes; what is wrong is put in quarantine and told."""
    view = view_of(request, plant)
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def keep() -> dict[str, Any]:
        return view.post_telemetry(node, messages_of(inflated(body, encoding), lines=media == NDJSON))

    return await run_in_threadpool(keep)


def inflated(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was compressed, at most ``LARGEST_INFLATED_BYTES``.

    Raises
    ------
    HTTPException
        413 when it would become larger, 415 when its encoding is another than gzip, 400 when it is no gzip.
    """
    if encoding in ("identity", ""):
        return body
    if encoding != "gzip":
        raise HTTPException(415, "Content-Encoding is gzip, or none at all.")
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(body, LARGEST_INFLATED_BYTES + 1)
    except zlib.error as fault:
        raise HTTPException(400, f"The body is no gzip ({fault}).") from fault
    if len(plain) > LARGEST_INFLATED_BYTES:
        raise HTTPException(413, f"Inflated, a body holds at most {LARGEST_INFLATED_BYTES} bytes; send it in parts.")
    if not stream.eof or stream.unused_data:
        raise HTTPException(400, "The body is one gzip member, whole and nothing behind it.")
    return plain


def messages_of(body: bytes, *, lines: bool) -> list[bytes]:
    """Return the single messages of a body, unread: what each says is judged one by one.

    Parameters
    ----------
    body : bytes
        One JSON object, or an array of them; with ``lines``, one object a line.
    lines : bool
        Whether lines are messages.

    Raises
    ------
    InvalidInputError
        When it is neither.
    """
    if lines:
        return [line for line in _LINES.split(body) if line.strip()]
    if not body.lstrip().startswith(b"["):
        return [body]
    try:
        return [bytes(part) for part in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, RecursionError) as fault:
        raise InvalidInputError("body", f"{body[:40]!r}...", f"an array of messages as JSON ({fault})") from fault
