"""Serving: one process on the loopback address, until it is told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from vpp.core.errors import InvalidInputError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
LARGEST_SOCKET_MESSAGE_BYTES = 16_384
MOST_CONNECTIONS = 256
LONGEST_SILENCE_MS = 50_000
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _is_no_denial(record: logging.LogRecord) -> bool:
    """Tell whether a record is more than uvicorn's complaint about a socket that was refused with a document."""
    return record.getMessage() != "ASGI callable returned without completing handshake."


class _Server(uvicorn.Server):
    """A server that ends quietly: the signal that stopped it is not raised again, so that the caller can clean up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on Ctrl-C and SIGTERM while serving; elsewhere than in the main thread, leave signals alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


def listen(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> socket.socket:
    """Return a listening socket on the loopback address; port 0 takes any that is free.

    Raises
    ------
    InvalidInputError
        When the host is not loopback, or the port is taken or not allowed.
    """
    address = _loopback(host)
    if not 0 <= port <= 65_535:
        raise InvalidInputError("port", port, "0 to 65535; 0 takes any free one")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, an answer waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # a peer that takes nothing for so long is cut off, with what waits for it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_SILENCE_MS)
        listener.bind((str(address), port))
        listener.listen(128)
    except OSError as fault:
        listener.close()
        raise InvalidInputError(
            "port", port, f"a port this program may take ({fault.strerror}); try --port {port + 1} or --port 0"
        ) from fault
    return listener


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise InvalidInputError(
            "host", host, "127.0.0.1, localhost or ::1: this server has no accounts and stays on this machine"
        )
    return address


def serve(
    app: FastAPI,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    *,
    on_ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve an application until Ctrl-C, SIGTERM or ``stop``.

    Parameters
    ----------
    app : FastAPI
        What ``create_app`` returned.
    host, port : str, int
        Where to listen; loopback only, port 0 takes any that is free.
    on_ready : callable, optional
        Told the address, e.g. ``http://127.0.0.1:8000``, once it is taken and before the first answer.
    stop : threading.Event, optional
        Ends serving when set, for callers without signals.

    Raises
    ------
    InvalidInputError
        When the host is not loopback or the port is taken.
    """
    listener = listen(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            lifespan="off",
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=3,
            ws_max_size=LARGEST_SOCKET_MESSAGE_BYTES,
        )
    )
    log = logging.getLogger("uvicorn.error")
    log.addFilter(_is_no_denial)
    with listener, _stopping(server, stop):
        if on_ready is not None:
            name = f"[{host}]" if ":" in host else host
            on_ready(f"http://{name}:{listener.getsockname()[1]}")
        server.run(sockets=[listener])


@contextlib.contextmanager
def _stopping(server: uvicorn.Server, stop: threading.Event | None) -> Generator[None, None, None]:
    if stop is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if stop.wait(0.1):
                server.should_exit = True
                return

    watcher = threading.Thread(target=watch, name="vpp-serve-stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
