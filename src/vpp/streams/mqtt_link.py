"""One MQTT 5 connection that is kept up: connects, subscribes, and comes back after a break.

One thread owns the socket. Invariant: a connection has a number, ``epoch``, and nothing that belongs to one
connection is said on another: what a broker delivered before a break is never acknowledged after it.
"""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vpp.core.errors import InvalidInputError, StoreError, UnreadableFileError
from vpp.streams.mqtt_frames import Publication, acknowledgements
from vpp.streams.mqtt_settings import LinkSettings
from vpp.streams.mqtt_socket import BufferedClient, BufferedSocket, tls_context

SHORTEST_WAIT_S = 0.2
"""Never more than five connection attempts a second."""
UNHEARD = "No matching subscribers"
"""What a broker answers of a message that it took and that goes to nobody."""
_ASKS_AFTER = 5 / 8
"""Part of the keep-alive time after which paho asks whether the broker lives; after a second one it gives up."""
_LOOKS_EVERY = 1 / 8
"""Part of the keep-alive time between two looks at the clock; together they stay within one and a half of it."""
_GOODBYE_S = 1.0
_ONLY_IF_NEW = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB


@dataclass(slots=True)
class LinkState:
    """How a link is; guarded by the link's lock.

    Parameters
    ----------
    epoch : int
        Number of the connection, counted from the attempt on.
    up : bool
        Whether the broker has taken the connection and its subscriptions.
    refused : str
        Why the broker refused the last attempt; empty when it did not.
    fault : str
        What last went wrong, in words.
    most_in_flight : int
        How many publications the broker takes ahead of their acknowledgement.
    """

    epoch: int = 0
    up: bool = False
    refused: str = ""
    fault: str = "no connection yet"
    most_in_flight: int = 65_535
    connections: int = 0


