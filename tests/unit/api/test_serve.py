"""Serving: only on this machine, a port that is free, an end without noise."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from vpp.api.app import create_app, page_link
from vpp.api.serve import listen, serve
from vpp.core.errors import InvalidInputError

TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
PROGRAM = """
import sys
from vpp.api.app import create_app, page_link
from vpp.api.serve import serve
app = create_app({}, token=sys.argv[1])
serve(app, port=0, on_ready=lambda address: print(page_link(app, address), flush=True))
print("cleaned up", flush=True)
"""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "", "127.0.0.1 "])
def test_a_host_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(InvalidInputError, match="stays on this machine"):
        listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_is_taken(host: str) -> None:
    with listen(host, 0) as taken:
        assert taken.getsockname()[1] > 0


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(InvalidInputError, match="0 to 65535"):
        listen("127.0.0.1", port)


def test_a_port_that_is_taken_names_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidInputError, match=rf"--port {port + 1} or --port 0"):
            listen("127.0.0.1", port)


def test_a_server_serves_until_it_is_stopped(server) -> None:
    stop, addresses, ready = threading.Event(), [], threading.Event()

    def tell(address: str) -> None:
        addresses.append(address)
        ready.set()

    thread = threading.Thread(target=serve, args=(server.app,), kwargs={"port": 0, "on_ready": tell, "stop": stop})
    thread.start()
    assert ready.wait(10)
    assert httpx.get(f"{addresses[0]}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{addresses[0]}/api/v1/plants").status_code == 401
    code = page_link(server.app, addresses[0]).partition("#code=")[2]
    assert httpx.post(f"{addresses[0]}/api/v1/session", json={"code": code}).status_code == 204
    assert "server" not in httpx.get(f"{addresses[0]}/healthz").headers
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_large_body_over_the_wire_is_refused_quickly(server) -> None:
    stop, addresses, ready = threading.Event(), [], threading.Event()

    def tell(address: str) -> None:
        addresses.append(address)
        ready.set()

    thread = threading.Thread(target=serve, args=(server.app,), kwargs={"port": 0, "on_ready": tell, "stop": stop})
    thread.start()
    assert ready.wait(10)
    host, _, port = addresses[0].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        began = time.monotonic()
        raw.sendall(
            f"POST /api/v1/plants/two/readings HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 20000000\r\n\r\n[[[[".encode()
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")
        assert time.monotonic() - began < 1.0
    stop.set()
    thread.join(10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly_and_lets_the_caller_clean_up(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, TOKEN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    link = process.stdout.readline().strip()
    address, _, code = link.partition("/#code=")
    for _ in range(50):
        try:
            assert httpx.post(f"{address}/api/v1/session", json={"code": code}).status_code == 204
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    httpx.get(f"{address}/api/v1/plants", headers={"Authorization": f"Bearer {TOKEN}"})
    httpx.get(f"{address}/api/v1/plants", headers={"Authorization": "Bearer canary-wrong"})
    process.send_signal(number)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 0
    assert out.strip() == "cleaned up"
    assert err == ""


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    stop, ready, addresses = threading.Event(), threading.Event(), []

    def tell(address: str) -> None:
        addresses.append(address)
        ready.set()

    app = create_app({}, token=TOKEN)
    thread = threading.Thread(target=serve, args=(app,), kwargs={"port": 0, "on_ready": tell, "stop": stop})
    thread.start()
    try:
        assert ready.wait(10)
        with httpx.Client(base_url=addresses[0]) as client:
            lasted_s = []
            for _ in range(9):
                began = time.perf_counter()
                assert client.get("/healthz").status_code == 200
                lasted_s.append(time.perf_counter() - began)
    finally:
        stop.set()
        thread.join(15)
    assert sorted(lasted_s)[len(lasted_s) // 2] < 0.03
