"""A link that misbehaves on order: a TCP proxy that delays, cuts after so many bytes, resets, or falls silent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65_536


class Link:
    """A way to a server on loopback, with faults; a context manager.

    Parameters
    ----------
    port : int
        Where the server listens.

    Attributes
    ----------
    delay_s : float
        How long every piece is held back, in both directions [s].
    silent : bool
        Half-open: pieces are taken and go nowhere, connections stay.
    refusing : bool
        New connections are reset at once.
    cut_after : int or None
        A connection is reset once so many bytes went to the server [bytes].
    on_refused : callable
        Called whenever a connection was refused.
    connections, cuts : int
        Connections made, and those that ended, so far.
    """

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self.silent = False
        self.refusing = False
        self.cut_after: int | None = None
        self.on_refused: Callable[[], None] = lambda: None
        self.connections = 0
        self.cuts = 0
        self._server_port = port
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._listener.settimeout(0.1)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset every connection now."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._reset(pair)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._ended.set()
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self.refusing:
                _slam(near)
                self.on_refused()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._server_port), timeout=5.0)
            except OSError:
                _slam(near)
                continue
            pair = (near, far)
            for end in pair:
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add(pair)
                self.connections += 1
            threading.Thread(target=self._carry, args=(pair, near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(pair, far, near, False), daemon=True).start()

    def _carry(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, target: socket.socket, outward: bool
    ) -> None:
        passed = 0
        with suppress(OSError):
            while True:
                piece = source.recv(CHUNK_BYTES)
                if not piece:
                    break
                if self.delay_s:
                    time.sleep(self.delay_s)
                while self.silent and not self._ended.is_set() and pair in self._pairs:
                    time.sleep(0.02)
                limit = self.cut_after
                if outward and limit is not None and passed + len(piece) > limit:
                    target.sendall(piece[: max(0, limit - passed)])
                    time.sleep(0.01)
                    break
                target.sendall(piece)
                passed += len(piece)
        self._reset(pair)

    def _reset(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            if pair not in self._pairs:
                return
            self._pairs.discard(pair)
            self.cuts += 1
        for end in pair:
            _slam(end)


def _slam(end: socket.socket) -> None:
    """Close with RST instead of FIN."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        # Wakes the thread that reads it; close alone would not.
        end.shutdown(socket.SHUT_RD)
    end.close()
