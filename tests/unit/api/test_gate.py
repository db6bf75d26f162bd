"""What a request must look like: its host, its origin, its size; and the headers of every answer."""

from __future__ import annotations

import time

import pytest

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
READINGS = "/api/v1/plants/two/readings"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:8000", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:8000", 200),
        ("127.0.0.1", 200),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("192.168.1.4:8000", 421),
        ("0.0.0.0:8000", 421),
        ("", 421),
    ],
)
def test_only_names_of_this_machine_are_answered(script, host: str, status: int) -> None:
    for path in ("/healthz", "/api/v1/plants", "/"):
        assert script.get(path, headers={"Host": host}).status_code == status


ORIGINS = [
    ({}, 403),
    ({"Origin": "http://127.0.0.1:8000"}, 422),
    ({"Sec-Fetch-Site": "same-origin"}, 422),
    ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, 422),
    ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "http://127.0.0.1:3000"}, 403),
    ({"Origin": "http://localhost:8000"}, 403),
    ({"Origin": "https://127.0.0.1:8000"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
def test_a_cookie_changes_things_only_from_our_own_page(server, headers: dict[str, str], status: int) -> None:
    assert server.signed_in().post(READINGS, json=[], headers=headers).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_unsafe_method_is_held(server, method: str) -> None:
    client = server.signed_in()
    assert client.request(method, READINGS, headers={"Origin": "http://evil.example"}).status_code == 403


def test_a_script_needs_no_origin(script) -> None:
    assert script.post(READINGS, json=[]).status_code == 422


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8000"])
def test_no_answer_opens_a_door_to_other_origins(server, origin: str) -> None:
    client = server.signed_in()
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (
        client.get("/api/v1/plants", headers={"Origin": origin}),
        client.options(READINGS, headers=preflight),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/static/app.js", "/static/none", "/api/v1/plants", "/api/v1/none", READINGS]
)
def test_every_answer_carries_the_security_headers(server, script, path: str) -> None:
    for client in (server.client(), script):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == ("no-store" if path.startswith("/api/") else "no-cache")


def test_also_an_answer_that_nobody_expected(server, script) -> None:
    server.app.state.views["two"] = object()
    answer = script.get("/api/v1/plants/two")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "Traceback" not in answer.text
    assert "/src/" not in answer.text


def chunks(size: int):
    for _ in range(size // 65_536):
        yield b" " * 65_536


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b" " * 20_000_000, {}),
        (chunks(20_000_000), {}),
        (b"[]", {"Content-Length": "99999999999999"}),
        (b"[]", {"Content-Length": "-1"}),
        (b"[]", {"Content-Length": "nonsense"}),
    ],
    ids=["long", "streamed", "said-long", "negative", "no-number"],
)
def test_a_large_body_is_refused_before_it_is_read(script, content, headers: dict[str, str]) -> None:
    began = time.perf_counter()
    answer = script.post(READINGS, content=content, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == 413
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"\xff\xfe\x00",
        b'[{"source": "home01_load\xc3\x28"}]',
        b"",
        b"null",
        b"[]",
        b"{}",
        b"1e400",
        b"NaN",
        b"\x00",
        b'[{"source":',
    ],
)
def test_bodies_that_are_no_readings_are_refused_quickly(script, content: bytes) -> None:
    began = time.perf_counter()
    answer = script.post(READINGS, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 20_000
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    "path", ["/static/../api/app.py", "/static/%2e%2e/api/app.py", "/static/..%2fapi%2fapp.py", "//etc/passwd"]
)
def test_nothing_outside_the_pages_folder_is_served(script, path: str) -> None:
    answer = script.get(path)
    assert answer.status_code in (404, 200)
    assert "create_app" not in answer.text
    assert "root:" not in answer.text
