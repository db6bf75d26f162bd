"""The door for chargers: who may connect. A source that guesses passwords is shut out before the next guess is read.

An unknown charger and a wrong password get the same answer. The budget counts per address: who guesses from elsewhere
does not lock a charger out.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidHeader
from websockets.headers import build_www_authenticate_basic, parse_authorization_basic
from websockets.http11 import Request, Response

from vpp.edge.drivers.ocpp_charger import Charger

ATTEMPTS_PER_MINUTE = 10
_WINDOW_S = 60.0
_MOST_SOURCES = 4096


class AttemptBudget:
    """Counts failed attempts of each source within the last minute.

    Parameters
    ----------
    most : int
        Failures after which a source is refused unheard, 1 or more.
    """

    def __init__(self, most: int = ATTEMPTS_PER_MINUTE) -> None:
        self._most = most
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def is_spent(self, source: str, *, now: float) -> bool:
        """Return whether a source has no attempt left; ``now`` is monotonic [s]."""
        failures = self._failures.get(source)
        while failures and failures[0] <= now - _WINDOW_S:
            failures.popleft()
        return failures is not None and len(failures) >= self._most

    def spend(self, source: str, *, now: float) -> None:
        """Count a failed attempt."""
        self._failures.setdefault(source, deque(maxlen=self._most)).append(now)
        self._failures.move_to_end(source)
        while len(self._failures) > _MOST_SOURCES:
            self._failures.popitem(last=False)


class Door:
    """Lets chargers in by the last part of their address and their password.

    Parameters
    ----------
    chargers : mapping of str to Charger
        Who may come, by id.
    """

    def __init__(self, chargers: Mapping[str, Charger]) -> None:
        self._chargers = chargers
        self._budget = AttemptBudget()
        self.refused = 0

    def __call__(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a handshake: None lets it go on, with the charger's id as ``connection.username``."""
        source = str(connection.remote_address[0]) if connection.remote_address else ""
        now = time.monotonic()
        if self._budget.is_spent(source, now=now):
            self.refused += 1
            return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "Too many failed attempts; wait a minute.\n")
        charger_id = unquote(urlsplit(request.path).path.rstrip("/").rpartition("/")[2])
        charger = self._chargers.get(charger_id)
        if charger is not None and (charger.anonymous or self._knows(charger, request)):
            connection.username = charger_id
            return None
        self.refused += 1
        self._budget.spend(source, now=now)
        response = connection.respond(HTTPStatus.UNAUTHORIZED, "This charger is not known here, or not by that.\n")
        response.headers["WWW-Authenticate"] = build_www_authenticate_basic("chargers")
        return response

    def _knows(self, charger: Charger, request: Request) -> bool:
        given = request.headers.get_all("Authorization")
        if len(given) != 1:
            return False
        try:
            username, password = parse_authorization_basic(given[0])
        except (InvalidHeader, ValueError):
            return False
        told = password.encode(errors="surrogateescape")
        return username == charger.id and hmac.compare_digest(told, charger.password.encode())
