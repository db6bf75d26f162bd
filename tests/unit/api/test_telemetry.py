"""Telemetry in bulk: every form of body, each message once, quarantine, and bodies that are meant to hurt."""

from __future__ import annotations

import gzip
import json
import threading
import time
import tracemalloc
import zlib
from datetime import datetime, timedelta

import pytest

from vpp.core.messages import SeriesKey

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
PATH = "/api/v1/plants/two/telemetry"
NODE = {"Vpp-Node": "home01"}
TIME = "2016-08-15T10:00:00Z"


def message(sequence: int, *values: float, boot: str = "b1", asset: str = "home01_load", start: str = TIME) -> dict:
    first = datetime.fromisoformat(start)
    return {
        "schema": 2,
        "boot": boot,
        "sequence": sequence,
        "issued_at": start,
        "readings": [
            {
                "asset": asset,
                "metric": "power_kw",
                "time": (first + timedelta(seconds=i)).isoformat(),
                "value": value,
            }
            for i, value in enumerate(values)
        ],
    }


def post(script, body: bytes | str | dict | list, **headers: str):
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return script.post(PATH, content=content, headers={**NODE, **{k.replace("_", "-"): v for k, v in headers.items()}})


def counts(answer) -> tuple:
    assert answer.status_code == 200, answer.text
    document = answer.json()
    return tuple(document[name] for name in ("messages", "readings", "new", "duplicates", "rows", "refused"))


def test_one_message_an_array_lines_and_gzip_are_read_and_a_copy_is_kept_once(script) -> None:
    one, two = message(0, -1.0, -1.5, boot="forms"), message(1, -2.0, boot="forms")
    assert counts(post(script, one)) == (1, 2, 1, 0, 2, 0)
    assert counts(post(script, one)) == (1, 2, 0, 1, 0, 0)
    assert counts(post(script, [one, two])) == (2, 3, 1, 1, 1, 0)
    lines = "\r\n".join(json.dumps(message(n, -3.0, boot="forms")) for n in (2, 3)) + "\n\n"
    assert counts(post(script, lines, Content_Type="application/x-ndjson")) == (2, 2, 2, 0, 1, 0)
    packed = gzip.compress(json.dumps([message(4, -4.0, boot="forms")]).encode())
    assert counts(post(script, packed, Content_Encoding="gzip")) == (1, 1, 1, 0, 1, 0)


def test_columns_are_read_and_what_was_kept_is_what_was_sent(script, live) -> None:
    columns = {
        "schema": 2,
        "boot": "columns",
        "sequence": 0,
        "issued_at": "2016-08-15T10:30:00Z",
        "times": ["2016-08-15T10:15:00Z", "2016-08-15T10:15:01Z"],
        "series": [
            {"asset": "home01_load", "metric": "power_kw", "values": [-0.30000000000000004, None]},
            {"asset": "home01_battery", "metric": "soc", "values": [0.25, 0.5]},
        ],
    }
    assert counts(post(script, columns)) == (1, 3, 1, 0, 3, 0)
    start = datetime.fromisoformat("2016-08-15T10:15:00Z")
    keys = [SeriesKey("home01_load", "power_kw"), SeriesKey("home01_battery", "soc")]
    rows = live.store.readings("two", keys, start, start + timedelta(seconds=2)).rows()
    assert [(str(row.key), row.value) for row in rows] == [
        ("home01_load/power_kw", -0.30000000000000004),
        ("home01_battery/soc", 0.25),
        ("home01_battery/soc", 0.5),
    ]


