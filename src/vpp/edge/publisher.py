"""Publishing to others beside the head-end: one MQTT session that tells what is measured to whoever hears it.

What is to be said, and when, is the matter of a ``Station``; this is its line. Nothing is buffered here: who was away
learns the latest values when the session is made anew.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Readings

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_KEEPALIVE_S = 30
_LONGEST_WAIT_S = 30


class Post(NamedTuple):
    """One publication."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class Station(Protocol):
    """What is said on a session. Its methods are called one at a time."""

    subscriptions: tuple[str, ...]

    def will(self) -> Post:
        """Return the last will of the session that is about to be made."""
        ...

    def up(self) -> list[Post]:
        """Return what is said first on a new session."""
        ...

    def heard(self, topic: str, payload: bytes) -> list[Post]:
        """Return what is said to something that arrived."""
        ...

    def measured(self, readings: Readings) -> list[Post]:
        """Return what is said of new readings."""
        ...

    def down(self) -> list[Post]:
        """Return what is said before the session is ended."""
        ...


class Publisher:
    """A station's line to a broker; it comes back by itself.

    Parameters
    ----------
    url : str
        ``mqtt://user:password@host:port`` or ``mqtts://...``; options behind a question mark are passed over.
    station : Station
        What is said.
    client_id : str
        Name at the broker, of no other client.

    Raises
    ------
    InvalidInputError
        When the address is none.
    """

    def __init__(self, url: str, station: Station, *, client_id: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise InvalidInputError(
                "url", f"{parts.scheme}://{parts.hostname or ''}", "mqtt://host:port or mqtts://..."
            )
        self._station = station
        self._lock = threading.Lock()
        self._is_up = False
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        if parts.username is not None:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        client.on_pre_connect = self._before
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._arrived
        self._client = client
        self._address = parts.hostname, parts.port or _PORTS[parts.scheme]

    @property
    def is_up(self) -> bool:
        """True while the session stands."""
        return self._is_up

    def begin(self) -> None:
        """Make the session, in the background; a broker that is away is tried again."""
        self._client.connect_async(*self._address, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    def measured(self, readings: Readings) -> None:
        """Tell readings when the session stands; without it they are only remembered."""
        with self._lock:
            posts = self._station.measured(readings)
            if self._is_up:
                self._say(posts)

    def stop(self) -> None:
        """Say goodbye and end the session."""
        with self._lock:
            if self._is_up:
                for post in self._station.down():
                    self._client.publish(*post).wait_for_publish(2.0)
            self._is_up = False
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, posts: Sequence[Post]) -> None:
        for post in posts:
            self._client.publish(*post)

    def _before(self, client: Client, _userdata: Any) -> None:
        with self._lock:
            client.will_set(*self._station.will())

    def _connected(self, client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            return
        if self._station.subscriptions:
            client.subscribe([(topic, 1) for topic in self._station.subscriptions])
        with self._lock:
            self._say(self._station.up())
            self._is_up = True

    def _disconnected(self, _client: Client, _userdata: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self._is_up = False

    def _arrived(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        with self._lock:
            self._say(self._station.heard(message.topic, bytes(message.payload)))
