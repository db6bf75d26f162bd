"""The uplink against a real HTTP server: what is tried again, what is final, what is told, and what is never told."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vpp.core.errors import InvalidInputError
from vpp.edge.sync.uplink import Backoff, RefusedError, UnreachableTargetError, Uplink

SECRET = "a-key-that-nobody-may-see"
QUICK = Backoff(first_s=0.001, longest_s=0.002, tries=4)


class Server:
    """Answers one request after the other as it was told to, and remembers them."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told.requests.append((self.path, dict(self.headers), body))
                status, headers, answer = told.answers.pop(0) if told.answers else (200, {}, b"{}")
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def uplink(server: Server) -> Iterator[Uplink]:
    made = Uplink(server.url, headers={"Authorization": f"Bearer {SECRET}"}, backoff=QUICK, seed=1)
    yield made
    made.close()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 0])
def test_what_may_pass_is_tried_again(server, uplink, status: int) -> None:
    server.answers = [(status, {}, b"")] * 3
    assert uplink.request("POST", server.url, body=b"{}").status_code == 200
    assert (uplink.retries, len(server.requests)) == (3, 4)
    assert {body for _, _, body in server.requests} == {b"{}"}


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 409, 413, 422])
def test_what_will_not_pass_is_final_and_says_why(server, uplink, status: int) -> None:
    server.answers = [(status, {"Location": "http://127.0.0.1:1/"}, b'{"code": "23514", "message": "too\\nlow"}')]
    with pytest.raises(RefusedError, match="23514") as refused:
        uplink.request("POST", server.url, body=b"{}")
    assert (refused.value.status, refused.value.detail, len(server.requests)) == (status, "too\nlow", 1)
    assert SECRET not in str(refused.value)


def test_who_stays_away_is_told_with_the_last_reason(server, uplink) -> None:
    server.answers = [(503, {}, b"busy")] * 9
    with pytest.raises(UnreachableTargetError, match="in 4 tries: status 503, busy"):
        uplink.request("GET", server.url)
    with pytest.raises(UnreachableTargetError, match="ConnectError") as away:
        uplink.request("GET", "http://127.0.0.1:1")
    assert SECRET not in str(away.value)


class Impatient(threading.Event):
    """A stop that nobody waits for: it only notes how long a wait would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout or 0.0)
        return False


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "86400"}, 300.0),
        ({"Retry-After": "Fri, 20 Nov 2026 15:00:09 GMT", "Date": "Fri, 20 Nov 2026 15:00:00 GMT"}, 9.0),
        ({"Retry-After": "Fri, 20 Nov 2026 14:00:00 GMT", "Date": "Fri, 20 Nov 2026 15:00:00 GMT"}, 0.0),
        ({"Retry-After": "Fri, 20 Nov 2026 15:00:09 GMT"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "-1"}, 0.0),
    ],
)
def test_a_server_that_says_when_is_heard(server, headers: dict[str, str], asked_s: float) -> None:
    stopping = Impatient()
    uplink = Uplink(server.url, headers={}, backoff=QUICK, stopping=stopping, seed=1)
    server.answers = [(429, headers, b"")]
    uplink.request("GET", server.url)
    uplink.close()
    (waited_s,) = stopping.waits_s
    assert asked_s <= waited_s <= asked_s + QUICK.longest_s


def test_a_body_goes_compressed_where_that_is_read(server, uplink) -> None:
    body = json.dumps(list(range(1000))).encode()
    uplink.request("POST", server.url, body=body, compress=True)
    uplink.request("POST", server.url, body=body)
    uplink.request("POST", server.url, body=b"{}", compress=True)
    packed, plain, small = server.requests
    assert packed[1]["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == plain[2] == body
    assert (small[2], "Content-Encoding" in small[1]) == (b"{}", False)
    assert plain[1]["Authorization"] == f"Bearer {SECRET}"


def test_a_stop_ends_the_wait(server) -> None:
    stopping = threading.Event()
    slow = Uplink(server.url, headers={}, backoff=Backoff(first_s=60.0, longest_s=60.0), stopping=stopping, seed=3)
    server.answers = [(503, {}, b"")] * 9
    threading.Timer(0.1, stopping.set).start()
    began = time.monotonic()
    with pytest.raises(UnreachableTargetError, match="in 1 try"):
        slow.request("GET", server.url)
    assert time.monotonic() - began < 5.0
    slow.close()


def test_waits_are_spread_over_the_whole_bound() -> None:
    uplink = Uplink("here", headers={}, backoff=Backoff(first_s=1.0, longest_s=8.0), seed=7)
    waits = [[uplink._wait_s(failures, None) for _ in range(300)] for failures in (1, 2, 9)]
    uplink.close()
    for bound_s, found in zip((1.0, 2.0, 8.0), waits, strict=True):
        assert 0.0 <= min(found) < 0.05 * bound_s
        assert 0.95 * bound_s < max(found) <= bound_s


@pytest.mark.parametrize(
    "backoff", [{"first_s": 0.0}, {"first_s": 2.0, "longest_s": 1.0}, {"tries": 0}, {"first_s": float("nan")}]
)
def test_waits_that_are_none_are_refused(backoff: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        Backoff(**backoff)
