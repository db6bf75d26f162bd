"""The platform's answers as the sync reads them: every refusal is set aside by its message, and counted to the row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Origin, Readings, SeriesKey
from vpp.edge.sync.platform import PlatformTarget
from vpp.edge.sync.source import Buffered
from vpp.edge.sync.uplink import RefusedError, Uplink

KEYS = (SeriesKey("pv", "power_kw"), SeriesKey("battery", "soc"))


class Line(Uplink):
    """An uplink whose other end is a function of the messages."""

    def __init__(self, answer: Callable[[list[Any]], Any]) -> None:
        super().__init__("http://127.0.0.1:1", headers={})
        self.answer = answer
        self.sent: list[tuple[str, int]] = []

    def request(self, method: str, url: str, *, body=None, headers=None, parameters=None, compress=False) -> Any:
        messages = json.loads(body)
        self.sent.append((headers["Vpp-Node"], len(messages)))

        class Answer:
            content = json.dumps(self.answer(messages)).encode()

        return Answer


def messages(*nodes: str, plant: str = "homes") -> list[Buffered]:
    return [
        Buffered(
            10 + i,
            Origin(plant, node, "b", i),
            Readings.from_table(plant, KEYS, np.array([i]), np.ones((1, 2)), arrived_s=9),
        )
        for i, node in enumerate(nodes)
    ]


def encode(message: Buffered) -> bytes:
    return json.dumps({"sequence": message.origin.sequence}).encode()


def told(messages: list[Any], refusals: list[tuple[int | None, str]] = (), *, refused: int | None = None) -> dict:
    return {
        "messages": len(messages),
        "accepted": 2 * len(messages) - (len(refusals) if refused is None else refused),
        "refused": len(refusals) if refused is None else refused,
        "refusals": [{"message": index, "reason": "unit", "detail": detail} for index, detail in refusals],
    }


def target(line: Line, *, most_rows: int = 500) -> PlatformTarget:
    return PlatformTarget(line, "http://127.0.0.1:1/", encode, most_rows=most_rows)


def test_messages_go_by_node_and_in_requests_of_a_size() -> None:
    line = Line(told)
    sent = target(line, most_rows=4).send(messages("b", "a", "b", "b", "a", "b"))
    assert line.sent == [("a", 2), ("b", 2), ("b", 2)]
    assert (sent.rows, sent.aside) == (12, ())
    line.close()


def test_refusals_stand_at_their_messages_each_by_itself() -> None:
    line = Line(lambda sent: told(sent, [(1, "first"), (1, "second"), (None, "whose"), (0, "other")]))
    sent = target(line).send(messages("a", "a", "a"))
    assert [(one.position, one.item, one.reason) for one in sent.aside] == [
        (11, -1, "unit: first"),
        (11, -2, "unit: second"),
        (12, -1, "unit: whose"),
        (10, -1, "unit: other"),
    ]
    assert sent.rows == 2
    line.close()


def test_what_the_platform_does_not_name_is_told_as_a_number() -> None:
    line = Line(lambda sent: told(sent, [(0, "one")], refused=3))
    sent = target(line).send(messages("a", "a"))
    assert [one.reason for one in sent.aside] == ["unit: one", "quarantine: 2 more; the platform names them"]
    assert sent.rows == 1
    line.close()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_message_that_is_refused_whole_is_set_aside_with_what_it_said(status: int) -> None:
    def answer(sent: list[Any]) -> dict:
        if any(one["sequence"] == 2 for one in sent):
            raise RefusedError("there", status, "no twos")
        return told(sent)

    line = Line(answer)
    sent = target(line).send(messages(*"aaaaa"))
    assert [(one.position, one.item, json.loads(one.row)) for one in sent.aside] == [(12, -1, {"sequence": 2})]
    assert "no twos" in sent.aside[0].reason
    assert sent.rows == 8
    line.close()


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_refusal_of_us_ends_it(status: int) -> None:
    def answer(_: list[Any]) -> dict:
        raise RefusedError("there", status, "who are you")

    line = Line(answer)
    with pytest.raises(RefusedError, match="who are you"):
        target(line).send(messages("a"))
    line.close()


@pytest.mark.parametrize(
    "answer",
    [[], {}, "ok", {"messages": 1}, told([1, 2]), told([1], [(1, "behind the end")]), told([1], [(-1, "before")])],
)
def test_an_answer_that_is_none_keeps_the_position(answer: Any) -> None:
    line = Line(lambda _: answer)
    with pytest.raises(RefusedError):
        target(line).send(messages("a"))
    line.close()


def test_a_request_of_no_rows_is_refused() -> None:
    line = Line(told)
    with pytest.raises(InvalidInputError, match="most_rows"):
        target(line, most_rows=0)
    line.close()
