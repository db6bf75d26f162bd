"""The socket between paho and the network: bytes stay in order, publications are kept back, a goodbye is heard."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from vpp.streams.mqtt_frames import Publication
from vpp.streams.mqtt_socket import BufferedClient, BufferedSocket

PUBACK = b"\x40\x02\x00\x07"
PUBLISH = b"\x32\x0a\x00\x01t\x00\x05\x00hell"
SENT = Publication(b"t", b"hell", b"", 1, 5)


@pytest.fixture
def ends() -> Iterator[tuple[BufferedSocket, socket.socket]]:
    """Return a buffered socket that does not block, and its other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    wired = BufferedSocket(ours, longest=1000)
    yield wired, theirs
    wired.close()
    theirs.close()


def test_publications_are_kept_back_and_the_rest_is_read_in_order(ends: tuple[BufferedSocket, socket.socket]) -> None:
    wired, theirs = ends
    theirs.sendall(PUBACK + PUBLISH + PUBACK + PUBLISH[:5])
    assert wired.recv(1) == b"\x40"
    assert wired.pending()
    assert wired.recv(100) == (PUBACK + PUBACK)[1:]
    assert not wired.pending()
    assert wired.publications() == [SENT]
    with pytest.raises(BlockingIOError):
        wired.recv(1)
    theirs.sendall(PUBLISH[5:])
    with pytest.raises(BlockingIOError):
        wired.recv(1)
    assert wired.publications() == [SENT]
    theirs.close()
    assert wired.recv(1) == b""


def test_what_is_sent_leaves_with_flush_in_order(ends: tuple[BufferedSocket, socket.socket]) -> None:
    wired, theirs = ends
    theirs.settimeout(5.0)
    pieces = [bytes([i]) * 70_000 for i in range(40)]
    got = bytearray()
    wanted = sum(map(len, pieces))

    def read() -> None:
        while len(got) < wanted:
            got.extend(theirs.recv(65_536))

    reader = threading.Thread(target=read)
    reader.start()
    for piece in pieces:
        while True:
            try:
                assert wired.send(piece) == len(piece)
                break
            except BlockingIOError:
                time.sleep(0.001)
    while not wired.flush():
        time.sleep(0.001)
    reader.join(timeout=5.0)
    assert bytes(got) == b"".join(pieces)


def test_closing_waits_until_the_other_side_has_read_everything() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    wired = BufferedSocket(ours, longest=1000)
    heard: list[bytes] = []

    def read_slowly() -> None:
        time.sleep(0.2)
        heard.append(theirs.recv(100))
        theirs.close()

    reader = threading.Thread(target=read_slowly)
    reader.start()
    wired.send(b"last words")
    wired.await_goodbye(5.0)
    began = time.monotonic()
    wired.close()
    assert 0.1 < time.monotonic() - began < 2.0
    reader.join()
    assert heard == [b"last words"]


def test_closing_does_not_wait_for_ever() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    wired = BufferedSocket(ours, longest=1000)
    wired.await_goodbye(0.1)
    began = time.monotonic()
    wired.close()
    assert time.monotonic() - began < 1.0
    theirs.close()


def test_paho_asks_for_its_socket_where_it_can_be_wrapped() -> None:
    client = BufferedClient(CallbackAPIVersion.VERSION2, client_id="seam", protocol=MQTTv5)
    client.on_socket_register_write = lambda *_: None
    with socket.create_server(("127.0.0.1", 0)) as server:
        client.connect_async("127.0.0.1", server.getsockname()[1])
        client.reconnect()
        other, _ = server.accept()
        wired = client.socket()
        assert isinstance(wired, BufferedSocket)
        client.loop_write()
        assert wired.flush()
        assert other.recv(100).startswith(b"\x10")
        other.close()
        wired.close()
