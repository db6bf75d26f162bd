"""Signing in and out: a one-time code for a cookie; and whether the server is up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from vpp.api.auth import SESSION_LIFETIME_S, Access
from vpp.api.gate import SESSION_PATH, cookie_name, source_of, too_many
from vpp.api.models import Health, OneTimeCode, SignIn
from vpp.api.problems import Problem, problem

router = APIRouter()
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The code was used, is too old, or never was."},
    429: {"model": Problem, "description": "Too many wrong tries."},
}


@router.get("/healthz", summary="Is the server up", tags=["health"])
def healthz() -> Health:
    """Return ok while the process answers."""
    return Health()


@router.get("/readyz", summary="Are all plants served", tags=["health"], responses={503: {"model": Problem}})
def readyz(request: Request) -> Any:
    """Return ok once every plant has ticked, else 503."""
    waiting = any(view.describe()["status"]["ticks"] < 1 for view in request.app.state.views.values())
    return problem(503, "A plant has not made its first plan yet.") if waiting else Health()


@router.post(SESSION_PATH, status_code=204, summary="Sign a browser in", tags=["session"], responses=_REFUSALS)
def sign_in(request: Request, body: SignIn) -> Response:
    """Exchange the one-time code of the printed link for a session cookie that scripts cannot read."""
    access: Access = request.app.state.access
    source = source_of(request.scope)
    wait_s = access.wait_s(source)
    if wait_s > 0.0:
        return too_many(wait_s)
    session_id = access.exchange(body.code)
    if session_id is None:
        access.fail(source)
        return problem(401, "This link was used already or is older than ten minutes.", kind="dead_code")
    response = Response(status_code=204)
    response.set_cookie(
        cookie_name(request.headers["host"]),
        session_id,
        max_age=int(SESSION_LIFETIME_S),
        path="/",
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete(SESSION_PATH, status_code=204, summary="Sign out", tags=["session"])
def sign_out(request: Request) -> Response:
    """End the session of this browser; its live sockets close."""
    request.app.state.access.close(request.state.session)
    response = Response(status_code=204)
    response.delete_cookie(cookie_name(request.headers["host"]), path="/", httponly=True, samesite="strict")
    return response


@router.post(f"{SESSION_PATH}/codes", status_code=201, summary="A link for one more browser", tags=["session"])
def new_code(request: Request) -> OneTimeCode:
    """Return a fresh one-time code."""
    return OneTimeCode(code=request.app.state.access.new_code())
