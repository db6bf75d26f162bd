"""A socket for paho that reads and writes in large pieces and keeps publications from it.

paho reads a packet in three calls, writes each by one, and builds some twenty objects for every publication; at
thousands of messages a second that is most of the work. Invariant: bytes are neither lost nor moved among those that
paho sees, and among the publications.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from paho.mqtt.client import Client

from vpp.streams.mqtt_frames import Publication, split_frames

_READ_BYTES = 262_144
_MOST_HELD_BYTES = 1_048_576


class BufferedSocket:
    """Wraps a connected socket, plain or TLS, that is not blocking.

    Parameters
    ----------
    inner : socket
        Connected; it is closed with its wrapper.
    longest : int
        Longest packet that was agreed on with the broker [bytes].
    """

    def __init__(self, inner: socket.socket, *, longest: int) -> None:
        self._inner = inner
        self._longest = longest
        self._rest = b""
        self._others = b""
        self._held = bytearray()
        self._patience_s = 0.0
        self._publications: list[Publication] = []

    def publications(self) -> list[Publication]:
        """Return the publications that were read since the last call, in their order."""
        told, self._publications = self._publications, []
        return told

    def recv(self, size: int) -> bytes:
        """Return up to ``size`` bytes of packets that are no publications; none when the other side has closed.

        Raises
        ------
        BlockingIOError
            When there are none now.
        """
        if not self._others:
            chunk = self._inner.recv(_READ_BYTES)
            if not chunk:
                return b""
            stream = self._rest + chunk if self._rest else chunk
            found, self._others, used = split_frames(stream, longest=self._longest)
            self._rest = stream[used:]
            self._publications += found
            if not self._others:
                raise BlockingIOError
        told, self._others = self._others[:size], self._others[size:]
        return told

    def pending(self) -> bool:
        """Tell whether there is something to read that the operating system knows nothing of."""
        return bool(self._others) or (isinstance(self._inner, ssl.SSLSocket) and self._inner.pending() > 0)

    def send(self, data: bytes | bytearray) -> int:
        """Take all of ``data``; it leaves with ``flush``.

        Raises
        ------
        BlockingIOError
            When too much is held and the network takes none of it.
        """
        if len(self._held) >= _MOST_HELD_BYTES and not self.flush():
            raise BlockingIOError
        self._held += data
        return len(data)

    def flush(self) -> bool:
        """Send what is held as far as the network takes it; True when nothing is left."""
        while self._held:
            try:
                sent = self._inner.send(self._held)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            del self._held[:sent]
        return True

    def await_goodbye(self, patience_s: float) -> None:
        """Let ``close`` wait until the other side has read everything and closed too, at most so long [s].

        A broker reads packet by packet: the next connection of the same client would cut off what it has not yet read.
        """
        self._patience_s = patience_s

    def close(self) -> None:
        """Send what can be sent, wait for the other side if told to, and close."""
        try:
            if self.flush() and self._patience_s > 0.0:
                self._inner.shutdown(socket.SHUT_WR)
                self._inner.settimeout(self._patience_s)
                while self._inner.recv(_READ_BYTES):
                    continue
        except OSError:
            # a broken link is closed all the same
            self._held.clear()
        self._inner.close()

    def fileno(self) -> int:
        """Return the file descriptor; -1 once closed."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:
        """Set whether the socket blocks."""
        self._inner.setblocking(flag)


class TidySocket(ssl.SSLSocket):
    """A TLS socket that is closed when the other side cannot be trusted; paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, or close."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(cafile: str | None, certfile: str | None, keyfile: str | None) -> ssl.SSLContext:
    """Return how to speak TLS: the server must show a certificate of ``cafile``, or of the system's authorities.

    Raises
    ------
    OSError
        When a file is missing or holds no certificate or key.
    """
    context = ssl.create_default_context(cafile=cafile)
    context.sslsocket_class = TidySocket
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    return context


class BufferedClient(Client):
    """A paho client whose connections are buffered, with small packets sent at once."""

    longest = 268_435_455
    """Longest packet that is agreed on with the broker [bytes]."""

    def _create_socket(self) -> Any:
        # paho's seam between its transports; tests/unit/streams/test_mqtt_socket.py holds it
        inner = super()._create_socket()
        if not isinstance(inner, socket.socket):
            return inner
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(inner, longest=self.longest)
