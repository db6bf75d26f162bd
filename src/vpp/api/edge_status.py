"""The gateway's own page: how its drivers, its buffer, its link and its commands are. It shows and changes nothing.

It answers on the loopback address alone and to its own names, so that no page from elsewhere can read it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response

from vpp import __version__
from vpp.api.edge_page import STYLE, page_of
from vpp.api.headers import SECURITY_HEADERS
from vpp.runtime.gateway_view import GatewayView

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def create_status_app(
    view: Callable[[], GatewayView], metrics: Callable[[], bytes], *, hosts: Iterable[str] = LOOPBACK_NAMES
) -> FastAPI:
    """Return the application that shows a gateway.

    Parameters
    ----------
    view : callable
        Returns how the gateway is now.
    metrics : callable
        Returns its counters in the text format of Prometheus.
    hosts : iterable of str
        Names it answers to, without port.
    """
    app = FastAPI(title="vpp edge", version=__version__, openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)

    @app.middleware("http")
    async def guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await go_on(request)
        answer.headers.update(SECURITY_HEADERS)
        answer.headers["cache-control"] = "no-store"
        return answer

    @app.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(page_of(view()))

    @app.get("/style.css", include_in_schema=False)
    def style() -> PlainTextResponse:
        return PlainTextResponse(STYLE, media_type="text/css")

    @app.get("/status")
    def status() -> dict[str, Any]:
        """Return how the gateway is: drivers, buffer, link, nodes, its newest commands and events."""
        return view().document()

    @app.get("/health")
    def health(response: Response) -> dict[str, Any]:
        """Return 200 while every driver, the disk and the link are well, 503 with what is wrong otherwise."""
        wrong = faults_of(view())
        response.status_code = 503 if wrong else 200
        return {"healthy": not wrong, "faults": wrong}

    @app.get("/metrics", include_in_schema=False)
    def counters() -> PlainTextResponse:
        return PlainTextResponse(metrics(), media_type=METRICS_TYPE)

    return app


def faults_of(view: GatewayView) -> list[str]:
    """Return what is wrong with a gateway, in words."""
    wrong = [f"driver {driver.name}: {driver.message or 'not well'}" for driver in view.drivers if not driver.healthy]
    if view.halted:
        wrong.append(f"disk: {view.halted}")
    if view.disk_full:
        wrong.append("disk: full; readings are shed, commands are kept")
    if not view.link_up:
        wrong.append("link: down; readings wait in the buffer")
    return wrong
