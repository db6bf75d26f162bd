"""Problems: every error leaves as ``application/problem+json`` (RFC 9457), by one table.

Invariant: a document carries no traceback, no path and no secret, and is short whatever was sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from vpp.api.headers import SECURITY_HEADERS
from vpp.core.errors import (
    ClosedError,
    InvalidInputError,
    MissingDataError,
    MissingExtraError,
    NaiveTimeError,
    StoreError,
    UnknownNameError,
    VppError,
)

MEDIA_TYPE = "application/problem+json"
LONGEST_DETAIL = 400
MOST_ERRORS = 20
NO_SUCH_PLANT = "There is no such plant."

# the first that fits is taken, so the narrower stands first
STATUS: tuple[tuple[type[VppError], int, str, str], ...] = (
    (NaiveTimeError, 422, "naive_time", "A time without a zone"),
    (InvalidInputError, 422, "invalid_input", "A value outside its range"),
    (UnknownNameError, 404, "unknown_name", "No such name"),
    (MissingDataError, 409, "missing_data", "Not enough measurements yet"),
    (MissingExtraError, 501, "missing_extra", "A part is not installed"),
    (StoreError, 503, "store", "What was sent could not be kept"),
    (ClosedError, 503, "closed", "The plant is shutting down"),
)
TITLES: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be read"),
    401: ("not_signed_in", "Not signed in"),
    403: ("foreign_origin", "Not from here"),
    404: ("not_found", "Nothing is here"),
    405: ("method_not_allowed", "This address does not take that method"),
    413: ("too_large", "The body is too large"),
    415: ("unsupported_media", "Not a form that is read here"),
    421: ("foreign_host", "Not a name of this server"),
    422: ("invalid_input", "A value outside its range"),
    429: ("too_many", "Too many tries"),
    503: ("too_busy", "Too busy"),
}


class Fault(BaseModel):
    """One field that was refused."""

    field: str = Field(description="Where it stands, e.g. `query.start` or `body.0.value`.")
    message: str = Field(description="What was expected.")


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str = Field(examples=["urn:vpp:problem:invalid_input"])
    title: str = Field(examples=["A value outside its range"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["start: got '2016-08-01', expected a time with a zone, e.g. 2016-08-01T00:00:00Z"])
    errors: list[Fault] = Field(default_factory=list, description="Every field refused, when there are several.")


def problem(
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    title: str | None = None,
    errors: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document.

    Parameters
    ----------
    status : int
        HTTP status, 400 to 599.
    detail : str
        Fault and remedy; cut when long.
    kind, title : str, optional
        Slug of its type and its heading; by default those of the status.
    errors : list of Fault, optional
        Single fields refused.
    headers : mapping of str to str, optional
        More headers.
    """
    usual = TITLES.get(status, ("internal", "Something failed on the server"))
    document = Problem(
        type=f"urn:vpp:problem:{kind or usual[0]}",
        title=title or usual[1],
        status=status,
        detail=_short(detail),
        errors=(errors or [])[:MOST_ERRORS],
    )
    return JSONResponse(document.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}..."


async def _of_vpp(_: Request, fault: Exception) -> JSONResponse:
    for error, status, kind, title in STATUS:
        if isinstance(fault, error):
            return problem(status, str(fault), kind=kind, title=title)
    return problem(500, "The request was fine; the server's log says what failed.")


async def _of_validation(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, RequestValidationError)
    found = [Fault(field=_short(".".join(map(str, e["loc"]))), message=_short(str(e["msg"]))) for e in fault.errors()]
    first = found[0]
    return problem(422, f"{first.field}: {first.message}", errors=found)


async def _of_http(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, HTTPException)
    return problem(fault.status_code, str(fault.detail), headers=fault.headers)


async def _of_the_unexpected(_: Request, fault: Exception) -> JSONResponse:
    # answered outside the gate, so its headers are set here
    detail = f"The request was fine; the server's log says what failed ({type(fault).__name__})."
    return problem(500, detail, headers={**SECURITY_HEADERS, "cache-control": "no-store"})


def add_handlers(app: FastAPI) -> None:
    """Make every error of an application leave as a problem."""
    app.add_exception_handler(VppError, _of_vpp)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_the_unexpected)
