"""A bus by its address: ``memory://``, ``mqtt://``, ``mqtts://``, ``kafka://`` or ``kafkas://``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from vpp.core.errors import InvalidInputError, UnknownNameError
from vpp.core.extras import require
from vpp.core.messages import Channel, Parcel
from vpp.core.ports import Bus
from vpp.streams.address import mqtt_filters, mqtt_topic
from vpp.streams.bus_url import BusUrl, file_name, one_of, parse_bus_url, whole
from vpp.streams.hub import HubBus, hub_of
from vpp.streams.mqtt import MqttBus
from vpp.streams.mqtt_settings import LinkSettings, Will

MQTT_PORT, MQTTS_PORT = 1883, 8883
_TLS = {"cafile": file_name, "certfile": file_name, "keyfile": file_name}
MQTT_OPTIONS = {
    **_TLS,
    "qos": whole(0, 1),
    "keepalive_s": whole(4, 3600, " [s]"),
    "session_s": whole(0, 2**32 - 2, " [s]"),
    "receive": whole(1, 65_535),
    "packet_bytes": whole(1024, 268_435_455, " [bytes]"),
    "in_flight": whole(1, 65_535),
    "timeout_s": whole(1, 3600, " [s]"),
    "longest_wait_s": whole(1, 3600, " [s]"),
}
KAFKA_OPTIONS = {
    **_TLS,
    "partitions": whole(1, 10_000),
    "session_ms": whole(1000, 3_600_000, " [ms]"),  # house: allow-1000, a second in milliseconds
    "linger_ms": whole(0, 60_000, " [ms]"),
    "timeout_s": whole(1, 3600, " [s]"),
    "mechanism": one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    "start": one_of("oldest", "newest"),
}
MEMORY_OPTIONS = {"timeout_s": whole(0, 3600, " [s]")}


def open_bus(
    url: str,
    *,
    plants: Iterable[str] = (),
    sources: Iterable[str] = (),
    channels: Iterable[Channel] = (),
    group: str = "vpp",
    client_id: str | None = None,
    keep: bool | None = None,
    wait_s: float = 10.0,
    will: Parcel | None = None,
) -> Bus[Parcel]:
    """Return the bus behind an address.

    Parameters
    ----------
    url : str
        For instance ``memory://demo``, ``mqtt://user:password@host:1883``, ``kafka://host1:9092,host2:9092``.
    plants, sources : iterable of str
        Whose parcels ``consume`` returns; those of all plants and all sources where none is named.
    channels : iterable of Channel
        What ``consume`` returns; a bus without channels only publishes.
    group : str
        Name of the consumers among whom the parcels are shared out (Kafka), or of the one consumer (else).
    client_id : str, optional
        Name of this client. What an MQTT broker keeps for an absent client goes by it; it must be that of no other
        client. By default ``vpp-`` and the group where something is consumed, else a name drawn anew.
    keep : bool, optional
        Whether an MQTT broker keeps what arrives while this client is away, and a Kafka group begins with the oldest
        that is there. By default yes where something is consumed or the client has a name; False looks on from now.
    wait_s : float
        How long to wait for the broker at first [s]; 0 starts without it.
    will : Parcel, optional
        What an MQTT broker tells everyone when this client vanishes; a status.

    Returns
    -------
    Bus of Parcel
        It holds threads and connections until ``close``.

    Raises
    ------
    UnknownNameError
        When no bus has that scheme or that option; the nearest are named.
    InvalidInputError
        When the address is none, or the broker refuses the credentials.
    MissingExtraError
        When the bus needs a package that is not installed.
    StoreError
        When no broker answered in time.

    Examples
    --------
    >>> bus = open_bus("memory://", channels=[Channel.TELEMETRY])
    >>> bus.publish([Parcel("homes", "home01", Channel.TELEMETRY, b"{}")])
    >>> len(bus.consume())
    1
    """
    parts = parse_bus_url(url)
    if parts.scheme not in _OPENERS:
        raise UnknownNameError("bus", parts.scheme, _OPENERS)
    wanted = tuple(dict.fromkeys(Channel(channel) for channel in channels))
    name = client_id or (f"vpp-{group}" if wanted else f"vpp-{secrets.token_hex(8)}")
    return _OPENERS[parts.scheme](
        parts,
        plants=tuple(plants),
        sources=tuple(sources),
        channels=wanted,
        group=group,
        client_id=name,
        wait_s=wait_s,
        will=will,
        keeps=client_id is not None or bool(wanted) if keep is None else keep,
    )


def _open_memory(
    parts: BusUrl,
    *,
    plants: tuple[str, ...],
    sources: tuple[str, ...],
    channels: tuple[Channel, ...],
    group: str,
    **_others: Any,
) -> Bus[Parcel]:
    options = parts.settings(MEMORY_OPTIONS)
    if parts.user is not None:
        raise InvalidInputError("bus", parts.shown, "no user: this bus is within one process")
    return HubBus(
        hub_of(parts.host),
        plants=plants,
        sources=sources,
        channels=channels,
        group=group,
        publish_timeout_s=float(options.get("timeout_s", 5)),
    )


def _open_mqtt(
    parts: BusUrl,
    *,
    plants: tuple[str, ...],
    sources: tuple[str, ...],
    channels: tuple[Channel, ...],
    client_id: str,
    wait_s: float,
    will: Parcel | None,
    keeps: bool,
    **_others: Any,
) -> Bus[Parcel]:
    tls = parts.scheme == "mqtts"
    options = parts.settings(MQTT_OPTIONS if tls else {k: v for k, v in MQTT_OPTIONS.items() if k not in _TLS})
    host, port = parts.host_and_port(default_port=MQTTS_PORT if tls else MQTT_PORT)
    qos, timeout_s = options.pop("qos", 1), options.pop("timeout_s", 10)
    in_flight = options.pop("in_flight", 1024)
    last_words = None if will is None else Will(
        topic=mqtt_topic(will.plant, will.source, will.channel), payload=will.payload
    )  # fmt: skip
    settings = LinkSettings(
        host=host,
        port=port,
        client_id=client_id,
        user=parts.user,
        password=parts.password,
        tls=tls,
        subscriptions=tuple(mqtt_filters(plants, sources, channels)),
        will=last_words,
        **{"session_s": 7 * 86_400 if keeps else 0, **options},
    )
    return MqttBus(settings, wait_s=wait_s, publish_timeout_s=float(timeout_s), in_flight=in_flight, telemetry_qos=qos)


def _open_kafka(
    parts: BusUrl,
    *,
    plants: tuple[str, ...],
    sources: tuple[str, ...],
    channels: tuple[Channel, ...],
    group: str,
    client_id: str,
    wait_s: float,
    keeps: bool,
    **_others: Any,
) -> Bus[Parcel]:
    require("confluent_kafka", extra="kafka")
    from vpp.streams.kafka import KafkaBus
    from vpp.streams.kafka_settings import KafkaSettings

    options = parts.settings(KAFKA_OPTIONS)
    settings = KafkaSettings(
        servers=parts.host,
        client_id=client_id,
        group=group,
        user=parts.user,
        password=parts.password,
        tls=parts.scheme == "kafkas",
        plants=plants,
        sources=sources,
        channels=channels,
        from_oldest=options.pop("start", "oldest" if keeps else "newest") == "oldest",
        **options,
    )
    return KafkaBus(settings, wait_s=wait_s)


_OPENERS: dict[str, Callable[..., Bus[Parcel]]] = {
    "memory": _open_memory,
    "mqtt": _open_mqtt,
    "mqtts": _open_mqtt,
    "kafka": _open_kafka,
    "kafkas": _open_kafka,
}
