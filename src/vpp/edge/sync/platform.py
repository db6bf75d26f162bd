"""The platform: messages to its bulk endpoint, exactly as they go over the bus.

A message is known there by its origin: what the bus brought already is a duplicate and kept once. Rows that the
platform's checks refuse are in its quarantine, told here and set aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import msgspec

from vpp.core.errors import InvalidInputError
from vpp.edge.sync.progress import WHOLE_MESSAGE, Aside
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.target import Sent, isolate
from vpp.edge.sync.uplink import RefusedError, Uplink

NODE_HEADER = "Vpp-Node"
"""Header that names the node whose messages a request brings."""
LARGEST_BODY_BYTES = 4_000_000
"""Of a request before it is compressed; the platform takes somewhat more."""
_CONTENT = frozenset({400, 413, 422})

Encode = Callable[[Buffered], bytes]
_Message = tuple[Buffered, bytes]


class _Refusal(msgspec.Struct):
    message: int | None
    reason: str
    detail: str


class _Answer(msgspec.Struct):
    messages: int
    accepted: int
    refused: int
    refusals: list[_Refusal]


class PlatformTarget:
    """The bulk endpoint of a platform.

    Parameters
    ----------
    uplink : Uplink
        Carries the token in its headers.
    address : str
        Of the server, e.g. ``http://127.0.0.1:8000``.
    encode : callable
        Turns a message into the bytes of the wire.
    most_rows : int
        Rows in one request, 1 or more; a message is never divided.
    """

    def __init__(self, uplink: Uplink, address: str, encode: Encode, *, most_rows: int = 500) -> None:
        if most_rows < 1:
            raise InvalidInputError("most_rows", most_rows, "1 or more rows")
        self.name = address
        self._uplink = uplink
        self._address = address.rstrip("/")
        self._encode = encode
        self._most_rows = most_rows

    def send(self, messages: Sequence[Buffered]) -> Sent:
        """Bring messages, those of one node together."""
        by_node = sorted(messages, key=lambda message: (message.origin.plant, message.origin.source))
        rows = 0
        aside: list[Aside] = []
        for (plant, node), of_node in groupby(by_node, key=lambda m: (m.origin.plant, m.origin.source)):
            for some in self._requests([(message, self._encode(message)) for message in of_node]):
                sent = self._bring(plant, node, some)
                rows += sent.rows
                aside += sent.aside
        return Sent(rows, tuple(aside))

    def close(self) -> None:
        """Release connections."""
        self._uplink.close()

    def _requests(self, messages: list[_Message]) -> Iterator[list[_Message]]:
        some: list[_Message] = []
        rows = size = 0
        for message, payload in messages:
            count = len(message.readings)
            if some and (rows + count > self._most_rows or size + len(payload) > LARGEST_BODY_BYTES):
                yield some
                some, rows, size = [], 0, 0
            some.append((message, payload))
            rows += count
            size += len(payload) + 1
        if some:
            yield some

    def _bring(self, plant: str, node: str, some: list[_Message]) -> Sent:
        aside: list[Aside] = []
        rows = 0

        def post(messages: Sequence[_Message]) -> None:
            nonlocal rows
            answer = self._uplink.request(
                "POST",
                f"{self._address}/api/v1/plants/{plant}/telemetry",
                body=b"[" + b",".join(payload for _, payload in messages) + b"]",
                headers={"Content-Type": "application/json", NODE_HEADER: node},
                compress=True,
            )
            told = self._answer(answer.content, len(messages))
            rows += told.accepted
            aside.extend(_quarantined(told, [message.position for message, _ in messages]))

        refused = isolate(some, post, lambda fault: fault.status in _CONTENT)
        whole = [
            Aside(message.position, WHOLE_MESSAGE, str(fault), payload.decode())
            for (message, payload), fault in refused
        ]
        return Sent(rows, (*aside, *whole))

    def _answer(self, body: bytes, count: int) -> _Answer:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.MsgspecError as fault:
            raise RefusedError(self.name, 200, f"this is no platform's answer ({fault})") from fault
        if answer.messages != count or any(not 0 <= (one.message or 0) < count for one in answer.refusals):
            raise RefusedError(self.name, 200, f"it answered for {answer.messages} messages, not for {count}")
        return answer


def _quarantined(answer: _Answer, positions: Sequence[int]) -> Iterator[Aside]:
    """Yield what a platform put in quarantine, each at the position of its message; without one, at the last."""
    seen: Counter[int] = Counter()
    unnamed = answer.refused - len(answer.refusals)
    more = [_Refusal(None, "quarantine", f"{unnamed} more; the platform names them")] if unnamed else []
    for one in (*answer.refusals, *more):
        position = positions[-1 if one.message is None else one.message]
        yield Aside(position, WHOLE_MESSAGE - seen[position], f"{one.reason}: {one.detail}", "")
        seen[position] += 1
