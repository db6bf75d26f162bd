"""Query parameters: times with a zone, spans that are bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from vpp.core.errors import InvalidInputError
from vpp.core.time import parse_time

LONGEST_SPAN = timedelta(days=400)
DEFAULT_SPAN = timedelta(days=1)
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_RANGE = "a time between 1971 and 2200"

Start = Annotated[
    str | None,
    Query(max_length=40, description="First moment, ISO 8601 with a zone; a day before the end by default."),
]
End = Annotated[
    str | None,
    Query(max_length=40, description="Last moment (exclusive), ISO 8601 with a zone; the plant's present by default."),
]


def moment_of(text: str, field: str) -> datetime:
    """Return a time in UTC, refused when it has no zone or lies outside what any plant has seen.

    >>> moment_of("2016-08-15T10:00:00-07:00", "start").isoformat()
    '2016-08-15T17:00:00+00:00'
    """
    try:
        value = parse_time(text, field=field)
    except OverflowError as fault:
        raise InvalidInputError(field, text, _RANGE) from fault
    if not EARLIEST <= value <= LATEST:
        raise InvalidInputError(field, text, _RANGE)
    return value


def span_of(start: str | None, end: str | None, now: str) -> tuple[datetime, datetime]:
    """Return the span asked for, at most 400 days; by default the day before the plant's present."""
    last = moment_of(end or now, "end")
    first = last - DEFAULT_SPAN if start is None else moment_of(start, "start")
    if not timedelta(0) < last - first <= LONGEST_SPAN:
        raise InvalidInputError("start", start, f"a time before the end, by at most {LONGEST_SPAN.days} days")
    return first, last
