"""Access: one admin token for scripts, one-time codes for browsers, and the sessions they open.

Invariants: a code works once and for ten minutes; a session id is neither the token nor the code; secrets are compared
in constant time and never written to a log; who fails ten times in a minute waits, who is right does not.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from vpp.core.errors import InvalidInputError

CODE_LIFETIME_S = 600.0
SESSION_LIFETIME_S = 12 * 3600.0
MOST_CODES = 16
MOST_SESSIONS = 64
FAILURES_PER_MINUTE = 10
MOST_SOURCES = 1024
_MINUTE_S = 60.0
_SECRET_BYTES = 32
SHORTEST_TOKEN = 22
"""Characters of a url-safe token of 128 bits."""


def new_token() -> str:
    """Return a random admin token of 256 bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class Session:
    """Who is asking; ``id`` is None for a script that carried the token."""

    id: str | None


SCRIPT = Session(None)


class Throttle:
    """Counts failures per source over the last minute; remembers a bounded number of sources."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, source: str) -> float:
        """Return how long a source has to wait before its next try [s]; 0 when it may try."""
        times = self._failures.get(source)
        if times is None:
            return 0.0
        while times and times[0] <= self._now_s() - _MINUTE_S:
            times.popleft()
        return times[0] + _MINUTE_S - self._now_s() if len(times) >= FAILURES_PER_MINUTE else 0.0

    def fail(self, source: str) -> None:
        """Count one failure."""
        times = self._failures.setdefault(source, deque(maxlen=FAILURES_PER_MINUTE))
        times.append(self._now_s())
        self._failures.move_to_end(source)
        while len(self._failures) > MOST_SOURCES:
            self._failures.popitem(last=False)


class Access:
    """Knows the token, the codes that still work and the sessions that are open.

    Parameters
    ----------
    token : str
        The admin token, at least 128 bits as url-safe text.
    now_s : callable, optional
        Monotonic seconds; tests hand in their own.

    Raises
    ------
    InvalidInputError
        When the token is too short to be a secret.
    """

    def __init__(self, token: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        if len(token) < SHORTEST_TOKEN or len(set(token)) < SHORTEST_TOKEN // 3:
            raise InvalidInputError("token", "a short or plain text", f"{SHORTEST_TOKEN} random characters or more")
        self._token = token.encode()
        self._now_s = now_s
        self._lock = threading.Lock()
        self._codes: OrderedDict[str, float] = OrderedDict()
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._throttle = Throttle(now_s)

    def new_code(self) -> str:
        """Return a fresh one-time code."""
        code = secrets.token_urlsafe(_SECRET_BYTES)
        with self._lock:
            _keep(self._codes, code, self._now_s() + CODE_LIFETIME_S, MOST_CODES)
        return code

    def exchange(self, code: str) -> str | None:
        """Return the id of a new session for a code that works, which is dead from then on; None otherwise."""
        with self._lock:
            found = _find(self._codes, code)
            if found is None or self._codes.pop(found) <= self._now_s():
                return None
            session_id = secrets.token_urlsafe(_SECRET_BYTES)
            _keep(self._sessions, session_id, self._now_s() + SESSION_LIFETIME_S, MOST_SESSIONS)
            return session_id

    def is_token(self, text: str) -> bool:
        """Tell whether a text is the admin token."""
        return secrets.compare_digest(text.encode(errors="replace"), self._token)

    def session(self, session_id: str) -> Session | None:
        """Return the session with this id while it is open."""
        with self._lock:
            found = _find(self._sessions, session_id)
            if found is None:
                return None
            if self._sessions[found] <= self._now_s():
                del self._sessions[found]
                return None
            return Session(found)

    def is_open(self, session: Session) -> bool:
        """Tell whether a session still holds; a script's holds as long as the server."""
        return session.id is None or self.session(session.id) is not None

    def close(self, session: Session) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session.id or "", None)

    def wait_s(self, source: str) -> float:
        """Return how long a source that failed too often has to wait [s]."""
        with self._lock:
            return self._throttle.wait_s(source)

    def fail(self, source: str) -> None:
        """Count a wrong code or token of a source."""
        with self._lock:
            self._throttle.fail(source)


def _find(known: OrderedDict[str, float], text: str) -> str | None:
    # all are compared, so that the time taken tells nothing about which one is near
    given = text.encode(errors="replace")
    found = [one for one in known if secrets.compare_digest(one.encode(), given)]
    return found[0] if found else None


def _keep(known: OrderedDict[str, float], key: str, until_s: float, most: int) -> None:
    known[key] = until_s
    while len(known) > most:
        known.popitem(last=False)
