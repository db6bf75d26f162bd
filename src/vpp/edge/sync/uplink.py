"""The uplink: one HTTP request after the other, tried again while that can help, and not once more when it cannot.

Tried again, with exponential back-off and full jitter: no connection, no answer in time, 408, 425, 429 and 5xx; a
``Retry-After`` is honoured. Any other answer but 2xx is final. Redirections are not followed: a secret goes nowhere
but where it was meant to go. No message holds a header.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
import numpy as np

from vpp.core.errors import InvalidInputError, StoreError

WORTH_ANOTHER_TRY = frozenset({408, 425, 429})
LONGEST_RETRY_AFTER_S = 300.0
_SMALLEST_TO_COMPRESS = 512
_LONGEST_DETAIL = 500


class UnreachableTargetError(StoreError):
    """A target did not answer, or asked to come later, as often as it was tried; nothing is lost, try again later.

    Parameters
    ----------
    target : str
        Its address.
    tries : int
        How often.
    why : str
        What happened last.
    """

    def __init__(self, target: str, tries: int, why: str) -> None:
        self.target = target
        self.tries = tries
        self.why = why
        super().__init__(f"{target} took nothing in {tries} {'try' if tries == 1 else 'tries'}: {why}; try again later")


class RefusedError(StoreError):
    """A target answered, and the answer is no.

    Parameters
    ----------
    target : str
        Its address.
    status : int
        HTTP status.
    detail : str
        What it said, cut when long.
    code : str
        Its own code of the fault, where it gave one.
    """

    def __init__(self, target: str, status: int, detail: str, code: str = "") -> None:
        self.target = target
        self.status = status
        self.detail = detail
        self.code = code
        super().__init__(f"{target} refuses with status {status}{f' ({code})' if code else ''}: {detail}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between tries: a random share of a bound that doubles with every failure.

    Parameters
    ----------
    first_s, longest_s : float
        Bound of the first wait and of any [s], above 0.
    tries : int
        Tries in all, 1 or more.

    Notes
    -----
    Full jitter, after M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: gateways that lost
    the same server do not come back at the same moment.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    tries: int = 6

    def __post_init__(self) -> None:
        """Refuse waits and tries that are none."""
        if not 0.0 < self.first_s <= self.longest_s:
            raise InvalidInputError("first_s", self.first_s, f"above 0, at most longest_s ({self.longest_s:g}) [s]")
        if self.tries < 1:
            raise InvalidInputError("tries", self.tries, "1 or more")

    def bound_s(self, failures: int) -> float:
        """Return the longest wait after so many failures [s], 1 or more.

        >>> [Backoff(first_s=1.0, longest_s=5.0).bound_s(n) for n in (1, 2, 3, 4, 5000)]
        [1.0, 2.0, 4.0, 5.0, 5.0]
        """
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 60))


class Uplink:
    """Sends requests to one target.

    Parameters
    ----------
    target : str
        Address for people; holds no secret.
    headers : mapping of str to str
        Sent with every request; may hold secrets.
    backoff : Backoff
        How long to wait between tries.
    timeout_s : float
        How long one try may take [s].
    stopping : threading.Event, optional
        When set, waits end and nothing is tried again.
    seed : int, optional
        Of the jitter; by default another each time, or gateways would wait alike.
    """

    def __init__(
        self,
        target: str,
        *,
        headers: Mapping[str, str],
        backoff: Backoff | None = None,
        timeout_s: float = 30.0,
        stopping: threading.Event | None = None,
        seed: int | None = None,
    ) -> None:
        self.target = target
        self.requests = 0
        self.retries = 0
        self._backoff = backoff or Backoff()
        self._stopping = stopping or threading.Event()
        self._random = np.random.default_rng(seed)
        self._client = httpx.Client(headers=dict(headers), timeout=timeout_s, follow_redirects=False)

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        compress: bool = False,
    ) -> httpx.Response:
        """Return the answer to a request, 2xx.

        Parameters
        ----------
        method, url, headers, parameters
            As HTTP has them.
        body : bytes, optional
            What is sent.
        compress : bool
            Send the body by gzip, where the target reads that.

        Raises
        ------
        UnreachableTargetError
            When it got no answer, or was asked to come later, as often as it may try.
        RefusedError
            When the answer is another than 2xx.
        """
        sent = dict(headers or {})
        if compress and body is not None and len(body) >= _SMALLEST_TO_COMPRESS:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            sent["Content-Encoding"] = "gzip"
        for failures in range(1, self._backoff.tries + 1):
            retry_after_s: float | None = None
            self.requests += 1
            try:
                answer = self._client.request(method, url, content=body, headers=sent, params=parameters)
            except httpx.TransportError as fault:
                why = f"{type(fault).__name__} {fault}".strip()
            else:
                if answer.is_success:
                    return answer
                if not (answer.status_code in WORTH_ANOTHER_TRY or answer.is_server_error):
                    raise RefusedError(self.target, answer.status_code, *_told(answer))
                why = f"status {answer.status_code}, {_told(answer)[0]}"
                retry_after_s = _retry_after_s(answer)
            if failures == self._backoff.tries or self._stopping.wait(self._wait_s(failures, retry_after_s)):
                break
            self.retries += 1
        raise UnreachableTargetError(self.target, failures, why)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def _wait_s(self, failures: int, retry_after_s: float | None) -> float:
        jitter_s = float(self._random.uniform(0.0, self._backoff.bound_s(failures)))
        return jitter_s if retry_after_s is None else min(retry_after_s, LONGEST_RETRY_AFTER_S) + jitter_s


def _told(answer: httpx.Response) -> tuple[str, str]:
    """Return what an answer says of its fault, and its code, as PostgREST and problem documents (RFC 9457) put it."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return answer.text[:_LONGEST_DETAIL] or answer.reason_phrase, ""
    said = [str(document[name]) for name in ("message", "detail", "details", "hint") if document.get(name)]
    return ("; ".join(said) or answer.reason_phrase)[:_LONGEST_DETAIL], str(document.get("code") or "")


def _retry_after_s(answer: httpx.Response) -> float | None:
    """Return how long a server asks to wait [s]: given in seconds, or as a date against the server's own clock."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:6])
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(answer.headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None
