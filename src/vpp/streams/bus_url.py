"""The address of a bus, ``mqtt://user:password@host:port?option=value``, and its options, each with its range.

Invariant: a password is never part of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from vpp.core.errors import InvalidInputError, UnknownNameError

Reader = Callable[[str, str], Any]
"""Turns an option's text into its value: called with its name and its text."""


@dataclass(frozen=True, slots=True)
class BusUrl:
    """An address in its parts.

    Parameters
    ----------
    scheme : str
        Before ``://``.
    host : str
        What stands between credentials and path: one ``host:port``, or several with commas; empty for none.
    user, password : str or None
        Credentials, percent-decoded.
    options : mapping of str to str
        What stands behind the question mark.
    """

    scheme: str
    host: str
    user: str | None
    password: str | None
    options: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The address as messages may show it."""
        return f"{self.scheme}://{self.host}"

    def settings(self, known: Mapping[str, Reader]) -> dict[str, Any]:
        """Return the options as values.

        Raises
        ------
        UnknownNameError
            For an option that is not known; the nearest are named.
        InvalidInputError
            For a value outside its range.
        """
        for name in self.options:
            if name not in known:
                raise UnknownNameError(f"option of {self.scheme}://", name, known)
        return {name: known[name](name, text) for name, text in self.options.items()}

    def host_and_port(self, *, default_port: int) -> tuple[str, int]:
        """Return the one host and its port.

        Raises
        ------
        InvalidInputError
            When there is no host, or the port is no number.
        """
        split = urlsplit(f"//{self.host}")
        expected = f"{self.scheme}://host:port"
        try:
            host, port = split.hostname, split.port
        except ValueError as fault:
            raise InvalidInputError("bus", self.shown, expected) from fault
        if not host:
            raise InvalidInputError("bus", self.shown, expected)
        return host, default_port if port is None else port


def parse_bus_url(url: str) -> BusUrl:
    """Return an address in its parts.

    Raises
    ------
    InvalidInputError
        When it is no address, has a path, or names an option twice.

    Examples
    --------
    >>> parse_bus_url("mqtt://me:secret@broker:1883?qos=0").shown
    'mqtt://broker:1883'
    """
    scheme, mark, _ = url.partition("://")
    if not mark or not scheme:
        raise InvalidInputError("bus", url if "@" not in url else "...", "an address such as mqtt://host:1883")
    split = urlsplit(url)
    credentials, _, host = split.netloc.rpartition("@")
    user, colon, password = credentials.partition(":")
    shown = f"{scheme}://{host}"
    if split.path.strip("/") or split.fragment:
        raise InvalidInputError("bus", f"{shown}{split.path}", f"nothing behind {shown} but ?option=value")
    options: dict[str, str] = {}
    for name, text in parse_qsl(split.query, keep_blank_values=True):
        if name in options:
            raise InvalidInputError(f"bus option {name}", "two values", "one")
        options[name] = text
    return BusUrl(
        split.scheme,
        host,
        unquote(user) if credentials else None,
        unquote(password) if colon else None,
        options,
    )


def whole(low: int, high: int, unit: str = "") -> Reader:
    """Return a reader of whole numbers in [low, high]."""

    def read(name: str, text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else None
        if value is None or not low <= value <= high:
            raise InvalidInputError(f"bus option {name}", text, f"a whole number from {low} to {high}{unit}")
        return value

    return read


def one_of(*words: str) -> Reader:
    """Return a reader of one of several words."""

    def read(name: str, text: str) -> str:
        if text not in words:
            raise InvalidInputError(f"bus option {name}", text, f"one of {', '.join(words)}")
        return text

    return read


def file_name(name: str, text: str) -> str:
    """Read the name of a file."""
    if not text:
        raise InvalidInputError(f"bus option {name}", text, "the name of a file")
    return text
