"""MQTT devices: values from topics and paths in their payloads, set-points to a topic by a template.

A new message is reported once, with the moment it came or the time it carries. A device that speaks only when
something changes holds its value: it is reported again with every poll, until it is older than ``stale_after_s``; from
then on it is not, and the health says so. A retained message without a time of its own is of unknown age: left aside.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from string import Template
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from vpp.core.errors import InvalidInputError
from vpp.core.messages import Quality, Reading, Readings, SeriesKey
from vpp.edge.driver import DriverError, DriverHealth
from vpp.edge.drivers.conversion import Conversion
from vpp.edge.drivers.link import Link
from vpp.edge.drivers.payload_path import document, number_at, time_at

KEEP_ALIVE_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Where a value comes from.

    Parameters
    ----------
    asset_id, metric : str
        Which series it becomes.
    topic : str
        Its topic, without wildcards.
    path : str
        Dotted path in a JSON payload, list places as numbers; empty for a plain number.
    time_path : str
        Path of the value's own time (ISO 8601 with zone, or seconds since 1970); empty when there is none.
    conversion : Conversion
        Unit, scale and direction.
    stale_after_s : float
        How old a value may be and still be what holds [s], above 0.
    """

    asset_id: str
    metric: str
    topic: str
    path: str = ""
    time_path: str = ""
    conversion: Conversion = field(default_factory=Conversion)
    stale_after_s: float = 60.0

    def __post_init__(self) -> None:
        """Check every field."""
        check_topic(f"{self.asset_id}.{self.metric}.topic", self.topic)
        if not self.stale_after_s > 0.0:
            raise InvalidInputError("stale_after_s", self.stale_after_s, "above 0 [s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPointTopic:
    """How an asset is told its power.

    Parameters
    ----------
    asset_id, topic : str
        The asset, and where it listens.
    template : str
        Payload, in which ``$value`` stands for the number, e.g. ``{"setpoint_w": $value}``.
    conversion : Conversion
        Unit, scale and direction of that number.
    decimals : int
        Digits after the point, 0 to 9.
    retain : bool
        Whether the broker keeps it for a device that is away. Mind that the device then obeys it whenever it returns.
    """

    asset_id: str
    topic: str
    template: str = "$value"
    conversion: Conversion = field(default_factory=Conversion)
    decimals: int = 3
    retain: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        check_topic(f"{self.asset_id}.set_point.topic", self.topic)
        if not 0 <= self.decimals <= 9:
            raise InvalidInputError("decimals", self.decimals, "0 to 9")
        names = Template(self.template).get_identifiers()
        if not Template(self.template).is_valid() or names != ["value"]:
            raise InvalidInputError("template", self.template, "a text with $value and no other $ (a $ itself is $$)")

    def payload(self, power_kw: float) -> str:
        """Return what is published for a power [kW, positive toward the grid]."""
        number = round(self.conversion.to_device(power_kw), self.decimals) + 0.0
        return Template(self.template).substitute(value=f"{number:.{self.decimals}f}")


def check_topic(name: str, topic: str) -> None:
    """Refuse a topic that cannot be published to."""
    if not topic or any(mark in topic for mark in "+#\0") or len(topic.encode()) > 0xFFFF:
        raise InvalidInputError(name, topic, "a topic without + and #")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttDevice:
    """Devices behind one broker.

    Parameters
    ----------
    name : str
        What messages call it.
    url : str
        ``mqtt://`` or ``mqtts://``, host, and port if it is not 1883 or 8883.
    topics, set_points : tuple of Topic, tuple of SetPointTopic
        What is measured, and what obeys; at most one for each series and each asset.
    username, password : str
        Credentials; the password is never shown.
    timeout_s : float
        Longest wait for the broker [s], above 0.
    """

    name: str
    url: str
    topics: tuple[Topic, ...]
    set_points: tuple[SetPointTopic, ...] = ()
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse another scheme, credentials in the address, and what is named twice."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.username is not None:
            shown = f"{parts.scheme}://{parts.hostname or ''}"
            raise InvalidInputError(f"{self.name}.url", shown, "mqtt://host:port or mqtts://host:port, no credentials")
        if not self.timeout_s > 0.0:
            raise InvalidInputError("timeout_s", self.timeout_s, "above 0 [s]")
        keys = [(one.asset_id, one.metric) for one in self.topics]
        obeying = [one.asset_id for one in self.set_points]
        for name, given in (("topics", keys), ("set_points", obeying)):
            if len(set(given)) != len(given):
                raise InvalidInputError(f"{self.name}.{name}", given, "each series and each asset once")


@dataclass(slots=True)
class _Heard:
    value: float
    came: float  # monotonic [s]
    at: datetime | None
    reported: bool = False


class MqttDriver:
    """A ``Driver`` of the devices behind one broker. What they publish is taken in by a thread of the client.

    Parameters
    ----------
    plant : str
        Plant id.
    device : MqttDevice
        Topics and set-points.
    """

    def __init__(self, plant: str, device: MqttDevice) -> None:
        self.controllable: tuple[str, ...] = tuple(one.asset_id for one in device.set_points)
        measured = (one.asset_id for one in device.topics)
        self.asset_ids: tuple[str, ...] = tuple(dict.fromkeys((*measured, *self.controllable)))
        self._plant = plant
        self._device = device
        self._set_points = {one.asset_id: one for one in device.set_points}
        self._by_topic: dict[str, list[Topic]] = {}
        for one in device.topics:
            self._by_topic.setdefault(one.topic, []).append(one)
        self._link = Link(device.name)
        self._lock = Lock()
        self._heard: dict[SeriesKey, _Heard] = {}
        self._client: mqtt.Client | None = None
        self._subscribed = Event()
        self._settled = Event()
        self._opened = 0.0
        self._stale: tuple[str, ...] = ()

    def open(self) -> None:
        """Connect and subscribe.

        Raises
        ------
        DriverError
            When the broker does not let this client in and subscribe within the timeout.
        """
        self.close()
        self._settled.clear()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        parts = urlsplit(self._device.url)
        secure = parts.scheme == "mqtts"
        if secure:
            client.tls_set()
        if self._device.username:
            client.username_pw_set(self._device.username, self._device.password)
        client.connect_timeout = self._device.timeout_s
        client.reconnect_delay_set(1, 60)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        try:
            client.connect(parts.hostname or "", parts.port or (8883 if secure else 1883), KEEP_ALIVE_S)
        except (OSError, ValueError) as fault:
            raise self._link.lost("connection", f"no broker at {self._device.url}: {fault}") from fault
        client.loop_start()
        self._client = client
        self._opened = time.monotonic()
        self._settled.wait(self._device.timeout_s)
        if not self._subscribed.is_set():
            why = self._link.health().message or "no answer in time"
            self.close()
            raise self._link.lost("subscription", f"{self._device.url} did not grant it: {why}")

    def poll(self, now: datetime) -> Readings | None:
        """Return what was heard and still holds.

        Raises
        ------
        DriverError
            When the broker is not there; the client goes on trying.
        """
        if self._client is None:
            self._link.require_due()
            self.open()
        if not self._subscribed.is_set():
            raise DriverError(self._device.name, "connection", self._link.health().message or "the broker is away")
        moment, rows, stale = time.monotonic(), [], []
        with self._lock:
            for topics in self._by_topic.values():
                for topic in topics:
                    key = SeriesKey(topic.asset_id, topic.metric)
                    heard = self._heard.get(key)
                    is_old = self._age_s(heard, now, moment) > topic.stale_after_s
                    if is_old:
                        stale.append(topic.topic)
                    if heard is not None and not (is_old and heard.reported):
                        rows.append(self._row(key, heard, now, moment))
        self._stale = tuple(dict.fromkeys(stale))
        return Readings.of(rows) if rows else None

    def apply(self, asset_id: str, power_kw: float) -> None:
        """Publish a set-point [kW, positive toward the grid] at QoS 1; returns when the broker has it.

        MQTT cannot tell whether the device took it: what it does is seen in what it measures.

        Raises
        ------
        DriverError
            When the asset takes none, or the broker does not confirm within the timeout.
        """
        point = self._set_points.get(asset_id)
        if point is None:
            known = ", ".join(self._set_points) or "none"
            raise DriverError(self._device.name, asset_id, f"takes no set-point here; those that do: {known}")
        if self._client is None:
            self.open()
        if self._client is None or not self._client.is_connected():
            # A client that is away would keep the set-point and deliver it late.
            raise self._link.refused(point.topic, "the broker is away; nothing was sent")
        sent = self._client.publish(point.topic, point.payload(power_kw), qos=1, retain=point.retain)
        try:
            sent.wait_for_publish(self._device.timeout_s)
        except (RuntimeError, ValueError) as fault:
            raise self._link.refused(point.topic, f"not published: {fault}") from fault
        if not sent.is_published():
            raise self._link.refused(point.topic, f"the broker did not confirm within {self._device.timeout_s:g} s")

    def health(self) -> DriverHealth:
        """Return how the devices are; one that fell silent makes it unhealthy."""
        link = self._link.health()
        if link.healthy and self._stale:
            return DriverHealth(False, f"silent for too long: {', '.join(self._stale)}", link.errors)
        return link

    def close(self) -> None:
        """Disconnect; twice does no harm."""
        client, self._client = self._client, None
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_stop()
        self._subscribed.clear()

    def _age_s(self, heard: _Heard | None, now: datetime, moment: float) -> float:
        if heard is None:
            return moment - self._opened
        return moment - heard.came if heard.at is None else (now - heard.at).total_seconds()

    def _row(self, key: SeriesKey, heard: _Heard, now: datetime, moment: float) -> Reading:
        if heard.reported:
            at = now
        else:
            at = heard.at or now - timedelta(seconds=moment - heard.came)
            heard.reported = True
        return Reading(self._plant, key, at, heard.value, at, now, Quality.GOOD)

    def _on_connect(self, client: mqtt.Client, _user: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if reason.is_failure:
            self._link.lost("connection", f"the broker refused: {reason}; check username and password")
            self._settled.set()
        elif self._by_topic:
            client.subscribe([(topic, 1) for topic in self._by_topic])
        else:
            self._ready()

    def _on_subscribe(self, _client: Any, _user: Any, _id: int, reasons: list[ReasonCode], _more: Any) -> None:
        refused = [topic for topic, reason in zip(self._by_topic, reasons, strict=False) if reason.is_failure]
        if refused:
            self._link.lost("subscription", f"the broker refused {', '.join(refused)}; check its access list")
            self._settled.set()
        else:
            self._ready()

    def _ready(self) -> None:
        self._link.answered()
        self._subscribed.set()
        self._settled.set()

    def _on_disconnect(self, _client: Any, _user: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if self._link.health().healthy:
            # otherwise the fault that came first says more than this, its consequence
            self._link.lost("connection", f"the broker is away ({reason})")
        self._subscribed.clear()

    def _on_message(self, _client: Any, _user: Any, message: mqtt.MQTTMessage) -> None:
        came = time.monotonic()
        try:
            told = document(bytes(message.payload))
        except InvalidInputError as fault:
            self._link.remark(f"{message.topic}: {fault}")
            return
        for topic in self._by_topic.get(message.topic, ()):
            if message.retain and not topic.time_path:
                continue
            try:
                at = time_at(told, topic.time_path) if topic.time_path else None
                value = topic.conversion.to_house(number_at(told, topic.path))
            except InvalidInputError as fault:
                self._link.remark(f"{message.topic}: {fault}")
                continue
            with self._lock:
                self._keep(SeriesKey(topic.asset_id, topic.metric), _Heard(value, came, at))

    def _keep(self, key: SeriesKey, heard: _Heard) -> None:
        known = self._heard.get(key)
        # A retained message that the broker repeats after a reconnect is no news.
        if known is None or heard.at is None or known.at is None or heard.at > known.at:
            self._heard[key] = heard
