"""The bus on an MQTT 5 broker.

Invariant: ``publish`` returns when the broker has answered for every item, and a message of QoS 1 is acknowledged to
the broker only by ``acknowledge``: what was not comes again, to this client or to the next one of the same id.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Condition
from typing import NamedTuple

from paho.mqtt.client import MQTT_ERR_NO_CONN, MQTT_ERR_SUCCESS, error_string
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from vpp.core.errors import ClosedError, InvalidInputError, StoreError
from vpp.core.messages import GENERAL, KINDS, Channel, Parcel
from vpp.streams.address import check_address, mqtt_topic, of_mqtt_topic
from vpp.streams.memory import BusCounts
from vpp.streams.mqtt_frames import KIND, Publication, kind_of
from vpp.streams.mqtt_link import UNHEARD, MqttLink
from vpp.streams.mqtt_settings import LinkSettings

_FOR_A_STORE = (Channel.TELEMETRY, Channel.ACK)
"""What must not be lost: where nobody has subscribed the broker throws it away, and that counts as a refusal."""
_AT_ONCE = 64
"""Items handed to the link under one lock; its thread may work in between."""


class _Arrival(NamedTuple):
    """A message that waits: its parcel, its number (0 without QoS 1) and the connection it came by."""

    parcel: Parcel
    mid: int
    epoch: int


class MqttBus:
    """Carries parcels through an MQTT broker.

    Parameters
    ----------
    settings : LinkSettings
        The connection; its ``subscriptions`` are what ``consume`` returns.
    wait_s : float
        How long to wait for the broker at first [s]; 0 starts without it.
    publish_timeout_s : float
        How long ``publish`` waits for the broker's answers [s].
    in_flight : int
        Most publications ahead of their answer; the broker may take fewer.
    telemetry_qos : int
        0 or 1; every other channel goes with QoS 1.
    capacity : int
        Most messages of QoS 0 that wait to be consumed; those of QoS 1 are bounded by ``settings.receive``.

    Raises
    ------
    InvalidInputError
        When the broker refuses the credentials or a subscription.
    StoreError
        When no broker answered within ``wait_s``.
    """

    def __init__(
        self,
        settings: LinkSettings,
        *,
        wait_s: float = 10.0,
        publish_timeout_s: float = 10.0,
        in_flight: int = 1024,
        telemetry_qos: int = 1,
        capacity: int = 10_000,
    ) -> None:
        self._changed = Condition()
        self._publish_timeout_s = publish_timeout_s
        self._most_in_flight = in_flight
        self._telemetry_qos = telemetry_qos
        self._capacity = capacity
        self._queue: deque[_Arrival] = deque()
        self._delivered = 0
        self._unanswered: dict[int, _Call] = {}
        self._to_be_kept: set[int] = set()
        self._in_flight = 0
        self._counted = {"published": 0, "acknowledged": 0, "refused": 0, "dropped": 0}
        self._closed = False
        self._properties = {kind: _Packed(kind) for kind in KINDS if kind != GENERAL}
        self._link = MqttLink(
            settings,
            self._changed,
            on_messages=self._on_messages,
            on_answers=self._on_answers,
            on_up=self._on_up,
        )
        self._link.begin()
        if wait_s > 0.0:
            try:
                self._link.wait_until_up(wait_s)
            except (InvalidInputError, StoreError):
                self.close()
                raise

    def publish(self, items: Sequence[Parcel]) -> None:
        """Hand parcels to the broker, in their order; returns when it has answered for all of them.

        Status is retained: who subscribes later learns the last one.

        Raises
        ------
        StoreError
            When the broker did not answer for all of them in time, or refused one; those it answered for are on the
            bus, and of the others some may be.
        InvalidInputError
            When an address is not of slugs, or a kind is unknown.
        ClosedError
            When the bus was closed.
        """
        deadline = time.monotonic() + self._publish_timeout_s
        for item in items:
            check_address(item.plant, item.source, item.kind)
        addressed = [(mqtt_topic(item.plant, item.source, item.channel), item) for item in items]
        call = _Call(len(items))
        sent = 0
        while sent < len(items):
            with self._changed:
                if not self._wait_for_room(call, deadline):
                    break
                several = addressed[sent : sent + min(self._room - self._in_flight, _AT_ONCE)]
                for topic, item in several:
                    self._send(topic, item, call)
                sent += len(several)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not call.left or call.refused, deadline - time.monotonic())
            self._require_open()
            self._counted["published"] += call.size - call.left
            self._counted["refused"] += call.left
            if call.left or call.refused:
                raise StoreError(self._complaint(call))

    def consume(self, *, most: int = 512, wait_s: float = 0.0) -> list[Parcel]:
        """Return the oldest messages that were not yet acknowledged, at most ``most``.

        Parameters
        ----------
        most : int
            Largest number of parcels, 1 or more.
        wait_s : float
            How long to wait for the first when there is none [s].
        """
        if most < 1:
            raise InvalidInputError("most", most, "1 or more items")
        with self._changed:
            self._require_open()
            if not self._queue and wait_s > 0.0:
                self._changed.wait_for(lambda: self._closed or bool(self._queue), wait_s)
                self._require_open()
            self._delivered = min(most, len(self._queue))
            return [arrival.parcel for arrival in islice(self._queue, self._delivered)]

    def acknowledge(self) -> None:
        """Tell the broker that what the last ``consume`` returned is safely stored; again is harmless."""
        with self._changed:
            self._require_open()
            epoch = self._link.state.epoch
            done = [self._queue.popleft() for _ in range(self._delivered)]
            # What an earlier connection brought comes again by this one, under a number of its own.
            self._link.acknowledge([arrival.mid for arrival in done if arrival.mid and arrival.epoch == epoch])
            self._counted["acknowledged"] += self._delivered
            self._delivered = 0

    def counts(self) -> BusCounts:
        """Return what the bus has done so far."""
        with self._changed:
            return BusCounts(**self._counted, held=len(self._queue), connections=self._link.state.connections)

    def close(self) -> None:
        """Take leave of the broker; the session, with what was not acknowledged, stays there."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._link.close()

    def _wait_for_room(self, call: _Call, deadline: float) -> bool:
        """Wait until the broker takes more; False when it did not in time, or refused one of this call."""
        self._changed.wait_for(
            lambda: self._closed or call.refused or (self._link.state.up and self._in_flight < self._room),
            deadline - time.monotonic(),
        )
        self._require_open()
        return not call.refused and self._link.state.up and self._in_flight < self._room

    def _send(self, topic: str, item: Parcel, call: _Call) -> None:
        telemetry = item.channel is Channel.TELEMETRY
        qos = self._telemetry_qos if telemetry else 1
        info = self._link.client.publish(
            topic,
            item.payload,
            qos=qos,
            retain=item.channel is Channel.STATUS,
            properties=self._properties.get(item.kind) if telemetry else None,
        )
        if info.rc not in (MQTT_ERR_SUCCESS, MQTT_ERR_NO_CONN):
            call.refused = error_string(info.rc)
        elif qos:
            self._in_flight += 1
            self._unanswered[info.mid] = call
            if item.channel in _FOR_A_STORE:
                self._to_be_kept.add(info.mid)
        elif info.rc == MQTT_ERR_SUCCESS:
            call.left -= 1

    @property
    def _room(self) -> int:
        return min(self._most_in_flight, self._link.state.most_in_flight)

    def _complaint(self, call: _Call) -> str:
        done = f"the broker holds {call.size - call.left} of {call.size} items"
        if call.refused == UNHEARD:
            return f"{done}; nobody has subscribed to what it threw away: start vpp ingest there, once is enough"
        if call.refused:
            return f"{done}; it refused one: {call.refused}; ask for access to that topic"
        fault = self._link.state.fault or "it answers too slowly"
        return f"{done} after {self._publish_timeout_s:g} s ({fault}); publish the others again later"

    def _on_answers(self, answers: list[tuple[int, str]]) -> None:
        for mid, refused in answers:
            call = self._unanswered.pop(mid, None)
            to_be_kept = mid in self._to_be_kept
            self._to_be_kept.discard(mid)
            if call is not None:
                self._in_flight -= 1
                if refused and (refused != UNHEARD or to_be_kept):
                    call.refused = refused
                else:
                    call.left -= 1

    def _on_messages(self, messages: list[Publication]) -> None:
        epoch = self._link.state.epoch
        for message in messages:
            if message.qos:
                self._queue.append(_Arrival(_parcel_of(message), message.mid, epoch))
            elif len(self._queue) < self._capacity:
                self._queue.append(_Arrival(_parcel_of(message), 0, epoch))
            else:
                self._counted["dropped"] += 1

    def _on_up(self, session_present: bool) -> None:
        """Let go of what the broker will send again; keep what it no longer knows of."""
        if not session_present:
            return
        handed = list(islice(self._queue, self._delivered))
        waiting = list(islice(self._queue, self._delivered, None))
        self._queue.clear()
        self._queue.extend(handed)
        self._queue.extend(arrival for arrival in waiting if not arrival.mid)

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the bus was closed; make a new one")


@dataclass(slots=True)
class _Call:
    """How far one call of ``publish`` got: its items, how many the broker has not taken, why it refused one."""

    size: int
    left: int = field(init=False)
    refused: str = ""

    def __post_init__(self) -> None:
        self.left = self.size


class _Packed(Properties):
    """The properties of a publication, packed once for all messages."""

    def __init__(self, kind: str) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        self.UserProperty = (KIND, kind)
        self.__dict__["packed"] = bytes(super().pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        """Return the packed bytes."""
        packed: bytes = self.__dict__["packed"]
        return packed


def _parcel_of(message: Publication) -> Parcel:
    plant, source, channel = of_mqtt_topic(message.topic)
    return Parcel(
        plant, source, channel, message.payload, kind_of(message.properties) if message.properties else GENERAL
    )
