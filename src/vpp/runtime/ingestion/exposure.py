"""Exposure: the metrics and the health of a service over HTTP, on loopback unless told otherwise."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from vpp.core.errors import InvalidInputError

_POLL_S = 0.1


class Exposure:
    """Serves ``/metrics`` for Prometheus and ``/health``, which answers 503 while the service is not well.

    Parameters
    ----------
    port : int
        Where to listen; 0 takes any that is free, see ``port`` afterwards.
    metrics : callable
        Returns the text of the metrics.
    fault : callable
        Returns what is wrong in words, None while all is well.
    host : str
        Address to listen at.

    Raises
    ------
    InvalidInputError
        When nobody may listen there.
    """

    def __init__(
        self, port: int, *, metrics: Callable[[], bytes], fault: Callable[[], str | None], host: str = "127.0.0.1"
    ) -> None:
        class Answer(BaseHTTPRequestHandler):
            timeout = 10.0

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics())
                elif self.path == "/health":
                    wrong = fault()
                    status = HTTPStatus.OK if wrong is None else HTTPStatus.SERVICE_UNAVAILABLE
                    body = json.dumps({"status": "ok" if wrong is None else "failing", "fault": wrong})
                    self._send(status, "application/json", body.encode())
                else:
                    self._send(HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics and /health\n")

            def log_message(self, *_: object) -> None:
                """Stay silent: who scrapes every few seconds is no news."""

            def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        try:
            self._server = ThreadingHTTPServer((host, port), Answer)
        except OSError as fault_at_bind:
            raise InvalidInputError(
                "--metrics-port", port, f"a free port on {host} ({fault_at_bind.strerror})"
            ) from fault_at_bind
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5.0)
