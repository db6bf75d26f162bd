"""The application: plants behind one gate, with the page that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from vpp import __version__
from vpp.api import live, routes, session, telemetry
from vpp.api.auth import Access
from vpp.api.gate import Gate
from vpp.api.problems import add_handlers
from vpp.runtime.view import PlantView

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_DESCRIPTION = """Many small energy assets, run as one power plant.

Powers are positive toward the grid [kW]; energy is in kWh, prices per kWh; times are ISO 8601 in UTC and stamp the
start of the step over which a value holds. Errors are `application/problem+json`.
Scripts send `Authorization: Bearer <token>`; live data comes over the WebSocket `/api/v1/plants/{plant}/live`.
"""


def create_app(
    views: Mapping[str, PlantView], *, token: str, hosts: Iterable[str] = LOOPBACK_NAMES, access: Access | None = None
) -> FastAPI:
    """Return the application that serves plants.

    Parameters
    ----------
    views : mapping of str to PlantView
        The plants, by id.
    token : str
        The admin token, 128 bits or more; see ``vpp.api.auth.new_token``.
    hosts : iterable of str
        Names the server answers to, without port; loopback by default.
    access : Access, optional
        Who is known; made of the token by default.

    Raises
    ------
    InvalidInputError
        When the token is no secret.
    """
    app = FastAPI(
        title="vpp",
        version=__version__,
        summary="One power plant made of many.",
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.views = dict(views)
    app.state.access = access or Access(token)
    app.state.sockets = CapacityLimiter(live.MOST_SOCKETS)
    app.state.open_sockets = 0
    app.add_middleware(Gate, access=app.state.access, hosts=hosts)
    add_handlers(app)
    app.include_router(session.router)
    app.include_router(routes.router)
    app.include_router(telemetry.router)
    app.router.routes.append(live.route)
    _add_page(app)
    return app


def page_link(app: FastAPI, address: str) -> str:
    """Return a link that signs one browser in, once, within ten minutes; its fragment is never sent to a server."""
    access: Access = app.state.access
    return f"{address}/#code={access.new_code()}"


def _add_page(app: FastAPI) -> None:
    folder = Path(str(files("vpp") / "web"))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(folder / "index.html")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> FileResponse:
        return FileResponse(folder / "icon.svg")

    app.mount("/static", StaticFiles(directory=folder), name="static")