class MqttLink:
    """Keeps one connection up until it is closed.

    Parameters
    ----------
    settings : LinkSettings
        How.
    changed : threading.Condition
        Guards the state here and that of the owner; notified when either changes.
    on_messages : callable
        Told, with ``changed`` held, of the messages that arrived, in their order.
    on_answers : callable
        Told, with ``changed`` held, of publications that the broker answered: their numbers, each with the reason
        where it refused. Those of QoS 0 are told when they were sent.
    on_up : callable
        Told, with ``changed`` held, of every new connection: whether the broker still had the session.
    """

    def __init__(
        self,
        settings: LinkSettings,
        changed: threading.Condition,
        *,
        on_messages: Callable[[list[Publication]], None],
        on_answers: Callable[[list[tuple[int, str]]], None],
        on_up: Callable[[bool], None],
    ) -> None:
        self.settings = settings
        self.state = LinkState()
        self._changed = changed
        self._on_messages = on_messages
        self._on_answers = on_answers
        self._on_up = on_up
        self._acknowledgements = bytearray()
        self._answers: list[tuple[int, str]] = []
        self._goodbye = ""
        self._closing = threading.Event()
        self.client = self._new_client()
        self._woken = False
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        # Jitter need not be repeatable, and every process needs its own.
        self._random = random.SystemRandom()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{settings.client_id}", daemon=True)

    def begin(self) -> None:
        """Start to connect; the callbacks may be called from now on."""
        self._thread.start()

    def wait_until_up(self, wait_s: float) -> None:
        """Return when the link is up.

        Raises
        ------
        InvalidInputError
            When the broker refuses who we are or what we ask for.
        StoreError
            When it did not answer in time.
        """
        state, where = self.state, f"mqtt://{self.settings.host}:{self.settings.port}"
        with self._changed:
            self._changed.wait_for(lambda: state.up or bool(state.refused), wait_s)
            if state.up:
                return
            if state.refused:
                raise InvalidInputError(
                    "bus", where, f"credentials and topics that its broker allows; it answered: {state.refused}"
                )
            raise StoreError(f"{where} did not answer within {wait_s:g} s ({state.fault}); start it or correct the URL")

    def close(self) -> None:
        """Take leave of the broker and end the thread."""
        self._closing.set()
        self._ring()
        self._thread.join()
        self._ear.close()
        self._bell.close()

    def _new_client(self) -> Client:
        settings = self.settings
        client = BufferedClient(
            CallbackAPIVersion.VERSION2, client_id=settings.client_id, protocol=MQTTv5, manual_ack=True
        )
        client.longest = settings.packet_bytes
        # How many are in flight is bounded by the owner, who learns what the broker takes.
        client.max_inflight_messages_set(0)
        if settings.user is not None:
            client.username_pw_set(settings.user, settings.password)
        if settings.tls:
            try:
                client.tls_set_context(tls_context(settings.cafile, settings.certfile, settings.keyfile))
            except OSError as fault:
                named = settings.cafile or settings.certfile or "TLS"
                raise UnreadableFileError(str(named), f"no certificate or key that can be used ({fault})") from fault
        if settings.will is not None:
            client.will_set(settings.will.topic, settings.will.payload, qos=1, retain=True)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_publish = self._published
        client.on_socket_register_write = lambda *_: self._ring()
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.ReceiveMaximum = settings.receive
        wanted.MaximumPacketSize = settings.packet_bytes
        wanted.SessionExpiryInterval = settings.session_s
        client.connect_async(
            settings.host,
            settings.port,
            keepalive=max(1, int(settings.keepalive_s * _ASKS_AFTER)),
            clean_start=settings.session_s == 0,
            properties=wanted,
        )
        return client

    def _run(self) -> None:
        wait_s = SHORTEST_WAIT_S
        try:
            while not self._closing.is_set():
                before = self.state.connections
                self._next_epoch()
                try:
                    self.client.reconnect()
                    self._serve()
                except OSError as fault:
                    self._broken(str(fault))
                else:
                    self._broken(self._goodbye)
                wait_s = SHORTEST_WAIT_S if self.state.connections > before else min(2 * wait_s, self._longest_s)
                self._closing.wait(max(SHORTEST_WAIT_S, wait_s * self._random.uniform(0.5, 1.5)))
        finally:
            self._broken("the connection's thread ended")

    @property
    def _longest_s(self) -> float:
        return self.settings.longest_wait_s

    def _next_epoch(self) -> None:
        with self._changed:
            self.state.epoch += 1
            self.state.up = False
            self._acknowledgements.clear()

    def acknowledge(self, numbers: list[int]) -> None:
        """Tell the broker, with ``changed`` held, that publications of this connection are safely stored."""
        self._acknowledgements += acknowledgements(numbers)
        self._ring()

    def _serve(self) -> None:
        """Move bytes until the connection ends."""
        client = self.client
        wired = client.socket()
        if not isinstance(wired, BufferedSocket):
            raise ConnectionError(f"paho made a {type(wired).__name__} where a BufferedSocket was to be")
        poller = select.poll()
        number = wired.fileno()
        poller.register(self._ear, select.POLLIN)
        poller.register(number, select.POLLIN)
        wait_ms = int(self.settings.keepalive_s * _LOOKS_EVERY * 1000)  # house: allow-1000, milliseconds
        leave_by = inf
        while self._serves(wired):
            if self._closing.is_set() and leave_by == inf:
                wired.await_goodbye(_GOODBYE_S)
                client.disconnect()
                leave_by = time.monotonic() + _GOODBYE_S
            if time.monotonic() > leave_by:
                return
            self._write(wired)
            poller.modify(number, select.POLLIN | (0 if wired.flush() else select.POLLOUT))
            ready = dict(poller.poll(wait_ms))
            if self._ear.fileno() in ready:
                # In this order: who publishes in between finds it woken, and what he left is written right below.
                _drain(self._ear)
                self._woken = False
            if number in ready:
                client.loop_read()
                while self._serves(wired) and wired.pending():
                    client.loop_read()
                self._hand_over(wired)
            client.loop_misc()

    def _serves(self, wired: BufferedSocket) -> bool:
        return self.client.socket() is wired

    def _write(self, wired: BufferedSocket) -> None:
        with self._changed:
            said = bytes(self._acknowledgements)
            self._acknowledgements.clear()
        if said:
            wired.send(said)
        if self.client.want_write():
            self.client.loop_write()

    def _hand_over(self, wired: BufferedSocket) -> None:
        """Tell what was read. paho's callbacks hold locks of paho's, so they only gather."""
        publications = wired.publications()
        if publications or self._answers:
            answers, self._answers = self._answers, []
            with self._changed:
                self._on_messages(publications)
                self._on_answers(answers)
                self._changed.notify_all()

    def _ring(self) -> None:
        """Wake the thread: there is something to send."""
        if not self._woken:
            self._woken = True
            try:
                self._bell.send(b"\0")
            except OSError:
                # full: it is awake already; closed: there is nobody to wake
                return

    def _connected(
        self, client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, granted: Properties | None
    ) -> None:
        if reason.is_failure:
            with self._changed:
                self.state.refused = self.state.fault = str(reason)
                self._changed.notify_all()
            return
        with self._changed:
            self.state.connections += 1
            self.state.most_in_flight = getattr(granted, "ReceiveMaximum", 65_535)
            self._on_up(flags.session_present)
            if not self.settings.subscriptions:
                self._up()
        if self.settings.subscriptions:
            options = SubscribeOptions(qos=self.settings.qos, retainHandling=_ONLY_IF_NEW)
            client.subscribe([(topic, options) for topic in self.settings.subscriptions])

    def _subscribed(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _granted: Properties | None
    ) -> None:
        refused = [
            f"{topic}: {reason}"
            for topic, reason in zip(self.settings.subscriptions, reasons, strict=False)
            if reason.is_failure
        ]
        with self._changed:
            if refused:
                self.state.refused = self.state.fault = "; ".join(refused)
                self._changed.notify_all()
            else:
                self._up()

    def _up(self) -> None:
        self.state.up = True
        self.state.refused = self.state.fault = ""
        self._changed.notify_all()

    def _disconnected(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        # paho may hold the lock that a publishing thread waits for while it holds ours.
        self._goodbye = str(reason)

    def _broken(self, words: str) -> None:
        with self._changed:
            self.state.up = False
            self.state.fault = self.state.refused or words
            self._changed.notify_all()

    def _published(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _props: Properties | None
    ) -> None:
        heard = not reason.is_failure and reason.getName() != UNHEARD
        self._answers.append((mid, "" if heard else str(reason)))


def _drain(ear: socket.socket) -> None:
    try:
        while ear.recv(4096):
            continue
    except BlockingIOError:
        return
