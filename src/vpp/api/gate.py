"""The gate: what every request and every socket passes before any route sees it.

In this order: the name asked for is ours (DNS rebinding), the caller is known (deny by default), a browser's request
comes from our own page (CSRF, foreign WebSockets), and the body is small. Every answer gets the security headers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpp.api.auth import SCRIPT, Access, Session
from vpp.api.headers import SECURITY_HEADERS
from vpp.api.problems import problem

LARGEST_BODY_BYTES = 1_048_576
SESSION_PATH = "/api/v1/session"
PUBLIC_PATHS = frozenset({"/", "/healthz", "/readyz", "/favicon.ico"})
PUBLIC_FOLDER = "/static/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SIGN_IN = "Open the link that was printed in the terminal, or send `Authorization: Bearer <token>`."


def cookie_name(host: str) -> str:
    """Return the name of the session cookie: browsers share cookies between ports, so it names the port.

    >>> cookie_name("127.0.0.1:8000")
    'vpp_session_8000'
    """
    return f"vpp_session_{_port(host)}"


def _port(host: str) -> str:
    tail = host.rpartition("]")[2]
    port = tail.rpartition(":")[2] if ":" in tail else ""
    return port if port.isdecimal() else "80"


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


class Gate:
    """ASGI middleware that lets through what may pass.

    Parameters
    ----------
    app : ASGI application
        What lies behind.
    access : Access
        Who is known.
    hosts : iterable of str
        Names this server answers to, without port.
    """

    def __init__(self, app: ASGIApp, *, access: Access, hosts: Iterable[str]) -> None:
        self._app = app
        self._access = access
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request or socket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        send = _with_security_headers(scope, send)
        if answer is None and scope["type"] == "http":
            body = await _small_body(headers, receive)
            if body is None:
                answer = problem(413, f"A body holds at most {LARGEST_BODY_BYTES} bytes; send the rows in parts.")
            else:
                receive = _replay(body, receive)
        if answer is None:
            await self._app(scope, receive, send)
        else:
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if _name(host).lower() not in self._hosts or len(headers.getlist("host")) != 1:
            return problem(421, "This server answers to 127.0.0.1 and localhost only.")
        foreign = not _is_ours(headers, host)
        if scope["type"] == "websocket" and foreign:
            return problem(403, "A socket is opened from this server's own page, or by a script without Origin.")
        if _is_public(scope):
            return problem(403, "The request comes from another page.") if foreign and _is_unsafe(scope) else None
        session = self._session(headers, host)
        if session is None:
            return self._stranger(scope, headers)
        if session.id is not None and _is_unsafe(scope) and not _is_surely_ours(headers, host):
            return problem(403, "A change with a cookie has to come from this server's own page.")
        scope.setdefault("state", {})["session"] = session
        return None

    def _session(self, headers: Headers, host: str) -> Session | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            return SCRIPT if scheme.lower() == "bearer" and self._access.is_token(token.strip()) else None
        cookies = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return None
        morsel = cookies.get(cookie_name(host))
        return None if morsel is None else self._access.session(morsel.value)

    def _stranger(self, scope: Scope, headers: Headers) -> Response:
        if "authorization" in headers:
            source = source_of(scope)
            wait_s = self._access.wait_s(source)
            if wait_s > 0.0:
                return too_many(wait_s)
            self._access.fail(source)
        return problem(401, _SIGN_IN, headers={"WWW-Authenticate": 'Bearer realm="vpp"'})


def source_of(scope: Scope) -> str:
    """Return where a request comes from, as far as throttling is concerned."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def too_many(wait_s: float) -> Response:
    """Return the answer for a source that failed too often."""
    seconds = math.ceil(wait_s)
    return problem(429, f"Too many wrong tries; try again in {seconds} s.", headers={"Retry-After": str(seconds)})


def _is_public(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    path, method = scope["path"], scope["method"]
    if path == SESSION_PATH:
        return bool(method == "POST")
    return method in SAFE_METHODS and (path in PUBLIC_PATHS or path.startswith(PUBLIC_FOLDER))


def _is_unsafe(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in SAFE_METHODS


def _is_ours(headers: Headers, host: str) -> bool:
    """Not said to come from elsewhere: scripts send neither header."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    return (origin is None or origin.lower() == f"http://{host.lower()}") and site in ("same-origin", "none")


def _is_surely_ours(headers: Headers, host: str) -> bool:
    said = headers.get("origin") is not None or headers.get("sec-fetch-site") == "same-origin"
    return said and _is_ours(headers, host)


async def _small_body(headers: Headers, receive: Receive) -> bytes | None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > LARGEST_BODY_BYTES:
        return None
    if length == "0" and "transfer-encoding" not in headers:
        return b""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_security_headers(scope: Scope, send: Send) -> Send:
    is_api = scope["path"].startswith("/api/")

    async def secured(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            if is_api:
                headers["cache-control"] = "no-store"
            else:
                headers.setdefault("cache-control", "no-cache")
        await send(message)

    return secured
