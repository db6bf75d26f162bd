"""Sockets: who may open one, what comes over it, and what ends it."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from vpp.api import live as live_module
from vpp.api.serve import serve

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
PATH = "/api/v1/plants/two/live"
URL = f"ws://127.0.0.1:8000{PATH}"
TICK = {"topic": "tick", "now": "2016-08-15T12:00:00Z", "ticks": 6}
PLAN = {"topic": "schedule", "issued_at": "2016-08-15T12:00:00Z", "status": "optimal"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "WAIT_S", 0.05)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Cookie": "vpp_session_8000=wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "null"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://127.0.0.1:3000"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "https://127.0.0.1:8000"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, 421),
    ],
)
def test_a_handshake_from_elsewhere_or_by_a_stranger_is_refused(server, headers, status: int) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, server.client().websocket_connect(URL, headers=headers):
        pass
    assert refused.value.status_code == status


def test_a_cookie_does_not_help_a_foreign_page(server) -> None:
    client = server.signed_in()
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect(URL, headers={"Origin": "http://evil.example"}),
    ):
        pass
    assert refused.value.status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [(URL.replace("two", "none"), 404), (f"{URL}?topic=gossip", 422), (f"{URL}?topic=tick&topic=", 422)],
)
def test_what_is_not_there_cannot_be_heard(script, path: str, status: int) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, script.websocket_connect(path):
        pass
    assert refused.value.status_code == status


def test_a_page_of_ours_hears_what_happens(server, live) -> None:
    client = server.signed_in()
    with client.websocket_connect(URL, headers={"Origin": "http://127.0.0.1:8000"}) as heard:
        hello = heard.receive_json()
        assert (hello["topic"], hello["plant"], hello["now"]) == ("hello", "two", "2016-08-15T11:00:00Z")
        live.hub.publish(TICK)
        assert heard.receive_json() == TICK


def test_only_the_topics_asked_for_come(script, live) -> None:
    with script.websocket_connect(f"{URL}?topic=schedule") as heard:
        assert heard.receive_json()["topics"] == ["schedule"]
        live.hub.publish(TICK)
        live.hub.publish(PLAN)
        assert heard.receive_json() == PLAN
        heard.send_json({"topics": ["tick"]})
        time.sleep(0.2)
        live.hub.publish(PLAN)
        live.hub.publish(TICK)
        assert heard.receive_json() == TICK


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"topics": ["gossip"]}', "[" * 4000, "x" * 5000])
def test_who_speaks_nonsense_is_hung_up_on(script, text: str) -> None:
    with script.websocket_connect(URL) as heard:
        heard.receive_json()
        heard.send_text(text)
        with pytest.raises(WebSocketDisconnect) as ended:
            heard.receive_json()
        assert ended.value.code == live_module.NOT_UNDERSTOOD


def test_a_socket_ends_with_its_session(server) -> None:
    client = server.signed_in()
    with client.websocket_connect(URL) as heard:
        heard.receive_json()
        client.delete("/api/v1/session", headers={"Origin": "http://127.0.0.1:8000"})
        with pytest.raises(WebSocketDisconnect) as ended:
            heard.receive_json()
        assert ended.value.code == live_module.SIGNED_OUT


def test_a_socket_ends_when_its_session_grows_old(server) -> None:
    with server.signed_in().websocket_connect(URL) as heard:
        heard.receive_json()
        server.seconds.now_s += 13 * 3600
        with pytest.raises(WebSocketDisconnect):
            heard.receive_json()


def test_sockets_are_bounded_and_all_are_let_go(server, live, monkeypatch) -> None:
    monkeypatch.setattr(live_module, "MOST_SOCKETS", 2)
    script = server.client(token=TOKEN)
    before = len(live.hub._listeners)
    with script.websocket_connect(URL) as one, script.websocket_connect(URL) as other:
        one.receive_json()
        other.receive_json()
        with pytest.raises(WebSocketDenialResponse) as refused, script.websocket_connect(URL):
            pass
        assert refused.value.status_code == 503
    for _ in range(100):
        if server.app.state.open_sockets == 0 and len(live.hub._listeners) == before:
            break
        time.sleep(0.05)
    assert server.app.state.open_sockets == 0
    assert len(live.hub._listeners) == before


@contextmanager
def served(app) -> Iterator[int]:
    stop, ports = threading.Event(), []
    ready = threading.Event()

    def tell(address: str) -> None:
        ports.append(int(address.rpartition(":")[2]))
        ready.set()

    thread = threading.Thread(target=serve, args=(app,), kwargs={"port": 0, "on_ready": tell, "stop": stop})
    thread.start()
    try:
        assert ready.wait(10)
        yield ports[0]
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()


def open_raw(port: int, *, receive_bytes: int | None = None) -> socket.socket:
    """Open a socket by hand; it reads only when told to."""
    raw = socket.socket()
    if receive_bytes is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.settimeout(10)
    raw.connect(("127.0.0.1", port))
    key = base64.b64encode(b"0123456789abcdef").decode()
    raw.sendall(
        f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")
    return raw


def test_a_reader_that_sleeps_is_dropped_and_others_hear_on(server, live, monkeypatch) -> None:
    monkeypatch.setattr(live_module, "SLOWEST_SEND_S", 0.5)
    bulk = {"topic": "tick", "now": "2016-08-15T12:00:00Z", "bulk": "x" * 200_000}
    with served(server.app) as port:
        sleeper, listener = open_raw(port, receive_bytes=4096), open_raw(port)
        heard = []

        def listen() -> None:
            while data := listener.recv(65_536):
                heard.append(len(data))

        ear = threading.Thread(target=listen)
        ear.start()
        began = time.monotonic()
        while server.app.state.open_sockets > 1 and time.monotonic() - began < 20:
            live.hub.publish(bulk)
            time.sleep(0.02)
        assert server.app.state.open_sockets == 1
        before = sum(heard)
        live.hub.publish(bulk)
        time.sleep(0.5)
        assert sum(heard) > before
        sleeper.close()
    ear.join(10)
    listener.close()


def test_a_flood_of_sockets_leaves_nothing_behind(server, live) -> None:
    with served(server.app) as port:
        for _ in range(150):
            open_raw(port).close()
            time.sleep(0.01)
        for _ in range(100):
            if server.app.state.open_sockets == 0:
                break
            time.sleep(0.05)
        assert server.app.state.open_sockets == 0