def test_what_is_wrong_is_named_by_its_message_and_the_rest_is_kept(script, live) -> None:
    before = live.store.refusal_count(plant="two")
    body = json.dumps(
        [
            message(0, -1.0, boot="part"),
            message(1, -1.0, -1250.0, boot="part"),
            {"schema": 7},
            message(3, -1.0, boot="part", asset="nobody"),
            message(4, -1.0, boot="part", start="2016-08-17T10:00:00Z"),
        ]
    ).replace('{"schema": 7}', '{"schema": 2, "boot": "part", "sequence": 2, "value": NaN}')
    answer = post(script, body)
    assert answer.status_code == 422  # NaN is no JSON: the array cannot be divided
    body = body.replace('"value": NaN', '"value": null')
    answer = post(script, body)
    assert counts(answer)[:2] == (5, 5)
    told = {(one["message"], one["reason"]) for one in answer.json()["refusals"]}
    assert told == {(1, "unit"), (2, "schema"), (3, "name"), (4, "clock")}
    assert answer.json()["refused"] == 4
    assert live.store.refusal_count(plant="two") == before + 4
    # again: the same refusals are the same, and are told again
    assert post(script, body).json()["refused"] == 4
    assert live.store.refusal_count(plant="two") == before + 4


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[", {}, 422),
        (b"[]", {}, 422),
        (b"[1, 2", {}, 422),
        (b"[" * 100_000 + b"]" * 100_000, {}, 422),
        (b"\n\n", {"Content-Type": "application/x-ndjson"}, 422),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b"{}", {"Content-Encoding": "gzip, gzip"}, 415),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}" * 100)[:-9], {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}") * 2, {"Content-Encoding": "gzip"}, 400),
        (b"[" + b"1," * 10_001 + b"1]", {}, 422),
        (b"{}", {"Vpp-Node": ""}, 422),
        (b"{}", {"Vpp-Node": "Home 01"}, 422),
        (b"{}", {"Vpp-Node": "x" * 64}, 422),
        (b"x" * 1_048_577, {}, 413),
    ],
)
def test_bodies_that_are_none_are_problems(script, body: bytes, headers: dict, status: int) -> None:
    answer = script.post(PATH, content=body, headers={**NODE, **headers})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "payload",
    [b"", b"nonsense", b"\xff\xfe\x00", b"{" * 50_000, b'{"schema": 2, "boot": "x", "sequence": -1}', b"true"],
)
def test_a_message_that_is_none_is_quarantined(script, payload: bytes) -> None:
    answer = post(script, payload)
    assert counts(answer) == (1, 0, 0, 0, 0, 1)
    assert answer.json()["refusals"][0]["message"] == 0


def test_the_node_is_asked_for_and_strangers_are_not_heard(script, server) -> None:
    assert script.post(PATH, content=b"{}").status_code == 422
    assert server.client().post(PATH, content=b"{}", headers=NODE).status_code == 401
    assert server.client(token="wrong").post(PATH, content=b"{}", headers=NODE).status_code == 401
    assert script.post(PATH.replace("two", "none"), content=b"{}", headers=NODE).status_code == 404


def test_a_bomb_is_refused_soon_and_small(script) -> None:
    packer, part = zlib.compressobj(wbits=31), b" " * 1_000_000
    bomb = packer.compress(b"[") + b"".join(packer.compress(part) for _ in range(200)) + packer.flush()
    assert len(bomb) < 250_000
    tracemalloc.start()
    began = time.perf_counter()
    answer = post(script, bomb, Content_Encoding="gzip")
    lasted_s, (_, peak) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 413
    assert lasted_s < 1.0
    assert peak < 50_000_000


def test_posts_at_the_same_time_are_each_answered_for_themselves(server) -> None:
    answers: dict[int, tuple] = {}

    def send(which: int) -> None:
        script = server.client(token=TOKEN)
        answers[which] = counts(post(script, [message(n, -1.0, -1.1, boot=f"at-once-{which}") for n in range(5)]))

    threads = [threading.Thread(target=send, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer[:4] for answer in answers.values()} == {(5, 10, 5, 0)}
    assert {answer[5] for answer in answers.values()} == {0}


def test_the_document_shows_the_body(script) -> None:
    operation = script.get("/api/v1/openapi.json").json()["paths"]["/api/v1/plants/{plant}/telemetry"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    example = operation["requestBody"]["content"]["application/json"]["examples"]["load"]["value"]
    assert counts(post(script, example))[0] == 1
    assert [one["name"] for one in operation["parameters"]] == ["plant", "Vpp-Node"]
